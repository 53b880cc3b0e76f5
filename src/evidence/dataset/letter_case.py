"""The letter case of titles: sentence case for references, title case for books in AMA."""

import re
from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import files

from evidence.dataset.latex_text import decode_latex

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SUBTITLE = re.compile(
    r"((?:[:?!]|(?:(?<=\w{4})|(?<=II)|(?<=IV)|(?<=\)))\.)[\"”’]?\s+|\s+[–—]\s+|—)"
)
_WHOLE = re.compile(r"\s*\{(?:[^{}]|\{[^{}]*\})*\}\s*")
_GROUP = re.compile(r"(?<![\\\w'’-])[\w'’-]*(?:\{[^{}\\]+\}[\w'’-]*)+")
"""A word with braces around it or a part of it, but no argument of a macro."""
_MINOR = (
    *("a", "an", "the", "and", "or", "nor", "but", "for", "so", "yet", "as", "at", "by", "if"),
    *("in", "of", "off", "on", "per", "to", "up", "via", "vs", "versus", "from", "into", "with"),
    *("over", "between", "among", "after", "before", "during", "without", "within", "is", "are"),
    *("what", "how"),
)
_NUMBERED = (
    *("phase", "study", "trial", "part", "schedule", "type", "table", "figure", "stage", "step"),
    *("grade", "class", "level", "version"),
)
"""Nouns that keep their capital before a numeral or a letter (Schedule III)."""


@cache
def _proper_names() -> re.Pattern[str]:
    names = files("evidence.dataset").joinpath("proper_names.txt").read_text("utf-8").splitlines()
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})\b")


def protected_phrases(*raw_titles: str) -> tuple[str, ...]:
    """Return what BibTeX's braces protect; braces around the whole title protect all of it."""
    groups = [
        [title] if _WHOLE.fullmatch(title) else [match[0] for match in _GROUP.finditer(title)]
        for title in raw_titles
    ]
    return tuple(filter(None, (decode_latex(group) for part in groups for group in part)))


def sentence_case(title: str, protected: Collection[str] = (), *, subtitles: bool = False) -> str:
    """Lower the capitals of a title in title case, all but those of names and abbreviations.

    A part of a title that is in sentence case already keeps its capitals, and so does a word with
    capitals inside it, with a digit, or in a list of proper names. `protected` are more words and
    phrases that keep their letters, as braces in BibTeX mark them. Subtitles begin with a capital
    in APA, in lower case in NLM and AMA.
    """
    names = [*_phrases(title, protected), *_proper_names().finditer(title)]
    kept = {word.start() for name in names for word in WORD.finditer(title, *name.span())}
    segments = list(_segments(title))
    whole = [word for words, _ in segments for word in _telling_words(words, kept)]
    letters = list(title)
    for number, (words, separator) in enumerate(segments):
        telling = _telling_words(words, kept)
        is_title_case = _is_title_case(telling if len(telling) >= 3 else whole)
        is_sentence_start = number == 0 or separator.strip()[:1] in "?!."
        for position, match in enumerate(words):
            word, start = match[0], match.start()
            if start in kept:
                continue
            if position == 0:
                if is_sentence_start or subtitles:
                    is_plain = word.islower() and word.isalpha() and title[start - 1 : start] != "<"
                    letters[start] = word[0].upper() if is_plain else word[0]
                elif _is_capitalised(word):
                    letters[start] = word[0].lower()
            elif is_title_case and _is_capitalised(word) and not _is_numbered(match):
                letters[start] = word[0].lower()
    return "".join(letters)


def capitals_to_protect(title: str, protected: Collection[str]) -> Iterator[re.Match[str]]:
    """Yield what must keep its capitals in sentence case; BibTeX needs braces around it."""
    lowered, end = sentence_case(title, protected), 0
    first = WORD.search(title)
    phrases = {match.start(): match for match in _phrases(title, protected)}
    for word in WORD.finditer(title):
        match = phrases.get(word.start(), word)
        is_first = first is not None and word.start() == first.start()
        has_capital = any(sign.isupper() for sign in match[0][is_first:])
        is_lowered = lowered[word.start()] != title[word.start()]
        if word.start() >= end and (match is not word or (has_capital and not is_lowered)):
            yield match
            end = match.end()


def _phrases(title: str, protected: Collection[str]) -> list[re.Match[str]]:
    """Find protected phrases in a title, the longest first."""
    if not protected:
        return []
    ordered = "|".join(map(re.escape, sorted(protected, key=len, reverse=True)))
    return list(re.finditer(rf"(?<!\w)(?:{ordered})(?!\w)", title))


def title_case(title: str) -> str:
    """Capitalise the words of a title, all but short ones that are no nouns or verbs."""

    def capitalise(match: re.Match[str]) -> str:
        word = match[0]
        is_start = not title[: match.start()].strip(" ([“\"'") or re.search(
            r"[:?!.—]\s+$", title[: match.start()]
        )
        if not word.islower() or (word in _MINOR and len(word) < 4 and not is_start):
            return word
        return word[0].upper() + word[1:]

    return WORD.sub(capitalise, title)


def _segments(title: str) -> Iterator[tuple[list[re.Match[str]], str]]:
    """Yield the words of title and subtitles, with the separator before them."""
    start, separator = 0, ""
    for match in [*_SUBTITLE.finditer(title), None]:
        end = match.start() if match else len(title)
        yield list(WORD.finditer(title, start, end)), separator
        if match:
            start, separator = match.end(), match[0]


def _telling_words(words: list[re.Match[str]], kept: set[int]) -> list[str]:
    """Return the words whose first letters tell title case from sentence case."""
    return [
        match[0]
        for match in words[1:]
        if match.start() not in kept
        and match[0].isalpha()
        and (_is_capitalised(match[0]) or (match[0].islower() and len(match[0]) > 3))
        and match[0].lower() not in _MINOR
    ]


def _is_title_case(words: list[str]) -> bool:
    # Names alone rarely make two thirds of the long words of a title in sentence case.
    return bool(words) and 3 * sum(map(_is_capitalised, words)) >= 2 * len(words)


def _is_capitalised(word: str) -> bool:
    return word == "A" or (len(word) > 1 and word[0].isupper() and word[1:].islower())


def _is_numbered(match: re.Match[str]) -> bool:
    """Say whether a noun is followed by a numeral, or an A is a letter and no article."""
    rest = match.string[match.end() :]
    if match[0] == "A":
        return not re.match(r"\s+\w", rest)
    return match[0].lower() in _NUMBERED and bool(re.match(r"\s+(?:\d|[IVX]+\b|[A-Z]\b)", rest))
