"""Sensitivity of a pooled mean: leave-one-out, cumulative, subgroups and small-study effects.

`yi` and `vi` are as in `meta_analysis`, array_like of shape (K,), and `options` are those of
`meta_analysis.pool`. Fewer studies than an analysis needs raise ValueError.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, stdtr

from evidence.statistics.meta_analysis import (
    PooledMean,
    WaldTest,
    check_effects,
    fit_regression,
    pool,
)

MIN_STUDIES_FOR_ASYMMETRY = 10
"""Below this number, tests of funnel plot asymmetry have too little power."""
_MAX_TRIM_STEPS = 100


@dataclass(frozen=True)
class Subgroups:
    """A pooled mean for each subgroup of 2 or more studies, and the test of their difference.

    `difference` is None with fewer than 2 pooled subgroups.
    """

    groups: Mapping[Hashable, Any]
    difference: WaldTest | None


class EggerTest(NamedTuple):
    """Test of the slope of effects on their standard errors."""

    t: float
    df: int
    p: float


@dataclass(frozen=True)
class TrimAndFill:
    """Number and side of the studies that seem to be missing, and the mean with them added."""

    missing: int
    side: str
    filled: PooledMean


def leave_one_out(yi: ArrayLike, vi: ArrayLike, **options) -> list[PooledMean]:
    """Return K pooled means, the i-th without study i, of 3 or more studies."""
    yi, vi = check_effects(yi, vi)
    if len(yi) < 3:
        raise ValueError(f"leave-one-out analysis needs at least 3 studies; there are {len(yi)}")
    return [pool(yi[others], vi[others], **options) for others in ~np.eye(len(yi), dtype=bool)]


def cumulative_meta_analysis(yi: ArrayLike, vi: ArrayLike, **options) -> list[PooledMean]:
    """Return K - 1 pooled means: of the first two studies, the first three, and so on.

    The studies are added in the order given, such as by year.
    """
    yi, vi = check_effects(yi, vi)
    return [pool(yi[:k], vi[:k], **options) for k in range(2, len(yi) + 1)]


def subgroup_analysis(
    yi: ArrayLike, vi: ArrayLike, group: Sequence[Hashable], **options
) -> Subgroups:
    """Pool each subgroup with a tau² of its own and test whether the subgroups differ.

    References: borenstein2009, chapter 19.
    """
    yi, vi = check_effects(yi, vi)
    members = {name: [label == name for label in group] for name in dict.fromkeys(group)}
    groups = {
        name: pool(yi[rows], vi[rows], **options) for name, rows in members.items() if sum(rows) > 1
    }
    return compare_subgroups(groups)


def compare_subgroups(groups: Mapping[Hashable, Any]) -> Subgroups:
    """Test whether the pooled means of subgroups, from any model, differ."""
    estimates = np.array([pooled.estimate for pooled in groups.values()])
    weights = np.array([1 / pooled.se**2 for pooled in groups.values()])
    difference, df = None, len(groups) - 1
    if df > 0:
        q = float(np.sum(weights * (estimates - np.average(estimates, weights=weights)) ** 2))
        difference = WaldTest(q, df, np.nan, float(chdtrc(df, q)))
    return Subgroups(groups, difference)


def egger_test(yi: ArrayLike, vi: ArrayLike) -> EggerTest:
    """Test funnel plot asymmetry by weighted regression of effects on their standard errors.

    Raise `ValueError` for fewer than 10 studies, or standard errors that are all the same.
    References: egger1997.
    """
    yi, vi = check_effects(yi, vi)
    _check_number("Egger's test", len(yi))
    if np.ptp(vi) == 0:
        raise ValueError("all standard errors are the same; there is no slope to test")
    # Egger's regression has a multiplicative dispersion and no tau²: Knapp-Hartung at tau² = 0.
    fit = fit_regression(yi, vi, _design_on_standard_errors(vi), test="knha", tau2=0.0)
    t, df = float(fit.statistic[1]), len(yi) - 2
    return EggerTest(t, df, float(2 * stdtr(df, -abs(t))))


def trim_and_fill(yi: ArrayLike, vi: ArrayLike, **options) -> TrimAndFill:
    """Add the mirror images of studies that a symmetric funnel plot would need (estimator L0).

    The options also apply to the centre of the funnel; 10 or more studies are needed. References:
    duval2000.
    """
    yi, vi = check_effects(yi, vi)
    k = len(yi)
    _check_number("trim and fill", k)
    method = options.get("method", "reml")
    slope = fit_regression(yi, vi, _design_on_standard_errors(vi), method=method).beta[1]
    side, sign = ("right", -1) if slope < 0 else ("left", 1)
    order = np.argsort(sign * yi, kind="stable")
    y, v = sign * yi[order], vi[order]
    missing, previous = 0, -1
    for _ in range(_MAX_TRIM_STEPS):
        if missing == previous:
            break
        previous = missing
        centre = pool(y[: k - missing], v[: k - missing], **options).estimate
        ranks = _signed_ranks(y - centre)
        rank_sum = float(np.sum(ranks[ranks > 0]))
        missing = max(0, round((4 * rank_sum - k * (k + 1)) / (2 * k - 1)))
    centre = pool(y[: k - missing], v[: k - missing], **options).estimate
    mirrored = 2 * centre - y[k - missing :]
    y, v = np.append(y, mirrored), np.append(v, v[k - missing :])
    return TrimAndFill(missing, side, pool(sign * y, v, **options))


def _check_number(analysis: str, k: int) -> None:
    if k < MIN_STUDIES_FOR_ASYMMETRY:
        raise ValueError(
            f"{analysis} needs at least {MIN_STUDIES_FOR_ASYMMETRY} studies; there are {k}"
        )


def _design_on_standard_errors(vi: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(vi)), np.sqrt(vi)])


def _signed_ranks(deviations: np.ndarray) -> np.ndarray:
    """Ranks of the absolute deviations, ties in order of appearance, with their signs."""
    order = np.argsort(np.abs(deviations), kind="stable")
    ranks = np.empty(len(deviations))
    ranks[order] = np.arange(1, len(deviations) + 1)
    return np.sign(deviations) * ranks
