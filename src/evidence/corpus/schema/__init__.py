"""The tables as data: every column with its kind, its words and what it means.

Vocabulary
----------
A *result* is a row of `studies.csv`: one number or finding as one text prints it. Groups are
told apart by `role`; in a `contrast` the difference is always `arm` against `versus`.
`value` is on the natural scale (a proportion between 0 and 1, a ratio not its logarithm).
"""

from evidence.corpus.schema.column import Column, Table
from evidence.corpus.schema.guide import CLAIMS, GUIDE, STATEMENTS, UNKNOWNS
from evidence.corpus.schema.judged import APPRAISALS, AUDITS, CERTAINTIES, THRESHOLDS, WAIVERS
from evidence.corpus.schema.reported import DESIGNS, DOSES, INSTRUMENTS, OUTCOMES, STUDIES
from evidence.corpus.schema.words import (
    FOUND_MEASURES,
    GRADE_DOMAINS,
    NUMERIC_MEASURES,
    PEOPLE_DESIGNS,
    PRIMARY_DESIGNS,
    TIME_UNITS,
    VERDICTS,
    WORDED_MEASURES,
)

TABLES = (
    STUDIES,
    OUTCOMES,
    INSTRUMENTS,
    DOSES,
    DESIGNS,
    GUIDE,
    CLAIMS,
    STATEMENTS,
    UNKNOWNS,
    APPRAISALS,
    THRESHOLDS,
    CERTAINTIES,
    WAIVERS,
    AUDITS,
)

__all__ = [
    "APPRAISALS", "AUDITS", "CERTAINTIES", "CLAIMS", "DESIGNS", "DOSES", "FOUND_MEASURES",
    "GRADE_DOMAINS", "GUIDE", "INSTRUMENTS", "NUMERIC_MEASURES", "OUTCOMES", "PEOPLE_DESIGNS",
    "PRIMARY_DESIGNS", "STATEMENTS", "STUDIES", "TABLES", "THRESHOLDS", "TIME_UNITS", "UNKNOWNS",
    "VERDICTS", "WAIVERS", "WORDED_MEASURES", "Column", "Table",
]  # fmt: skip
