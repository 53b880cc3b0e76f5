"""The audit: who checked what against its source, kept at once, and the rate that follows."""

import csv
import io

import pytest

from evidence import cli
from evidence.analysis.audit_sample import draw_sample, error_rate, row_digest
from evidence.dataset import schema
from evidence.dataset.dataset import append_row
from evidence.errors import EvidenceError


def audit(project, **cells):
    told = {"study": "baker1990", "arm": "yeast", "outcome": "risen", "answer": "confirmed",
            "signed_by": "A. Reader", "date": "2026-11-24", "seed": "1"}  # fmt: skip
    append_row(project.root, schema.AUDITS, told | cells)


def test_not_audited_yet(project, shipped, report):
    said = "Not audited yet: nobody has held a random sample of these results to their sources."
    assert str(error_rate(project.dataset())) == said
    assert str(error_rate(shipped)) == said
    for page in report.glob("*.html"):
        assert said in page.read_text("utf-8")


def test_the_rate_by_hand(project):
    """1 wrong of 4: 25 %, Wilson 4.6 % to 69.9 % (the score interval of 1 in 4)."""
    rows = [row_digest(row) for row in project.dataset().results.itertuples()]
    for row in rows[:3]:
        audit(project, row=row)
    audit(project, row="of a row mended since", answer="wrong", found="72%")
    audit(project, row="of a row changed since")
    audit(project, row=rows[3], answer="not found")
    said = str(error_rate(project.dataset()))
    assert said == (
        "4 results drawn by chance and held to their sources by a person: 1 was wrong, a rate of "
        "25.0% (95% interval 4.6% to 69.9%)."
    )


def test_no_number_is_typed_into_the_sentence(project):
    before = error_rate(project.dataset()).template
    audit(project, row=row_digest(next(project.dataset().results.itertuples())))
    for template in (before, error_rate(project.dataset()).template):
        assert not any(character.isdigit() for character in template)


def test_a_draw_depends_on_the_seed_alone(project):
    dataset = project.dataset()
    drawn = list(draw_sample(dataset, 3, 1)["row"])
    rows = project.rows("data/studies.csv")
    project.write("data/studies.csv", [rows[0], *rows[:0:-1]])
    assert list(draw_sample(project.dataset(), 3, 1)["row"]) == drawn
    assert any(list(draw_sample(dataset, 3, seed)["row"]) != drawn for seed in range(2, 6))
    unconfirmed = dataset.results.loc[dataset.results["verified"] != "yes"].itertuples()
    assert not {row_digest(row) for row in unconfirmed} & set(draw_sample(dataset, 99, 1)["row"])


def test_a_changed_row_has_another_fingerprint(project):
    before = {row_digest(row) for row in project.dataset().results.itertuples()}
    project.put("data/studies.csv", 2, locator="Table 2")
    after = {row_digest(row) for row in project.dataset().results.itertuples()}
    assert len(before - after) == len(after - before) == 1


def run(project, monkeypatch, answers, *arguments):
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))
    return cli.main(["audit", "--project", str(project.root), *arguments])


def test_answers_are_kept_at_once_and_a_second_call_goes_on(project, monkeypatch, capsys):
    assert run(project, monkeypatch, "y\nn\n\nn\n72%\nq\n", "--auditor", "A. Reader") == 0
    out = capsys.readouterr().out
    assert "2 answers saved in data/audits.csv" in out
    assert "2 results drawn by chance" in out
    with project.path("data/audits.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["answer"], row["found"]) for row in rows] == [("confirmed", ""), ("wrong", "72%")]
    assert {row["signed_by"] for row in rows} == {"A. Reader"}
    assert run(project, monkeypatch, "s\n", "--auditor", "A. Reader") == 0
    out = capsys.readouterr().out
    assert "0 answers saved" in out
    assert "1 of 2: " in out  # four rows are confirmed, two are done


def test_each_row_is_shown_with_its_source(project, monkeypatch, capsys):
    assert run(project, monkeypatch, "", "--list", "--sample", "2") == 0
    out = capsys.readouterr().out
    assert out.count("read in: ") == 2
    assert not project.path("data/audits.csv").exists()


def test_somebody_must_sign(project, monkeypatch, capsys):
    assert run(project, monkeypatch, "") == 2
    assert "--auditor is missing" in capsys.readouterr().err


def test_a_table_that_cannot_be_written_is_said(project, monkeypatch, capsys):
    project.path("data/audits.csv").mkdir()
    with pytest.raises(EvidenceError, match=r"audits\.csv: cannot be written"):
        audit(project, row="x")
