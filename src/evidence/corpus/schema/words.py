"""The vocabularies that more than one table or module uses."""

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

MASKINGS = ("open", "evident", "disguised", "hidden")
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
