"""Commands on the tables: check, audit, searches, wanted results, columns and new projects."""

import csv
import re
import sys
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.cli.app import (
    command,
    date_option,
    echo,
    format_option,
    print_data,
    print_parts,
    project_option,
    words_option,
)
from evidence.cli.words import SEARCH_KINDS, UNKNOWN_STATUSES
from evidence.errors import MAX_PROBLEMS, ParameterError, not_one_of
from evidence.files import locked

# Whoever asks for help does not wait for pandas: the commands import what they need.
if TYPE_CHECKING:
    from evidence.analysis.checks.finding import Finding
    from evidence.dataset.schema import Column


ANSWERS = {
    "y": "confirmed",
    "n": "wrong",
    "f": "not found",
    "u": "not reachable",
    "s": "skip",
    "q": "stop",
}


QUESTION = "[y]es, confirmed  [n]o, wrong  [f] not found there  [u]nreachable  [s]kip  [q]uit: "


@command("check", "evidence check", "evidence check --project bread --due-by 2027-12-01")
@date_option(
    "--due-by", help="Also list unknowns and claims that are overdue for review on this date."
)
@project_option
def check(due_by: datetime | None, project: str) -> int:
    """Check the tables and the bibliography, and whether the numbers are consistent.

    Every problem is one line with file and line number. An error must be corrected or waived
    before reports can be built.
    """
    from evidence.analysis.audit_sample import overdue_reviews
    from evidence.analysis.checks import check_consistency
    from evidence.dataset.dataset import read_dataset
    from evidence.provenance.sentence import count

    dataset = read_dataset(project)
    findings = check_consistency(dataset)
    _print_findings(findings)
    for line in overdue_reviews(dataset, due_by.date().isoformat()) if due_by else ():
        echo(line)
    source_warnings = dataset.source_warnings()
    for line in source_warnings:
        echo(line)
    reported = dataset.reported_results["reported_by"] != "guide"
    errors = sum(finding.is_blocking for finding in findings)
    waived = sum(bool(finding.waiver) for finding in findings)
    parts = (
        count(int(reported.sum()), "result"),
        count(len(dataset.reported_results) - int(reported.sum()), "guide statement"),
        count(dataset.reported_results.loc[reported, "study"].nunique(), "study"),
        count(len(dataset.guide_claims), "claim"),
        count(len(dataset.listed_unknowns), "unknown"),
        count(len(dataset.bibliography), "source"),
    )
    others = len(findings) - errors - waived + len(source_warnings)
    notes = count(others, "warning or note", plural="warnings and notes")
    echo(
        f"{', '.join(part.text for part in parts)}: "
        f"{count(errors, 'error').text}, {waived} waived, {notes.text}"
    )
    return 1 if errors else 0


def _print_findings(findings: "list[Finding]") -> None:
    """Print one line each; of very many only the first, errors before others."""
    from collections import Counter

    order = sorted(range(len(findings)), key=lambda index: not findings[index].is_blocking)
    for index in sorted(order[:MAX_PROBLEMS]):
        echo(findings[index])
    omitted = Counter(findings[index].code for index in order[MAX_PROBLEMS:])
    if omitted:
        codes = ", ".join(f"{number:,} {code}" for code, number in sorted(omitted.items()))
        echo(f"and more that are not listed: {codes}")


