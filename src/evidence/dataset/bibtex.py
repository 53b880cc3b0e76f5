"""BibTeX as programs write it, split into entries with the fields as they stand in the file.

A broken entry costs itself and no other. bibtexparser does the splitting; the middleware here adds
what it lacks: concatenation with #, fields inherited by crossref and xdata, and a second attempt at
entries with escaped braces.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import bibtexparser
from bibtexparser import Library, middlewares, model

# Its own account of broken entries would be printed above ours.
logging.getLogger("bibtexparser").addHandler(logging.NullHandler())

CONTAINERS = ("xdata", "set", "control", "ieeetranbstctl")
"""Types of entries that are no sources: parts for others, and settings."""
_CAUSES = (
    ("entry after entry key", "the key is missing"),
    ("comma after entry key", "the key is missing"),
    ('closing `"`', "a quotation mark is not closed"),
    ("end of file", "a brace or quotation mark is not closed before the end of the file"),
    ("Was still looking for", "a brace is not closed, or the last one is missing"),
    ("Expected a `=`", "a comma or equals sign is missing or too many"),
)
MAX_CHAIN = 8
"""Entries that inherit from each other in a row."""
MAX_JOINED_CHARS = 1_000_000
"""A longer value keeps the names of its parts: ten strings of ten others each soon fill the memory."""
_NO_KEY = "\0"
_BLOCK_START = re.compile(r"\s*@\w+\s*[{(]")
_PARENTS = frozenset(("xdata", "crossref"))
_NOT_INHERITED = ("crossref", "xdata", "xref", "ids", "label", "options", "entryset")
_DATES = {"year", "date"}


@dataclass
class Entry:
    """One entry; `fields` have lower-case names, `error` is why it cannot be used as it is."""

    key: str
    kind: str
    line: int
    fields: dict[str, str] = field(default_factory=dict)
    error: str = ""


def parse_bibtex(text: str) -> Iterator[Entry]:
    """Yield the entries of a BibTeX file; comments, preambles and settings are left out.

    An entry that cannot be read has no fields, and one without a key has an empty key.
    """
    stack = [
        _RepairBlocks(text),
        _JoinConcatenations(),
        middlewares.ResolveStringReferencesMiddleware(),
        middlewares.RemoveEnclosingMiddleware(),
        middlewares.NormalizeFieldKeys(),
        _InheritFields(),
    ]
    for block in bibtexparser.parse_string(text, parse_stack=stack).blocks:
        if isinstance(block, model.Entry):
            if block.entry_type not in CONTAINERS and block.fields:
                yield _entry(block)
        elif isinstance(block, model.DuplicateBlockKeyBlock):
            if isinstance(block.ignore_error_block, model.Entry):
                yield _duplicate(block, block.ignore_error_block)
        elif isinstance(block, model.MiddlewareErrorBlock):
            if isinstance(block.ignore_error_block, model.Entry):
                yield replace(_entry(block.ignore_error_block), error=str(block.error))
        elif isinstance(block, model.ParsingFailedBlock):
            yield from _failed(block)


def _entry(block: model.Entry) -> Entry:
    fields = {item.key: str(item.value).strip() for item in block.fields}
    key = "" if block.key.startswith(_NO_KEY) else block.key
    entry = Entry(key, block.entry_type, (block.start_line or 0) + 1, fields)
    unclosed = [
        item.key
        for item in block.fields
        if item.enclosing == "no-enclosing" and re.search(r"[={}]", str(item.value))
    ]
    # Scopus writes keys with blanks.
    if re.search(r"[{}]", entry.key):
        entry.error = "is a key with a brace. Write it as one word."
    elif unclosed:
        entry.error = f"has no comma after the value of {unclosed[0]}"
    return entry


def _duplicate(block: model.DuplicateBlockKeyBlock, repeated: model.Entry) -> Entry:
    previous, entry = block.previous_block, _entry(repeated)
    is_copy = (previous.raw or "").split() == (block.raw or "").split()
    line = (previous.start_line or 0) + 1
    entry.error = "" if is_copy else f"repeats the key of line {line}. Use every key once."
    return Entry(entry.key, entry.kind, entry.line, error=entry.error)


def _failed(block: model.ParsingFailedBlock) -> Iterator[Entry]:
    """Yield what is known of a block that cannot be read, unless it is a comment."""
    match = re.match(r"\s*@(\w+)\s*[{(]\s*([^\s,={}]*)", block.raw or "")
    if match is None or match[1].lower() in ("comment", "preamble", "string"):
        return
    reason = getattr(block.error, "abort_reason", "")
    key = "" if reason.startswith("Expected comma after entry key") else match[2]
    cause = next((cause for part, cause in _CAUSES if part in reason), "it is not BibTeX")
    yield Entry(
        key, match[1].lower(), (block.start_line or 0) + 1, error=f"cannot be read: {cause}."
    )


class _RepairBlocks(middlewares.BlockMiddleware):
    """Keep the first of two equal fields and all entries without a key, and count escaped braces."""

    def __init__(self, text: str):
        super().__init__(allow_inplace_modification=True)
        self._lines = text.split("\n")

    def transform_entry(self, entry: model.Entry, library: Library):
        values = (
            [item.value for item in entry.fields] if re.search(r"\\[{}]", entry.raw or "") else []
        )
        if any(value.count("{") != value.count("}") for value in values):
            return self._parse_again(entry.start_line or 0) or entry
        return entry

    def transform_failed_block(self, failed_block, library: Library):
        entry = failed_block.ignore_error_block
        if isinstance(failed_block, model.DuplicateFieldKeyBlock):
            fields: dict[str, model.Field] = {}
            for item in entry.fields:
                fields.setdefault(item.key, item)
            entry.fields = list(fields.values())
            return entry
        if isinstance(entry, model.Entry) and not entry.key:
            # Entries without a key are not the same.
            entry.key = f"{_NO_KEY}{entry.start_line}"
            return entry
        if isinstance(failed_block, model.DuplicateBlockKeyBlock):
            return failed_block
        return self._parse_again(failed_block.start_line) or failed_block

    def _parse_again(self, first: int) -> list[model.Entry]:
        """Parse from a line to the next entry as BibTeX does: escaped braces count like others."""
        following = range(first + 1, len(self._lines))
        end = next((n for n in following if _BLOCK_START.match(self._lines[n])), len(self._lines))
        raw = "\n".join(self._lines[first:end])
        unescaped = re.sub(r"\\+([{}])", r"\1", raw)
        if unescaped == raw:
            return []
        blocks = bibtexparser.parse_string(unescaped, parse_stack=[]).blocks
        entries = [block for block in blocks if isinstance(block, model.Entry)]
        if not entries or entries[0] is not blocks[0]:
            return []
        return [
            model.Entry(
                entry.entry_type,
                entry.key,
                entry.fields,
                first + (entry.start_line or 0),
                entry.raw,
            )
            for entry in entries
        ]


class _JoinConcatenations(middlewares.LibraryMiddleware):
    """Join values like jama # " Psychiatry" into one, in strings and in fields."""

    def transform(self, library: Library) -> Library:
        strings: dict[str, str] = {}
        for string in library.strings:
            string.value = _join(string.value, strings)
            strings[string.key.lower()] = string.value
        for entry in library.entries:
            for item in entry.fields:
                if "#" in item.value:
                    item.value = _join(item.value, strings)
        return library


