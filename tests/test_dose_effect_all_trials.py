"""Dose and effect across trials: what is drawn of each arm."""

import numpy as np
import pytest

from evidence.analysis.pooling.question import Question
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.figures.dose_effect_all_trials import lay_out_dose_effect_all_trials
from evidence.figures.layout import draw


def test_each_arm_is_drawn_with_what_was_read_of_it(grouped):
    contrast = {
        "study": "trial0", "condition": "tuberculosis", "arm": "vaccine", "role": "contrast",
        "versus": "none", "outcome": "score", "time": "1", "time_unit": "day",
        "reported_by": "publication", "source": "trial0", "locator": "p. 1", "verified": "yes",
    }  # fmt: skip
    grouped.table(
        schema.OUTCOMES, outcome="score", kind="benefit", better="lower", description="a score"
    )
    sized = {"measure": "smd", "value": "0.5", "ci_low": "0.1", "ci_high": "0.9",
             "as_printed": "0.5", "direction": "better"}  # fmt: skip
    grouped.row(**contrast | sized | {"dose": "2", "dose_unit": "mg/kg"})
    bare = {"measure": "smd", "value": "0.4", "as_printed": "0.4", "direction": "better"}
    grouped.row(**contrast | bare | {"study": "trial1", "dose": "1", "dose_unit": "mg/kg"})
    worded = {"measure": "significance", "direction": "no difference"}
    grouped.row(**contrast | worded | {"study": "trial2", "dose": "3", "dose_unit": "mg/kg"})
    # An odds ratio is neither the measure asked for nor a direction: it leaves no mark.
    odds = {"measure": "odds ratio", "value": "2", "as_printed": "2"}
    grouped.row(**contrast | odds | {"study": "trial3", "dose": "4", "dose_unit": "mg/kg"})
    dataset = grouped.dataset()
    layout = lay_out_dose_effect_all_trials(
        dataset, select_results(dataset), Question("score", "smd"), confidence=0.95
    )
    frame = layout.frame.set_index("study")
    # A gain in a score that should fall is turned, so that below zero is better everywhere.
    assert frame.loc["trial0", "estimate"] == -0.5
    assert frame.loc["trial0", "ci_low"] == pytest.approx(-0.9)
    assert frame.loc["trial1", "estimate"] == -0.4
    assert np.isnan(frame.loc["trial1", "ci_low"])
    assert (frame.loc["trial2", "direction"], list(frame["dose"])) == ("no difference", [1, 2, 3])
    assert "For 1 arm only the direction is tabulated" in str(layout.caption)
    assert (
        "trial2, 3 mg/kg, 1 day, inactive comparator: no difference, size not tabulated."
        in layout.reading
    )
    draw(layout)
    nothing = lay_out_dose_effect_all_trials(
        dataset,
        select_results(dataset),
        Question("infection", "rr", conditions=("tuberculosis",), treatments=("vaccine",)),
        confidence=0.95,
    )
    assert len(nothing.frame) == 13
