"""Sentences about pooled estimates: the effect, its heterogeneity, and why studies are not pooled."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.doses import main_dose_unit
from evidence.analysis.eligible_evidence import is_evidence
from evidence.analysis.narrative.study_findings import featured_studies
from evidence.analysis.pooling.pooled_estimate import (
    INVERSE_LINK,
    Pooled,
    PooledEstimate,
    Refusal,
    Subgroup,
)
from evidence.analysis.pooling.question import measure_label
from evidence.analysis.pooling.study_effects import PRINTED_EFFECTS, RATIOS
from evidence.analysis.results import select_results
from evidence.dataset.access_log import selection
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import as_listing
from evidence.provenance.sentence import (
    NOT_ESTIMABLE,
    Fields,
    Number,
    Sentence,
    capitalise,
    count,
    format_interval,
    format_number,
    format_percent,
    join_words,
    verbatim,
)
from evidence.statistics.bayesian import BayesianMean
from evidence.statistics.binomial_normal import BinomialNormalMean
from evidence.statistics.meta_analysis import Coefficients, PooledMean
from evidence.statistics.three_level import ThreeLevelMean

METHOD_LABELS = {
    "reml": "random effects, REML",
    "dl": "random effects, DerSimonian-Laird",
    "pm": "random effects, Paule-Mandel",
    "common": "common effect",
    "mh": "Mantel-Haenszel",
    "peto": "Peto",
    "glmm": "random effects, binomial-normal",
    "threelevel": "three-level random effects, REML",
    "bayes": "Bayesian random effects",
}
TEST_LABELS = {
    "knha": "Knapp-Hartung",
    "knha-adhoc": "Knapp-Hartung, not narrower than Wald",
    "z": "Wald",
    "t": "t",
    "cr2": "robust CR2",
    "posterior": "posterior median",
}
MORE_DIGITS = 3
"""Digits that a number near 0 gets at most beyond the usual ones."""
MANY = 1000
"""From this number on no digit after the point is printed."""
STUDY_METHODS = {"proportion": ("proportion", "wilson"), "rd": ("difference", "newcombe")}
"""How the effect of one study and its CI are computed, by measure; see `provenance.methods`."""
NO_EFFECT = dict.fromkeys(PRINTED_EFFECTS, 0.0) | dict.fromkeys(RATIOS, 1.0)
"""The value of each effect measure at which the groups do not differ."""
MODERATOR_UNITS = {"days": "day", "year": "year"}


def format_estimates(measure: str, *natural: float) -> list[str]:
    """Return numbers on the natural scale as text: percentages, ratios or differences."""
    if measure in ("proportion", "rd"):
        return [
            NOT_ESTIMABLE if np.isnan(value) else f"{_format_nonzero(100 * value, 0)}%"
            for value in natural
        ]
    return [_format_nonzero(value, 2) for value in natural]


def _format_nonzero(value: float, digits: int) -> str:
    """Format a number with more digits where it would print as 0, and with none from 1,000 on."""
    if abs(value) >= MANY:
        return f"{value:,.0f}".replace("-", "−")
    enough = (more for more in range(digits, digits + MORE_DIGITS) if round(value, more))
    return format_number(value, next(enough, digits))


def side_text(measure: str, better: int) -> str:
    """Say which values favour the treatment; empty for a single proportion.

    `better` is 1 for those above no effect, -1 for those below, and 0 if that is not known.
    """
    if measure not in NO_EFFECT:
        return ""
    if not better:
        return "Which side favours the treatment is not stated for this outcome."
    side = "above" if better > 0 else "below"
    return f"Values {side} {NO_EFFECT[measure]:g} favour the treatment."


def method_label(pooled: PooledEstimate) -> str:
    """Return method and test in words: 'random effects, REML, Wald'."""
    return f"{METHOD_LABELS[pooled.method]}, {TEST_LABELS[pooled.test]}"


@as_listing
def describe_pool(pooled: PooledEstimate | Refusal) -> list[Sentence]:
    """Return sentences on a pooled estimate and its heterogeneity, or on why there is none."""
    name = f"pool.{pooled.outcome}.{pooled.measure}"
    name += f".by {pooled.subgroup_by}" if pooled.subgroup_by else ""
    if isinstance(pooled, Refusal):
        refused = [
            Sentence(f"{name}.refused.{number}", "Not pooled: {reason}.", {"reason": reason})
            for number, reason in enumerate(pooled.reasons, start=1)
        ]
        return refused + _left_out(pooled, name)
    rows = _addresses(pooled.studies)
    if pooled.subgroup_by:
        sentences = []
        for group in pooled.subgroups:
            sentences.append(_subgroup(pooled, group, f"{name}.{group.name}"))
            if group.pooled:
                addresses = _addresses(group.studies)
                only = pooled.of_subgroup(group)
                sentences += _bayesian(only, f"{name}.{group.name}", addresses)
                sentences += _sparse_events(only, f"{name}.{group.name}", addresses)
        reported = {"subgroup_test", "subgroups", "regression"}
    else:
        sentences = [
            _effect(pooled, pooled.pooled, name, rows),
            *_prediction(pooled, name, rows),
            *_dependence(pooled, name, rows),
            *_bayesian(pooled, name, rows),
            *_sparse_events(pooled, name, rows),
        ]
        reported = set(pooled.omitted_analyses)
    if side := side_text(pooled.measure, pooled.better):
        sentences.insert(1, Sentence(f"{name}.side", side))
    sentences += _conversions(pooled, name) + _left_out(pooled, name)
    sentences += _numbered(f"{name}.handling", pooled.handling)
    if pooled.regression is not None:
        sentences.append(_slope(pooled, pooled.regression, f"{name}.regression", rows))
    omitted = [
        Sentence(f"{name}.{analysis}.left.out", "{reason}.", {"reason": capitalise(reason)})
        for analysis, reason in _distinct_reasons(pooled).items()
        if analysis in reported
    ]
    return sentences + omitted


def _conversions(pooled: PooledEstimate, name: str) -> list[Sentence]:
    """Name the studies whose variance was converted from what their texts print, and how."""
    converted = pooled.studies[pooled.studies["conversion"] != ""]
    if converted.empty:
        return []
    groups = converted.groupby("conversion", sort=False)["label"].unique()
    text = "; ".join(f"{join_words(labels)} ({how})" for how, labels in groups.items())
    fields = {"conversions": verbatim(text, _addresses(converted), "conversion")}
    return [
        Sentence(f"{name}.conversions", "Converted from what is printed: {conversions}.", fields)
    ]


def _left_out(pooled: PooledEstimate | Refusal, name: str) -> list[Sentence]:
    return _numbered(f"{name}.without", pooled.left_out)


def _numbered(name: str, clauses: Iterable[str]) -> list[Sentence]:
    return [
        Sentence(f"{name}.{number}", "{clause}.", {"clause": capitalise(clause)})
        for number, clause in enumerate(clauses, start=1)
    ]


@as_listing
@selection
def why_not_pooled(dataset: Dataset) -> list[Sentence]:
    """Return sentences on why the studies that the index opens with are not pooled."""
    results = select_results(dataset)
    studies = featured_studies(dataset, results)
    benefits = results["study"].isin(studies) & (results["kind"] == "benefit")
    rows = results[benefits & is_evidence(results)]
    outcomes = {study: set(rows.loc[rows["study"] == study, "outcome"]) for study in studies}
    shared = set.intersection(*outcomes.values()) if outcomes else set()
    sentences = [_design_and_outcomes(dataset, study, outcomes[study]) for study in studies]
    if len(studies) < 2:
        return sentences
    if shared:
        fields = {"studies": join_words(map(dataset.label, studies)), "shared": join_words(shared)}
        return [Sentence("pool.headline", "{studies} can be pooled: all report {shared}.", fields)]
    lead = Sentence(
        "pool.headline",
        "{studies} are not pooled: they have no outcome in common.",
        {"studies": join_words(dataset.label(study) for study in studies)},
    )
    return [lead, *sentences]


def _addresses(studies: pd.DataFrame) -> tuple[str, ...]:
    return tuple(" ".join(studies["address"]).split())


def _estimate_fields(
    pooled: PooledEstimate,
    natural: tuple[float, ...],
    rows: tuple[str, ...],
    method: str,
    ci_method: str,
) -> Fields:
    """Name what is estimated, with the estimate and its CI on the natural scale."""
    estimate, low, high = format_estimates(pooled.measure, *natural)
    return {
        "what": measure_label(pooled.measure, pooled.outcome),
        "estimate": Number(natural[0], estimate, rows, method),
        "ci": pooled.ci_label,
        "interval": verbatim(f"{low} to {high}", rows, ci_method),
    }


def _effect(pooled: PooledEstimate, mean: Pooled, name: str, rows: tuple[str, ...]) -> Sentence:
    natural = pooled.natural_scale(mean)
    limits = (natural["estimate"], natural["ci_low"], natural["ci_high"])
    return Sentence(
        f"{name}.effect",
        "Pooled over {studies} ({how}): {what} {estimate} ({ci} {interval}).",
        {
            "studies": _studies_pooled(mean, rows),
            "how": method_label(pooled),
            **_estimate_fields(pooled, limits, rows, "pooled", "pooled"),
        },
    )


def _studies_pooled(mean: Pooled, rows: tuple[str, ...]) -> Any:
    if not isinstance(mean, ThreeLevelMean):
        return count(mean.k, "study", rows, "studies")
    return verbatim(f"{mean.k} effects of {mean.studies} studies", rows, "pooled")


def _dependence(pooled: PooledEstimate, name: str, rows: tuple[str, ...]) -> list[Sentence]:
    """Both variances of a three-level pool, and what the assumed correlation decides."""
    mean = pooled.pooled
    if not isinstance(mean, ThreeLevelMean):
        return []
    inverse = INVERSE_LINK.get(pooled.measure, float)
    estimates = [float(inverse(other.estimate)) for other in pooled.by_rho]
    low, high = format_estimates(pooled.measure, min(estimates), max(estimates))
    return [
        Sentence(
            f"{name}.dependence",
            "The variance is {between} ({ci} {between_ends}) between studies and {within} ({ci} "
            "{within_ends}) between effects of one study, on the scale of pooling ({scale}). Effects "
            "of one study are assumed to correlate with {rho}; the estimate is {range} for "
            "correlations from {lowest} to {highest}.",
            {
                "between": Number(mean.between, format_number(mean.between), rows, "heterogeneity"),
                "between_ends": verbatim(
                    format_interval(mean.between_low, mean.between_high), rows, "heterogeneity"
                ),
                "within": Number(mean.within, format_number(mean.within), rows, "heterogeneity"),
                "within_ends": verbatim(
                    format_interval(mean.within_low, mean.within_high), rows, "heterogeneity"
                ),
                "ci": pooled.ci_label,
                "scale": pooled.scale,
                "rho": f"{mean.rho:g}",
                "range": verbatim(f"{low} to {high}", rows, "pooled"),
                "lowest": f"{pooled.by_rho[0].rho:g}",
                "highest": f"{pooled.by_rho[-1].rho:g}",
            },
        )
    ]


def _bayesian(pooled: PooledEstimate, name: str, rows: tuple[str, ...]) -> list[Sentence]:
    """Bayesian estimates of few studies, or the prior of a Bayesian pool, and effects that matter."""
    sentences = [_posterior(pooled, posterior, name, rows) for posterior in pooled.few_studies]
    if isinstance(pooled.pooled, BayesianMean):
        prior = pooled.pooled.prior
        sentences.append(Sentence(f"{name}.prior", "Prior for tau: {prior}.", {"prior": prior}))
    important, probabilities = pooled.important, pooled.important_probabilities
    if important is None or not probabilities:
        return sentences
    (threshold,) = format_estimates(
        pooled.measure, float(INVERSE_LINK.get(pooled.measure, float)(important.threshold))
    )
    texts = (
        f"{format_percent(value)} with {TEST_LABELS.get(how, f'a {how} prior')}"
        for how, value in probabilities.items()
    )
    side = "above" if important.is_above else "below"
    return [
        *sentences,
        Sentence(
            f"{name}.important",
            "Probability that the effect exceeds the minimal important difference ({threshold}): "
            "{probabilities}.",
            {
                "threshold": f"{side} {threshold}",
                "probabilities": verbatim(", ".join(texts), rows, "important_effect"),
            },
        ),
    ]


def _posterior(
    pooled: PooledEstimate, posterior: BayesianMean, name: str, rows: tuple[str, ...]
) -> Sentence:
    inverse = INVERSE_LINK.get(pooled.measure, float)
    natural = [float(inverse(v)) for v in (posterior.estimate, posterior.ci_low, posterior.ci_high)]
    estimate, low, high = format_estimates(pooled.measure, *natural)
    return Sentence(
        f"{name}.bayesian.{posterior.prior}",
        "Bayesian, for so few studies (prior for tau: {prior}): {estimate} ({level} credible "
        "interval {interval}).",
        {
            "prior": posterior.prior,
            "estimate": Number(natural[0], estimate, rows, "posterior"),
            "level": f"{100 * posterior.confidence:g}%",
            "interval": verbatim(f"{low} to {high}", rows, "posterior"),
        },
    )


def _sparse_events(pooled: PooledEstimate, name: str, rows: tuple[str, ...]) -> list[Sentence]:
    """Odds ratios by models that add nothing to zeros, side by side."""
    if not pooled.sparse_events:
        return []
    texts = []
    for label, mean in pooled.sparse_events.items():
        numbers = np.exp([mean.estimate, mean.ci_low, mean.ci_high])
        estimate, low, high = format_estimates("or", *numbers)
        texts.append(f"{label} {estimate} ({low} to {high})")
    return [
        Sentence(
            f"{name}.sparse",
            "In some groups nobody or everybody has the outcome. Odds ratios ({level} CI) by models "
            "that add nothing to zeros: {estimates}.",
            {
                "level": f"{100 * pooled.confidence:g}%",
                "estimates": verbatim("; ".join(texts), rows, "pooled"),
            },
        )
    ]


def _subgroup(pooled: PooledEstimate, group: Subgroup, name: str) -> Sentence:
    rows = _addresses(group.studies)
    lead = f"{capitalise(pooled.subgroup_by)} {group.name or 'not stated'}"
    if group.pooled:
        effect = _effect(pooled, group.pooled, name, rows)
        return Sentence(name, "{lead}. " + effect.template, {"lead": lead, **effect.fields})
    study = group.studies.iloc[0]
    if len(group.studies) > 1:
        labels = ", ".join(group.studies["label"])
        return Sentence(name, "{lead}. Not pooled: {labels}.", {"lead": lead, "labels": labels})
    natural = tuple(float(study[column]) for column in ("estimate", "ci_low", "ci_high"))
    return Sentence(
        name,
        "{lead}. One study, {label}: {what} {estimate} ({ci} {interval}).",
        {
            "lead": lead,
            "label": study["label"],
            **_estimate_fields(
                pooled, natural, rows, *STUDY_METHODS.get(pooled.measure, ("effect",) * 2)
            ),
        },
    )


def _prediction(pooled: PooledEstimate, name: str, rows: tuple[str, ...]) -> list[Sentence]:
    """Prediction interval and tau², where they exist."""
    mean, natural = pooled.pooled, pooled.natural_scale()
    if not isinstance(mean, PooledMean | BinomialNormalMean) or not np.isfinite(natural["pi_low"]):
        return []
    low, high = format_estimates(pooled.measure, natural["pi_low"], natural["pi_high"])
    fields: Fields = {
        "prediction": verbatim(f"{low} to {high}", rows, "prediction"),
        "tau2": Number(mean.tau2, format_number(mean.tau2), rows, "heterogeneity"),
        "scale": pooled.scale,
    }
    interval = ""
    if isinstance(mean, PooledMean):
        ends = format_interval(mean.tau2_low, mean.tau2_high)
        fields |= {"ci": pooled.ci_label, "ends": verbatim(ends, rows, "heterogeneity")}
        interval = " ({ci} {ends})"
    return [
        Sentence(
            f"{name}.prediction",
            f"The prediction interval for a further study is {{prediction}}; tau² is {{tau2}}{interval} "
            "on the scale of pooling ({scale}).",
            fields,
        )
    ]


def _slope(
    pooled: PooledEstimate, line: Coefficients, name: str, rows: tuple[str, ...]
) -> Sentence:
    ends = format_interval(line.ci_low[1], line.ci_high[1])
    return Sentence(
        name,
        "Per {unit} the effect changes by {slope} ({ci} {ends}) on the scale of pooling ({scale}); "
        "p = {p}.",
        {
            "unit": MODERATOR_UNITS.get(pooled.moderator) or main_dose_unit(pooled.studies),
            "slope": Number(float(line.beta[1]), format_number(line.beta[1]), rows, "regression"),
            "ci": pooled.ci_label,
            "ends": verbatim(ends, rows, "regression"),
            "scale": pooled.scale,
            "p": Number(float(line.p[1]), f"{line.p[1]:.2g}", rows, "regression"),
        },
    )


def _distinct_reasons(pooled: PooledEstimate) -> dict[str, str]:
    """Why analyses were omitted, without repetition."""
    reasons: dict[str, str] = {}
    for analysis, reason in pooled.omitted_analyses.items():
        if reason not in reasons.values():
            reasons[analysis] = reason
    return reasons


def _design_and_outcomes(dataset: Dataset, study: str, outcomes: Collection[str]) -> Sentence:
    design = dataset.designs_of([study])
    kind = design["design"].iloc[0] if len(design) else "design not stated"
    names = [name for name in dataset.outcomes["outcome"] if name in outcomes] or sorted(outcomes)
    return Sentence(
        f"pool.headline.{study}",
        "{label}: {design}, {outcomes}.",
        {
            "label": dataset.label(study),
            "design": kind,
            "outcomes": join_words(names) or "no confirmed result",
        },
    )
