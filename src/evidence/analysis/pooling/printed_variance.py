"""The SD of a mean and the SE of an effect from what a result prints, with the conversion named.

See the Cochrane Handbook, 6.3 and 6.5.2 (higgins2019handbook).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from evidence.dataset.schema import RATIO_MEASURES
from evidence.statistics import conversions

LARGE_GROUP = 100
"""Participants from which on the Handbook calls a group large; only there an IQR gives an SD."""
SE_OF_MEAN = "SD = SE × √n"
DIRECT_CONVERSIONS = ("", SE_OF_MEAN)
"""Conversions that assume nothing about the distribution."""


class PrintedVariance(NamedTuple):
    """An SD or SE and how it was computed (empty: as printed), or the reason why there is none.

    `df` are the degrees of freedom behind a printed CI or p value, infinite for a normal one.
    """

    size: float = np.nan
    conversion: str = ""
    reason: str = ""
    df: float = np.inf


def sd_of_mean(row: Mapping) -> PrintedVariance:
    """Return the standard deviation of the group behind a mean."""
    spread, kind, n = row["spread"], row["spread_kind"], row["n"]
    if reason := reason_without_variance(row):
        return PrintedVariance(reason=reason)
    if pd.isna(spread) and pd.isna(row["ci_low"]):
        return PrintedVariance(reason="a mean without SD, SE or CI")
    if pd.isna(n):
        return PrintedVariance(reason="a mean without the number of participants")
    if n < 2:
        return PrintedVariance(reason="a mean of one participant")
    if not pd.isna(spread) and kind == "sd":
        return PrintedVariance(spread)
    if not pd.isna(spread) and kind == "se":
        return PrintedVariance(float(conversions.sd_from_se(spread, n)), SE_OF_MEAN)
    if not pd.isna(row["ci_low"]):
        se = conversions.se_from_interval(row["ci_low"], row["ci_high"], n - 1)
        name = "SD from the 95% CI of the mean, t with n − 1 df"
        return PrintedVariance(float(conversions.sd_from_se(se, n)), name)
    if kind == "t":
        se = conversions.se_from_statistic(row["value"], spread)
        return PrintedVariance(float(conversions.sd_from_se(se, n)), "SD from the t statistic")
    if n < LARGE_GROUP:
        reason = f"an interquartile range gives an SD only of {LARGE_GROUP} participants or more"
        return PrintedVariance(reason=reason)
    return PrintedVariance(float(conversions.sd_from_iqr(spread)), "SD = IQR / 1.35")


def se_of_effect(row: Mapping, to_pooling_scale: Callable) -> PrintedVariance:
    """Return the standard error of a printed effect on the scale of pooling.

    Differences of means are compared with the t distribution, as a small trial does it; other
    effects with the normal distribution.
    """
    if reason := reason_without_variance(row):
        return PrintedVariance(reason=reason)
    spread, kind, p = row["spread"], row["spread_kind"], row["p_value"]
    estimate = float(to_pooling_scale(row["value"]))
    df, distribution = np.inf, "normal distribution"
    if row["measure"] == "mean difference" and not pd.isna(row["n"]) and row["n"] > 2:
        df = row["n"] - 2
        distribution = f"t with {df} df"
    if not pd.isna(spread) and kind == "se":
        return PrintedVariance(float(spread))
    if not pd.isna(row["ci_low"]):
        low, high = to_pooling_scale(np.array([row["ci_low"], row["ci_high"]], float))
        se = conversions.se_from_interval(low, high, df)
        return PrintedVariance(float(se), f"SE from the 95% CI, {distribution}", df=df)
    if not pd.isna(spread) and kind == "t" and estimate:
        se = conversions.se_from_statistic(estimate, spread)
        return PrintedVariance(float(se), "SE from the t statistic")
    if not p:
        return PrintedVariance(reason="an estimate without CI, SE or p value")
    se = conversions.se_from_p(estimate, float(p.lstrip("<>")), df)
    if p.startswith(">") or not 0 < se < np.inf:
        return PrintedVariance(reason=f"p {p} beside {row['value']:g} gives no SE")
    # The Handbook takes the upper limit, which is conservative.
    printed = f"p < {p[1:]} taken as {p[1:]}" if p.startswith("<") else f"p = {p}"
    return PrintedVariance(float(se), f"SE from {printed}, {distribution}", df=df)


def reason_without_variance(row: Mapping) -> str:
    """Say why the SD or the CI of a result gives no variance; empty if nothing speaks against it."""
    spread, kind = row["spread"], row["spread_kind"]
    if spread == 0 or (spread < 0 and kind != "t"):
        return (
            "a t statistic of 0" if kind == "t" else f"a standard deviation or error of {spread:g}"
        )
    if row["measure"] == "mean" and kind == "sd" and not pd.isna(row["n"]) and row["n"] < 2:
        return f"a standard deviation with n = {row['n']:g}"
    if row["measure"] in RATIO_MEASURES and (row["value"] <= 0 or row["ci_low"] <= 0):
        lowest = min(row["value"], row["ci_low"])
        return f"a ratio or its CI cannot start at {lowest:g}, which has no logarithm"
    if row["ci_low"] == row["ci_high"]:
        return f"a CI without width, {row['ci_low']:g} to {row['ci_high']:g}"
    return ""
