"""Sentences about a dose–response curve: what the trials say together, and how little that is."""

from collections.abc import Sequence

from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.dose_response import SHAPE_LABELS, DoseModel
from evidence.analysis.pooling.question import MEASURES, measure_label
from evidence.dataset.displayable import as_listing
from evidence.provenance.sentence import (
    Fields,
    Number,
    Sentence,
    capitalise,
    count,
    format_duration,
    format_number,
    join_words,
    verbatim,
)


@as_listing
def describe_dose_model(model: DoseModel, doses: Sequence[float]) -> list[Sentence]:
    """Return what the curve gives at these doses and what it rests on, or why there is none."""
    name = f"dose.{model.question.outcome}.{model.question.measure}"
    lead = _summary(model, doses, name) if model.curve else _refusal(model, name)
    sentences = [lead, *_missing(model, name)]
    if (model.arms["comparator_kind"] == "active").any() and model.curve:
        sentences.append(Sentence(f"{name}.active", "Active placebos count as no dose."))
    return sentences + [
        Sentence(f"{name}.without.{number}", "{reason}.", {"reason": capitalise(reason)})
        for number, reason in enumerate((*model.left_out, *model.handling), start=1)
    ]


def _summary(model: DoseModel, doses: Sequence[float], name: str) -> Sentence:
    """One sentence: the effect at each dose, the shape assumed, and the doses that were given."""
    rows = tuple(dict.fromkeys(" ".join(model.arms["address"]).split()))
    fields: Fields = {
        "trials": count(model.arms["study"].nunique(), "trial", rows, "studies"),
        "what": measure_label(model.question.measure, model.question.outcome),
        "scale": MEASURES[model.question.measure],
        "shape": SHAPE_LABELS[model.shape],
        "level": f"{100 * model.confidence:g}% CI",
    }
    parts = []
    for number, row in enumerate(model.predict(doses).itertuples()):
        estimate, low, high = format_estimates(
            model.question.measure, row.estimate, row.ci_low, row.ci_high
        )
        fields[f"dose{number}"] = f"{row.dose:g}"
        fields[f"effect{number}"] = Number(row.estimate, estimate, rows, "dose_response")
        fields[f"ends{number}"] = verbatim(f"{low} to {high}", rows, "dose_response")
        level = "{level} " if not number else ""
        extrapolated = ", extrapolated" if row.is_extrapolated else ""
        parts.append(
            f"{{effect{number}}} ({level}{{ends{number}}}{extrapolated}) at {{dose{number}}} {{unit}}"
        )
    fields["unit"] = model.unit
    fields["times"] = _times(model)
    smallest, largest = model.dose_range
    fields["smallest"] = Number(smallest, f"{smallest:g}", rows)
    fields["largest"] = Number(largest, f"{largest:g}", rows)
    comparing = model.comparing
    fields["comparing"] = join_words(comparing) if comparing else "none"
    template = (
        f"Together, {{trials}}{{times}} put the {{what}} at {join_words(parts)} if the {{scale}} "
        "follows {shape} from no effect without a dose; but only {comparing} compared several "
        "doses, none of these trials gave less than {smallest} or more than {largest} {unit}"
    )
    if not comparing:
        template = template.replace("only {comparing} compared", "{comparing} compared")
    test = model.nonlinearity
    if test is None:
        template += ", and other shapes cannot be tested."
    else:
        fields["p"] = Number(test.p, format_number(test.p), rows, "dose_response")
        template += (
            ", and a straight line cannot be told from a bend (p = {p})."
            if test.p >= 1 - model.confidence
            else ", and a straight line does not fit (p = {p})."
        )
    return Sentence(f"{name}.curve", template, fields)


def _times(model: DoseModel) -> str:
    """Say when the trials measured the outcome, as a parenthesis; empty if it is not known."""
    days = model.arms["days"].dropna()
    if days.empty:
        return ""
    ends = dict.fromkeys(format_duration(day) for day in (days.min(), days.max()))
    return f" (after {' to '.join(ends)})"


def _refusal(model: DoseModel, name: str) -> Sentence:
    return Sentence(
        f"{name}.refused",
        "No dose–response curve of the {what}: {reasons}.",
        {
            "what": measure_label(model.question.measure, model.question.outcome),
            "reasons": "; ".join(model.reasons),
        },
    )


def _missing(model: DoseModel, name: str) -> list[Sentence]:
    """Name the trials that compared several doses and whose numbers are not in the tables."""
    if model.missing.empty:
        return []
    rows = tuple(dict.fromkeys(" ".join(model.missing["address"]).split()))
    listed = "; ".join(
        f"{trial.label} ({', '.join(f'{dose:g}' for dose in trial.doses)} {trial.unit}; {trial.why})"
        for trial in model.missing.itertuples()
    )
    return [
        Sentence(
            f"{name}.missing",
            "The tables hold no usable number on this outcome and time of {trials} of several "
            "doses: {listed}.",
            {"trials": count(len(model.missing), "trial", rows, "studies"), "listed": listed},
        )
    ]
