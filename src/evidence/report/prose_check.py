"""Prose held against the values: every number in a text is the one that was computed, or is named.

Vocabulary
----------
MATCH: the number is that of the value it is bound to. DRIFT: it is bound to one and is another.
UNBOUND: nothing says where it comes from. DIRECTION: a word such as "superior" that the interval of
its value speaks against. A sentence on a page is bound by its name in `texts.json`; in Markdown a
comment binds what stands before it to a text or a value: ``12 of 17 <!-- = page/name -->``.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from evidence.provenance.values import read_finished
from evidence.report.number_scanner import contradicted, is_pair, is_written, numerals

NULLS = {"ratio": 1.0, "difference": 0.0}
LOOSE = "bind it to a value, or let it be computed"
_BINDING = re.compile(r"<!-- = (.+?) -->")


@dataclass(frozen=True)
class ProseFinding:
    """One number (or word) of a text: its place, its status, and what it is held against."""

    place: str
    status: str
    text: str
    says: str = ""

    @property
    def counts(self) -> bool:
        """Whether it has to be mended."""
        return self.status != "MATCH"

    def __str__(self) -> str:
        return f"{self.place} {self.status} {self.text}" + (f" — {self.says}" if self.says else "")


class Known:
    """The values and texts of a finished run, by name."""

    def __init__(self, values: Mapping[str, dict], texts: Mapping[str, dict]):
        self.values = values
        self.texts = texts

    @classmethod
    def read(cls, reports: Path) -> "Known":
        """The values and texts in the folder of a finished run.

        Raises
        ------
        EvidenceError
            No finished run there.
        """
        return cls(*read_finished(reports, "values.json", "texts.json"))

    def intervals(self, name: str) -> Iterator[tuple[float, float, float]]:
        """The interval of a value, and where no difference is; nothing if it has none."""
        null = NULLS.get(self.values[name]["method"])
        if null is None:
            return
        ends = [self.values.get(f"{name}_{end}", {}).get("value") for end in ("low", "high")]
        printed = self.values.get(f"{name}_interval", {}).get("text", "")
        if printed:
            ends = [numeral.value for numeral in numerals(printed)]
        if len(ends) == 2 and None not in ends:
            yield ends[0], ends[1], null


def check_prose(project: Path, reports: Path) -> list[ProseFinding]:
    """Every number in README, changelog headline, notebooks and pages, in the order of the files.

    Raises
    ------
    EvidenceError
        No finished run to hold them against.
    """
    known = Known.read(reports)
    found: list[ProseFinding] = []
    readme, changelog = project / "README.md", project / "CHANGELOG.md"
    if readme.is_file():
        found += check_markdown(known, "README.md", readme.read_text("utf-8"))
    if changelog.is_file():
        found += check_markdown(known, "CHANGELOG.md", _headline(changelog.read_text("utf-8")))
    for path in sorted((project / "notebooks").glob("[!.]*.ipynb")):
        for number, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
            if cell["cell_type"] == "markdown":
                place = f"notebooks/{path.name} cell {number}"
                found += check_markdown(known, place, "".join(cell["source"]))
    for name, entry in known.texts.items():
        found += _check_template(name, entry["template"])
    for path in sorted(reports.glob("*.html")):
        found += check_page(known, path.stem, path.read_text("utf-8"))
    return found


def _headline(changelog: str) -> str:
    """Up to the end of the first paragraph under the newest version."""
    match = re.search(r"^## .*\n+(?:[^\n]+\n)*", changelog, re.MULTILINE)
    return changelog[: match.end()] if match else ""


def check_markdown(known: Known, place: str, text: str) -> list[ProseFinding]:
    """The numbers of a Markdown text; those before a binding are held against what it names."""
    found, start = [], 0
    for match in _BINDING.finditer(text):
        paragraph = max(start, text.rfind("\n\n", 0, match.start()))
        found += _loose(text[start:paragraph], text, start, place)
        found += _bound(known, place, text, paragraph, match)
        start = match.end()
    return found + _loose(text[start:], text, start, place)


def _at(place: str, text: str, offset: int) -> str:
    line = text.count("\n", 0, offset) + 1
    return f"{place}:{line}"


def _loose(part: str, text: str, offset: int, place: str) -> list[ProseFinding]:
    return [
        ProseFinding(_at(place, text, offset + numeral.start), "UNBOUND", numeral.text, LOOSE)
        for numeral in numerals(part)
    ]


def _bound(known: Known, place: str, text: str, start: int, match: re.Match) -> list[ProseFinding]:
    """What stands between `start` and a binding."""
    name, part = match[1], text[start : match.start()]
    here = _at(place, text, match.start())
    if name in known.texts:
        wanted = known.texts[name]["text"]
        plain = re.sub(r"[*_]+", "", part).rstrip()
        if not plain.endswith(re.sub(r"[*_]+", "", wanted)):
            return [
                ProseFinding(here, "DRIFT", plain.strip()[-len(wanted) :], f"{name} is: {wanted}")
            ]
        before = _loose(part[: len(part) - len(wanted)], text, start, place)
        return before + _sentence(known, here, name, wanted)
    if name not in known.values:
        return [ProseFinding(here, "UNBOUND", part.strip()[-30:], f"nothing is called {name}")]
    *others, last = [*numerals(part)] or [None]
    if last is None:
        return [
            ProseFinding(here, "UNBOUND", part.strip()[-30:], f"no number stands before {name}")
        ]
    value = known.values[name]["value"]
    start_of_last, fits = last.start, is_written(part[last.start :], value)
    if not fits and others and is_pair(part[others[-1].start :], value):
        start_of_last, fits = others.pop().start, True
    loose = [
        ProseFinding(_at(place, text, start + n.start), "UNBOUND", n.text, LOOSE) for n in others
    ]
    status = "MATCH" if fits else "DRIFT"
    bound = ProseFinding(here, status, part[start_of_last:].strip(), f"{name} is {value}")
    return [*loose, bound, *_directions(known, here, name, part)]


def _directions(known: Known, place: str, name: str, text: str) -> list[ProseFinding]:
    """Words of direction in a text that the interval of a value speaks against."""
    return [
        ProseFinding(place, "DIRECTION", word, f"the interval is {low:.3g} to {high:.3g}")
        for low, high, null in known.intervals(name)
        if (word := contradicted(text, low, high, null))
    ]


def _sentence(known: Known, place: str, name: str, text: str) -> list[ProseFinding]:
    """The numbers that a computed sentence prints, each against its value.

    Numbers in words of the tables (an arm, a name) are part of a text that was held against the
    computed one as a whole.
    """
    found, covered = [], []
    for key, entry in known.values.items():
        at = text.find(entry["text"]) if key.startswith(f"{name}.") and "text" in entry else -1
        if at < 0:
            continue
        covered.append((at, at + len(entry["text"])))
        status = "MATCH" if is_written(entry["text"], entry["value"]) else "DRIFT"
        found.append(ProseFinding(place, status, entry["text"], key))
        found += _directions(known, place, key, text)
    worded = [n for n in numerals(text) if not any(a <= n.start < b for a, b in covered)]
    return found + [ProseFinding(place, "MATCH", n.text, f"in the words of {name}") for n in worded]


def _check_template(name: str, template: str) -> list[ProseFinding]:
    """Numbers typed into the template of a computed sentence."""
    says = "stands in the template of a sentence; let it be computed"
    plain = re.sub(r"\{\w+\}", "…", template)
    return [ProseFinding(name, "UNBOUND", numeral.text, says) for numeral in numerals(plain)]


class _Page(HTMLParser):
    """The bound sentences of a page, and the text around them that is neither data nor code."""

    DATA = ("table", "nav", "pre", "code", "script", "style", "head", "details")
    CLASSES = ("addresses", "references", "files")
    VOID = ("img", "br", "hr", "meta", "link", "input")

    def __init__(self):
        super().__init__()
        self.bound: list[tuple[str, str]] = []
        self.loose: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag, attributes):
        if tag in self.VOID:
            return
        found = dict(attributes)
        name = found.get("data-text")
        if name is not None:
            self.bound.append((name, ""))
            self._open.append("bound")
        elif tag in self.DATA or found.get("class") in self.CLASSES:
            self._open.append("data")
        else:
            self._open.append("")

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            self._open.pop()

    def handle_data(self, data):
        if "bound" in self._open:
            name, text = self.bound[-1]
            self.bound[-1] = (name, text + data)
        elif "data" not in self._open:
            self.loose.append(data)


def check_page(known: Known, page: str, html: str) -> list[ProseFinding]:
    """The numbers of a page's prose; tables, code and footnotes are data and no prose."""
    parser = _Page()
    parser.feed(html)
    place = f"{page}.html"
    found = []
    for name, text in parser.bound:
        full = name if name in known.texts else f"{page}/{name}"
        wanted = known.texts.get(full, {}).get("text")
        if wanted is None:
            found.append(ProseFinding(place, "UNBOUND", text, f"nothing is called {full}"))
        elif text != wanted:
            found.append(ProseFinding(place, "DRIFT", text, f"{full} is: {wanted}"))
        else:
            found += _sentence(known, place, full, text)
    for text in parser.loose:
        found += [ProseFinding(place, "UNBOUND", n.text, LOOSE) for n in numerals(text)]
    return found
