"""Commands on reports: build, trace, cite, export, identify and compare."""

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.cli.app import (
    choice_option,
    command,
    echo,
    format_option,
    out_option,
    packaged_notebooks_option,
    print_data,
    print_or_write,
    print_parts,
    project_option,
    reports_option,
)
from evidence.cli.words import (
    CITATION_STYLES,
    DOCUMENT_FORMATS,
    FIGURE_WIDTHS,
    REFERENCE_STYLES,
    REPORT_FORMATS,
)
from evidence.errors import ParameterError
from evidence.files import format_json, real_path, temporary_folder

MAX_TEMPORARY_PATH = 50
"""The path of a socket has at most 103 characters, of which those below this folder take 53."""

# Whoever asks for help does not wait for pandas: the commands import what they need.
if TYPE_CHECKING:
    from evidence.build.build import BuildResult


@command(
    "report",
    "evidence report",
    "evidence report -p scope=all -p confidence=0.9",
    "evidence report --only comparison -p conditions=bread,cake --out bread-and-cake",
    "evidence report --set by-condition",
    "evidence report --grid conditions=each --grid confidence=0.9,0.95",
    "evidence report --set all --scheduler tcp://192.0.2.7:8786",
    "evidence report --out s3://bucket/reports",
    "evidence report --packaged-notebooks --project from-a-stranger",
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
    help="Build only this notebook and keep the other pages, which must have the same parameters; "
    "repeatable.",
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
@packaged_notebooks_option
@choice_option(
    "--formats",
    words=("standard", "all"),
    default="standard",
    help="standard: figures as SVG, PDF, EPS and PNG. all: also as PNG and TIFF with 600 dots per "
    "inch, for journals.",
)
@choice_option(
    "--engine",
    words=("evidence", "kernel"),
    default="evidence",
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
    packaged_notebooks: bool,
    project: str,
    **build_options: Any,
) -> int:
    """Check the data, run the notebooks, and write pages, figures and values.

    The previous reports are replaced when everything is finished. Reports that are up to date are
    not rebuilt, and a report that fails does not stop the others. Notebooks are code: for a project
    of somebody whom you do not know, use --packaged-notebooks.
    """
    from dataclasses import replace

    from evidence.build.build import BuildOptions, build_batch, build_reports
    from evidence.build.progress import ProgressBar
    from evidence.build.remote_output import output_location
    from evidence.dataset.project_folder import find_project
    from evidence.notebook.parameter_values import parse_assignments

    values = parse_assignments(parameters)
    options = BuildOptions(**build_options)
    is_batch = bool(sets or grid)
    with ExitStack() as stack:
        progress = stack.enter_context(ProgressBar())
        if packaged_notebooks:
            ignore_notebooks(stack, find_project(project))
        if scheduler:
            from evidence.build.dask_executor import DaskExecutor

            options = replace(options, executor=stack.enter_context(DaskExecutor(scheduler)))
        output = stack.enter_context(
            output_location(out, is_batch=is_batch, status=progress.status)
        )
        _prepare_environment(stack, find_project(project))
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


def _prepare_environment(stack: ExitStack, project: Path) -> None:
    """Let notebooks run alike whatever the shell says of a backend or of a home.

    All temporary files of this process and those that it starts go into one folder.
    """
    from evidence.build.notebook_process import INLINE_BACKEND

    folder = str(_temporary_folder_of_process(project))
    stack.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
    tempfile.tempdir = folder
    variables = {"MPLBACKEND": INLINE_BACKEND, "TMPDIR": folder, "JUPYTER_RUNTIME_DIR": folder}
    homes = [
        os.environ.get(f"XDG_{kind}_HOME") or f"~/.{kind.lower()}" for kind in ("CONFIG", "CACHE")
    ]
    defaults = {"IPYTHONDIR": ["~/.ipython"], "MPLCONFIGDIR": [f"{h}/matplotlib" for h in homes]}
    for name, folders in defaults.items():
        try:
            for path in [os.environ[name]] if os.environ.get(name) else folders:
                real_path(path).mkdir(parents=True, exist_ok=True)
        except OSError:
            # IPython ends where it can make no folder of its own, matplotlib complains.
            variables[name] = folder
    _set_variables(stack, variables)


@cache
def _temporary_folder_of_process(project: Path) -> Path:
    """Create a folder that lasts as long as the fork server, which has its socket in it."""
    from multiprocessing.util import Finalize

    folder = ExitStack()
    # After multiprocessing, which removes its own folder with a priority of -100.
    Finalize(None, folder.close, exitpriority=-101)
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) > MAX_TEMPORARY_PATH:
        parent = Path("/tmp")
    return folder.enter_context(temporary_folder(project, parent))


