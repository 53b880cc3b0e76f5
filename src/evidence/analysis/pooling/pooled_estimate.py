"""The pooled estimate of a question with its subgroups, meta-regression and sensitivity analyses.

Pooling is refused, with every reason, where the result would have no meaning.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.doses import in_main_dose_unit
from evidence.analysis.pooling.few_studies import (
    MAX_STUDIES,
    PRIOR_SCALES,
    ImportantEffect,
    compare_few_studies,
    important_effect,
    posterior_data,
    tau_prior,
)
from evidence.analysis.pooling.left_out import studies_left_out
from evidence.analysis.pooling.question import (
    COUNT_METHODS,
    MEASURE_LABELS,
    MEASURES,
    METHODS,
    MODERATORS,
    SUBGROUP_COLUMNS,
    Question,
    default_method,
    leave_out_studies,
    main_question,
    reasons_not_to_pool,
    select_study_effects,
)
from evidence.analysis.pooling.study_effects import RATIOS, half_widths
from evidence.analysis.results import better_side, require_known
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import Displayable
from evidence.errors import EvidenceError, ParameterError, Reason, not_one_of
from evidence.provenance.sentence import format_duration, join_words
from evidence.provenance.values import to_json_value
from evidence.statistics import mantel_haenszel, meta_analysis, sensitivity
from evidence.statistics.bayesian import BayesianMean, pool_bayesian
from evidence.statistics.binomial_normal import (
    BinomialNormalMean,
    pool_odds_ratio_glmm,
    pool_proportions_glmm,
)
from evidence.statistics.confidence_intervals import risk_difference_interval, wilson_interval
from evidence.statistics.effect_sizes import inverse_logit
from evidence.statistics.three_level import (
    DEFAULT_RHO,
    ThreeLevelMean,
    compare_subgroups,
    fit_three_level,
    pool_three_level,
    sensitivity_to_rho,
)

DEFAULT_TEST = "knha-adhoc"
STRATIFIED_METHODS = ("mh", "peto")
"""Methods that pool two-by-two tables: there is no tau²."""
Pooled = meta_analysis.Mean | mantel_haenszel.StratifiedEstimate | BinomialNormalMean | BayesianMean
"""Whatever a method gives; all have an estimate with its interval on the scale of pooling."""
INVERSE_LINK: dict[str, Callable] = {"proportion": inverse_logit} | dict.fromkeys(RATIOS, np.exp)
"""Transformation from the scale of pooling to the natural scale, where they differ."""
OBSERVED_INTERVALS: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "proportion": (wilson_interval, ("events1", "n1")),
    "rd": (risk_difference_interval, ("events1", "n1", "events2", "n2")),
}
"""Intervals of counts as they are, by measure, and the columns that they need."""
SPARSE_MODELS: dict[str, Callable] = {
    "binomial-normal, conditional": pool_odds_ratio_glmm,
    "binomial-normal, unconditional": partial(pool_odds_ratio_glmm, model="unconditional"),
    "Mantel-Haenszel": partial(mantel_haenszel.pool_mantel_haenszel, measure="or"),
    "Peto": mantel_haenszel.pool_peto,
}
"""Models of an odds ratio that need no correction of zeros, by what pages call them."""
SENSITIVITY_ANALYSES = ("leave_one_out", "cumulative", "egger", "trim_and_fill")
INTERVAL_FIELDS = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")


class PoolingError(EvidenceError):
    """These studies should not be pooled; `reasons` says why, one clause each.

    `left_out` says which other studies have results on the question, and what they lack.
    """

    def __init__(
        self,
        reasons: Iterable[str],
        left_out: tuple[str, ...] = (),
        question: Question | None = None,
    ):
        self.reasons, self.left_out = tuple(map(Reason.of, reasons)), left_out
        self.question = question
        super().__init__(*(r.after("cannot be pooled: ") for r in self.reasons), *left_out)


@dataclass(frozen=True)
class Refusal(Displayable):
    """A meta-analysis that was asked for, and every reason why it was refused.

    `left_out` and `question` are those of `PoolingError`.
    """

    outcome: str
    measure: str
    reasons: tuple[str, ...]
    subgroup_by: str = ""
    left_out: tuple[str, ...] = ()
    question: Question | None = None


@dataclass(frozen=True)
class Subgroup:
    """The studies of one subgroup; `pooled` is None for a single study."""

    name: str
    studies: pd.DataFrame
    pooled: meta_analysis.Mean | BinomialNormalMean | None


@dataclass(frozen=True)
class PooledEstimate(Displayable):
    """A pooled effect with its subgroups, meta-regression and sensitivity analyses.

    `studies` has one row per study: the columns of `study_effects`, those of `study_intervals` and
    `weight` (NaN for methods that pool counts); method `threelevel` has one row per effect.
    `left_out` says which others are not pooled, and why. `better` is the side of no effect that favours
    the treatment: 1 above, -1 below, 0 not known.
    Pooled effects are on the scale of pooling, see `natural_scale`. `analyses` computes, by name, a
    sensitivity analysis or the reason why there is none; `omitted` has the reasons of other ones.
    """

    question: Question
    method: str
    test: str
    confidence: float
    studies: pd.DataFrame
    pooled: Pooled
    analyses: Mapping[str, Callable[[], tuple[Any, str]]] = field(default_factory=dict)
    subgroup_by: str = ""
    subgroups: tuple[Subgroup, ...] = ()
    subgroup_test: meta_analysis.WaldTest | None = None
    moderator: str = ""
    regression: meta_analysis.Coefficients | None = None
    omitted: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    by_rho: tuple[ThreeLevelMean, ...] = ()
    important: ImportantEffect | None = None
    better: int = 0

    # Leaving out each study in turn takes longer than the estimate itself: only what is asked for runs.
    @property
    def leave_one_out(self) -> Sequence[Pooled]:
        """Estimates without each study in turn; none if that analysis is omitted."""
        return self._analyse("leave_one_out")[0] or ()

    @property
    def cumulative(self) -> Sequence[Pooled]:
        """Estimates of the first two studies, the first three and so on; none if omitted."""
        return self._analyse("cumulative")[0] or ()

    @property
    def egger(self) -> sensitivity.EggerTest | None:
        """Egger's test, None if it is omitted."""
        return self._analyse("egger")[0]

    @property
    def trim_and_fill(self) -> sensitivity.TrimAndFill | None:
        """The estimate with missing studies filled in, None if that analysis is omitted."""
        return self._analyse("trim_and_fill")[0]

    def _analyse(self, name: str) -> tuple[Any, str]:
        """Return a sensitivity analysis, or None and the reason why it is missing."""
        return (
            self.analyses[name]() if name in self.analyses else (None, self.omitted.get(name, ""))
        )

    def reason_omitted(self, name: str) -> str:
        """Return why an analysis is missing; empty if it is not."""
        return self._analyse(name)[1]

    @property
    def omitted_analyses(self) -> dict[str, str]:
        """By name, the reason why a customary analysis is missing."""
        reasons = {name: self.reason_omitted(name) for name in [*self.analyses, *self.omitted]}
        return {name: reason for name, reason in reasons.items() if reason}

    def without_omissions(self) -> "PooledEstimate":
        """Return the estimate without the reasons why analyses and studies are left out."""
        return replace(self, analyses={}, omitted={}, left_out=())

    @cached_property
    def few_studies(self) -> tuple[BayesianMean, ...]:
        """Bayesian estimates beside a Knapp-Hartung one of few studies, one per prior."""
        pooled = self.pooled
        if not isinstance(pooled, meta_analysis.PooledMean) or not pooled.test.startswith("knha"):
            return ()
        return compare_few_studies(pooled, self.studies["yi"], self.studies["vi"], self.measure)

    @property
    def important_probabilities(self) -> dict[str, float]:
        """The probability of an important effect by prior and test, of few studies or with a prior."""
        pooled: list = [*self.few_studies, self.pooled]
        if self.important is None or not isinstance(pooled[0], BayesianMean):
            return {}
        return {
            mean.prior if isinstance(mean, BayesianMean) else mean.test: self.important.probability(
                mean
            )
            for mean in pooled
        }

    def of_subgroup(self, group: Subgroup) -> "PooledEstimate":
        """Return the estimate of one subgroup alone."""
        return replace(self, pooled=group.pooled or self.pooled, studies=group.studies)

    @cached_property
    def sparse_events(self) -> dict[str, Pooled]:
        """Log odds ratios by models that add nothing to zeros, where a group has none or only events."""
        counts = self.studies[["events1", "n1", "events2", "n2"]].dropna().to_numpy(float).T
        cells = np.array([counts[0], counts[1] - counts[0], counts[2], counts[3] - counts[2]])
        if self.measure not in ("rr", "or") or not (cells == 0).any():
            return {}
        estimates: dict[str, Pooled] = {}
        for label, pool in SPARSE_MODELS.items():
            # A model without an estimate says why where its method is asked for.
            with suppress(ValueError):
                estimates[label] = pool(*counts, confidence=self.confidence)
        return estimates

    @property
    def outcome(self) -> str:
        """The outcomes of the question."""
        return join_words(self.question.outcomes)

    @property
    def measure(self) -> str:
        """The effect measure of the question."""
        return self.question.measure

    @property
    def scale(self) -> str:
        """The scale of pooling in words."""
        return MEASURES[self.measure]

    @property
    def handling(self) -> tuple[str, ...]:
        """What was done to the arms and the sign of each study, one clause per effect."""
        cells = zip(self.studies["label"], self.studies["handling"], strict=True)
        return tuple(dict.fromkeys(f"{label}: {text}" for label, text in cells if text))

    @property
    def ci_label(self) -> str:
        """The name of the intervals: 95% CI, or 95% CrI for credible ones."""
        return f"{100 * self.confidence:g}% {'CrI' if self.method == 'bayes' else 'CI'}"

    def natural_scale(self, pooled: Pooled | None = None) -> dict[str, float]:
        """Return estimate, confidence and prediction interval as ratio, difference or proportion.

        Those of the mean of all studies, or of a subgroup's.
        """
        inverse = INVERSE_LINK.get(self.measure, float)
        values = {name: getattr(pooled or self.pooled, name, np.nan) for name in INTERVAL_FIELDS}
        return {name: float(inverse(value)) for name, value in values.items()}

    def as_data(self) -> dict:
        """Return everything at full precision for JSON; NaN and infinity become None."""
        study_ids = list(self.studies["study"])
        without = zip(study_ids, self.leave_one_out, strict=False)
        up_to = zip(study_ids[1:], self.cumulative, strict=False)
        filled, line = self.trim_and_fill, self.regression
        return to_json_value(
            {
                "outcome": self.outcome,
                "measure": self.measure,
                "scale": self.scale,
                "question": asdict(self.question),
                "pooled": _pooled_data(self.pooled),
                "natural": self.natural_scale(),
                "studies": self.studies.to_dict("records"),
                "leave_one_out": [
                    {"without": study, **_pooled_data(pooled)} for study, pooled in without
                ],
                "cumulative": [{"up_to": study, **_pooled_data(pooled)} for study, pooled in up_to],
                "egger": self.egger._asdict() if self.egger else None,
                "trim_and_fill": filled and vars(filled) | {"filled": _pooled_data(filled.filled)},
                "subgroups": self._subgroup_data() if self.subgroup_by else None,
                "regression": line and {"moderator": self.moderator, **_pooled_data(line)},
                "sparse_events": {
                    label: _pooled_data(pooled) for label, pooled in self.sparse_events.items()
                },
                "by_rho": [_pooled_data(pooled) for pooled in self.by_rho] or None,
                **self._few_studies_data(),
                "omitted_analyses": self.omitted_analyses,
                "left_out": list(self.left_out),
                "handling": list(self.handling),
                "favours_treatment": {1: "above", -1: "below"}.get(self.better),
            }
        )

    def _few_studies_data(self) -> dict:
        return {
            "few_studies": [posterior_data(estimate) for estimate in self.few_studies],
            "important": self.important and asdict(self.important),
            "important_probabilities": self.important_probabilities,
        }

    def _subgroup_data(self) -> dict:
        groups = {
            group.name: {
                "studies": list(group.studies["study"]),
                "pooled": _pooled_data(group.pooled) if group.pooled else None,
                "natural": self.natural_scale(group.pooled) if group.pooled else None,
                **(self.of_subgroup(group)._few_studies_data() if group.pooled else {}),
            }
            for group in self.subgroups
        }
        test = self.subgroup_test
        difference = test and {
            test.symbol: test.statistic,
            "df": test.df,
            "df2": test.df2,
            "p": test.p,
        }
        return {"by": self.subgroup_by, "groups": groups, "difference": difference}


