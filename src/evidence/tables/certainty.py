"""Risk of bias and certainty: each judgement with its reason, each outcome per 1,000 people."""

import numpy as np
import pandas as pd

from evidence.analysis.certainty.grade import Certainty, per_thousand
from evidence.analysis.certainty.risk_of_bias import appraisals
from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import capitalise, format_number
from evidence.tables.html_table import ReportTable


def tabulate_risk_of_bias(dataset: Dataset, results: pd.DataFrame) -> ReportTable:
    """One row a judgement: study, domain, judgement, why, who judged and where that is read."""
    shown, numbers = [], []
    for entry in appraisals(dataset, list(results["study"].unique())):
        who = "this project" if entry.judged_by == "project" else entry.judge
        for domain in [word for word in entry.tool.domains if word in entry.domains]:
            row = entry.domains[domain]
            shown.append(
                {
                    "study": entry.label,
                    "tool": entry.tool.name,
                    "domain": domain,
                    "judgement": row["judgement"],
                    "why": row["reason"] or "—",
                    "judged by": who + (f" ({row['signed_by']})" if row["signed_by"] else ""),
                    "read in": f"{dataset.label(entry.source)}, {row['locator']}",
                }
            )
            numbers.append({"name": f"{entry.name}/{domain}", "address": row["address"]})
        if entry.overall:
            rule = (
                f"by the rule {entry.rule_judgement}"
                if entry.rule_judgement
                else "no rule gives it"
            )
            shown.append(
                {
                    "study": entry.label,
                    "tool": entry.tool.name,
                    "domain": "overall",
                    "judgement": entry.overall,
                    "why": f"{rule}; {entry.reason}" if entry.reason else rule,
                    "judged by": who,
                    "read in": "computed"
                    if not entry.stated_judgement
                    else dataset.label(entry.source),
                }
            )
            numbers.append({"name": f"{entry.name}/overall", "address": entry.address})
    return ReportTable(
        "tab-appraisals",
        "Risk of bias: every judgement with its reason",
        pd.DataFrame(shown),
        pd.DataFrame(numbers, columns=["name", "address"]),
        filter_columns=("study", "tool", "domain", "judgement"),
    )


def tabulate_summary_of_findings(dataset: Dataset, rated: list[Certainty]) -> ReportTable:
    """One row a body of evidence: shares per 1,000 with and without, the effect, how certain."""
    shown, numbers = [], []
    for entry in rated:
        body, asked = entry.body, entry.body.question
        middle, low, high = body.absolute_effect()
        shown.append(
            {
                "outcome": f"{capitalise(asked.outcome)}, {body.follow_up}",
                "in": asked.conditions[0],
                "compared": f"{asked.treatments[0]} against {asked.comparators[0]} comparison",
                "studies": f"{len(body.studies)}: {', '.join(body.studies['label'])}",
                "people": f"{body.participants:,}" if body.participants else "not stated",
                "without, per 1,000": _without(body),
                "difference, per 1,000 or in points": _difference(body, middle, low, high),
                "effect": _effect(body),
                "certainty, suggested": entry.suggested,
                "certainty, decided": entry.decided or "nobody decided",
            }
        )
        natural = body.natural
        numbers.append(
            {
                "name": body.name,
                "studies": len(body.studies),
                "people": body.participants or None,
                "control": body.comparator_risk,
                "difference": middle,
                "difference_low": low,
                "difference_high": high,
                "effect": natural[0],
                "ci_low": natural[1],
                "ci_high": natural[2],
                "address": body.address,
            }
        )
    return ReportTable(
        "tab-summary-of-findings",
        "Summary of findings: what happens in 1,000 people, and how certain that is",
        pd.DataFrame(shown),
        pd.DataFrame(numbers, columns=["name", *METHODS, "address"]),
        METHODS,
        filter_columns=("in", "certainty, suggested"),
    )


METHODS = {
    "studies": "distinct_studies",
    "people": "participants_in_arms",
    "control": "proportion",
    "difference": "absolute",
    "difference_low": "absolute",
    "difference_high": "absolute",
    "effect": "evidence_body",
    "ci_low": "evidence_body",
    "ci_high": "evidence_body",
}


def _without(body) -> str:
    if not body.is_binary:
        return "—"
    return (
        f"{1000 * body.comparator_risk:.0f}" if np.isfinite(body.comparator_risk) else "not stated"
    )


def _difference(body, middle: float, low: float, high: float) -> str:
    if not np.isfinite(middle):
        return "not pooled"
    if body.is_binary:
        return f"{per_thousand(middle)} ({per_thousand(low)} to {per_thousand(high)})"
    return f"{format_number(middle)} ({format_number(low)} to {format_number(high)})"


def _effect(body) -> str:
    if not np.isfinite(body.effect[0]):
        return f"not pooled: {'; '.join(body.reasons_not_pooled)}"
    measure = body.question.measure
    middle, low, high = format_estimates(measure, *body.natural)
    return f"{MEASURE_LABELS[measure]} {middle} ({low} to {high})"


def tabulate_certainty(dataset: Dataset, rated: list[Certainty]) -> ReportTable:
    """One row a body and reason to be less certain: the suggestion, its rule, the decision."""
    shown, numbers = [], []
    for entry in rated:
        for reason in entry.domains:
            decided = "nobody decided"
            if reason.decided is not None:
                decided = f"{reason.decided} down: {reason.decision_reason} ({reason.signed_by})"
            shown.append(
                {
                    "body of evidence": entry.body.name,
                    "reason": reason.domain,
                    "suggested": f"{reason.suggested} down" if reason.suggested else "none",
                    "because": reason.reason,
                    "decided": decided,
                }
            )
            numbers.append(
                {
                    "name": f"{entry.body.name}/{reason.domain}",
                    "suggested": reason.suggested,
                    "address": f"{entry.body.address} {reason.address}".strip(),
                }
            )
    return ReportTable(
        "tab-certainty",
        "How certain each finding is, reason by reason",
        pd.DataFrame(shown),
        pd.DataFrame(numbers, columns=["name", "suggested", "address"]),
        {"suggested": "grade"},
        filter_columns=("reason", "suggested", "decided"),
    )


def tabulate_minimal_important_differences(dataset: Dataset) -> ReportTable:
    """One row a minimal important difference, with where it was read and how it was chosen."""
    table = dataset.minimal_important_differences
    shown = pd.DataFrame(
        {
            "outcome": table["outcome"],
            "measured as": [
                MEASURE_LABELS[row.measure]
                + (f" on the {row.instrument}" if row.instrument else "")
                for row in table.itertuples()
            ],
            "matters from": [
                format_estimates(row.measure, row.value)[0] for row in table.itertuples()
            ],
            "why": table["reason"],
            "read in": [f"{dataset.label(r.source)}, {r.locator}" for r in table.itertuples()],
        }
    )
    numbers = table[["value", "address"]].copy()
    numbers.insert(0, "name", table["outcome"] + "/" + table["measure"] + "/" + table["instrument"])
    return ReportTable(
        "tab-thresholds", "What matters: minimal important differences", shown, numbers
    )
