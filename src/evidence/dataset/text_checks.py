"""Characters that nobody sees: they turn the order of a text around, or make two words of one.

Vocabulary
----------
*Hidden* are controls, marks of direction and letters without width. Joiners inside words of
scripts that are written with them are not: they belong to the spelling.

Identifiers whose form, and where they have one whose check digit, tells a slip of the pen.
"""

import re
from codecs import BOM_UTF8

_ALWAYS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f"
_ALWAYS += r"\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
_BESIDE_LATIN = r"(?:^|(?<=[\x00-\u02ff]))[\u200c\u200d]|[\u200c\u200d](?=[\x00-\u02ff]|$)"
_HIDDEN = re.compile(f"{_ALWAYS}|{_BESIDE_LATIN}")
_SUSPECT = re.compile(rf"{_ALWAYS}|[\u200c\u200d]")
_PLAIN = bytes([*b"\t\n\r", *range(0x20, 0x7F)])


def may_hide_characters(content: bytes) -> bool:
    """Whether a file in UTF-8 may hide something; many times as fast as looking where."""
    rare = content.translate(None, _PLAIN)
    if content.startswith(BOM_UTF8):
        rare = rare.removeprefix(BOM_UTF8)
    return bool(_SUSPECT.search("".join(set(rare.decode()))))


def hidden_characters(text: str) -> str:
    """The first hidden character of a text by its number, such as U+202E; empty if it has none."""
    found = _HIDDEN.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def reveal_hidden(text: str) -> str:
    """The text with each hidden character as its number, so that a message can be read."""
    return _HIDDEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)


IDENTIFIER_PATTERNS = {
    "doi": (r"10\.\d{4,9}/\S+", "a bare DOI such as 10.1001/archpsyc.63.8.856"),
    "pmid": (r"\d{1,8}", "a PubMed number"),
    "orcid": (r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", "an ORCID such as 0000-0002-1825-0097"),
    "url": (r"https?://[^\s<>\"]+", "an address such as https://example.org/page"),
    "issn": (r"\d{4}-\d{3}[\dX]", "an ISSN such as 0003-990X"),
}
ORCID = re.compile(r"\b\d{4}-\d{4}-\d{4}-\d{3}[\dX]\b")


def identifier_error(name: str, text: str) -> str:
    """What is wrong with an identifier, as the end of a sentence; empty if nothing is."""
    pattern, form = IDENTIFIER_PATTERNS[name]
    if not re.fullmatch(pattern, text):
        return f"is not {form}"
    if name in _EXPECTED and _EXPECTED[name](text.replace("-", "")) != text[-1]:
        return f"is no {name.upper()}: its check digit is wrong"
    return ""


def _orcid_digit(text: str) -> str:
    """ISO 7064 mod 11-2 of all but the last digit."""
    total = 0
    for digit in text[:-1]:
        total = (total + int(digit)) * 2
    return _as_digit((12 - total % 11) % 11)


def _issn_digit(text: str) -> str:
    """Weights from 8 down to 2, modulo 11."""
    total = sum(int(digit) * weight for digit, weight in zip(text, range(8, 1, -1), strict=False))
    return _as_digit(-total % 11)


def _as_digit(number: int) -> str:
    return "X" if number == 10 else str(number)


_EXPECTED = {"orcid": _orcid_digit, "issn": _issn_digit}
