"""Identifiers whose form, and where they have one whose check digit, tells a slip of the pen."""

import re

FORMS = {
    "doi": (r"10\.\d{4,9}/\S+", "a bare DOI such as 10.1001/archpsyc.63.8.856"),
    "pmid": (r"\d{1,8}", "a PubMed number"),
    "orcid": (r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", "an ORCID such as 0000-0002-1825-0097"),
    "url": (r"https?://[^\s<>\"]+", "an address such as https://example.org/page"),
    "issn": (r"\d{4}-\d{3}[\dX]", "an ISSN such as 0003-990X"),
}
ORCID = re.compile(r"\b\d{4}-\d{4}-\d{4}-\d{3}[\dX]\b")


def refuse(name: str, text: str) -> str:
    """What is wrong with an identifier, as the end of a sentence; empty if nothing is."""
    pattern, form = FORMS[name]
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
