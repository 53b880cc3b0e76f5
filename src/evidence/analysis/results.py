"""Select the results of a report and join them with their study and outcome."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import compress

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from evidence.analysis.printed_numbers import count_ranges
from evidence.dataset import schema
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset, time_in_days
from evidence.errors import ParameterError, not_one_of

SCOPES = ("core", "all")
SCALE_MEASURES = ("mean", "mean difference", "smd", "effect")
"""Measures whose sign depends on which end of a scale is good."""
TREATED_ROLES = ("intervention", "single arm", "contrast")
COMPARATOR_ROLES = ("comparator", "contrast")
SEPARATOR = "; "
"""Between several treatments, or kinds of comparator, of one study."""
IMPORTED = "imported from "
"""How `verified` begins for numbers of another program's file that nobody read at their source."""
STUDY_COLUMNS = ["study", *schema.DESIGNS.with_role("joined")]
OUTCOME_COLUMNS = ["outcome", *schema.OUTCOMES.with_role("joined")]


def spell_as(known: Iterable[str], words: Iterable[str]) -> list[str]:
    """Return words in the capitals of the known ones; a word that is none of these stays as it is."""
    exact = dict.fromkeys(known)
    by_case = {word.casefold(): word for word in reversed(exact)}
    return [word if word in exact else by_case.get(word.casefold(), word) for word in words]


def require_known(parameter: str, words: Iterable[str], allowed: Sequence[str]) -> None:
    """Refuse a word outside a vocabulary with a `ParameterError` and suggest the nearest."""
    for word in words:
        if word not in allowed:
            raise ParameterError(f"{parameter}: {not_one_of(repr(word), allowed)}")


@selection
def select_results(
    dataset: Dataset,
    *,
    scope: str = "all",
    conditions: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    with_repeats: bool = False,
) -> pd.DataFrame:
    """Select rows of `studies.csv` and join what is known about their study and outcome.

    Parameters
    ----------
    scope : {"core", "all"}
        Only studies that the guide cites, or later and contextual ones as well.
    conditions, outcomes : sequence of str
        Words of the data; none selects all.
    with_repeats : bool, optional
        Also select rows that repeat the result of another text. By default every result is
        selected once, so that nothing counts, pools or charts it twice.

    Returns
    -------
    DataFrame
        The columns of `studies.csv` except remarks, `STUDY_COLUMNS`, `OUTCOME_COLUMNS`, and:
        `days_low` and `days` (start and end of the time in days; NaN if none); `event_count`
        (events as printed, else the only count that the printed percentage allows) and
        `event_count_source` ("printed", "derived" or ""); `is_guide`; `confirmed` (verified,
        or imported from another program's file); `scale_better`
        (the good direction that `instruments.csv` declares for the scale) and `is_reversed`
        (whether that is not the one of the outcome, which `better` is otherwise). `treatment` and
        `comparator_kind` are those of the arm, see `data/arms.csv`.

    Raises
    ------
    ParameterError
        The data have no such scope, condition or outcome.
    """
    require_known("scope", [scope], SCOPES)
    require_known("conditions", conditions, list(dataset.reported_results["condition"].unique()))
    require_known("outcomes", outcomes, list(dataset.reported_results["outcome"].unique()))
    rows = _all_results(dataset)
    if not with_repeats:
        rows = rows[rows["repeats"] == ""]
    if scope == "core":
        rows = rows[rows["scope"] == "core"]
    if conditions:
        rows = rows[rows["condition"].isin(list(conditions))]
    if outcomes:
        rows = rows[rows["outcome"].isin(list(outcomes))]
    return rows.reset_index(drop=True)


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _all_results(dataset: Dataset) -> pd.DataFrame:
    # Remarks of the curators are on no page, so a new remark must not change a report.
    rows = _join(
        dataset.reported_results.drop(columns=schema.STUDIES.with_role("remark")),
        _studies(dataset),
        "study",
    )
    rows = _join(rows, dataset.outcomes[OUTCOME_COLUMNS], "outcome")
    rows["kind"] = rows["kind"].fillna("benefit")
    rows["better"] = rows["better"].fillna("neither")
    rows["complement"] = rows["complement"].fillna("")
    _declare_directions(rows, dataset)
    _declare_arms(rows, dataset)
    days = time_in_days(rows["time"], rows["time_unit"])
    rows["days_low"], rows["days"] = days["low"], days["high"]
    rows["is_guide"] = rows["reported_by"] == "guide"
    verified = rows["verified"]
    rows["imported"] = verified.str.startswith(IMPORTED)
    # Imported numbers count, but no page says that anybody confirmed them.
    rows["confirmed"] = (verified == "yes") | rows["imported"]
    rows["event_count"], rows["event_count_source"] = _event_counts(rows)
    return rows


