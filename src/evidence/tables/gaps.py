"""The register of unknowns and the map of evidence as tables."""

import numpy as np
import pandas as pd

from evidence.analysis.gaps.unknowns import Unknown
from evidence.analysis.narrative.pooled_results import format_estimates
from evidence.analysis.pooling.question import measure_label
from evidence.provenance.sentence import count, format_duration, format_percent
from evidence.tables.html_table import CLAIMS_TABLE, UNKNOWNS_TABLE, ReportTable, anchor

METHODS = {
    "k": "studies",
    "n": "participants",
    "randomised": "studies",
    "longest": "longest_follow_up",
    "high_risk": "risk_of_bias",
    "per_arm": "required_trial",
    "required": "required_trial",
    "fraction": "required_trial",
}


def tabulate_unknowns(entries: list[Unknown]) -> ReportTable:
    """One row an unknown: what is known, why it is open, and what would settle it."""
    shown = pd.DataFrame(
        {
            "question": [_question(entry) for entry in entries],
            "status": [_status(entry) for entry in entries],
            "evidence": [_evidence(entry) for entry in entries],
            "certainty": [_certainty(entry) for entry in entries],
            "why it is open": [_why(entry) for entry in entries],
            "what would settle it": [required_trial_text(entry) for entry in entries],
            "claims": ["; ".join(entry.claims) or "—" for entry in entries],
            "last looked": [
                format_search_dates(entry.last_searched, entry.review_due) for entry in entries
            ],
            "bearing on it": ["; ".join(entry.labels) or "nothing" for entry in entries],
        }
    )
    numbers = pd.DataFrame(
        [
            {
                "name": entry.name,
                "k": entry.k,
                "n": entry.n,
                "randomised": entry.randomised,
                "longest": entry.longest_follow_up,
                "high_risk": entry.high_risk,
                "per_arm": entry.required_trial.per_arm,
                "required": entry.required_trial.required,
                "fraction": entry.required_trial.fraction,
                "address": entry.addresses,
            }
            for entry in entries
        ],
        columns=["name", *METHODS, "address"],
    )
    numbers["per_arm"] = numbers["per_arm"].astype("Int64")
    links = {
        (place, "claims"): {claim: anchor(CLAIMS_TABLE, claim) for claim in entry.claims}
        for place, entry in enumerate(entries)
        if entry.claims
    }
    return ReportTable(
        UNKNOWNS_TABLE,
        "The register of unknowns",
        shown,
        numbers,
        METHODS,
        links,
        sort_keys={"evidence": [entry.n for entry in entries]},
        filter_columns=("status", "claims"),
    )


def unknown_title(entry: Unknown) -> str:
    """The name of an unknown in a text: its number, or the cell that nobody filled."""
    return ", ".join(entry.name.split("/"))


def _question(entry: Unknown) -> str:
    return f"{entry.name}: {entry.question}" if entry.origin == "listed" else entry.question


def format_search_dates(last_searched: str, review_due: str) -> str:
    """Return when the literature was last searched and when the next review is due."""
    if not last_searched:
        return "—"
    return f"{last_searched}, review due {review_due}" if review_due else last_searched


def _status(entry: Unknown) -> str:
    if entry.curated_status and entry.curated_status != entry.computed_status:
        return f"{entry.curated_status}; computed: {entry.computed_status}, overruled: {entry.status_reason}"
    return entry.status


def _evidence(entry: Unknown) -> str:
    if not entry.k:
        return "none"
    designs = ", ".join(
        f"{number} {design or 'not stated'}" for design, number in entry.designs.items()
    )
    said = f"{count(entry.k, 'study', 'studies')} ({designs}), {count(entry.n, 'person', 'people')}"
    if np.isfinite(entry.longest_follow_up):
        said += f", longest look {format_duration(entry.longest_follow_up)}"
    said += f"; {format_percent(entry.high_risk)} at high risk of bias or not randomised"
    return said + (
        "; some hid what people got" if entry.any_blinded else "; none hid what people got"
    )


