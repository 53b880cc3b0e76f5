"""What a view shows, as a table: one row a line of its chart."""

import numpy as np
import pandas as pd

from evidence.synthesis.pooled import NAMES, show
from evidence.synthesis.wording import percent
from evidence.tables.table import Table

RISK = {"some": "some concerns", "unknown": "no information", "": "not judged"}
"""Levels of the risk of bias that do not speak for themselves."""


def tabulate_view(layout) -> Table:
    """The studies of a view and their pool, with the rows of the tables that each came from.

    `layout` is that of the chart.
    """
    rows = layout.frame.to_dict("records")
    ends = [show(layout.measure, row["ci_low"], row["ci_high"]) for row in rows]
    shown = pd.DataFrame(
        {
            "study": [row["label"] for row in rows],
            "what was compared": [row["says"] for row in rows],
            NAMES.get(layout.measure, "share of people"): [
                show(layout.measure, row["estimate"])[0] for row in rows
            ],
            "interval": [f"{low} to {high}" for low, high in ends],
            "weight": [percent(row["weight"]) if np.isfinite(row["weight"]) else "—"
                       for row in rows],
            "risk of bias": [RISK.get(row["risk"], row["risk"]) if row["kind"] == "study" else "—"
                             for row in rows],
            "rows": [row["address"].replace("data/", "") for row in rows],
        }
    )  # fmt: skip
    return Table("tab-view", "What each study brings", shown, layout.frame[["name", "address"]])
