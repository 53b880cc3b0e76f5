"""The audit: a random sample, answers saved at once, and the error rate that follows."""

import csv
import io
import re

import pytest

from evidence import cli
from evidence.analysis import audit_sample
from evidence.analysis.audit_sample import draw_sample, error_rate, row_digest
from evidence.dataset import schema
from evidence.dataset.dataset import append_row, read_dataset
from evidence.errors import EvidenceError
from tests.conftest import ROOT

NOT_AUDITED = "Not audited: no record that a sample of these results was read a second time."


def visible_text(html):
    """Return the text of a page without tags and footnote numbers, with single blanks."""
    without_footnotes = re.sub(r"<sup.*?</sup>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", without_footnotes))


def audit(project, **cells):
    row = {"study": "baker1990", "arm": "yeast", "outcome": "risen", "answer": "confirmed",
           "signed_by": "A. Reader", "date": "2026-11-24", "seed": "1"}  # fmt: skip
    append_row(project.root, schema.AUDITS, row | cells)


def digests(project):
    return [row_digest(row) for row in project.dataset().reported_results.itertuples()]


def test_nothing_audited_is_stated(project):
    assert str(error_rate(project.dataset())) == NOT_AUDITED


def test_every_page_states_the_error_rate(report):
    rate = visible_text(str(error_rate(read_dataset(ROOT))))
    for page in report.glob("*.html"):
        assert rate in visible_text(page.read_text("utf-8"))


def test_the_error_rate_by_hand(project):
    """1 wrong of 4: 25%, Wilson CI 4.6% to 69.9% (the score interval of 1 in 4)."""
    rows = digests(project)
    for row in rows[:2]:
        audit(project, row=row)
    audit(project, row=rows[2], seed="")
    audit(project, row="of a row corrected since", answer="wrong", found="72%")
    audit(project, row="of a row changed since")
    audit(project, row=rows[3], answer="not found")
    audit(project, row=rows[4], answer="not reachable")
    sentence = error_rate(project.dataset())
    assert str(sentence) == (
        "4 of 5 results were read a second time at their sources, 3 of them drawn at random: 1 was "
        "wrong, an error rate of 25.0% (95% CI 4.6% to 69.9%); 1 of these corrected. 1 further result "
        "did not stand where the tables say. The sources of 1 further result could not be reached "
        "again."
    )
    assert not any(character.isdigit() for character in sentence.template)


def test_a_sample_depends_on_the_seed_alone(project):
    dataset = project.dataset()
    sample = list(draw_sample(dataset, 3, 1)["row"])
    rows = project.rows("data/studies.csv")
    project.write("data/studies.csv", [rows[0], *rows[:0:-1]])
    assert list(draw_sample(project.dataset(), 3, 1)["row"]) == sample
    assert any(list(draw_sample(dataset, 3, seed)["row"]) != sample for seed in range(2, 6))


def test_unconfirmed_results_are_not_sampled(project):
    dataset = project.dataset()
    unconfirmed = dataset.reported_results[dataset.reported_results["verified"] != "yes"]
    sampled = set(draw_sample(dataset, 99, 1)["row"])
    assert len(sampled) == len(dataset.reported_results) - len(unconfirmed)
    assert not {row_digest(row) for row in unconfirmed.itertuples()} & sampled


@pytest.mark.parametrize(("column", "is_other"), [("locator", True), ("note", False)])
def test_a_row_has_another_digest_if_what_it_states_changes(project, column, is_other):
    before = digests(project)
    project.put("data/studies.csv", 2, **{column: "Table 2"})
    after = digests(project)
    assert (before[0] != after[0]) == is_other
    assert before[1:] == after[1:]


def test_audits_stay_when_the_tables_get_a_further_column(project, monkeypatch):
    project.put("data/studies.csv", 3, note="seen twice")
    before = digests(project)
    further = (*audit_sample.AUDITED_COLUMNS, "note")
    monkeypatch.setattr(audit_sample, "AUDITED_COLUMNS", further)
    after = digests(project)
    assert [old == new for old, new in zip(before, after, strict=True)] == [
        True, False, True, True, True,
    ]  # fmt: skip


def run(project, monkeypatch, answers, *arguments):
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))
    return cli.main(["audit", "--project", str(project.root), *arguments])


def test_answers_are_saved_at_once_and_a_second_call_continues(project, monkeypatch, capsys):
    assert run(project, monkeypatch, "y\nn\n\nn\n72%\nq\n", "--auditor", "A. Reader") == 0
    assert "2 of 5 results were read a second time" in capsys.readouterr().out
    with project.path("data/audits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["answer"], row["found"]) for row in rows] == [("confirmed", ""), ("wrong", "72%")]
    assert {row["signed_by"] for row in rows} == {"A. Reader"}
    assert run(project, monkeypatch, "s\n", "--auditor", "A. Reader") == 0
    assert "1 of 2: " in capsys.readouterr().out  # four rows are confirmed, two are done


def test_each_sampled_row_is_shown_with_its_source(project, monkeypatch, capsys):
    assert run(project, monkeypatch, "", "--list", "--sample", "2") == 0
    assert capsys.readouterr().out.count("Read in\n") == 2
    assert not project.path("data/audits.csv").exists()


def test_a_table_that_cannot_be_written_is_an_error(project):
    project.path("data/audits.csv").mkdir()
    with pytest.raises(EvidenceError, match=r"audits\.csv"):
        audit(project, row="x")
