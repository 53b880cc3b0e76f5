"""The command line: one function per command, with its options beside it.

Exit codes: 0 success, 1 the data or a notebook is at fault or a figure is out of date, 2 the
command itself is wrong, 130 stopped, 141 the reader of the output went away.
"""

import csv
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.errors import (
    MAX_PROBLEMS,
    DatasetError,
    EvidenceError,
    ParameterError,
    not_one_of,
)
from evidence.files import format_json

# Whoever asks for help does not wait for pandas: the commands import what they need.
if TYPE_CHECKING:
    from evidence.analysis.checks.finding import Finding
    from evidence.build.build import BuildResult
    from evidence.dataset.schema import Column

MEASURES = ("rr", "or", "rd", "smd", "md", "hr", "irr", "generic", "proportion")
METHODS = ("reml", "dl", "pm", "common", "mh", "peto", "glmm", "threelevel", "bayes")
PRIORS = ("half-normal", "half-cauchy")
TESTS = ("knha", "knha-adhoc", "z")
SUBGROUPS = ("condition", "treatment", "comparator", "blinding", "risk")
MODERATORS = ("dose", "days", "year")
SHAPES = ("linear", "quadratic", "spline", "emax")
CITATION_STYLES = ("vancouver", "apa", "markdown", "bibtex", "ris", "csl-json")
REFERENCE_STYLES = ("vancouver", "apa")
DOCUMENT_FORMATS = ("docx", "latex", "html")
SEARCH_KINDS = ("database", "register", "citations", "website", "other")
"""Words of the libraries below, which take too long to import for a help text; a test compares."""
ANSWERS = {
    "y": "confirmed",
    "n": "wrong",
    "f": "not found",
    "u": "not reachable",
    "s": "skip",
    "q": "stop",
}
QUESTION = "[y]es, confirmed  [n]o, wrong  [f] not found there  [u]nreachable  [s]kip  [q]uit: "

project_option = click.option(
    "--project",
    default="",
    metavar="DIR",
    help="Project folder, with references.bib and data/ (default: this folder or a parent).",
)
reports_option = click.option(
    "--reports",
    default="",
    metavar="DIR",
    help="Folder of finished reports (default: reports in the project).",
)
format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="Output format.",
)


@click.group(
    context_settings={"max_content_width": 100},
    epilog="Run 'evidence COMMAND --help' for the options of a command, with examples.",
)
@click.version_option(package_name="evidence", message="evidence %(version)s")
def evidence() -> None:
    """Track what studies reported, compare it, and list what remains unknown."""


