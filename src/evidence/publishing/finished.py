"""The figures and tables of a finished run, found by the ids that the pages show."""

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evidence.corpus import schema
from evidence.corpus.bibliography import Reference
from evidence.corpus.reading import Corpus
from evidence.errors import EvidenceError
from evidence.publishing.citing import Part, references
from evidence.publishing.values import finished_figures


@dataclass(frozen=True)
class Figure:
    """A figure of a finished run: its words, and the folder with its files."""

    part: Part
    caption: str
    alt: str
    folder: Path

    def file(self, form: str) -> Path:
        """The file of this figure in one form.

        Raises
        ------
        EvidenceError
            The run left no such file.
        """
        path = self.folder / f"{self.part.id}.{form}"
        if not path.is_file():
            raise EvidenceError(f"{path}: is missing; renew the reports with: evidence report")
        return path


@dataclass(frozen=True)
class Tabulated:
    """A table of a finished run as it stands on its page: all cells are texts."""

    part: Part
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def studies_at(corpus: Corpus, addresses: Iterable[str]) -> list[str]:
    """The primary studies that rows of the tables are about, sorted; the guide is none."""
    addresses = list(addresses)
    tables = corpus.tables_at(addresses)
    files = (schema.STUDIES.file, schema.DESIGNS.file, schema.APPRAISALS.file)
    columns = [tables[file][["address", "study"]] for file in files]
    study = {address: key for frame in columns for address, key in frame.to_numpy()}
    designs = corpus.designs[["study", "design"]]
    guides = set(designs.loc[designs["design"] == "guide", "study"])
    return sorted({study[address] for address in addresses if address in study} - guides)


def cited(corpus: Corpus, reports: Path, asked: Iterable[str]) -> list[Reference]:
    """What to cite for figures, tables and sources: primary studies first, the project last.

    Parameters
    ----------
    asked : iterable of str
        Ids of figures and tables of the finished `reports`, paths of figure files with their JSON
        beside them, and BibTeX keys.

    Raises
    ------
    EvidenceError
        One of them is nothing of all this, or a figure without a usable `CITATION.cff`.
    """
    parts, keys = [], []
    for name in asked:
        if name in corpus.bibliography:
            keys.append(name)
        elif name.endswith(".json") or Path(name).is_file():
            parts.append(read_sidecar(Path(name)))
        else:
            parts.append(read_part(reports, name).part)
    return references(corpus.bibliography, parts, keys, corpus.project)


def read_part(reports: Path, asked: str) -> Figure | Tabulated:
    """A figure or table by its id.

    Raises
    ------
    EvidenceError
        No finished run, nothing of that id, or a figure that has nothing drawn.
    """
    identity, _, version = asked.partition("@")
    figures, tables = finished_figures(reports), _tables(reports)
    if identity in tables:
        return _tabulated(tables[identity])
    if identity not in figures:
        raise EvidenceError(_unknown(asked, [*figures, *tables]))
    figure = _figure(reports, figures[identity])
    if version and version != figure.part.version:
        raise EvidenceError(
            f"{asked}: the figure in {reports} has version {figure.part.version}; ask for "
            f"{identity}, or name the file that you have"
        )
    return figure


def read_sidecar(path: Path) -> Part:
    """A figure as it is cited, from the JSON file beside it or beside a file of its own.

    Raises
    ------
    EvidenceError
        There is no such file, or it does not describe a figure.
    """
    beside = path.with_suffix(".json")
    try:
        content = json.loads(beside.read_text("utf-8"))
        return Part(
            content["id"],
            content["title"],
            tuple(study["key"] for study in content["studies"]),
            content["version"],
            content["licence"]["name"],
        )
    except FileNotFoundError:
        raise EvidenceError(f"{beside}: is missing; a figure is cited from the file") from None
    except (ValueError, TypeError, KeyError):
        raise EvidenceError(
            f"{beside}: does not describe a figure; it must hold id, title, studies, version "
            "and licence"
        ) from None


def _tables(reports: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted((reports / "tables").glob("*.json"))}


def _tabulated(path: Path) -> Tabulated:
    content = json.loads(path.read_text("utf-8"))
    part = Part(content["id"], content["caption"], tuple(content["studies"]))
    return Tabulated(part, tuple(content["columns"]), tuple(map(tuple, content["rows"])))


def _figure(reports: Path, known: dict) -> Figure:
    """A figure as its sidecar has it."""
    if known["empty"]:
        raise EvidenceError(f"{known['id']}: has nothing drawn: {known['empty']}")
    folder = reports / "figures"
    part = read_sidecar(folder / f"{known['id']}.json")
    return Figure(part, known["caption"], known["alt"], folder)


def _unknown(asked: str, known: list[str]) -> str:
    near = difflib.get_close_matches(asked, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}? There are" if near else "; there are"
    return f"{asked}: is no figure or table of the reports and no source{hint} {', '.join(known)}"
