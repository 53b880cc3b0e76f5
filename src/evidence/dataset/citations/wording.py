"""Text as parts of a reference: on one line, joined, closed with a full stop."""

import re


def one_line(text: str) -> str:
    """Replace line breaks, tabs and control characters, on which formats made of tags depend."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def join_with_commas(*parts: str) -> str:
    """Join the parts that are not empty with commas."""
    return ", ".join(filter(None, parts))


def end_sentence(text: str) -> str:
    """Add a full stop, unless the text already ends in a mark."""
    text = one_line(text)
    return text if re.search(r"[.?!]['\"’”»]?$", text) or not text else f"{text}."
