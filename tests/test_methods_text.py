"""The methods section of a manuscript: only what was done, every work cited, three formats."""

import io
import re
from pathlib import Path

import docx
import pytest

from evidence import cli
from evidence.analysis.audit_sample import row_digest
from evidence.analysis.narrative import methods_text
from evidence.analysis.narrative.methods_text import MODELS, describe_methods
from evidence.analysis.pooling.dose_response import fit_dose_model
from evidence.analysis.pooling.pooled_estimate import meta_analyse, pool_studies
from evidence.analysis.pooling.question import METHODS
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.bibliography import read_bibliography
from evidence.dataset.risk_of_bias_tools import load_tools
from evidence.provenance.methods import read_method_references
from evidence.report.export import run_pandoc
from evidence.report.methods_document import methods_markdown, methods_word
from tests.conftest import ROOT
from tests.example_trials import add_reading, add_search, arm, judge

YEAST = {"outcome": "risen", "measure": "rr", "time_days": 1.0}


def methods_of(project, **question):
    """Return the sentences on a question of a project, or on the project as a whole."""
    dataset = project.dataset()
    answer = pool_studies(dataset, select_results(dataset), **question) if question else None
    return describe_methods(dataset, answer)


def text_of(sentences, section=""):
    return " ".join(str(s) for s in sentences if s.name.startswith(f"methods.{section}"))


SYNTHESES = [
    (
        {"measure": "rr"},
        ["We pooled 13 studies in a random-effects model with inverse-variance weights; the "
         "between-study variance τ² was estimated by restricted maximum likelihood "
         "[@viechtbauer2005].",
         "Confidence intervals (95%) were computed by the Knapp–Hartung method, but never "
         "narrower than Wald-type ones [@knapp2003].",
         "[@viechtbauer2007]", "[@higgins2009]", "[@egger1997]", "[@duval2000]",
         "we left out each study in turn"],
        ["Bayesian", "Subgroups", "zero", "meta-regression"],
    ),
    (
        {"measure": "or", "method": "dl", "test": "z", "confidence": 0.9},
        ["[@dersimonian1986]", "Confidence intervals (90%) were Wald-type."],
        ["Knapp", "restricted"],
    ),
    ({"measure": "rd", "method": "pm", "test": "knha"}, ["[@paule1982]"], ["never narrower"]),
    ({"measure": "rr", "method": "common"}, ["a common-effect model"], ["τ²", "prediction"]),
    (
        {"measure": "or", "method": "mh"},
        ["by the Mantel–Haenszel method [@mantel1959].", "[@robins1986]",
         "Small-study effects were not examined"],
        ["τ²", "Egger's", "prediction", "left out each"],
    ),
    ({"measure": "rd", "method": "mh"}, ["Sato, Greenland and Robins [@sato1989]"], ["greenland"]),
    ({"measure": "or", "method": "peto"}, ["Peto's method [@yusuf1985]"], ["τ²"]),
    (
        {"measure": "or", "method": "glmm"},
        ["a generalised linear mixed model", "[@stijnen2010]", "The conditional model",
         "likelihood-ratio test"],
        ["inverse-variance", "lin2020"],
    ),
    (
        {"measure": "proportion"},
        ["[@lin2020]", "t distribution with one degree of freedom fewer than studies"],
        ["conditional"],
    ),
    (
        {"measure": "or", "method": "bayes", "prior": "half-cauchy"},
        ["a Bayesian random-effects model [@rover2020]", "half-Cauchy with scale 0.5 [@rover2021].",
         "central 95% credible interval"],
        ["Confidence intervals", "Wald"],
    ),
    (
        {"measure": "rd", "method": "bayes", "prior_scale": 0.1},
        ["half-normal with scale 0.1."],
        ["rover2021"],
    ),
    (
        {"measure": "rr", "subgroup_by": "comparator", "moderator": "dose"},
        ["Subgroups by comparator were tested for a difference [@borenstein2009].",
         "A meta-regression had dose as its moderator [@knapp2003]."],
        ["not tested"],
    ),
]  # fmt: skip
"""Options of a pool, and what the text on it says and does not say."""


def test_the_synthesis_is_described_as_it_was_done(grouped):
    dataset = grouped.dataset()
    results = select_results(dataset)
    question = {"outcome": "infection", "comparators": ["active", "inactive"]}
    for options, stated, absent in SYNTHESES:
        answer = pool_studies(dataset, results, **question, **options)
        synthesis = text_of(describe_methods(dataset, answer), "synthesis")
        assert [part for part in stated if part not in synthesis] == []
        assert [part for part in absent if part in synthesis] == []


