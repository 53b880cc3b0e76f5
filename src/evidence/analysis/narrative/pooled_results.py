"""A pool in words: what it found, what it does not say, and why some studies are not pooled.

Vocabulary
----------
A *refusal* stands where a pool was asked for and should not be made; it carries every reason.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import is_evidence
from evidence.analysis.narrative.study_findings import headline_studies
from evidence.analysis.pooling.pooled_estimate import (
    INVERSE_LINK,
    MEASURE_LABELS,
    PooledEstimate,
    Refusal,
)
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import (
    Number,
    Sentence,
    capitalise,
    count,
    format_interval,
    format_number,
    format_percent,
    join_words,
)


def measure_label(measure: str, outcome: str) -> str:
    """What is pooled, in words: 'risk ratio of a harm', 'share of people with a benefit'."""
    if measure == "proportion":
        return f"share of people with {outcome}"
    return f"{MEASURE_LABELS[measure]} of {outcome}"


METHOD_LABELS = {
    "reml": "random effects (REML)",
    "dl": "random effects (DerSimonian and Laird)",
    "pm": "random effects (Paule and Mandel)",
    "common": "common effect",
    "mh": "Mantel and Haenszel",
    "peto": "Peto",
    "knha": "Knapp and Hartung intervals",
    "knha-adhoc": "Knapp and Hartung intervals with the ad hoc correction",
    "z": "normal intervals",
}


def format_estimates(measure: str, *natural: float) -> list[str]:
    """Numbers on the natural scale as people read them: percentages, ratios, differences."""
    if measure in ("proportion", "rd"):
        return [format_percent(value).replace("-", "−") for value in natural]
    return [format_number(value) for value in natural]


def method_label(pooled: PooledEstimate) -> str:
    """The method and the test of a pool, in words."""
    return join_words([METHOD_LABELS[pooled.method], METHOD_LABELS[pooled.test]])


def describe_pool(pooled: PooledEstimate | Refusal) -> list[Sentence]:
    """What a pool found: effect, spread, what a further study may show; or why there is none."""
    name = f"pool.{pooled.outcome}.{pooled.measure}"
    name += f".by {pooled.subgroup_by}" if pooled.subgroup_by else ""
    if isinstance(pooled, Refusal):
        return [
            Sentence(
                f"{name}.refused.{number}",
                "Not pooled: {reason}.",
                {"reason": Number(None, reason)},
            )
            for number, reason in enumerate(pooled.reasons, start=1)
        ]
    found, rows = pooled.pooled, tuple(" ".join(pooled.studies["address"]).split())
    if pooled.subgroup_by:
        sentences = [_group(pooled, group, f"{name}.{group.name}") for group in pooled.subgroups]
        told = ("subgroup_test", "subgroups", "regression")
    else:
        sentences = [_effect(pooled, found, name, rows), *_prediction(pooled, name, rows)]
        told = tuple(pooled.omitted_analyses)
    if pooled.regression is not None:
        sentences.append(_line(pooled, f"{name}.regression", rows))
    sentences += [
        Sentence(f"{name}.{what}.left.out", "{reason}.", {"reason": Number(None, capitalise(said))})
        for what, said in pooled.omitted_analyses.items()
        if what in told
    ]
    return sentences


def _effect(pooled: PooledEstimate, found, name: str, rows: tuple[str, ...]) -> Sentence:
    natural = pooled.natural(found)
    middle, low, high, *_ = format_estimates(pooled.measure, *natural.values())
    return Sentence(
        f"{name}.effect",
        "Pooled over {studies} by {how}: {what} {estimate}, interval {interval}.",
        {
            "studies": count(found.k, "study", "studies", rows, "studies"),
            "how": Number(None, method_label(pooled)),
            "what": Number(None, measure_label(pooled.measure, pooled.outcome)),
            "estimate": Number(natural["estimate"], middle, rows, "pooled"),
            "interval": Number(f"{low} to {high}", f"{low} to {high}", rows, "pooled"),
        },
    )


def _group(pooled: PooledEstimate, group, name: str) -> Sentence:
    """A group by itself: its pool, or its only study."""
    rows = tuple(" ".join(group.studies["address"]).split())
    lead = Number(None, f"{capitalise(pooled.subgroup_by)} {group.name or 'not stated'}")
    if group.pooled:
        said = _effect(pooled, group.pooled, name, rows)
        return Sentence(name, "{lead}. " + said.template, {"lead": lead, **said.numbers})
    row = group.studies.iloc[0]
    back = INVERSE_LINK.get(pooled.measure, float)
    middle, low, high = format_estimates(
        pooled.measure, *map(back, (row.yi, row.ci_low, row.ci_high))
    )
    return Sentence(
        name,
        "{lead}. Only {label}: {what} {estimate}, interval {interval}.",
        {
            "lead": lead,
            "label": Number(None, row["label"]),
            "what": Number(None, measure_label(pooled.measure, pooled.outcome)),
            "estimate": Number(float(back(row.yi)), middle, rows, "effect"),
            "interval": Number(f"{low} to {high}", f"{low} to {high}", rows, "effect"),
        },
    )


def _prediction(pooled: PooledEstimate, name: str, rows: tuple[str, ...]) -> list[Sentence]:
    """Where a further study is expected and how far the effects differ, if that can be said."""
    found, natural = pooled.pooled, pooled.natural()
    if not np.isfinite(natural["pi_low"]):
        return []
    *_, low, high = format_estimates(pooled.measure, *natural.values())
    spread = format_interval(found.tau2_low, found.tau2_high)
    return [
        Sentence(
            f"{name}.prediction",
            "In a further study like these {prediction} would be expected; tau² is {tau2}, "
            "interval {tau2_interval}, on the scale of pooling ({scale}).",
            {
                "prediction": Number(f"{low} to {high}", f"{low} to {high}", rows, "prediction"),
                "tau2": Number(found.tau2, format_number(found.tau2), rows, "heterogeneity"),
                "tau2_interval": Number(spread, spread, rows, "heterogeneity"),
                "scale": Number(None, pooled.scale),
            },
        )
    ]


MODERATOR_UNITS = {"dose": "mg per kg", "days": "day", "year": "year"}


def _line(pooled: PooledEstimate, name: str, rows: tuple[str, ...]) -> Sentence:
    """The slope of a meta-regression in words."""
    line = pooled.regression
    ends = format_interval(line.ci_low[1], line.ci_high[1])
    return Sentence(
        name,
        "For each {unit} more the effect changes by {slope}, interval {ends}, on the scale of "
        "pooling ({scale}); p {p}.",
        {
            "unit": Number(None, MODERATOR_UNITS[pooled.moderator]),
            "slope": Number(float(line.beta[1]), format_number(line.beta[1]), rows, "regression"),
            "ends": Number(ends, ends, rows, "regression"),
            "scale": Number(None, pooled.scale),
            "p": Number(float(line.p[1]), f"{line.p[1]:.2g}", rows, "regression"),
        },
    )


def why_not_pooled(dataset: Dataset, results: pd.DataFrame) -> list[Sentence]:
    """Why the studies that the index opens with are not put into one pool."""
    studies = headline_studies(dataset, results)
    told = results["study"].isin(studies) & (results["kind"] == "benefit")
    rows = results[told & is_evidence(results)]
    outcomes = {study: set(rows.loc[rows["study"] == study, "outcome"]) for study in studies}
    shared = set.intersection(*outcomes.values()) if outcomes else set()
    said = [_introduced(dataset, rows, study, outcomes[study]) for study in studies]
    if shared or len(studies) < 2:
        return said
    lead = Sentence(
        "pool.headline",
        "{studies} are not pooled: no outcome is reported by all of them.",
        {"studies": Number(None, join_words(dataset.label(study) for study in studies))},
    )
    return [lead, *said]


def _introduced(dataset, rows: pd.DataFrame, study: str, outcomes: Sequence[str]) -> Sentence:
    design = dataset.designs_of([study])
    kind = design["design"].iloc[0] if len(design) else "design not stated"
    names = [name for name in dataset.outcomes["outcome"] if name in outcomes] or sorted(outcomes)
    return Sentence(
        f"pool.headline.{study}",
        "{label}: {design}, {outcomes}.",
        {
            "label": Number(None, dataset.label(study)),
            "design": Number(None, kind, tuple(design["address"])),
            "outcomes": Number(None, join_words(names) or "nothing confirmed"),
        },
    )
