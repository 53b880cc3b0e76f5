"""A pool in words: what it found, what it does not say, and why some studies are not pooled.

Vocabulary
----------
A *refusal* stands where a pool was asked for and should not be made; it carries every reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.errors import ParameterError
from evidence.synthesis.answers import headline_studies
from evidence.synthesis.gaps import is_evidence
from evidence.synthesis.pooling import BACK, PoolingError, Synthesis, synthesise
from evidence.synthesis.questions import MEASURES
from evidence.synthesis.wording import (
    Number,
    Sentence,
    capital,
    count,
    interval,
    listed,
    percent,
    signed,
)

NAMES = {
    "rr": "risk ratio",
    "or": "odds ratio",
    "rd": "risk difference",
    "smd": "standardised difference",
    "md": "mean difference",
}


def named(measure: str, outcome: str) -> str:
    """What is pooled, in words: 'risk ratio of a harm', 'share of people with a benefit'."""
    if measure == "proportion":
        return f"share of people with {outcome}"
    return f"{NAMES[measure]} of {outcome}"


HOW = {
    "reml": "random effects (REML)",
    "dl": "random effects (DerSimonian and Laird)",
    "pm": "random effects (Paule and Mandel)",
    "ce": "common effect",
    "mh": "Mantel and Haenszel",
    "peto": "Peto",
    "knha": "Knapp and Hartung intervals",
    "adhoc": "Knapp and Hartung intervals with the ad hoc correction",
    "z": "normal intervals",
}


@dataclass(frozen=True)
class Refusal:
    """What was asked for, and every reason why it is not pooled; `by` as in `Synthesis`."""

    outcome: str
    measure: str
    reasons: tuple[str, ...]
    by: str = ""


def pool_studies(
    corpus: Corpus, results: pd.DataFrame, *, outcome: str, measure: str, **options
) -> Synthesis | Refusal:
    """The studies pooled, or the refusal with its reasons; options as of `synthesise`.

    Raises
    ------
    ParameterError
        A word that is none. An outcome of other results than these is a refusal.
    """
    if measure not in MEASURES:
        raise ParameterError(f"measure: '{measure}' is none of {', '.join(MEASURES)}")
    if outcome not in set(results["outcome"]):
        reasons = (f"these results hold nothing on {outcome or 'any outcome'}",)
        return Refusal(outcome, measure, reasons, options.get("by", ""))
    try:
        return synthesise(corpus, results, outcome=outcome, measure=measure, **options)
    except PoolingError as error:
        return Refusal(outcome, measure, error.reasons, options.get("by", ""))


def show(measure: str, *natural: float) -> list[str]:
    """Numbers on the natural scale as people read them: percentages, ratios, differences."""
    if measure in ("proportion", "rd"):
        return [percent(value).replace("-", "−") for value in natural]
    return [signed(value) for value in natural]


def made(pooled: Synthesis) -> str:
    """The method and the test of a pool, in words."""
    return listed([HOW[pooled.method], HOW[pooled.test]])


def describe(pooled: Synthesis | Refusal) -> list[Sentence]:
    """What a pool found: effect, spread, what a further study may show; or why there is none."""
    name = f"pool.{pooled.outcome}.{pooled.measure}"
    name += f".by {pooled.by}" if pooled.by else ""
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
    if pooled.by:
        sentences = [_group(pooled, group, f"{name}.{group.word}") for group in pooled.groups]
        told = ("difference", "groups", "regression")
    else:
        sentences = [_effect(pooled, found, name, rows), *_prediction(pooled, name, rows)]
        told = tuple(pooled.not_said)
    if pooled.regression is not None:
        sentences.append(_line(pooled, f"{name}.regression", rows))
    sentences += [
        Sentence(f"{name}.{what}.left.out", "{reason}.", {"reason": Number(None, capital(said))})
        for what, said in pooled.not_said.items()
        if what in told
    ]
    return sentences


def _effect(pooled: Synthesis, found, name: str, rows: tuple[str, ...]) -> Sentence:
    natural = pooled.natural(found)
    middle, low, high, *_ = show(pooled.measure, *natural.values())
    return Sentence(
        f"{name}.effect",
        "Pooled over {studies} by {how}: {what} {estimate}, interval {interval}.",
        {
            "studies": count(found.k, "study", "studies", rows, "studies"),
            "how": Number(None, made(pooled)),
            "what": Number(None, named(pooled.measure, pooled.outcome)),
            "estimate": Number(natural["estimate"], middle, rows, "pooled"),
            "interval": Number(f"{low} to {high}", f"{low} to {high}", rows, "pooled"),
        },
    )


def _group(pooled: Synthesis, group, name: str) -> Sentence:
    """A group by itself: its pool, or its only study."""
    rows = tuple(" ".join(group.studies["address"]).split())
    lead = Number(None, f"{capital(pooled.by)} {group.word or 'not stated'}")
    if group.pooled:
        said = _effect(pooled, group.pooled, name, rows)
        return Sentence(name, "{lead}. " + said.template, {"lead": lead, **said.numbers})
    row = group.studies.iloc[0]
    back = BACK.get(pooled.measure, float)
    middle, low, high = show(pooled.measure, *map(back, (row.yi, row.ci_low, row.ci_high)))
    return Sentence(
        name,
        "{lead}. Only {label}: {what} {estimate}, interval {interval}.",
        {
            "lead": lead,
            "label": Number(None, row["label"]),
            "what": Number(None, named(pooled.measure, pooled.outcome)),
            "estimate": Number(float(back(row.yi)), middle, rows, "effect"),
            "interval": Number(f"{low} to {high}", f"{low} to {high}", rows, "effect"),
        },
    )


def _prediction(pooled: Synthesis, name: str, rows: tuple[str, ...]) -> list[Sentence]:
    """Where a further study is expected and how far the effects differ, if that can be said."""
    found, natural = pooled.pooled, pooled.natural()
    if not np.isfinite(natural["pi_low"]):
        return []
    *_, low, high = show(pooled.measure, *natural.values())
    spread = interval(found.tau2_low, found.tau2_high)
    return [
        Sentence(
            f"{name}.prediction",
            "In a further study like these {prediction} would be expected; tau² is {tau2}, "
            "interval {tau2_interval}, on the scale of pooling ({scale}).",
            {
                "prediction": Number(f"{low} to {high}", f"{low} to {high}", rows, "prediction"),
                "tau2": Number(found.tau2, signed(found.tau2), rows, "heterogeneity"),
                "tau2_interval": Number(spread, spread, rows, "heterogeneity"),
                "scale": Number(None, pooled.scale),
            },
        )
    ]


UNITS = {"dose": "mg per kg", "days": "day", "year": "year"}


def _line(pooled: Synthesis, name: str, rows: tuple[str, ...]) -> Sentence:
    """The slope of a meta-regression in words."""
    line = pooled.regression
    ends = interval(line.ci_low[1], line.ci_high[1])
    return Sentence(
        name,
        "For each {unit} more the effect changes by {slope}, interval {ends}, on the scale of "
        "pooling ({scale}); p {p}.",
        {
            "unit": Number(None, UNITS[pooled.moderator]),
            "slope": Number(float(line.beta[1]), signed(line.beta[1]), rows, "regression"),
            "ends": Number(ends, ends, rows, "regression"),
            "scale": Number(None, pooled.scale),
            "p": Number(float(line.p[1]), f"{line.p[1]:.2g}", rows, "regression"),
        },
    )


def not_pooled(corpus: Corpus, results: pd.DataFrame) -> list[Sentence]:
    """Why the studies that the index opens with are not put into one pool."""
    studies = headline_studies(corpus, results)
    told = results["study"].isin(studies) & (results["kind"] == "benefit")
    rows = results[told & is_evidence(results)]
    outcomes = {study: set(rows.loc[rows["study"] == study, "outcome"]) for study in studies}
    shared = set.intersection(*outcomes.values()) if outcomes else set()
    said = [_introduced(corpus, rows, study, outcomes[study]) for study in studies]
    if shared or len(studies) < 2:
        return said
    lead = Sentence(
        "pool.headline",
        "{studies} are not pooled: no outcome is reported by all of them.",
        {"studies": Number(None, listed(corpus.label(study) for study in studies))},
    )
    return [lead, *said]


def _introduced(corpus, rows: pd.DataFrame, study: str, outcomes: Sequence[str]) -> Sentence:
    design = corpus.designs[corpus.designs["study"] == study]
    kind = design["design"].iloc[0] if len(design) else "design not stated"
    names = [name for name in corpus.outcomes["outcome"] if name in outcomes] or sorted(outcomes)
    return Sentence(
        f"pool.headline.{study}",
        "{label}: {design}, {outcomes}.",
        {
            "label": Number(None, corpus.label(study)),
            "design": Number(None, kind, tuple(design["address"])),
            "outcomes": Number(None, listed(names) or "nothing confirmed"),
        },
    )
