"""Build the archive of a version of a project, or refuse and say what to do first."""

import contextlib
import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from html import unescape
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from evidence.analysis.checks import require_consistent
from evidence.analysis.table_entry import require_unchanged
from evidence.build.build import BuildOptions, build_reports, outdated_reports
from evidence.build.fingerprint import library_versions
from evidence.build.output_folder import exclusive
from evidence.build.progress import Progress
from evidence.compare.document import diff_markdown
from evidence.compare.git_versions import WITHOUT_HISTORY, is_shallow, read_version, tag_names
from evidence.compare.version_diff import diff_datasets
from evidence.dataset import schema
from evidence.dataset.csv_reader import read_tables
from evidence.dataset.dataset import Dataset, read_dataset
from evidence.dataset.project_folder import find_project, table_path
from evidence.dataset.text_checks import identifier_error
from evidence.errors import EvidenceError, ParameterError, ReportError
from evidence.files import atomic_write, path_digest, read_json, read_text, real_path
from evidence.notebook.locate import packaged_only
from evidence.provenance.methods import formula_works
from evidence.provenance.values import read_build_files
from evidence.release import descriptions, revision
from evidence.release.archive import Content, read_content, write_archive
from evidence.release.citation_file import released_citation
from evidence.release.crate import LOCK_FILE, describe_crate
from evidence.report.cite import CITATION_FILE, read_citation_fields, read_citation_file
from evidence.report.figure_identity import LICENCE_FILE, read_licence
from evidence.report.single_file import write_single_file

VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc|\.post|\.dev)\d+)?")
REPORTS, RELEASES = "reports", "releases"
CODE_LICENCE = "LICENSE"
PROJECT_FILES = (
    CITATION_FILE, CODE_LICENCE, LICENCE_FILE, LOCK_FILE, schema.BIBLIOGRAPHY_FILE,
    "CHANGELOG.md", "README.md", "reports.yml",
)  # fmt: skip
LIBRARIES = ("lxml", "pypandoc", "rocrate", "typst")
"""Those of the extra `release`, which are looked for before anything is written."""
NO_VERSION = "none"
"""In place of an earlier version: there is none to compare with."""


@dataclass(frozen=True)
class ReleaseResult:
    """A finished archive.

    Attributes
    ----------
    archive, changes : Path
        The archive, and what changed since the earlier version, for the message of a tag.
    before : str
        The earlier version; empty if there is none.
    commit : str
        Hash of git's commit; empty outside of a repository.
    site : str
        Address of the pages; empty if `CITATION.cff` has none, so that figures have no address.
    files, size : int
        Number of files in the archive, and its size in bytes.
    """

    archive: Path
    changes: Path
    before: str
    commit: str
    site: str
    files: int
    size: int
    cites_anew: bool

    @property
    def digest(self) -> str:
        """The SHA-256 of the archive."""
        return path_digest(self.archive)


def build_release(
    version: str,
    project: str | Path = "",
    *,
    out: str | Path = "",
    doi: str = "",
    since: str = "",
    progress: Progress | None = None,
) -> ReleaseResult:
    """Write the archive of a version, completely or not at all.

    Version, date and DOI go into `CITATION.cff`, and the reports are built again if that changes
    it. The same commit gives the same bytes. Raise `EvidenceError` if the project is not ready to
    be released; nothing was written. The archive goes into the folder `out`, by default `releases`
    in the project. `doi` is that of this version, as a repository reserves it before the upload.
    `since` is a git revision or a project folder to compare with, by default the last tag.
    """
    progress = progress or Progress()
    if not VERSION.fullmatch(version):
        raise ParameterError(
            f"VERSION {version!r}: not a version. Write one like 1.2.0 or 1.2.0rc1"
        )
    if doi and (message := identifier_error("doi", doi)):
        raise ParameterError(f"--doi: {message}")
    if not all(map(find_spec, LIBRARIES)):
        raise EvidenceError(
            "A release needs further libraries. Install them with: pip install 'evidence[release]'"
        )
    folder = find_project(project)
    target = Path(out or folder / RELEASES) / f"release-{version}.zip"
    _require_new(folder, target, version)
    text = released_citation(folder, version, doi, date.today().isoformat())
    dataset = read_dataset(folder)
    licence = _licence(dataset)
    require_consistent(dataset)
    progress.status("looking for changes")
    commit = revision.commit_of(folder)
    _require_committed(folder, commit)
    _require_current(folder)
    since = since or _last_version(folder, version)
    progress.status(f"comparing with {since}")
    before, changes = _changes(since, folder, dataset, version)
    with _citation_file(folder, text) as cites_anew:
        _rebuild(folder, progress)
        reports = real_path(folder / REPORTS)
        with exclusive(reports, lambda: progress.status("waiting for another build")):
            # Somebody may have built others between the two.
            _require_current(folder)
            for file_format in ("pdf", "docx"):
                write_single_file(dataset, reports, file_format, status=progress.status)
            files = _files(folder, dataset, licence, changes)
            target.parent.mkdir(parents=True, exist_ok=True)
            progress.start(len(files), "file")
            write_archive(target, files, progress.advance)
            try:
                require_unchanged(dataset)
            except EvidenceError:
                target.unlink()
                raise
    changes_path = target.with_name(f"CHANGES-{version}.md")
    atomic_write(changes_path, changes)
    site, size = read_citation_file(folder).site, target.stat().st_size
    return ReleaseResult(
        target, changes_path, before, commit, site, len(files) + 1, size, cites_anew
    )


