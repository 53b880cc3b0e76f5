"""Prose against values: numbers in digits and words, what is no evidence, and any digit changed."""

import json
import re

import pytest

from evidence import cli
from evidence.report.number_scanner import contradicted, is_written, numerals
from evidence.report.prose_check import Known, check_markdown, check_page, check_prose
from tests.conftest import ROOT


def read(text):
    return [(numeral.text, numeral.value) for numeral in numerals(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12 of 17 (71%)", [("12", 12), ("17", 17), ("71%", 0.71)]),
        ("65.8 percent", [("65.8 percent", 0.658)]),
        ("1,234 people", [("1,234", 1234)]),
        ("from 1.89 to 3.98", [("1.89", 1.89), ("3.98", 3.98)]),
        ("−0.82", [("−0.82", -0.82)]),
        ("20–30%", [("20", 20), ("30%", 0.3)]),
        ("twelve people, Twenty-one studies", [("twelve", 12), ("Twenty-one", 21)]),
        ("two thirds of the patients", [("thirds", 2 / 3)]),
        ("half of those patients", [("half", 0.5)]),
        ("nine of the claims", [("nine", 9)]),
    ],
)
def test_numbers_are_read(text, found):
    assert read(text) == [(words, pytest.approx(value)) for words, value in found]


@pytest.mark.parametrize(
    "text",
    [
        "Python 3.11 or newer, version 2, v0.2.0, bibtexparser 2.1.0",
        "on 2026-11-24, in March 2019, on 5 March 2019",
        "Zarate 2006, Zarate et al. (2006) and Katz 2021a",
        "SHA-256, CC BY 4.0, HDRS-21, NCT00088699",
        "# 3. Tables\n\n1. first\n2. second",
        "`n = 17` and [text](02_comparison.html#71) and https://doi.org/10.1001/1 doi:10.1/2",
        "```\n12 of 17\n```",
        "two commands, one study a row, a third way, one or two words",
        "Ketamine Therapy 101",
        "<img alt='12'>",
        "claim C01 and question U12",
    ],
)
def test_what_is_no_evidence_is_told_by_its_form(text):
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("71%", 12 / 17, True),
        ("70.6%", 12 / 17, True),
        ("70%", 12 / 17, False),
        ("12 of 17", 12 / 17, True),
        ("11 of 17", 12 / 17, False),
        ("2.74", 2.7402402402402406, True),
        ("2.7", 2.7402402402402406, True),
        ("2.75", 2.7402402402402406, False),
        ("twelve people", 12, True),
        ("1 year", 365.25, True),
        ("28 days", 28.0, True),
        ("2 weeks", 28.0, False),
        ("1.89 to 3.98", "1.89 to 3.98", True),
        ("1.89 to 3.99", "1.89 to 3.98", False),
        ("about half of the people", 0.48, True),
    ],
)
def test_rounding_percentages_ratios_and_times(text, value, written):
    assert is_written(text, value) is written


@pytest.mark.parametrize(
    ("text", "low", "high", "word"),
    [
        ("ketamine was superior", 0.9, 1.4, "superior"),
        ("ketamine was superior", 1.1, 1.4, ""),
        ("it was not superior", 0.9, 1.4, ""),
        ("there was no difference", 1.1, 1.4, "no difference"),
        ("there was no difference", 0.9, 1.4, ""),
        ("significantly better", 0.5, 1.0, "significantly"),
    ],
)
def test_words_of_direction(text, low, high, word):
    assert contradicted(text, low, high, 1.0) == word