def command(
    name: str, *examples: str, group: click.Group = evidence, **options: Any
) -> Callable[[Callable], Any]:
    """Register a function as a command of a group, with examples below its docstring."""

    def register(function: Callable) -> Any:
        # Click keeps the lines below \b as they are.
        text = "\n".join(f"    {example}" for example in examples)
        help_text = f"{inspect.getdoc(function)}\n\nExamples:\n\n\b\n{text}"
        return group.command(name, help=help_text, **options)(function)

    return register


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and turn errors that a user can act on into messages.

    Returns
    -------
    int
        The exit code; see the module.
    """
    try:
        code = evidence.main(arguments, prog_name="evidence", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DatasetError as error:
        problems = "1 problem" if error.count == 1 else f"{error.count:,} problems"
        click.echo(f"{error}\n{problems} found. Nothing was written.", err=True)
        return 1
    except EvidenceError as error:
        click.echo(f"evidence: {error}", err=True)
        return 2 if isinstance(error, ParameterError) else 1
    except BrokenPipeError:
        # Python would complain once more when it closes the output that nobody reads.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        click.echo(f"evidence: {path}{error.strerror or error}", err=True)
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nevidence: stopped. The previous reports are unchanged.", err=True)
        return 130
    return code or 0


@command("check", "evidence check", "evidence check --project bread --due-by 2027-12-01")
@click.option(
    "--due-by",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    metavar="DATE",
    help="Also list unknowns and claims that are overdue for review on this date.",
)
@project_option
def check(due_by: datetime | None, project: str) -> int:
    """Check the tables and the bibliography, and whether the numbers are consistent.

    Every problem is one line with file and line number. An error must be corrected or waived
    before reports can be built.
    """
    from evidence.analysis.audit_sample import overdue_reviews
    from evidence.analysis.checks import check_consistency
    from evidence.dataset.dataset import load_dataset
    from evidence.provenance.sentence import count

    dataset = load_dataset(project)
    findings = check_consistency(dataset)
    _print_findings(findings)
    for line in overdue_reviews(dataset, due_by.date().isoformat()) if due_by else ():
        click.echo(line)
    source_warnings = dataset.source_warnings()
    for line in source_warnings:
        click.echo(line)
    reported = dataset.results["reported_by"] != "guide"
    errors = sum(finding.is_blocking for finding in findings)
    waived = sum(bool(finding.waiver) for finding in findings)
    parts = (
        count(int(reported.sum()), "result"),
        count(len(dataset.results) - int(reported.sum()), "guide statement"),
        count(dataset.results.loc[reported, "study"].nunique(), "study"),
        count(len(dataset.claims), "claim"),
        count(len(dataset.unknowns), "unknown"),
        count(len(dataset.bibliography), "source"),
    )
    others = len(findings) - errors - waived + len(source_warnings)
    notes = count(others, "warning or note", plural="warnings and notes")
    click.echo(
        f"{', '.join(part.text for part in parts)}: "
        f"{count(errors, 'error').text}, {waived} waived, {notes.text}"
    )
    return 1 if errors else 0


def _print_findings(findings: "list[Finding]") -> None:
    """Print one line each; of very many only the first, errors before others."""
    from collections import Counter

    order = sorted(range(len(findings)), key=lambda index: not findings[index].is_blocking)
    for index in sorted(order[:MAX_PROBLEMS]):
        click.echo(findings[index])
    omitted = Counter(findings[index].code for index in order[MAX_PROBLEMS:])
    if omitted:
        codes = ", ".join(f"{number:,} {code}" for code, number in sorted(omitted.items()))
        click.echo(f"and more that are not listed: {codes}")


@command(
    "report",
    "evidence report",
    "evidence report -p scope=all -p confidence=0.9",
    "evidence report --only comparison -p conditions=bread,cake",
    "evidence report --set by-condition",
    "evidence report --grid conditions=each --grid confidence=0.9,0.95",
    "evidence report --set all --scheduler tcp://192.0.2.7:8786",
    "evidence report --out s3://bucket/reports",
)
@click.option(
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a notebook parameter; repeatable. Write a list as a,b or as JSON.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="NOTEBOOK",
    help="Build only this notebook and keep the other pages; repeatable.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME",
    help="Build a set or grid of parameters from reports.yml, or 'all' of them; repeatable.",
)
@click.option(
    "--grid",
    multiple=True,
    metavar="NAME=A,B",
    help="Build one set per combination of these values; repeatable. 'each' stands for every word.",
)
@click.option(
    "--out",
    metavar="DIR",
    help="Output folder, or an address such as s3://bucket/reports (default: reports in the "
    "project; report-sets for sets and grids).",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Number of reports to build in parallel (default: CPU cores).",
)
@click.option("--force", is_flag=True, help="Rebuild everything, even if up to date.")
@click.option("--explain", is_flag=True, help="Say why each report was built.")
@click.option("--tiff", is_flag=True, help="Also write each figure as TIFF, for journals.")
@click.option(
    "--engine",
    type=click.Choice(("evidence", "kernel")),
    default="evidence",
    show_default=True,
    help="evidence: fork each notebook from a process that has loaded the libraries. "
    "kernel: papermill's own engine.",
)
@click.option(
    "--memory",
    "memory_limit",
    type=click.IntRange(1),
    metavar="MIB",
    help="Memory limit of each notebook on top of the libraries (Linux; default: none).",
)
@click.option(
    "--scheduler",
    default="",
    metavar="ADDRESS",
    help="Build on the workers of this Dask scheduler, such as tcp://192.0.2.7:8786.",
)
@project_option
def report(
    parameters: tuple[str, ...],
    sets: tuple[str, ...],
    grid: tuple[str, ...],
    out: str | None,
    explain: bool,
    scheduler: str,
    project: str,
    **build_options: Any,
) -> int:
    """Check the data, run the notebooks, and write pages, figures and values.

    The previous reports are replaced when everything is finished. Reports that are up to date are
    not rebuilt, and a report that fails does not stop the others.
    """
    import contextlib
    from dataclasses import replace

    from evidence.build.build import BuildOptions, build_batch, build_reports
    from evidence.build.progress import ProgressBar
    from evidence.build.remote_output import output_location
    from evidence.notebook.parameter_values import parse_assignments

    values = parse_assignments(parameters)
    options = BuildOptions(**build_options)
    is_batch = bool(sets or grid)
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(ProgressBar())
        if scheduler:
            from evidence.build.dask_executor import DaskExecutor

            options = replace(options, executor=stack.enter_context(DaskExecutor(scheduler)))
        output = stack.enter_context(
            output_location(out, is_batch=is_batch, status=progress.status)
        )
        arguments: dict[str, Any] = {
            "out": output.folder,
            "parameters": values,
            "options": options,
            "progress": progress,
        }
        if is_batch:
            results = list(build_batch(project, sets=sets, grid=grid, **arguments))
        else:
            results = [build_reports(project, **arguments)]
    if explain:
        _print_reasons(results)
    return _print_results(results, output.address_of)


def _print_reasons(results: "list[BuildResult]") -> None:
    for result in results:
        for name, reason in result.reasons.items():
            state = f"built: {reason}" if reason else "up to date"
            if name in result.failures:
                state = f"failed: {reason}"
            click.echo(f"{result.name} {name}: {state}".lstrip())


def _print_results(results: "list[BuildResult]", show_path: Callable[[Path], str]) -> int:
    from evidence.provenance.sentence import count

    reasons = [reason for result in results for reason in result.reasons.values()]
    failed = sum(len(result.failures) for result in results)
    built = count(sum(map(bool, reasons)) - failed, "report").text
    figures = count(sum(result.figures for result in results), "figure").text
    values = count(sum(result.values for result in results), "value").text
    folder = results[0].folder.parent if results[0].name else results[0].folder
    click.echo(f"{built} built, {reasons.count('')} up to date ({figures}, {values})")
    click.echo(f"folder: {show_path(folder)}")
    click.echo(f"open:   {show_path(folder / 'index.html')}")
    sys.stdout.flush()
    for result in results:
        for name, message in result.failures.items():
            label = f"{result.name} {name}".strip()
            click.echo(f"evidence: {label}: {message}", err=True)
            if notebook := result.failed_notebooks.get(name):
                click.echo(f"Notebook with the traceback: {show_path(notebook)}", err=True)
    if failed:
        click.echo("The previous pages of failed reports were kept.", err=True)
    return 1 if failed else 0


def question_options(function: Callable) -> Callable:
    """Add the options that say which studies belong together."""
    options = (
        click.option(
            "--measure", required=True, type=click.Choice(MEASURES), help="Effect measure."
        ),
        click.option(
            "--confidence",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            default=0.95,
            show_default=True,
            help="Coverage of the intervals.",
        ),
        click.option(
            "--time-days",
            type=click.FloatRange(0, min_open=True),
            help="Time after treatment in days; each study's nearest result is used (default: that of the "
            "outcome in data/outcomes.csv, else the time that most studies report).",
        ),
        click.option(
            "--max-time-ratio",
            type=click.FloatRange(1),
            default=3.0,
            show_default=True,
            help="Use results up to this many times earlier or later.",
        ),
        click.option(
            "--condition",
            "conditions",
            multiple=True,
            metavar="WORD",
            help="Only this condition; repeatable.",
        ),
        click.option(
            "--treatment",
            "treatments",
            multiple=True,
            metavar="WORD",
            help="Only this treatment, by its word in data/designs.csv or the name of an arm; repeatable.",
        ),
        click.option(
            "--comparator",
            "comparators",
            multiple=True,
            metavar="WORD",
            help="Only this comparator, by its kind or the name of an arm; repeatable.",
        ),
        click.option(
            "--allow-nonrandomised",
            is_flag=True,
            help="Pool randomised and non-randomised studies together.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command(
    "pool",
    "evidence pool --outcome risen --measure rr --treatment yeast --comparator none",
    "evidence pool --outcome risen --measure rr --time-days 28 --verbose",
    "evidence pool --outcome risen --measure rr --by comparator --moderator dose",
    "evidence pool --outcome risen --measure or --method mh --format json",
    "evidence pool --outcome risen --outcome browned --measure smd --method threelevel",
)
@click.option(
    "--outcome",
    required=True,
    multiple=True,
    metavar="WORD",
    help="An outcome in data/outcomes.csv; repeatable with threelevel.",
)
@question_options
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help="REML, DerSimonian-Laird (dl), Paule-Mandel (pm), common effect (common; EE in metafor), "
    "Mantel-Haenszel (mh), Peto, binomial-normal (glmm), all effects of each study as correlated "
    "(threelevel) or Bayesian with a prior for tau (bayes). [default: glmm for proportion, else reml]",
)
@click.option(
    "--test",
    type=click.Choice(TESTS),
    default="knha-adhoc",
    show_default=True,
    help="Confidence interval: Knapp-Hartung never narrower than Wald (knha-adhoc; adhoc in "
    "metafor), plain Knapp-Hartung (knha) or Wald (z); with glmm t or Wald.",
)
@click.option(
    "--rho",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.6,
    show_default=True,
    help="With threelevel: assumed correlation between the effects of one study.",
)
@click.option(
    "--prior",
    type=click.Choice(PRIORS),
    default="half-normal",
    show_default=True,
    help="With bayes: prior for the between-study standard deviation tau.",
)
@click.option(
    "--prior-scale",
    type=click.FloatRange(0),
    default=0.0,
    help="With bayes: scale of the prior; 0 takes 0.5 (1 for proportions).",
)
@click.option("--by", "subgroup_by", type=click.Choice(SUBGROUPS), help="Add a subgroup analysis.")
@click.option("--moderator", type=click.Choice(MODERATORS), help="Add a meta-regression.")
@click.option(
    "--include-double-zero",
    is_flag=True,
    help="Also pool studies without events in either group in a ratio (drop00=FALSE in metafor).",
)
@click.option("--verbose", is_flag=True, help="Also print the pooled numbers at full precision.")
@format_option
@project_option
def pool(output_format: str, verbose: bool, project: str, **question: Any) -> int:
    """Run a meta-analysis of one outcome, or say why the studies should not be pooled.

    The command prints the pooled effect, heterogeneity, the studies with their numbers and weights,
    studies left out with the reason, and sensitivity analyses. JSON has all numbers at full
    precision. The exit code is 1 if the studies should not be pooled.
    """
    from evidence.analysis.pooling.pooled_estimate import PoolingError, meta_analyse
    from evidence.analysis.results import select_results
    from evidence.dataset.dataset import load_dataset
    from evidence.tables.pooled_text import format_pool

    dataset = load_dataset(project)
    results = select_results(dataset)
    given = {name: value for name, value in question.items() if value is not None}
    try:
        estimate = meta_analyse(dataset, results, **given)
    except PoolingError as error:
        if output_format == "text":
            raise
        outcome, *further = given["outcome"]
        asked = {"outcome": outcome, "further_outcomes": further, "measure": given["measure"]}
        click.echo(format_json(asked | vars(error)), nl=False)
        return 1
    if output_format == "json":
        click.echo(format_json(estimate.as_data()), nl=False)
    else:
        click.echo("\n".join(format_pool(estimate, results, verbose=verbose)))
    return 0


@command(
    "dose-response",
    "evidence dose-response --outcome risen --measure or --treatment yeast",
    "evidence dose-response --outcome risen --measure or --shape quadratic --dose 1 --dose 2",
    "evidence dose-response --outcome risen --measure or --stages 2 --format json",
)
@click.option("--outcome", required=True, metavar="WORD", help="An outcome in data/outcomes.csv.")
@question_options
@click.option(
    "--shape", type=click.Choice(SHAPES), default="linear", show_default=True, help="Of the curve."
)
@click.option(
    "--stages",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="One stage uses every trial; two use those with as many doses as the curve has coefficients.",
)
@click.option(
    "--dose",
    "doses",
    type=click.FloatRange(0),
    multiple=True,
    help="Print the effect of this dose, in the unit of most trials; repeatable (default: all given).",
)
@click.option(
    "--route",
    default="",
    metavar="WORD",
    help="Route of administration (default: that of most trials; any: all routes).",
)
@format_option
@project_option
def dose_response(
    output_format: str, project: str, doses: tuple[float, ...], **options: Any
) -> int:
    """Fit one curve to the doses of all trials, or say why there is none.

    Comparators without the treatment are dose 0. The command prints the effect of each dose with its
    confidence interval, and what the curve rests on. JSON has all numbers at full precision. The exit
    code is 1 if there is no curve.
    """
    from evidence.analysis.narrative.dose_response import describe_dose_model
    from evidence.analysis.pooling.dose_response import fit_dose_model
    from evidence.analysis.pooling.pooled_estimate import PoolingError
    from evidence.analysis.pooling.question import Question, main_question
    from evidence.analysis.results import select_results
    from evidence.dataset.dataset import load_dataset

    dataset = load_dataset(project)
    results = select_results(dataset)
    curve = {name: options.pop(name) for name in ("shape", "stages", "route", "confidence")}
    time_days = options.pop("time_days") or 0.0
    question = main_question(dataset, results, Question(time_days=time_days, **options), fields=())
    model = fit_dose_model(dataset, results, question, **curve)
    if output_format == "json":
        click.echo(format_json(model.as_data(doses)), nl=False)
    elif model.curve is None:
        raise PoolingError([*model.left_out, *model.reasons])
    else:
        levels = doses or sorted(model.arms["dose"].unique())
        click.echo("\n".join(map(str, describe_dose_model(model, levels))))
    return 0 if model.curve else 1


@command(
    "why",
    "evidence why C01",
    "evidence why baker1990",
    "evidence why fig-dose-response",
    "evidence why data/studies.csv:4",
    "evidence why 'index/baker1990/yeast/risen/1 day.proportion' --format json",
)
@click.argument("name")
@format_option
@reports_option
@project_option
def why(name: str, output_format: str, reports: str, project: str) -> int:
    """Trace a number, figure, claim or study back to its source.

    NAME is a claim, unknown, study, row such as data/studies.csv:4, figure, table or value. The
    command prints where it is shown, how it was computed, the rows behind it, and for each row
    what the source prints and on which page.
    """
    from evidence.dataset.dataset import load_dataset
    from evidence.report.trace import trace_number

    dataset = load_dataset(project)
    traces = trace_number(dataset, _reports_folder(reports, dataset.project), name)
    if output_format == "json":
        content = [trace.as_data(dataset) for trace in traces]
        click.echo(format_json(content), nl=False)
    else:
        click.echo("\n\n".join(trace.as_text(dataset) for trace in traces))
    return 0


def _reports_folder(reports: str, project: Path) -> Path:
    return Path(reports or project / "reports")


@command(
    "cite",
    "evidence cite fig-shares",
    "evidence cite fig-shares --style ris > fig-shares.ris",
    "evidence cite reports/figures/fig-shares.json --style apa",
    "evidence cite baker1990 miller2001 --style bibtex",
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--style",
    type=click.Choice(CITATION_STYLES),
    default="vancouver",
    show_default=True,
    help="Citation style or file format.",
)
@reports_option
@project_option
def cite(names: tuple[str, ...], style: str, reports: str, project: str) -> int:
    """Print the citation of a figure, table or source.

    NAME is the id of a figure or table, the JSON file of a figure, or a BibTeX key. The primary
    studies come first, then the figure with its version, as part of the project in CITATION.cff.
    """
    from evidence.dataset.citations import STYLES
    from evidence.dataset.dataset import load_dataset
    from evidence.report.cite import cited_sources

    dataset = load_dataset(project)
    sources = cited_sources(dataset, _reports_folder(reports, dataset.project), names)
    click.echo(STYLES[style](sources), nl=False)
    return 0


@command(
    "export",
    "evidence export tab-studies --format docx --out studies.docx",
    "evidence export tab-summary-of-findings --format latex --style apa",
    "evidence export fig-shares --format html --out fig-shares.html",
)
@click.argument("name")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(DOCUMENT_FORMATS),
    required=True,
    help="File format.",
)
@click.option(
    "--style",
    type=click.Choice(REFERENCE_STYLES),
    default="vancouver",
    show_default=True,
    help="Style of the references.",
)
@click.option("--out", default="", metavar="FILE", help="File to write (default: print).")
@reports_option
@project_option
def export(name: str, file_format: str, style: str, out: str, reports: str, project: str) -> int:
    """Export a figure or table for a manuscript (Word, LaTeX or HTML).

    NAME is the id of a figure or table, as shown on its page. Caption and references are included.
    """
    from evidence.dataset.dataset import load_dataset
    from evidence.report.export import export_document, write_document

    if file_format == "docx" and not out:
        raise ParameterError(f"a Word document cannot be printed. Name a file: --out {name}.docx")
    dataset = load_dataset(project)
    item = (dataset, _reports_folder(reports, dataset.project), name, file_format, style)
    if not out:
        click.echo(export_document(*item).decode(), nl=False)
        return 0
    for path in write_document(*item, Path(out)):
        click.echo(f"written: {path}")
    return 0


@command(
    "identify",
    "evidence identify ~/Downloads/image-17.png",
    "evidence identify fig-dose-response@1a2b3c4 --format json",
)
@click.argument("figure", metavar="FILE")
@format_option
@reports_option
@project_option
def identify(figure: str, output_format: str, reports: str, project: str) -> int:
    """Identify a figure file and say whether it is current.

    FILE is a picture of any name, or the id printed at the lower right corner of one. The command
    prints figure, version, rows and studies, and what has changed since. The exit code is 0 if the
    figure is current, else 1.
    """
    from evidence.dataset.dataset import load_dataset
    from evidence.report.identify_figure import identify_figure

    dataset = load_dataset(project)
    found = identify_figure(dataset, _reports_folder(reports, dataset.project), figure)
    if output_format == "json":
        click.echo(format_json(found.as_data()), nl=False)
    else:
        click.echo(found.as_text())
    return 0 if found.current else 1


@command(
    "diff",
    "evidence diff HEAD~1 .",
    "evidence diff v0.1 v0.2 --format html --out changes.html",
    "evidence diff old/reports/values.json reports/values.json",
)
@click.argument("old")
@click.argument("new")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(("markdown", "html", "json")),
    default="markdown",
    show_default=True,
    help="Output format.",
)
@click.option("--out", default="", metavar="FILE", help="File to write (default: print).")
@project_option
def diff(old: str, new: str, output_format: str, out: str, project: str) -> int:
    """Show what changed between two versions of a project, and why.

    OLD and NEW are each a git revision, a project folder, or the values.json of finished reports.
    The command lists changed rows, key numbers with the cause of each change, conclusions that
    crossed a stated threshold, and unknowns that were opened, narrowed, answered or lost evidence.
    All numbers are computed with the installed code; no code of another version is run.
    """
    from evidence.compare.document import FORMATS
    from evidence.compare.git_versions import compare_versions

    differences = compare_versions(old, new, project)
    text = FORMATS[output_format](differences)
    if not out:
        click.echo(text, nl=False)
        return 0
    try:
        Path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvidenceError(f"--out {out}: cannot be written: {error.strerror}") from None
    click.echo(f"written: {out}" + (" (no change)" if differences.is_empty else ""))
    return 0


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
    from evidence.dataset.dataset import append_row, load_dataset
    from evidence.dataset.schema import AUDITS
    from evidence.provenance.sentence import count
    from evidence.report.trace import trace_number

    if not auditor and not list_only:
        raise ParameterError("--auditor is missing. Give your name: --auditor 'A. Reader'")
    dataset = load_dataset(project)
    rows = draw_sample(dataset, sample, seed)
    saved = 0
    for number, row in enumerate(rows.itertuples(), start=1):
        (trace,) = trace_number(dataset, dataset.project, row.address)
        click.echo(f"\n{number} of {len(rows)}: {trace.as_text(dataset)}")
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
        append_row(dataset.project, AUDITS, cells)
        saved += 1
    if not list_only:
        click.echo(f"\n{count(saved, 'answer').text} saved in {AUDITS.file}")
        click.echo(error_rate(load_dataset(dataset.project)))
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
@click.option(
    "--date",
    "searched_on",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    metavar="DATE",
    help="Date of the search (default: today).",
)
@click.option(
    "--searched-by", required=True, metavar="NAME", help="Your name; an ORCID may follow."
)
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="WORD",
    help="A condition it was meant to find; repeatable (default: any).",
)
@click.option(
    "--treatment",
    "treatments",
    multiple=True,
    metavar="WORD",
    help="A treatment it was meant to find; repeatable (default: any).",
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    metavar="WORD",
    help="An outcome it was meant to find; repeatable (default: any).",
)
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
    from evidence.dataset.dataset import append_checked_row, load_dataset
    from evidence.dataset.schema import SEARCHES

    dataset = load_dataset(project)
    for name in ("conditions", "treatments", "outcomes"):
        cells[name] = "; ".join(cells[name])
    if cells["screened"] is None:
        cells["screened"] = max(0, cells["records"] - cells["duplicates"])
    if cells["excluded"] is None:
        cells["excluded"] = max(0, cells["screened"] - cells["kept"])
    cells["date"] = (searched_on or datetime.today()).date().isoformat()
    cells["search"] = cells["search"] or _next_search(dataset.searches["search"])
    append_checked_row(dataset.project, SEARCHES, cells)
    click.echo(f"added to {SEARCHES.file}: {cells['search']}")
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
    from evidence.dataset.dataset import load_dataset
    from evidence.provenance.rows import describe_rows
    from evidence.provenance.sentence import count

    dataset = load_dataset(project)
    for row in describe_rows(dataset, dataset.searches["address"]):
        click.echo(f"{row.address}  {row.description}: {row.as_printed}")
    click.echo(count(len(dataset.searches), "search", plural="searches").text)
    return 0


@command("template", "evidence search template > search.csv", group=search)
@project_option
def print_search_template(project: str) -> int:
    """Print the header of data/searches.csv and a row to complete by hand.

    Add the completed row to data/searches.csv, and run 'evidence check'.
    """
    from evidence.dataset.dataset import load_dataset
    from evidence.dataset.schema import SEARCHES

    name = _next_search(load_dataset(project).searches["search"])
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
@click.option(
    "--date",
    "read_on",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    metavar="DATE",
    help="Date of the reading (default: today).",
)
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
    from evidence.dataset.dataset import load_dataset
    from evidence.report.machine_readable import reading_list_json

    if enter:
        day = (read_on.date() if read_on else date.today()).isoformat()
        return _enter_rows(project, enter, reader, day, url, full_text)
    dataset = load_dataset(project)
    if template:
        rows = result_template.result_templates(dataset, template)
        click.echo(result_template.format_rows(rows), nl=False)
        click.echo(result_template.instructions(dataset, template), err=True)
        return 0
    entries = result_template.wanted_of(dataset, source) if source else find_wanted_results(dataset)
    if output_format == "json":
        click.echo(reading_list_json(entries, limit), nl=False)
    else:
        click.echo(format_reading_list(entries, limit))
    return 0


def _enter_rows(project: str, path: str, reader: str, day: str, url: str, full_text: bool) -> int:
    from evidence.analysis.gaps.result_entry import Reader, enter_results
    from evidence.dataset.schema import READINGS, STUDIES
    from evidence.provenance.sentence import count

    if not reader:
        raise ParameterError("--reader is missing. Give your name: --reader 'A. Reader'")
    entered = enter_results(project, Path(path), Reader(reader, day, url, full_text))
    rows, skipped = count(entered.added, "row").text, count(entered.skipped, "row").text
    click.echo(
        f"{STUDIES.file}: {rows} added, {entered.replaced} confirmed; {skipped} not completed"
    )
    click.echo(f"{READINGS.file}: {count(entered.readings, 'reading').text} added")
    click.echo("next: evidence report")
    return 0


class _ImportGroup(click.Group):
    """A group in which `import FILE` is short for `import data FILE`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["data", *args])