def _require_new(folder: Path, target: Path, version: str) -> None:
    if target.exists():
        raise EvidenceError(
            f"{target}: this version is released. Choose the next version, or delete the archive "
            "if nobody has it yet"
        )
    # From the tag itself, anyone may build the archive again.
    for tag in tag_names(folder):
        if tag in _tags(version) and revision.commit_of(folder, tag) != revision.commit_of(folder):
            raise EvidenceError(
                f"The tag {tag} is at another commit: this version is released. Choose the next one"
            )


def _tags(version: str) -> tuple[str, str]:
    """Return the names that the tag of a version may have."""
    return f"v{version}", version


def _licence(dataset: Dataset) -> dict[str, str]:
    """Return name and link of the licence of the data."""
    path, code = dataset.project / LICENCE_FILE, dataset.project / CODE_LICENCE
    licence = read_licence(dataset)
    if not all(licence.values()):
        state = "names no licence with its address" if path.is_file() else "missing"
        raise EvidenceError(
            f"{path}: {state}. Say under which licence data and figures may be used, such as CC BY "
            "4.0, https://creativecommons.org/licenses/by/4.0/"
        )
    if not code.is_file() and (dataset.project / "notebooks").is_dir():
        raise EvidenceError(f"{code}: missing. Say under which licence notebooks may be used")
    return licence


def _require_committed(folder: Path, commit: str) -> None:
    if not commit:
        return
    # The release itself writes CITATION.cff.
    files = (name for name in _project_files(folder) if name != CITATION_FILE)
    changed = [
        text
        for text in revision.uncommitted_files(folder, files)
        if not text.startswith(f"{CITATION_FILE} ")
    ]
    if changed:
        more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
        raise EvidenceError(
            f"The working tree differs from its commit: {'; '.join(changed[:4])}{more}. Commit or "
            "undo these changes first"
        )


def _project_files(folder: Path) -> dict[str, Path]:
    """Return the files of the project that reports are made from, and those that describe it."""
    found = [folder / name for name in PROJECT_FILES]
    for name in ("data", "notebooks"):
        found += sorted((folder / name).rglob("*"))
    return _by_name(folder, found)


