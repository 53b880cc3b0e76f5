"""Confidence intervals against published values, metafor and statsmodels; then their properties."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import Table2x2
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from evidence.statistics.confidence_intervals import (
    critical_value,
    odds_ratio_interval,
    risk_difference_interval,
    risk_ratio_interval,
    wilson_interval,
)

METAFOR = json.loads((Path(__file__).parent / "data" / "metafor_2x2.json").read_text("utf-8"))
COUNTS = [(12, 17), (5, 17), (6, 17), (73, 111), (24, 100), (0, 14), (14, 14), (1, 1), (0, 1)]
PAIRS = [(73, 111, 24, 100), (13, 26, 6, 27), (22, 40, 12, 40), (12, 20, 10, 20), (19, 36, 5, 21)]


@pytest.mark.parametrize(
    ("events", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_examples(events, n, low, high):
    """Newcombe 1998, Statistics in Medicine 17:857-872, Table I, method 3."""
    interval = wilson_interval(events, n)
    assert round(float(interval.ci_low), 4) == low
    assert round(float(interval.ci_high), 4) == high


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("events", "n"), COUNTS)
def test_wilson_agrees_with_statsmodels(events, n, confidence):
    interval = wilson_interval(events, n, confidence)
    low, high = proportion_confint(events, n, alpha=1 - confidence, method="wilson")
    assert float(interval.ci_low) == pytest.approx(low, abs=1e-12)
    assert float(interval.ci_high) == pytest.approx(high, abs=1e-12)


def test_newcombe_gives_the_published_example():
    """Newcombe 1998, Statistics in Medicine 17:873-890, Table II, 56/70 - 48/80, method 10."""
    interval = risk_difference_interval(56, 70, 48, 80)
    assert [round(float(value), 4) for value in interval] == [0.2, 0.0524, 0.3339]


@pytest.mark.parametrize("pair", PAIRS)
def test_risk_difference_agrees_with_statsmodels(pair):
    interval = risk_difference_interval(*pair)
    low, high = confint_proportions_2indep(*pair, method="newcomb")
    assert float(interval.ci_low) == pytest.approx(low, abs=1e-12)
    assert float(interval.ci_high) == pytest.approx(high, abs=1e-12)


@pytest.mark.parametrize("pair", PAIRS)
def test_ratios_agree_with_statsmodels(pair):
    a, n1, c, n2 = pair
    table = Table2x2([[a, n1 - a], [c, n2 - c]])
    ratio, odds = risk_ratio_interval(*pair), odds_ratio_interval(*pair)
    assert float(ratio.estimate) == pytest.approx(table.riskratio)
    assert (float(ratio.ci_low), float(ratio.ci_high)) == pytest.approx(table.riskratio_confint())
    assert float(odds.estimate) == pytest.approx(table.oddsratio)
    assert (float(odds.ci_low), float(odds.ci_high)) == pytest.approx(table.oddsratio_confint())


@pytest.mark.parametrize(
    ("effect", "pair", "printed"),
    [
        (risk_ratio_interval, (73, 111, 24, 100), (2.74, 1.89, 3.98)),
        (odds_ratio_interval, (73, 111, 24, 100), (6.08, 3.33, 11.12)),
        (risk_ratio_interval, (13, 26, 6, 27), (2.25, 1.01, 5.03)),
        (odds_ratio_interval, (13, 26, 6, 27), (3.50, 1.07, 11.50)),
        (odds_ratio_interval, (22, 40, 12, 40), (2.85, 1.14, 7.15)),
    ],
)
def test_ratios_of_the_trials(effect, pair, printed):
    """The last is printed in the abstract of Grunebaum 2018; the others were computed separately."""
    assert tuple(round(float(value), 2) for value in effect(*pair)) == printed


@pytest.mark.parametrize("row", METAFOR["rows"], ids=lambda row: row["label"])
def test_effects_agree_with_metafor(row):
    """13 vaccine trials (dat.bcg); calls and versions are in the file."""
    a, b, c, d = row["counts"]
    pair = (a, a + b, c, c + d)
    z = critical_value(0.95)
    for effect, measure in ((risk_ratio_interval, "RR"), (odds_ratio_interval, "OR")):
        interval, (yi, vi) = effect(*pair), row[measure]
        assert math.log(interval.estimate) == pytest.approx(yi, rel=1e-10)
        half = (math.log(interval.ci_high) - math.log(interval.ci_low)) / 2
        assert half == pytest.approx(z * math.sqrt(vi), rel=1e-10)
    assert float(risk_difference_interval(*pair).estimate) == pytest.approx(row["RD"][0], rel=1e-10)


counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.5, 0.999)


@given(counts, levels)
def test_wilson_lies_inside_0_and_1_and_around_its_estimate(pair, confidence):
    interval = wilson_interval(*pair, confidence)
    assert 0 <= interval.ci_low <= interval.estimate <= interval.ci_high <= 1
    assert interval.ci_low < interval.ci_high


@given(counts, levels)
def test_wilson_is_symmetric_in_events_and_non_events(pair, confidence):
    events, n = pair
    with_event, without = (
        wilson_interval(events, n, confidence),
        wilson_interval(n - events, n, confidence),
    )
    assert float(with_event.ci_low) == pytest.approx(1 - float(without.ci_high), abs=1e-12)


@given(counts)
def test_a_higher_confidence_is_wider(pair):
    narrow, wide = wilson_interval(*pair, 0.8), wilson_interval(*pair, 0.95)
    assert wide.ci_low <= narrow.ci_low
    assert wide.ci_high >= narrow.ci_high


@given(counts, counts)
def test_swapping_the_groups_reverses_the_effect(group1, group2):
    forth = risk_difference_interval(*group1, *group2)
    back = risk_difference_interval(*group2, *group1)
    assert float(forth.estimate) == pytest.approx(-float(back.estimate), abs=1e-12)
    assert float(forth.ci_low) == pytest.approx(-float(back.ci_high), abs=1e-12)
    ratio = risk_ratio_interval(*group1, *group2)
    inverse = risk_ratio_interval(*group2, *group1)
    if group1[0] and group2[0]:
        assert float(ratio.estimate * inverse.estimate) == pytest.approx(1)
        assert float(ratio.ci_low * inverse.ci_high) == pytest.approx(1)


@given(counts, counts)
def test_a_risk_difference_stays_between_its_bounds(group1, group2):
    interval = risk_difference_interval(*group1, *group2)
    assert -1 - 1e-12 <= interval.ci_low <= interval.estimate <= interval.ci_high <= 1 + 1e-12


def test_a_zero_count_leaves_a_ratio_undefined_without_noise():
    assert all(np.isnan(value) for value in risk_ratio_interval(0, 10, 5, 10))
    assert all(np.isnan(value) for value in odds_ratio_interval(10, 10, 5, 10))


def test_arrays_are_broadcast():
    interval = wilson_interval([12, 5], 17)
    assert interval.estimate.shape == interval.ci_low.shape == (2,)
    assert risk_ratio_interval([73, 13], [111, 26], [24, 6], [100, 27]).ci_high.shape == (2,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval(1, 0), "n must be at least 1"),
        (lambda: wilson_interval(18, 17), "events must lie between 0 and n"),
        (lambda: wilson_interval(-1, 17), "events must lie between 0 and n"),
        (lambda: wilson_interval(1, 17, 95), "confidence must lie between 0 and 1; got 95"),
        (lambda: wilson_interval(1, 17, 0), "confidence must lie between 0 and 1; got 0"),
        (lambda: risk_ratio_interval(1, 0, 1, 2), "n must be at least 1"),
        (lambda: odds_ratio_interval(3, 2, 1, 2), "events must lie between 0 and n"),
    ],
)
def test_impossible_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
