"""One dose–response curve over the trials that bear on a question, or every reason against it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from evidence.analysis.doses import convert_doses, in_main_dose_unit
from evidence.analysis.eligible_evidence import evidence_rows
from evidence.analysis.missing_results import why_missing
from evidence.analysis.pooling.pooled_estimate import INVERSE_LINK
from evidence.analysis.pooling.question import (
    MEASURES,
    PICO_FIELDS,
    SUBGROUP_COLUMNS,
    Question,
    belongs_to,
    leave_out_studies,
    reasons_not_to_pool,
    select_study_effects,
)
from evidence.analysis.results import SEPARATOR, better_side, require_known
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import Displayable
from evidence.provenance.sentence import join_words
from evidence.provenance.values import to_json_value
from evidence.statistics.dose_contrasts import DoseContrasts
from evidence.statistics.dose_response import SHAPES, DoseResponse, fit_dose_response
from evidence.statistics.meta_analysis import WaldTest

SHAPE_LABELS = {
    "linear": "a straight line",
    "quadratic": "a parabola",
    "spline": "a restricted cubic spline",
    "emax": "an Emax curve",
}
ZERO_DOSE_COMPARATORS = ("inactive", "active", "mixed", "usual care", "none")
"""Kinds of comparator in which nobody received the treatment: dose 0."""
MIN_DOSE_RATIO = 1.5
"""Doses closer than this show no curve: 0.5 and 0.54 are one dose."""
_EQUAL_ARMS = 0.5
_NOT_IN_JSON = ("used", "weights")


@dataclass(frozen=True)
class DoseModel(Displayable):
    """A dose–response curve over trials, or the reasons why there is none.

    `arms` has one row per treated arm with a dose: the columns of `study_effects`, `reference`
    (the dose of its comparator) and `weight` (the share of its trial in the curve; NaN without
    one). All doses are in `unit`, that of most trials; `other_units` do not convert to it. `missing`
    lists trials that compared several doses and give no number here: `study`, `label`, `doses`,
    `unit`, `why` and `address`. `handling` says what was done to the arms and sign of each, and
    `better` is the side of no effect that favours the treatment: 1 above, -1 below, 0 not known.
    Effects are on the scale of pooling.
    """

    question: Question
    shape: str
    route: str
    unit: str
    confidence: float
    arms: pd.DataFrame
    missing: pd.DataFrame
    curve: DoseResponse | None
    nonlinearity: WaldTest | None
    reasons: tuple[str, ...]
    left_out: tuple[str, ...]
    other_units: tuple[str, ...] = ()
    handling: tuple[str, ...] = ()
    better: int = 0

    @property
    def comparing(self) -> list[str]:
        """Labels of the trials that compared several doses."""
        doses = self.arms.groupby("label", sort=False)["dose"].nunique()
        return list(doses[doses > 1].index)

    @property
    def dose_range(self) -> tuple[float, float]:
        """The smallest and the largest dose of these trials."""
        doses = self.arms["dose"]
        return float(doses.min()), float(doses.max())

    @property
    def typical_doses(self) -> list[float]:
        """The smallest, the most usual and the largest dose of these and of the missing trials."""
        missing = self.missing.loc[self.missing["unit"] == self.unit, ["study", "doses"]]
        missing = missing.rename(columns={"doses": "dose"}).explode("dose")
        doses = pd.concat([self.arms[["study", "dose"]], missing]).drop_duplicates()["dose"]
        levels = {doses.min(), doses.mode().iloc[0], doses.max()} if len(doses) else set()
        return sorted(map(float, levels))

    def predict(self, doses: Sequence[float]) -> pd.DataFrame:
        """Return the effect of each dose against none, with its CI, on the natural scale.

        `is_extrapolated` says that a dose is below or above those of all trials. Raise `ValueError`
        if there is no curve.
        """
        if self.curve is None:
            raise ValueError("there is no dose–response curve; see the reasons")
        prediction = self.curve.predict(np.asarray(doses, float))
        natural = INVERSE_LINK.get(self.question.measure, np.asarray)
        columns = {
            name: natural(getattr(prediction, name)) for name in ("estimate", "ci_low", "ci_high")
        }
        low, high = self.dose_range
        is_extrapolated = (prediction.dose < low) | (prediction.dose > high)
        return pd.DataFrame(
            {"dose": prediction.dose, **columns, "is_extrapolated": is_extrapolated}
        )

    def as_data(self, doses: Sequence[float] = ()) -> dict:
        """Return everything at full precision for JSON, with the effects of these doses.

        Without doses, those of the trials. Without a curve, `curve` is None and `reasons` says why.
        """
        curve, predictions = None, []
        if self.curve is not None:
            tests = {"association": self.curve.association, "nonlinearity": self.nonlinearity}
            curve = {name: v for name, v in vars(self.curve).items() if name not in _NOT_IN_JSON}
            curve |= {name: test and test._asdict() for name, test in tests.items()}
            doses = list(doses) or sorted(self.arms["dose"].unique())
            predictions = self.predict(doses).to_dict("records")
        return to_json_value(
            {
                "outcome": self.question.outcome,
                "measure": self.question.measure,
                "scale": MEASURES[self.question.measure],
                "question": asdict(self.question),
                "shape": self.shape,
                "route": self.route,
                "dose_unit": self.unit,
                "curve": curve,
                "predictions": predictions,
                "arms": self.arms.to_dict("records"),
                "missing": self.missing.to_dict("records"),
                "left_out": list(self.left_out),
                "reasons": list(self.reasons),
            }
        )


def fit_dose_model(
    dataset: Dataset,
    results: pd.DataFrame,
    question: Question,
    *,
    shape: str = "linear",
    stages: int = 1,
    route: str = "",
    confidence: float = 0.95,
) -> DoseModel:
    """Fit one curve to all doses of the trials that bear on a question, in the unit of most.

    In one stage every trial takes part, also with a single dose; in two stages those with as many
    doses as the curve has coefficients (REML, Knapp-Hartung with ad hoc correction). Comparators
    without the treatment, active placebos among them, are dose 0.

    Parameters
    ----------
    shape : {"linear", "quadratic", "spline", "emax"}
    stages : {1, 2}
    route : str, optional
        Route of administration; by default the one that most trials with a dose used. `any`
        mixes routes.

    Raises
    ------
    ParameterError
        An unknown word.
    """
    require_known("shape", [shape], SHAPES)
    routes = [str(word) for word in results["route"].unique() if word]
    require_known("route", [route] if route else [], [*routes, "any"])
    route = route or _main_route(results, question)
    is_treated = results["role"].isin(["intervention", "contrast", "single arm"])
    if route and route != "any":
        results = results[~is_treated | (results["route"] == route)]
    arms, unit, other_units, left_out = _dose_arms(dataset, results, question)
    studies = arms.drop_duplicates("study")
    turned = arms[arms["handling"] != ""]
    handling = dict.fromkeys(f"{row.label}: {row.handling}" for row in turned.itertuples())
    reasons = list(
        reasons_not_to_pool(
            dataset,
            studies,
            question,
            method="reml",
            grouped_by="comparator",
            results=results if studies.empty else None,
        )
    )
    reasons += _dose_reasons(arms, unit)
    if question.measure == "proportion":
        reasons.append("a curve needs effects against a comparator, such as measure or")
    curve, nonlinearity = None, None
    if not reasons:
        try:
            curve = _fit(arms, question.measure, shape, stages, confidence)
        except ValueError as error:
            reasons.append(str(error))
        else:
            nonlinearity = curve.nonlinearity or _nonlinearity(arms, question.measure, confidence)
            used = arms["study"].unique()[curve.used]
            weights = dict(zip(used, curve.weights, strict=True))
            arms = arms.assign(weight=arms["study"].map(weights))
    return DoseModel(
        question=question,
        shape=shape,
        route=route,
        unit=unit,
        confidence=confidence,
        arms=arms,
        missing=_missing_trials(dataset, results, question, set(arms["study"])),
        curve=curve,
        nonlinearity=nonlinearity,
        reasons=tuple(reasons),
        left_out=tuple(left_out),
        other_units=tuple(other_units),
        handling=tuple(handling),
        better=better_side(dataset, question.outcome, arms["scale_better"]),
    )


def _main_route(results: pd.DataFrame, question: Question) -> str:
    """Return the route with the most studies that give a dose and the outcome."""
    rows = _question_rows(results, question)
    rows = rows[(rows["dose"] > 0) & (rows["route"] != "")]
    counts = rows.groupby("route", sort=False)["study"].nunique()
    return str(counts.idxmax()) if len(counts) else ""


def _question_rows(results: pd.DataFrame, question: Question) -> pd.DataFrame:
    rows = evidence_rows(results)
    rows = rows[rows["outcome"] == question.outcome]
    for field in PICO_FIELDS:
        if values := question.named_values(field):
            rows = rows[belongs_to(rows, SUBGROUP_COLUMNS[field], values)]
    return rows


def _dose_arms(
    dataset: Dataset, results: pd.DataFrame, question: Question
) -> tuple[pd.DataFrame, str, list[str], list[str]]:
    """Return the treated arms that a curve can use, their unit, other units, and who is left out."""
    arms = select_study_effects(dataset, results, question, separate="arm")
    arms = arms.reset_index(drop=True).assign(reference=0.0, weight=np.nan)
    is_stated = arms["dose"] > 0
    arms, unit, other_units = in_main_dose_unit(arms)
    doses = results.drop_duplicates("address").set_index("address")
    is_comparator = doses["role"].eq("comparator")
    kinds = arms["comparator_kind"].str.split(SEPARATOR)
    for row, kind in kinds.items():
        if kind == ["dose"]:
            cells = [a for a in arms.loc[row, "address"].split() if is_comparator.get(a, False)]
            arms.loc[row, "reference"] = convert_doses(doses.loc[cells], unit).max()
    is_zero = kinds.map(set(ZERO_DOSE_COMPARATORS).issuperset).astype(bool)
    is_known = is_zero | (arms["comparator_kind"].eq("dose") & arms["reference"].notna())
    unfit = {
        "no dose is stated": ~is_stated,
        f"doses in {join_words(other_units)} do not convert to {unit}": arms["dose"].isna(),
        "the comparator is another treatment": ~is_known,
    }
    left_out = []
    for reason, is_unfit in unfit.items():
        is_unfit = is_unfit.reindex(arms.index)
        if is_unfit.any():
            left_out.append(
                f"{join_words(arms.loc[is_unfit, 'label'].unique())} left out: {reason}"
            )
            arms = arms[~is_unfit]
    kept, clauses = leave_out_studies(arms.drop_duplicates("study"), question)
    arms = arms[arms["study"].isin(kept["study"])].reset_index(drop=True)
    return arms, unit, other_units, [*left_out, *clauses]


def _dose_reasons(arms: pd.DataFrame, unit: str) -> list[str]:
    """Say why the doses of these arms show no curve."""
    if arms.empty:
        return []
    low, high = arms["dose"].min(), arms["dose"].max()
    if high >= MIN_DOSE_RATIO * low:
        return []
    given = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return [f"every trial gave {given} {unit}; a curve needs doses that differ"]


def _fit(
    arms: pd.DataFrame, measure: str, shape: str, stages: int, confidence: float
) -> DoseResponse:
    trials = [_contrasts(group, measure) for _, group in arms.groupby("study", sort=False)]
    return fit_dose_response(
        trials, shape=shape, stages=stages, test="knha-adhoc", confidence=confidence
    )


def _nonlinearity(arms: pd.DataFrame, measure: str, confidence: float) -> WaldTest | None:
    """Test a line against a parabola; None if the doses cannot tell them apart."""
    try:
        return _fit(arms, measure, "quadratic", 1, confidence).nonlinearity
    except ValueError:
        return None


def _contrasts(arms: pd.DataFrame, measure: str) -> DoseContrasts:
    """Return the arms of one trial with the covariances of sharing a comparator."""
    variance = arms["vi"].to_numpy(float)
    shared = np.sqrt([_comparator_variance(arm, measure) for _, arm in arms.iterrows()])
    covariance = np.outer(shared, shared)
    np.fill_diagonal(covariance, variance)
    return DoseContrasts(
        arms["dose"].to_numpy(float),
        float(arms["reference"].iloc[0]),
        arms["yi"].to_numpy(float),
        covariance,
    )


def _comparator_variance(arm: pd.Series, measure: str) -> float:
    """Return the part of an effect's variance that comes from the comparator."""
    events, n = arm["events2"], arm["n2"]
    if pd.notna(events) and 0 < events < n:
        parts = {
            "rr": 1 / events - 1 / n,
            "or": 1 / events + 1 / (n - events),
            "rd": events * (n - events) / n**3,
        }
        if measure in parts:
            return min(parts[measure], 0.99 * arm["vi"])
    if pd.notna(n) and pd.notna(arm["n1"]):
        return arm["vi"] * (1 / n) / (1 / n + 1 / arm["n1"])
    # Nothing is known of the groups behind a printed effect: arms of one size share half.
    return arm["vi"] * _EQUAL_ARMS


def _missing_trials(
    dataset: Dataset, results: pd.DataFrame, question: Question, present: set[str]
) -> pd.DataFrame:
    """Return trials of the treatment that compared several doses but are not in the curve."""
    rows = evidence_rows(results)
    for field in ("condition", "treatment"):
        if values := question.named_values(field):
            rows = rows[belongs_to(rows, SUBGROUP_COLUMNS[field], values)]
    is_treated = rows["role"].isin(["intervention", "contrast"])
    rows = rows[is_treated & (rows["dose"] > 0) & ~rows["study"].isin(present)]
    trials = []
    for study, group in rows.groupby("study", sort=False):
        group, unit, _ = in_main_dose_unit(group)
        doses = sorted(group["dose"].dropna().unique())
        if len(doses) > 1 and doses[-1] >= MIN_DOSE_RATIO * doses[0]:
            trials.append(
                {
                    "study": study,
                    "label": group["label"].iloc[0],
                    "doses": tuple(map(float, doses)),
                    "unit": unit,
                    "why": why_missing(dataset.readings, str(study), question.outcome),
                    "address": " ".join(group["address"]),
                }
            )
    return pd.DataFrame(trials, columns=["study", "label", "doses", "unit", "why", "address"])
