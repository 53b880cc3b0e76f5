"""The one rule by which a value becomes a parameter of a notebook, or is refused.

Vocabulary
----------
A notebook *declares* a type for each parameter. A `Text`, as typed at the command line, is *read*
as that type; any other value, as from YAML or Python, has to be *of* it.

The rule
--------
- `str` and `Path`: a text as it stands, also with "=" in it. A path counts as its text, and a date
  as its ISO text.
- `int`, `float`, `bool`: as JSON writes them. A whole number is a float as well; true and false
  are no numbers; what is not finite is no number either.
- `date`: a day as YYYY-MM-DD, or a date without time.
- `list`, `list[X]`, `tuple`, `tuple[X, ...]`, `tuple[X, Y]`: a list or tuple of such values. As
  text it is a JSON list or words between commas, each read as X; without X, what JSON reads as a
  number, true or false is that, and anything else a text.
- `Literal[a, b]`: one of these.
- Nothing else: no null, no list in a list, no mapping, no character that nobody sees.

What comes out is text, number, true or false, or a list of these: a tuple has become a list, a
date and a path their text. So it is the same in JSON, YAML, papermill and Python.
"""

import datetime
import json
import math
import numbers
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from evidence.dataset.text_checks import hidden_characters, reveal_hidden
from evidence.errors import MAX_VALUE_CHARS, ParameterError, not_one_of

SCALARS = ("str", "int", "float", "bool", "date", "Path", "Literal")
SEQUENCES = ("list", "tuple")
ANYTHING = ("bool", "int", "float", "str")
"""What an item of a bare list may be."""
_GIVE = {
    "str": "a text",
    "int": "a whole number, such as 3",
    "float": "a number, such as 0.5",
    "bool": "true or false",
    "date": "a day, such as 2026-11-24",
    "Path": "a path",
}
_ITEMS = {"int": "1, 2", "float": "0.5, 1", "bool": "true, false", "date": '"2026-11-24"'}
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Text(str):
    """A value as typed at the command line, which is still to be read as the declared type."""

    __slots__ = ()


class Refused(Exception):  # noqa: N818
    """A value is not what a parameter may be; the text says what was given and what is allowed."""


@dataclass(frozen=True)
class Type:
    """A declared type: `name`, the types of its `items` and the `words` of a Literal.

    A list, a tuple of any length and a bare one have one item type or none; `fixed` marks a tuple
    with a type for each place.
    """

    name: str
    items: tuple["Type", ...] = ()
    words: tuple[str | int | bool, ...] = ()
    fixed: bool = False

    def __str__(self) -> str:
        if self.name == "Literal":
            return f"Literal[{', '.join(map(repr, self.words))}]"
        parts = [str(item) for item in self.items]
        if self.name == "tuple" and parts and not self.fixed:
            parts.append("...")
        return f"{self.name}[{', '.join(parts)}]" if parts else self.name

    @property
    def several(self) -> bool:
        """Whether its values are lists."""
        return self.name in SEQUENCES

    @property
    def wanted(self) -> str:
        """What to give for it, with an example."""
        if not self.several:
            return _GIVE[self.name]
        if self.fixed:
            return f"a list of {len(self.items)}"
        item = self.items[0].name if self.items else "str"
        return f"a list, such as [{_ITEMS.get(item, chr(34) + 'a' + chr(34))}]"

    def item(self, place: int) -> "Type | None":
        """The type of one of its items; None where it may be any scalar."""
        if not self.items:
            return None
        return self.items[place] if self.fixed else self.items[0]


def shown(value: object) -> str:
    """A value as messages show it: texts in quotes, the rest as JSON, cut where it is long."""
    if isinstance(value, str):
        text = f"'{reveal_hidden(value)}'"
    elif isinstance(value, datetime.date | PurePath):
        text = str(value)
    else:
        try:
            text = reveal_hidden(json.dumps(value, ensure_ascii=False))
        except (TypeError, ValueError, RecursionError):
            text = reveal_hidden(repr(value))
    for sign, written in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(sign, written)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"


def take(kind: Type, value: object) -> object:
    """The value as a notebook gets it: JSON without null, mappings and nesting.

    Raises
    ------
    Refused
        With what was given and what is allowed.
    """
    if isinstance(value, Text):
        value = _read(kind, str(value))
    taken = _take_list(kind, value) if kind.several else _take_one(kind, value)
    if taken is None:
        article = "an" if kind.name == "int" else "a"
        raise Refused(f"{shown(value)} is not {article} {kind}; give {kind.wanted}")
    return taken


