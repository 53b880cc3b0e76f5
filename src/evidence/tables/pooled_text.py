"""A meta-analysis as plain text for the terminal: the answer first, then what it rests on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from textwrap import wrap

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
from evidence.provenance.sentence import capitalise, count, format_duration
from evidence.statistics.binomial_normal import BinomialNormalMean
from evidence.statistics.meta_analysis import PooledMean

WIDTH = 80
"""Columns of a terminal."""
MIN_TEXT_WIDTH = 12
"""Columns of a text that is wrapped to make room for others."""
HETEROGENEITY = (
    (40, "may not be important"),
    (60, "may be moderate"),
    (75, "may be substantial"),
    (100, "is considerable"),
)
"""Highest I² in percent and what the Cochrane Handbook (10.10.2) calls it; its ranges overlap."""


def format_pool(
    pooled: PooledEstimate, results: pd.DataFrame, *, verbose: bool = False
) -> Iterator[str]:
    """Yield the lines of a report: the pooled effect, heterogeneity, studies, and what is left out.

    Parameters
    ----------
    results : DataFrame
        From `select_results`; it holds the numbers of each arm.
    verbose : bool, optional
        Also print the pooled numbers at full precision.
    """
    yield from _wrap(_heading(pooled))
    yield ""
    yield from _wrap(f"{_answer(pooled)}.")
    yield from _wrap(f"{capitalise(method_label(pooled))}.")
    yield from _wrap(_heterogeneity(pooled))
    yield from _wrap(side_text(pooled.measure, pooled.better))
    yield ""
    comparisons = pooled.studies["comparison"]
    notes = ["", *comparisons] if comparisons.nunique() > 1 else []
    yield from _columns(_study_rows(pooled, results), wrapped=0, notes=notes)
    if pooled.left_out:
        yield ""
        yield from _columns(_left_out_rows(pooled.left_out), wrapped=1)
    yield ""
    whole = replace(pooled, subgroup_by="", omitted_analyses={}, left_out=())
    _, *sentences = describe_pool(whole)
    sentences = [sentence for sentence in sentences if not sentence.name.endswith(".side")]
    reasons = dict.fromkeys(pooled.omitted_analyses.values())
    for text in [
        *map(str, sentences),
        *_sensitivity(pooled),
        *(f"{capitalise(reason)}." for reason in reasons),
    ]:
        yield from _wrap(text)
    if pooled.subgroup_by:
        yield from _subgroups(pooled)
    if verbose:
        yield ""
        yield from _wrap(f"At full precision, on the scale of pooling ({pooled.scale}):")
        numbers = {
            name: value
            for name, value in pooled.as_data()["pooled"].items()
            if isinstance(value, str | int | float)
        }
        yield from _columns([(name, str(value)) for name, value in numbers.items()], wrapped=1)


def _heading(pooled: PooledEstimate) -> str:
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


def _answer(pooled: PooledEstimate) -> str:
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


def _heterogeneity(pooled: PooledEstimate) -> str:
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


def _left_out_rows(clauses: Iterable[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("Left out", "Reason")]
    for clause in clauses:
        names, found, reason = clause.partition(" left out: ")
        rows.append((names, reason) if found else ("", clause))
    return rows


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
    yield ""
    yield f"By {pooled.subgroup_by}"
    # Conversions and studies left out stand above.
    studies = pooled.studies.assign(conversion="")
    parts = replace(pooled, studies=studies, regression=None, omitted_analyses={}, left_out=())
    for sentence in describe_pool(parts):
        yield from _wrap(str(sentence))
    test = pooled.subgroup_test
    if test:
        difference = _test(test.symbol, test.statistic, test.df, test.p, test.df2)
        yield from _wrap(f"Difference between subgroups: {difference}.")


def _test(name: str, statistic: float, df: int, p: float, df2: float = np.nan) -> str:
    degrees = f"{df}, {df2:.1f}" if np.isfinite(df2) else df
    chance = f"= {p:.2g}" if p >= 0.001 else "< 0.001"
    return f"{name} = {statistic:.2f}, df = {degrees}, p {chance}"


def _wrap(text: str) -> list[str]:
    return wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _columns(
    rows: Sequence[tuple[str, ...]], *, wrapped: int, notes: Sequence[str] = ()
) -> Iterator[str]:
    """Yield aligned lines, each with its note below it.

    One column of text is wrapped so that all fit; numbers stand at the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if wrapped:
        widths[0] = min(widths[0], WIDTH // 3)
    room = WIDTH - sum(widths) + widths[wrapped] - 2 * (len(widths) - 1)
    widths[wrapped] = min(widths[wrapped], max(room, MIN_TEXT_WIDTH))
    for row, note in zip_longest(rows, notes, fillvalue=""):
        cells = [wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
        for line in zip_longest(*cells, fillvalue=""):
            aligned = (
                cell.ljust(width) if column in (0, wrapped) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            yield "  ".join(aligned).rstrip()
        yield from wrap(note, WIDTH, initial_indent="  ", subsequent_indent="  ")
