"""The effects of a trial's doses against its reference dose, with their covariances.

They come from means per arm, or from adjusted ratios as a study prints them. Doses share the
reference arm, so that their effects are correlated.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from evidence.statistics.effect_sizes import hedges_correction

DESIGNS = ("case-control", "cumulative incidence", "incidence rate")


class DoseContrasts(NamedTuple):
    """The effects of a trial's doses against its reference dose.

    `dose` and `effect` have shape (m,), `covariance` (m, m); ratios are logarithms.
    """

    dose: np.ndarray
    reference: float
    effect: np.ndarray
    covariance: np.ndarray


def mean_contrasts(
    dose: ArrayLike,
    mean: ArrayLike,
    sd: ArrayLike,
    n: ArrayLike,
    *,
    measure: str = "md",
    correct_bias: bool = True,
) -> DoseContrasts:
    """Return the contrasts of a trial from means per arm; the first arm is the reference.

    Raise `ValueError` for lists of unequal length, fewer than 2 arms, SDs not above 0, or fewer
    than 2 in an arm. References: crippa2016, hedges1981.

    Parameters
    ----------
    dose, mean, sd, n : array_like of shape (m + 1,)
    measure : {"md", "smd"}
        A standardised mean difference uses the SD pooled over all arms; a mean difference uses
        that of each arm, as elsewhere in this package.
    correct_bias : bool, default True
        Multiply standardised differences by Hedges' correction.
    """
    dose, mean, sd, n = _columns(dose, mean, sd, n)
    if np.any((sd <= 0) | (n < 2)):
        raise ValueError("each arm needs an SD above 0 and at least 2 participants")
    if measure == "md":
        return _contrasts(dose, mean, sd**2 / n)
    if measure != "smd":
        raise ValueError(f"measure must be one of md, smd; got {measure!r}")
    df = n.sum() - len(n)
    pooled = np.sqrt(np.sum((n - 1) * sd**2) / df)
    factor = float(hedges_correction(df)) if correct_bias else 1.0
    contrasts = _contrasts(dose, factor * mean / pooled, 1 / n)
    g = contrasts.effect
    return contrasts._replace(covariance=contrasts.covariance + np.outer(g, g) / (2 * n.sum()))


def ratio_contrasts(
    dose: ArrayLike,
    log_ratio: ArrayLike,
    se: ArrayLike,
    cases: ArrayLike,
    n: ArrayLike,
    *,
    design: str,
) -> DoseContrasts:
    """Return the contrasts of a study that prints adjusted ratios; the first row is the reference.

    The covariances, which no text prints, come from counts with the study's own margins that fit
    the adjusted ratios. Raise `ValueError` for lists of unequal length, impossible counts or
    standard errors, or an unknown design. References: greenland1992, orsini2012.

    Parameters
    ----------
    dose, log_ratio, se, cases, n : array_like of shape (m + 1,)
        `log_ratio` and `se` of the first row are ignored. `n` is cases and controls, participants,
        or person-time.
    design : {"case-control", "cumulative incidence", "incidence rate"}
        The ratio is an odds ratio, a risk ratio or a rate ratio.
    """
    dose, log_ratio, se, cases, n = _columns(dose, log_ratio, se, cases, n)
    if design not in DESIGNS:
        raise ValueError(f"design must be one of {', '.join(DESIGNS)}; got {design!r}")
    if np.any(cases <= 0) or np.any(n <= 0) or (design != DESIGNS[2] and np.any(cases >= n)):
        raise ValueError("each dose needs cases, and more participants than cases")
    log_ratio, variance = np.append(0.0, log_ratio[1:]), se[1:] ** 2
    if not np.all(np.isfinite(log_ratio) & np.isfinite(np.append(1.0, variance))):
        raise ValueError("a ratio or its standard error is missing")
    if not np.all(variance > 0):
        raise ValueError("each standard error must be above 0")
    crude = _crude_variance(*greenland_longnecker_counts(log_ratio, cases, n, design), design)
    scale = np.sqrt(variance / (crude[0] + crude[1:]))
    shared = crude[0] * np.outer(scale, scale)
    np.fill_diagonal(shared, variance)
    return DoseContrasts(dose[1:], float(dose[0]), log_ratio[1:], shared)


def greenland_longnecker_counts(
    log_ratio: np.ndarray, cases: np.ndarray, n: np.ndarray, design: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cases that fit the ratios, with the study's own totals, and `n` as it is."""
    total = cases.sum()
    if design == "incidence rate":
        expected = n * np.exp(log_ratio)
        return total * expected / expected.sum(), n

    # For cumulative incidence too, odds are fitted, as the published programs do; only the
    # correlations are taken from these counts, which hardly differ.
    def fitted(log_odds: float) -> np.ndarray:
        return n / (1 + np.exp(-log_odds - log_ratio))

    bound = 50.0 + float(np.abs(log_ratio).max())
    log_odds = brentq(lambda value: fitted(value).sum() - total, -bound, bound, xtol=1e-14)
    return fitted(log_odds), n


def _contrasts(dose: np.ndarray, values: np.ndarray, variances: np.ndarray) -> DoseContrasts:
    """Return differences from the first arm, which they share: its variance is their covariance."""
    covariance = np.diag(variances[1:]) + variances[0]
    return DoseContrasts(dose[1:], float(dose[0]), values[1:] - values[0], covariance)


def _crude_variance(cases: ArrayLike, n: ArrayLike, design: str) -> np.ndarray:
    """Return the variances of the logarithms of an odds, a proportion or a rate."""
    cases, n = np.asarray(cases, float), np.asarray(n, float)
    if design == "case-control":
        return 1 / cases + 1 / (n - cases)
    return 1 / cases - (1 / n if design == "cumulative incidence" else 0.0)


def _columns(*columns: ArrayLike) -> list[np.ndarray]:
    arrays = [np.asarray(column, float) for column in columns]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 1:
        raise ValueError("the columns of a trial must be lists of one length")
    if len(arrays[0]) < 2:
        raise ValueError("a trial needs a reference dose and at least one other")
    return arrays