def _by_name(folder: Path, paths: list[Path]) -> dict[str, Path]:
    names = {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
    return {name: path for name, path in names.items() if not re.search(r"(^|/)[._]|\.pyc$", name)}


def _last_version(folder: Path, version: str) -> str:
    """Return the last tag; there may be none, unless only the last commits are here."""
    tag = revision.last_tag(folder, _tags(version))
    if not tag and is_shallow(folder):
        raise EvidenceError(f"There is no tag. {WITHOUT_HISTORY}, or name a version with --since")
    return tag or NO_VERSION


def _changes(since: str, folder: Path, dataset: Dataset, version: str) -> tuple[str, str]:
    """Return the name of the earlier version and what changed since, as Markdown."""
    if since == NO_VERSION:
        return "", f"# Version {version}\n\nThere is no earlier version to compare with.\n"
    before, old = read_version(since, folder)
    return before, diff_markdown(diff_datasets(old, dataset, before=before, after=version))


@contextlib.contextmanager
def _citation_file(folder: Path, text: str) -> Iterator[bool]:
    """Write `CITATION.cff` if that changes it, and undo this if the release fails."""
    path = folder / CITATION_FILE
    previous = read_text(path)
    if text != previous:
        atomic_write(path, text)
    try:
        yield text != previous
    except BaseException:
        atomic_write(path, previous)
        raise


def _require_current(folder: Path) -> None:
    if outdated := outdated_reports(folder):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in outdated.items())
        option = " --packaged-notebooks" if packaged_only() else ""
        raise ReportError(f"The reports are out of date. Run: evidence report{option} ({reasons})")


def _rebuild(folder: Path, progress: Progress) -> None:
    """Build what the new citation or the file formats of an archive ask for."""
    # Who reuses a figure may need any format; reports that have all of them are not built again.
    result = build_reports(folder, options=BuildOptions(formats="all"), progress=progress)
    for name, message in result.failures.items():
        raise ReportError(f"{name}: {message}")


def _files(
    folder: Path, dataset: Dataset, licence: Mapping[str, str], changes: str
) -> dict[str, Content]:
    """Return all files of the archive but the checksums, by name."""
    files: dict[str, Content] = dict(_project_files(folder))
    files |= _by_name(folder, sorted((folder / REPORTS).rglob("*")))
    headers = {}
    for table, frame in read_tables(folder)[0].items():
        path = table_path(folder, schema.BY_FILE[table])
        if path.is_file():
            files.pop(schema.BY_FILE[table].workbook, None)
            headers[table], files[table] = _plain_csv(path, frame)
    files["CHANGES.md"] = changes.encode()
    if LOCK_FILE not in files:
        files[LOCK_FILE] = _installed_versions().encode()
    release = descriptions.Release(
        citation=read_citation_fields(folder),
        licence=licence,
        titles=_titles(folder / REPORTS),
        packaged_notebooks=packaged_only(),
    )
    (values,) = read_build_files(folder / REPORTS, "values.json")
    works = formula_works(dataset, {entry["method"] for entry in values.values()})
    cited = [*dataset.bibliography.values(), *works.values()]
    files[descriptions.ZENODO_FILE] = descriptions.zenodo_json(release, cited).encode()
    files[descriptions.PACKAGE_FILE] = descriptions.package_json(release, headers).encode()
    sizes = {name: len(read_content(files[name])) for name in sorted(files)}
    return files | {name: text.encode() for name, text in describe_crate(release, sizes).items()}


def _installed_versions() -> str:
    """Return the versions of this package and its libraries, in the format of pip."""
    versions = {"evidence": metadata.version("evidence"), **library_versions()}
    del versions["python"]
    return "".join(f"{name}=={number}\n" for name, number in versions.items())


def _plain_csv(path: Path, frame) -> tuple[list[str], Content]:
    """Return header and content of a table: the file, or its cells as CSV if it is not plain.

    Projects may have tables with semicolons, in UTF-16 or as workbooks, which few programs read.
    """
    with contextlib.suppress(UnicodeDecodeError, csv.Error):
        header, *rows = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
        if set(header) <= set(frame.columns) and rows == frame[header].to_numpy().tolist():
            return header, path
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([list(frame.columns), *frame.to_numpy().tolist()])
    return list(frame.columns), buffer.getvalue().encode()


def _titles(reports: Path) -> dict[str, str]:
    """Return the titles of figures, tables and pages by the stem of their files."""
    tables = {path.stem: read_json(path)["caption"] for path in (reports / "tables").glob("*.json")}
    figures = {
        path.stem: read_json(path)["title"] for path in (reports / "figures").glob("fig-*.json")
    }
    pages = {path.stem: _page_title(read_text(path)) for path in reports.glob("*.html")}
    return tables | figures | pages


def _page_title(text: str) -> str:
    """Return the title of an HTML page."""
    match = re.search("<title>(.*?)</title>", text)
    return unescape(match[1]) if match else ""
