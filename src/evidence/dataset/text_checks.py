"""Checks of single texts: characters that nobody can see, and identifiers with their check digits.

*Hidden* are control characters, marks of writing direction, and letters without width. Joiners
inside words of scripts that use them are not: they belong to the spelling.
"""

import re

from evidence.errors import shorten

_ALWAYS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f"
_ALWAYS += r"\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
_BESIDE_LATIN = r"(?:^|(?<=[\x00-\u02ff]))[\u200c\u200d]|[\u200c\u200d](?=[\x00-\u02ff]|$)"
_HIDDEN = re.compile(f"{_ALWAYS}|{_BESIDE_LATIN}")


def hidden_characters(text: str) -> str:
    """Return the first hidden character by its number, like U+202E; empty if there is none."""
    # Nearly all texts are printable ASCII, which is found much faster than a pattern.
    if text.isascii() and text.isprintable():
        return ""
    match = _HIDDEN.search(text)
    return f"U+{ord(match[0]):04X}" if match else ""


def reveal_hidden(text: str) -> str:
    """Replace each hidden character by its number, so that a message can show the text."""
    return _HIDDEN.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)


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
    "url": (r"https?://[^\s<>\"]+", "an address like https://example.org/page"),
    "issn": (r"\d{4}-\d{3}[\dX]", "an ISSN like 0003-990X"),
}
"""By field of the bibliography: the form of an identifier, and how messages describe it."""
_ORCID = re.compile(r"\b\d{4}-\d{4}-\d{4}-\d{3}[\dX]\b")


def identifier_error(name: str, text: str) -> str:
    """Describe what is wrong with an identifier; empty if nothing is."""
    pattern, form = IDENTIFIER_PATTERNS[name]
    if not re.fullmatch(pattern, text):
        return f"{quote(text)} is not {form}"
    if name in _CHECK_DIGITS and _CHECK_DIGITS[name](text.replace("-", "")) != text[-1]:
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
    return _check_character((12 - total % 11) % 11)


def _issn_digit(text: str) -> str:
    """Weights from 8 down to 2, modulo 11."""
    total = sum(int(digit) * weight for digit, weight in zip(text, range(8, 1, -1), strict=False))
    return _check_character(-total % 11)


def _check_character(number: int) -> str:
    return "X" if number == 10 else str(number)


_CHECK_DIGITS = {"orcid": _orcid_digit, "issn": _issn_digit}