def meta_analyse(
    dataset: Dataset,
    results: pd.DataFrame,
    *,
    method: str = "",
    test: str = DEFAULT_TEST,
    confidence: float = 0.95,
    subgroup_by: str = "",
    moderator: str = "",
    rho: float = DEFAULT_RHO,
    prior: str = "half-normal",
    prior_scale: float = 0.0,
    **question: Any,
) -> PooledEstimate:
    """Pool the studies that bear on a question.

    Raise `ParameterError` for an unknown word, and `PoolingError` with every reason why these
    studies should not be pooled.

    Parameters
    ----------
    method : {"reml", "dl", "pm", "common", "mh", "peto", "glmm", "threelevel", "bayes"}, optional
        By default `glmm` for a proportion and `reml` for every other measure.
    test : {"z", "knha", "knha-adhoc"}
        Of `threelevel`, `z` is model-based and the others are robust (CR2). Of `glmm`, `z` is Wald
        and the others are t.
    rho : float
        Of `threelevel`, the assumed correlation between the effects of one study.
    prior : {"half-normal", "half-cauchy"}
    prior_scale : float
        Of `bayes`, the prior for tau and its scale; 0 is the default scale of the measure.
    subgroup_by : {"condition", "treatment", "comparator", "blinding", "risk"}, optional
        Also pool each subgroup and test whether the subgroups differ.
    moderator : {"dose", "days", "year"}, optional
        Also fit a meta-regression on this moderator.
    question
        The fields of `Question`; `outcome` may list several, and without a time the default one
        of the (first) outcome is taken.
    """
    # A JSON list is as good as a tuple.
    fields: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in question.items()
    }
    if isinstance(fields["outcome"], tuple):
        fields["outcome"], *further = dict.fromkeys(fields["outcome"])
        fields["further_outcomes"] = tuple(further)
    pico = main_question(dataset, results, Question(**{"time_days": 0.0} | fields), fields=())
    method = method or default_method(pico.measure)
    require_known("method", [method], METHODS)
    require_known("test", [test], meta_analysis.TESTS)
    require_known("subgroup_by", [subgroup_by] if subgroup_by else [], list(SUBGROUP_COLUMNS))
    require_known("moderator", [moderator] if moderator else [], MODERATORS)
    return pool_effects(
        dataset,
        select_study_effects(
            dataset,
            results,
            pico,
            separate="treatment" if subgroup_by == "treatment" else "",
            every=method == "threelevel",
        ),
        pico,
        method=method,
        test=test,
        confidence=confidence,
        subgroup_by=subgroup_by,
        moderator=moderator,
        results=results,
        rho=rho,
        prior=prior,
        prior_scale=prior_scale,
    )