KNOWN = Known(
    {
        "p/s.share": {"value": 12 / 17, "text": "12 of 17 (71%)", "method": "share"},
        "p/s.ratio": {"value": 1.2, "text": "1.20", "method": "ratio"},
        "p/s.ratio_interval": {"value": "0.90 to 1.60", "text": "0.90 to 1.60", "method": "katz"},
    },
    {"p/s": {"text": "It rose in 12 of 17 (71%).", "template": "It rose in {share}."}},
)


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("It rose in 71%<!-- = p/s.share --> of cases.", ["MATCH"]),
        ("It rose in 72%<!-- = p/s.share --> of cases.", ["DRIFT"]),
        ("It rose in 12 of 17<!-- = p/s.share -->.", ["MATCH"]),
        ("It rose in 12 of 18<!-- = p/s.share -->.", ["UNBOUND", "DRIFT"]),
        ("It rose in 71%.", ["UNBOUND"]),
        ("99 loaves, and 71%<!-- = p/s.share --> rose.", ["UNBOUND", "MATCH"]),
        (
            "In 40 loaves yeast was superior, ratio 1.2<!-- = p/s.ratio -->.",
            ["UNBOUND", "MATCH", "DIRECTION"],
        ),
        ("The interval is 0.90 to 1.60<!-- = p/s.ratio_interval -->.", ["MATCH"]),
        ("It rose in twelve people.", ["UNBOUND"]),
        ("It rose in 71%<!-- = p/nothing -->.", ["UNBOUND"]),
        ("It rose in most<!-- = p/s.share -->.", ["UNBOUND"]),
        ("*It rose in 12 of 17 (71%).*<!-- = p/s -->", ["MATCH"]),
        ("It rose in 12 of 17 (72%).<!-- = p/s -->", ["DRIFT"]),
        ("99 It rose in 12 of 17 (71%).<!-- = p/s -->", ["UNBOUND", "MATCH"]),
        ("Yeast was superior, ratio 1.2<!-- = p/s.ratio -->.", ["MATCH", "DIRECTION"]),
        ("No difference was seen, ratio 1.2<!-- = p/s.ratio -->.", ["MATCH"]),
    ],
)
def test_markdown(text, statuses):
    assert [found.status for found in check_markdown(KNOWN, "t.md", text)] == statuses


def test_a_finding_says_its_line_and_what_would_be_right():
    text = "# Bread\n\nIt rose\nin 72%<!-- = p/s.share -->."
    (found,) = check_markdown(KNOWN, "t.md", text)
    assert str(found).startswith("t.md:4 DRIFT 72% — p/s.share is 0.70588")


@pytest.mark.parametrize(
    ("html", "statuses"),
    [
        ('<p><span data-text="s">It rose in <a>12 of 17 (71%)</a>.</span></p>', ["MATCH"]),
        ('<p><span data-text="s">It rose in <a>12 of 17 (72%)</a>.</span></p>', ["DRIFT"]),
        ('<p><span data-text="s">It rose in 13 of 17 (71%).</span></p>', ["DRIFT"]),
        ('<p><span data-text="z">It rose.</span></p>', ["UNBOUND"]),
        ("<p>It rose in 71%.</p><table><tr><td>72%</td></tr></table>", ["UNBOUND"]),
        ("<h1>Zarate 2006</h1><p>No number<br>here</p>", []),
    ],
)
def test_pages(html, statuses):
    assert [found.status for found in check_page(KNOWN, "p", html)] == statuses


def test_everything_that_is_shipped_is_bound(report):
    """README, changelog headline, notebooks, captions and pages: nothing drifts or hangs loose."""
    findings = check_prose(ROOT, report)
    assert not [str(finding) for finding in findings if finding.counts]
    assert len(findings) > 250
    places = {finding.place.partition(":")[0] for finding in findings}
    assert {"README.md", "CHANGELOG.md", "index.html", "05_claims.html"} <= places


def flipped(text, place):
    return text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]


def evidence_digits(text, spans):
    return [place for a, b in spans for place in range(a, b) if text[place].isdigit()]


