"""Which figure, in which version, from what: the record that every figure carries with it.

Vocabulary
----------
The *version* of a figure is seven characters of a hash of its `parts`: `marks` (everything its
layout holds), `words` (title, caption, alternative text and reading), `rows` (the cells of the
rows behind the marks, wherever they now stand) and `code` (the modules that lay out and draw it,
and matplotlib). Parameters of a report act through these: two reports that draw the same picture
from the same rows have the same version of it.
"""

import ast
import hashlib
import importlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.figures.layout import Layout
from evidence.figures.style import FONTS
from evidence.provenance.rows import cells_at
from evidence.provenance.sentence import Sentence
from evidence.provenance.values import plain_value

WORDS = ("title", "caption", "alt", "reading")
ROWS = ("address", "compared")
"""The columns of a frame that name rows of the tables."""
LICENCE = "LICENSE-DATA"


@dataclass(frozen=True, kw_only=True)
class FigureRecord:
    """What a figure says of itself, in its files and beside them.

    `studies` are those with participants of their own, each with `key`, `reference` and `link`;
    `rows` maps an address to the cells that stood there.
    """

    id: str
    version: str
    title: str
    caption: str
    alt: str
    reading: list[str]
    studies: list[dict]
    licence: dict[str, str]
    command: str
    parameters: dict
    parts: dict[str, str]
    rows: dict[str, dict[str, str]] = field(repr=False)

    @property
    def name(self) -> str:
        """Id and version as printed on the figure: fig-dose-response@1a2b3c4."""
        return f"{self.id}@{self.version}"


def figure_record(
    layout: Layout, dataset: Dataset, *, report: str = "", parameters: Mapping[str, object] = {}
) -> FigureRecord:
    """The record of a figure.

    Parameters
    ----------
    report : str
        The notebook that shows it; it and its `parameters` give the command that makes it again.
    """
    rows = cells_at(dataset, _addresses(layout))
    words = {name: plain_text(getattr(layout, name)) for name in WORDS}
    parts = {
        "marks": _hash(_marks(layout)),
        "words": _hash(words),
        "rows": _hash(sorted(json.dumps(cells, sort_keys=True) for cells in rows.values())),
        "code": _code(type(layout).__module__),
    }
    return FigureRecord(
        id=layout.id,
        version=_hash(parts),
        **words,
        studies=[_study(dataset, key) for key in _primary(dataset, rows)],
        licence=licence(dataset.project),
        command=report_command(report, parameters),
        parameters=dict(parameters),
        parts=parts,
        rows=rows,
    )


def report_command(report: str, parameters: Mapping[str, object]) -> str:
    """The command that makes a figure again; what is left empty is so by default."""
    words = ["evidence", "report", *(["--only", report] if report else [])]
    for name, value in parameters.items():
        if value not in ("", [], ()):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            words += ["-p", f"{name}={text}"]
    return shlex.join(words)


def licence(project: Path) -> dict[str, str]:
    """Name and address of the licence in a project's `LICENSE-DATA`; empty if it has none."""
    try:
        text = (project / LICENCE).read_text("utf-8")
    except FileNotFoundError:
        text = ""
    name, link = re.search(r"CC[ A-Z0-9-]+\d\.\d", text), re.search(r"https?://\S+", text)
    return {"name": name[0] if name else "", "link": link[0] if link else ""}


def plain_text(words) -> str | list[str]:
    """A sentence as text; several as a list."""
    return str(words) if isinstance(words, str | Sentence) else [str(one) for one in words]


def _hash(content) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:7]


def _addresses(layout: Layout) -> Iterable[str]:
    """Every row behind a mark, once, in the order of the marks."""
    frames = [getattr(layout, one.name) for one in fields(layout)]
    frames = [frame for frame in frames if isinstance(frame, pd.DataFrame)]
    cells = (cell for frame in frames for name in ROWS if name in frame for cell in frame[name])
    return dict.fromkeys(address for cell in cells for address in cell.split())


def _marks(layout: Layout) -> dict:
    """What the layout holds besides words and addresses."""
    left_out = {*WORDS, "methods"}
    return {
        one.name: _comparable(getattr(layout, one.name))
        for one in fields(layout)
        if one.name not in left_out
    }


def _comparable(value):
    """As JSON. Ten digits of a number count: the last ones differ between processors."""
    if isinstance(value, pd.DataFrame):
        kept = value.drop(columns=[name for name in ROWS if name in value])
        return [_comparable(row) for row in kept.to_dict("records")]
    if isinstance(value, Sentence):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _comparable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(one) for one in value]
    value = plain_value(value)
    return f"{value:.10g}" if isinstance(value, float) else value


@cache
def _code(module: str) -> str:
    """A hash of a chart's module and of those it is built on, of the fonts and of matplotlib."""
    sources, wanted = {}, {module, "evidence.figures.layout", "evidence.figures.style"}
    while wanted:
        name = wanted.pop()
        text = Path(importlib.import_module(name).__file__).read_text("utf-8")
        sources[name] = text
        for node in ast.walk(ast.parse(text)):
            there = node.module if isinstance(node, ast.ImportFrom) else ""
            if there.startswith("evidence.figures.") and there not in sources:
                wanted.add(there)
    fonts = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FONTS.glob("*.ttf")
    }
    return _hash({**sources, **fonts, "matplotlib": version("matplotlib")})


def _primary(dataset: Dataset, rows: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The studies of these rows with participants of their own; of unknown design: all."""
    design = dict(zip(dataset.designs["study"], dataset.designs["design"], strict=True))
    keys = [
        key
        for cells in rows.values()
        for column in ("study", "studies")
        for key in cells.get(column, "").split("; ")
        if key
    ]
    primary = schema.PRIMARY_DESIGNS
    return [key for key in dict.fromkeys(keys) if design.get(key, primary[0]) in primary]


def _study(dataset: Dataset, key: str) -> dict[str, str]:
    source = dataset.bibliography[key]
    return {"key": key, "reference": str(source), "link": source.link}
