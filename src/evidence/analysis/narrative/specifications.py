"""One answer to a question that was pooled under every combination of analytic choices."""

import pandas as pd

from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.specification_curve import SpecificationCurve
from evidence.provenance.sentence import Number, Sentence, count


def describe_specifications(curve: SpecificationCurve) -> Sentence:
    """Say how many specifications exclude no effect, in whose favour, and what they rest on."""
    pooled = curve.pooled
    rows = tuple(dict.fromkeys(" ".join(pooled["address"]).split()))
    name = f"specifications.{curve.question.measure}"

    def number(frame: pd.DataFrame) -> Number:
        return count(len(frame), "", rows, "specification")

    if pooled.empty:
        reasons = curve.frame["refused"].unique()[:3]
        return Sentence(
            name,
            "None of {all} can be pooled: {why}.",
            {
                "all": count(len(curve.frame), "specification", rows, "specification"),
                "why": "; ".join(reasons),
            },
        )
    measure = curve.question.measure
    low, high = format_estimates(measure, pooled["estimate"].min(), pooled["estimate"].max())
    excluding = pooled[pooled["excludes"]]
    sets = count(
        pooled["address"].nunique(),
        "different set of studies",
        rows,
        "specification",
        plural="different sets of studies",
    )
    return Sentence(
        name,
        "Estimates range from {lowest} to {highest}; in {excluding} of {pooled} specifications the "
        "CI excludes no effect, {treatment} in favour of the treatment and {comparison} in favour "
        "of the comparator. They rest on {sets}; {refused} more could not be pooled, for lack of "
        "studies or because a model does not apply.",
        {
            "lowest": Number(float(pooled["estimate"].min()), low, rows, "specification"),
            "highest": Number(float(pooled["estimate"].max()), high, rows, "specification"),
            "excluding": number(excluding),
            "pooled": number(pooled),
            "treatment": number(excluding[excluding["favours"] == "treatment"]),
            "comparison": number(excluding[excluding["favours"] == "comparison"]),
            "sets": sets,
            "refused": number(curve.frame[curve.frame["refused"] != ""]),
        },
    )
