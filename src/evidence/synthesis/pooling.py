"""Studies pooled from the tables, or the reasons why they should not be.

Vocabulary
----------
A *contribution* is what one study brings to a pool (see `contributions`). A pool is *refused* where
its result would have no meaning; every reason is given at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.errors import EvidenceError
from evidence.estimation import pooling, sensitivity, sparse
from evidence.estimation.proportions import critical_value, expit
from evidence.synthesis.contributions import BINARY, contributions
from evidence.synthesis.gaps import cohorts, evidence_rows
from evidence.synthesis.selection import require_words

MEASURES = {
    "rr": "log risk ratio",
    "or": "log odds ratio",
    "rd": "risk difference",
    "smd": "Hedges' g",
    "md": "mean difference",
    "proportion": "log odds of one proportion",
}
METHODS = ("reml", "dl", "pm", "ce", "mh", "peto")
SPARSE = ("mh", "peto")
BACK = {"rr": np.exp, "or": np.exp, "proportion": expit}
"""How to come back from the scale of pooling to the natural one."""


class PoolingError(EvidenceError):
    """These studies should not be pooled; `reasons` says why, one sentence each."""

    def __init__(self, reasons: list[str]):
        self.reasons = tuple(reasons)
        super().__init__("\n".join(f"cannot be pooled: {reason}" for reason in reasons))


@dataclass(frozen=True)
class Synthesis:
    """A pooled effect with everything that belongs to it.

    `studies`: one row a study with `study`, `label`, `yi`, `vi`, `ci_low`, `ci_high`, `weight`
    (NaN for sparse methods), what it was made from, and `address`. `not_said` gives, by name, why
    a customary analysis is left out.
    """

    outcome: str
    measure: str
    method: str
    test: str
    studies: pd.DataFrame
    pooled: pooling.Pooled | sparse.Sparse
    leave_one_out: list[pooling.Pooled]
    cumulative: list[pooling.Pooled]
    egger: sensitivity.Egger | None
    trimmed: sensitivity.Trimmed | None
    not_said: dict[str, str]

    @property
    def scale(self) -> str:
        """The scale of pooling, in words."""
        return MEASURES[self.measure]

    def natural(self) -> dict[str, float]:
        """The pooled effect and its intervals on the natural scale: a ratio, a proportion."""
        back = BACK.get(self.measure, float)
        names = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
        found = {name: getattr(self.pooled, name, np.nan) for name in names}
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
                "pooled": _data(self.pooled),
                "natural": self.natural(),
                "studies": studies,
                "leave_one_out": left_out,
                "cumulative": added,
                "egger": self.egger._asdict() if self.egger else None,
                "trim_and_fill": (
                    {
                        "missing": self.trimmed.missing,
                        "side": self.trimmed.side,
                        "filled": _data(self.trimmed.filled),
                    }
                    if self.trimmed
                    else None
                ),
                "not_said": self.not_said,
            }
        )


def _data(pooled) -> dict:
    if isinstance(pooled, sparse.Sparse):
        return pooled._asdict()
    found = asdict(pooled)
    del found["weights"]
    return found


def _plain(value):
    """Python's own numbers, NaN and infinity as None, all the way down."""
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if hasattr(value, "item"):
        value = value.item()
    if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value


