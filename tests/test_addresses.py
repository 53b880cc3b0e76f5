"""From every number back to its row: chains, footnotes and the command `evidence why`."""

import json
import re
import shutil

import pytest

from evidence import cli
from evidence.provenance.methods import METHODS
from evidence.report.trace import trace_number
from tests.conftest import ROOT

# Numbers from different pages, and what the row that each must lead to prints, in which text.
NUMBERS = {
    "index/zarate2006/ketamine/response/1 day.share": [("71%", "costi2015")],
    "index/krupitsky1997/ketamine psychotherapy against standard care/abstinence/1 year.ratio": [
        ("65.8% (73/111)", "krupitsky1997"),
        ("24% (24/100)", "krupitsky1997"),
    ],
    "02_comparison/fig-shares:zarate2006/ketamine/response/1 day/guide.n": [("71%", "guide101")],
    "02_comparison/fig-abstinence:krupitsky2007/three sessions against one session/abstinence/"
    "1 year.rr_high": [("50% (13/26)", "krupitsky2007"), ("22.2% (6/27)", "krupitsky2007")],
    "02_comparison/fig-suicidal-ideation-response:grunebaum2018/ketamine against midazolam/"
    "suicidal ideation response/1 day.rd": [("55%", "grunebaum2018"), ("30%", "grunebaum2018")],
    "03_dose_response/fava2018/ketamine 0.1 mg/kg/depression severity/smd.value": [
        ("-0.82", "fava2018")
    ],
    "01_studies/tab-results:studies.csv:4.n": [("71%", "costi2015")],
    "04_durability/durability.zarate2006.measured": [
        ("0.68 (0.13 to 1.23)", "zarate2006"),
        ("35%", "nature2006news"),
        ("35%", "zarate2006"),
        ("35 percent", "nami2006"),
    ],
    "04_durability/durability.fava2018.followed": [
        ("99 randomised, followed for 30 days", "fava2018")
    ],
    "05_claims/claim.C01.guide": [("guide: 71% of 18; source: 71% of 17", "costi2015")],
    "06_unknowns/fig-gaps:alcohol dependence/abstinence.n": [
        ("65.8% (73/111)", "krupitsky1997"),
        ("24% (24/100)", "krupitsky1997"),
        ("65.8%", "pmc5001686"),
        ("24%", "pmc5001686"),
        ("significantly increased", "dakwar2020"),
        ("10.1% (1.1 to 19.0)", "grabski2022"),
    ],
}


def why(dataset, report, asked):
    return trace_number(dataset, report, asked)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_lead_to_the_right_rows(shipped, report, name):
    (chain,) = why(shipped, report, name)
    found = [(row.as_printed, row.sources[0]) for row in chain.rows]
    assert found == NUMBERS[name]
    for row in chain.rows:
        file, _, line = row.address.partition(":")
        text = (ROOT / file).read_text("utf-8").splitlines()[int(line) - 1]
        assert row.sources[0] in text


def values(report):
    return json.loads((report / "values.json").read_text("utf-8"))


def test_copied_numbers_stand_in_the_row_they_name(shipped, report):
    """A value called copied is really in a cell of one of its rows, at full precision."""
    frames = {
        "data/studies.csv": shipped.results, "data/designs.csv": shipped.designs,
        "data/claims.csv": shipped.claims, "data/guide.csv": shipped.guide,
        "data/statements.csv": shipped.statements, "data/minimal_important_differences.csv": shipped.minimal_important_differences,
        "data/risk_of_bias.csv": shipped.risk_of_bias, "data/unknowns.csv": shipped.unknowns,
    }  # fmt: skip
    rows = {
        address: {str(cell) for cell in row.tolist()}
        for frame in frames.values()
        for address, row in frame.set_index("address", drop=False).iterrows()
    }
    looked = 0
    for name, entry in values(report).items():
        if entry["method"] != "copied":
            continue
        looked += 1
        cells = set().union(*(rows[address] for address in entry["rows"]))
        value = entry["value"]
        spelled = {str(value), f"{value:g}" if isinstance(value, float) else str(value)}
        ends = re.findall(r"[−\d.]+", str(value))
        numbers = [str(float(end.replace("−", "-"))) for end in ends if end.strip("−.")]
        assert spelled & cells or (numbers and set(numbers) <= cells), name
    assert looked > 500


def test_every_number_has_a_method_and_every_method_is_used(report):
    used = {entry["method"] for entry in values(report).values()}
    assert used <= set(METHODS)
    # No person has made an audit yet, and no two groups have two studies each.
    assert set(METHODS) - used == {"error_rate", "groups", "regression"}


