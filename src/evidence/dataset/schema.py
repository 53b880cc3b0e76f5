"""The tables of a project as data: every column with its type, its vocabulary and its meaning.

A *result* is a row of `studies.csv`: one number or finding as one text prints it. In a `contrast`
the difference is always `arm` minus `versus`. `value` is on the natural scale: a proportion lies
between 0 and 1, a ratio is not logarithmic.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

BIBLIOGRAPHY_FILE = "references.bib"
WORKBOOK_SUFFIX = ".xlsx"
"""A table may be a workbook in place of a CSV file."""

# Vocabularies

TIME_UNITS = {
    "minute": 1 / 1440,
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "month": 365.25 / 12,
    "year": 365.25,
}
"""Days in one unit of time; a month and a year are the Gregorian means."""

_AMOUNTS: tuple[dict[str, float], ...] = (
    {"mg": 1, "µg": 0.001, "mcg": 0.001, "ug": 0.001, "g": 1000},
    {"ml": 1, "l": 1000},
    {"IU": 1},
    {"minutes": 1, "minute": 1, "min": 1, "hours": 60, "hour": 60, "h": 60},
    {"sessions": 1, "session": 1},
)
_RATES = ("", "/kg", "/m2", "/day", "/week", "/session", "/kg/day", "/m2/day", "/kg/h", "/kg/min")
DOSE_UNITS = {
    (amount + rate).replace("/", separator): (next(iter(amounts)) + rate, factor)
    for amounts in _AMOUNTS
    for amount, factor in amounts.items()
    for rate in _RATES
    for separator in ("/", " per ")
}
"""The quantity that a unit of dose measures, and how much of it one unit is.

