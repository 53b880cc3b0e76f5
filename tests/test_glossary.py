"""The glossary: the first use of each term on a page is linked, and nothing else changes."""

import re

from evidence.provenance.methods import method_reference
from evidence.report.glossary import Term, annotate, read_terms, render_glossary

TERMS = [
    Term("risk ratio", ("RR",), "One risk divided by <another>."),
    Term("response", (), "A fall by half."),
    Term("response kept", (), "A response that lasts."),
    Term("95% CI", ("CI",), "A range."),
    Term("SMD", (), "A difference."),
]
PAGE = """<!DOCTYPE html>
<html><head><title>The response</title></head><body><nav>response</nav><main>
<h1>Risk ratio of response</h1><!-- response -->
<details><summary>SMD</summary><table><caption>SMD</caption>
<tr><th>SMD</th><td>SMD, response</td></tr></table></details>
<p>A dose-response <a class="number" id="at-a" href="#why-a">response</a> &amp; <code>RR</code>:
Risk
ratios and RR of <em>response kept</em>, response, <br/>recipes; 95&nbsp;% CI.</p>
<script>const response = "<p>response</p>";</script>
<ol class="references"><li>Response</li></ol>
<section class="addresses"><ol><li data-note="3"><a id="why-a" href="#at-a">response</a></li></ol>
</section></main></body></html>
"""


def test_first_uses_in_prose_are_linked_and_nothing_else_changes():
    page = annotate(PAGE, TERMS)
    links = re.findall(r'<a class="term" [^>]*data-term="([^"]+)"[^>]*>([^<]+)</a>', page)
    assert links == [
        ("SMD", "SMD"),
        ("risk ratio", "Risk\nratios"), ("response kept", "response kept"),
        ("response", "response"), ("95% CI", "CI"),
    ]  # fmt: skip
    assert 'data-definition="One risk divided by &lt;another&gt;."' in page
    assert "<td><a" in page.split("</details>")[0]
    unlinked = re.sub(r'<a class="term" [^>]*>([^<]+)</a>', r"\1", page)
    assert unlinked == PAGE.replace('<a class="number"', '<a data-note="3" class="number"')


def test_outcomes_of_the_topic_are_terms(project):
    project.put("data/outcomes.csv", 2, display_order="1")
    dataset = project.dataset()
    terms = {term.name: term.definition for term in read_terms(dataset)}
    assert terms["risen"] == "It rose."
    assert "height" not in terms
    page = render_glossary(dataset, [], audited="")
    assert '<dt id="term-risen">risen</dt>' in page
    assert '<dt id="term-height">height</dt>' in page


def test_spellings_name_one_term_and_sources_are_known(shipped):
    terms = read_terms(shipped)
    spellings = [name for term in terms for name in (term.name, *term.variants)]
    assert len(spellings) == len(set(spellings))
    assert all(method_reference(shipped, term.source) for term in terms if term.source)
