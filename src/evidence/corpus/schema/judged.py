"""What people judged: risk of bias, what matters, how certain it is, findings, audits."""

from evidence.corpus.schema.column import Column, Table, key, text, word
from evidence.corpus.schema.words import ANSWERS, GRADE_DOMAINS, JUDGES

WAIVERS = Table(
    "data/waivers.csv",
    "one finding of the checks that a person has looked at and let stand",
    ("code", "study", "arm", "outcome", "source"),
    (
        text("code", "the code of the finding", required=True),
        key("study", "the study it is about"),
        text("arm", "the arm, if only one is meant"),
        text("outcome", "the outcome, if only one is meant"),
        key("source", "the text, if only one is meant", required=False),
        text("reason", "why it may stand", required=True),
        Column("signed", "person", "who looked: a name, and an ORCID if there is one", True),
        Column("date", "date", "the day, as 2026-11-24", True),
    ),
)

AUDITS = Table(
    "data/audits.csv",
    "one person's answer on whether one result is as its source says",
    ("row", "signed"),
    (
        text("row", "fingerprint of the result, as drawn by `evidence audit`", required=True),
        key("study", "its study"),
        text("arm", "its arm", required=True),
        text("outcome", "its outcome", required=True),
        text("as_printed", "its number, as the table has it"),
        word("answer", "what the person found in the source", ANSWERS),
        text("found", "what the source says instead"),
        Column("signed", "person", "who looked: a name, and an ORCID if there is one", True),
        Column("date", "date", "the day, as 2026-11-24", True),
        Column("seed", "integer", "the seed by which the row was drawn"),
    ),
)

APPRAISALS = Table(
    "data/appraisals.csv",
    "one judgement of one domain of a risk-of-bias tool",
    ("study", "outcome", "tool", "domain", "judged_by", "source"),
    (
        key("study", "the study judged"),
        Column("outcome", "outcome", "the outcome judged, if not all of the study"),
        text("tool", "the tool with its version, as RoB 2 (2019)", required=True),
        text("domain", "a domain of the tool, or overall", required=True),
        text("judgement", "a word of the tool", required=True),
        text("reason", "why; needed for what we judged, and where an overall is not by the rule"),
        word("judged_by", "a published review, or this project", JUDGES),
        key("source", "the review that prints it, or the text in which its facts were read"),
        text("locator", "where in that text", required=True),
        Column("signed", "person", "who judged, if this project: a name, and an ORCID if any"),
        Column("date", "date", "the day of our own judgement, as 2026-11-24"),
    ),
)

THRESHOLDS = Table(
    "data/thresholds.csv",
    "one minimal important difference",
    ("outcome", "measure", "instrument"),
    (
        Column("outcome", "outcome", "a word of data/outcomes.csv", True),
        word("measure", "the kind of difference; rr: a ratio of shares", ("rr", "rd", "md", "smd")),
        text("instrument", "the scale, for a difference of means"),
        Column("value", "number", "the smallest difference that matters; above 0", True),
        key("source", "BibTeX key of the text that it rests on"),
        text("locator", "where in that text", required=True),
        text("reason", "how it was chosen", required=True),
    ),
)

CERTAINTIES = Table(
    "data/certainties.csv",
    "one person's decision on one reason to be less certain of a body of evidence",
    ("question", "domain"),
    (
        text(
            "question", "name of the body of evidence, as in the summary of findings", required=True
        ),
        word("domain", "the reason", GRADE_DOMAINS),
        Column("steps", "integer", "by how many levels it lowers certainty: 0, 1 or 2", True),
        text("reason", "why", required=True),
        Column("signed", "person", "who decided: a name, and an ORCID if there is one", True),
        Column("date", "date", "the day, as 2026-11-24", True),
    ),
)
