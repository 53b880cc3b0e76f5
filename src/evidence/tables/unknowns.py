"""The register of unknowns and the map of evidence as tables."""

import numpy as np
import pandas as pd

from evidence.synthesis.register import Entry
from evidence.synthesis.wording import capital, count, percent, span
from evidence.tables.table import CLAIMS, UNKNOWNS, Table, anchor

METHODS = {
    "k": "studies",
    "n": "participants",
    "randomised": "studies",
    "longest": "longest",
    "high_risk": "appraised",
    "per_arm": "required",
    "required": "required",
    "fraction": "required",
}


def tabulate_unknowns(entries: list[Entry]) -> Table:
    """One row an unknown: what is known, why it is open, and what would settle it."""
    shown = pd.DataFrame(
        {
            "question": [_question(entry) for entry in entries],
            "status": [_status(entry) for entry in entries],
            "evidence": [_evidence(entry) for entry in entries],
            "certainty": [_certainty(entry) for entry in entries],
            "why it is open": [_why(entry) for entry in entries],
            "what would settle it": [wanted(entry) for entry in entries],
            "claims": ["; ".join(entry.claims) or "—" for entry in entries],
            "last looked": [looked(entry) for entry in entries],
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
                "longest": entry.longest,
                "high_risk": entry.high_risk,
                "per_arm": entry.settling.per_arm,
                "required": entry.settling.required,
                "fraction": entry.settling.fraction,
                "address": entry.addresses,
            }
            for entry in entries
        ],
        columns=["name", *METHODS, "address"],
    )
    numbers["per_arm"] = numbers["per_arm"].astype("Int64")
    links = {
        (place, "claims"): {claim: anchor(CLAIMS, claim) for claim in entry.claims}
        for place, entry in enumerate(entries)
        if entry.claims
    }
    return Table(
        UNKNOWNS,
        "The register of unknowns",
        shown,
        numbers,
        METHODS,
        links,
        keys={"evidence": [entry.n for entry in entries]},
        filters=("status", "claims"),
    )


def called(entry: Entry) -> str:
    """The name of an unknown in a text: its number, or the cell that nobody filled."""
    return ", ".join(entry.name.split("/"))


def _question(entry: Entry) -> str:
    return f"{entry.name}: {entry.question}" if entry.raised == "asked" else entry.question


def looked(row) -> str:
    """When somebody last looked for newer texts, and until when that is good."""
    if not row.looked:
        return "—"
    return f"{row.looked}, good until {row.good_until}" if row.good_until else row.looked


def _status(entry: Entry) -> str:
    if entry.stated and entry.stated != entry.computed:
        return f"{entry.stated}; computed: {entry.computed}, overruled: {entry.reason}"
    return entry.status


def _evidence(entry: Entry) -> str:
    if not entry.k:
        return "none"
    said = f"{count(entry.k, 'study', 'studies')} ({entry.randomised} randomised), "
    said += f"{count(entry.n, 'person', 'people')}"
    if np.isfinite(entry.longest):
        said += f", longest look {span(entry.longest)}"
    return f"{said}; {percent(entry.high_risk)} at high risk of bias"


def _certainty(entry: Entry) -> str:
    if entry.best is None:
        return "—"
    decided = f", decided {entry.best.decided}" if entry.best.decided else ""
    body = ", ".join(entry.best.body.name.split("/"))
    return f"{entry.best.suggested} suggested{decided} ({body})"


def _why(entry: Entry) -> str:
    said = [f"{code}: {rule}" for code, rule in entry.codes.items()]
    return "; ".join([*said, *filter(None, [entry.why_open])])


def wanted(entry: Entry) -> str:
    """The trial that would settle an unknown, in words."""
    if entry.raised == "source":
        return "the text that the guide had in mind"
    found = entry.settling
    said = f"a randomised trial against {entry.comparison}" if entry.comparison else "a trial"
    if not entry.felt:
        said += ", people not knowing what they get"
    if entry.raised == "gap":
        said += f", with a look {entry.time_stamp}"
    if found.per_arm is not None:
        row = found.sizes[found.sizes["seen"]].iloc[0]
        rate = f" at the rate of {percent(row['rate'])} seen" if np.isfinite(row["rate"]) else ""
        said += f"; {found.per_arm:,} in each arm{rate} for a power of {percent(row['power'])}"
        if entry.best.body.people:
            said += f"; {percent(min(found.fraction, 1))} of the information exists"
    elif len(found.sizes):
        rows = found.sizes[found.sizes["power"] == found.sizes["power"].iloc[0]]
        each = [
            f"{r.per_arm:,} at {percent(r.rate)} without treatment"
            if np.isfinite(r.rate)
            else f"{r.per_arm:,} for the smallest standardised difference that matters"
            for r in rows.itertuples()
        ]
        said += f"; in each arm {', '.join(each)}, for a power of {percent(rows['power'].iloc[0])}"
    else:
        said += "; its size cannot be said before somebody says what matters"
    return said


def tabulate_cells(layout) -> Table:
    """The map of evidence with outcomes as rows and conditions as columns, each cell a link.

    `layout` is that of the map; a cell leads to the studies in it.
    """
    frame = layout.frame
    cells = {(row.outcome, row.condition): row for row in frame.itertuples()}
    shown, links = [], {}
    for place, outcome in enumerate(layout.outcomes):
        line = {"outcome": outcome}
        for condition in layout.conditions:
            row = cells[outcome, condition]
            text = "nobody"
            if row.k:
                text = f"{count(row.k, 'study', 'studies')}, {count(row.n, 'person', 'people')}"
                text += f", {row.certainty}" if row.certainty else ""
                links[place, condition] = anchor("why", f"{layout.id}:{row.name}")
            line[condition] = text
        shown.append(line)
    numbers = pd.DataFrame({"name": list(layout.outcomes), "address": ""})
    caption = capital("how many studies and people, and how certain at best, outcome by outcome")
    return Table("tab-cells", caption, pd.DataFrame(shown), numbers, links=links)
