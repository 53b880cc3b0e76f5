"""Track what each study found over time since treatment, and how long it followed participants.

Vocabulary
----------
A *finding* is `better` or `worse` (than the comparator), `no difference`, or `proportion` (a
proportion that no comparison can test). `measured_to` is the time of the last result in the
tables, `followed_to` that of the last assessment that is described in what was read of the study.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import ALPHA, add_confidence_intervals, arm_pairs
from evidence.analysis.missing_results import why_missing
from evidence.analysis.results import last_assessments
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import as_listing
from evidence.dataset.schema import RATIO_MEASURES, UNSIZED_MEASURES
from evidence.provenance.sentence import Number, Sentence, format_duration, format_percent

FINDING_COLUMNS = ["study", "label", "outcome", "days_low", "days", "finding", "text", "confirmed",
                   "address"]  # fmt: skip


def findings_over_time(results: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return what the sources found on benefits at each time after treatment.

    Two counts differ if the CI of their risk difference excludes 0. The columns are
    `FINDING_COLUMNS`: `text` is a short label such as 71% against 20%, `address` the rows.
    """
    rows = results[(results["kind"] == "benefit") & ~results["is_guide"] & (results["days"] > 0)]
    compared = pd.concat([_pair_findings(rows, confidence), _contrast_findings(rows)])
    proportions = _proportion_findings(rows, confidence)
    # A proportion adds nothing to a comparison of the same outcome at the same time.
    key = ["study", "outcome", "days"]
    is_compared = pd.MultiIndex.from_frame(proportions[key]).isin(
        pd.MultiIndex.from_frame(compared[key])
    )
    frame = pd.concat([compared, proportions[~is_compared]])
    imported = set(rows.loc[rows["imported"], "address"])
    is_own = [imported.isdisjoint(addresses.split()) for addresses in frame["address"]]
    frame["confirmed"] = frame["confirmed"].astype(bool) & np.array(is_own, bool)
    return frame.sort_values(["study", "days", "days_low"], kind="stable").reset_index(drop=True)


def follow_up_by_study(dataset: Dataset, findings: pd.DataFrame) -> pd.DataFrame:
    """Return how long each study of `findings_over_time` measured and followed, the shortest first.

    Returns
    -------
    DataFrame
        One row per study: `study`, `label`, `measured_to` and `followed_to` in days (`followed_to`
        is never before the last result), `is_stated` (whether `designs.csv` states the follow-up),
        `missing` (why there are no results after the last one), `address` of the last results and
        `design`, the address of the study's row in `designs.csv`.
    """
    is_last = findings["days"] == findings.groupby("study")["days"].transform("max")
    last = findings[is_last].groupby(["study", "label", "days"], sort=False)["address"]
    frame = last.agg(" ".join).reset_index().rename(columns={"days": "measured_to"})
    studies = list(frame["study"].unique())
    stated = frame["study"].map(last_assessments(dataset, studies)).astype(float)
    designs = dataset.designs_of(studies).set_index("study")["address"]
    frame["design"] = frame["study"].map(designs).fillna("")
    frame["followed_to"] = np.fmax(stated, frame["measured_to"])
    frame["is_stated"] = stated.notna()
    readings, outcomes = dataset.readings, findings.groupby("study")["outcome"].unique()
    frame["missing"] = [_why_no_later(readings, study, outcomes[study]) for study in frame["study"]]
    return frame.sort_values(["measured_to", "label"], kind="stable").reset_index(drop=True)


@as_listing
def longest_follow_up(studies: pd.DataFrame) -> list[Sentence]:
    """Return one sentence per study of `follow_up_by_study` on its last result and assessment."""
    return [
        Sentence(
            f"durability.{row.study}",
            "{label}: last result in the tables at {measured}"
            + ("; followed to {followed}." if row.followed_to > row.measured_to else "."),
            {
                "label": row.label,
                "measured": _days(row.measured_to, row.address),
                "followed": _days(row.followed_to, row.design),
            },
        )
        for row in studies.itertuples()
    ]


def _why_no_later(readings: pd.DataFrame, study: str, outcomes: Sequence[str]) -> str:
    """Say why a study has no later results: not reported only if that holds for all outcomes."""
    reasons = {why_missing(readings, study, outcome) for outcome in outcomes}
    return min(reasons, key="not reported".__eq__)


def _days(days: float, addresses: str) -> Number:
    return Number(days, format_duration(days), tuple(addresses.split()), "days")


def _pair_findings(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Find on which side of 0 the CI of the difference of two counts lies."""
    pairs = arm_pairs(rows, confidence=confidence)
    sign = np.select([pairs["rd_low"] > 0, pairs["rd_high"] < 0], [1, -1], 0)
    sign = sign * np.where(pairs["better"] == "lower", -1, 1)
    texts = [
        f"{format_percent(row.events1 / row.n1)} against {format_percent(row.events2 / row.n2)}"
        for row in pairs.itertuples()
    ]
    finding = np.select([sign > 0, sign < 0], ["better", "worse"], "no difference")
    pairs = pairs.assign(days_low=pairs["days"], finding=finding, text=texts, confirmed=True)
    return pairs[FINDING_COLUMNS]


def _contrast_findings(rows: pd.DataFrame) -> pd.DataFrame:
    contrasts = rows[rows["role"] == "contrast"]
    findings = [_finding_of_contrast(row) for row in contrasts.itertuples()]
    contrasts = contrasts.assign(finding=findings, text="")
    return contrasts.loc[contrasts["finding"] != "", FINDING_COLUMNS]


def _proportion_findings(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    is_treated = rows["role"].isin(["intervention", "single arm"])
    proportions = rows[(rows["measure"] == "proportion") & is_treated]
    proportions = add_confidence_intervals(proportions, confidence)
    proportions = proportions[proportions["estimate"].notna()]
    texts = [format_percent(estimate) for estimate in proportions["estimate"]]
    return proportions.assign(finding="proportion", text=texts)[FINDING_COLUMNS]


def _finding_of_contrast(row) -> str:
    """Return the reported direction, or the side of an estimate that excludes no difference.

    An estimate with neither a CI nor a p value gives no finding. A reported direction says whom the
    estimate favours; without one its sign and the better side of the outcome do.
    """
    if row.measure in UNSIZED_MEASURES:
        return row.direction
    null = 1.0 if row.measure in RATIO_MEASURES else 0.0
    printed_p = row.p_adjusted or row.p_value
    if pd.notna(row.ci_low):
        is_significant = row.ci_low > null or row.ci_high < null
    elif printed_p:
        is_significant = float(printed_p.lstrip("<>")) <= ALPHA
    else:
        return ""
    if not is_significant:
        return "no difference"
    if row.direction or pd.isna(row.value):
        return row.direction
    return "better" if (row.value > null) == (row.better != "lower") else "worse"
