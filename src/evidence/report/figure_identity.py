"""The record of a figure: which figure it is, in which version, and what it was drawn from.

The version of a figure is the first seven hexadecimal digits of a digest of its `parts`: `marks`
(everything the layout holds), `words` (title, caption, alternative text, description), `rows` (the
cells of the rows behind the marks, wherever these rows now stand) and `code` (the modules that lay
the figure out and draw it, the fonts and matplotlib). Parameters of a report only act through
these: two reports that draw the same picture from the same rows have the same version of it.
"""

import importlib
import inspect
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
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.dataset.dataset import Dataset
from evidence.figures.layout import Layout
from evidence.figures.style import DOUBLE_COLUMN, FONTS, SINGLE_COLUMN
from evidence.files import digest, path_digest
from evidence.provenance.rows import filled_cells, sources_at
from evidence.provenance.sentence import Sentence
from evidence.provenance.values import to_json_value

VERSION_LENGTH = 7
WORD_FIELDS = ("title", "caption", "alt", "reading")
ADDRESS_COLUMNS = ("address", "compared_rows")
"""The columns of a layout's frames that name rows of the tables."""
SHARED_MODULES = (
    "evidence.figures.effect_curve",
    "evidence.figures.layout",
    "evidence.figures.style",
)
LICENCE_FILE = "LICENSE-DATA"
WIDTH_ENDINGS = {"180mm": "", "85mm": "-85mm"}
"""What the names of a figure's files end in, by the width of the picture."""
WIDTHS = {DOUBLE_COLUMN: WIDTH_ENDINGS["180mm"], SINGLE_COLUMN: WIDTH_ENDINGS["85mm"]}
"""The same by the width in inches, at which every figure is drawn."""
FINE = "-600dpi"
"""What the name of a PNG in a high resolution ends in."""