def as_records(frame: pd.DataFrame, chosen: pd.Series, columns: Sequence[str]) -> list[dict]:
    """Return chosen rows as dictionaries of Python values; a missing integer is None.

    `DataFrame.to_dict` selects every column by its position, which takes three times as long.
    """
    mask = chosen.to_numpy(bool)
    cells = (_python_values(frame[column].array[mask]) for column in columns)
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def _python_values(array: ExtensionArray) -> list:
    if isinstance(array.dtype, pd.Int64Dtype):
        return array.to_numpy(object, na_value=None).tolist()
    return array.to_numpy().tolist()


def better_side(dataset: Dataset, outcome: str, scales: Iterable[str] = ()) -> int:
    """Return the side of no effect that favours the treatment: 1 above, -1 below, 0 unknown.

    `scales` are the directions declared for the scales used; they decide if they agree and the
    outcome itself has none.
    """
    words = dataset.outcomes.set_index("outcome")["better"]
    declared = set(scales)
    word = words.get(outcome, "neither")
    if word == "neither" and len(declared) == 1:
        word = declared.pop()
    return {"higher": 1, "lower": -1}.get(word, 0)


def _declare_directions(rows: pd.DataFrame, dataset: Dataset) -> None:
    """Set which direction is good on the scale of each row, where that is declared."""
    scales = dict(
        zip(dataset.instruments["instrument"], dataset.instruments["better"], strict=True)
    )
    is_scale = rows["measure"].isin(SCALE_MEASURES)
    declared = [scales.get(instrument, "") for instrument in rows["instrument"]]
    declared = pd.Series(declared, rows.index, dtype="str").where(is_scale, "")
    rows["scale_better"] = declared
    rows["is_reversed"] = (
        (declared != "") & (rows["better"] != declared) & (rows["better"] != "neither")
    )
    rows["better"] = rows["better"].where(declared == "", declared)


def _declare_arms(rows: pd.DataFrame, dataset: Dataset) -> None:
    """Set the treatment of each treated arm and the kind of each comparator arm.

    `arms.csv` comes first, then what the arm was given, then what `designs.csv` says of the study.
    """
    arms = dataset.arms.set_index(["study", "arm"])
    is_treated = rows["role"].isin(TREATED_ROLES)
    given = _given_treatments(rows[is_treated & (rows["treatment"] != "")])
    given |= arms["treatment"][arms["treatment"] != ""].to_dict()
    kinds = arms["comparator_kind"][arms["comparator_kind"] != ""].to_dict()
    comparator = rows["arm"].where(rows["role"] != "contrast", rows["versus"])
    for column, declared, names, concerned in (
        ("treatment", given, rows["arm"], is_treated),
        ("comparator_kind", kinds, comparator, rows["role"].isin(COMPARATOR_ROLES)),
    ):
        if declared:
            own = [declared.get(key, "") for key in zip(rows["study"], names, strict=True)]
            own = pd.Series(own, rows.index, dtype="str").where(concerned, "")
            rows[column] = rows[column].where(own == "", own)