def test_a_figure_a_claim_a_study_and_an_address(shipped, report):
    figure = why(shipped, report, "fig-dose-response")
    assert len(figure) == 7
    assert {row.as_printed for row in figure[0].rows} == {"-0.82"}
    assert "figure fig-dose-response (Dose and effect in Fava 2018)" in figure[0].shown
    claim, computed = why(shipped, report, "C01")
    assert claim.rows[0].address == "data/claims.csv:2"
    assert "n = 17, not 18" in computed.method
    study = why(shipped, report, "krupitsky1997")
    assert study[0].rows[0].as_printed == "211 analysed, followed for 1 year"
    assert len(study) == 1 + (shipped.results["study"] == "krupitsky1997").sum()
    (row,) = why(shipped, report, "data/studies.csv:4")
    assert row.rows[0].sources == ("costi2015",)
    (question,) = why(shipped, report, "U01")
    assert question.rows[0].address == "data/unknowns.csv:2"


def test_the_printed_text_of_a_number_will_do(shipped, report):
    (chain,) = why(shipped, report, "2.74")
    assert chain.says == "2.7402402402402406 (printed 2.74)"


def run(capsys, report, *arguments):
    code = cli.main(["why", "--project", str(ROOT), "--reports", str(report), *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_command_for_people(report, capsys):
    name = "index/zarate2006/ketamine/response/1 day.share"
    code, out, _ = run(capsys, report, name)
    assert code == 0
    assert "is:    0.7058823529411765 (printed 12 of 17 (71%))" in out
    assert re.search(r"from:  data/studies.csv:\d+  Zarate 2006, ketamine, response", out)
    assert "doi: 10.1007/s40473-015-00" in out
    assert "(Table 1)" in out


def test_command_for_machines(report, capsys):
    code, out, _ = run(capsys, report, "index.opening.results", "--format", "json")
    (chain,) = json.loads(out)
    assert code == 0
    assert len(chain["rows"]) == int(re.match(r"\d+", chain["says"])[0])
    assert {"key", "reference", "doi", "link"} == set(chain["rows"][0]["sources"][0])


def test_many_rows_are_ranges_of_lines(report, capsys):
    _, out, _ = run(capsys, report, "index.opening.results")
    assert re.search(r"from:  \d+ rows: data/studies.csv:2-\d+", out)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "no such thing",
            "is no claim, question, study, address or value; figures are fig-view, fig-shares",
        ),
        ("ci_low", "names; give one:\n  0"),
        ("data/studies.csv:99999", "is no claim"),
    ],
)
def test_what_cannot_be_found_is_said(report, capsys, asked, said):
    code, _, err = run(capsys, report, asked)
    assert code == 1
    assert said in err


def test_reports_that_are_missing_or_old_are_not_trusted(report, project, capsys, tmp_path):
    code, _, err = run(capsys, tmp_path / "none", "2.74")
    assert code == 1
    assert "holds no finished reports; make them with: evidence report" in err
    old = shutil.copytree(report, tmp_path / "old")
    manifest = json.loads((old / "manifest.json").read_text("utf-8"))
    manifest["inputs"]["data/studies.csv"] = "0"
    (old / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    code, _, err = run(capsys, old, "2.74")
    assert code == 1
    assert "was made before data/studies.csv changed" in err


NAMES = ["index", *(path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb")))]


@pytest.mark.parametrize("name", NAMES)
def test_every_number_of_a_page_is_a_link_to_its_footnote(report, name):
    """Links arrive, ids are there once, and every printed value of the report has its footnote."""
    page = (report / f"{name}.html").read_text("utf-8")
    ids = re.findall(r"""\bid=["']([^"']+)""", page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"""href=["']#([^"']+)""", page)) <= set(ids)
    entries = {key: e for key, e in values(report).items() if key.startswith(f"{name}/")}
    notes = [identity for identity in ids if identity.startswith("why-")]
    in_text = [key for key, entry in entries.items() if "text" in entry]
    marks = {key.rpartition(".")[0] for key, entry in entries.items() if "text" not in entry}
    assert len(notes) == len(in_text) + len(marks)
    assert len([identity for identity in ids if identity.startswith("at-")]) == len(in_text)


def test_text_of_a_row_cannot_become_markup(project):
    from evidence.report.footnotes import footnotes

    project.put("data/studies.csv", 2, locator="<script>alert(1)</script>")
    entry = {"value": 1, "text": "<b>", "method": "copied", "rows": ["data/studies.csv:2"]}
    html = footnotes(project.dataset(), {"x<i>.y": entry}, {})
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html
