"""The names of authors and editors, in the forms in which programs and people write them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from evidence.dataset.latex_text import decode_latex


@dataclass(frozen=True)
class Author:
    """A person, or an organisation that has a last name only.

    The last name begins with the particle (de, van der); a suffix, such as Jr., is not part of the
    other names.
    """

    last: str
    first: str = ""
    particle: str = ""
    suffix: str = ""

    @property
    def family(self) -> str:
        """The last name without its particle."""
        return self.last.removeprefix(self.particle).strip()


class Names(NamedTuple):
    """The persons of a field, whether more are only counted (and others), and an unclear name."""

    people: tuple[Author, ...] = ()
    has_more: bool = False
    unclear: str = ""


_PLAIN = re.compile(r"([^\s,{}&;=\\~$]+), ([^\s,{}&;=\\~$][^,{}&;=\\~$]*)")
"""Last, First with a last name of one word, as most names are."""
_SUFFIX = r"(?:Jr|Sr)\.?|II|III|IV|2nd|3rd|4th"
_INITIALS = r"(?:[^\W\d_a-z]\.?[ -]?){1,3}"
_LAST_FIRST = r"([^,{}]*[^\W\d_]{2}[^,{}]*?)"
_CERTAIN_INITIALS = r"(?:[A-Z]\.?|(?:[A-Z]\.){2,4}|[B-DF-HJ-NP-TV-XZ]{2,3})"
_LISTED_INITIALS = r"[A-Z]{1,4}"
"""After a last name: in any list, and in one where all names have them (Smith J, Doe AB)."""
_ET_AL = re.compile(r"(?:[\s,;]+(?:and\s+)?et\.? al\.?|[\s,;]*(?:…|\.\.\.))\s*$")


@lru_cache(maxsize=1024)
def read_names(text: str) -> Names:
    """Read the names of a field.

    Beside BibTeX's forms it reads lists separated by semicolons, ampersands or only commas, initials
    after the last name, biblatex's `family=…, given=…`, and organisations with a comma at the end,
    as EndNote writes them.
    """
    text, count = _ET_AL.subn("", decode_latex(text, keep_groups=True))
    text = re.sub(r"(^|\s+)and$", "", text)
    names, is_list = _split_list(_unwrap_list(text))
    people, has_more, unclear = [], bool(count), ""
    for name in names:
        if match := _PLAIN.fullmatch(name):
            people.append(_person(*match.groups()))
        elif name.casefold() == "others":
            has_more = True
        elif parts := _split_at_commas(name):
            people += [_read_name(part, is_list or len(parts) > 1) for part in parts]
        elif name.strip(" ,;"):
            people.append(_read_name(name, is_list))
            unclear = unclear or name
    return Names(tuple(people), has_more, unclear)


def _unwrap_list(text: str) -> str:
    """Remove braces around a whole list of names, each Last, First, as Web of Science puts them."""
    match = re.fullmatch(r"\{([^{}]*)\}", text)
    names = re.split(r"\s+and\s+", match[1]) if match else []
    is_person = r"[^,]+, \S.*" if len(names) > 1 else rf"\S+, {_INITIALS}"
    if match and all(re.fullmatch(is_person, name) for name in names):
        return match[1]
    return text


def _split_list(text: str) -> tuple[list[str], bool]:
    """Split a list of names; the second value says whether initials follow the last names."""
    if "{" in text:
        from bibtexparser.middlewares.names import split_multiple_persons_names

        names = split_multiple_persons_names(text)
    else:
        names = re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text else []
    separated = [part for name in names for part in _split_outside(name, ";")]
    amps = [part for name in separated for part in _split_outside(name, "&")]
    if len(amps) > len(separated) and all("," in name for name in amps):
        separated = amps
    is_list = all(re.fullmatch(f"{_LAST_FIRST} {_LISTED_INITIALS}", name) for name in names)
    is_list &= any(re.fullmatch(f"{_LAST_FIRST} {_CERTAIN_INITIALS}", name) for name in names)
    return separated, is_list or len(separated) > len(names)


def _split_outside(text: str, separator: str) -> list[str]:
    """Split at a separator outside braces; empty parts are left out."""
    if separator not in text:
        return [text]
    parts, depth, start = [], 0, 0
    for position, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if sign == separator and depth <= 0:
            parts.append(text[start:position])
            start = position + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def _split_at_commas(name: str) -> list[str]:
    """Split what commas alone separate into names; empty if it cannot be told which are names.

    One or two parts are one name, and three if one of them is a suffix (King, Jr., Martin).
    """
    if re.match(r"\s*(family|given|prefix|suffix)\s*=", name):
        return [name]
    parts = _split_outside(name, ",")
    if len(parts) == 1 and name.rstrip().endswith(","):
        return [f"{{{parts[0]}}}"]
    if len(parts) <= 2 or (len(parts) == 3 and any(re.fullmatch(_SUFFIX, p) for p in parts[1:])):
        return [", ".join(parts)] if parts else []
    if len(parts) == 3 and re.fullmatch(_INITIALS, parts[2]):
        return [f"{parts[0]}, {parts[1]} {parts[2]}"]
    if all(re.search(r"\S\s+\S", part) for part in parts):
        return parts
    if len(parts) % 2 == 0 and all(re.fullmatch(_INITIALS, part) for part in parts[1::2]):
        return [f"{last}, {first}" for last, first in zip(parts[::2], parts[1::2], strict=True)]
    return []


def _read_name(name: str, is_listed: bool) -> Author:
    """Read one name; of names separated by commas or semicolons the initials may come last."""
    from bibtexparser.middlewares.names import parse_single_name_into_parts

    if match := re.match(r"\s*(?=(family|given|prefix|suffix)\s*=)", name):
        return _read_extended(name[match.end() :])
    initials = _LISTED_INITIALS if is_listed else _CERTAIN_INITIALS
    if match := re.fullmatch(f"{_LAST_FIRST} ({initials}(?: (?:{_SUFFIX}))?)", name):
        return _person(*match.groups())
    # Its strict form gives a reason for what it cannot split; what is left here is split anyway.
    parts = parse_single_name_into_parts(name, strict=False)
    first, von, last, jr = (
        re.sub(r"[{}]", "", " ".join(words))
        for words in (parts.first, parts.von, parts.last, parts.jr)
    )
    return _person(f"{von} {last}".strip(), first, von, jr)


def _read_extended(name: str) -> Author:
    """Read biblatex's form: family=Cruz, given=Juan, prefix=de la, useprefix=false."""
    pairs = (part.partition("=") for part in _split_outside(name, ","))
    parts = {key.strip(): re.sub(r'^["{]|["}]$', "", value.strip()) for key, _, value in pairs}
    prefix = parts.get("prefix", "")
    last = f"{prefix} {parts.get('family', '')}".strip()
    return _person(last, parts.get("given", ""), prefix, parts.get("suffix", ""))


def _person(last: str, first: str, particle: str = "", suffix: str = "") -> Author:
    """Put a suffix where it belongs, and spell out initials that are written together."""
    if re.fullmatch(_SUFFIX, first) and suffix:
        first, suffix = suffix, first
    if first and not suffix and " " in (joint := f"{last}|{first}"):
        if match := re.fullmatch(rf"(.+?) ({_SUFFIX})\|(.*)", joint):
            last, suffix, first = match.groups()
        elif match := re.fullmatch(rf"(.*)\|(.+?) ({_SUFFIX})", joint):
            last, first, suffix = match.groups()
    return Author(last, " ".join(_spell_initials(first, last)), particle, suffix)


def _spell_initials(first: str, last: str) -> Iterator[str]:
    """Yield the words of a first name, JPT as J. P. T.

    Where the last name has capitals only, a word with a vowel is a name in capitals.
    """
    for word in first.split():
        letters = word.rstrip(".")
        if 2 <= len(letters) <= 4 and letters.isalpha() and letters.isupper():
            has_vowel = re.search(r"[AEIOUYÄÖÜ]", letters)
            if not has_vowel or (len(letters) < 4 and not last.isupper()):
                word = " ".join(f"{letter}." for letter in letters)
        yield word
