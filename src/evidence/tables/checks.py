"""Show the findings of the consistency checks, and the studies of an explorer query, as tables."""

from typing import Any

import pandas as pd

from evidence.analysis.certainty.risk_of_bias import LEVELS
from evidence.analysis.checks import check_consistency
from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.dataset.dataset import Dataset
from evidence.tables.html_table import ReportTable
from evidence.tables.sort_keys import ranks

RISK_LABELS = {"some": "some concerns", "unknown": "no information", "": "not judged"}
"""Levels of risk of bias that need more words."""
QUERY_COLUMNS = {"time": "time", "group1": "treated", "group2": "comparator"}
"""Headers of the columns of a forest plot that the table of a query has if they are filled."""


def tabulate_check_findings(dataset: Dataset, results: pd.DataFrame) -> ReportTable:
    """Return a table with one row per finding about the studies of `results`, with its waiver."""
    studies = set(results["study"])
    findings = [finding for finding in check_consistency(dataset) if finding.study in studies]
    addresses = [" ".join(finding.rows) for finding in findings]
    frame = pd.DataFrame(
        {
            "study": [dataset.label(finding.study) for finding in findings],
            "finding": [finding.message for finding in findings],
            "how to resolve it": [finding.resolution for finding in findings],
            "why it is waived": [finding.waiver or "not waived" for finding in findings],
            "check": [f"{finding.code} ({finding.severity})" for finding in findings],
            "rows": [address.replace("data/", "") for address in addresses],
        }
    )
    names = [f"{finding.code}/{finding.rows[0]}" for finding in findings]
    numbers = pd.DataFrame({"name": names, "address": addresses})
    return ReportTable(
        "tab-findings",
        "Inconsistent numbers",
        frame,
        numbers,
        filter_columns=("check",),
        second_line=("how to resolve it", "why it is waived", "rows"),
    )


def tabulate_query(layout: Any) -> ReportTable:
    """Return a table with one row per line of a `ForestLayout`: the studies of a query, its pool."""
    rows = layout.frame.to_dict("records")
    limits = [format_estimates(layout.measure, row["ci_low"], row["ci_high"]) for row in rows]
    frame = pd.DataFrame(
        {
            "study": [row["label"] for row in rows],
            **{
                header: [row[name] for row in rows]
                for name, header in QUERY_COLUMNS.items()
                if any(row[name] for row in rows)
            },
            MEASURE_LABELS.get(layout.measure, "proportion"): [
                format_estimates(layout.measure, row["estimate"])[0] for row in rows
            ],
            "CI": [f"{low} to {high}" for low, high in limits],
            "weight": [row["share"] or "—" for row in rows],
            "risk of bias": [
                RISK_LABELS.get(row["risk"], row["risk"]) if row["kind"] == "study" else "—"
                for row in rows
            ],
            "rows": [row["address"].replace("data/", "") for row in rows],
        }
    )
    return ReportTable(
        "tab-view",
        "Effect of each study",
        frame,
        layout.frame[["name", "address"]],
        sort_keys={"risk of bias": ranks(layout.frame["risk"], LEVELS)},
    )
