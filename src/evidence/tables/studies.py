"""The studies and their results, as people read them."""

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import participants_by_study
from evidence.analysis.results import last_assessments
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import format_time
from evidence.tables.html_table import ReportTable


def tabulate_studies(dataset: Dataset, results: pd.DataFrame) -> ReportTable:
    """One row a study of `results`: how it was done, how many took part, what to know of it."""
    whose = participants_by_study(dataset)
    counts = results.groupby("study", sort=False).size()
    addresses = results.groupby("study", sort=False)["address"].agg(" ".join)
    designs = dataset.designs_of(list(counts.index)).set_index("study")
    shown, numbers = [], []
    for study in counts.index:
        row = designs.loc[study] if study in designs.index else pd.Series(dtype=object)
        _, people = whose.get(study, (study, 0))
        followup = row.get("followup")
        followed = (
            format_time(f"{followup:g}", row["followup_unit"])
            if pd.notna(followup)
            else "not stated"
        )
        shown.append(
            {
                "study": dataset.label(study),
                "condition": "; ".join(
                    results.loc[results["study"] == study, "condition"].unique()
                ),
                "design": row.get("design", ""),
                "people": f"{people:,}" if people else "not stated",
                "compared with": row.get("comparator", "") or "—",
                "followed for": followed,
                "results": str(counts[study]),
                "what to know": row.get("caveat", ""),
            }
        )
        numbers.append(
            {
                "name": study,
                "people": people or None,
                "results": int(counts[study]),
                "address": f"{row.get('address', '')} {addresses[study]}".strip(),
            }
        )
    return ReportTable(
        "tab-studies",
        "Studies: how each was done",
        pd.DataFrame(shown),
        pd.DataFrame(numbers, columns=["name", "people", "results", "address"]).astype(
            {"people": "Int64"}
        ),
        {"people": "participants", "results": "counted"},
        sort_keys={
            "people": [row["people"] or np.nan for row in numbers],
            "followed for": list(
                last_assessments(dataset, list(counts.index)).reindex(counts.index)
            ),
        },
        filter_columns=("condition", "design"),
    )


def tabulate_results(dataset: Dataset, results: pd.DataFrame) -> ReportTable:
    """One row a result: what was reported, as printed, by whom, and where it was read."""
    labels = {key: dataset.label(key) for key in results["source"].unique()}
    shown = pd.DataFrame(
        {
            "study": results["label"],
            "arm": [
                f"{row.arm} against {row.versus}" if row.versus else row.arm
                for row in results.itertuples()
            ],
            "outcome": [
                row.outcome + (f" ({row.instrument})" if row.instrument else "")
                for row in results.itertuples()
            ],
            "time": [format_time(row.time, row.time_unit) or "—" for row in results.itertuples()],
            "n": [str(n) if pd.notna(n) else "—" for n in results["n"]],
            "as printed": [_printed(row) for row in results.itertuples()],
            "said by": results["reported_by"],
            "read in": [f"{labels[row.source]}, {row.locator}" for row in results.itertuples()],
            "confirmed": ["yes" if row.confirmed else row.verified for row in results.itertuples()],
            "row": results["address"].str.removeprefix("data/"),
        }
    )
    numbers = results[
        ["n", "events", "value", "spread", "ci_low", "ci_high", "as_printed", "address"]
    ].copy()
    numbers.insert(0, "name", results["address"].str.removeprefix("data/"))
    return ReportTable(
        "tab-results",
        "Results, each with its address",
        shown,
        numbers,
        sort_keys={"time": list(results["days"]), "n": list(results["n"])},
        filter_columns=("study", "outcome", "said by", "confirmed"),
    )


def _printed(row) -> str:
    parts = [row.as_printed] if row.as_printed else []
    if row.direction:
        parts.append(row.direction if parts else f"{row.direction}, size not given")
    if row.measure == "count" and not parts:
        parts.append(str(row.events))
    if row.p_value and row.p_value not in row.as_printed:
        parts.append(f"p {row.p_value}")
    if row.p_adjusted:
        parts.append(f"after correction p {row.p_adjusted}")
    return "; ".join(parts) or "in words only"
