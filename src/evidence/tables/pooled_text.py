"""A meta-analysis as plain text for the terminal: the answer first, then what it rests on."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from evidence.analysis.narrative.pooled_results import (
    describe_pool,
    format_estimates,
    method_label,
    side_text,
)
from evidence.analysis.pooling.few_studies import MAX_STUDIES
from evidence.analysis.pooling.pooled_estimate import PooledEstimate
from evidence.analysis.pooling.question import MEASURE_LABELS, measure_label, time_window
from evidence.errors import Reason
from evidence.provenance.sentence import capitalise, count, format_duration
from evidence.statistics.binomial_normal import BinomialNormalMean
from evidence.statistics.meta_analysis import PooledMean
from evidence.tables.text_table import Part, text_table

HETEROGENEITY = (
    (40, "may not be important"),
    (60, "may be moderate"),
    (75, "may be substantial"),
    (100, "is considerable"),
)
"""Highest I² in percent and what the Cochrane Handbook (10.10.2) calls it; its ranges overlap."""


def format_pool(
    pooled: PooledEstimate, results: pd.DataFrame, *, verbose: bool = False
) -> Iterator[Part]:
    """Yield a report for the terminal: the pooled effect, heterogeneity, studies, what is left out.

    `results`, from `select_results`, hold the numbers of each arm; `verbose` adds the pooled
    numbers at full precision.
    """
    yield f"{pool_title(pooled)}\n"
    yield f"{pool_answer(pooled)}."
    yield f"{capitalise(method_label(pooled))}."
    yield from filter(
        None, (describe_heterogeneity(pooled), side_text(pooled.measure, pooled.better))
    )
    yield ""
    header, *rows = _study_rows(pooled, results)
    yield text_table(header, rows, header[1:])
    comparisons = pooled.studies.groupby("comparison", sort=False)["label"].agg(", ".join)
    if len(comparisons) > 1:
        yield ""
        yield text_table(("Compared", "Studies"), comparisons.items())
    if pooled.left_out:
        yield ""
        yield text_table(("Left out", "Reason"), map(_left_out_row, pooled.left_out))
    yield ""
    _, *sentences = describe_pool(replace(pooled.without_omissions(), subgroup_by=""))
    yield from (str(sentence) for sentence in sentences if not sentence.name.endswith(".side"))
    yield from _sensitivity(pooled)
    for reason in dict.fromkeys(pooled.omitted_analyses.values()):
        yield f"{capitalise(reason)}."
    if pooled.subgroup_by:
        yield from _subgroups(pooled)
    if verbose:
        yield f"\nAt full precision, on the scale of pooling ({pooled.scale}):"
        numbers = {
            name: str(value)
            for name, value in pooled.as_data()["pooled"].items()
            if isinstance(value, str | int | float)
        }
        yield text_table(("", ""), numbers.items())


def pool_title(pooled: PooledEstimate) -> str:
    """Say what is pooled: measure, outcome, the comparison if all make the same, and the time."""
    parts = [capitalise(measure_label(pooled.measure, pooled.outcome))]
    comparisons = pooled.studies["comparison"].unique()
    parts += list(comparisons) if len(comparisons) == 1 else []
    if pooled.studies["days"].notna().any():
        time, *ends = map(
            format_duration, (pooled.question.time_days, *time_window(pooled.question))
        )
        parts.append(f"near {time} ({' to '.join(ends)})")
    return ", ".join(parts)


def pool_answer(pooled: PooledEstimate) -> str:
    """State the pooled effect with its CI, and from how many studies and participants it is."""
    natural = pooled.natural_scale()
    limits = (natural["estimate"], natural["ci_low"], natural["ci_high"])
    estimate, low, high = format_estimates(pooled.measure, *limits)
    # A comparator arm that was split between treatments is there in parts.
    studies = pooled.studies.drop_duplicates(["study", "treatment"])
    parts = [count(studies["study"].nunique(), "study").text]
    sizes = studies["n1"] + studies["n2"].fillna(0)
    if sizes.notna().all():
        parts.append(count(int(sizes.sum()), "participant").text)
    measure = capitalise(MEASURE_LABELS.get(pooled.measure, pooled.measure))
    return f"{measure} {estimate} ({pooled.ci_label} {low} to {high}); {', '.join(parts)}"


def describe_heterogeneity(pooled: PooledEstimate) -> str:
    """Say in words how much the effects differ, where the method measures it."""
    mean = pooled.pooled
    if isinstance(mean, BinomialNormalMean):
        test = _test("chi²", mean.LRT, mean.LRT_df, mean.LRT_p)
        return f"Likelihood-ratio test of heterogeneity: {test}."
    if not isinstance(mean, PooledMean):
        return ""
    words = next(words for highest, words in HETEROGENEITY if highest >= mean.I2)
    few = ", but so few studies can hardly show it" if mean.k <= MAX_STUDIES else ""
    numbers = f"I² {mean.I2:.0f}%, {_test('Q', mean.Q, mean.Q_df, mean.Q_p)}"
    return f"Heterogeneity {words} ({numbers}){few}."


def _study_rows(pooled: PooledEstimate, results: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return one row per effect: the numbers of both groups, the effect and the weight."""
    by_address = results.drop_duplicates("address").set_index("address")
    rows = [("Study", *_group_headers(pooled), "Effect", pooled.ci_label, "Weight")]
    for study in pooled.studies.itertuples():
        cells = by_address.loc[study.address.split()]
        is_comparator = cells["role"] == "comparator"
        groups = (
            " + ".join(_arm(row) for row in cells[of_group].itertuples())
            for of_group in (~is_comparator, is_comparator)
        )
        natural = (study.estimate, study.ci_low, study.ci_high)
        effect, low, high = format_estimates(pooled.measure, *natural)
        weight = f"{study.weight:.1%}" if np.isfinite(study.weight) else "–"
        rows.append((study.label, *groups, effect, f"{low} to {high}", weight))
    is_blank = [not any(column[1:]) for column in zip(*rows, strict=True)]
    return [tuple(c for c, blank in zip(row, is_blank, strict=True) if not blank) for row in rows]


