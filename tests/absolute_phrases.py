"""Phrases that state an absence of the world, which no table and no search can know.

What can be said is that nothing is tabulated, that a study was not read or does not report it, or
that a search of a database on a date found no study.
"""

import re

ABSOLUTE = (
    r"\bno (trial|study|studies|one|person)( in these tables)? (has|have|had|ever|measured|studied|"
    r"tested|compared|addresse[sd]|gives?|gave|looked|exists?)\b",
    r"\bthere (is|are|was|were) no (trial|stud|evidence|data)",
    r"\bnobody (has |have |had )?(ever )?(measured|studied|tested|compared|looked|knows|waited|set)\b",
    r"\b(nothing|none) (was|were|is|has been|have been) (ever )?(measured|studied|tested|compared)\b",
    r"\bnever (been )?(measured|studied|tested|compared)\b",
    r"\bha(s|ve) (ever|never) (measured|studied|tested|compared)\b",
    r"\bonly (one|\d+) (trial|stud)",
    r"\b(size|effect|count|CI) not given\b",
    r"\b(attempts|deaths|effects) not studied\b",
)


def absolute_phrases(text: str) -> list[str]:
    """Return the absolute phrases of a text, in their order for each pattern."""
    return [
        match.group() for pattern in ABSOLUTE for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