def _certainty(entry: Unknown) -> str:
    """The most certain body of evidence: its level, effect, and what that says."""
    if entry.best is None:
        return "—"
    body = entry.best.body
    decided = f", decided {entry.best.decided}" if entry.best.decided else ""
    said = f"{entry.best.suggested} suggested{decided} ({', '.join(body.name.split('/'))})"
    if not np.isfinite(body.effect[0]):
        return said
    measure = body.question.measure
    middle, low, high = format_estimates(measure, *body.natural)
    said += f": {measure_label(measure, body.question.outcome)} {middle} ({low} to {high})"
    natural = body.pooled.natural_scale() if body.pooled else {}
    if np.isfinite(natural.get("pi_low", np.nan)):
        low, high = format_estimates(measure, natural["pi_low"], natural["pi_high"])
        said += f", a further study {low} to {high}"
    return f"{said}; {entry.conclusion}"


def _why(entry: Unknown) -> str:
    said = [f"{code}: {rule}" for code, rule in entry.codes.items()]
    return "; ".join([*said, *filter(None, [entry.why_open])])


def required_trial_text(entry: Unknown) -> str:
    """The trial that would settle an unknown, in words."""
    if entry.origin == "source":
        return "the text that the guide had in mind"
    found = entry.required_trial
    if entry.comparison:
        blind = "" if entry.any_blinded else ", people not knowing what they get"
        said = f"a randomised trial against {entry.comparison}{blind}"
    else:
        said = "a study of more people from their start"
    if np.isfinite(found.follow):
        said += f", following them for at least {format_duration(found.follow)}"
    return f"{said}; {_size(entry)}"


def _size(entry: Unknown) -> str:
    """People in each arm of that trial: from what was seen, else over a range."""
    found = entry.required_trial
    if not len(found.sizes):
        return "its size cannot be said before somebody says what matters"
    rows = found.sizes[found.sizes["power"] == found.sizes["power"].iloc[0]]
    power = f"for a power of {format_percent(rows['power'].iloc[0])}"
    each = [
        f"{r.per_arm:,} at {format_percent(r.rate)} without treatment" for r in rows.itertuples()
    ]
    if found.per_arm is None:
        if not np.isfinite(rows["rate"]).all():
            each = [
                f"{rows['per_arm'].iloc[0]:,} for the smallest standardised difference that matters"
            ]
        return f"in each arm {', '.join(each)}, {power}"
    said = f"{found.per_arm:,} in each arm {power}"
    if np.isfinite(rows["rate"].iloc[0]):
        said = f"in each arm {each[0]} as seen ({', '.join(each[1:])}), {power}"
    if entry.best.body.participants:
        exists = f"{entry.best.body.participants:,} of {int(np.ceil(found.required)):,} people"
        said += f"; {format_percent(min(found.fraction, 1))} of the information exists ({exists})"
    return said


def tabulate_evidence_map(layout) -> ReportTable:
    """A map of evidence as a table, each cell that is not empty a link.

    `layout` is that of the map; a cell leads to the studies in it.
    """
    cells = {(row.down, row.across): row for row in layout.frame.itertuples()}
    shown, links = [], {}
    for place, down in enumerate(layout.down):
        line = {layout.sides[0]: down}
        for across in layout.across:
            row = cells[down, across]
            text = "nobody"
            if row.k:
                text = f"{count(row.k, 'study', 'studies')}, {count(row.n, 'person', 'people')}"
                text += f", {row.certainty}" if row.certainty else ""
                links[place, across] = anchor("why", f"{layout.id}:{row.name}")
            line[across] = text
        shown.append(line)
    numbers = pd.DataFrame({"name": list(layout.down), "address": ""})
    caption = f"Studies, people and the best certainty, {layout.sides[0]} by {layout.sides[1]}"
    identity = layout.id.replace("fig-", "tab-")
    return ReportTable(identity, caption, pd.DataFrame(shown), numbers, links=links)