def _set_variables(stack: ExitStack, variables: dict[str, str]) -> None:
    """Set environment variables until the stack is closed."""
    stack.callback(os.environ.update, dict(os.environ))
    for name in variables.keys() - os.environ.keys():
        stack.callback(os.environ.pop, name, None)
    os.environ.update(variables)


def ignore_notebooks(stack: ExitStack, project: Path) -> None:
    """Run the package's own notebooks only, and say so if the project has others."""
    from evidence.notebook.locate import PACKAGED_ONLY, ignored_notebooks

    _set_variables(stack, {PACKAGED_ONLY: "1"})
    if names := ignored_notebooks(project):
        echo(f"ignored: {', '.join(names)} (notebooks of the project)", err=True)


def _print_reasons(results: "list[BuildResult]") -> None:
    for result in results:
        for name, reason in result.reasons.items():
            state = f"built: {reason}" if reason else "up to date"
            if name in result.failures:
                state = f"failed: {reason}"
            echo(f"{result.name} {name}: {state}".lstrip())


def _print_results(results: "list[BuildResult]", show_path: Callable[[Path], str]) -> int:
    from evidence.provenance.sentence import count

    reasons = [reason for result in results for reason in result.reasons.values()]
    failed = sum(len(result.failures) for result in results)
    built = count(sum(map(bool, reasons)) - failed, "report").text
    figures = count(sum(result.figures for result in results), "figure").text
    values = count(sum(result.values for result in results), "value").text
    folder = results[0].folder.parent if results[0].name else results[0].folder
    echo(f"{built} built, {reasons.count('')} up to date ({figures}, {values})")
    echo(f"folder: {show_path(folder)}")
    echo(f"open:   {show_path(folder / 'index.html')}")
    sys.stdout.flush()
    for result in results:
        for name, message in result.failures.items():
            label = f"{result.name} {name}".strip()
            echo(f"evidence: {label}: {message}", err=True)
            if notebook := result.failed_notebooks.get(name):
                echo(f"Notebook with the traceback: {show_path(notebook)}", err=True)
    if failed:
        echo("The previous pages of failed reports were kept.", err=True)
    return 1 if failed else 0


