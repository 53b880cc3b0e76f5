"""Show the unknowns and the evidence map as tables."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.eligible_evidence import subjects_number
from evidence.analysis.gaps.coverage import State
from evidence.analysis.gaps.evidence_map import ANY_TIME, BODY_COLUMNS, OUTSIDE
from evidence.analysis.gaps.unknowns import Unknown
from evidence.analysis.narrative.pooled_results import format_estimates, measure_label
from evidence.analysis.narrative.unknowns import coverage_sentence
from evidence.provenance.sentence import count, format_duration, format_percent
from evidence.tables.html_table import CLAIMS_TABLE, UNKNOWNS_TABLE, ReportTable, anchor
from evidence.tables.text_table import Part, text_table

EVIDENCE_METHODS = {
    "k": "studies",
    "n": "participants",
    "randomised": "studies",
    "longest_follow_up": "longest_follow_up",
    "high_risk": "risk_of_bias",
    "known": "known_studies",
    "unread": "known_studies",
}
MIN_KNOWN_STUDIES = 2
"""Studies that must be known for a question to be listed in the table of coverage."""
TRIAL_METHODS = dict.fromkeys(["per_arm", "required", "fraction"], "required_trial")


def tabulate_unknowns(unknowns: Sequence[Unknown]) -> ReportTable:
    """Return a table with one row per unknown.

    It states the evidence, what was not read or searched, why it is open, and what is needed.
    """
    frame = pd.DataFrame(
        {
            "question": [_question(unknown) for unknown in unknowns],
            "status": [unknown.status for unknown in unknowns],
            "state": [unknown.state or "—" for unknown in unknowns],
            "evidence": [_evidence(unknown) for unknown in unknowns],
            "computed status": [_computed_status(unknown) for unknown in unknowns],
            "known studies": [_coverage(unknown) for unknown in unknowns],
            "certainty": [_certainty(unknown) for unknown in unknowns],
            "why it is open": [_reasons(unknown) for unknown in unknowns],
            "what would settle it": [required_trial_text(unknown) for unknown in unknowns],
            "claims": ["; ".join(unknown.claims) or "—" for unknown in unknowns],
            "last searched": [
                format_search_dates(unknown.last_searched, unknown.review_due)
                for unknown in unknowns
            ],
            "studies": ["; ".join(unknown.labels) or "none" for unknown in unknowns],
        }
    )
    values = [
        [getattr(unknown, name) for name in EVIDENCE_METHODS]
        + [getattr(unknown.required_trial, name) for name in TRIAL_METHODS]
        for unknown in unknowns
    ]
    numbers = pd.DataFrame(values, columns=[*EVIDENCE_METHODS, *TRIAL_METHODS])
    numbers = numbers.astype({"per_arm": "Int64"})
    numbers.insert(0, "name", [unknown.name for unknown in unknowns])
    numbers["address"] = [unknown.addresses for unknown in unknowns]
    links = {
        (row, "claims"): {claim: anchor(CLAIMS_TABLE, claim) for claim in unknown.claims}
        for row, unknown in enumerate(unknowns)
        if unknown.claims
    }
    return ReportTable(
        UNKNOWNS_TABLE,
        "What remains unknown",
        frame,
        numbers,
        EVIDENCE_METHODS | TRIAL_METHODS,
        links,
        sort_keys={"evidence": [unknown.n for unknown in unknowns]},
        filter_columns=("status", "state", "claims"),
        second_line=("computed status",),
        folded=(
            "known studies",
            "certainty",
            "why it is open",
            "what would settle it",
            "last searched",
            "studies",
        ),
    )


def unknowns_text(unknowns: Sequence[Unknown]) -> Iterator[Part]:
    """Yield a table of unknowns for the terminal, with their number."""
    if unknowns:
        rows = (
            (
                f"{unknown.question}\n{unknown.name}",
                ", ".join(_studies_and_subjects(unknown)) if unknown.k else "none tabulated",
                str(unknown.unread or "–"),
                unknown.status,
            )
            for unknown in unknowns
        )
        header = ("Question and name", "Evidence", "Unread", "Status")
        yield text_table(header, rows, header[2:])
        yield ""
    total = count(len(unknowns), "unknown")
    yield f"{total}. Unread: known studies that may have measured it and were not read in full."


def unknown_title(unknown: Unknown) -> str:
    """Return the short name of an unknown: its number, or its cell in words."""
    return ", ".join(unknown.name.split("/"))


def format_search_dates(last_searched: str, review_due: str) -> str:
    """Return when the literature was last searched and when the next review is due."""
    if not last_searched:
        return "—"
    return f"{last_searched}, review due {review_due}" if review_due else last_searched


def required_trial_text(unknown: Unknown) -> str:
    """Describe the trial or source that would settle an unknown."""
    if unknown.origin == "source":
        return "identifying the source of the claim"
    if unknown.comparison:
        blinding = "" if unknown.any_blinded else " with effective blinding"
        text = f"a randomised trial{blinding} against {unknown.comparison}"
    else:
        text = "a larger study that follows participants from their start"
    trial = unknown.required_trial
    if np.isfinite(trial.follow_up_days):
        text += f", with a follow-up of at least {format_duration(trial.follow_up_days)}"
    return f"{text}; {_sample_size(unknown)}"


def _sample_size(unknown: Unknown) -> str:
    """State the participants per arm, at the observed comparator proportion or over a range."""
    trial = unknown.required_trial
    if not len(trial.sizes):
        return "no sample size without a stated minimal important difference"
    sizes = trial.sizes[trial.sizes["power"] == trial.sizes["power"].iloc[0]]
    power = f"power {format_percent(sizes['power'].iloc[0])}"
    first, *others = sizes.itertuples()
    others = ", ".join(f"{row.per_arm:,} if {format_percent(row.risk)}" for row in others)
    risk = format_percent(first.risk)
    text = f"{first.per_arm:,} participants per arm"
    if trial.per_arm is None:
        if np.isfinite(first.risk):
            return f"{text} if the comparator proportion is {risk}, {others} ({power})"
        return f"{text} for the minimal important SMD ({power})"
    if np.isfinite(first.risk):
        text += f" at the observed comparator proportion of {risk} ({others}; {power})"
    else:
        text += f" ({power})"
    participants = unknown.best.body.participants if unknown.best else 0
    if participants:
        have = f"{participants:,} of {int(np.ceil(trial.required)):,} participants"
        fraction = format_percent(min(trial.fraction, 1))
        text += f"; {fraction} of the required information exists ({have})"
    return text


def _question(unknown: Unknown) -> str:
    prefix = f"{unknown.name}: " if unknown.origin == "listed" else ""
    return prefix + unknown.question


def _computed_status(unknown: Unknown) -> str:
    if unknown.curated_status in ("", unknown.computed_status):
        return "—"
    return f"{unknown.computed_status}, overruled: {unknown.status_reason}"


def _evidence(unknown: Unknown) -> str:
    if not unknown.k:
        return "none tabulated"
    designs = ", ".join(
        f"{number} {design or 'not stated'}" for design, number in unknown.designs.items()
    )
    studies, participants = _studies_and_subjects(unknown)
    text = f"{studies} ({designs}), {participants}"
    if np.isfinite(unknown.longest_follow_up):
        text += f", longest follow-up {format_duration(unknown.longest_follow_up)}"
    text += f"; {format_percent(unknown.high_risk)} at high risk of bias or not randomised"
    return f"{text}; {'some' if unknown.any_blinded else 'none'} effectively blinded"


def _coverage(unknown: Unknown) -> str:
    """State how many known studies are tabulated, and which were not read or what was searched."""
    if unknown.origin == "source":
        return "—"
    sentence = str(coverage_sentence(unknown))
    if not unknown.known:
        return sentence
    return f"{unknown.known - unknown.unread} of {unknown.known} tabulated. {sentence}"


def _certainty(unknown: Unknown) -> str:
    """Describe the most certain body of evidence: its level, effect and conclusion."""
    if unknown.best is None:
        return "—"
    body = unknown.best.body
    decided = f", decided {unknown.best.decided}" if unknown.best.decided else ""
    text = f"{unknown.best.suggested} suggested{decided} ({', '.join(body.name.split('/'))})"
    if not np.isfinite(body.effect[0]):
        return text
    measure = body.question.measure
    estimate, low, high = format_estimates(measure, *body.natural)
    text += f": {measure_label(measure, body.question.outcome)} {estimate} ({low} to {high})"
    natural = body.pooled.natural_scale() if body.pooled else {}
    if np.isfinite(natural.get("pi_low", np.nan)):
        low, high = format_estimates(measure, natural["pi_low"], natural["pi_high"])
        text += f", prediction interval {low} to {high}"
    return f"{text}; {unknown.conclusion}"


def _reasons(unknown: Unknown) -> str:
    codes = [f"{code}: {reason}" for code, reason in unknown.codes.items()]
    return "; ".join([*codes, *filter(None, [unknown.why_open])])


def tabulate_coverage(cells: pd.DataFrame) -> ReportTable:
    """Return the counts of `coverage_by_question` as a table, one row per question.

    Each time has a column: tabulated studies of those known, and the percentage. Questions on
    which a single study is known are left out.
    """
    names = dict(
        zip(BODY_COLUMNS, ["condition", "treatment", "comparator", "outcome"], strict=True)
    )
    tabulated = cells["reported"] + cells["second_hand"]
    texts = [
        f"{k} of {k + unread} ({format_percent(fraction)})" if k + unread else "—"
        for k, unread, fraction in zip(tabulated, cells["unread"], cells["fraction"], strict=True)
    ]
    times = cells.assign(text=texts).pivot(index=BODY_COLUMNS, columns="band", values="text")
    is_shown = (cells["band"] == ANY_TIME) & (tabulated + cells["unread"] >= MIN_KNOWN_STUDIES)
    totals = cells.assign(tabulated=tabulated)[is_shown].reset_index(drop=True)
    frame = totals[BODY_COLUMNS].rename(columns=names)
    for band in cells["band"].unique():
        frame[band] = list(times[band].reindex(pd.MultiIndex.from_frame(totals[BODY_COLUMNS])))
    for header, name in (("second-hand", "second_hand"), ("read, not reported", "not_reported")):
        frame[header] = totals[name].astype(str).replace("0", "—")
    numbers = totals[["tabulated", "unread", "fraction", "address"]]
    questions = totals[BODY_COLUMNS].itertuples(index=False, name=None)
    numbers.insert(0, "name", list(map("/".join, questions)))
    return ReportTable(
        "tab-coverage",
        "Coverage: studies with a tabulated result, of those known that measured it or may have",
        frame.fillna("—"),
        numbers,
        dict.fromkeys(numbers.columns, "known_studies") | {"fraction": "coverage"},
        sort_keys={ANY_TIME: list(totals["fraction"])},
        filter_columns=tuple(names.values()),
        second_line=("second-hand", "read, not reported"),
    )


def tabulate_evidence_map(layout: Any) -> ReportTable:
    """Return an `EvidenceMapLayout` as a table, one row per cell, with links to studies and searches.

    Its evidence sorts by the number of participants.
    """
    cells = layout.frame
    rows, columns = layout.dimensions
    frame = pd.DataFrame(
        {
            rows: cells["row_label"],
            columns: cells["column_label"],
            "evidence": [_cell_text(cell) for cell in cells.itertuples()],
        }
    )
    links = {
        (position, "evidence"): anchor("why", f"{layout.id}:{cell.name}")
        for position, cell in enumerate(cells.itertuples())
        if cell.address
    }
    numbers = cells[["name"]].assign(address="")
    return ReportTable(
        layout.id.replace("fig-", "tab-"),
        f"Studies, participants and best certainty, or why there are none, {rows} by {columns}",
        frame,
        numbers,
        links=links,
        sort_keys={"evidence": list(cells["n"].where(cells["k"] > 0))},
        filter_columns=(rows, columns),
    )


def _cell_text(cell: Any) -> str:
    """Describe the evidence in a cell of the map, or its state if there is none."""
    if cell.k:
        studies, subjects = _studies_and_subjects(cell)
        if cell.second_hand:
            studies += f" ({cell.second_hand} second-hand)"
        return ", ".join(filter(None, [studies, subjects, cell.certainty]))
    match cell.state:
        case State.SECOND_HAND:
            return "second-hand: only another text reports it"
        case State.NOT_READ:
            text = f"not read: {count(cell.unread, 'known study')}"
            unknown = cell.of_unknown_dose
            return f"{text} ({unknown} of unknown dose)" if unknown else text
        case State.NOT_FOUND:
            return f"no study found (searched {cell.last_search})"
    return "only studies outside this selection" if cell.state == OUTSIDE else cell.state


def _studies_and_subjects(counted: Any) -> tuple[str, str]:
    return str(count(counted.k, "study")), str(subjects_number(counted.n, counted.animals))