def pool_studies(
    dataset: Dataset, results: pd.DataFrame, *, outcome: str, measure: str, **options
) -> PooledEstimate | Refusal:
    """Pool studies as `meta_analyse` does, but return a refusal instead of raising one.

    Raises
    ------
    ParameterError
        An unknown word. An outcome that only these results lack is a refusal.
    """
    subgroup_by = options.get("subgroup_by", "")
    if measure not in MEASURES:
        raise ParameterError(f"measure: {not_one_of(repr(measure), MEASURES)}")
    if outcome not in set(results["outcome"]):
        reason = f"no selected result reports {outcome or 'any outcome'}"
        return Refusal(outcome, measure, (reason,), subgroup_by)
    try:
        return meta_analyse(dataset, results, outcome=outcome, measure=measure, **options)
    except PoolingError as error:
        return Refusal(outcome, measure, error.reasons, subgroup_by, error.left_out, error.question)


def pool_effects(
    dataset: Dataset,
    studies: pd.DataFrame,
    question: Question,
    *,
    method: str,
    test: str,
    confidence: float,
    subgroup_by: str = "",
    moderator: str = "",
    results: pd.DataFrame | None = None,
    rho: float = DEFAULT_RHO,
    prior: str = "half-normal",
    prior_scale: float = 0.0,
) -> PooledEstimate:
    """Pool study effects from `study_effects`.

    Parameters are as for `meta_analyse`, and `results` as for `reasons_not_to_pool`. Raise
    `PoolingError` with every reason why these studies should not be pooled.
    """
    if method in COUNT_METHODS:
        # Without a correction of zero cells such studies add nothing to a ratio.
        question = replace(question, include_double_zero=False)
    left_out: tuple[str, ...] = ()
    if results is not None:
        left_out = studies_left_out(results, studies, question)
    studies, unfit = leave_out_studies(studies, question, method=method)
    left_out += unfit
    reasons = list(
        reasons_not_to_pool(
            dataset, studies, question, method=method, grouped_by=subgroup_by, results=results
        )
    )
    if reasons:
        raise PoolingError(reasons, left_out, question)
    studies = studies.assign(**study_intervals(studies, question.measure, confidence))
    options = {"method": method, "test": test, "confidence": confidence}
    pooled: Pooled
    try:
        if method in STRATIFIED_METHODS:
            pooled, more = _pool_stratified(studies, question, method, confidence)
        elif method == "glmm":
            pooled, more = _pool_binomial_normal(studies, question, options)
        elif method == "threelevel":
            pooled, more = _pool_three_level(studies, options, rho)
            studies = _label_effects(studies)
        elif method == "bayes":
            priors = tau_prior(question.measure, prior, prior_scale)
            effects = (studies["yi"].to_numpy(), studies["vi"].to_numpy())
            pooled = pool_bayesian(*effects, prior=priors, confidence=confidence)
            more = {"omitted": _no_sensitivity_analyses(method)}
        else:
            pooled, more = _pool_inverse_variance(studies, question, options)
    except ValueError as error:
        raise PoolingError(error.args, left_out, question) from None
    important = None
    if not question.further_outcomes:
        important = important_effect(
            dataset, question.outcome, question.measure, studies["instrument"].iloc[0]
        )
    estimate = PooledEstimate(
        question=question,
        method=method,
        test=getattr(pooled, "test", "posterior" if method == "bayes" else "z"),
        confidence=confidence,
        studies=studies.assign(weight=getattr(pooled, "weights", np.nan)),
        pooled=pooled,
        left_out=left_out,
        important=important,
        better=better_side(dataset, question.outcome, studies["scale_better"]),
        **more,
    )
    if subgroup_by:
        estimate = _add_subgroups(estimate, subgroup_by, options)
    return _add_regression(estimate, moderator, options) if moderator else estimate


