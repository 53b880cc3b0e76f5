"""What can be wrong with the files of a project, as hypothesis strategies derived from the schema.

A strategy breaks a small valid project in one to three places: faults behind the validation are
found only in a project that passes it nearly everywhere. Every example prints as Python code, so
that it can be kept with `@example`.
"""

import csv
import datetime
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import get_type_hints

import openpyxl
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from evidence.dataset import schema

ODD_NUMBERS = (
    "0", "-0", "1", "-1", "007", "+4", "0.5", ".5", "5.", "1e-99", "5e-324", "1e309", "1e15", "1E6",
    "inf", "-inf", "nan", "NaN", "9007199254740993", "99999999999999999999", "9" * 400, "-" + "9" * 400,
    "9" * 5000, "0." + "0" * 400 + "1", "1,5", "1.234,5", "1 000", "1_000", "0x10", "½", "²", "①", "Ⅷ",
    "−3", "５", "٣", "५", "٣٫٥", "1.5.2", "71%", "0.9999999999999999", "999999999", "2147483648",
)  # fmt: skip
ODD_TIMES = ("0-0", "3-0", "0-" + "9" * 400, "1-2-3", "-1-2", "0–3", "1e9-1e10", "0-1e-300")
ODD_DATES = (
    "2026-11-24", "2026-02-30", "0000-01-01", "9999-12-31", "2026-13-01", "２０２６-01-01", "2026",
    "24/11/2026", "2026-11-24T00:00:00Z", "+12026-01-01", "0001-01-01",
)  # fmt: skip
ODD_P_VALUES = (
    "<0.05",
    "<5",
    ">0.05",
    "< .001",
    "p<0.01",
    "0",
    "1.5",
    "<0",
    "<1e-400",
    "NS",
    "=0.05",
)
ODD_TEXTS = (
    "", " ", "NR", "n/a", "none", "=1+1", "+cmd|' /C calc'!A0", "@x", "-", ";", ";;", "a;b", ",", '"',
    "'", "\n", "a\r\nb", "\t", "\x00", "\x1b[31mred", "\u202eright", "\u200b", "\ufeff", "\u2028",
    "e\u0301", "ﬁ", "\U0001f35e", "\U0010ffff", "\ufffe", "ye\u0430st", "İ", "ß", "ǆ", "<b>&amp;",
    "</script>", "$x_{1$", r"\frac{a}{b}", "{y}", "{0}", "%s", "../../etc/passwd", "a/b", "con", "5-Dec",
    "5/20 (25%)", "25% (5/20)", "0/0", "1/0", "9" * 400 + "/" + "9" * 400, "71%–72%", "x" * 3000,
    "a b " * 500, "(" * 400, "[[[", "*", "**a", "#", "| a |", "http://x y", "javascript:alert(1)",
)  # fmt: skip
QUERIES = (
    "outcome=risen", "n>=9", "days>=1e400", "n=", "=", "n>x", "outcome=risen and", "x_own=1", "(n>1)",
    "n>1 and n<1", "outcome in (risen)", "days>=-1", "n==1", "outcome!=risen", "a=b or c=d",
)  # fmt: skip
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(
    st.sampled_from(ODD_NUMBERS),
    st.integers(-3, 60).map(str),
    st.integers().map(str),
    st.floats(0, 1).map(str),
    st.floats().map(str),
)
TEXTS = st.sampled_from(ODD_TEXTS) | UNICODE
DATES = st.sampled_from(ODD_DATES) | st.dates().map(str)


def cells(column: schema.Column, words: Iterable[str]) -> st.SearchStrategy[str]:
    """Cells of a column: mostly what it may hold, or nearly; `words` are those of the project."""
    kinds: dict[str, st.SearchStrategy[str]] = {
        "integer": NUMBERS,
        "number": NUMBERS,
        "p": NUMBERS | st.sampled_from(ODD_P_VALUES),
        "time": NUMBERS | st.sampled_from(ODD_TIMES),
        "date": DATES,
        "query": st.sampled_from(QUERIES),
        "printed": NUMBERS | st.sampled_from(("5/20", "71%", "<1%", "4 of 20", "0.5 (0.1-0.9)")),
        "person": st.sampled_from(
            ("A. Reader", "A. Reader 0000-0002-1825-0097", "0000-0000-0000-0000")
        ),
    }
    likely = [st.just(""), st.sampled_from(sorted(words))]
    if column.kind in kinds:
        likely.append(kinds[column.kind])
    if column.words:
        likely.append(st.sampled_from(column.words))
    return st.one_of(*likely, TEXTS, NUMBERS)


