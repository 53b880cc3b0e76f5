"""What the guide says, what it rests on, and what it leaves open."""

from evidence.corpus.schema.column import Column, Table, key, text, word
from evidence.corpus.schema.words import DIRECTIONS, STATUSES, UNKNOWN_STATUSES, VERDICTS

FRESH = (
    Column("looked", "date", "the day on which somebody last looked for newer texts"),
    Column("good_until", "date", "the day until which that is good"),
)

GUIDE = Table(
    "data/guide.csv",
    "one reference of the guide and one text that it may be",
    ("guide_ref", "source"),
    (
        text("guide_ref", "the guide's number, or a short name where it gives none", required=True),
        key("source", "BibTeX key of the text", required=False),
        word("status", "how sure the match is", STATUSES),
        Column("rank", "integer", "1 for the best match", True),
        text("passage", "what the guide says there, in our words", required=True),
        text("reason", "why this text, or why none was found", required=True),
        text("seen_in", "where the text was seen"),
        text("to_confirm", "fields that nobody has confirmed yet"),
    ),
)

CLAIMS = Table(
    "data/claims.csv",
    "one claim that the guide makes (or leaves out)",
    ("claim",),
    (
        text("claim", "number of the claim", required=True),
        text("section", "section of the guide", required=True),
        text("guide_refs", "references that the guide gives for it, separated by ;"),
        text("label", "the claim in a few words, for charts", required=True),
        text("statement", "the claim in our words", required=True),
        word("kind", "what can be checked", ("numeric", "qualitative", "omission")),
        text("guide_value", "what the guide says", required=True),
        text("source_value", "what its source says", required=True),
        Column("guide_rows", "query", "the guide's own rows of data/studies.csv"),
        Column("source_rows", "query", "rows of other texts that can be held against them"),
        word(
            "quantity",
            "the column of the sources' rows that is compared, if not the reported number",
            ("dose_mg_per_kg", "infusion_minutes", "n"),
            required=False,
        ),
        word("verdict", "how the two compare, as the curators see it", VERDICTS),
        text("reason", "why", required=True),
        Column("studies", "keys", "studies of data/studies.csv that bear on it, separated by ;"),
        Column("outcome", "outcome", "the outcome that it is about"),
        Column("source", "keys", "BibTeX keys of the texts it was checked against", True),
        text("locator", "where in those texts"),
        *FRESH,
    ),
)

STATEMENTS = Table(
    "data/statements.csv",
    "one quality that a claim gives to something, in a form that can be compared",
    ("claim", "subject", "quantity", "low", "high", "quality"),
    (
        text("claim", "number of the claim", required=True),
        text("subject", "what it is said of", required=True),
        word("quantity", "what tells cases apart", ("dose_mg_per_kg", "days"), required=False),
        Column("low", "number", "from which amount on it is said"),
        Column("high", "number", "up to which amount; blank: without end"),
        text("quality", "what it is said to be", required=True),
        text("excludes", "qualities that the same cannot have, separated by ;"),
        word("direction", "the finding it amounts to", DIRECTIONS, required=False),
        Column(
            "source_rows", "query", "rows of other texts whose direction can be held against it"
        ),
        text("as_said", "the statement in our words", required=True),
        text("locator", "where in the guide", required=True),
    ),
)

UNKNOWNS = Table(
    "data/unknowns.csv",
    "one open question",
    ("unknown",),
    (
        text("unknown", "number of the question", required=True),
        text("question", "the question in plain words", required=True),
        text("why_open", "why nobody can answer it yet", required=True),
        text("population", "in whom", required=True),
        text("intervention", "what is given", required=True),
        text("comparison", "against what"),
        text("outcome", "measured by", required=True),
        text("time_stamp", "when the question was put", required=True),
        word("raised_by", "who leaves it open", ("guide", "sources", "both")),
        text("section", "where the guide raises it"),
        text("claims", "claims that touch it, separated by ;"),
        Column("where", "query", "which rows of data/studies.csv bear on it"),
        word(
            "status",
            "how open it is, as a curator sees it; else it is computed",
            UNKNOWN_STATUSES,
            required=False,
        ),
        text("status_reason", "why the curator overrules the computed status"),
        *FRESH,
    ),
)