def study_intervals(
    studies: pd.DataFrame, measure: str, confidence: float
) -> dict[str, np.ndarray]:
    """Return `estimate`, `ci_low` and `ci_high` of each study on the natural scale.

    Proportions and their differences are those observed, with Wilson's and Newcombe's interval, as
    everywhere else; other effects have the interval of the variance with which they are pooled.
    """
    yi, half = studies["yi"].to_numpy(float), half_widths(studies, confidence).to_numpy()
    limits = INVERSE_LINK.get(measure, np.asarray)(np.array([yi, yi - half, yi + half]))
    if measure in OBSERVED_INTERVALS:
        interval, columns = OBSERVED_INTERVALS[measure]
        counts = studies[list(columns)].to_numpy(float)
        is_counted = np.isfinite(counts).all(axis=1)
        limits[:, is_counted] = interval(*counts[is_counted].T, confidence=confidence)
    return dict(zip(("estimate", "ci_low", "ci_high"), limits, strict=True))


def _pool_inverse_variance(
    studies: pd.DataFrame, question: Question, options: dict
) -> tuple[Pooled, dict[str, Any]]:
    """Return a pooled mean, and the fields of its estimate that depend on the method, as below."""
    yi, vi = studies["yi"].to_numpy(), studies["vi"].to_numpy()
    pooled = meta_analysis.pool(yi, vi, **options)
    omitted: dict[str, str] = {}
    if (
        pooled.k <= MAX_STUDIES
        and pooled.test.startswith("knha")
        and (question.measure not in PRIOR_SCALES)
    ):
        omitted["few_studies"] = (
            f"no Bayesian estimate beside it: no scale of a prior for tau of a "
            f"{MEASURE_LABELS[question.measure]} is established"
        )
    analyses = {
        "leave_one_out": _when_asked(sensitivity.leave_one_out, yi, vi, **options),
        "cumulative": _when_asked(sensitivity.cumulative_meta_analysis, yi, vi, **options),
        "egger": _when_asked(sensitivity.egger_test, yi, vi),
        "trim_and_fill": _when_asked(sensitivity.trim_and_fill, yi, vi, **options),
    }
    return pooled, {"analyses": analyses, "omitted": omitted}


