"""Tables with one comparison per row: of metafor, of Metapsy, or of anybody with a mapping."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from evidence.dataset.schema import RATIO_MEASURES
from evidence.dataset.text_checks import printable
from evidence.errors import EvidenceError, did_you_mean
from evidence.exchange.comparison import FIELDS, MEASURE_NAMES, Comparison
from evidence.exchange.sheet import Sheet
from evidence.files import YAML_MISTAKES, read_text

STUDY_COLUMNS = ("study", "slab", "studlab", "author", "authors", "trial", "label", "name", "source",
                 "studyid", "id")  # fmt: skip
"""Names of the column with the study, the usual ones first."""
ANYWHERE = ("year", "condition", "population", "outcome", "instrument", "definition", "time",
            "time_unit", "measure", "arm1", "arm2")  # fmt: skip
"""Fields that a column of the same name holds in every form."""
METAFOR: dict[str, dict[str, str]] = {
    "ai, bi, ci, di": {"events1": "ai", "nonevents1": "bi", "events2": "ci", "nonevents2": "di"},
    "ai, n1i, ci, n2i": {"events1": "ai", "n1": "n1i", "events2": "ci", "n2": "n2i"},
    "m1i, sd1i, n1i, m2i, sd2i, n2i": {
        "mean1": "m1i", "sd1": "sd1i", "n1": "n1i", "mean2": "m2i", "sd2": "sd2i", "n2": "n2i",
    },
    "yi, vi": {"estimate": "yi", "estimate_variance": "vi"},
    "yi, sei": {"estimate": "yi", "estimate_se": "sei"},
}  # fmt: skip
"""The wide forms of metafor (escalc) by their columns."""
METAPSY = {
    "outcome": "outcome_type", "arm1": "condition_arm1", "arm2": "condition_arm2",
    "mean1": "mean_arm1", "sd1": "sd_arm1", "n1": "n_arm1",
    "mean2": "mean_arm2", "sd2": "sd_arm2", "n2": "n_arm2",
    "change1": "mean_change_arm1", "change_sd1": "sd_change_arm1", "change_n1": "n_change_arm1",
    "change2": "mean_change_arm2", "change_sd2": "sd_change_arm2", "change_n2": "n_change_arm2",
    "events1": "event_arm1", "events_n1": "totaln_arm1",
    "events2": "event_arm2", "events_n2": "totaln_arm2",
    "time": "time_weeks", "estimate": "precalc_g", "estimate_se": "precalc_g_se",
}  # fmt: skip
"""Columns of the Metapsy data standard; each database has some of them."""
METAPSY_VALUES = {"time_unit": "week", "design": "randomised parallel", "measure": "smd"}
QUANTITIES = {
    "events": ("events", "event", "r", "responders", "cases", "pos"),
    "nonevents": ("nonevents", "neg", "nonresponders", "noncases"),
    "n": ("n", "total", "totaln", "randomised", "randomized", "size"),
    "mean": ("mean", "m"),
    "sd": ("sd", "stdev"),
    "se": ("se", "sem"),
}
"""Words for a number of one group in the names of columns."""
GROUPS = {
    "1": ("1", "1i", "arm1", "t", "treat", "treatment", "treated", "e", "exp", "experimental",
          "int", "intervention", "active", "drug"),
    "2": ("2", "2i", "arm2", "c", "ctrl", "control", "con", "comparator", "comparison", "placebo",
          "plc", "pbo"),
}  # fmt: skip
COMPARATOR_WORDS = {*GROUPS["2"], "waiting", "waitlist", "wl", "usual", "sham", "none", "no"}
"""Words for a group in the names of columns."""
OTHER_WORDS = {
    "year": ("year", "yr", "pubyear"),
    "time": ("weeks", "months", "days", "followup", "timepoint"),
    "estimate": ("estimate", "effect", "es", "rr", "or", "rd", "md", "smd", "hr", "g", "d"),
    "log_estimate": ("logrr", "logor", "loghr", "lnrr", "lnor", "lnhr"),
    "estimate_se": ("se", "sei", "seyi"),
    "estimate_variance": ("vi", "var", "variance"),
    "ci_low": ("lower", "low", "lci", "ll", "cilow", "cilower", "cilb"),
    "ci_high": ("upper", "high", "uci", "ul", "cihigh", "ciupper", "ciub"),
    "p_value": ("p", "pvalue", "pval"),
}
UNANSWERED = "?"
NO_FIELD = "# FIELD"
"""In the place of the field of a column in a draft that a person completes."""
TWO_OUTCOMES = (
    "# Events and means are seldom one outcome: keep the columns of one, and import the other with a\n"
    "# second mapping."
)
NO_STUDY_COLUMN = 2 * len(STUDY_COLUMNS)
"""The rank of a column that does not hold the study."""


@dataclass(frozen=True)
class ColumnMapping:
    """Which column holds each field, and the fields that are the same for all rows."""

    form: str
    columns: Mapping[str, str]
    values: Mapping[str, str]


def recognise_form(sheet: Sheet) -> ColumnMapping | None:
    """Return the mapping of a table in a form of metafor or Metapsy; None if it has another form."""
    names = {name.casefold(): name for name in sheet.header}
    study = min(sheet.header, key=lambda name: _study_rank(sheet, name))
    found = {field: names[field] for field in ANYWHERE if field in names}
    if _study_rank(sheet, study) == NO_STUDY_COLUMN:
        return None
    found["study"] = study
    if {"condition_arm1", "condition_arm2"} <= names.keys():
        columns = {field: names[name] for field, name in METAPSY.items() if name in names}
        return ColumnMapping("Metapsy", found | columns, METAPSY_VALUES)
    forms = [form for form, columns in METAFOR.items() if set(columns.values()) <= names.keys()]
    # Effects beside counts or means were computed from these.
    forms = [form for form in forms if not form.startswith("yi")] or forms[:1]
    for form in forms:
        found |= {field: names[name] for field, name in METAFOR[form].items()}
    return ColumnMapping(f"metafor ({'; '.join(forms)})", found, {}) if forms else None


def comparisons_of(
    sheet: Sheet, mapping: ColumnMapping, values: Mapping[str, str]
) -> Iterator[Comparison]:
    """Yield the comparison of each row; `values` come before its cells."""
    for line, row in sheet.rows.items():
        cells = {field: row.get(column, "") for field, column in mapping.columns.items()}
        reported = {field: cell for field, cell in cells.items() if cell}
        fields = {**mapping.values, **reported, **values}
        study, year = fields.get("study", ""), fields.get("year", "")
        study = f"Study {study}" if study.isdecimal() else study
        fields["study"] = f"{study} {year}" if year and year not in study else study
        # metafor's yi is the logarithm of a ratio.
        measure = fields.get("measure", "").casefold()
        if "yi" in mapping.form and MEASURE_NAMES.get(measure, measure) in RATIO_MEASURES:
            fields["log_estimate"] = fields.pop("estimate", "")
        yield Comparison(f"{sheet.name}, row {line}", fields, dict(mapping.columns))


def read_mapping(path: Path, sheet: Sheet) -> ColumnMapping:
    """Read a mapping file; see `draft_mapping`.

    Raise `EvidenceError` if it is not a mapping, names an unknown field or a column that the table
    lacks, or has a question mark left.
    """
    try:
        content = yaml.safe_load(read_text(path))
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, *YAML_MISTAKES) as error:
        raise EvidenceError(f"{path}: is not YAML: {error}") from None
    parts = content if isinstance(content, dict) else {"": content}
    if parts.keys() - {"columns", "values"}:
        raise EvidenceError(f"{path}: has parts other than 'columns' and 'values'")
    columns, values = (_words(path, parts.get(name)) for name in ("columns", "values"))
    for field in (*columns, *values):
        if field not in FIELDS:
            hint = did_you_mean(str(field), FIELDS)
            raise EvidenceError(
                f"{path}: unknown field '{field}'.{hint} --draft-mapping lists all fields"
            )
    for field, column in columns.items():
        if column not in sheet.header:
            hint = did_you_mean(str(column), sheet.header)
            raise EvidenceError(
                f"{path}: {field}: {sheet.name} has no column '{column}'.{hint or ''} "
                f"Its columns are: {', '.join(sheet.header)}"
            )
    open_fields = [field for field, value in values.items() if value.strip() == UNANSWERED]
    if open_fields:
        raise EvidenceError(f"{path}: answer the question mark at {', '.join(open_fields)}")
    if "study" not in columns:
        raise EvidenceError(f"{path}: no column holds the study. Add it: study: COLUMN")
    return ColumnMapping(path.name, columns, values)


def _words(path: Path, part: object) -> dict[str, str]:
    """Return a part of a mapping file as words by field; fields without one are left out."""
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise EvidenceError(f"{path}: write one 'field: word' per line below the name of a part")
    return {str(field): str(word) for field, word in part.items() if word is not None}


def draft_mapping(sheet: Sheet) -> str:
    """Draft a mapping file for a table, with what the names of its columns suggest."""
    known = recognise_form(sheet)
    guessed = dict(known.columns) if known else _guess_fields(sheet)
    without = [column for column in sheet.header if column not in guessed.values()]
    lines = [
        f"# Which column of {sheet.name} holds what: field, colon, column. Correct what is wrong, and",
        "# remove lines that do not apply. All fields are listed at the end.",
        *([TWO_OUTCOMES] if {"events1", "mean1"} <= guessed.keys() else []),
        "columns:",
        *(_mapped_line(sheet, field, column) for field, column in guessed.items()),
        *(_mapped_line(sheet, NO_FIELD, column) for column in without),
        "",
        "# The same for all rows. Answer the question marks.",
        "values:",
    ]
    asked = ["condition", "outcome", "arm1", "arm2", "better", "design"]
    if "time" in guessed:
        asked.append("time_unit")
    if {"estimate", "log_estimate"} & guessed.keys():
        asked.append("measure")
    same = known.values if known else {}
    lines += [f"  {field}: {value}" for field, value in same.items()]
    lines += [
        f'  {field}: "{UNANSWERED}"  # {FIELDS[field]}'
        for field in asked
        if field not in guessed and field not in same
    ]
    lines += ["", "# Fields:", *(f"#   {field}: {meaning}" for field, meaning in FIELDS.items())]
    return "\n".join(lines) + "\n"


def _mapped_line(sheet: Sheet, field: str, column: str) -> str:
    examples = dict.fromkeys(row.get(column, "") for row in sheet.rows.values())
    shown = printable(", ".join(list(filter(None, examples))[:3]))
    if field == NO_FIELD:
        return f"  {field}: {printable(column)}  # {shown}"
    style = None if column.isprintable() else '"'
    text = yaml.safe_dump({field: column}, allow_unicode=True, width=math.inf, default_style=style)
    return f"  {text.strip()}  # {shown}"


def _guess_fields(sheet: Sheet) -> dict[str, str]:
    """Return the field that each column's name suggests, by field; each field once."""
    guesses: dict[str, str] = {}
    by_rank = sorted(sheet.header, key=lambda name: _study_rank(sheet, name))
    if _study_rank(sheet, by_rank[0]) < NO_STUDY_COLUMN:
        guesses["study"] = by_rank[0]
    for column in sheet.header:
        field = _guess_field(column)
        if field and field not in guesses:
            guesses[field] = column
    pairs = _guess_pairs([name for name in sheet.header if name not in guesses.values()])
    return guesses | {field: column for field, column in pairs.items() if field not in guesses}


