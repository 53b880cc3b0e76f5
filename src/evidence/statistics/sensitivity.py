"""What a pooled effect rests on: each study left out, added in turn, and signs of missing ones.

Vocabulary
----------
Methods and tests as in `pooling`. Small-study tests are refused below `LEAST` studies, where they
have next to no power.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2
from scipy.stats import t as student

from evidence.statistics.heterogeneity import weighted_fit
from evidence.statistics.meta_analysis import Pooled, pool, regress, require_effects

LEAST = 10


def leave_one_out(yi: ArrayLike, vi: ArrayLike, **options) -> list[Pooled]:
    """K pooled effects, the i-th without study i.

    Parameters
    ----------
    yi, vi : array_like of shape (K,)
        At least 3 studies.
    options
        As of `pool`.

    Raises
    ------
    ValueError
        Fewer than 3 studies.
    """
    yi, vi = require_effects(yi, vi, least=3)
    keep = ~np.eye(len(yi), dtype=bool)
    return [pool(yi[rest], vi[rest], **options) for rest in keep]


def cumulative(yi: ArrayLike, vi: ArrayLike, **options) -> list[Pooled]:
    """K - 1 pooled effects: of the first two studies, the first three, and so on to all.

    Parameters
    ----------
    yi, vi : array_like of shape (K,)
        In the order in which they are added, such as by year.
    options
        As of `pool`.

    Raises
    ------
    ValueError
        Fewer than 2 studies.
    """
    yi, vi = require_effects(yi, vi)
    return [pool(yi[:k], vi[:k], **options) for k in range(2, len(yi) + 1)]


@dataclass(frozen=True)
class Subgroups:
    """A pooled effect for each group of 2 studies or more, and a test of their difference.

    `alone` are groups of a single study, which has no pooled effect. `Q_p` NaN with fewer than 2
    pooled groups.
    """

    groups: dict[Hashable, Pooled]
    alone: tuple[Hashable, ...]
    Q: float
    Q_df: int
    Q_p: float


def subgroups(yi: ArrayLike, vi: ArrayLike, group: Sequence[Hashable], **options) -> Subgroups:
    """Each group pooled by itself with its own tau², and the groups compared.

    Parameters
    ----------
    yi, vi : array_like of shape (K,)
    group : sequence of length K
    options
        As of `pool`.

    References
    ----------
    borenstein2009, chapter 19.
    """
    yi, vi = require_effects(yi, vi)
    labels = np.array([str(label) for label in group])
    members = {label: labels == str(label) for label in dict.fromkeys(group)}
    pooled = {
        label: pool(yi[rows], vi[rows], **options)
        for label, rows in members.items()
        if rows.sum() > 1
    }
    estimates = np.array([found.estimate for found in pooled.values()])
    weights = np.array([1 / found.se**2 for found in pooled.values()])
    q, degrees = np.nan, max(len(pooled) - 1, 0)
    if degrees:
        q = float(np.sum(weights * (estimates - np.average(estimates, weights=weights)) ** 2))
    alone = tuple(label for label in members if label not in pooled)
    p = float(chi2.sf(q, degrees)) if degrees else np.nan
    return Subgroups(pooled, alone, q, degrees, p)


class Egger(NamedTuple):
    """Test of a slope of effects on their standard errors: t, its degrees of freedom, p."""

    t: float
    df: int
    p: float


def _require_many(k: int, what: str) -> None:
    if k < LEAST:
        raise ValueError(f"{what} needs at least {LEAST} studies to mean anything; there are {k}")


def _on_error(vi: np.ndarray) -> np.ndarray:
    """The design matrix of a line over the standard errors."""
    return np.column_stack([np.ones(len(vi)), np.sqrt(vi)])


def egger(yi: ArrayLike, vi: ArrayLike) -> Egger:
    """Whether smaller studies have other effects, by weighted regression on the standard error.

    Raises
    ------
    ValueError
        Fewer than 10 studies, or standard errors that are all the same.

    References
    ----------
    egger1997.
    """
    yi, vi = require_effects(yi, vi)
    _require_many(len(yi), "Egger's test")
    if np.ptp(vi) == 0:
        raise ValueError("all standard errors are the same; there is no slope to test")
    beta, covariance, residuals = weighted_fit(yi, 1 / vi, _on_error(vi))
    degrees = len(yi) - 2
    scale = float(np.sum(residuals**2 / vi)) / degrees
    t = float(beta[1] / np.sqrt(scale * covariance[1, 1]))
    return Egger(t, degrees, float(2 * student.sf(abs(t), degrees)))


@dataclass(frozen=True)
class Trimmed:
    """How many studies seem to be missing on which side, and the effect with them filled in."""

    missing: int
    side: str
    filled: Pooled


def trim_and_fill(yi: ArrayLike, vi: ArrayLike, **options) -> Trimmed:
    """Studies that a symmetric funnel would need (estimator L0), added as mirror images.

    Parameters
    ----------
    yi, vi : array_like of shape (K,)
    options
        As of `pool`; also used for the centre of the funnel.

    Raises
    ------
    ValueError
        Fewer than 10 studies.

    References
    ----------
    duval2000.
    """
    yi, vi = require_effects(yi, vi)
    _require_many(len(yi), "trim and fill")
    slope = regress(yi, vi, _on_error(vi), method=options.get("method", "reml")).beta[1]
    side = "right" if slope < 0 else "left"
    sign = 1 if side == "left" else -1
    order = np.argsort(sign * yi, kind="stable")
    y, v = sign * yi[order], vi[order]
    missing, seen = 0, -1
    for _ in range(100):
        if missing == seen:
            break
        seen = missing
        kept = len(y) - missing
        centre = pool(y[:kept], v[:kept], **options).estimate
        ranks = _signed_ranks(y - centre)
        above = float(np.sum(ranks[ranks > 0]))
        k = len(y)
        missing = max(0, round((4 * above - k * (k + 1)) / (2 * k - 1)))
    centre = pool(y[: len(y) - missing], v[: len(y) - missing], **options).estimate
    mirrored = 2 * centre - y[len(y) - missing :]
    y, v = np.append(y, mirrored), np.append(v, v[len(v) - missing :])
    return Trimmed(missing, side, pool(sign * y, v, **options))


def _signed_ranks(deviations: np.ndarray) -> np.ndarray:
    """Ranks of the absolute deviations, first come first, with the signs of the deviations."""
    order = np.argsort(np.abs(deviations), kind="stable")
    ranks = np.empty(len(deviations))
    ranks[order] = np.arange(1, len(deviations) + 1)
    return np.sign(deviations) * ranks