@command(
    "audit", "evidence audit --auditor 'A. Reader' --sample 20 --seed 1", "evidence audit --list"
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Number of rows.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, metavar="N", help="Seed of the random sample."
)
@click.option("--auditor", default="", metavar="NAME", help="Your name; an ORCID may follow.")
@click.option("--list", "list_only", is_flag=True, help="Show the sample and ask nothing.")
@project_option
def audit(sample: int, seed: int, auditor: str, list_only: bool, project: str) -> int:
    """Check a random sample of rows against their sources.

    The command shows each row with its source and asks whether the source says so. Answers are
    saved in data/audits.csv at once, and every report states the resulting error rate.
    """
    from evidence.analysis.audit_sample import draw_sample, error_rate
    from evidence.dataset.dataset import append_row, read_dataset
    from evidence.dataset.schema import AUDITS
    from evidence.provenance.sentence import count
    from evidence.report.trace import trace_number

    if not auditor and not list_only:
        raise ParameterError("--auditor is missing. Give your name: --auditor 'A. Reader'")
    dataset = read_dataset(project)
    rows = draw_sample(dataset, sample, seed)
    saved = 0
    for number, row in enumerate(rows.itertuples(), start=1):
        (trace,) = trace_number(dataset, dataset.project, row.address)
        echo(f"\n{number} of {len(rows)}: {trace.as_text(dataset)}")
        if list_only:
            continue
        answer, found = _ask()
        if answer == "stop":
            break
        if answer == "skip":
            continue
        cells = {name: getattr(row, name) for name in ("row", "study", "arm", "outcome")}
        cells |= {"as_printed": row.as_printed, "answer": answer, "found": found}
        cells |= {"signed_by": auditor, "date": date.today().isoformat(), "seed": seed}
        with locked(dataset.project):
            append_row(dataset.project, AUDITS, cells)
        saved += 1
    if not list_only:
        echo(f"\n{count(saved, 'answer').text} saved in {AUDITS.file}")
        echo(error_rate(read_dataset(dataset.project)))
    return 0


def _ask() -> tuple[str, str]:
    """Ask for an answer, and for what the source says if it is wrong; no answer stops."""
    while True:
        try:
            answer = ANSWERS.get(input(QUESTION).strip().lower()[:1])
            if answer == "wrong":
                if found := input("What does the source say? ").strip():
                    return answer, found
            elif answer:
                return answer, ""
        except EOFError:
            return "stop", ""


@command(
    "search",
    "evidence search list",
    "evidence search add --help",
    "evidence search template > search.csv",
    cls=click.Group,
)
def search() -> None:
    """Record a search for studies as PRISMA-S asks, or list the recorded ones."""


@command(
    "add",
    "evidence search add --kind database --database PubMed --query 'yeast[tiab]' --records 40 "
    "--duplicates 4 --kept 1 --condition bread --searched-by 'A. Reader' --date 2026-11-24",
    group=search,
)
@click.option("--kind", required=True, type=click.Choice(SEARCH_KINDS), help="Where you searched.")
@click.option(
    "--database",
    required=True,
    metavar="NAME",
    help="Name of the database, register or website, with its platform.",
)
@click.option("--query", required=True, help="The query exactly as entered.")
@click.option("--limits", default="", help="Limits and filters that were set.")
@date_option("--date", "searched_on", help="Date of the search (default: today).")
@click.option(
    "--searched-by", required=True, metavar="NAME", help="Your name; an ORCID may follow."
)
@words_option("condition", help="A condition it was meant to find; repeatable (default: any).")
@words_option("treatment", help="A treatment it was meant to find; repeatable (default: any).")
@words_option("outcome", help="An outcome it was meant to find; repeatable (default: any).")
@click.option(
    "--records", required=True, type=click.IntRange(0), metavar="N", help="Records found."
)
@click.option(
    "--duplicates",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    metavar="N",
    help="Records removed as duplicates.",
)
@click.option(
    "--screened",
    type=click.IntRange(0),
    metavar="N",
    help="Records screened (default: records without duplicates).",
)
@click.option(
    "--excluded",
    type=click.IntRange(0),
    metavar="N",
    help="Records excluded after screening (default: the screened records not kept).",
)
@click.option("--kept", required=True, type=click.IntRange(0), metavar="N", help="Records kept.")
@click.option("--note", default="", help="What a reader must know.")
@click.option(
    "--name", "search", default="", help="Short name of the search (default: the next number)."
)
@project_option
def add_search(searched_on: datetime | None, project: str, **cells: Any) -> int:
    """Add a search to data/searches.csv.

    The counts must add up: records are duplicates and screened records, and screened records are
    excluded or kept. If anything is wrong, the command says so and writes nothing.
    """
    from evidence.dataset.dataset import append_checked_row, read_dataset
    from evidence.dataset.project_folder import find_project
    from evidence.dataset.schema import SEARCHES

    for name in ("conditions", "treatments", "outcomes"):
        cells[name] = "; ".join(cells[name])
    if cells["screened"] is None:
        cells["screened"] = max(0, cells["records"] - cells["duplicates"])
    if cells["excluded"] is None:
        cells["excluded"] = max(0, cells["screened"] - cells["kept"])
    cells["date"] = (searched_on or datetime.today()).date().isoformat()
    folder = find_project(project)
    with locked(folder):
        cells["search"] = cells["search"] or _next_search(read_dataset(folder).searches["search"])
        append_checked_row(folder, SEARCHES, cells)
    echo(f"added to {SEARCHES.file}: {cells['search']}")
    return 0


