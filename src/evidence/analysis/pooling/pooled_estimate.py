"""Studies pooled from the tables, or the reasons why they should not be.

Vocabulary
----------
A *question* as in `questions`. A pool is *refused* where its result would have no meaning; every
reason is given at once.

A pool in words: what it found, what it does not say, and why some studies are not pooled.

Vocabulary
----------
A *refusal* stands where a pool was asked for and should not be made; it carries every reason.
"""

from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd

from evidence.analysis.pooling.question import (
    GROUPINGS,
    MEASURES,
    METHODS,
    MODERATORS,
    Question,
    reasons_not_to_pool,
    select_study_effects,
)
from evidence.analysis.results import require_known
from evidence.dataset.dataset import Dataset
from evidence.errors import EvidenceError, ParameterError
from evidence.statistics import mantel_haenszel, meta_analysis, sensitivity
from evidence.statistics.confidence_intervals import critical_value
from evidence.statistics.effect_sizes import inverse_logit

SPARSE = ("mh", "peto")
INVERSE_LINK = {"rr": np.exp, "or": np.exp, "proportion": inverse_logit}
"""How to come back from the scale of pooling to the natural one."""


class PoolingError(EvidenceError):
    """These studies should not be pooled; `reasons` says why, one sentence each."""

    def __init__(self, reasons: list[str]):
        self.reasons = tuple(reasons)
        super().__init__("\n".join(f"cannot be pooled: {reason}" for reason in reasons))


@dataclass(frozen=True)
class Subgroup:
    """The studies of one subgroup; `pooled` is None where there is only one."""

    name: str
    studies: pd.DataFrame
    pooled: meta_analysis.PooledMean | None