Only units of one quantity are converted: mg never becomes mg/kg, as no body weight is known.
"""

EXTRA_PREFIX = "x_"
"""How columns begin that a project adds to any table for itself."""

HUMAN_DESIGNS = (
    "randomised parallel",
    "randomised crossover",
    "non-randomised controlled",
    "open label",
    "cohort",
    "cross-sectional",
    "case series",
)
PRIMARY_DESIGNS = (*HUMAN_DESIGNS, "animal experiment", "laboratory")
"""Designs with participants of their own; only these are counted, so that nobody counts twice."""
SECONDARY_DESIGNS = (
    "meta-analysis",
    "systematic review",
    "narrative review",
    "registry record",
    "regulatory",
    "guide",
)

RATIO_MEASURES = ("risk ratio", "odds ratio", "hazard ratio", "rate ratio", "ratio")
"""Measures on a log scale; `ratio` is any other ratio."""
NUMERIC_MEASURES = (
    "modelled proportion",
    "mean",
    "median",
    "mean difference",
    "smd",
    "risk difference",
    *RATIO_MEASURES,
    "effect",
    "maximum",
)
"""Measures with a value; `effect` is an effect on any scale on which it can be pooled."""
TEXT_MEASURES = ("statement", "date", "range")
UNSIZED_MEASURES = ("significance", "direction")
"""Findings whose size is not printed."""
MEASURES = ("proportion", "count", *NUMERIC_MEASURES, "p value", *UNSIZED_MEASURES, *TEXT_MEASURES)

DIRECTIONS = ("better", "worse", "no difference")
VERDICTS = ("agrees", "omits detail", "overstated", "differs", "not checkable")
UNKNOWN_STATUSES = ("open", "narrowed", "settled")
BLINDING = ("open label", "inactive comparator", "active placebo", "indistinguishable")
"""Whether participants could tell what they got: they knew it; the comparator has no effects that
can be felt; it has effects of its own; no treatment could be felt, as under anaesthesia."""
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
COURSES = ("single", "repeated", "maintenance")
"""How a treatment was given before a result: once; as a series of sessions; on and on, to keep what
an earlier series achieved."""
COMPARATOR_KINDS = ("inactive", "active", "other treatment", "dose", "usual care", "none", "mixed")
READING_KINDS = (
    "full text",
    "abstract",
    "table",
    "figure",
    "excerpt",
    "supplement",
    "registry entry",
    "registry results",
    "second-hand",
)
"""Which part of a source was read; an excerpt is another part of its text, second-hand means that
only another text that quotes the source was read."""
SEARCH_KINDS = ("database", "register", "citations", "website", "other")
"""Where a search was made, as PRISMA 2020 tells them apart."""
AUDIT_ANSWERS = ("confirmed", "wrong", "not found", "not reachable")
"""Not found: the source was read and the number is not there. Not reachable: the source could not
be read."""
KNOWN_STUDY_STATUSES = ("tabulated", "wanted", "excluded")
GRADE_DOMAINS = (
    "risk of bias",
    "inconsistency",
    "indirectness",
    "imprecision",
    "small-study effects",
)
"""The reasons of GRADE for rating down, in the order in which they are assessed."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    kind : str
        "text"; "printed" (text with numbers as printed); "word" (one of `words`); "key" or "keys"
        (one or several keys of `target`, separated by semicolons; any words without a target);
        "integer", "number", "p", "time", "date"; "query" (a row filter); "person" (a name, with an
        ORCID if there is one).
    words : tuple of str
        The vocabulary of a "word"; for other kinds, words that are read without regard to case.
    target, second_target : str
        The file that defines the keys, and another one that may.
    header : str
        What tables show in place of the name, with the unit.
    roles : frozenset of str
        "filter": can be used in a row filter. "joined": describes the study or the outcome of a
        result and is joined to it. "audited": an auditor compares it with the source. "remark": a
        remark of the curators, which no report shows.
    """

    name: str
    kind: str
    description: str
    required: bool = False
    words: tuple[str, ...] = ()
    target: str = ""
    second_target: str = ""
    header: str = ""
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Table:
    """A file of `data/`: its columns in order, and those that together identify a row."""

    file: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    required: bool = False

    @property
    def name(self) -> str:
        """The name of the file without folder and extension."""
        return PurePosixPath(self.file).stem

    @property
    def workbook(self) -> str:
        """The file that may stand in place of the CSV file."""
        return str(PurePosixPath(self.file).with_suffix(WORKBOOK_SUFFIX))

    def column(self, name: str) -> Column:
        """Return a column by its name."""
        if name.startswith(EXTRA_PREFIX):
            return Column(name, "text", "a column of this project")
        return self.columns[self.names.index(name)]

    @property
    def names(self) -> list[str]:
        """The column names in the order of the file."""
        return [column.name for column in self.columns]

    @property
    def required_names(self) -> list[str]:
        """The columns that the file must have."""
        return [
            column.name for column in self.columns if column.required or column.name in self.key
        ]

    def with_role(self, role: str) -> list[str]:
        """Return the names of the columns with a role, in the order of the file."""
        return [column.name for column in self.columns if role in column.roles]


def _column(kind: str):
    """Return a function that defines columns of one kind; roles are separated by blanks."""

    def define(name: str, description: str, roles: str = "", **options) -> Column:
        return Column(name, kind, description, roles=frozenset(roles.split()), **options)

    return define


_text, _printed, _query, _person = map(_column, ("text", "printed", "query", "person"))
_integer, _number, _p, _time, _date = map(_column, ("integer", "number", "p", "time", "date"))
_key, _keys = map(_column, ("key", "keys"))


def _word(name: str, description: str, words: Iterable[str], roles: str = "", **options) -> Column:
    return _column("word")(name, description, roles, words=tuple(words), **options)


def _source(name: str, description: str, roles: str = "", *, required: bool = True) -> Column:
    return _key(name, description, roles, required=required, target=BIBLIOGRAPHY_FILE)


def _outcome(description: str, roles: str = "", name: str = "outcome", **options) -> Column:
    return _key(name, description, roles, target="data/outcomes.csv", **options)


_SIGNER = _person("signed_by", "who decided: a name, with an ORCID if there is one", required=True)
_SIGNED_ON = _date("date", "date of the decision, like 2026-11-24", required=True)
_REVIEW_DATES = (
    _date("last_searched", "date of the last search for newer texts"),
    _date("review_due", "date by which the search must be repeated"),
)

# Tables

STUDIES = Table(
    "data/studies.csv",
    "one reported result: a study, an arm, an outcome and a time, as one text prints it",
    ("study", "condition", "population", "arm", "versus", "outcome", "instrument", "definition",
     "time", "time_unit", "measure", "source"),
    (
        _source("study", "BibTeX key of the study that the number is about", "filter audited"),
        _text("condition", "condition of the participants or animals", "filter", required=True),
        _text("population", "who they were", "filter"),
        _text("arm", "the group; in a contrast the first of the two", "filter audited",
              required=True),
        _word("role", "role of the arm in its study",
              ("intervention", "comparator", "single arm", "contrast", "whole sample"), "filter",
              required=True),
        _text("versus", "the other arm of a contrast", "filter audited"),
        _text("intervention", "what the arm was given", "filter"),
        _number("dose", "dose, or amount of another treatment, in dose_unit", "filter",
                header="dose (in its unit)"),
        _text("dose_unit", "unit of the dose, like mg/kg, mg/day, mg/m2, sessions, minutes/week or any other",
              "filter", words=tuple(DOSE_UNITS)),
        _word("route", "route of administration", ROUTES, "filter"),
        _number("infusion_minutes", "duration of an infusion or exposure in minutes", "filter",
                header="infusion (minutes)"),
        _integer("sessions", "number of administrations", "filter", header="sessions (times)"),
        _word("course", "how the treatment was given before this result; blank: single or repeated, "
              "by the number of sessions", COURSES, "filter"),
        _number("last_dose_days", "days from the start of treatment to the last administration "
                "before this result; blank for several sessions: not known", "audited",
                header="last dose (days after the start)"),
        _outcome("what was measured; a word of data/outcomes.csv", "filter audited",
                 required=True),
        _text("instrument", "the scale or test", "filter audited"),
        _text("definition", "definition of the outcome"),
        _time("time", "time after the start of treatment: a number, or a range like 0-3",
              "audited"),
        _word("time_unit", "unit of time", TIME_UNITS, "audited"),
        _word("measure", "kind of number", MEASURES, "filter audited", required=True),
        _integer("n", "participants analysed (in a contrast: both arms together)",
                 "filter audited", header="n (participants)"),
        _integer("events", "participants with the outcome, if the count itself is printed",
                 "audited", header="events (participants)"),
        _number("value", "the number on its natural scale; a proportion is 0 to 1", "audited",
                header="value (natural scale)"),
        _number("spread", "standard deviation, standard error (of a ratio: of its logarithm) or "
                "width of the interquartile range of the value, or its t statistic", "audited",
                header="SD or SE (as value)"),
        _word("spread_kind", "which of these", ("sd", "se", "iqr", "t"), "audited"),
        _number("ci_low", "lower limit of the printed 95% CI", "audited",
                header="CI, lower limit (as value)"),
        _number("ci_high", "upper limit of the printed 95% CI", "audited",
                header="CI, upper limit (as value)"),
        _p("p_value", "p value as printed", "audited"),
        _p("p_adjusted", "p value after correction for multiple comparisons", "audited"),
        _word("direction", "whom the finding favours, arm against versus, from the participants' "
              "point of view; needed where no size is printed or its sign does not tell",
              DIRECTIONS, "audited"),
        _printed("as_printed", "the number exactly as the text prints it", "audited"),
        _word("reported_by", "kind of text",
              ("guide", "publication", "review", "registry", "press"), "filter", required=True),
        _source("source", "BibTeX key of the text in which the number was read",
                "filter audited"),
        _text("locator", "where in that text", "audited", required=True),
        _text("verified", "yes, or why the number could not be confirmed", required=True,
              words=("yes",)),
        _source("repeats", "BibTeX key of the text whose row of the same result this row repeats; "
                "such a row is shown but counted nowhere", required=False),
        _text("note", "what a reader of the row must know", "remark"),
    ),
    required=True,
)  # fmt: skip

OUTCOMES = Table(
    "data/outcomes.csv",
    "one outcome",
    ("outcome",),
    (
        _text("outcome", "the word used in data/studies.csv", required=True),
        _word("kind", "what kind of outcome it is",
              ("benefit", "harm", "baseline", "flow", "mechanism"), "filter joined",
              required=True),
        _word("better", "which direction is good", ("higher", "lower", "neither"), "joined",
              required=True),
        _outcome("an outcome that everybody with this one also has", name="subset_of"),
        _outcome("the outcome of everybody who does not have this one", "joined",
                 name="complement"),
        _integer("display_order", "position among the outcomes that charts and pages open with",
                 "joined"),
        _number("default_days", "days after treatment that are shown if no time is asked for",
                "joined"),
        _text("description", "what the word means here", required=True),
    ),
)  # fmt: skip

INSTRUMENTS = Table(
    "data/instruments.csv",
    "one scale or test",
    ("instrument",),
    (
        _text("instrument", "the name used in data/studies.csv", required=True),
        _word("integer", "whether the score of a single person is a whole number", ("yes", "no"),
              required=True),
        _word("better", "which direction is good on this scale; blank: that of its outcome",
              ("higher", "lower")),
        _text("note", "the basis of this judgement", "remark", required=True),
    ),
)  # fmt: skip

DOSES = Table(
    "data/doses.csv",
    "the doses of one drug by one route that the texts name",
    ("drug", "route"),
    (
        _text("drug", "a word of the column intervention", required=True),
        _word("route", "route of administration", ROUTES, required=True),
        _number("low", "lowest dose", required=True),
        _number("high", "highest dose", required=True),
        _text("dose_unit", "unit of both, like mg/kg", required=True, words=tuple(DOSE_UNITS)),
        _source("source", "BibTeX key of the text that names the range"),
        _text("locator", "where in that text", required=True),
    ),
)

DESIGNS = Table(
    "data/designs.csv",
    "one study and how it was conducted",
    ("study",),
    (
        _source("study", "BibTeX key of the study"),
        _text("label", "short name for charts", "joined", required=True),
        _word("scope", "core: the topic rests on it, like the studies that a guide cites; "
              "context: it does not", ("core", "context"), "filter joined", required=True),
        _word("design", "study design", PRIMARY_DESIGNS + SECONDARY_DESIGNS, "filter joined",
              required=True),
        _source("cohort", "the study whose participants these are, if not its own",
                required=False),
        _word("randomised", "whether treatment was allocated at random",
              ("yes", "no", "unclear", "not applicable"), "filter joined", required=True),
        _text("masking", "who did not know the allocation"),
        _word("blinding", "whether participants could tell what they got", BLINDING, "joined"),
        _text("population", "who took part"),
        _text("country", "where"),
        _integer("sites", "number of centres"),
        _text("arms", "the arms"),
        _text("treatment", "the treatment tested; studies with the same word can be pooled",
              "joined"),
        _text("comparator", "what the comparison group received"),
        _word("comparator_kind", "kind of comparator",
              COMPARATOR_KINDS, "filter joined"),
        _integer("n_randomised", "participants randomised", header="randomised (participants)"),
        _integer("n_analysed", "participants analysed", header="analysed (participants)"),
        _number("followup", "longest planned or reported assessment"),
        _word("followup_unit", "unit of time", TIME_UNITS),
        _outcome("the primary outcome as registered or published", name="primary_outcome"),
        _text("primary_instrument", "the scale or test of the primary outcome"),
        _time("primary_time", "time of the primary outcome after the start of treatment"),
        _word("primary_time_unit", "unit of that time", TIME_UNITS),
        _source("primary_source", "BibTeX key of the text that states the primary outcome",
                required=False),
        _text("primary_locator", "where in that text"),
        _text("registration", "registry number"),
        _text("funding", "who paid"),
        _integer("display_order", "position among the studies that the index page opens with"),
        _text("caveat", "the one thing a reader must know", "joined"),
        _source("source", "BibTeX key of the text in which this was read"),
        _text("locator", "where in that text", required=True),
        _text("note", "anything else", "remark"),
    ),
)  # fmt: skip

ARMS = Table(
    "data/arms.csv",
    "one arm of a study that tested several treatments, or had several kinds of comparator",
    ("study", "arm"),
    (
        _source("study", "BibTeX key of the study"),
        _text("arm", "the arm, as in data/studies.csv", required=True),
        _text("treatment", "the treatment that this arm tested; blank: that of data/designs.csv"),
        _word("comparator_kind", "kind of comparator that this arm is; blank: that of "
              "data/designs.csv", COMPARATOR_KINDS),
    ),
)  # fmt: skip

GUIDE = Table(
    "data/guide.csv",
    "one reference of the guide and one text that it may be",
    ("guide_ref", "source"),
    (
        _text("guide_ref", "the guide's number, or a short name where it gives none",
              required=True),
        _source("source", "BibTeX key of the text", required=False),
        _word("status", "how certain the match is",
              ("identified", "probable", "candidate", "unresolved"), required=True),
        _integer("rank", "1 for the best match", required=True),
        _text("passage", "what the guide says there, in our words", required=True),
        _text("reason", "why this text, or why none was found", required=True),
        _text("seen_in", "where the text was seen"),
        _text("to_confirm", "fields that are not confirmed yet"),
    ),
)  # fmt: skip

CLAIMS = Table(
    "data/claims.csv",
    "one claim that the guide makes, or an omission",
    ("claim",),
    (
        _text("claim", "number of the claim", required=True),
        _text("section", "section of the guide", required=True),
        _text("guide_refs", "references that the guide gives for it, separated by ;"),
        _text("label", "the claim in a few words, for charts", required=True),
        _text("statement", "the claim in our words", required=True),
        _word("kind", "what can be checked", ("numeric", "qualitative", "omission"),
              required=True),
        _printed("guide_value", "what the guide says", required=True),
        _printed("source_value", "what its source says", required=True),
        _query("guide_rows", "the guide's own rows of data/studies.csv"),
        _query("source_rows", "rows of other texts that can be compared with them"),
        _word("quantity", "the column of the sources' rows to compare, if not the reported number",
              ("dose", "infusion_minutes", "n")),
        _word("verdict", "how the two compare, in the curators' judgement", VERDICTS,
              required=True),
        _text("reason", "why", required=True),
        _keys("studies", "studies of data/studies.csv that bear on it, separated by ;",
              target=STUDIES.file),
        _outcome("the outcome that it is about"),
        _keys("source", "BibTeX keys of the texts it was checked against", required=True,
              target=BIBLIOGRAPHY_FILE),
        _text("locator", "where in those texts"),
        *_REVIEW_DATES,
    ),
)  # fmt: skip

STATEMENTS = Table(
    "data/statements.csv",
    "one quality that a claim attributes to something, in a form that can be compared",
    ("claim", "subject", "quantity", "low", "high", "quality"),
    (
        _key("claim", "number of the claim", required=True, target=CLAIMS.file),
        _text("subject", "what the claim speaks of", required=True),
        _word("quantity", "what tells cases apart", ("dose", "days")),
        _number("low", "the amount from which it is said"),
        _number("high", "the amount up to which it is said; blank: no limit"),
        _text("dose_unit", "unit of the amount, if it is a dose", words=tuple(DOSE_UNITS)),
        _text("quality", "the quality attributed", required=True),
        _text("excludes", "qualities that contradict it, separated by ;"),
        _word("direction", "the finding that it amounts to", DIRECTIONS),
        _query("source_rows", "rows of other texts whose direction can be compared with it"),
        _text("as_said", "the statement in our words", required=True),
        _text("locator", "where in the guide", required=True),
    ),
)

UNKNOWNS = Table(
    "data/unknowns.csv",
    "one question that nobody has answered",
    ("unknown",),
    (
        _text("unknown", "number of the question", required=True),
        _text("question", "the question in plain words", required=True),
        _text("why_open", "why it cannot be answered yet", required=True),
        _text("population", "in whom", required=True),
        _text("intervention", "what is given", required=True),
        _text("comparison", "compared with what"),
        _text("outcome", "measured by", required=True),
        _text("asked_on", "when the question was asked", required=True),
        _word("raised_by", "who leaves it open", ("guide", "sources", "both"), required=True),
        _text("section", "where the guide raises it"),
        _keys("claims", "claims that touch it, separated by ;", target=CLAIMS.file),
        _query("where", "the rows of data/studies.csv that bear on it"),
        _keys("conditions", "conditions that it is about, separated by ;; blank: any"),
        _keys("treatments", "treatments that it is about, separated by ;; blank: any"),
        _keys("comparators", "comparators that would answer it, separated by ;: kinds, or words of "
              "their description; blank: any"),
        _keys("outcomes", "outcomes that would answer it, separated by ;; blank: any",
              target=OUTCOMES.file),
        _number("from_days", "days after treatment from which it asks; blank: any time"),
        _word("status", "how open it is in a curator's judgement; blank: computed",
              UNKNOWN_STATUSES),
        _text("status_reason", "why the curator overrules the computed status"),
        *_REVIEW_DATES,
    ),
)  # fmt: skip

RISK_OF_BIAS = Table(
    "data/risk_of_bias.csv",
    "one judgement on one domain of a risk-of-bias tool",
    ("study", "outcome", "tool", "domain", "judged_by", "source"),
    (
        _key("study", "the study judged, or a known study that is not tabulated", required=True,
             target=BIBLIOGRAPHY_FILE, second_target="data/known_studies.csv"),
        _outcome("the outcome judged, if not the whole study"),
        _text("tool", "the tool with its version, like RoB 2 (2019)", required=True),
        _text("domain", "a domain of the tool, or overall", required=True),
        _text("judgement", "a word of the tool", required=True),
        _text("reason", "why; required for judgements of this project, and for an overall "
              "judgement that differs from the tool's rule"),
        _word("judged_by", "a published review, or this project", ("review", "project"),
              required=True),
        _source("source", "the review that prints it, or the text in which its facts were read"),
        _text("locator", "where in that text", required=True),
        _person("signed_by", "who judged, if this project: a name, with an ORCID if there is one"),
        _date("date", "date of our own judgement, like 2026-11-24"),
    ),
)  # fmt: skip

MINIMAL_IMPORTANT_DIFFERENCES = Table(
    "data/minimal_important_differences.csv",
    "one minimal important difference",
    ("outcome", "measure", "instrument"),
    (
        _outcome("a word of data/outcomes.csv", required=True),
        _word("measure", "kind of difference; rr: a ratio of proportions",
              ("rr", "rd", "md", "smd"), required=True),
        _text("instrument", "the scale, for a difference of means"),
        _number("value", "the smallest difference that matters; above 0", required=True),
        _source("source", "BibTeX key of the text that it rests on"),
        _text("locator", "where in that text", required=True),
        _text("reason", "how it was chosen", required=True),
    ),
)  # fmt: skip

GRADE_DECISIONS = Table(
    "data/grade_decisions.csv",
    "one decision on one reason for rating down the certainty of a body of evidence",
    ("question", "domain"),
    (
        _text("question", "name of the body of evidence, as in the summary of findings",
              required=True),
        _word("domain", "the reason", GRADE_DOMAINS, required=True),
        _integer("steps", "levels by which certainty is rated down: 0, 1 or 2", required=True),
        _text("reason", "why", required=True),
        _SIGNER,
        _SIGNED_ON,
    ),
)  # fmt: skip

READINGS = Table(
    "data/readings.csv",
    "one part of one source that somebody has read",
    ("source", "part"),
    (
        _source("source", "BibTeX key of the source"),
        _text("part", "the part in the words that locators begin with, like abstract or Table 2; "
              "a full text holds every locator", required=True),
        _word("kind", "which kind of part it is", READING_KINDS, required=True),
        _person("read_by", "who read it: a name, with an ORCID if there is one", required=True),
        _date("date", "date of the reading, like 2026-11-24", required=True),
        _text("url", "address of the page that was read", required=True),
        _keys("not_reported", "outcomes that this part would hold and does not, separated by ;",
              target=OUTCOMES.file),
        _text("note", "what a reader must know", "remark"),
    ),
)  # fmt: skip

SEARCHES = Table(
    "data/searches.csv",
    "one search for studies, reported as PRISMA-S asks",
    ("search",),
    (
        _text("search", "short name of the search, like S01", required=True),
        _word("kind", "where it was made", SEARCH_KINDS, required=True),
        _text("database", "name of the database, register or website, with its platform",
              required=True),
        _text("query", "the query exactly as entered", required=True),
        _text("limits", "limits and filters that were set"),
        _date("date", "date of the search, like 2026-11-24", required=True),
        _person("searched_by", "who searched: a name, with an ORCID if there is one",
                required=True),
        _keys("conditions", "conditions it was meant to find, separated by ;; blank: any"),
        _keys("treatments", "treatments it was meant to find, separated by ;; blank: any"),
        _keys("outcomes", "outcomes it was meant to find, separated by ;; blank: any",
              target=OUTCOMES.file),
        _integer("records", "records found", required=True),
        _integer("duplicates", "records removed as duplicates"),
        _integer("screened", "records screened", required=True),
        _integer("excluded", "records excluded after screening", required=True),
        _integer("kept", "records kept", required=True),
        _text("note", "what a reader must know", "remark"),
    ),
)  # fmt: skip

KNOWN_STUDIES = Table(
    "data/known_studies.csv",
    "one study that is known to exist",
    ("known_study",),
    (
        _text("known_study", "short name of the study; its BibTeX key if it has one",
              required=True),
        _text("label", "short name for charts, like Miller 2001", required=True),
        _source("study", "key of its rows in data/studies.csv, if it is tabulated",
                required=False),
        _text("registration", "registry number"),
        _text("doi", "DOI of its main report"),
        _word("design", "study design", PRIMARY_DESIGNS, required=True),
        _text("condition", "condition of the participants, as in data/studies.csv",
              required=True),
        _text("treatment", "the treatment tested, as in data/designs.csv", required=True),
        _text("comparator", "what the comparison group received"),
        _word("comparator_kind", "kind of comparator", COMPARATOR_KINDS),
        _integer("n_randomised", "participants randomised", header="randomised (participants)"),
        _keys("outcomes", "outcomes that it is known to have measured, separated by ;; blank: "
              "not known", target=OUTCOMES.file),
        _number("followup", "longest planned or reported assessment; blank: not known"),
        _word("followup_unit", "unit of time", TIME_UNITS),
        _keys("listed_by", "BibTeX keys of the reviews and registries that list it, separated "
              "by ;", required=True, target=BIBLIOGRAPHY_FILE),
        _text("locator", "where in those texts", required=True),
        _key("search", "the search that found it first", target=SEARCHES.file),
        _word("status", "whether it is tabulated, wanted, or excluded", KNOWN_STUDY_STATUSES,
              required=True),
        _text("reason", "why it is excluded"),
        _text("note", "what a reader must know", "remark"),
    ),
)  # fmt: skip

WANTED_RESULTS = Table(
    "data/wanted_results.csv",
    "one result that a source is likely to print and that nobody here has read",
    ("study", "arm", "versus", "outcome", "instrument", "time", "time_unit", "measure", "source"),
    (
        _source("study", "BibTeX key of the study"),
        _text("arm", "the group; in a contrast the first of the two", required=True),
        _text("versus", "the other arm of a contrast"),
        _outcome("what was measured", required=True),
        _text("instrument", "the scale or test"),
        _text("definition", "definition of the outcome"),
        _time("time", "time after the start of treatment"),
        _word("time_unit", "unit of time", TIME_UNITS),
        _word("measure", "kind of number", MEASURES, required=True),
        _source("source", "BibTeX key of the text that is likely to print it"),
        _text("part", "the part of that text where it would stand", required=True),
        _text("reason", "why it is expected there", required=True),
        _text("note", "what a reader must know", "remark"),
    ),
)

WAIVERS = Table(
    "data/waivers.csv",
    "one finding of the checks that a person has reviewed and accepted",
    ("code", "study", "arm", "outcome", "source"),
    (
        _text("code", "code of the finding", required=True),
        _source("study", "the study it is about"),
        _text("arm", "the arm, if only one is meant"),
        _text("outcome", "the outcome, if only one is meant"),
        _source("source", "the text, if only one is meant", required=False),
        _text("reason", "why the finding is acceptable", required=True),
        _SIGNER,
        _SIGNED_ON,
    ),
)

AUDITS = Table(
    "data/audits.csv",
    "one auditor's answer on whether one result agrees with its source",
    ("row", "signed_by"),
    (
        _text("row", "digest of the result, as drawn by `evidence audit`", required=True),
        _source("study", "its study"),
        _text("arm", "its arm", required=True),
        _text("outcome", "its outcome", required=True),
        _text("as_printed", "its number, as the table has it"),
        _word("answer", "what the auditor found", AUDIT_ANSWERS, required=True),
        _text("found", "what the source says instead"),
        _text("url", "the page on which it was read again"),
        _SIGNER,
        _SIGNED_ON,
        _integer("seed", "the seed with which the row was drawn; blank: chosen, not drawn"),
        _text("note", "a remark of the auditor", "remark"),
    ),
)  # fmt: skip

TABLES = (
    STUDIES,
    OUTCOMES,
    INSTRUMENTS,
    DOSES,
    DESIGNS,
    ARMS,
    GUIDE,
    CLAIMS,
    STATEMENTS,
    UNKNOWNS,
    RISK_OF_BIAS,
    MINIMAL_IMPORTANT_DIFFERENCES,
    GRADE_DECISIONS,
    READINGS,
    SEARCHES,
    KNOWN_STUDIES,
    WANTED_RESULTS,
    WAIVERS,
    AUDITS,
)
BY_FILE = {file: table for table in TABLES for file in (table.file, table.workbook)}
"""The table that a file holds."""


def table_file(address: str) -> str:
    """Return the file of an address (file:line), as the schema calls its table."""
    file = address.rpartition(":")[0]
    return BY_FILE[file].file if file in BY_FILE else file