def valid_cells(column: schema.Column, words: Iterable[str]) -> st.SearchStrategy[str]:
    """Cells that fit their column, so that what follows the validation is tried: extreme ones too."""
    counts = st.integers(0, 40) | st.sampled_from((1, 99_999, 999_999_999))
    sizes = (
        st.floats(-3, 60) | st.floats(0, 1) | st.sampled_from((1e-300, 1e-9, 1.0, 1e9, 1e15, -1e15))
    )
    kinds: dict[str, st.SearchStrategy[str]] = {
        "integer": counts.map(str),
        "number": counts.map(str) | sizes.map(str),
        "p": st.floats(0, 1).map("{:.4f}".format) | st.sampled_from(("<0.001", "0", "1", ">0.05")),
        "time": counts.map(str) | st.sampled_from(("0-0", "0-3", "0.001", "1-999999999")),
        "date": st.dates().map(str),
        "printed": st.sampled_from(("5/20", "71%", "0.5", "4 of 20", "<1%", "0.5 (0.1 to 0.9)")),
        "query": st.sampled_from(("outcome=risen", "n>=9", "n>999999", "study=baker1990")),
    }
    if column.words:
        return st.sampled_from(("", *column.words))
    return st.just("") | kinds.get(column.kind, st.sampled_from(sorted(words)))


def valid_edits(table: schema.Table, words: Iterable[str]) -> st.SearchStrategy:
    """Edits of one table of which each cell may be what it is."""
    return st.one_of(
        [
            st.builds(
                Cell, st.just(table.file), st.integers(1, 12), st.just(column.name),
                valid_cells(column, words),
            )
            for column in table.columns
        ]
    )  # fmt: skip


# Edits of a file; each has `file` and turns its content into another.


@dataclass(frozen=True)
class Cell:
    """One cell of a table; line 0 is the header."""

    file: str
    line: int
    column: str
    value: str

    def __call__(self, content: bytes) -> bytes:
        return change_rows(content, self._change)

    def _change(self, rows: list[list[str]]) -> None:
        row = rows[self.line % len(rows)]
        at = rows[0].index(self.column) if self.column in rows[0] else 0
        if at < len(row):
            row[at] = self.value


@dataclass(frozen=True)
class Rows:
    """Other rows: numbers of the present ones, each any number of times; 0 is the header."""

    file: str
    lines: tuple[int, ...]

    def __call__(self, content: bytes) -> bytes:
        return change_rows(content, self._change)

    def _change(self, rows: list[list[str]]) -> None:
        rows[:] = [rows[line % len(rows)] for line in self.lines]


@dataclass(frozen=True)
class Column:
    """A column that is removed, or, with a new name, is called otherwise."""

    file: str
    column: str
    name: str = ""

    def __call__(self, content: bytes) -> bytes:
        return change_rows(content, self._change)

    def _change(self, rows: list[list[str]]) -> None:
        if not rows or self.column not in rows[0]:
            return
        at = rows[0].index(self.column)
        if self.name:
            rows[0][at] = self.name
        else:
            for row in rows:
                del row[at : at + 1]


@dataclass(frozen=True)
class Bytes:
    """Bytes in place of those at a position, a share of the file from 0 to 1."""

    file: str
    at: float
    length: int
    new: bytes

    def __call__(self, content: bytes) -> bytes:
        start = int(self.at * len(content))
        return content[:start] + self.new + content[start + self.length :]


@dataclass(frozen=True)
class Form:
    """The whole file in another form, such as with a byte order mark."""

    file: str
    form: str

    def __call__(self, content: bytes) -> bytes:
        return FORMS[self.form](content)


@dataclass(frozen=True)
class Content:
    """Another content of the whole file."""

    file: str
    content: bytes

    def __call__(self, content: bytes) -> bytes:
        return self.content


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "two byte order marks": lambda content: b"\xef\xbb\xbf" * 2 + content,
    "UTF-16": lambda content: content.decode("utf-8", "replace").encode("utf-16"),
    "Latin-1": lambda content: content.decode("utf-8", "replace").encode("latin-1", "replace") + b"\xe9",
    "semicolons": lambda content: content.replace(b",", b";"),
    "tabs": lambda content: content.replace(b",", b"\t"),
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "CR": lambda content: content.replace(b"\n", b"\r"),
    "empty": lambda content: b"",
    "blank": lambda content: b" \n\n\t\n",
    "blank lines": lambda content: content.replace(b"\n", b"\n\n"),
    "half": lambda content: content[: len(content) // 2],
    "twice": lambda content: content * 2,
    "upper case": bytes.upper,
    "zeros": lambda content: b"\0" * len(content),
}  # fmt: skip


