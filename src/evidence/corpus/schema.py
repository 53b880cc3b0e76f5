"""The tables as data: every column with its kind, its words and what it means.

Vocabulary
----------
A *result* is a row of `studies.csv`: one number or finding as one text prints it. Groups are
told apart by `role`; in a `contrast` the difference is always `arm` against `versus`.
`value` is on the natural scale (a proportion between 0 and 1, a ratio not its logarithm).
"""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Column:
    """A column.

    `kind` is text, word, key, keys, integer, number, time, p, query,
    date or person.
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


def _text(name, about, *, required=False):
    return Column(name, "text", about, required)


def _word(name, about, words, *, required=True):
    return Column(name, "word", about, required, tuple(words))


def _key(name, about, *, required=True):
    return Column(name, "key", about, required)


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
        _key("study", "BibTeX key of the study that the number is about"),
        _text("condition", "what the people (or animals) had", required=True),
        _text("population", "who they were"),
        _text("arm", "the group; in a contrast the first of the two", required=True),
        _word(
            "role",
            "what the arm is in its study",
            ("intervention", "comparator", "single arm", "contrast", "whole sample"),
        ),
        _text("versus", "the other arm of a contrast"),
        _text("intervention", "what the arm was given"),
        Column("dose_mg_per_kg", "number", "dose in mg per kg of body weight"),
        _word("route", "how it was given", ("IV", "IM", "oral", "intranasal"), required=False),
        Column("infusion_minutes", "number", "how long an infusion or exposure ran, in minutes"),
        Column("sessions", "integer", "how many times it was given"),
        Column("outcome", "outcome", "what was measured; a word of data/outcomes.csv", True),
        _text("instrument", "the scale or test"),
        _text("definition", "how the outcome was defined"),
        Column(
            "time", "time", "time after the start of treatment: a number or a range such as 0-3"
        ),
        _word("time_unit", "unit of time", TIME_UNITS, required=False),
        _word("measure", "what kind of number it is", MEASURES),
        Column("n", "integer", "people analysed (in a contrast: both arms together)"),
        Column(
            "events", "integer", "people who had the outcome, where the count itself is printed"
        ),
        Column("value", "number", "the number, on its natural scale; a proportion is 0 to 1"),
        Column("spread", "number", "standard deviation or standard error of the value"),
        _word("spread_kind", "which of the two", ("sd", "se"), required=False),
        Column("ci_low", "number", "lower end of the printed 95 % interval"),
        Column("ci_high", "number", "upper end of the printed 95 % interval"),
        Column("p_value", "p", "p value as printed"),
        Column("p_adjusted", "p", "p value after correction for several comparisons"),
        _word(
            "direction",
            "whom the finding favours: arm against versus, for those concerned; needed where no "
            "size is printed, and where the sign of a size does not tell",
            DIRECTIONS,
            required=False,
        ),
        _text("as_printed", "the number exactly as the text prints it"),
        _word(
            "reported_by",
            "the kind of text",
            ("guide", "publication", "review", "registry", "press"),
        ),
        _key("source", "BibTeX key of the text in which the number was read"),
        _text("locator", "where in that text", required=True),
        _text("verified", "yes, or why the number could not be confirmed", required=True),
        _text("note", "what a reader of the row must know"),
    ),
    required=True,
)

OUTCOMES = Table(
    "data/outcomes.csv",
    "one outcome word",
    ("outcome",),
    (
        _text("outcome", "the word used in data/studies.csv", required=True),
        _word("kind", "what it tells about", KINDS),
        _word("better", "which direction is good", ("higher", "lower", "neither")),
        Column("within", "outcome", "an outcome that everybody with this one has as well"),
        Column("opposite", "outcome", "the outcome of everybody who does not have this one"),
        _text("description", "what the word means here", required=True),
    ),
)

INSTRUMENTS = Table(
    "data/instruments.csv",
    "one scale or test",
    ("instrument",),
    (
        _text("instrument", "the name used in data/studies.csv", required=True),
        _word("integer", "whether every person's score is a whole number", ("yes", "no")),
        _text("note", "what the judgement rests on", required=True),
    ),
)

DOSES = Table(
    "data/doses.csv",
    "the doses of one drug by one route that the texts name",
    ("drug", "route"),
    (
        _text("drug", "a word of the column intervention", required=True),
        _word("route", "how it is given", ("IV", "IM", "oral", "intranasal")),
        Column("low", "number", "lowest dose in mg per kg", True),
        Column("high", "number", "highest dose in mg per kg", True),
        _key("source", "BibTeX key of the text that names the range"),
        _text("locator", "where in that text", required=True),
    ),
)

WAIVERS = Table(
    "data/waivers.csv",
    "one finding of the checks that a person has looked at and let stand",
    ("code", "study", "arm", "outcome", "source"),
    (
        _text("code", "the code of the finding", required=True),
        _key("study", "the study it is about"),
        _text("arm", "the arm, if only one is meant"),
        _text("outcome", "the outcome, if only one is meant"),
        _key("source", "the text, if only one is meant", required=False),
        _text("reason", "why it may stand", required=True),
        Column("signed", "person", "who looked: a name, and an ORCID if there is one", True),
        Column("date", "date", "the day, as 2026-11-24", True),
    ),
)

DESIGNS = Table(
    "data/designs.csv",
    "one study: how it was done",
    ("study",),
    (
        _key("study", "BibTeX key of the study"),
        _text("label", "short name for charts", required=True),
        _word("scope", "guide: the guide rests on it; context: it does not", SCOPES),
        _word("design", "kind of study", PRIMARY_DESIGNS + OTHER_DESIGNS),
        _key("cohort", "the study whose participants these are, if not its own", required=False),
        _word(
            "randomised",
            "was treatment allotted by chance",
            ("yes", "no", "unclear", "not applicable"),
        ),
        _text("masking", "who did not know the allotment"),
        _text("population", "who took part"),
        _text("country", "where"),
        Column("sites", "integer", "number of centres"),
        _text("arms", "the groups"),
        _text("comparator", "what the comparison group received"),
        _word(
            "comparator_kind",
            "kind of comparison",
            ("inactive", "active", "other treatment", "dose", "usual care", "none", "mixed"),
            required=False,
        ),
        Column("n_randomised", "integer", "people randomised"),
        Column("n_analysed", "integer", "people analysed"),
        Column("followup", "number", "longest planned or reported assessment"),
        _word("followup_unit", "unit of time", TIME_UNITS, required=False),
        _text("registration", "registry number"),
        _text("funding", "who paid"),
        Column("headline", "integer", "place among the studies that the index page opens with"),
        _text("caveat", "the one thing a reader must know"),
        _key("source", "BibTeX key of the text in which this was read"),
        _text("locator", "where in that text", required=True),
        _text("note", "anything else"),
    ),
)

GUIDE = Table(
    "data/guide.csv",
    "one reference of the guide and one text that it may be",
    ("guide_ref", "source"),
    (
        _text(
            "guide_ref", "the guide's number, or a short name where it gives none", required=True
        ),
        _key("source", "BibTeX key of the text", required=False),
        _word("status", "how sure the match is", STATUSES),
        Column("rank", "integer", "1 for the best match", True),
        _text("passage", "what the guide says there, in our words", required=True),
        _text("reason", "why this text, or why none was found", required=True),
        _text("seen_in", "where the text was seen"),
        _text("to_confirm", "fields that nobody has confirmed yet"),
    ),
)

CLAIMS = Table(
    "data/claims.csv",
    "one claim that the guide makes (or leaves out)",
    ("claim",),
    (
        _text("claim", "number of the claim", required=True),
        _text("section", "section of the guide", required=True),
        _text("guide_refs", "references that the guide gives for it, separated by ;"),
        _text("label", "the claim in a few words, for charts", required=True),
        _text("statement", "the claim in our words", required=True),
        _word("kind", "what can be checked", ("numeric", "qualitative", "omission")),
        _text("guide_value", "what the guide says", required=True),
        _text("source_value", "what its source says", required=True),
        Column("guide_rows", "query", "the guide's own rows of data/studies.csv"),
        Column("source_rows", "query", "rows of other texts that can be held against them"),
        _word(
            "quantity",
            "the column of the sources' rows that is compared, if not the reported number",
            ("dose_mg_per_kg", "infusion_minutes", "n"),
            required=False,
        ),
        _word("verdict", "how the two compare, as the curators see it", VERDICTS),
        _text("reason", "why", required=True),
        Column("studies", "keys", "studies of data/studies.csv that bear on it, separated by ;"),
        Column("outcome", "outcome", "the outcome that it is about"),
        Column("source", "keys", "BibTeX keys of the texts it was checked against", True),
        _text("locator", "where in those texts"),
    ),
)

STATEMENTS = Table(
    "data/statements.csv",
    "one quality that a claim gives to something, in a form that can be compared",
    ("claim", "subject", "quantity", "low", "high", "quality"),
    (
        _text("claim", "number of the claim", required=True),
        _text("subject", "what it is said of", required=True),
        _word("quantity", "what tells cases apart", ("dose_mg_per_kg", "days"), required=False),
        Column("low", "number", "from which amount on it is said"),
        Column("high", "number", "up to which amount; blank: without end"),
        _text("quality", "what it is said to be", required=True),
        _text("excludes", "qualities that the same cannot have, separated by ;"),
        _word("direction", "the finding it amounts to", DIRECTIONS, required=False),
        Column(
            "source_rows", "query", "rows of other texts whose direction can be held against it"
        ),
        _text("as_said", "the statement in our words", required=True),
        _text("locator", "where in the guide", required=True),
    ),
)

UNKNOWNS = Table(
    "data/unknowns.csv",
    "one open question",
    ("unknown",),
    (
        _text("unknown", "number of the question", required=True),
        _text("question", "the question in plain words", required=True),
        _text("why_open", "why nobody can answer it yet", required=True),
        _text("population", "in whom", required=True),
        _text("intervention", "what is given", required=True),
        _text("comparison", "against what"),
        _text("outcome", "measured by", required=True),
        _text("time_stamp", "when the question was put", required=True),
        _word("raised_by", "who leaves it open", ("guide", "sources", "both")),
        _text("section", "where the guide raises it"),
        _text("claims", "claims that touch it, separated by ;"),
        Column("where", "query", "which rows of data/studies.csv bear on it"),
    ),
)

AUDITS = Table(
    "data/audits.csv",
    "one person's answer on whether one result is as its source says",
    ("row", "signed"),
    (
        _text("row", "fingerprint of the result, as drawn by `evidence audit`", required=True),
        _key("study", "its study"),
        _text("arm", "its arm", required=True),
        _text("outcome", "its outcome", required=True),
        _text("as_printed", "its number, as the table has it"),
        _word("answer", "what the person found in the source", ANSWERS),
        _text("found", "what the source says instead"),
        Column("signed", "person", "who looked: a name, and an ORCID if there is one", True),
        Column("date", "date", "the day, as 2026-11-24", True),
        Column("seed", "integer", "the seed by which the row was drawn"),
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
    WAIVERS,
    AUDITS,
)
