"""Show the studies and their results as tables."""

import pandas as pd

from evidence.analysis.eligible_evidence import StudySize, study_sizes, subjects_number
from evidence.analysis.results import last_assessments
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import format_duration, format_time
from evidence.tables.html_table import ReportTable

RESULT_NUMBERS = ["n", "events", "value", "spread", "ci_low", "ci_high", "as_printed", "address"]


def tabulate_studies(dataset: Dataset, results: pd.DataFrame) -> ReportTable:
    """Return a table with one row per study: design, participants, follow-up and caveat."""
    sizes = study_sizes(dataset)
    studies = list(results["study"].unique())
    designs = dataset.designs_of(studies).set_index("study")
    stated = last_assessments(dataset, studies).reindex(studies)
    records, values, lengths = [], [], []
    for study in studies:
        rows = results[results["study"] == study]
        design = designs.loc[study] if study in designs.index else pd.Series(dtype=object)
        size = sizes.get(study, StudySize(study, 0))
        participants = 0 if size.is_animal else size.n
        measured = rows["days"].where(rows["days"] > 0).max()
        lengths.append(measured if pd.isna(stated[study]) else stated[study])
        records.append(
            {
                "study": dataset.label(study),
                "condition": "; ".join(rows["condition"].unique()),
                "design": design.get("design", ""),
                "participants": _subjects(size),
                "comparator": design.get("comparator", "") or "—",
                "follow-up": _follow_up(design, stated[study], measured),
                "results": str(len(rows)),
                "caveat": design.get("caveat", ""),
            }
        )
        addresses = [*filter(None, [design.get("address", "")]), *rows["address"]]
        values.append((study, participants or None, len(rows), " ".join(addresses)))
    numbers = pd.DataFrame(values, columns=["name", "participants", "results", "address"])
    numbers = numbers.astype({"participants": "Int64"})
    return ReportTable(
        "tab-studies",
        "Studies and their designs",
        pd.DataFrame(records),
        numbers,
        {"participants": "participants", "results": "counted"},
        sort_keys={"participants": list(numbers["participants"]), "follow-up": lengths},
        filter_columns=("condition", "design"),
        second_line=("caveat",),
    )


def _subjects(size: StudySize) -> str:
    if not size.n:
        return "not stated"
    return str(subjects_number(0, size.n)) if size.is_animal else f"{size.n:,}"


def tabulate_results(dataset: Dataset, results: pd.DataFrame) -> ReportTable:
    """Return a table with one row per result: as printed, by whom, and where it was read.

    A row that repeats a result of another text says so.
    """
    labels = {key: dataset.label(key) for key in results["source"].unique()}
    rows = list(results.itertuples())
    addresses = results["address"].str.removeprefix("data/")
    frame = pd.DataFrame(
        {
            "study": results["label"],
            "arm": [f"{r.arm} against {r.versus}" if r.versus else r.arm for r in rows],
            "outcome": [
                f"{row.outcome} ({row.instrument})" if row.instrument else row.outcome
                for row in rows
            ],
            "time": [format_time(row.time, row.time_unit) or "—" for row in rows],
            "n": [str(n) if pd.notna(n) else "—" for n in results["n"]],
            "as printed": [_printed_result(row) for row in rows],
            "reported by": results["reported_by"],
            "read in": [
                f"{labels[row.source]}, {row.locator}{_repeats(dataset, row)}" for row in rows
            ],
            "confirmed": list(results["verified"]),
            "row": addresses,
        }
    )
    numbers = results[RESULT_NUMBERS].copy()
    numbers.insert(0, "name", addresses)
    return ReportTable(
        "tab-results",
        "Results, each with its row",
        frame,
        numbers,
        sort_keys={
            "time": list(results["days"]),
            "n": list(results["n"]),
            "as printed": list(
                results["value"].fillna((results["events"] / results["n"]).astype(float))
            ),
        },
        filter_columns=("study", "outcome", "reported by", "confirmed"),
        second_line=("reported by", "read in", "confirmed", "row"),
    )


def _follow_up(design: pd.Series, stated: float, measured: float) -> str:
    """Return the follow-up as `designs.csv` states it, else what other tables tell, in days."""
    length = design.get("followup")
    if pd.notna(length):
        return format_time(f"{length:g}", design["followup_unit"])
    if pd.isna(stated) and pd.notna(measured):
        return f"at least {format_duration(measured)}"
    return format_duration(stated)


def _repeats(dataset: Dataset, row) -> str:
    return f"; second report of {dataset.label(row.repeats)}, not counted" if row.repeats else ""


def _printed_result(row) -> str:
    parts = [row.as_printed] if row.as_printed else []
    if row.direction:
        parts.append(row.direction if parts else f"{row.direction}, direction only")
    if row.measure == "count" and not parts:
        parts.append(str(row.events))
    if row.p_value and row.p_value not in row.as_printed:
        parts.append(f"p {row.p_value}")
    if row.p_adjusted:
        parts.append(f"adjusted p {row.p_adjusted}")
    return "; ".join(parts) or "in words only"