@dataclass(frozen=True)
class PooledEstimate:
    """A pooled effect with everything that belongs to it.

    `studies`: one row a study with `study`, `label`, `yi`, `vi`, `ci_low`, `ci_high`, `weight`
    (NaN for sparse methods), what it was made from, and `address`. `subgroups` by the words of `subgroup_by`,
    with `subgroup_test`, the test that they differ; `regression` on `moderator`. `omitted_analyses` gives, by
    name, why a customary analysis is left out.
    """

    question: Question
    method: str
    test: str
    studies: pd.DataFrame
    pooled: meta_analysis.PooledMean | mantel_haenszel.StratifiedEstimate
    leave_one_out: list[meta_analysis.PooledMean] = field(default_factory=list)
    cumulative: list[meta_analysis.PooledMean] = field(default_factory=list)
    egger: sensitivity.EggerTest | None = None
    trim_and_fill: sensitivity.TrimAndFill | None = None
    subgroup_by: str = ""
    subgroups: tuple[Subgroup, ...] = ()
    subgroup_test: sensitivity.Subgroups | None = None
    moderator: str = ""
    regression: meta_analysis.MetaRegression | None = None
    omitted_analyses: dict[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """The outcome in question."""
        return self.question.outcome

    @property
    def measure(self) -> str:
        """The measure by which it is compared."""
        return self.question.measure

    @property
    def scale(self) -> str:
        """The scale of pooling, in words."""
        return MEASURES[self.measure]

    def natural(
        self, pooled: meta_analysis.PooledMean | mantel_haenszel.StratifiedEstimate | None = None
    ) -> dict[str, float]:
        """A pooled effect (by default the whole) and its intervals as a ratio or a proportion."""
        back = INVERSE_LINK.get(self.measure, float)
        names = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
        found = {name: getattr(pooled or self.pooled, name, np.nan) for name in names}
        return {name: float(back(value)) for name, value in found.items()}

    def as_data(self) -> dict:
        """Everything at full precision, for JSON; NaN and infinite numbers become None."""
        studies = self.studies.to_dict("records")
        left_out = [
            {"without": study, **_data(pooled)}
            for study, pooled in zip(self.studies["study"], self.leave_one_out, strict=False)
        ]
        added = [
            {"up_to": study, **_data(pooled)}
            for study, pooled in zip(self.studies["study"][1:], self.cumulative, strict=False)
        ]
        return _plain(
            {
                "outcome": self.outcome,
                "measure": self.measure,
                "scale": self.scale,
                "question": asdict(self.question),
                "pooled": _data(self.pooled),
                "natural": self.natural(),
                "studies": studies,
                "leave_one_out": left_out,
                "cumulative": added,
                "egger": self.egger._asdict() if self.egger else None,
                "trim_and_fill": (
                    {
                        "missing": self.trim_and_fill.missing,
                        "side": self.trim_and_fill.side,
                        "filled": _data(self.trim_and_fill.filled),
                    }
                    if self.trim_and_fill
                    else None
                ),
                "subgroups": self._groups() if self.subgroup_by else None,
                "regression": (
                    {"moderator": self.moderator, **asdict(self.regression)}
                    if self.regression
                    else None
                ),
                "omitted_analyses": self.omitted_analyses,
            }
        )

    def _groups(self) -> dict:
        found = {
            group.name: {
                "studies": list(group.studies["study"]),
                "pooled": _data(group.pooled) if group.pooled else None,
                "natural": self.natural(group.pooled) if group.pooled else None,
            }
            for group in self.subgroups
        }
        test = self.subgroup_test
        said = {"Q": test.Q, "df": test.Q_df, "p": test.Q_p} if test and test.Q_df else None
        return {"by": self.subgroup_by, "groups": found, "difference": said}


def _data(pooled) -> dict:
    if isinstance(pooled, mantel_haenszel.StratifiedEstimate):
        return pooled._asdict()
    found = asdict(pooled)
    del found["weights"]
    return found


def _plain(value):
    """Python's own numbers, NaN and infinity as None, all the way down."""
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if hasattr(value, "item"):
        value = value.item()
    if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value


def meta_analyse(
    dataset: Dataset,
    results: pd.DataFrame,
    *,
    method: str = "reml",
    test: str = "knha",
    confidence: float = 0.95,
    subgroup_by: str = "",
    moderator: str = "",
    **asked,
) -> PooledEstimate:
    """The studies of `results` that bear on a question, pooled.

    Parameters
    ----------
    results : DataFrame
        From `select_results`.
    method : {"reml", "dl", "pm", "common", "mh", "peto"}
    test : {"z", "knha", "knha-adhoc"}
    confidence : float, default 0.95
    subgroup_by : {"condition", "treatment", "comparator", "blinding", "risk"}, optional
        Pool the studies of each word by themselves as well, and test whether they differ.
    moderator : {"dose", "days", "year"}, optional
        Set the effects against this by meta-regression as well.
    asked
        The fields of `Question`; ratios and proportions are pooled on the log scale.

    Raises
    ------
    ParameterError
        A word that is none.
    PoolingError
        With every reason why these studies should not be pooled.
    """
    asked = {name: tuple(v) if isinstance(v, list) else v for name, v in asked.items()}
    question = Question(**asked)
    require_known("method", [method], METHODS)
    require_known("test", [test], meta_analysis.TESTS)
    require_known("subgroup_by", [subgroup_by] if subgroup_by else [], list(GROUPINGS))
    require_known("moderator", [moderator] if moderator else [], list(MODERATORS))
    studies = select_study_effects(dataset, results, question)
    options = {"method": method, "test": test, "confidence": confidence}
    return pool_effects(
        dataset, studies, question, subgroup_by=subgroup_by, moderator=moderator, **options
    )


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
) -> PooledEstimate:
    """As `synthesise`, of studies as `brought` gives them.

    Raises
    ------
    PoolingError
        With every reason why these studies should not be pooled.
    """
    reasons = list(
        reasons_not_to_pool(dataset, studies, question, method=method, grouped_by=subgroup_by)
    )
    if reasons:
        raise PoolingError(reasons)
    half = critical_value(confidence) * np.sqrt(studies["vi"])
    studies = studies.assign(ci_low=studies["yi"] - half, ci_high=studies["yi"] + half)
    options = {"method": method, "test": test, "confidence": confidence}
    if method in SPARSE:
        found = _sparse(studies, question, method, confidence)
    else:
        found = _pool(studies, question, options)
    if subgroup_by:
        found = _by(found, subgroup_by, options)
    return _regress(found, moderator, options) if moderator else found