def _when_asked(analysis: Callable, *effects, **options) -> Callable[[], tuple[Any, str]]:
    """Return a function that runs an analysis once: its result, or None and why there is none."""

    @cache
    def run() -> tuple[Any, str]:
        try:
            return analysis(*effects, **options), ""
        except ValueError as error:
            return None, str(error)

    return run


def _pool_stratified(
    studies: pd.DataFrame, question: Question, method: str, confidence: float
) -> tuple[Pooled, dict[str, Any]]:
    counts = studies[["events1", "n1", "events2", "n2"]].to_numpy(float).T
    pool = mantel_haenszel.pool_peto
    if method == "mh":
        pool = partial(mantel_haenszel.pool_mantel_haenszel, measure=question.measure)
    pooled = pool(*counts, confidence=confidence)
    reason = f"no sensitivity analyses: method {method} has no study weights and no tau²"
    return pooled, {"omitted": dict.fromkeys(SENSITIVITY_ANALYSES, reason)}


def _pool_binomial_normal(
    studies: pd.DataFrame, question: Question, options: dict
) -> tuple[Pooled, dict[str, Any]]:
    pooled = _binomial_normal(studies, question.measure, options)
    parts = {
        "leave_one_out": lambda: {
            f"without {label}": studies.drop(row) for row, label in studies["label"].items()
        },
        "cumulative": lambda: {
            f"up to {label}": studies.head(number)
            for number, label in enumerate(studies["label"].iloc[1:], start=2)
        },
    }

    def fit_parts(name: str) -> list[BinomialNormalMean]:
        fits = []
        for words, part in parts[name]().items():
            try:
                fits.append(_binomial_normal(part, question.measure, options))
            except ValueError as error:
                analysis = name.replace("_", "-")
                raise ValueError(f"no {analysis} analysis: {words}, {error}") from None
        return fits

    reason = "no test for small-study effects with method glmm"
    analyses = {name: _when_asked(fit_parts, name) for name in parts}
    return pooled, {"analyses": analyses, "omitted": {"egger": reason, "trim_and_fill": reason}}