def test_a_three_level_model_is_described_with_its_correlation(yeast_trials):
    sentences = methods_of(yeast_trials, **YEAST, method="threelevel", max_time_ratio=100)
    synthesis = text_of(sentences, "synthesis")
    for part in (
        "We pooled 3 effects of 2 studies in a three-level model",
        "were assumed to correlate with ρ = 0.6; the analysis was repeated for correlations from 0 to "
        "0.8.",
        "[@pustejovsky2018]",
    ):
        assert part in synthesis
    assert "Knapp" not in synthesis
    assert "All effects of a study in this period were used." in text_of(sentences, "studies")


def test_what_few_studies_and_zero_counts_add(yeast_trials):
    rows = [row for row in yeast_trials.rows("data/studies.csv") if "none" in row]
    line = yeast_trials.rows("data/studies.csv").index(rows[-2]) + 1
    yeast_trials.put("data/studies.csv", line, events="0", as_printed="0/20")
    sentences = methods_of(yeast_trials, **YEAST)
    synthesis = text_of(sentences, "synthesis")
    assert "As there were only 2 studies, we also fitted Bayesian" in synthesis
    assert (
        "models that add nothing to zero counts: binomial-normal, conditional [@stijnen2010];"
        in synthesis
    )
    assert "prediction interval" not in synthesis
    effects = text_of(sentences, "effects")
    assert "The effect measure was the risk ratio [@katz1978], pooled on the log scale." in effects
    assert "In 1 study with a zero count, 0.5 was added to all counts of that study" in effects
    counts = text_of(methods_of(yeast_trials, **YEAST | {"measure": "or"}, method="mh"), "effects")
    assert "Nothing was added to the counts of 1 study with a zero count." in counts


def test_conversions_are_named(yeast_trials):
    for study, kind in (("baker1990", "sd"), ("miller2001", "se")):
        for name, role, value in (("yeast", "intervention", "12"), ("none", "comparator", "9")):
            cells = {"measure": "mean", "value": value, "spread": "1", "spread_kind": kind}
            cells |= {"outcome": "height", "condition": "bread", "as_printed": f"{value} (1)"}
            cells |= {"time": "1", "time_unit": "day"}
            yeast_trials.row(**arm(study, name, role, "", 20) | cells)
    effects = text_of(methods_of(yeast_trials, outcome="height", measure="smd"), "effects")
    assert "standardised mean difference [@hedges1981]" in effects
    assert (
        "We computed it from means and standard deviations of both groups for 2 studies." in effects
    )
    assert "[@higgins2019handbook]: Miller (SD = SE × √n)." in effects


def test_one_study_is_not_pooled_and_the_text_says_so(project, capsys):
    sentences = methods_of(project, **YEAST)
    synthesis = text_of(sentences, "synthesis")
    assert synthesis.startswith("We pooled no results, because only one tabulated study (Baker)")
    assert not text_of(sentences, "effects")
    assert "For 1 proportion, only a percentage is printed" in text_of(sentences, "extraction")
    options = ["--outcome", "risen", "--measure", "rr", "--project", str(project.root)]
    assert cli.main(["methods", *options]) == 1
    assert "**Synthesis.** We pooled no results, because" in capsys.readouterr().out


def test_searches_are_described_as_recorded(yeast_trials):
    assert (
        text_of(methods_of(yeast_trials), "search") == "The project records no search for studies."
    )
    add_search(yeast_trials, limits="English")
    search = text_of(methods_of(yeast_trials, **YEAST), "search")
    assert search == (
        "We made 1 search on 24 November 2026, which returned 7 records. We screened 7, excluded 7 "
        "and kept 0. Bibliographic database searched: Breadline. Limits and filters: English "
        "(1 search). Of these searches, 1 was meant to find studies on this question. Query, limits, "
        "date and counts of each search are in data/searches.csv, as PRISMA-S asks [@rethlefsen2021]."
    )
    yeast_trials.put(
        "data/searches.csv", 2, kind="website", duplicates="2", screened="5", excluded="5"
    )
    search = text_of(methods_of(yeast_trials), "search")
    assert "We removed 2 duplicates, screened 5" in search
    assert "so the search was not systematic" in search
    assert "on this question" not in search