def take_any(value: object) -> object:
    """The value of a parameter of which no type is known: a scalar, or a list of these.

    Raises
    ------
    Refused
    """
    taken = _scalar(value)
    if taken is None and isinstance(value, list | tuple):
        taken = _take_list(Type("list"), value)
    if taken is None:
        raise Refused(f"{shown(value)} is not a text, number, true or false, nor a list of these")
    return taken


def type_of(value: object) -> Type | None:
    """The type of an unannotated parameter, from its default; None where it has no type."""
    names = {bool: "bool", int: "int", float: "float", str: "str", list: "list", tuple: "tuple"}
    return Type(names[type(value)]) if type(value) in names else None


def _read(kind: Type, text: str) -> object:
    """A text as the value that it writes; where it writes none, the text itself."""
    if kind.several:
        return _read_list(kind, text)
    if kind.name in ("str", "Path", "date"):
        return text
    if kind.name == "Literal":
        return next((w for w in kind.words if text in (w, json.dumps(w))), text)
    if kind.name == "bool" and text in ("True", "False"):
        return text == "True"
    return _json(text)


def _read_list(kind: Type, text: str) -> object:
    if text.strip().startswith("["):
        return _json(text)
    if not text.strip():
        return []
    words = [word.strip() for word in text.split(",")]
    if "" in words:
        raise Refused(f"{shown(text)} has nothing between two commas or at an end")
    if kind.fixed and len(words) != len(kind.items):
        return words
    items = [kind.item(place) for place in range(len(words))]
    return [
        _read(item, word) if item else _json(word, only=(bool, int, float))
        for item, word in zip(items, words, strict=True)
    ]


def _json(text: str, only: tuple[type, ...] = ()) -> object:
    """What JSON reads; the text itself where that is nothing, or nothing of these types."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    finite = not isinstance(value, float) or math.isfinite(value)
    return value if finite and (not only or isinstance(value, only)) else text


def _take_list(kind: Type, value: object) -> list | None:
    if not isinstance(value, list | tuple) or (kind.fixed and len(value) != len(kind.items)):
        return None
    items = [kind.item(place) for place in range(len(value))]
    taken = [
        _take_one(item, one) if item else _scalar(one)
        for item, one in zip(items, value, strict=True)
    ]
    return None if None in taken else taken


def _scalar(value: object) -> object:
    """A scalar of whichever type it has; None if it is none."""
    if isinstance(value, datetime.date | PurePath):
        return _take_one(Type("str"), value)
    return next((v for n in ANYTHING if (v := _take_one(Type(n), value)) is not None), None)


def _take_one(kind: Type, value: object) -> object:
    """The value if it is of a scalar type, as JSON has it; else None."""
    if kind.name == "Literal":
        text = _text(value)
        same = [w for w in kind.words if w == text and type(w) is type(text)]
        if not same:
            raise Refused(not_one_of(shown(value), kind.words))
        return same[0]
    if kind.name == "bool":
        return value if isinstance(value, bool) else None
    if kind.name in ("int", "float"):
        return _number(kind.name, value)
    text = _text(value)
    if not isinstance(text, str):
        return None
    if kind.name == "date":
        return text if _is_day(text) else None
    return _visible(text)


def _text(value: object) -> object:
    """A date without time and a path as text; everything else as it is."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    return str(value) if isinstance(value, str) else value


def _number(name: str, value: object) -> int | float | None:
    if isinstance(value, bool):
        return None
    if name == "int":
        return int(value) if isinstance(value, numbers.Integral) else None
    try:
        number = float(value) if isinstance(value, numbers.Real) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text)) and bool(datetime.date.fromisoformat(text))
    except ValueError:
        return False


def _visible(text: str) -> str:
    """The text, if everything in it can be seen and written.

    Raises
    ------
    Refused
    """
    if mark := hidden_characters(text):
        raise Refused(f"{shown(text)} holds a character that nobody sees, {mark}; leave it out")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(f"{shown(text)} is not text in UTF-8") from None
    return text


def split_assignments(texts: Sequence[str], option: str = "-p") -> dict[str, Text]:
    """`name=value` texts as a mapping; the value may hold further equals signs.

    Raises
    ------
    ParameterError
        A text without `=`, or a name given twice.
    """
    given: dict[str, Text] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ParameterError(f"{option} {text}: write it as name=value, such as scope=all")
        if name in given:
            raise ParameterError(f"{option} {text}: {name} is given twice")
        given[name] = Text(value)
    return given