@dataclass(frozen=True, kw_only=True)
class FigureRecord:
    """What a figure says about itself, inside its files and in the JSON file beside them.

    `studies` are those with participants of their own, `sources` the other texts in which the rows
    were read, such as the guide; each has `key`, `reference` and `link`. `licence` has `name` and
    `link`, both empty if the project states none. `command` makes the figure again. `parts` has the
    digests behind the version, by name, and `rows` the cells of every row behind the figure, by the
    row's address (file:line).
    """

    id: str
    version: str
    title: str
    caption: str
    alt: str
    reading: list[str]
    studies: list[dict[str, str]]
    licence: dict[str, str]
    command: str
    parameters: dict
    parts: dict[str, str]
    rows: dict[str, dict[str, str]] = field(repr=False)
    sources: list[dict[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Id and version as printed on the figure, for example fig-dose-response@1a2b3c4."""
        return f"{self.id}@{self.version}"


def figure_record(
    layout: Layout, dataset: Dataset, *, report: str = "", parameters: Mapping[str, object] = {}
) -> FigureRecord:
    """Return the record of a figure.

    `report` is the name of the notebook that shows the figure; with its parameters it gives the
    command that makes the figure.
    """
    rows = filled_cells(dataset, _row_addresses(layout))
    words = [layout.title, str(layout.caption), layout.alt, *layout.reading]
    parts = {
        "marks": _short_digest(_marks(layout)),
        "words": _short_digest(words),
        "rows": _short_digest(sorted(json.dumps(c, sort_keys=True) for c in rows.values())),
        "code": drawing_code(type(layout).__module__)[:VERSION_LENGTH],
    }
    studies, others = _cited_keys(dataset, rows)
    return FigureRecord(
        id=layout.id,
        version=_short_digest(parts),
        title=layout.title,
        caption=str(layout.caption),
        alt=layout.alt,
        reading=list(layout.reading),
        studies=_describe_references(dataset, studies),
        sources=_describe_references(dataset, others),
        licence=read_licence(dataset),
        command=report_command(report, parameters),
        parameters=dict(parameters),
        parts=parts,
        rows=rows,
    )


def report_command(report: str, parameters: Mapping[str, object]) -> str:
    """Return the `evidence report` command with these parameters, quoted for a shell.

    Empty parameters are left out: empty is their default.
    """
    words = ["evidence", "report", *(["--only", report] if report else [])]
    for name, value in parameters.items():
        if value not in ("", [], ()):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            words += ["-p", f"{name}={text}"]
    return shlex.join(words)


def sidecar_path(path: Path) -> Path:
    """Return the JSON file that stands beside the files of a figure."""
    stem = path.stem.removesuffix(FINE).removesuffix(WIDTHS[SINGLE_COLUMN])
    return path.with_name(f"{stem}.json")


@cache
def drawing_code(*modules: str) -> str:
    """Return a digest of the code that draws: modules by name, style, fonts and matplotlib.

    Only `SHARED_MODULES` are imported by several charts, so that a chart's own module completes
    the list.
    """
    names = sorted({*modules, *SHARED_MODULES})
    files = [Path(inspect.getfile(importlib.import_module(name))) for name in names]
    digests = [path_digest(path) for path in [*files, *sorted(FONTS.glob("*.ttf"))]]
    return digest(" ".join([*digests, version("matplotlib")]))


def _short_digest(content) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return digest(text, VERSION_LENGTH)


def _row_addresses(layout: Layout) -> Iterable[str]:
    """Every row behind a mark, once, in the order of the marks."""
    frames = [value for value in vars(layout).values() if isinstance(value, pd.DataFrame)]
    columns = [frame[name] for frame in frames for name in ADDRESS_COLUMNS if name in frame]
    return dict.fromkeys(address for cells in columns for cell in cells for address in cell.split())


def _marks(layout: Layout) -> dict:
    """Everything that the layout holds besides words and addresses."""
    names = [entry.name for entry in fields(layout) if entry.name not in {*WORD_FIELDS, "methods"}]
    return {name: _rounded(getattr(layout, name)) for name in names}


def _rounded(value):
    """As JSON with ten digits of every number: the last ones differ between processors."""
    if isinstance(value, pd.DataFrame):
        frame = value.drop(columns=[name for name in ADDRESS_COLUMNS if name in value])
        return [_rounded(row) for row in frame.to_dict("records")]
    if isinstance(value, Sentence):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    value = to_json_value(value)
    return f"{value:.10g}" if isinstance(value, float) else value


def _cited_keys(
    dataset: Dataset, rows: Mapping[str, Mapping[str, str]]
) -> tuple[list[str], list[str]]:
    """Return the studies of these rows with participants of their own, and the other sources.

    A study of unknown design counts as one with participants.
    """
    cells = [row.get(column, "") for row in rows.values() for column in ("study", "studies")]
    keys = dict.fromkeys(key for cell in cells for key in cell.split("; ") if key)
    designs = dataset.designs_of(sorted(keys))
    design = dict(zip(designs["study"], designs["design"], strict=True))
    primary = [key for key in keys if design.get(key) in (None, *schema.PRIMARY_DESIGNS)]
    others = {**keys, **sources_at(dataset, rows)}.keys() - primary
    return primary, sorted(others)


def _describe_references(dataset: Dataset, keys: Iterable[str]) -> list[dict[str, str]]:
    sources = {key: dataset.bibliography[key] for key in keys}
    return [
        {"key": key, "reference": format_vancouver(source), "link": source.link}
        for key, source in sources.items()
    ]


def read_licence(dataset: Dataset) -> dict[str, str]:
    """Return `name` and `link` of the licence of a project's data, empty if it states none."""
    text = dataset.read_text(LICENCE_FILE)
    name, link = re.search(r"CC[ A-Z0-9-]+\d\.\d", text), re.search(r"https?://\S+", text)
    return {"name": name[0] if name else "", "link": link[0] if link else ""}