def _binomial_normal(studies: pd.DataFrame, measure: str, options: dict) -> BinomialNormalMean:
    test = {"test": "z" if options["test"] == "z" else "t", "confidence": options["confidence"]}
    if measure == "proportion":
        return pool_proportions_glmm(studies["events1"], studies["n1"], **test)
    counts = studies[["events1", "n1", "events2", "n2"]].to_numpy(float).T
    return pool_odds_ratio_glmm(*counts, **test)


def _pool_three_level(
    studies: pd.DataFrame, options: dict, rho: float
) -> tuple[Pooled, dict[str, Any]]:
    effects = (studies["yi"].to_numpy(), studies["vi"].to_numpy(), list(studies["study"]))
    test = "z" if options["test"] == "z" else "cr2"
    model = {"test": test, "confidence": options["confidence"]}
    pooled = pool_three_level(*effects, rho=rho, **model)
    by_rho = tuple(sensitivity_to_rho(*effects, **model))
    return pooled, {"by_rho": by_rho, "omitted": _no_sensitivity_analyses(options["method"])}


def _label_effects(studies: pd.DataFrame) -> pd.DataFrame:
    """Tell the effects of one study apart by outcome, scale and time."""
    several = studies["study"].duplicated(keep=False)
    outcomes = studies["outcome"].nunique()

    def label(study: Any) -> str:
        parts = [study.outcome if outcomes > 1 else "", study.instrument]
        parts += [] if pd.isna(study.days) else [format_duration(study.days)]
        return f"{study.label} ({', '.join(filter(None, parts))})" if any(parts) else study.label

    labels = studies["label"].where(~several, [label(study) for study in studies.itertuples()])
    # Scale and time can be the same for a final score and a change.
    unclear = labels.duplicated(keep=False) & (studies["definition"] != "")
    return studies.assign(label=labels.where(~unclear, labels + ", " + studies["definition"]))


