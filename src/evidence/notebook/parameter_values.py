"""Values of notebook parameters: read from text, reduced to what JSON can hold, and quoted."""

import datetime
import json
import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args, get_origin

from evidence.dataset.text_checks import hidden_characters, reveal_hidden
from evidence.errors import ParameterError, shorten
from evidence.files import parse_json

LARGEST_INTEGER = 2**63 - 1
"""A larger one is not the same number in every JSON reader."""


@dataclass(frozen=True)
class TextValue:
    """A value as typed on the command line, to be read as the type of its parameter."""

    text: str


def parse_assignments(texts: Sequence[str], option: str = "-p") -> dict[str, TextValue]:
    """Split `name=value` texts; the value is everything after the first equals sign.

    Raise `ParameterError` if a text has no `=`, or a name is given twice.
    """
    values: dict[str, TextValue] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ParameterError(f"{option} {text}: write name=value, such as scope=all")
        if name in values:
            raise ParameterError(f"{option} {text}: {name} is given twice")
        values[name] = TextValue(value)
    return values


def format_value(value: object) -> str:
    """Show a value in a message: text in quotes, the rest as JSON, hidden characters by number."""
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return shorten(reveal_hidden(text).encode("utf-8", "backslashreplace").decode())


def read_text(text: str, declared: Any) -> object:
    """Read text as a type; text that does not fit comes back as it is, for the model to refuse.

    Raise `ValueError` if a list has an empty item.
    """
    if get_origin(declared) is Annotated:
        return read_text(text, get_args(declared)[0])
    if (get_origin(declared) or declared) in (list, tuple):
        return _read_list(text, declared)
    if get_origin(declared) is Literal:
        return next((w for w in get_args(declared) if text in (w, json.dumps(w))), text)
    return _read_json(text) if declared in (int, float, bool) else text


def _read_list(text: str, declared: Any) -> object:
    if text.strip().startswith("["):
        return _read_json(text)
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    if "" in words:
        raise ValueError(f"{format_value(text)} has an empty item. Write a,b or a JSON list")
    item = next(iter(get_args(declared)), str)
    return [read_text(word, item) for word in words]


def _read_json(text: str) -> object:
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        return {"True": True, "False": False}.get(text, text)


def plain_value(value: object) -> object:
    """Return a value as JSON has it: text, a number, true or false, or a list of these.

    A tuple becomes a list; a date and a path become text. Raise `ValueError` if the value is null,
    nested, not finite, or contains an invisible character.
    """
    if isinstance(value, list | tuple):
        return [_scalar(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, str):
        return _visible(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral) and abs(int(value)) <= LARGEST_INTEGER:
        return int(value)
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        if math.isfinite(value):
            return float(value)
        raise ValueError(f"{format_value(value)} is not a finite number")
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, PurePath):
        return _visible(str(value))
    raise ValueError(
        f"{format_value(value)} is not text, a number, true or false, or a list of these"
    )


def _visible(text: str) -> str:
    if mark := hidden_characters(text):
        raise ValueError(f"{format_value(text)} contains the invisible character {mark}. Remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{format_value(text)} is not valid UTF-8 text") from None
    return str(text)
