"""Show risk of bias, the summary of findings and the certainty of evidence as tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evidence.analysis.certainty import grade, risk_of_bias
from evidence.analysis.certainty.evidence_body import EvidenceBody
from evidence.analysis.certainty.grade import Certainty, per_thousand
from evidence.analysis.certainty.risk_of_bias import Appraisal, appraisals
from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.analysis.results import better_side
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import capitalise
from evidence.tables.html_table import ReportTable
from evidence.tables.sort_keys import ranks

SUMMARY_METHODS = {
    "studies": "distinct_studies",
    "participants": "participants_in_arms",
    "comparator_risk": "proportion",
    **dict.fromkeys(["difference", "difference_low", "difference_high"], "absolute"),
    **dict.fromkeys(["effect", "ci_low", "ci_high"], "evidence_body"),
}
JUDGEMENT_COLUMNS = ["study", "tool", "domain", "judgement", "reason", "judged by", "read in"]
NOT_DECIDED = "not decided"


def tabulate_risk_of_bias(dataset: Dataset, results: pd.DataFrame) -> ReportTable:
    """Return a table with one row per judgement: domain, reason, judge and source."""
    records, numbers, levels = [], [], []
    for appraisal in appraisals(dataset, list(results["study"].unique())):
        judge, label = appraisal.judge, dataset.label(appraisal.source)
        judgements = []
        for domain in filter(appraisal.domains.__contains__, appraisal.tool.domains):
            row = appraisal.domains[domain]
            signed_judge = f"{judge} ({row['signed_by']})" if row["signed_by"] else judge
            reason, source = row["reason"] or "—", f"{label}, {row['locator']}"
            cells = (row["judgement"], reason, signed_judge, source)
            judgements.append((domain, *cells, row["address"]))
        if appraisal.overall:
            source = label if appraisal.stated_judgement else "computed"
            cells = (appraisal.overall, _overall_reason(appraisal), judge, source)
            judgements.append(("overall", *cells, appraisal.address))
        for domain, *texts, address in judgements:
            values = (appraisal.label, appraisal.tool.name, domain, *texts)
            records.append(dict(zip(JUDGEMENT_COLUMNS, values, strict=True)))
            numbers.append((f"{appraisal.name}/{domain}", address))
            levels.append(appraisal.tool.levels.get(texts[0], ""))
    return ReportTable(
        "tab-risk-of-bias",
        "Risk of bias: every judgement with its reason",
        pd.DataFrame(records),
        pd.DataFrame(numbers, columns=["name", "address"]),
        sort_keys={"judgement": ranks(levels, risk_of_bias.LEVELS)},
        filter_columns=("study", "tool", "domain", "judgement"),
        second_line=("judged by", "read in"),
    )


def tabulate_summary_of_findings(dataset: Dataset, graded: Sequence[Certainty]) -> ReportTable:
    """Return the summary of findings: one row per body of evidence, with risks per 1,000."""
    records, numbers = [], []
    for certainty in graded:
        body, question = certainty.body, certainty.body.question
        difference, low, high = body.absolute_effect()
        records.append(
            {
                "outcome": f"{capitalise(question.outcome)}, {body.follow_up}{_better(dataset, body)}",
                "condition": question.conditions[0],
                "comparison": f"{question.treatments[0]} against {question.comparators[0]} "
                "comparator",
                "studies": _studies(body),
                "participants": body.participants_text if body.participants else "not stated",
                "comparator risk per 1,000": _comparator_risk(body),
                "difference per 1,000": _difference(body, difference, low, high),
                "effect": effect_text(body),
                "certainty (suggested)": certainty.suggested,
                "certainty (decided)": certainty.decided or NOT_DECIDED,
            }
        )
        sizes = (len(body.studies), body.participants or None, body.comparator_risk)
        whole = list(body.studies.loc[body.studies["is_whole"], "study"])
        address = " ".join([body.address, *dataset.designs_of(whole)["address"]])
        numbers.append((body.name, *sizes, difference, low, high, *body.natural, address))
    values = pd.DataFrame(numbers, columns=["name", *SUMMARY_METHODS, "address"])
    return ReportTable(
        "tab-summary-of-findings",
        "Summary of findings: absolute and relative effects with their certainty",
        pd.DataFrame(records),
        values,
        SUMMARY_METHODS,
        sort_keys={
            "participants": list(values["participants"]),
            "comparator risk per 1,000": list(values["comparator_risk"]),
            "difference per 1,000": list(values["difference"]),
            "effect": list(values["effect"]),
            "certainty (suggested)": ranks((item.suggested for item in graded), grade.LEVELS),
        },
        filter_columns=("condition", "certainty (suggested)"),
        second_line=("certainty (decided)",),
        folded=("studies",),
    )


def tabulate_certainty(dataset: Dataset, graded: Sequence[Certainty]) -> ReportTable:
    """Return a table with one row per body and GRADE domain: suggestion, reason and decision."""
    return tabulate_ratings(graded)


def tabulate_ratings(graded: Sequence[Certainty]) -> ReportTable:
    """Return `tabulate_certainty`, for which the ratings are enough."""
    ratings = [(item.body, rating) for item in graded for rating in item.domains]
    records = [
        {
            "body of evidence": body.name,
            "domain": rating.domain,
            "suggested": f"down by {rating.suggested}" if rating.suggested else "none",
            "reason": rating.reason,
            "decided": NOT_DECIDED
            if rating.decided is None
            else f"down by {rating.decided}: {rating.decision_reason} ({rating.signed_by})",
        }
        for body, rating in ratings
    ]
    numbers = [
        (
            f"{body.name}/{rating.domain}",
            rating.suggested,
            f"{body.address} {rating.address}".strip(),
        )
        for body, rating in ratings
    ]
    return ReportTable(
        "tab-certainty",
        "Certainty of evidence (GRADE), domain by domain",
        pd.DataFrame(records),
        pd.DataFrame(numbers, columns=["name", "suggested", "address"]),
        {"suggested": "grade"},
        sort_keys={"suggested": [rating.suggested for _, rating in ratings]},
        filter_columns=("domain", "suggested", "decided"),
    )


def tabulate_minimal_important_differences(dataset: Dataset) -> ReportTable:
    """Return a table with one row per minimal important difference, with reason and source."""
    table = dataset.minimal_important_differences
    rows = list(table.itertuples())
    frame = pd.DataFrame(
        {
            "outcome": table["outcome"],
            "measure": [
                MEASURE_LABELS[row.measure]
                + (f" on the {row.instrument}" if row.instrument else "")
                for row in rows
            ],
            "minimal important difference": [
                format_estimates(row.measure, row.value)[0] for row in rows
            ],
            "reason": table["reason"],
            "read in": [f"{dataset.label(row.source)}, {row.locator}" for row in rows],
        }
    )
    numbers = table[["value", "address"]].copy()
    numbers.insert(0, "name", table["outcome"] + "/" + table["measure"] + "/" + table["instrument"])
    return ReportTable(
        "tab-minimal-important-differences",
        "Minimal important differences",
        frame,
        numbers,
        second_line=("read in",),
    )


def _overall_reason(appraisal: Appraisal) -> str:
    rule = "the tool's rule gives no overall judgement"
    if appraisal.rule_judgement:
        rule = f"{appraisal.rule_judgement} by the tool's rule"
    return f"{rule}; {appraisal.reason}" if appraisal.reason else rule


def _studies(body: EvidenceBody) -> str:
    used = [f"{row.label}: {row.handling}" for row in body.studies.itertuples() if row.handling]
    return "; ".join(
        (f"{len(body.studies)}: {', '.join(body.studies['label'])}", *used, *body.left_out)
    )


def _better(dataset: Dataset, body: EvidenceBody) -> str:
    """Say which direction is better, as the signs of the effects in one table mean both."""
    side = better_side(dataset, body.question.outcome, body.studies["scale_better"])
    return {1: " (higher is better)", -1: " (lower is better)"}.get(side, "")


def _comparator_risk(body: EvidenceBody) -> str:
    if not body.is_binary:
        return "—"
    risk = body.comparator_risk
    return f"{1000 * risk:.0f}" if np.isfinite(risk) else "not stated"


def _difference(body: EvidenceBody, difference: float, low: float, high: float) -> str:
    if not body.is_binary:
        return "—"
    if not np.isfinite(difference):
        return "not pooled"
    text = f"{per_thousand(difference)} ({per_thousand(low)} to {per_thousand(high)})"
    if body.question.measure == "rr" and body.comparator_risk == 0:
        text += ", risk difference of the counts: no events in the comparator arms"
    return text


def effect_text(body: EvidenceBody) -> str:
    """Return measure, estimate and CI of a body, or why it has none."""
    if not np.isfinite(body.effect[0]):
        return f"not pooled: {'; '.join(body.reasons_not_pooled)}"
    measure = body.question.measure
    estimate, low, high = format_estimates(measure, *body.natural)
    return f"{MEASURE_LABELS[measure]} {estimate} ({low} to {high})"