def _guess_pairs(columns: list[str]) -> dict[str, str]:
    """Return fields of two columns each that have a quantity in common and name different groups.

    Responders (exercise) and Responders (waiting list) are events1 and events2.
    """
    by_quantity: dict[str, dict[str, set[str]]] = {}
    for column in columns:
        words = set(re.findall(r"[a-z]+", column.casefold()))
        quantity = next((name for name, known in QUANTITIES.items() if words & {*known}), "")
        by_quantity.setdefault(quantity, {})[column] = words
    guesses: dict[str, str] = {}
    for quantity, pair in by_quantity.items():
        if quantity and len(pair) == 2:
            # The comparator is second; without a word for it, as the columns stand.
            ordered = sorted(pair, key=lambda name: bool(pair[name] & COMPARATOR_WORDS))
            guesses |= {f"{quantity}{side}": name for side, name in zip("12", ordered, strict=True)}
    return guesses


def _study_rank(sheet: Sheet, column: str) -> int:
    """Return how well a column fits as the name of the study: names before numbers."""
    name = re.sub(r"[^a-z]", "", column.casefold())
    if name not in STUDY_COLUMNS:
        return NO_STUDY_COLUMN
    is_number = all(row.get(column, "").isdecimal() for row in sheet.rows.values())
    return STUDY_COLUMNS.index(name) + is_number * len(STUDY_COLUMNS)


def _guess_field(column: str) -> str:
    words = re.findall(r"[a-z]+|\d+i?", column.casefold())
    joined = "".join(words)
    for quantity, names in QUANTITIES.items():
        for side, groups in GROUPS.items():
            if any(joined in (name + group, group + name) for name in names for group in groups):
                return quantity + side
    if joined in FIELDS:
        return joined
    return next((field for field, names in OTHER_WORDS.items() if joined in names), "")
