"""The command line: help, messages, exit codes."""

import re
import shlex

import pytest
from click.shell_completion import ShellComplete

from evidence import __main__ as start
from evidence import cli
from evidence.analysis.pooling import question
from evidence.cli import tables, words
from evidence.dataset import citations, schema
from evidence.report import export, methods_document, single_file
from evidence.statistics import dose_response, meta_analysis

COMMANDS = sorted(cli.evidence.commands)
SEARCH_COMMANDS = [f"search {name}" for name in sorted(tables.search.commands)]


@pytest.mark.parametrize("command", [*COMMANDS, *SEARCH_COMMANDS])
def test_help_has_examples_that_the_command_understands(command, capsys):
    names = command.split()
    assert cli.main([*names, "--help"]) == 0
    examples = capsys.readouterr().out.split("Examples:")[1].split("Options:")[0]
    group = tables.search if len(names) == 2 else cli.evidence
    for example in examples.strip().splitlines():
        program, *words = shlex.split(re.split(" > | && ", example)[0])
        assert (program, words[: len(names)]) == ("evidence", names)
        arguments = [word for word in words[len(names) :] if word != "--help"]
        group.commands[names[-1]].make_context(names[-1], arguments)


def test_the_overview_lists_every_command_with_its_help(capsys, monkeypatch):
    """It is printed without click; see `evidence.__main__`."""
    helps = {name: about.get_short_help_str(100) for name, about in cli.evidence.commands.items()}
    assert helps == start.COMMANDS
    monkeypatch.setattr("sys.argv", ["evidence", "--help"])
    assert start.main() == 0
    overview = capsys.readouterr().out
    assert all(f"  {name} " in overview for name in COMMANDS)
    monkeypatch.setattr("sys.argv", ["evidence", "--version"])
    assert start.main() == 0
    assert capsys.readouterr().out.startswith("evidence ")


def test_shells_can_complete_commands(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["evidence"])
    for name, value in (("COMPLETE", "bash_complete"), ("WORDS", "evidence po"), ("CWORD", "1")):
        prefix = "_EVIDENCE_" if name == "COMPLETE" else "COMP_"
        monkeypatch.setenv(prefix + name, value)
    with pytest.raises(SystemExit):
        start.main()
    assert "pool" in capsys.readouterr().out


def test_the_words_of_the_options_are_those_of_the_package():
    assert set(words.MEASURES) == set(question.MEASURES)
    assert set(words.METHODS) == set(question.METHODS)
    assert set(words.TESTS) == set(meta_analysis.TESTS)
    assert set(words.SUBGROUPS) == set(question.SUBGROUP_COLUMNS)
    assert words.SHAPES == dose_response.SHAPES
    assert set(words.MODERATORS) == set(question.MODERATORS)
    assert set(words.CITATION_STYLES) == set(citations.STYLES)
    assert set(words.REFERENCE_STYLES) == set(citations.TEXT_STYLES)
    assert words.SEARCH_KINDS == schema.SEARCH_KINDS
    assert words.UNKNOWN_STATUSES == schema.UNKNOWN_STATUSES
    assert set(words.DOCUMENT_FORMATS) == set(export.FORMATS)
    assert words.METHODS_FORMATS == methods_document.FORMATS
    assert set(words.REPORT_FORMATS) == set(single_file.FORMATS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["repport"], "No such command 'repport'. (Did you mean"),
        (["report", "--jbos", "2"], "No such option '--jbos'. Did you mean '--jobs'?"),
        (["report", "--jobs", "0"], "Invalid value for '--jobs': 0 is not in the range x>=1"),
        (["report", "-p", "scope"], "-p scope: write name=value, such as scope=all"),
        (["report", "-p", "scope=cor"], "scope: 'cor' is not one of: core, all. Did you mean"),
        (["check", "--due-by", "soon"], "'soon' does not match the format '%Y-%m-%d'"),
        (["pool", "--outcome", "risen"], "Missing option '--measure'"),
        (["pool", "--outcome", "rise", "--measure", "rr"], "'rise' is not one of: risen, height"),
        (["audit"], "--auditor is missing. Give your name: --auditor 'A. Reader'"),
        (["export", "fig-a", "--format", "docx"], "Name a file: --out fig-a.docx"),
        (["why", "a\0b"], "'a<U+0000>b': no argument can hold a NUL or half a character"),
        (["identify", "\ud800"], "no argument can hold a NUL or half a character"),
    ],
)
def test_a_wrong_command_exits_with_2_and_says_why(
    project, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(project.root)
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_faulty_data_exit_with_1_and_one_line_per_problem(project, capsys):
    project.put("data/studies.csv", 2, n="many")
    project.put("data/studies.csv", 3, n="few")
    assert cli.main(["check", "--project", str(project.root)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["data/studies.csv:2", "data/studies.csv:3"]
    assert lines[2:] == ["2 problems found. Nothing was written."]


def test_a_folder_without_project_exits_with_1(tmp_path, capsys):
    assert cli.main(["check", "--project", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"evidence: {tmp_path}: ")


def test_check_counts_what_it_read(project, capsys):
    assert cli.main(["check", "--project", str(project.root)]) == 0
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith(
            "4 results, 1 guide statement, 2 studies, 1 claim, 1 unknown, 3 sources: 0 errors, 0 waived, "
        )
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError])
def test_a_stopped_command_says_so_without_traceback(project, monkeypatch, capfd, error):
    def stop(*arguments):
        raise error

    monkeypatch.setattr("evidence.analysis.checks.check_consistency", stop)
    code = cli.main(["check", "--project", str(project.root)])
    assert code == (130 if error is KeyboardInterrupt else 141)
    assert "Traceback" not in capfd.readouterr().err


def test_the_shell_completes_commands_options_and_words():
    completion = ShellComplete(cli.evidence, {}, "evidence", "_EVIDENCE_COMPLETE")

    def complete(*arguments, incomplete):
        return [item.value for item in completion.get_completions(list(arguments), incomplete)]

    assert complete(incomplete="re") == ["release", "report"]
    assert complete("report", incomplete="--ex") == ["--explain"]
    assert complete("pool", "--test", incomplete="kn") == ["knha", "knha-adhoc"]