def _group_headers(pooled: PooledEstimate) -> tuple[str, str]:
    return ("Treated", "") if pooled.measure == "proportion" else ("Treated", "Comparator")


def _arm(row) -> str:
    """Return the numbers of an arm: 12/17, or the mean with its SD or SE and n."""
    if row.role == "contrast":
        return "as printed"
    if row.measure == "proportion":
        return f"{row.event_count}/{row.n}"
    spread = {"sd": "{:g}; ", "se": "SE {:g}; "}.get(row.spread_kind, "").format(row.spread)
    return f"{row.value:g} ({spread}{row.n})".replace("-", "−")


def _left_out_row(clause: str) -> tuple[str, str]:
    clause = Reason.of(clause).in_options()
    names, found, reason = clause.partition(" left out: ")
    return (names, reason) if found else ("", clause)


def _sensitivity(pooled: PooledEstimate) -> Iterator[str]:
    """Yield the sensitivity analyses, as far as they were computed."""
    egger, filled = pooled.egger, pooled.trim_and_fill
    if pooled.leave_one_out:
        effects = [pooled.natural_scale(others)["estimate"] for others in pooled.leave_one_out]
        low, high = format_estimates(pooled.measure, min(effects), max(effects))
        yield f"Leaving out one study at a time: {low} to {high}."
    if egger:
        yield f"Egger's test: {_test('t', egger.t, egger.df, egger.p)}."
    if filled:
        natural = pooled.natural_scale(filled.filled)
        effect, low, high, *_ = format_estimates(pooled.measure, *natural.values())
        missing = count(filled.missing, "missing study")
        yield f"Trim and fill: {missing}, effect {effect} ({pooled.ci_label} {low} to {high})."


def _subgroups(pooled: PooledEstimate) -> Iterator[str]:
    yield f"\nBy {pooled.subgroup_by}"
    # Conversions and studies left out stand above.
    studies = pooled.studies.assign(conversion="")
    parts = replace(pooled.without_omissions(), studies=studies, regression=None)
    yield from map(str, describe_pool(parts))
    test = pooled.subgroup_test
    if test:
        difference = _test(test.symbol, test.statistic, test.df, test.p, test.df2)
        yield f"Difference between subgroups: {difference}."


def _test(name: str, statistic: float, df: int, p: float, df2: float = np.nan) -> str:
    degrees = f"{df}, {df2:.1f}" if np.isfinite(df2) else df
    chance = f"= {p:.2g}" if p >= 0.001 else "< 0.001"
    return f"{name} = {statistic:.2f}, df = {degrees}, p {chance}"