def test_coverage_and_studies_left_out(yeast_trials):
    yeast_trials.table(
        schema.KNOWN_STUDIES, known_study="cook2020", label="Cook 2020", condition="bread",
        design="randomised parallel", treatment="yeast", comparator_kind="inactive",
        outcomes="risen", listed_by="guide", locator="p. 1", status="wanted",
    )  # fmt: skip
    studies = text_of(methods_of(yeast_trials, **YEAST, treatments=["yeast"]), "studies")
    assert (
        "Eligible were studies of yeast that reported risen between 8 hours and 3 days" in studies
    )
    assert (
        "We know of 3 studies that measured this or may have: 2 have a tabulated result and 1 was "
        "not read where the result would be reported (coverage 67%)." in studies
    )
    assert "The analysis included 2 studies, all of them randomised." in studies
    # Arms are words of their own, for which nothing is known of other studies.
    assert "We know of" not in text_of(
        methods_of(yeast_trials, **YEAST, comparators=["none"]), "st"
    )


def test_extraction_audit_and_risk_of_bias(yeast_trials):
    extraction = text_of(methods_of(yeast_trials, **YEAST), "extraction")
    assert "The analysis uses 4 results, read in publications of the studies (4)" in extraction
    assert "No second reading of the results is recorded." in extraction
    assert "parts" not in extraction
    certainty = text_of(methods_of(yeast_trials, **YEAST), "certainty")
    assert "No judgement of the risk of bias of these studies is recorded." in certainty
    reported = yeast_trials.dataset().reported_results
    used = next(row for row in reported.itertuples() if row.definition == "new")
    yeast_trials.table(
        schema.AUDITS, row=row_digest(used), study=used.study, arm=used.arm, outcome=used.outcome,
        answer="confirmed", signed_by="A. Reader", date="2026-11-24",
    )  # fmt: skip
    for study in ("baker1990", "miller2001", "guide"):
        add_reading(yeast_trials, study, "all", "full text")
    judge(yeast_trials, "baker1990")
    sentences = methods_of(yeast_trials, **YEAST)
    extraction = text_of(sentences, "extraction")
    assert "parts of these texts that were read are full texts (4)." in extraction
    assert "read a second time at their sources" in extraction
    assert "by Wilson's method [@wilson1927])" in extraction
    assert "Of the results that the analysis uses, 1 of 4 were among them." in extraction
    certainty = text_of(sentences, "certainty")
    assert (
        "We judged the risk of bias of 1 of 2 studies with RoB 2 (2019) [@sterne2019]." in certainty
    )


def test_a_dose_response_curve_is_described(grouped):
    dataset = grouped.dataset()
    results = select_results(dataset)
    answer = meta_analyse(
        dataset, results, outcome="infection", measure="or", comparators=("inactive", "active")
    )
    model = fit_dose_model(dataset, results, answer.question, shape="quadratic")
    text = text_of(describe_methods(dataset, answer, model), "synthesis")
    assert "a parabola without effect at dose 0, was fitted to 13 trials of 1 to 13 mg/kg" in text
    assert "in one stage [@crippa2019] by restricted maximum likelihood" in text
    assert "[@crippa2016]" in text


def test_every_work_is_in_the_bibliography_and_cited():
    cited = set(re.findall(r"@(\w+\d{4}\w*)", Path(methods_text.__file__).read_text("utf-8")))
    cited |= {*methods_text.EFFECT_REFERENCES.values(), *methods_text.LIBRARIES.values()}
    cited |= {tool.reference for tool in load_tools().values()}
    references = read_method_references()
    assert cited <= set(references)
    texts = [*ROOT.glob("src/evidence/**/*.py"), *ROOT.glob("src/evidence/**/*.toml"),
             *ROOT.glob("docs/*.md"), ROOT / "src/evidence/report/glossary.csv"]  # fmt: skip
    words = set(re.findall(r"\w+", "".join(path.read_text("utf-8") for path in texts)))
    assert set(references) <= words
    assert not references.problems
    assert set(MODELS) == set(METHODS)
    assert all("[@" in text for text in MODELS.values())


@pytest.mark.parametrize(
    ("style", "citation", "reference"),
    [
        ("vancouver", "of participants [1] and", "1. Wilson EB. "),
        ("apa", "of participants (Wilson, 1927) and", "Wilson, E. B. (1927). "),
        ("ama", "of participants<sup>1</sup> and", "1. Wilson EB. "),
    ],
)
def test_styles_cite_in_their_own_way(style, citation, reference):
    (sentence,) = sentences("Wilson's interval of participants [@wilson1927] and more.")
    text = methods_markdown([sentence], style)
    assert citation in text
    assert f"## References\n\n{reference}" in text


def sentences(text):
    return [methods_text.Sentence("methods.effects.1", "{text}", {"text": text})]


