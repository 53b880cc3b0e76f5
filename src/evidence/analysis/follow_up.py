"""How long an effect was still seen: one lane a study, on the clock since treatment began.

Vocabulary
----------
A *moment* is one time at which a study reports on a benefit. What was found there is `better` (arm
better than its comparator), `no difference`, `worse`, or `proportion` (a proportion without a
comparison that can be tested). `measured_to` is the last time a result is in the tables,
`followed_to` the last assessment the study describes; beyond it, nothing was measured.
"""

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import add_confidence_intervals, arm_pairs
from evidence.analysis.results import last_assessments
from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import UNSIZED_MEASURES
from evidence.provenance.sentence import Number, Sentence, format_duration, format_percent

DIRECTION_WORDS = {"better": "better", "worse": "worse", "no difference": "no difference"}
FINDING_COLUMNS = [
    "study",
    "label",
    "outcome",
    "days_low",
    "days",
    "finding",
    "text",
    "confirmed",
    "address",
]


def findings_over_time(results: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """What each study found about benefits at each time after treatment, sources only.

    Parameters
    ----------
    results : DataFrame
        From `select_results`.
    confidence : float
        A pair of counts is `better` if the interval of its risk difference excludes 0.

    Returns
    -------
    DataFrame
        `COLUMNS`: `finding` as above, `text` a few words for a label, `address` the rows.
    """
    rows = results[(results["kind"] == "benefit") & ~results["is_guide"] & (results["days"] > 0)]
    tested = arm_pairs(rows, confidence=confidence)
    shares = rows[
        (rows["measure"] == "proportion") & rows["role"].isin(["intervention", "single arm"])
    ].assign(finding="proportion")
    shares = add_confidence_intervals(shares, confidence)
    shares = shares[shares["estimate"].notna()]
    shares["text"] = [format_percent(estimate) for estimate in shares["estimate"]]
    contrasts = rows[rows["role"] == "contrast"].copy()
    contrasts["finding"] = [_found(row) for row in contrasts.itertuples()]
    contrasts["text"] = ""
    paired = pd.DataFrame(
        {
            **{name: tested[name] for name in ("study", "label", "outcome", "days", "address")},
            "days_low": tested["days"],
            "confirmed": True,
            "finding": _direction(tested["rd_low"], tested["rd_high"], tested["better"]),
            "text": [
                f"{format_percent(first)} against {format_percent(second)}"
                for first, second in zip(
                    tested["events1"] / tested["n1"], tested["events2"] / tested["n2"], strict=True
                )
            ],
        }
    )
    contrasts = contrasts[contrasts["finding"] != ""]
    # A share says nothing beside a comparison of the same outcome at the same time.
    what = ["study", "outcome", "days"]
    compared = pd.MultiIndex.from_frame(pd.concat([paired[what], contrasts[what]]))
    shares = shares[~pd.MultiIndex.from_frame(shares[what]).isin(compared)]
    parts = [paired[FINDING_COLUMNS], contrasts[FINDING_COLUMNS], shares[FINDING_COLUMNS]]
    frame = pd.concat([part for part in parts if len(part)] or [paired[FINDING_COLUMNS]])
    return frame.sort_values(["study", "days", "days_low"], kind="stable").reset_index(drop=True)


def _direction(low, high, better) -> np.ndarray:
    """A difference's finding: which side of 0 its interval lies on, and which side is good."""
    sign = np.where(low > 0, 1, np.where(high < 0, -1, 0)) * np.where(better == "lower", -1, 1)
    return np.select([sign > 0, sign < 0], ["better", "worse"], "no difference")


def _found(row) -> str:
    """The finding of one contrast row: as worded, or its size if that excludes no difference.

    A stated `direction` says whom a size favours; else its sign and the outcome's do. A size
    with neither interval nor p value finds nothing.
    """
    if row.measure in UNSIZED_MEASURES:
        return DIRECTION_WORDS[row.direction]
    null = 1.0 if row.measure in ("odds ratio", "risk ratio") else 0.0
    printed = row.p_adjusted or row.p_value
    if pd.notna(row.ci_low):
        excluded = row.ci_low > null or row.ci_high < null
    elif printed:
        excluded = float(printed.lstrip("<>")) <= 0.05
    else:
        return ""
    if not excluded:
        return "no difference"
    if row.direction:
        return DIRECTION_WORDS[row.direction]
    if pd.isna(row.value):
        return ""
    return "better" if (row.value > null) == (row.better != "lower") else "worse"


def follow_up_by_study(dataset: Dataset, found: pd.DataFrame) -> pd.DataFrame:
    """One row a study of `finding`: `measured_to` and `followed_to` in days, the shortest first.

    `address` are the rows of the last results, `design` that of the study. `followed_to` comes from
    `designs.csv` and is never earlier than the last result.
    """
    last = found[found["days"] == found.groupby("study")["days"].transform("max")]
    frame = last.groupby(["study", "label", "days"], sort=False)["address"].agg(" ".join)
    frame = frame.reset_index().rename(columns={"days": "measured_to"})
    studies = list(frame["study"].unique())
    followed = frame["study"].map(last_assessments(dataset, studies)).astype(float)
    designs = dataset.designs_of(studies).set_index("study")["address"]
    frame["design"] = frame["study"].map(designs).fillna("")
    frame["followed_to"] = np.fmax(followed, frame["measured_to"])
    return frame.sort_values(["measured_to", "label"], kind="stable").reset_index(drop=True)


def longest_follow_up(rows: pd.DataFrame) -> list[Sentence]:
    """When each study of `lanes` stopped looking, the shortest first."""
    return [
        Sentence(
            f"durability.{row.study}",
            "{label}: last result at {measured}"
            + ("; followed to {followed}." if row.followed_to > row.measured_to else "."),
            {
                "label": Number(None, row.label),
                "measured": Number(
                    row.measured_to,
                    format_duration(row.measured_to),
                    tuple(row.address.split()),
                    "days",
                ),
                "followed": Number(
                    row.followed_to,
                    format_duration(row.followed_to),
                    tuple(row.design.split()),
                    "days",
                ),
            },
        )
        for row in rows.itertuples()
    ]