def _no_sensitivity_analyses(method: str) -> dict[str, str]:
    return dict.fromkeys(
        SENSITIVITY_ANALYSES, f"no sensitivity analyses by study with method {method}"
    )


def _add_subgroups(estimate: PooledEstimate, subgroup_by: str, options: dict) -> PooledEstimate:
    """Split the studies into subgroups, in the order in which these appear, and test the difference."""
    studies, column = estimate.studies, SUBGROUP_COLUMNS[subgroup_by]
    pooled: Mapping = {}
    difference, omitted = None, {}
    try:
        analysis = _subgroup_analysis(estimate, list(studies[column]), options)
    except ValueError as error:
        omitted["subgroups"] = f"no subgroup analysis: {error}"
    else:
        pooled, difference = analysis.groups, analysis.difference
        if difference is None:
            reason = "fewer than two subgroups contain two or more studies"
            omitted["subgroup_test"] = f"no subgroup test: {reason}"
    subgroups = tuple(
        Subgroup(str(name), group.reset_index(drop=True), pooled.get(name))
        for name, group in studies.groupby(column, sort=False)
    )
    return replace(
        estimate,
        subgroup_by=subgroup_by,
        subgroups=subgroups,
        subgroup_test=difference,
        omitted=estimate.omitted | omitted,
    )


def _subgroup_analysis(
    estimate: PooledEstimate, groups: list, options: dict
) -> sensitivity.Subgroups:
    studies, mean = estimate.studies, estimate.pooled
    effects = (studies["yi"], studies["vi"])
    if isinstance(mean, ThreeLevelMean):
        return compare_subgroups(
            *effects, list(studies["study"]), groups, **_three_level_options(mean)
        )
    if isinstance(mean, BinomialNormalMean):
        members = studies.groupby(groups, sort=False)
        return sensitivity.compare_subgroups(
            {
                name: _binomial_normal(group, estimate.measure, options)
                for name, group in members
                if len(group) > 1
            }
        )
    if estimate.method not in meta_analysis.METHODS:
        raise ValueError(f"method {estimate.method} has none")
    return sensitivity.subgroup_analysis(*effects, groups, **options)


def _add_regression(estimate: PooledEstimate, moderator: str, options: dict) -> PooledEstimate:
    """Fit a meta-regression over the studies that state the moderator."""
    line, omitted = None, {}
    if moderator == "dose":
        studies, unit, other_units = in_main_dose_unit(estimate.studies)
        estimate = replace(estimate, studies=studies)
        if other_units:
            omitted["dose units"] = (
                f"the meta-regression leaves out doses in {join_words(other_units)}, which do not "
                f"convert to {unit}"
            )
    try:
        line = _regression(estimate, moderator, options)
    except ValueError as error:
        omitted["regression"] = f"no meta-regression on {moderator}: {error}"
    return replace(
        estimate, moderator=moderator, regression=line, omitted=estimate.omitted | omitted
    )


def _regression(estimate: PooledEstimate, column: str, options: dict) -> meta_analysis.Coefficients:
    values = pd.to_numeric(estimate.studies[column], errors="coerce").dropna()
    if len(values) < 2:
        raise ValueError(f"it needs two studies that state it; there are {len(values)}")
    studies, mean = estimate.studies.loc[values.index], estimate.pooled
    effects = (studies["yi"], studies["vi"], np.column_stack([np.ones(len(values)), values]))
    if isinstance(mean, ThreeLevelMean):
        return fit_three_level(*effects, list(studies["study"]), **_three_level_options(mean))
    if estimate.method not in meta_analysis.METHODS:
        raise ValueError(f"method {estimate.method} has none")
    return meta_analysis.fit_regression(*effects, **options)


def _three_level_options(mean: ThreeLevelMean) -> dict:
    return {"rho": mean.rho, "test": mean.test, "confidence": mean.confidence}


def _pooled_data(pooled: Pooled | meta_analysis.Coefficients) -> dict:
    if isinstance(pooled, mantel_haenszel.StratifiedEstimate):
        return pooled._asdict()
    if isinstance(pooled, BayesianMean):
        return posterior_data(pooled)
    left_out = ("weights", "moderators")
    return {name: value for name, value in vars(pooled).items() if name not in left_out}