def _given_treatments(rows: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the treatment of arms that were given another one than their study tested.

    It is what the arm was given, if that is a treatment of another study, or if only other arms of
    the study were given what the study tested. The treatments of a study are separated by ";".
    """
    treatments = {word for cell in rows["treatment"].unique() for word in cell.split(SEPARATOR)}
    given: dict[tuple[str, str], str] = {}
    tested_in: dict[str, list[str]] = {}
    interventions: dict[str, dict[str, list[str]]] = {}
    columns = rows[["study", "arm", "treatment", "intervention"]].drop_duplicates()
    for study, arm, treatment, intervention in columns.itertuples(index=False):
        tested_in.setdefault(study, treatment.split(SEPARATOR))
        interventions.setdefault(study, {}).setdefault(arm, []).append(intervention)
    for study, arms in interventions.items():
        tested = tested_in[study]
        texts = {arm: [text for text in (*given_to, arm) if text] for arm, given_to in arms.items()}
        named = {
            arm: max((word for word in tested if _names_one(cells, word)), key=len, default="")
            for arm, cells in texts.items()
        }
        for arm, cells in texts.items():
            other = next((text for text in cells[:-1] if text in treatments - set(tested)), "")
            if not (other or named[arm]) and any(named.values()):
                other = cells[0]
            if other or (named[arm] and len(tested) > 1):
                given[study, arm] = other or named[arm]
    return given


def _names_one(texts: Iterable[str], words: str) -> bool:
    """Tell whether one of these texts holds the words as whole words."""
    pattern = re.compile(rf"(?<![\w-]){re.escape(words)}(?![\w-])", re.IGNORECASE)
    return any(map(pattern.search, texts))


def matches_arms(results: pd.DataFrame, column: str, values: Sequence[str]) -> pd.Series:
    """Tell which rows belong to these treatments, or to these kinds of comparator.

    A value that is neither may be the name of an arm. The comparator arms of a study belong to each
    of its treatments, and its treated arms to each of its comparators.
    """
    is_treatment = column == "treatment"
    carriers = TREATED_ROLES if is_treatment else COMPARATOR_ROLES
    # Lists, because operations on a column of texts take ten times as long.
    studies, roles, cells, names = (
        results[name].tolist() for name in ("study", "role", column, "arm")
    )
    if not is_treatment:
        others = zip(roles, names, results["versus"].tolist(), strict=True)
        names = [versus if role == "contrast" else name for role, name, versus in others]
    arms = set(values).difference(cells)
    matches = [
        cell in values or (role in carriers and name in arms)
        for cell, role, name in zip(cells, roles, names, strict=True)
    ]
    matched = set(compress(studies, matches))
    belongs = [
        match or (role not in carriers and study in matched)
        for match, role, study in zip(matches, roles, studies, strict=True)
    ]
    return pd.Series(belongs, results.index, dtype=bool)


def last_assessments(dataset: Dataset, studies: Sequence[str]) -> pd.Series:
    """Return the last assessment that a table states for studies, in days; NaN if none does.

    `designs.csv` comes before `known_studies.csv`.
    """
    days = _follow_up_days(dataset.designs_of(studies))
    known = _known_follow_ups(dataset, list(studies))
    return days.fillna(days.index.to_series().map(known))


@selection
def _known_follow_ups(dataset: Dataset, studies: Sequence[str]) -> dict[str, float]:
    known = dataset.known_studies
    days = _follow_up_days(known[known["study"].isin(studies)]).dropna()
    return {str(study): float(length) for study, length in days.items()}


def _follow_up_days(rows: pd.DataFrame) -> pd.Series:
    length = rows["followup"].map(lambda number: "" if pd.isna(number) else f"{number:g}")
    days = time_in_days(length.astype(str), rows["followup_unit"])["high"]
    return days.set_axis(rows["study"])


def _join(rows: pd.DataFrame, table: pd.DataFrame, key: str) -> pd.DataFrame:
    """Join a table with unique keys; unlike `merge` this keeps the types of missing columns."""
    positions = pd.Index(table[key]).get_indexer(rows[key])
    joined = table.drop(columns=key).reset_index(drop=True).reindex(positions)
    return rows.assign(**{name: joined[name].array for name in joined})


def _studies(dataset: Dataset) -> pd.DataFrame:
    """Return one row per study; without `designs.csv` the label comes from the bibliography."""
    if len(dataset.designs):
        return dataset.designs[STUDY_COLUMNS]
    studies = dataset.reported_results["study"].unique()
    frame = pd.DataFrame({"study": studies}, columns=STUDY_COLUMNS).fillna("")
    return frame.assign(scope="core", label=[dataset.label(study) for study in studies])


def _event_counts(rows: pd.DataFrame) -> tuple[pd.Series, np.ndarray]:
    """Return events as printed, else the only count that a printed percentage of n allows."""
    is_printed = rows["events"].notna().to_numpy()
    has_percentage = rows["measure"].eq("proportion") & rows["n"].notna() & rows["events"].isna()
    percentages = rows.loc[has_percentage, ["as_printed", "n"]]
    first, last = count_ranges(
        percentages["as_printed"].to_numpy(object), percentages["n"].to_numpy(int)
    )
    derived = pd.Series(first, percentages.index)[first == last]
    counts = rows["events"].copy()
    counts[derived.index] = derived.astype("Int64")
    is_derived = rows.index.isin(derived.index)
    return counts, np.select([is_printed, is_derived], ["printed", "derived"], "")
