"""Tables on a terminal and in a pipe, the list of unknowns, and the progress of a build."""

import json

import pytest

from evidence import cli
from evidence.build import progress
from evidence.tables.text_table import render_parts, text_table


def test_a_table_is_plain_text_in_80_columns():
    """Text that looks like markup stays; numbers stand at the right and are not wrapped."""
    rows = [("[bold]Baker[/bold] :smile:", "1.28", "rises " * 20), ("Miller", "−0.8", "")]
    lines = render_parts([text_table(("Study", "Effect", "Reason"), rows, ["Effect"])]).splitlines()
    assert lines[0] == "Study                       Effect  Reason"
    assert lines[1].startswith("[bold]Baker[/bold] :smile:    1.28  rises rises")
    assert lines[-1] == "Miller                        −0.8"
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith(" ") for line in lines)


@pytest.fixture
def unknowns(capsys):
    def run(project, *arguments):
        code = cli.main(["unknowns", "--project", str(project.root), *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_unknowns_are_listed_with_their_evidence(project, unknowns):
    code, printed, _ = unknowns(project)
    assert code == 0
    assert "Does it last?" in printed
    assert "none tabulated" in printed
    entries = json.loads(unknowns(project, "--format", "json")[1])
    assert [entry["unknown"] for entry in entries if entry["origin"] == "listed"] == ["U1"]


def test_unknowns_are_selected_by_participants_topic_and_status(yeast_trials, unknowns):
    yeast_trials.put("data/unknowns.csv", 2, conditions="bread", outcomes="risen", from_days="30")

    def names(*arguments):
        listed = json.loads(unknowns(yeast_trials, "--format", "json", *arguments)[1])
        return {entry["unknown"]: entry["participants"] for entry in listed}

    everything = names()
    participants = everything["U1"]
    assert participants > 0
    assert "U1" not in names("--participants", str(participants - 1))
    assert "U1" in names("--participants", str(participants))
    assert "U1" in names("--condition", "Bread")
    assert names("--status", "settled").keys() <= everything.keys()
    code, _, error = unknowns(yeast_trials, "--outcome", "rissen")
    assert code == 2
    assert "outcome: 'rissen' is not one of: risen" in error
    assert "Did you mean 'risen'?" in error


def test_a_log_gets_one_line_for_each_finished_report(capsys):
    with progress.ProgressBar() as bar:
        bar.start(2)
        bar.begin("01_studies")
        bar.finish("01_studies", failed=False)
        bar.status("writing pages")
        bar.finish("02_comparison", failed=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["1/2 [00:00] 01_studies", "2/2 [00:00] 02_comparison: failed"]