def synthesise(
    corpus: Corpus,
    results: pd.DataFrame,
    *,
    outcome: str,
    measure: str,
    method: str = "reml",
    test: str = "knha",
    confidence: float = 0.95,
    near_days: float = 1.0,
    window: float = 3.0,
    comparators: Sequence[str] = (),
    conditions: Sequence[str] = (),
    mix_designs: bool = False,
) -> Synthesis:
    """The studies of `results` that report on an outcome, pooled.

    Parameters
    ----------
    results : DataFrame
        From `select_results`.
    outcome : str
        A word of the data.
    measure : {"rr", "or", "rd", "smd", "md", "proportion"}
        Ratios and proportions are pooled on the log scale.
    method : {"reml", "dl", "pm", "ce", "mh", "peto"}
    test : {"z", "knha"}
    confidence : float, default 0.95
    near_days : float, default 1
        Of each study the time nearest to this is taken.
    window : float, default 3
        Times up to this many times earlier or later count; results without a time always do.
    comparators : sequence of str
        Only these kinds of comparison (`comparator_kind`); more than one kind is pooled only if
        it is named here.
    conditions : sequence of str
        Only these; more than one condition is pooled only if it is named here.
    mix_designs : bool
        Whether randomised and other studies may stand in one pool.

    Raises
    ------
    ParameterError
        A word that is none.
    PoolingError
        With every reason why these studies should not be pooled.
    """
    require_words("outcome", [outcome], list(results["outcome"].unique()))
    require_words("measure", [measure], list(MEASURES))
    require_words("method", [method], METHODS)
    require_words("test", [test], pooling.TESTS)
    rows = evidence_rows(results)
    rows = rows[(rows["outcome"] == outcome) & ~(rows["days"] <= 0)]
    near = rows["days"].between(near_days / window, near_days * window)
    rows = rows[near | rows["days"].isna()]
    if comparators:
        kinds = [kind for kind in results["comparator_kind"].unique() if kind]
        require_words("comparators", comparators, kinds)
        rows = rows[rows["comparator_kind"].isin(list(comparators))]
    if conditions:
        require_words("conditions", conditions, list(results["condition"].unique()))
        rows = rows[rows["condition"].isin(list(conditions))]
    studies = contributions(rows, measure=measure, near_days=near_days)
    reasons = [*_refusals(corpus, studies, measure, method, mix_designs)]
    for name, column, given in (
        ("conditions", "condition", conditions),
        ("comparators", "comparator_kind", comparators if measure != "proportion" else ("all",)),
    ):
        mixed = studies.groupby(column, sort=False)["label"].agg(", ".join)
        if len(mixed) > 1 and not given:
            said = "; ".join(f"{word or 'not stated'}: {labels}" for word, labels in mixed.items())
            reasons.append(f"the {name} differ ({said}); name those that are meant (--{name})")
    if reasons:
        raise PoolingError(reasons)
    z = critical_value(confidence)
    studies["ci_low"] = studies["yi"] - z * np.sqrt(studies["vi"])
    studies["ci_high"] = studies["yi"] + z * np.sqrt(studies["vi"])
    studies = _by_year(corpus, studies)
    if method in SPARSE:
        return _sparse(studies, outcome, measure, method, confidence)
    yi, vi = studies["yi"].to_numpy(), studies["vi"].to_numpy()
    options = {"method": method, "test": test, "confidence": confidence}
    pooled = pooling.pool(yi, vi, **options)
    not_said: dict[str, str] = {}

    def unless_refused(name, analysis, **given):
        try:
            return analysis(yi, vi, **given)
        except ValueError as error:
            not_said[name] = str(error)
            return None

    return Synthesis(
        outcome=outcome,
        measure=measure,
        method=method,
        test=pooled.test,
        studies=studies.assign(weight=pooled.weights),
        pooled=pooled,
        leave_one_out=unless_refused("leave_one_out", sensitivity.leave_one_out, **options) or [],
        cumulative=sensitivity.cumulative(yi, vi, **options),
        egger=unless_refused("egger", sensitivity.egger),
        trimmed=unless_refused("trim_and_fill", sensitivity.trim_and_fill, **options),
        not_said=not_said,
    )


def _sparse(studies, outcome, measure, method, confidence) -> Synthesis:
    counts = [studies[name].to_numpy(float) for name in ("events1", "n1", "events2", "n2")]
    try:
        if method == "peto":
            pooled = sparse.peto(*counts, confidence=confidence)
        else:
            pooled = sparse.mantel_haenszel(*counts, measure=measure, confidence=confidence)
    except ValueError as error:
        raise PoolingError([str(error)]) from None
    said = f"method {method} has no weights and no tau² to examine study by study"
    names = ("leave_one_out", "cumulative", "egger", "trim_and_fill")
    return Synthesis(
        outcome, measure, method, "z", studies.assign(weight=np.nan), pooled,
        [], [], None, None, dict.fromkeys(names, said),
    )  # fmt: skip


def _by_year(corpus: Corpus, studies: pd.DataFrame) -> pd.DataFrame:
    """Oldest first, as a cumulative analysis needs them."""
    year = studies["study"].map(lambda study: corpus.bibliography[study].year)
    return (
        studies.assign(year=year)
        .sort_values(["year", "study"], kind="stable")
        .reset_index(drop=True)
    )


def _refusals(corpus, studies: pd.DataFrame, measure, method, mix_designs) -> Iterator[str]:
    if method == "mh" and measure not in BINARY:
        yield f"Mantel and Haenszel pool counts of two groups, not a {MEASURES[measure]}"
    if method == "peto" and measure != "or":
        yield f"Peto's method gives an odds ratio, not a {MEASURES[measure]}"
    if len(studies) < 2:
        which = f" ({studies['label'].iloc[0]})" if len(studies) else ""
        number = "one study has" if len(studies) else "no study has"
        yield f"{number} confirmed numbers for this{which}; a pool needs two"
        return
    scales = studies["instrument"].unique()
    if measure == "md" and len(scales) > 1:
        yield f"the scales differ ({', '.join(filter(None, scales))}); use measure smd"
    crossed = studies[studies["design"] == "randomised crossover"]
    if len(crossed) and measure != "proportion":
        yield (
            f"the two periods of a crossover are the same people ({', '.join(crossed['label'])}), "
            "and their correlation is not known"
        )
    kinds = studies.groupby(studies["randomised"] == "yes")["label"].agg(", ".join)
    if len(kinds) > 1 and not mix_designs:
        yield (
            f"randomised ({kinds[True]}) and other studies ({kinds[False]}) are different things; "
            "ask for it in so many words (--mix-designs)"
        )
    people = studies["study"].map(cohorts(corpus))
    for cohort in people[people.duplicated()].unique():
        labels = ", ".join(studies.loc[people == cohort, "label"])
        yield f"the same people would be counted twice ({labels})"
