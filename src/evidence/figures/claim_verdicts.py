"""The guide against its sources: how many claims have which verdict."""

from dataclasses import dataclass

import pandas as pd

from evidence.analysis.claims.claim_audit import claims_by_verdict
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.sentence import Sentence, count, join_words

BAR_HEIGHT = 0.27
"""Height of a bar with the space around it, in inches."""


@dataclass(frozen=True, kw_only=True)
class ClaimVerdictsLayout(Layout):
    """One bar per verdict; `frame` has `verdict`, `k` (its number of claims) and `claims`."""


def lay_out_claim_verdicts(claims: pd.DataFrame) -> ClaimVerdictsLayout:
    """Count claims from `claim_verdicts` by verdict."""
    given = set(claims["verdict"])
    numbers = {verdict: k for verdict, k in claims_by_verdict(claims).items() if verdict in given}
    groups = [claims[claims["verdict"] == verdict] for verdict in numbers]
    frame = pd.DataFrame(
        {
            "name": list(numbers),
            "verdict": list(numbers),
            "k": [len(group) for group in groups],
            "claims": [join_words(group["claim"]) for group in groups],
            "address": [" ".join(group["address"]) for group in groups],
        }
    )
    verdicts = [f"{verdict} ({k})" for verdict, k in numbers.items()]
    return ClaimVerdictsLayout(
        id="fig-claims",
        title="The guide against its sources",
        caption=Sentence("fig-claims.caption", "Number of claims with each verdict."),
        alt=f"Bars of how many of {count(len(claims), 'claim')} of the guide have which verdict: "
        f"{join_words(verdicts)}.",
        reading=tuple(
            f"{row.verdict.capitalize()}: {count(row.k, 'claim')}, {row.claims}."
            for row in frame.itertuples()
        ),
        frame=frame,
        methods={"k": "counted"},
        empty="" if len(claims) else "No claim of the guide is about these results.",
    )


@draw.register
@style.house_style()
def draw_claim_verdicts(layout: ClaimVerdictsLayout, width: float = style.DOUBLE_COLUMN):
    """Draw a bar per verdict with its sign and number."""
    frame = layout.frame
    figure, axes = style.new_figure(width, BAR_HEIGHT * len(frame) + 0.3)
    looks = [style.VERDICTS[verdict] for verdict in frame["verdict"]]
    bars = axes.barh(range(len(frame)), frame["k"], 0.7, color=[colour for _, colour in looks])
    axes.bar_label(bars, padding=3)
    axes.set_xlim(0, 1.1 * frame["k"].max())
    axes.set_xticks([])
    pairs = zip(looks, frame["verdict"], strict=True)
    style.label_rows(axes, [f"{verdict}  {sign}" for (sign, _), verdict in pairs])
    axes.spines["bottom"].set_visible(False)
    return figure
