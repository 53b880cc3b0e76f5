"""Effect sizes with their sampling variances, one a study, ready to be pooled.

Vocabulary
----------
`yi` is an effect, `vi` its sampling variance; ratios are on the log scale, standardised
differences are Hedges' g. Group 1 is the intervention, group 2 its comparator. The *zero-cell rule*
is metafor's `only0`: 1/2 is added to all four cells of a study in which one is 0, and of no other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from evidence.statistics.confidence_intervals import require_counts

ZERO_CELL_RULE = "1/2 is added to all four cells of a study in which one is 0"


class Effects(NamedTuple):
    """Effects `yi` and their sampling variances `vi`, arrays of shape (K,)."""

    yi: np.ndarray
    vi: np.ndarray


def _cells(events1, n1, events2, n2) -> tuple[np.ndarray, ...]:
    """The four cells of each study (events and no events, twice), by the zero-cell rule."""
    a, n1 = require_counts(events1, n1)
    c, n2 = require_counts(events2, n2)
    cells = np.stack(np.broadcast_arrays(a, n1 - a, c, n2 - c))
    cells = cells + 0.5 * (cells == 0).any(axis=0)
    return tuple(cells)


def log_risk_ratio(events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike) -> Effects:
    """Logarithm of the ratio of two proportions, by the zero-cell rule.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (K,)

    Raises
    ------
    ValueError
        Impossible counts.

    References
    ----------
    katz1978.
    """
    a, b, c, d = _cells(events1, n1, events2, n2)
    yi = np.log(a / (a + b)) - np.log(c / (c + d))
    return Effects(yi, 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))


def log_odds_ratio(events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike) -> Effects:
    """Logarithm of the ratio of two odds, by the zero-cell rule.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (K,)

    Raises
    ------
    ValueError
        Impossible counts.

    References
    ----------
    woolf1955.
    """
    a, b, c, d = _cells(events1, n1, events2, n2)
    return Effects(np.log(a / b) - np.log(c / d), 1 / a + 1 / b + 1 / c + 1 / d)


def proportion_difference(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike
) -> Effects:
    """Difference of two proportions with its large-sample variance, by the zero-cell rule.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (K,)

    Raises
    ------
    ValueError
        Impossible counts.
    """
    a, b, c, d = _cells(events1, n1, events2, n2)
    n1, n2 = a + b, c + d
    return Effects(a / n1 - c / n2, a * b / n1**3 + c * d / n2**3)


def peto_log_odds_ratio(
    events1: ArrayLike, n1: ArrayLike, events2: ArrayLike, n2: ArrayLike
) -> Effects:
    """One-step estimate of a log odds ratio, meant for rare events; needs no zero-cell rule.

    Parameters
    ----------
    events1, n1, events2, n2 : array_like of shape (K,)
        NaN results where nobody, or everybody, has the outcome.

    Raises
    ------
    ValueError
        Impossible counts.

    References
    ----------
    yusuf1985.
    """
    a, n1 = require_counts(events1, n1)
    c, n2 = require_counts(events2, n2)
    total, events = n1 + n2, a + c
    with np.errstate(divide="ignore", invalid="ignore"):
        information = events * (total - events) * n1 * n2 / (total**2 * (total - 1))
        information = np.where(information > 0, information, np.nan)
        return Effects((a - events * n1 / total) / information, 1 / information)


def logit_proportion(events: ArrayLike, n: ArrayLike) -> Effects:
    """Log odds of one proportion; 1/2 is added to both cells of a study in which one is 0.

    Parameters
    ----------
    events, n : array_like of shape (K,)

    Raises
    ------
    ValueError
        Impossible counts.
    """
    a, n = require_counts(events, n)
    cells = np.stack([a, n - a])
    a, b = cells + 0.5 * (cells == 0).any(axis=0)
    return Effects(np.log(a / b), 1 / a + 1 / b)


def raw_proportion(events: ArrayLike, n: ArrayLike) -> Effects:
    """One proportion as it is; 1/2 is added to both cells of a study in which one is 0.

    Parameters
    ----------
    events, n : array_like of shape (K,)

    Raises
    ------
    ValueError
        Impossible counts.
    """
    a, n = require_counts(events, n)
    cells = np.stack([a, n - a])
    a, b = cells + 0.5 * (cells == 0).any(axis=0)
    return Effects(a / (a + b), a * b / (a + b) ** 3)


def _require_spread(*deviations: ArrayLike) -> list[np.ndarray]:
    arrays = [np.asarray(deviation, float) for deviation in deviations]
    if any(np.any(np.isnan(array)) for array in arrays):
        raise ValueError("a standard deviation is missing; such a study cannot be used")
    if any(np.any(array <= 0) for array in arrays):
        raise ValueError("a standard deviation must be above 0")
    return arrays


def _require_people(*numbers: ArrayLike) -> list[np.ndarray]:
    arrays = [np.asarray(number, float) for number in numbers]
    if any(np.any(array < 2) for array in arrays):
        raise ValueError("n must be at least 2: one person has no standard deviation")
    return arrays


def mean_difference(
    mean1: ArrayLike, sd1: ArrayLike, n1: ArrayLike,
    mean2: ArrayLike, sd2: ArrayLike, n2: ArrayLike,
) -> Effects:  # fmt: skip
    """Difference of two means in the units of the scale, variances not assumed equal.

    Parameters
    ----------
    mean1, sd1, n1, mean2, sd2, n2 : array_like of shape (K,)

    Raises
    ------
    ValueError
        A standard deviation that is missing or not above 0, or fewer than 2 people in a group.
    """
    sd1, sd2 = _require_spread(sd1, sd2)
    n1, n2 = _require_people(n1, n2)
    return Effects(np.asarray(mean1, float) - np.asarray(mean2, float), sd1**2 / n1 + sd2**2 / n2)


def exact_correction(degrees: ArrayLike) -> np.ndarray:
    """The factor that takes the bias out of a standardised difference, by gamma functions.

    Parameters
    ----------
    degrees : array_like of shape (K,)
        Degrees of freedom of the standard deviation that it was divided by.

    References
    ----------
    hedges1981.
    """
    m = np.asarray(degrees, float)
    return np.exp(gammaln(m / 2) - np.log(np.sqrt(m / 2)) - gammaln((m - 1) / 2))


def hedges_g(
    mean1: ArrayLike, sd1: ArrayLike, n1: ArrayLike,
    mean2: ArrayLike, sd2: ArrayLike, n2: ArrayLike,
) -> Effects:  # fmt: skip
    """Difference of two means in pooled standard deviations, with the exact correction.

    Parameters
    ----------
    mean1, sd1, n1, mean2, sd2, n2 : array_like of shape (K,)

    Raises
    ------
    ValueError
        A standard deviation that is missing or not above 0, or fewer than 2 people in a group.

    References
    ----------
    hedges1981.
    """
    difference = mean_difference(mean1, sd1, n1, mean2, sd2, n2).yi
    (sd1, sd2), (n1, n2) = _require_spread(sd1, sd2), _require_people(n1, n2)
    degrees = n1 + n2 - 2
    pooled = np.sqrt(((n1 - 1) * sd1**2 + (n2 - 1) * sd2**2) / degrees)
    g = exact_correction(degrees) * difference / pooled
    return Effects(g, 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2)))


def paired_difference(
    mean1: ArrayLike, sd1: ArrayLike, mean2: ArrayLike, sd2: ArrayLike, n: ArrayLike,
    correlation: ArrayLike,
) -> Effects:  # fmt: skip
    """Difference of two means of the same people: before and after, or two periods of a crossover.

    Parameters
    ----------
    mean1, sd1, mean2, sd2, n : array_like of shape (K,)
    correlation : array_like of shape (K,)
        Between the two measurements, strictly between -1 and 1. It has to be given: without it
        the variance is not known, and assuming 0 would be wrong.

    Raises
    ------
    ValueError
        As `mean_difference`, or a correlation that is missing or impossible.
    """
    (sd1, sd2), (n,) = _require_spread(sd1, sd2), _require_people(n)
    r = _require_correlation(correlation)
    variance = (sd1**2 + sd2**2 - 2 * r * sd1 * sd2) / n
    return Effects(np.asarray(mean1, float) - np.asarray(mean2, float), variance)


def standardised_change(
    mean1: ArrayLike, mean2: ArrayLike, sd2: ArrayLike, n: ArrayLike, correlation: ArrayLike
) -> Effects:
    """Change of the same people in standard deviations before treatment, with exact correction.

    Parameters
    ----------
    mean1, mean2, sd2, n : array_like of shape (K,)
        Mean after, mean before, standard deviation before, and people.
    correlation : array_like of shape (K,)
        Between before and after, strictly between -1 and 1.

    Raises
    ------
    ValueError
        As `paired_difference`.

    References
    ----------
    becker1988.
    """
    (sd2,), (n,) = _require_spread(sd2), _require_people(n)
    r = _require_correlation(correlation)
    change = np.asarray(mean1, float) - np.asarray(mean2, float)
    g = exact_correction(n - 1) * change / sd2
    return Effects(g, 2 * (1 - r) / n + g**2 / (2 * n))


def _require_correlation(correlation: ArrayLike) -> np.ndarray:
    r = np.asarray(correlation, float)
    if np.any(np.isnan(r)):
        raise ValueError("the correlation is missing; without it the variance is not known")
    if np.any(np.abs(r) >= 1):
        raise ValueError("a correlation must lie strictly between -1 and 1")
    return r