def test_any_digit_changed_in_the_computed_part_of_readme_is_found(report):
    known = Known.read(report)
    readme = (ROOT / "README.md").read_text("utf-8")
    begin, end = readme.index("<!-- computed"), readme.index("<!-- end of computed part -->")
    spans, start = [], readme.index("*", begin)
    for match in re.finditer(r"<!-- .*? -->|\*\*[^*]+\*\*", readme[start:end]):
        spans.append((start, start + match.start() - (start - readme.index("*", begin))))
        start = readme.index("*", begin) + match.end()
    places = evidence_digits(readme, [(a, b) for a, b in spans if a < b])
    assert len(places) > 60
    for place in places:
        findings = check_markdown(known, "README.md", flipped(readme, place))
        assert any(f.counts for f in findings), readme[place - 20 : place + 20]


@pytest.mark.parametrize("page", ["index", "02_comparison", "04_durability", "06_unknowns"])
def test_any_digit_changed_in_the_prose_or_a_caption_of_a_page_is_found(report, page):
    known = Known.read(report)
    html = (report / f"{page}.html").read_text("utf-8")
    spans = []
    for match in re.finditer(r'<span data-text="[^"]+">(.*?)</span>', html):
        inner = re.finditer(r"[^<>]+(?=<|$)", re.sub(r"<[^>]*>", lambda m: "\0" * len(m[0]),
                                                      match[1]).replace("\0", "<"))  # fmt: skip
        spans += [(match.start(1) + part.start(), match.start(1) + part.end()) for part in inner]
    places = evidence_digits(html, spans)
    assert len(places) > 8
    for place in places[::3]:
        changed = check_page(known, page, flipped(html, place))
        assert any(finding.counts for finding in changed), html[place - 60 : place + 20]


def test_a_digit_typed_into_a_notebook_is_found(report, tmp_path):
    (tmp_path / "notebooks").mkdir()
    notebook = json.loads((ROOT / "notebooks" / "02_comparison.ipynb").read_text("utf-8"))
    notebook["cells"][0]["source"].append("\n\nIt helped 71% of the patients.")
    path = tmp_path / "notebooks" / "02_comparison.ipynb"
    path.write_text(json.dumps(notebook), "utf-8")
    (found,) = [finding for finding in check_prose(tmp_path, report) if finding.counts]
    assert str(found).startswith("notebooks/02_comparison.ipynb cell 0:5 UNBOUND 71%")


def test_a_number_typed_into_a_computed_sentence_is_found(report, tmp_path):
    text = {"text": "12 people rose.", "template": "12 people rose."}
    known = Known.read(report)
    for name, content in (("values", known.values), ("texts", known.texts | {"p/s": text})):
        (tmp_path / f"{name}.json").write_text(json.dumps(content), "utf-8")
    (found,) = [finding for finding in check_prose(tmp_path, tmp_path) if finding.counts]
    assert (found.place, found.status, found.text) == ("p/s", "UNBOUND", "12")


def test_command_lists_every_number(report, capsys):
    arguments = ["check", "--prose", "--project", str(ROOT), "--reports", str(report)]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert re.search(r"README.md:\d+ MATCH 12 of 17 \(71%\) — index/zarate2006", out)
    assert re.search(r"\d+ numbers in the prose, 0 to mend", out)


def test_errors_in_the_tables_do_not_hide_the_prose(report, project, capsys):
    project.put("data/studies.csv", 5, value="0.6")
    project.path("README.md").write_text("It rose in 71%.\n", "utf-8")
    arguments = ["check", "--prose", "--project", str(project.root), "--reports", str(report)]
    assert cli.main(arguments) == 1
    out = capsys.readouterr().out
    assert "PRINT error" in out
    assert "README.md:1 UNBOUND 71%" in out


def test_command_fails_where_something_drifts(report, project, capsys):
    project.path("README.md").write_text("It rose in 71%.\n", "utf-8")
    arguments = ["check", "--prose", "--project", str(project.root), "--reports", str(report)]
    assert cli.main(arguments) == 1
    assert "README.md:1 UNBOUND 71% — bind it to a value" in capsys.readouterr().out


def test_without_reports_it_says_how_to_make_them(project, capsys):
    assert cli.main(["check", "--prose", "--project", str(project.root)]) == 1
    assert "make them with: evidence report" in capsys.readouterr().err
