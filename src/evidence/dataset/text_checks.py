"""Checks of single texts: characters that nobody can see, and identifiers with their check digits.

*Hidden* are control characters, marks of writing direction, and letters without width. Joiners
inside words of scripts that use them are not: they belong to the spelling. *Look-alikes* are
letters of another script that nobody can tell from a Latin one.
"""

import re
import unicodedata

from evidence.errors import shorten

_ALWAYS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f"
_ALWAYS += r"\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
_BESIDE_LATIN = r"(?:^|(?<=[\x00-\u02ff]))[\u200c\u200d]|[\u200c\u200d](?=[\x00-\u02ff]|$)"
_HIDDEN = re.compile(f"{_ALWAYS}|{_BESIDE_LATIN}")
_UNUSUAL_BLANK = re.compile(r"[\t\n\r\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LOOK_ALIKES = str.maketrans(
    "аеорсухіјѕԁһԛԝАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "aeopcyxijsdhqwABEKMHOPCTYXIJSABEZHIKMNOPTYXo"
)
_LOOK_ALIKE = re.compile(f"[{''.join(map(chr, _LOOK_ALIKES))}]")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
# A single class is found many times faster than the alternatives above.
_MAY_BE_HIDDEN = re.compile(rf"{_ALWAYS[:-1]}\u200c\u200d]")


def hidden_characters(text: str) -> str:
    """Return the first hidden character by its number, like U+202E; empty if there is none."""
    # Nearly all texts are printable ASCII, which is found much faster than a pattern.
    if text.isascii() and text.isprintable():
        return ""
    match = _HIDDEN.search(text)
    return f"U+{ord(match[0]):04X}" if match else ""


def look_alike(text: str) -> str:
    """Return the first look-alike in a word of Latin letters; empty if there is none."""
    if text.isascii():
        return ""
    words = (word for word in _WORD.findall(text) if _LATIN.search(word))
    return next((match[0] for word in words if (match := _LOOK_ALIKE.search(word))), "")


def look_alike_message(text: str) -> str:
    """Say which letter of a text is a look-alike."""
    letter = look_alike(text)
    return (
        f"{quote(text)} contains U+{ord(letter):04X} ({unicodedata.name(letter)}), which looks "
        f"like the Latin letter {letter.translate(_LOOK_ALIKES)}. Type the word again."
    )


def appearance(text: str) -> str:
    """Return what the eye sees of a text: equal for two texts that look the same."""
    if text.isascii():
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES).split())


def reveal_hidden(text: str, *, all_look_alikes: bool = False) -> str:
    """Replace what a reader cannot see by its number, so that a message can show the text.

    That is each hidden character, each blank other than the usual one (a line break would end the
    message), and each look-alike in a word with Latin letters, or every look-alike.
    """
    if text.isascii() and text.isprintable():
        return text

    def reveal_word(word: re.Match) -> str:
        is_mixed = all_look_alikes or _LATIN.search(word[0])
        return _LOOK_ALIKE.sub(_number, word[0]) if is_mixed else word[0]

    return _WORD.sub(reveal_word, _UNUSUAL_BLANK.sub(_number, _HIDDEN.sub(_number, text)))


def for_terminal(text: str) -> str:
    """Replace what a file could use to steer a terminal or to turn the order of its text.

    These are escape sequences, marks of writing direction and letters without a code of their own;
    line breaks and tabs stay.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    shown = _HIDDEN.sub(_number, text.replace("\r\n", "\n")).replace("\r", "<U+000D>")
    return re.sub("[\ud800-\udfff]", _number, shown)


def _number(match: re.Match) -> str:
    return f"<U+{ord(match[0]):04X}>"


def find_hidden(text: str) -> tuple[int, str, int]:
    """Return how many hidden characters a text has, the first by its number, and its line."""
    matches = list(_HIDDEN.finditer(text)) if _MAY_BE_HIDDEN.search(text) else []
    if not matches:
        return 0, "", 0
    first = matches[0]
    return len(matches), f"U+{ord(first[0]):04X}", text.count("\n", 0, first.start()) + 1


def remove_hidden(text: str) -> str:
    """Remove the hidden characters of a text."""
    return _HIDDEN.sub("", text)


def printable(text: str) -> str:
    """Prepare a value for a message: shortened, and with hidden characters as numbers."""
    return shorten(reveal_hidden(text))


def quote(text: str) -> str:
    """Put a value in quotes for a message, as `printable` gives it."""
    return f"'{printable(text)}'"


def undecodable_byte(error: UnicodeDecodeError) -> tuple[int, str]:
    """Return the line of a byte that is not UTF-8, and a message."""
    byte, line = error.object[error.start], error.object[: error.start].count(b"\n") + 1
    return line, f"byte 0x{byte:02x} is not UTF-8. Save the file as UTF-8."


IDENTIFIER_PATTERNS = {
    "doi": (r"10\.\d{4,9}/\S+", "a bare DOI like 10.1001/archpsyc.63.8.856"),
    "pmid": (r"\d{1,8}", "a PubMed number"),
    "orcid": (r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", "an ORCID like 0000-0002-1825-0097"),
    "url": (r"(?:https?|ftp)://[^\s<>\"]+", "an address like https://example.org/page"),
}
"""By field of the bibliography: the form of an identifier, and how messages describe it."""
_ORCID = re.compile(r"\b\d{4}-\d{4}-\d{4}-\d{3}[\dX]\b")


def identifier_error(name: str, text: str) -> str:
    """Describe what is wrong with an identifier; empty if nothing is."""
    pattern, form = IDENTIFIER_PATTERNS[name]
    if not re.fullmatch(pattern, text):
        return f"{quote(text)} is not {form}"
    if name == "orcid" and _orcid_digit(text.replace("-", "")) != text[-1]:
        return f"{text} is not a valid {name.upper()}: the check digit is wrong"
    return ""


def orcid_error(person: str) -> str:
    """Describe the first wrong ORCID in the name of a person; empty if there is none."""
    errors = (identifier_error("orcid", orcid) for orcid in _ORCID.findall(person))
    return next(filter(None, errors), "")


def _orcid_digit(text: str) -> str:
    """ISO 7064 mod 11-2 of all but the last digit."""
    total = 0
    for digit in text[:-1]:
        total = (total + int(digit)) * 2
    number = (12 - total % 11) % 11
    return "X" if number == 10 else str(number)
