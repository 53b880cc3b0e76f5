"""What does not add up, with what would settle it and who let it stand.

What a view shows, as a table: one row a line of its chart.
"""

import numpy as np
import pandas as pd

from evidence.analysis.checks import check_consistency
from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import format_percent
from evidence.tables.html_table import ReportTable


def tabulate_check_findings(dataset: Dataset, results: pd.DataFrame) -> ReportTable:
    """One row a finding about the studies of `results`; waivers stand with reason and signature."""
    studies = set(results["study"])
    findings = [finding for finding in check_consistency(dataset) if finding.study in studies]
    shown = pd.DataFrame(
        {
            "study": [dataset.label(finding.study) for finding in findings],
            "what does not add up": [finding.message for finding in findings],
            "what would settle it": [finding.resolution for finding in findings],
            "why it stands": [finding.waiver or "open" for finding in findings],
            "check": [f"{finding.code} ({finding.severity})" for finding in findings],
            "rows": [" ".join(finding.rows).replace("data/", "") for finding in findings],
        }
    )
    numbers = pd.DataFrame(
        {
            "name": [f"{finding.code}/{finding.rows[0]}" for finding in findings],
            "address": [" ".join(finding.rows) for finding in findings],
        }
    )
    return ReportTable(
        "tab-findings",
        "Numbers that do not add up",
        shown,
        numbers,
        filter_columns=("check",),
    )


RISK = {"some": "some concerns", "unknown": "no information", "": "not judged"}
"""Levels of the risk of bias that do not speak for themselves."""


def tabulate_query(layout) -> ReportTable:
    """The studies of a view and their pool, with the rows of the tables that each came from.

    `layout` is that of the chart.
    """
    rows = layout.frame.to_dict("records")
    ends = [format_estimates(layout.measure, row["ci_low"], row["ci_high"]) for row in rows]
    shown = pd.DataFrame(
        {
            "study": [row["label"] for row in rows],
            "what was compared": [row["details"] for row in rows],
            MEASURE_LABELS.get(layout.measure, "share of people"): [
                format_estimates(layout.measure, row["estimate"])[0] for row in rows
            ],
            "interval": [f"{low} to {high}" for low, high in ends],
            "weight": [format_percent(row["weight"]) if np.isfinite(row["weight"]) else "—"
                       for row in rows],
            "risk of bias": [RISK.get(row["risk"], row["risk"]) if row["kind"] == "study" else "—"
                             for row in rows],
            "rows": [row["address"].replace("data/", "") for row in rows],
        }
    )  # fmt: skip
    return ReportTable(
        "tab-view", "What each study brings", shown, layout.frame[["name", "address"]]
    )