@command(
    "import",
    "evidence import review.rm5 --set condition=bread",
    "evidence import trials.csv --draft-mapping > mapping.yml",
    "evidence import refs zotero.ris",
    "evidence import data --help",
    cls=_ImportGroup,
)
def import_() -> None:
    """Bring in what other programs hold: 'evidence import FILE'.

    The file is one of RevMan (.rm5, its CSV export, or the zip of RevMan Web), of metafor or
    Metapsy (.csv or .xlsx), or any other table with one comparison per row and a mapping.
    """


@command(
    "refs",
    "evidence import refs zotero.ris",
    "evidence import refs pubmed.nbib --dry-run",
    group=import_,
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be added, and write nothing.")
@project_option
def import_refs(file: Path, dry_run: bool, project: str) -> int:
    """Import references into references.bib.

    FILE is an export in BibTeX, RIS, PubMed (nbib) or CSL-JSON. References that references.bib has
    already, by DOI, PMID, or title and year, are skipped. New ones get keys like miller2001.
    """
    from evidence.exchange.references import import_references
    from evidence.provenance.sentence import count

    done = import_references(project, file, dry_run=dry_run)
    verb = "would add" if dry_run else "added"
    click.echo(f"read: {file}, {done.form}, {count(done.read, 'reference').text}")
    for reference in done.added:
        click.echo(f"{verb}: {reference.key}, {reference.label}, {reference.title}")
    for reason in done.skipped:
        click.echo(f"skipped {reason}")
    for problem in done.incomplete:
        click.echo(f"incomplete: {problem}")
    added, skipped = count(len(done.added), "entry", plural="entries").text, len(done.skipped)
    click.echo(f"{verb} to references.bib: {added}; skipped: {skipped}")
    return 0


@command(
    "data",
    "evidence import trials.csv --set condition=bread --set outcome=mould \\",
    "    --set arm1=salt --set arm2=plain --set better=lower",
    "evidence import trials.xlsx --draft-mapping > mapping.yml",
    "evidence import trials.xlsx --mapping mapping.yml --dry-run",
    "evidence import review.rm5 --set condition=bread --skip-unfit",
    group=import_,
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--mapping",
    metavar="YML",
    type=click.Path(path_type=Path),
    help="File that says which column holds what.",
)
@click.option("--draft-mapping", is_flag=True, help="Print such a file for FILE, to correct.")
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="FIELD=WORD",
    help="A field that is the same for all rows; repeatable.",
)
@click.option(
    "--source",
    default="",
    metavar="KEY",
    help="BibTeX key of the text that the file belongs to (default: an entry for the file).",
)
@click.option(
    "--repeats",
    is_flag=True,
    help="Keep several numbers of one study, arm, outcome and time, told apart by their row.",
)
@click.option("--skip-unfit", is_flag=True, help="Leave out rows that do not fit, and list them.")
@click.option("--dry-run", is_flag=True, help="Say what would be added, and write nothing.")
@project_option
def import_data(
    file: Path,
    mapping: Path | None,
    draft_mapping: bool,
    values: tuple[str, ...],
    source: str,
    repeats: bool,
    skip_unfit: bool,
    dry_run: bool,
    project: str,
) -> int:
    """Import comparisons of two groups from a file of another program.

    Rows go to data/studies.csv, with file and row as locator, and are marked as imported and not
    read at their source. Studies are found in references.bib by key, DOI, or author and year;
    those that it lacks get an entry. What cannot be imported is listed. If anything is wrong,
    nothing is written.
    """
    from evidence.exchange.import_file import import_evidence
    from evidence.exchange.sheet import read_sheet
    from evidence.exchange.wide_table import draft_mapping as draft
    from evidence.provenance.sentence import count

    if draft_mapping:
        click.echo(draft(read_sheet(file)), nl=False)
        return 0
    fields = {}
    for value in values:
        name, separator, word = value.partition("=")
        if not separator:
            raise ParameterError(f"--set {value}: write FIELD=WORD, like --set outcome=mould")
        fields[name.strip()] = word.strip()
    done = import_evidence(
        project, file, mapping=mapping, values=fields, source=source,
        repeats=repeats, skip_unfit=skip_unfit, dry_run=dry_run,
    )  # fmt: skip
    verb = "would add" if dry_run else "added"
    click.echo(f"read:  {file}, {done.form}")
    for table, rows in done.rows.items():
        click.echo(f"{verb}: {table}, {count(rows, 'row').text}")
    if done.references:
        more = f" and {len(done.references) - 10:,} more" if len(done.references) > 10 else ""
        click.echo(f"{verb}: references.bib, {', '.join(done.references[:10])}{more}")
    for line in done.left_out:
        click.echo(f"left out: {line}")
    if not done.rows:
        click.echo("Nothing to add: the tables hold all of it already")
    elif dry_run:
        click.echo("next:  the same command without --dry-run")
    else:
        click.echo("next:  evidence check, then evidence report")
    return 0