def _join(value: str, strings: dict[str, str]) -> str:
    """Join the parts of a value; a value without parts stays as it is."""
    if "#" not in value:
        return value
    parts, depth, is_quoted, start = [], 0, False, 0
    for match in re.finditer(r'[{}"#]', value):
        sign = match[0]
        depth += (sign == "{") - (sign == "}")
        if sign == '"' and depth == 0:
            is_quoted = not is_quoted
        elif sign == "#" and depth == 0 and not is_quoted:
            parts.append(value[start : match.start()].strip())
            start = match.end()
    if not parts:
        return value
    parts.append(value[start:].strip())
    texts = [strings.get(part.lower(), part) for part in parts]
    if sum(map(len, texts)) > MAX_JOINED_CHARS:
        texts = parts
    return "{" + "".join(re.sub(r'^["{]|["}]$', "", text) for text in texts) + "}"


class _InheritFields(middlewares.LibraryMiddleware):
    """Give entries the fields that they lack from the entries that crossref and xdata name.

    As in biblatex, the title of a book becomes the book title of its chapters.
    """

    def transform(self, library: Library) -> Library:
        entries = library.entries_dict
        blocks: list[model.Block] = []
        resolved: dict[str, dict[str, str]] = {}
        for block in library.blocks:
            if isinstance(block, model.Entry) and not _PARENTS.isdisjoint(block.fields_dict):
                try:
                    fields = _inherit(block, entries, (block.key,), resolved)
                    block.fields = [model.Field(name, value) for name, value in fields.items()]
                except _CrossReferenceError as error:
                    block = model.MiddlewareErrorBlock(block, error)
            blocks.append(block)
        return Library(blocks, fail_on_duplicate_key=False)


class _CrossReferenceError(ValueError):
    """Cross-references that never end."""


def _inherit(
    entry: model.Entry,
    entries: dict[str, model.Entry],
    path: tuple[str, ...],
    resolved: dict[str, dict[str, str]],
) -> dict[str, str]:
    """Return the fields of an entry with those that it inherits; `path` leads to the entry.

    Parents are resolved once: with ten of them each, eight generations are 10⁸ paths.
    """
    if path[-1] in path[:-1] or len(path) > MAX_CHAIN:
        chain = " → ".join([*path[:MAX_CHAIN], *(["…"] if len(path) > MAX_CHAIN else [])])
        raise _CrossReferenceError(f"inherits without end: {chain}. Correct crossref or xdata.")
    values = {item.key: item.value for item in entry.fields}
    has_date = not _DATES.isdisjoint(values)
    parents = [
        (name, key)
        for name in sorted(_PARENTS, reverse=True)
        for key in re.split(r"\s*,\s*", str(values.get(name, "")))
        if key in entries
    ]
    for name, key in parents:
        if key not in resolved:
            resolved[key] = _inherit(entries[key], entries, (*path, key), resolved)
        parent = dict(resolved[key])
        if name == "crossref":
            container = "journal" if entry.entry_type == "article" else "book"
            for title in ("title", "subtitle"):
                if title in parent:
                    parent.setdefault(f"{container}{title}", parent.pop(title))
        for inherited, value in parent.items():
            if inherited not in _NOT_INHERITED and not (has_date and inherited in _DATES):
                values.setdefault(inherited, value)
    return values
