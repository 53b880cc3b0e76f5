"""Command on archives: build the archive of a version, or check one."""

from contextlib import ExitStack
from pathlib import Path

import click

from evidence.cli.app import command, echo, packaged_notebooks_option, project_option
from evidence.cli.reports import ignore_notebooks
from evidence.errors import ParameterError


@command(
    "release",
    "evidence release 1.2.0",
    "evidence release 1.2.0 --doi 10.5281/zenodo.1234567",
    "evidence release 1.2.0 --since v1.1.0 --out /tmp",
    "evidence release 1.2.0 --packaged-notebooks",
    "evidence release --verify releases/release-1.2.0.zip",
)
@click.argument("version", default="", required=False)
@click.option("--doi", default="", metavar="DOI", help="DOI of this version, reserved beforehand.")
@click.option(
    "--since",
    default="",
    metavar="VERSION",
    help="Git revision or project folder to compare with, or 'none' (default: the last tag).",
)
@click.option(
    "--out",
    default="",
    metavar="DIR",
    help="Folder of the archive (default: releases in the project).",
)
@click.option(
    "--verify",
    default="",
    metavar="FILE",
    help="Check the files of an archive against its checksums, and build nothing.",
)
@packaged_notebooks_option
@project_option
def release(
    version: str,
    doi: str,
    since: str,
    out: str,
    verify: str,
    packaged_notebooks: bool,
    project: str,
) -> int:
    """Build the archive of a version, for a repository that gives it a DOI.

    One zip file holds the data, the executed notebooks, pages, figures and tables, with their
    checksums and metadata (RO-Crate, CITATION.cff, Zenodo, Frictionless). VERSION and DOI are
    written into CITATION.cff first, and with it into every citation. The command refuses if a check fails,
    if the reports are out of date, or if files are not committed.
    """
    if bool(version) == bool(verify):
        raise ParameterError("Give either a version to release, such as 1.2.0, or --verify FILE")
    if verify:
        return _verify(Path(verify))
    from evidence.build.progress import ProgressBar
    from evidence.dataset.project_folder import find_project
    from evidence.release.release import build_release

    with ExitStack() as stack:
        progress = stack.enter_context(ProgressBar())
        if packaged_notebooks:
            ignore_notebooks(stack, find_project(project))
        result = build_release(version, project, out=out, doi=doi, since=since, progress=progress)
    echo(f"written: {result.archive} ({result.files} files, {result.size / 1e6:.1f} MB)")
    echo(f"SHA-256: {result.digest}")
    echo(f"changes: {result.changes} (since {result.before or 'the beginning'})")
    if not result.site:
        echo(
            "note:    figures and tables have no address to cite. Add a line such as "
            "'url: https://example.org/our-pages' to CITATION.cff, with the address at which you "
            "publish the pages"
        )
    if not result.commit:
        echo("note:    not in a git repository with a commit, so that there is nothing to tag")
        return 0
    echo("Next:")
    if result.cites_anew:
        echo(f"  git commit --message 'Release {version}' CITATION.cff")
    echo(f"  git tag --annotate --cleanup=whitespace --file '{result.changes}' v{version}")
    return 0


def _verify(path: Path) -> int:
    from evidence.release.archive import damaged_files

    problems = damaged_files(path)
    for problem in problems:
        echo(f"{path}: {problem}", err=True)
    if problems:
        echo("Download the archive again.", err=True)
        return 1
    echo(f"{path}: every file agrees with its checksum")
    return 0