@command(
    "export-data",
    "evidence export-data --outcome risen --measure rr --out risen.csv",
    "evidence export-data --outcome height --measure smd --condition bread",
)
@click.option("--outcome", required=True, metavar="WORD", help="An outcome in data/outcomes.csv.")
@question_options
@click.option(
    "--format",
    "file_format",
    type=click.Choice(("metafor",)),
    default="metafor",
    show_default=True,
    help="Form of the table.",
)
@click.option("--out", default="", metavar="FILE", help="File to write (default: print).")
@project_option
def export_data(project: str, file_format: str, out: str, **options: Any) -> int:
    """Write the studies of a question as a table for another program.

    In metafor, 'escalc' takes the counts or means of the table, and 'rma(yi, vi)' its effects.
    'evidence import' reads the table back.
    """
    from evidence.analysis.pooling.question import Question, main_question, select_study_effects
    from evidence.analysis.results import select_results
    from evidence.dataset.dataset import load_dataset
    from evidence.exchange.metafor_export import metafor_table

    dataset = load_dataset(project)
    results = select_results(dataset)
    del options["confidence"]
    time_days = options.pop("time_days") or 0.0
    question = main_question(dataset, results, Question(time_days=time_days, **options), fields=())
    studies = select_study_effects(dataset, results, question)
    if studies.empty:
        raise EvidenceError(f"no study gives the {question.measure} of {question.outcome}")
    text = metafor_table(studies)
    if not out:
        click.echo(text, nl=False)
        return 0
    try:
        Path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvidenceError(f"--out {out}: cannot be written: {error.strerror}") from None
    click.echo(f"written: {out}, {len(studies)} studies")
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
    click.echo(formatter.getvalue(), nl=False)
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
    click.echo(f"created: {project}, a working project with two invented studies")
    click.echo(f"next:    evidence report --project {shlex.quote(str(project))}")
    return 0
