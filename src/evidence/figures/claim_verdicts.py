"""The guide against its sources: one line per claim, its verdict as a mark and in words."""

from dataclasses import dataclass

import pandas as pd

from evidence.analysis.claims.claim_audit import (
    claims_by_verdict,
    claims_sentence,
    computed_verdict_summary,
)
from evidence.figures import style
from evidence.figures.layout import Layout, draw, shortened
from evidence.provenance.sentence import Sentence, count, join_sentences, join_words

# Each column of text: its heading, its left edge as a part of the width, and its characters.
COLUMNS = {
    "label": ("claim", 0.045, 60),
    "guide_value": ("the guide says", 0.40, 42),
    "source_value": ("its source says", 0.655, 44),
}
MARK_X, COMPUTED_MARK_X = 0.012, 0.03
FRAME_COLUMNS = [
    "name", "claim", "label", "guide_value", "source_value", "verdict", "overruled",
    "computed_verdict", "compared_rows", "address",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ClaimVerdictsLayout(Layout):
    """One line per claim under a heading for each verdict.

    `frame` has `line`, `label`, `guide_value`, `source_value` (cut to the width of their columns)
    and the verdicts; `blocks` gives the line of each verdict's heading.
    """

    blocks: dict[str, int]


def lay_out_claim_verdicts(claims: pd.DataFrame) -> ClaimVerdictsLayout:
    """Lay out claims from `claim_verdicts`, grouped by verdict."""
    lines: list[int] = []
    blocks: dict[str, int] = {}
    for verdict in claims["verdict"]:
        blocks.setdefault(verdict, len(lines) + len(blocks))
        lines.append(len(lines) + len(blocks))
    frame = claims[FRAME_COLUMNS].assign(line=lines)
    for column, (_, _, width) in COLUMNS.items():
        frame[column] = [shortened(text, width) for text in frame[column]]
    return ClaimVerdictsLayout(
        id="fig-claims",
        title="The guide against its sources",
        caption=join_sentences(
            "fig-claims.caption",
            Sentence("", "Each line is a claim of the guide."),
            claims_sentence(claims),
            computed_verdict_summary(claims),
            Sentence("", "A second, grey mark is the computed verdict where it was overruled."),
        ),
        alt=_alt(claims),
        reading=tuple(_claim_sentence(row) for row in claims.itertuples()),
        frame=frame.reset_index(drop=True),
        methods={"computed_verdict": "verdict"},
        empty="" if len(claims) else "No claim of the guide is about these results.",
        blocks=blocks,
    )


def _alt(claims: pd.DataFrame) -> str:
    """State how many claims have which verdict."""
    verdicts = [f"{verdict} ({k})" for verdict, k in claims_by_verdict(claims).items() if k]
    return (
        f"Table of {count(len(claims), 'claim')} of the guide, each beside what its source says, "
        f"by verdict: {join_words(verdicts)}."
    )


def _claim_sentence(row) -> str:
    computed = f" Computed from the rows: {row.computed_verdict}." if row.overruled else ""
    return (
        f"{row.claim}: {row.verdict}. {row.label} – guide: {row.guide_value}; "
        f"source: {row.source_value}.{computed}"
    )


@draw.register
@style.house_style()
def draw_claim_verdicts(layout: ClaimVerdictsLayout, width: float = style.DOUBLE_COLUMN):
    """Draw columns of text under a heading for each verdict, with its mark."""
    lines = len(layout.frame) + len(layout.blocks)
    counts = claims_by_verdict(layout.frame)
    centred = {"ha": "center", "va": "center"}
    figure, axes = style.new_figure(width, 0.225 * (lines + 1.6))
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(lines + 0.3, -1.3)
    for heading, x, _ in COLUMNS.values():
        axes.text(x, -0.95, heading, fontsize=8.5, color=style.QUIET, va="center")
    for verdict, line in layout.blocks.items():
        mark, colour = style.VERDICTS[verdict]
        axes.axhline(line - 0.42, color=style.FAINT, lw=0.8)
        axes.text(MARK_X, line, mark, color=colour, fontsize=10, **centred)
        heading = f"{verdict} ({counts[verdict]})"
        axes.text(COLUMNS["label"][1], line, heading, weight="bold", va="center")
    for row in layout.frame.itertuples():
        mark, colour = style.VERDICTS[row.verdict]
        axes.text(MARK_X, row.line, mark, color=colour, fontsize=8, **centred)
        if row.overruled:
            mark, _ = style.VERDICTS[row.computed_verdict]
            axes.text(COMPUTED_MARK_X, row.line, mark, color=style.QUIET, fontsize=8, **centred)
        for column, (_, x, _) in COLUMNS.items():
            text = axes.text(x, row.line, getattr(row, column), fontsize=8, va="center")
            # Only the last column can reach beyond the axes: the others need no measuring.
            text.set_in_layout(column == "source_value")
    return figure