def change_rows(content: bytes, change: Callable[[list[list[str]]], None]) -> bytes:
    """Return a CSV file with changed rows; one that is none any more stays."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error):
        return content
    if rows:
        change(rows)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def byte_edits(file: str, inserts: Iterable[bytes]) -> st.SearchStrategy:
    """Edits of any file: bytes changed, or its form."""
    new = st.sampled_from(sorted(inserts)) | st.binary(max_size=6)
    changed = st.builds(Bytes, st.just(file), st.floats(0, 1), st.integers(0, 40), new)
    return changed | st.builds(Form, st.just(file), st.sampled_from(sorted(FORMS)))


def table_edits(table: schema.Table, words: Iterable[str]) -> st.SearchStrategy:
    """Edits of one table."""
    file = st.just(table.file)
    by_column = [
        st.builds(Cell, file, st.integers(1, 8), st.just(column.name), cells(column, words))
        for column in table.columns
    ]
    names = st.sampled_from(table.names)
    structure = st.one_of(
        st.builds(Rows, file, st.lists(st.integers(0, 8), max_size=9).map(lambda rows: (0, *rows))),
        st.builds(Column, file, names, st.just("") | names | st.just("x_own") | TEXTS),
        st.builds(Cell, file, st.just(0), names, TEXTS),
        byte_edits(table.file, (b'"', b",", b"\n", b"\r", b"\0", b"\xff", b'""', b"\xed\xa0\x80")),
    )
    return st.one_of(*by_column, *by_column, structure)


BIBTEX = (
    b"{", b"}", b"@", b"@article{", b"@string{x = {y}}", b"@comment{", b"@preamble{\"x\"}", b"#", b'"',
    b",", b"=", b"\\", b"$", b"%", b"~", b"{\\'e}", b"\\\"{o}", b"{\\ss}", b"\\emph{", b"and", b" and ",
    b"and others", b"author = {", b"year = {n.d.}", b"year = {9999999999}", b"doi = {10.1/x}",
    b"crossref = {guide},", b"month = jan,", b"title = x # y,", b"pages = {1--", b"{" * 300, b"}" * 300,
    b"\\" * 99, b"volume = {1},", b"journal = {J. \\& K},", b"note = {\\LaTeX},", "é".encode(), b"\xff",
    b"@misc{, title={T}}", b"@misc{a b, title={T}}", b"@misc{x}", b"@misc{x,}", b"@", b"@misc(x, y={z})",
)  # fmt: skip
YAML = (
    b"sets:", b"grids:", b"all:", b"each", b"\n", b"  ", b": ", b"- ", b"[", b"]", b"{", b"}", b"#",
    b"&a ", b"*a", b"<<: *a", b"!!python/object:os.system ", b"!!binary x", b"!!set ", b"|", b">", b"'",
    b'"', b"null", b"~", b"yes", b"1e400", b".inf", b".nan", b"0x1f", b"0o7", b"1:30:00", b"2026-11-24",
    b"2026-99-99", b"? x\n: y", b"---\n", b"...\n", b"%YAML 9.9\n", b"\t", b"\0", b"\xff", b"[" * 300,
    b"confidence: 2\n", b"scope: core\n", b"notebooks: bread\n", b"9" * 5000, b"time_days: 1\n",
    b"conditions: each\n", b"!!timestamp 2026",
)  # fmt: skip
XML = (
    b"<", b">", b"&", b"&amp;", b"&x;", b"<!--", b"<![CDATA[", b"</STUDY>", b"<STUDY>", b'"', b"NaN",
    b"-1", b"1e400", b'<!DOCTYPE a [<!ENTITY x "y">]>', b'EVENTS_1="99"', b'TOTAL_1="0"', b"\0", b"\xff",
    b"9" * 400,
)  # fmt: skip
RIS = (
    b"TY  - ", b"TY  - JOUR\n", b"ER  - \n", b"AU  - ", b"PY  - ", b"DO  - x\n", b"SP  - 1\n", b"  - ",
    b"\n", b"\xff", b"\0",
)  # fmt: skip
JSON = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"1e400", b"NaN", b"-1", b"1.5", b"{}",
    b"[]", b'""', b'"\\ud800"', b'"\\u0000"', b"[" * 3000, b"9" * 5000, b"\xff", b'"family"',
    b'"date-parts"', b"[[null]]",
)  # fmt: skip
NUMBERS_IN_CSV = (b",", b"\n", b'"', b"NaN", b"1e400", b"-1", b"\xff")
FIGURES = (b"<", b">", b"&", b"%%EOF", b"obj", b"IDAT", b"<rdf:li>")

PARAMETER_VALUES = st.one_of(
    TEXTS,
    NUMBERS,
    DATES,
    st.sampled_from((
        "[]", "[1]", '["bread"]', "[null]", "[[1]]", "{}", '{"a": 1}', "null", "true", "0.95",
        "0.999999999", "1e-300", "core", "bread,cake", "any", "risen", "rr", "smd",
    )),
)  # fmt: skip

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from(("\ud800", "a\udfff")),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=5,
)  # fmt: skip
"""What JSON and YAML can hold."""
ABSENT = "(absent)"
"""Stands for a field that a record lacks."""


def fields(record: type, likely: dict[str, st.SearchStrategy]) -> st.SearchStrategy:
    """Some fields of a record with other contents: by type, `likely` ones, and any at all."""
    return st.one_of(
        [
            st.tuples(
                st.just(name), likely.get(name, st.from_type(hint)) | VALUES | st.just(ABSENT)
            )
            for name, hint in get_type_hints(record).items()
        ]
    )


REFERENCES = st.lists(
    st.fixed_dictionaries(dict.fromkeys(("key", "reference", "link"), TEXTS)), max_size=3
)
LIKELY_OF_A_FIGURE = {
    "id": st.sampled_from(("fig-risen", "fig-height", "tab-studies", "fig--", "fig-" + "x" * 300)),
    "version": st.sampled_from(("0000000", "abcdef1", "ABCDEF1", "1234567\n")),
    "studies": REFERENCES,
    "sources": REFERENCES,
    "rows": st.dictionaries(
        st.sampled_from(("data/studies.csv:2", "data/studies.csv:999999999", "data/none.csv:1", "x:0")),
        st.dictionaries(st.sampled_from(schema.STUDIES.names) | TEXTS, TEXTS, max_size=4),
        max_size=3,
    ),
    "parts": st.dictionaries(st.sampled_from(("marks", "words", "rows", "code", "x")), TEXTS),
    "parameters": st.dictionaries(TEXTS, VALUES, max_size=3),
}  # fmt: skip

ODD_CELLS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(datetime.date(1900, 3, 1)),
    st.datetimes(datetime.datetime(1900, 3, 1)),
    st.times(),
    st.timedeltas(datetime.timedelta(0), datetime.timedelta(9999)),
    st.sampled_from(("=1+1", "=A1", "=1/0", "#REF!", "#N/A", "#DIV/0!", "TRUE", "5e3", "'5", " ")),
    # Two signs that XML cannot hold are missing in the list of openpyxl.
    TEXTS.map(lambda text: re.sub("[\ufffe\uffff]", "", ILLEGAL_CHARACTERS_RE.sub("", text))),
    st.none(),
)
LINES = st.integers(1, 9)
WORKBOOK_EDITS = st.one_of(
    st.tuples(st.just("cell"), st.tuples(LINES, LINES, ODD_CELLS)),
    st.tuples(st.just("cell"), st.tuples(LINES, LINES, ODD_CELLS)),
    st.tuples(
        st.sampled_from(("delete_rows", "delete_cols", "insert_rows", "insert_cols")),
        st.tuples(LINES, st.sampled_from((1, 2, 99))),
    ),
    st.tuples(st.just("append"), st.tuples(st.lists(ODD_CELLS, max_size=9))),
)
"""Methods of a sheet with their arguments."""


def workbook(
    rows: Iterable[Sequence[str]], edits: Iterable[tuple[str, tuple]], merged: str
) -> bytes:
    """Return a workbook with these rows, of which some were changed and, at last, some cells merged."""
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append([None if cell == "" else cell for cell in row])
    for method, arguments in edits:
        getattr(book.active, method)(*arguments)
    if merged:
        book.active.merge_cells(merged)
    book.save(content)
    return content.getvalue()