def _pool(studies: pd.DataFrame, question: Question, options) -> PooledEstimate:
    yi, vi = studies["yi"].to_numpy(), studies["vi"].to_numpy()
    pooled = meta_analysis.pool(yi, vi, **options)
    omitted_analyses: dict[str, str] = {}

    def unless_refused(name, analysis, **given):
        try:
            return analysis(yi, vi, **given)
        except ValueError as error:
            omitted_analyses[name] = str(error)
            return None

    return PooledEstimate(
        question=question,
        method=options["method"],
        test=pooled.test,
        studies=studies.assign(weight=pooled.weights),
        pooled=pooled,
        leave_one_out=unless_refused("leave_one_out", sensitivity.leave_one_out, **options) or [],
        cumulative=sensitivity.cumulative_meta_analysis(yi, vi, **options),
        egger=unless_refused("egger", sensitivity.egger_test),
        trim_and_fill=unless_refused("trim_and_fill", sensitivity.trim_and_fill, **options),
        omitted_analyses=omitted_analyses,
    )


def _sparse(studies, question: Question, method, confidence) -> PooledEstimate:
    counts = [studies[name].to_numpy(float) for name in ("events1", "n1", "events2", "n2")]
    try:
        if method == "peto":
            pooled = mantel_haenszel.pool_peto(*counts, confidence=confidence)
        else:
            pooled = mantel_haenszel.pool_mantel_haenszel(
                *counts, measure=question.measure, confidence=confidence
            )
    except ValueError as error:
        raise PoolingError([str(error)]) from None
    said = f"method {method} has no weights and no tau² to examine study by study"
    names = ("leave_one_out", "cumulative", "egger", "trim_and_fill")
    return PooledEstimate(
        question=question,
        method=method,
        test="z",
        studies=studies.assign(weight=np.nan),
        pooled=pooled,
        omitted_analyses=dict.fromkeys(names, said),
    )


def _by(found: PooledEstimate, by: str, options) -> PooledEstimate:
    """With each group of studies pooled by itself, in the order in which the groups appear."""
    words = found.studies[GROUPINGS[by]]
    yi, vi = found.studies["yi"].to_numpy(), found.studies["vi"].to_numpy()
    omitted_analyses, difference = dict(found.omitted_analyses), None
    if found.method in SPARSE:
        omitted_analyses["subgroups"] = f"method {found.method} pools no groups by themselves"
    else:
        difference = sensitivity.subgroup_analysis(yi, vi, list(words), **options)
        if not difference.Q_df:
            omitted_analyses["subgroup_test"] = (
                f"whether groups by {by} differ is not tested: fewer than two have two studies"
            )
    pooled = difference.groups if difference else {}
    groups = tuple(
        Subgroup(str(word), studies.reset_index(drop=True), pooled.get(word))
        for word, studies in found.studies.groupby(words, sort=False)
    )
    return replace(
        found,
        subgroup_by=by,
        subgroups=groups,
        subgroup_test=difference,
        omitted_analyses=omitted_analyses,
    )


def _regress(found: PooledEstimate, moderator: str, options) -> PooledEstimate:
    """With the effects set against a moderator, over the studies that state it."""
    omitted_analyses = dict(found.omitted_analyses)
    values = pd.to_numeric(found.studies[MODERATORS[moderator]], errors="coerce")
    kept = found.studies[values.notna()]
    regression = None
    if found.method in SPARSE:
        omitted_analyses["regression"] = f"method {found.method} fits no line"
    else:
        x = np.column_stack([np.ones(len(kept)), values[values.notna()].to_numpy(float)])
        try:
            regression = meta_analysis.fit_regression(kept["yi"], kept["vi"], x, **options)
        except ValueError as error:
            omitted_analyses["regression"] = f"no meta-regression on {moderator}: {error}"
    return replace(
        found, moderator=moderator, regression=regression, omitted_analyses=omitted_analyses
    )


MEASURE_LABELS = {
    "rr": "risk ratio",
    "or": "odds ratio",
    "rd": "risk difference",
    "smd": "standardised difference",
    "md": "mean difference",
}


@dataclass(frozen=True)
class Refusal:
    """What was asked for, and every reason why it is not pooled; `subgroup_by` as in `Synthesis`."""

    outcome: str
    measure: str
    reasons: tuple[str, ...]
    subgroup_by: str = ""


def pool_studies(
    dataset: Dataset, results: pd.DataFrame, *, outcome: str, measure: str, **options
) -> PooledEstimate | Refusal:
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
        return Refusal(outcome, measure, reasons, options.get("subgroup_by", ""))
    try:
        return meta_analyse(dataset, results, outcome=outcome, measure=measure, **options)
    except PoolingError as error:
        return Refusal(outcome, measure, error.reasons, options.get("subgroup_by", ""))
