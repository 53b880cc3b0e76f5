"""Abbreviated names of journals: those of NLM, else after ISO 4."""

import csv
import re
from functools import cache
from importlib.resources import files

from evidence.dataset.citations.wording import one_line

_NO_TITLE_WORDS = ("a", "an", "and", "at", "for", "from", "in", "of", "on", "the", "to", "with")


@cache
def _read_abbreviations(name: str) -> dict[str, str]:
    lines = files("evidence.dataset").joinpath(name).read_text("utf-8").splitlines()
    return {_plain_name(title): short for title, short in list(csv.reader(lines))[1:]}


def _plain_name(journal: str) -> str:
    words = re.findall(r"\w+", journal.replace("&", " and ").casefold())
    return " ".join(words[1:] if words[:1] == ["the"] else words)


def is_journal(title: str) -> bool:
    """Say whether NLM's list has a journal of this title."""
    return _plain_name(title) in _read_abbreviations("journals.csv")


def abbreviate_journal(title: str) -> str:
    """Return NLM's abbreviation of a journal, else one after ISO 4.

    A title of one word stays whole, and so does a title with a word that `journal_words.csv` has not.
    """
    name = _plain_name(title)
    words = [word for word in name.split() if word not in _NO_TITLE_WORDS]
    known = _read_abbreviations("journal_words.csv")
    if name in (listed := _read_abbreviations("journals.csv")):
        return listed[name]
    if len(words) > 1 and all(word in known for word in words):
        return " ".join(known[word] for word in words)
    return one_line(title)