def _next_search(names: Iterable[str]) -> str:
    """Return the next number in the form of the last search, like S13 after S12."""
    *_, last = "S00", *names
    digits = "".join(re.findall(r"\d+$", last))
    return f"{last.removesuffix(digits)}{int(digits or 0) + 1:0{len(digits)}}"


@command("list", "evidence search list", group=search)
@project_option
def list_searches(project: str) -> int:
    """List the recorded searches, one line each."""
    from evidence.dataset.dataset import read_dataset
    from evidence.provenance.rows import describe_rows
    from evidence.provenance.sentence import count

    dataset = read_dataset(project)
    for row in describe_rows(dataset, dataset.searches["address"]):
        echo(f"{row.address}  {row.description}: {row.as_printed}")
    echo(count(len(dataset.searches), "search", plural="searches").text)
    return 0


@command("template", "evidence search template > search.csv", group=search)
@project_option
def print_search_template(project: str) -> int:
    """Print the header of data/searches.csv and a row to complete by hand.

    Add the completed row to data/searches.csv, and run 'evidence check'.
    """
    from evidence.dataset.dataset import read_dataset
    from evidence.dataset.schema import SEARCHES

    name = _next_search(read_dataset(project).searches["search"])
    row = {"search": name, "date": date.today().isoformat()}
    writer = csv.DictWriter(sys.stdout, SEARCHES.names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return 0


@command(
    "wanted",
    "evidence wanted --limit 3",
    "evidence wanted --template baker1990 > rows.csv",
    "evidence wanted --enter rows.csv --reader 'A. Reader'",
)
@click.option("--source", default="", metavar="KEY", help="Only what is wanted of this source.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Number of sources (default: all)."
)
@click.option(
    "--template",
    default="",
    metavar="KEY",
    help="Print rows of data/studies.csv to complete for this source.",
)
@click.option(
    "--enter",
    default="",
    metavar="FILE",
    help="Enter completed rows into data/studies.csv, and their reading into data/readings.csv.",
)
@click.option("--reader", default="", metavar="NAME", help="Your name; an ORCID may follow.")
@date_option("--date", "read_on", help="Date of the reading (default: today).")
@click.option(
    "--url",
    default="",
    metavar="URL",
    help="Address at which you read it (default: that of the source).",
)
@click.option("--full-text", is_flag=True, help="You read the whole text, not only these places.")
@format_option
@project_option
def wanted(
    source: str,
    limit: int | None,
    template: str,
    enter: str,
    reader: str,
    read_on: datetime | None,
    url: str,
    full_text: bool,
    output_format: str,
    project: str,
) -> int:
    """List what to look up in the sources, the most valuable first.

    The command names, for each source, the results that it is likely to print and that are not in
    the tables. Complete the rows of a template and enter them: charts, states and sentences follow.
    """
    from evidence.analysis.gaps import result_template
    from evidence.analysis.gaps.reading_list import find_wanted_results
    from evidence.analysis.narrative.reading_list import format_reading_list
    from evidence.dataset.dataset import read_dataset
    from evidence.report.machine_readable import reading_list_json

    if enter:
        day = (read_on.date() if read_on else date.today()).isoformat()
        return _enter_rows(project, enter, reader, day, url, full_text)
    dataset = read_dataset(project)
    if template:
        rows = result_template.result_templates(dataset, template)
        print_data(result_template.format_rows(rows))
        echo(result_template.instructions(dataset, template), err=True)
        return 0
    entries = result_template.wanted_of(dataset, source) if source else find_wanted_results(dataset)
    if output_format == "json":
        print_data(reading_list_json(entries, limit))
    else:
        echo(format_reading_list(entries, limit))
    return 0


def _enter_rows(project: str, path: str, reader: str, day: str, url: str, full_text: bool) -> int:
    from evidence.analysis.gaps.result_entry import Reader, enter_results
    from evidence.dataset.schema import READINGS, STUDIES
    from evidence.provenance.sentence import count

    if not reader:
        raise ParameterError("--reader is missing. Give your name: --reader 'A. Reader'")
    entered = enter_results(project, Path(path), Reader(reader, day, url, full_text))
    rows, skipped = count(entered.added, "row").text, count(entered.skipped, "row").text
    echo(f"{STUDIES.file}: {rows} added, {entered.replaced} confirmed; {skipped} not completed")
    echo(f"{READINGS.file}: {count(entered.readings, 'reading').text} added")
    echo("next: evidence report")
    return 0


@command(
    "unknowns",
    "evidence unknowns",
    "evidence unknowns --participants 0 --condition bread",
    "evidence unknowns --status open --format json",
)
@click.option(
    "--participants",
    type=click.IntRange(0),
    metavar="N",
    help="Only unknowns that at most N tabulated participants speak to.",
)
@click.option("--condition", default="", metavar="WORD", help="Only unknowns on this condition.")
@click.option("--outcome", default="", metavar="WORD", help="Only unknowns on this outcome.")
@click.option("--status", type=click.Choice(UNKNOWN_STATUSES), help="Only of this status.")
@format_option
@project_option
def unknowns(
    participants: int | None,
    condition: str,
    outcome: str,
    status: str | None,
    output_format: str,
    project: str,
) -> int:
    """List what remains unknown, with the evidence on each question.

    'evidence why NAME' shows the rows, the studies that were not read and the searches of one.
    """
    from evidence.analysis.gaps.unknowns import find_unknowns, select_unknowns
    from evidence.dataset.dataset import read_dataset
    from evidence.report.machine_readable import unknowns_json
    from evidence.tables.gaps import unknowns_text

    dataset = read_dataset(project)
    entries = select_unknowns(
        find_unknowns(dataset),
        participants=participants,
        condition=condition,
        outcome=outcome,
        status=status or "",
    )
    if output_format == "json":
        print_data(unknowns_json(entries))
    else:
        print_parts(unknowns_text(entries))
    return 0


@command("columns", "evidence columns", "evidence columns designs")
@click.argument("table", default="studies")
def columns(table: str) -> int:
    """Explain the columns of a table.

    TABLE is the name of a file in data/, such as studies (the default) or designs. An asterisk
    marks columns that every row must fill.
    """
    from evidence.dataset import schema

    tables = {known.name: known for known in schema.TABLES}
    if table not in tables:
        raise ParameterError(f"table: {not_one_of(repr(table), tables)}")
    chosen = tables[table]
    formatter = click.HelpFormatter(max_width=100)
    formatter.write_text(f"{chosen.file}: a row is {chosen.row}.")
    formatter.write_dl(
        [(f"{c.name}{' *' if c.required else ''}", _column_meaning(c)) for c in chosen.columns]
    )
    formatter.write_text(f"Columns of your own begin with {schema.EXTRA_PREFIX}.")
    print_data(formatter.getvalue())
    return 0


def _column_meaning(column: "Column") -> str:
    kinds = {"integer": " (whole number)", "number": " (number)", "date": " (date)"}
    words = f"; one of: {', '.join(column.words)}" if column.kind == "word" else ""
    files = " or ".join(filter(None, (column.target, column.second_target)))
    kind = kinds.get(column.kind, "")
    return f"{column.description}{kind}{words}{f'; see {files}' if files else ''}"


@command(
    "new", "evidence new bread && cd bread && evidence report", "evidence new bread --notebooks"
)
@click.argument("folder", metavar="DIR")
@click.option("--notebooks", is_flag=True, help="Copy the notebooks into it, to change them.")
def new(folder: str, notebooks: bool) -> int:
    """Create a project on a topic of your own.

    DIR does not exist yet or is empty. The new project has two invented studies on which all
    commands work at once; replace them with your own.
    """
    import shlex

    from evidence.build.new_project import create_project

    project = create_project(folder, notebooks=notebooks)
    echo(f"created: {project}, a working project with two invented studies")
    echo(f"next:    evidence report --project {shlex.quote(str(project))}")
    return 0
