"""What was reported, in which words, on which scales, and how the studies were done."""

from evidence.corpus.schema.column import Column, Table, key, text, word
from evidence.corpus.schema.words import (
    DIRECTIONS,
    KINDS,
    MASKINGS,
    MEASURES,
    OTHER_DESIGNS,
    PRIMARY_DESIGNS,
    ROUTES,
    SCOPES,
    TIME_UNITS,
)

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
        key("study", "BibTeX key of the study that the number is about"),
        text("condition", "what the people (or animals) had", required=True),
        text("population", "who they were"),
        text("arm", "the group; in a contrast the first of the two", required=True),
        word(
            "role",
            "what the arm is in its study",
            ("intervention", "comparator", "single arm", "contrast", "whole sample"),
        ),
        text("versus", "the other arm of a contrast"),
        text("intervention", "what the arm was given"),
        Column("dose_mg_per_kg", "number", "dose in mg per kg of body weight"),
        word("route", "how it was given", ROUTES, required=False),
        Column("infusion_minutes", "number", "how long an infusion or exposure ran, in minutes"),
        Column("sessions", "integer", "how many times it was given"),
        Column("outcome", "outcome", "what was measured; a word of data/outcomes.csv", True),
        text("instrument", "the scale or test"),
        text("definition", "how the outcome was defined"),
        Column(
            "time", "time", "time after the start of treatment: a number or a range such as 0-3"
        ),
        word("time_unit", "unit of time", TIME_UNITS, required=False),
        word("measure", "what kind of number it is", MEASURES),
        Column("n", "integer", "people analysed (in a contrast: both arms together)"),
        Column(
            "events", "integer", "people who had the outcome, where the count itself is printed"
        ),
        Column("value", "number", "the number, on its natural scale; a proportion is 0 to 1"),
        Column("spread", "number", "standard deviation or standard error of the value"),
        word("spread_kind", "which of the two", ("sd", "se"), required=False),
        Column("ci_low", "number", "lower end of the printed 95 % interval"),
        Column("ci_high", "number", "upper end of the printed 95 % interval"),
        Column("p_value", "p", "p value as printed"),
        Column("p_adjusted", "p", "p value after correction for several comparisons"),
        word(
            "direction",
            "whom the finding favours: arm against versus, for those concerned; needed where no "
            "size is printed, and where the sign of a size does not tell",
            DIRECTIONS,
            required=False,
        ),
        text("as_printed", "the number exactly as the text prints it"),
        word(
            "reported_by",
            "the kind of text",
            ("guide", "publication", "review", "registry", "press"),
        ),
        key("source", "BibTeX key of the text in which the number was read"),
        text("locator", "where in that text", required=True),
        text("verified", "yes, or why the number could not be confirmed", required=True),
        text("note", "what a reader of the row must know"),
    ),
    required=True,
)

OUTCOMES = Table(
    "data/outcomes.csv",
    "one outcome word",
    ("outcome",),
    (
        text("outcome", "the word used in data/studies.csv", required=True),
        word("kind", "what it tells about", KINDS),
        word("better", "which direction is good", ("higher", "lower", "neither")),
        Column("within", "outcome", "an outcome that everybody with this one has as well"),
        Column("opposite", "outcome", "the outcome of everybody who does not have this one"),
        Column("headline", "integer", "place among the outcomes that charts and pages open with"),
        Column("usual_days", "number", "time after treatment at which it is usually looked at"),
        text("description", "what the word means here", required=True),
    ),
)

INSTRUMENTS = Table(
    "data/instruments.csv",
    "one scale or test",
    ("instrument",),
    (
        text("instrument", "the name used in data/studies.csv", required=True),
        word("integer", "whether every person's score is a whole number", ("yes", "no")),
        text("note", "what the judgement rests on", required=True),
    ),
)

DOSES = Table(
    "data/doses.csv",
    "the doses of one drug by one route that the texts name",
    ("drug", "route"),
    (
        text("drug", "a word of the column intervention", required=True),
        word("route", "how it is given", ROUTES),
        Column("low", "number", "lowest dose in mg per kg", True),
        Column("high", "number", "highest dose in mg per kg", True),
        key("source", "BibTeX key of the text that names the range"),
        text("locator", "where in that text", required=True),
    ),
)

DESIGNS = Table(
    "data/designs.csv",
    "one study: how it was done",
    ("study",),
    (
        key("study", "BibTeX key of the study"),
        text("label", "short name for charts", required=True),
        word("scope", "guide: the guide rests on it; context: it does not", SCOPES),
        word("design", "kind of study", PRIMARY_DESIGNS + OTHER_DESIGNS),
        key("cohort", "the study whose participants these are, if not its own", required=False),
        word(
            "randomised",
            "was treatment allotted by chance",
            ("yes", "no", "unclear", "not applicable"),
        ),
        text("masking", "who did not know the allotment"),
        word(
            "unblinding",
            "could people tell what they got",
            MASKINGS,
            required=False,
        ),
        text("population", "who took part"),
        text("country", "where"),
        Column("sites", "integer", "number of centres"),
        text("arms", "the groups"),
        text("treatment", "what is tested, in a word by which studies are put together"),
        text("comparator", "what the comparison group received"),
        word(
            "comparator_kind",
            "kind of comparison",
            ("inactive", "active", "other treatment", "dose", "usual care", "none", "mixed"),
            required=False,
        ),
        Column("n_randomised", "integer", "people randomised"),
        Column("n_analysed", "integer", "people analysed"),
        Column("followup", "number", "longest planned or reported assessment"),
        word("followup_unit", "unit of time", TIME_UNITS, required=False),
        text("registration", "registry number"),
        text("funding", "who paid"),
        Column("headline", "integer", "place among the studies that the index page opens with"),
        text("caveat", "the one thing a reader must know"),
        key("source", "BibTeX key of the text in which this was read"),
        text("locator", "where in that text", required=True),
        text("note", "anything else"),
    ),
)