@command(
    "why",
    "evidence why '71%'",
    "evidence why 'Baker 1990'",
    "evidence why U08",
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

    NAME is a number as printed, a study or source, a claim or unknown, a row such as
    data/studies.csv:4, or a figure, table or value of the reports. The command prints where it is
    shown, how it was computed, the rows behind it, and for each row what the source prints and on
    which page.
    """
    from evidence.dataset.dataset import read_dataset
    from evidence.report.trace import trace_number, trace_parts

    dataset = read_dataset(project)
    traces = trace_number(dataset, _reports_folder(reports, dataset.project), name)
    if output_format == "json":
        content = [trace.as_data(dataset) for trace in traces]
        print_data(format_json(content))
    else:
        print_parts(trace_parts(dataset, traces))
    return 0


def _reports_folder(reports: str, project: Path) -> Path:
    return Path(reports or project / "reports")


@command(
    "cite",
    "evidence cite fig-shares",
    "evidence cite fig-shares --style ris > fig-shares.ris",
    "evidence cite reports/figures/fig-shares.json --style apa",
    "evidence cite baker1990 miller2001 --style bibtex",
    "evidence cite fig-shares --csl nature.csl",
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@choice_option(
    "--style", words=CITATION_STYLES, default="vancouver", help="Citation style or file format."
)
@click.option(
    "--csl",
    metavar="FILE",
    default="",
    help="Style of the Citation Style Language, in place of --style. Needs pandoc.",
)
@reports_option
@project_option
def cite(names: tuple[str, ...], style: str, csl: str, reports: str, project: str) -> int:
    """Print the citation of a figure, table or source.

    NAME is the id of a figure or table, the JSON file of a figure, or a BibTeX key. The primary
    studies come first, then the figure with its version, as part of the project in CITATION.cff.
    """
    from evidence.dataset.citations import STYLES
    from evidence.dataset.dataset import read_dataset
    from evidence.report.cite import cited_sources

    dataset = read_dataset(project)
    sources = cited_sources(dataset, _reports_folder(reports, dataset.project), names)
    if csl:
        from evidence.report.export import format_with_csl

        print_data(format_with_csl(sources, Path(csl)))
    else:
        print_data(STYLES[style](sources))
    return 0


@command(
    "export",
    "evidence export tab-studies --format docx --out studies.docx",
    "evidence export tab-summary-of-findings --format latex --style apa",
    "evidence export fig-shares --format html --out fig-shares.html",
    "evidence export fig-shares --format docx --width 85mm --out fig-shares.docx",
    "evidence export report --format pdf",
)
@click.argument("name")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(tuple(dict.fromkeys(DOCUMENT_FORMATS + REPORT_FORMATS))),
    required=True,
    help="File format.",
)
@choice_option(
    "--style", words=REFERENCE_STYLES, default="vancouver", help="Style of the references."
)
@choice_option(
    "--width",
    words=FIGURE_WIDTHS,
    default="180mm",
    help="Width of a figure: 85mm for one column of a journal.",
)
@out_option
@reports_option
@project_option
def export(
    name: str, file_format: str, style: str, width: str, out: str, reports: str, project: str
) -> int:
    """Export a figure or table for a manuscript (Word, LaTeX or HTML), or the report as one file.

    NAME is the id of a figure or table, as shown on its page; caption and references are included.
    The name 'report' stands for all pages, as PDF or for Word; the file is report.pdf or report.docx
    among the reports unless --out names another one.
    """
    from evidence.dataset.dataset import read_dataset
    from evidence.report.export import export_document, write_document

    if file_format not in (formats := REPORT_FORMATS if name == "report" else DOCUMENT_FORMATS):
        raise ParameterError(f"--format {file_format}: {name} can be {', '.join(formats)}")
    if name == "report":
        return _export_report(file_format, style, out, reports, project)
    if file_format == "docx" and not out:
        raise ParameterError(f"a Word document cannot be printed. Name a file: --out {name}.docx")
    dataset = read_dataset(project)
    item = (dataset, _reports_folder(reports, dataset.project), name, file_format, style)
    if not out:
        print_data(export_document(*item, width).decode())
        return 0
    for path in write_document(*item, Path(out), width):
        echo(f"written: {path}")
    return 0


def _export_report(file_format: str, style: str, out: str, reports: str, project: str) -> int:
    from evidence.build.progress import ProgressBar
    from evidence.dataset.dataset import read_dataset
    from evidence.report.single_file import write_single_file

    dataset = read_dataset(project)
    path = Path(out) if out else None
    folder = _reports_folder(reports, dataset.project)
    with ProgressBar() as progress:
        path = write_single_file(dataset, folder, file_format, path, style, progress.status)
    echo(f"written: {path}")
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
    """Identify a figure or table and say whether it is current.

    FILE is a picture of any name, or an id with its version, as at the lower right corner of a
    figure. The command prints figure, version, rows and studies, and what has changed since. The
    exit code is 0 if the figure or table is current, else 1.
    """
    from evidence.dataset.dataset import read_dataset
    from evidence.report.identify_figure import identify_figure

    dataset = read_dataset(project)
    found = identify_figure(dataset, _reports_folder(reports, dataset.project), figure)
    if output_format == "json":
        print_data(format_json(found.as_data()))
    else:
        echo(found.as_text())
    return 0 if found.current else 1


@command(
    "diff",
    "evidence diff HEAD .",
    "evidence diff HEAD . --format html --out changes.html",
    "evidence diff old/reports/values.json reports/values.json",
)
@click.argument("old")
@click.argument("new")
@choice_option(
    "--format",
    "output_format",
    words=("markdown", "html", "json"),
    default="markdown",
    help="Output format.",
)
@out_option
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
    print_or_write(text, out, " (no change)" if differences.is_empty else "")
    return 0
