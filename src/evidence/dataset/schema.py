"""What a table and a column of it are.

The vocabularies that more than one table or module uses.

What was reported, in which words, on which scales, and how the studies were done.

What the guide says, what it rests on, and what it leaves open.

What people judged: risk of bias, what matters, how certain it is, findings, audits.

The tables as data: every column with its kind, its words and what it means.

Vocabulary
----------
A *result* is a row of `studies.csv`: one number or finding as one text prints it. Groups are
told apart by `role`; in a `contrast` the difference is always `arm` against `versus`.
`value` is on the natural scale (a proportion between 0 and 1, a ratio not its logarithm).
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column.

    `kind` is text, word, key, keys, outcome, integer, number, time, p, query, date or person.
    """

    name: str
    kind: str
    about: str
    required: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A file of `data/`: its columns in order, and the columns that make a row unique."""

    file: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    required: bool = False

    @property
    def names(self) -> list[str]:
        """The column names in the order of the file."""
        return [column.name for column in self.columns]


def text_column(name: str, about: str, *, required: bool = False) -> Column:
    """A column of free text."""
    return Column(name, "text", about, required)


def word_column(name: str, about: str, words: Iterable[str], *, required: bool = True) -> Column:
    """A column that holds one of `words`."""
    return Column(name, "word", about, required, tuple(words))


def key_column(name: str, about: str, *, required: bool = True) -> Column:
    """A column that holds a key of the bibliography."""
    return Column(name, "key", about, required)


TIME_UNITS = {
    "minute": 1 / 1440,
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "month": 365.25 / 12,
    "year": 365.25,
}
"""Days in one unit of time; a month and a year are the Gregorian means."""

PEOPLE_DESIGNS = (
    "randomised parallel",
    "randomised crossover",
    "non-randomised controlled",
    "open label",
    "cohort",
    "cross-sectional",
    "case series",
)
PRIMARY_DESIGNS = (*PEOPLE_DESIGNS, "animal experiment", "laboratory")
"""Designs with participants of their own; only these are counted, so that nobody counts twice."""

OTHER_DESIGNS = (
    "meta-analysis",
    "systematic review",
    "narrative review",
    "registry record",
    "regulatory",
    "guide",
)

NUMERIC_MEASURES = (
    "modelled proportion",
    "mean",
    "mean difference",
    "smd",
    "risk difference",
    "risk ratio",
    "odds ratio",
    "ratio",
    "maximum",
)
WORDED_MEASURES = ("statement", "date", "range")
FOUND_MEASURES = ("significance", "direction")
MEASURES = ("proportion", "count", *NUMERIC_MEASURES, "p value", *FOUND_MEASURES, *WORDED_MEASURES)

DIRECTIONS = ("better", "worse", "no difference")
VERDICTS = ("agrees", "omits detail", "overstated", "differs", "not checkable")
ANSWERS = ("confirmed", "wrong", "not found")
STATUSES = ("identified", "probable", "candidate", "unresolved")
KINDS = ("benefit", "harm", "baseline", "flow", "mechanism")
SCOPES = ("guide", "context")

BLINDING = ("open label", "inactive comparator", "active placebo", "indistinguishable")
"""Could people tell what they got: they knew; the comparator cannot be felt; it has effects of its
own; nothing could be felt by anybody."""

ROUTES = (
    "IV",
    "IM",
    "oral",
    "intranasal",
    "subcutaneous",
    "intradermal",
    "inhaled",
    "on the skin",
    "rectal",
    "sublingual",
)
"""Ways by which something gets into a body, those that need a word of their own."""

JUDGES = ("review", "project")
"""Who judged a risk of bias: a published review, or those who keep these tables."""

GRADE_DOMAINS = (
    "risk of bias",
    "inconsistency",
    "indirectness",
    "imprecision",
    "small-study effects",
)
"""Reasons of GRADE to be less certain of evidence, in the order in which they are looked at."""

UNKNOWN_STATUSES = ("open", "narrowed", "settled")
"""How much of a question is left."""


STUDIES = Table(
    "data/studies.csv",
    "one reported result: a study, an arm, an outcome and a time, as one text prints it",
    (
        "study",
        "condition",
        "population",
        "arm",
        "versus",
        "outcome",
        "instrument",
        "definition",
        "time",
        "time_unit",
        "measure",
        "source",
    ),
    (
        key_column("study", "BibTeX key of the study that the number is about"),
        text_column("condition", "what the people (or animals) had", required=True),
        text_column("population", "who they were"),
        text_column("arm", "the group; in a contrast the first of the two", required=True),
        word_column(
            "role",
            "what the arm is in its study",
            ("intervention", "comparator", "single arm", "contrast", "whole sample"),
        ),
        text_column("versus", "the other arm of a contrast"),
        text_column("intervention", "what the arm was given"),
        Column("dose_mg_per_kg", "number", "dose in mg per kg of body weight"),
        word_column("route", "how it was given", ROUTES, required=False),
        Column("infusion_minutes", "number", "how long an infusion or exposure ran, in minutes"),
        Column("sessions", "integer", "how many times it was given"),
        Column("outcome", "outcome", "what was measured; a word of data/outcomes.csv", True),
        text_column("instrument", "the scale or test"),
        text_column("definition", "how the outcome was defined"),
        Column(
            "time", "time", "time after the start of treatment: a number or a range such as 0-3"
        ),
        word_column("time_unit", "unit of time", TIME_UNITS, required=False),
        word_column("measure", "what kind of number it is", MEASURES),
        Column("n", "integer", "people analysed (in a contrast: both arms together)"),
        Column(
            "events", "integer", "people who had the outcome, where the count itself is printed"
        ),
        Column("value", "number", "the number, on its natural scale; a proportion is 0 to 1"),
        Column("spread", "number", "standard deviation or standard error of the value"),
        word_column("spread_kind", "which of the two", ("sd", "se"), required=False),
        Column("ci_low", "number", "lower end of the printed 95 % interval"),
        Column("ci_high", "number", "upper end of the printed 95 % interval"),
        Column("p_value", "p", "p value as printed"),
        Column("p_adjusted", "p", "p value after correction for several comparisons"),
        word_column(
            "direction",
            "whom the finding favours: arm against versus, for those concerned; needed where no "
            "size is printed, and where the sign of a size does not tell",
            DIRECTIONS,
            required=False,
        ),
        text_column("as_printed", "the number exactly as the text prints it"),
        word_column(
            "reported_by",
            "the kind of text",
            ("guide", "publication", "review", "registry", "press"),
        ),
        key_column("source", "BibTeX key of the text in which the number was read"),
        text_column("locator", "where in that text", required=True),
        text_column("verified", "yes, or why the number could not be confirmed", required=True),
        text_column("note", "what a reader of the row must know"),
    ),
    required=True,
)

OUTCOMES = Table(
    "data/outcomes.csv",
    "one outcome word",
    ("outcome",),
    (
        text_column("outcome", "the word used in data/studies.csv", required=True),
        word_column("kind", "what it tells about", KINDS),
        word_column("better", "which direction is good", ("higher", "lower", "neither")),
        Column("subset_of", "outcome", "an outcome that everybody with this one has as well"),
        Column("complement", "outcome", "the outcome of everybody who does not have this one"),
        Column(
            "display_order", "integer", "place among the outcomes that charts and pages open with"
        ),
        Column("default_days", "number", "time after treatment at which it is usually looked at"),
        text_column("description", "what the word means here", required=True),
    ),
)

INSTRUMENTS = Table(
    "data/instruments.csv",
    "one scale or test",
    ("instrument",),
    (
        text_column("instrument", "the name used in data/studies.csv", required=True),
        word_column("integer", "whether every person's score is a whole number", ("yes", "no")),
        text_column("note", "what the judgement rests on", required=True),
    ),
)

DOSES = Table(
    "data/doses.csv",
    "the doses of one drug by one route that the texts name",
    ("drug", "route"),
    (
        text_column("drug", "a word of the column intervention", required=True),
        word_column("route", "how it is given", ROUTES),
        Column("low", "number", "lowest dose in mg per kg", True),
        Column("high", "number", "highest dose in mg per kg", True),
        key_column("source", "BibTeX key of the text that names the range"),
        text_column("locator", "where in that text", required=True),
    ),
)

DESIGNS = Table(
    "data/designs.csv",
    "one study: how it was done",
    ("study",),
    (
        key_column("study", "BibTeX key of the study"),
        text_column("label", "short name for charts", required=True),
        word_column("scope", "guide: the guide rests on it; context: it does not", SCOPES),
        word_column("design", "kind of study", PRIMARY_DESIGNS + OTHER_DESIGNS),
        key_column(
            "cohort", "the study whose participants these are, if not its own", required=False
        ),
        word_column(
            "randomised",
            "was treatment allotted by chance",
            ("yes", "no", "unclear", "not applicable"),
        ),
        text_column("masking", "who did not know the allotment"),
        word_column(
            "blinding",
            "could people tell what they got",
            BLINDING,
            required=False,
        ),
        text_column("population", "who took part"),
        text_column("country", "where"),
        Column("sites", "integer", "number of centres"),
        text_column("arms", "the groups"),
        text_column("treatment", "what is tested, in a word by which studies are put together"),
        text_column("comparator", "what the comparison group received"),
        word_column(
            "comparator_kind",
            "kind of comparison",
            ("inactive", "active", "other treatment", "dose", "usual care", "none", "mixed"),
            required=False,
        ),
        Column("n_randomised", "integer", "people randomised"),
        Column("n_analysed", "integer", "people analysed"),
        Column("followup", "number", "longest planned or reported assessment"),
        word_column("followup_unit", "unit of time", TIME_UNITS, required=False),
        text_column("registration", "registry number"),
        text_column("funding", "who paid"),
        Column(
            "display_order", "integer", "place among the studies that the index page opens with"
        ),
        text_column("caveat", "the one thing a reader must know"),
        key_column("source", "BibTeX key of the text in which this was read"),
        text_column("locator", "where in that text", required=True),
        text_column("note", "anything else"),
    ),
)


FRESH = (
    Column("last_searched", "date", "the day on which somebody last looked for newer texts"),
    Column("review_due", "date", "the day until which that is good"),
)

GUIDE = Table(
    "data/guide.csv",
    "one reference of the guide and one text that it may be",
    ("guide_ref", "source"),
    (
        text_column(
            "guide_ref", "the guide's number, or a short name where it gives none", required=True
        ),
        key_column("source", "BibTeX key of the text", required=False),
        word_column("status", "how sure the match is", STATUSES),
        Column("rank", "integer", "1 for the best match", True),
        text_column("passage", "what the guide says there, in our words", required=True),
        text_column("reason", "why this text, or why none was found", required=True),
        text_column("seen_in", "where the text was seen"),
        text_column("to_confirm", "fields that nobody has confirmed yet"),
    ),
)

CLAIMS = Table(
    "data/claims.csv",
    "one claim that the guide makes (or leaves out)",
    ("claim",),
    (
        text_column("claim", "number of the claim", required=True),
        text_column("section", "section of the guide", required=True),
        text_column("guide_refs", "references that the guide gives for it, separated by ;"),
        text_column("label", "the claim in a few words, for charts", required=True),
        text_column("statement", "the claim in our words", required=True),
        word_column("kind", "what can be checked", ("numeric", "qualitative", "omission")),
        text_column("guide_value", "what the guide says", required=True),
        text_column("source_value", "what its source says", required=True),
        Column("guide_rows", "query", "the guide's own rows of data/studies.csv"),
        Column("source_rows", "query", "rows of other texts that can be held against them"),
        word_column(
            "quantity",
            "the column of the sources' rows that is compared, if not the reported number",
            ("dose_mg_per_kg", "infusion_minutes", "n"),
            required=False,
        ),
        word_column("verdict", "how the two compare, as the curators see it", VERDICTS),
        text_column("reason", "why", required=True),
        Column("studies", "keys", "studies of data/studies.csv that bear on it, separated by ;"),
        Column("outcome", "outcome", "the outcome that it is about"),
        Column("source", "keys", "BibTeX keys of the texts it was checked against", True),
        text_column("locator", "where in those texts"),
        *FRESH,
    ),
)

STATEMENTS = Table(
    "data/statements.csv",
    "one quality that a claim gives to something, in a form that can be compared",
    ("claim", "subject", "quantity", "low", "high", "quality"),
    (
        text_column("claim", "number of the claim", required=True),
        text_column("subject", "what it is said of", required=True),
        word_column(
            "quantity", "what tells cases apart", ("dose_mg_per_kg", "days"), required=False
        ),
        Column("low", "number", "from which amount on it is said"),
        Column("high", "number", "up to which amount; blank: without end"),
        text_column("quality", "what it is said to be", required=True),
        text_column("excludes", "qualities that the same cannot have, separated by ;"),
        word_column("direction", "the finding it amounts to", DIRECTIONS, required=False),
        Column(
            "source_rows", "query", "rows of other texts whose direction can be held against it"
        ),
        text_column("as_said", "the statement in our words", required=True),
        text_column("locator", "where in the guide", required=True),
    ),
)

UNKNOWNS = Table(
    "data/unknowns.csv",
    "one open question",
    ("unknown",),
    (
        text_column("unknown", "number of the question", required=True),
        text_column("question", "the question in plain words", required=True),
        text_column("why_open", "why nobody can answer it yet", required=True),
        text_column("population", "in whom", required=True),
        text_column("intervention", "what is given", required=True),
        text_column("comparison", "against what"),
        text_column("outcome", "measured by", required=True),
        text_column("asked_on", "when the question was put", required=True),
        word_column("raised_by", "who leaves it open", ("guide", "sources", "both")),
        text_column("section", "where the guide raises it"),
        text_column("claims", "claims that touch it, separated by ;"),
        Column("where", "query", "which rows of data/studies.csv bear on it"),
        word_column(
            "status",
            "how open it is, as a curator sees it; else it is computed",
            UNKNOWN_STATUSES,
            required=False,
        ),
        text_column("status_reason", "why the curator overrules the computed status"),
        *FRESH,
    ),
)


WAIVERS = Table(
    "data/waivers.csv",
    "one finding of the checks that a person has looked at and let stand",
    ("code", "study", "arm", "outcome", "source"),
    (
        text_column("code", "the code of the finding", required=True),
        key_column("study", "the study it is about"),
        text_column("arm", "the arm, if only one is meant"),
        text_column("outcome", "the outcome, if only one is meant"),
        key_column("source", "the text, if only one is meant", required=False),
        text_column("reason", "why it may stand", required=True),
        Column("signed_by", "person", "who looked: a name, and an ORCID if there is one", True),
        Column("date", "date", "the day, as 2026-11-24", True),
    ),
)

AUDITS = Table(
    "data/audits.csv",
    "one person's answer on whether one result is as its source says",
    ("row", "signed_by"),
    (
        text_column(
            "row", "fingerprint of the result, as drawn by `evidence audit`", required=True
        ),
        key_column("study", "its study"),
        text_column("arm", "its arm", required=True),
        text_column("outcome", "its outcome", required=True),
        text_column("as_printed", "its number, as the table has it"),
        word_column("answer", "what the person found in the source", ANSWERS),
        text_column("found", "what the source says instead"),
        Column("signed_by", "person", "who looked: a name, and an ORCID if there is one", True),
        Column("date", "date", "the day, as 2026-11-24", True),
        Column("seed", "integer", "the seed by which the row was drawn"),
    ),
)

RISK_OF_BIAS = Table(
    "data/risk_of_bias.csv",
    "one judgement of one domain of a risk-of-bias tool",
    ("study", "outcome", "tool", "domain", "judged_by", "source"),
    (
        key_column("study", "the study judged"),
        Column("outcome", "outcome", "the outcome judged, if not all of the study"),
        text_column("tool", "the tool with its version, as RoB 2 (2019)", required=True),
        text_column("domain", "a domain of the tool, or overall", required=True),
        text_column("judgement", "a word of the tool", required=True),
        text_column(
            "reason", "why; needed for what we judged, and where an overall is not by the rule"
        ),
        word_column("judged_by", "a published review, or this project", JUDGES),
        key_column("source", "the review that prints it, or the text in which its facts were read"),
        text_column("locator", "where in that text", required=True),
        Column("signed_by", "person", "who judged, if this project: a name, and an ORCID if any"),
        Column("date", "date", "the day of our own judgement, as 2026-11-24"),
    ),
)

MINIMAL_IMPORTANT_DIFFERENCES = Table(
    "data/minimal_important_differences.csv",
    "one minimal important difference",
    ("outcome", "measure", "instrument"),
    (
        Column("outcome", "outcome", "a word of data/outcomes.csv", True),
        word_column(
            "measure", "the kind of difference; rr: a ratio of shares", ("rr", "rd", "md", "smd")
        ),
        text_column("instrument", "the scale, for a difference of means"),
        Column("value", "number", "the smallest difference that matters; above 0", True),
        key_column("source", "BibTeX key of the text that it rests on"),
        text_column("locator", "where in that text", required=True),
        text_column("reason", "how it was chosen", required=True),
    ),
)

GRADE_DECISIONS = Table(
    "data/grade_decisions.csv",
    "one person's decision on one reason to be less certain of a body of evidence",
    ("question", "domain"),
    (
        text_column(
            "question", "name of the body of evidence, as in the summary of findings", required=True
        ),
        word_column("domain", "the reason", GRADE_DOMAINS),
        Column("steps", "integer", "by how many levels it lowers certainty: 0, 1 or 2", True),
        text_column("reason", "why", required=True),
        Column("signed_by", "person", "who decided: a name, and an ORCID if there is one", True),
        Column("date", "date", "the day, as 2026-11-24", True),
    ),
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
    RISK_OF_BIAS,
    MINIMAL_IMPORTANT_DIFFERENCES,
    GRADE_DECISIONS,
    WAIVERS,
    AUDITS,
)

__all__ = [
    "AUDITS",
    "CLAIMS",
    "DESIGNS",
    "DOSES",
    "FOUND_MEASURES",
    "GRADE_DECISIONS",
    "GRADE_DOMAINS",
    "GUIDE",
    "INSTRUMENTS",
    "MINIMAL_IMPORTANT_DIFFERENCES",
    "NUMERIC_MEASURES",
    "OUTCOMES",
    "PEOPLE_DESIGNS",
    "PRIMARY_DESIGNS",
    "RISK_OF_BIAS",
    "STATEMENTS",
    "STUDIES",
    "TABLES",
    "TIME_UNITS",
    "UNKNOWNS",
    "VERDICTS",
    "WAIVERS",
    "WORDED_MEASURES",
    "Column",
    "Table",
]  # fmt: skip