def test_lists_of_works_are_numbered_as_cited_or_sorted_by_name():
    text = sentences("A [@wilson1927]; b [@duval2000; @wilson1927], c [@sterne2019; @duval2000].")
    vancouver = methods_markdown(text)
    assert "A [1]; b [1,2], c [2,3]." in vancouver
    assert re.findall(r"^\d+\. (\w+)", vancouver, re.M) == ["Wilson", "Duval", "Sterne"]
    apa = methods_markdown(text, "apa")
    assert (
        "b (Duval & Tweedie, 2000; Wilson, 1927), c (Duval & Tweedie, 2000; Sterne et al., 2019)."
        in apa
    )
    assert "A<sup>1</sup>; b,<sup>1,2</sup> c.<sup>2,3</sup>" in methods_markdown(text, "ama")


HOSTILE = "a_b *c* 50% & \\d [@nobody1999] {x} $y$ <b>"


def test_texts_of_the_data_are_no_markup():
    text = sentences(f"Eligible were {HOSTILE} [@wilson1927].")
    plain = run_pandoc(
        ["--from=markdown-citations", "--to=plain", "--wrap=none"], methods_markdown(text)
    )
    assert f"Eligible were {HOSTILE} [1]." in plain.decode()
    paragraphs = docx.Document(io.BytesIO(methods_word(text))).paragraphs
    assert f"Effect measures. Eligible were {HOSTILE} [1]." in [part.text for part in paragraphs]


def test_word_documents_hold_text_and_references(yeast_trials, tmp_path, capsys):
    out = tmp_path / "methods.docx"
    options = ["--outcome", "risen", "--measure", "rr", "--project", str(yeast_trials.root)]
    assert cli.main(["methods", *options, "--format", "docx", "--out", str(out)]) == 0
    paragraphs = docx.Document(str(out)).paragraphs
    headings = [part.text for part in paragraphs if part.style.name == "Heading 1"]
    assert headings == ["Methods", "References"]
    texts = [part.text for part in paragraphs]
    assert any(
        text.startswith("Synthesis. We pooled 2 studies in a random-effects") for text in texts
    )
    assert any(text.startswith("Viechtbauer W. Bias and efficiency") for text in texts)
    content = methods_of(yeast_trials, **YEAST)
    assert methods_word(content, "apa") == methods_word(content, "apa")


def test_latex_reads_back_and_cites_what_its_bib_holds(yeast_trials, tmp_path, capsys):
    out = tmp_path / "methods.tex"
    command = ["methods", "--outcome", "risen", "--measure", "rr", "--project"]
    command += [str(yeast_trials.root), "--format", "latex", "--out", str(out)]
    assert cli.main(command) == 0
    latex, works = out.read_text("utf-8"), read_bibliography(out.with_suffix(".bib"))
    cited = {key for keys in re.findall(r"\\cite\{([^}]*)\}", latex) for key in keys.split(",")}
    assert cited == set(works)
    assert not set("τ²ρ") & set(latex)
    plain = run_pandoc(["--from=latex", "--to=plain", "--wrap=none"], latex).decode()
    assert "between-study variance τ² was estimated by restricted maximum likelihood" in plain
    # It may be written again, but not over a file of the author's own.
    assert cli.main(command) == 0
    out.with_suffix(".bib").write_text("@misc{mine, title = {Mine}}", "utf-8")
    capsys.readouterr()
    assert cli.main(command) == 1
    assert (
        "methods.bib beside it is a file of your own. Choose another name."
        in capsys.readouterr().err
    )
    assert "mine" in out.with_suffix(".bib").read_text("utf-8")
    assert cli.main([*command[:-1], str(out.with_suffix(".bib"))]) == 1
    assert "the text needs another ending, such as .tex" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--outcome", "risen"], "a question also needs --measure"),
        (["--measure", "rr"], "a question also needs --outcome"),
        (["--format", "docx"], "--format docx needs a file: --out methods.docx"),
        (["--format", "latex"], "--format latex needs a file: --out methods.tex"),
        (["--outcome", "rizen", "--measure", "rr"], "Did you mean 'risen'?"),
    ],
)
def test_wrong_commands_say_what_to_do(project, capsys, options, message):
    assert cli.main(["methods", *options, "--project", str(project.root)]) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_cannot_be_written(project, capsys, tmp_path):
    out = tmp_path / "none" / "m.md"
    assert cli.main(["methods", "--project", str(project.root), "--out", str(out)]) == 1
    assert f"--out {out}: cannot be written" in capsys.readouterr().err
