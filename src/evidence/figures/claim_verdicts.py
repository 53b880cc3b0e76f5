"""The guide against its sources: one line a claim, its verdict as a mark and in words.

Where the rows alone give another verdict, its mark stands beside it.
"""

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

COLUMNS = (("claim", 0.0), ("label", 0.045), ("guide_value", 0.40), ("source_value", 0.655))
WIDTHS = {"label": 60, "guide_value": 42, "source_value": 44}


@dataclass(frozen=True, kw_only=True)
class ClaimVerdictsLayout(Layout):
    """`frame`: one row a claim (`line`, `label`, `guide_value`, `source_value`, the verdicts).

    Texts are cut to the width of their column; `blocks` gives each verdict's first line.
    """

    blocks: dict[str, int]


def lay_out_claim_verdicts(claims: pd.DataFrame) -> ClaimVerdictsLayout:
    """The claims of `synthesis.claims.audit`, grouped by verdict, a heading line a group."""
    lines, blocks, line = [], {}, 0
    for row in claims.itertuples():
        if row.verdict not in blocks:
            blocks[row.verdict] = line
            line += 1
        lines.append(line)
        line += 1
    columns = ["name", "claim", "label", "guide_value", "source_value", "verdict", "overruled"]
    frame = claims[[*columns, "computed_verdict", "compared_rows", "address"]]
    frame = frame.assign(line=lines)
    for column, width in WIDTHS.items():
        frame[column] = [shortened(text, width) for text in frame[column]]
    said = [
        f"{row.claim}: {row.verdict}. {row.label} — guide: {row.guide_value}; "
        f"source: {row.source_value}."
        + (f" Computed from the rows: {row.computed_verdict}." if row.overruled else "")
        for row in claims.itertuples()
    ]
    return ClaimVerdictsLayout(
        id="fig-claims",
        title="The guide against its sources",
        caption=join_sentences(
            "fig-claims.caption",
            Sentence("", "One line a claim of the guide."),
            claims_sentence(claims),
            computed_verdict_summary(claims),
            Sentence("", "Where they overrule it, a second, grey mark is the computed verdict."),
        ),
        alt=_alt(claims),
        reading=tuple(said),
        frame=frame.reset_index(drop=True),
        methods={"computed_verdict": "verdict"},
        empty="" if len(claims) else "No claim of the guide is about these results.",
        blocks=blocks,
    )


def _alt(claims: pd.DataFrame) -> str:
    """How many claims have which verdict."""
    verdicts = [f"{verdict} ({k})" for verdict, k in claims_by_verdict(claims).items() if k]
    return (
        f"Table of {count(len(claims), 'claim')} of the guide, each beside what its source says, "
        f"by verdict: {join_words(verdicts)}."
    )


@draw.register
def draw_claim_verdicts(layout: ClaimVerdictsLayout):
    """Four columns of text under a heading for each verdict, with its mark."""
    lines = len(layout.frame) + len(layout.blocks)
    counts = claims_by_verdict(layout.frame)
    with style.house_style():
        figure, axis = style.new_figure(10.6, 0.225 * (lines + 1.6))
        axis.set_axis_off()
        axis.set_xlim(0, 1)
        axis.set_ylim(lines + 0.3, -1.3)
        for name, x in COLUMNS[1:]:
            head = {
                "label": "claim",
                "guide_value": "the guide says",
                "source_value": "its source says",
            }[name]
            axis.text(x, -0.95, head, fontsize=8.5, color=style.QUIET, va="center")
        for verdict, line in layout.blocks.items():
            mark, colour = style.VERDICTS[verdict]
            axis.axhline(line - 0.42, color=style.FAINT, lw=0.8)
            axis.text(0.012, line, mark, color=colour, fontsize=10, va="center", ha="center")
            words = f"{verdict} ({counts[verdict]})"
            axis.text(0.045, line, words, weight="bold", color=style.INK, va="center")
        for row in layout.frame.itertuples():
            mark, colour = style.VERDICTS[row.verdict]
            axis.text(0.012, row.line, mark, color=colour, fontsize=8, va="center", ha="center")
            if row.overruled:
                mark, _ = style.VERDICTS[row.computed_verdict]
                axis.text(
                    0.03, row.line, mark, color=style.QUIET, fontsize=8, va="center", ha="center"
                )
            for name, x in COLUMNS[1:]:
                text = axis.text(x, row.line, getattr(row, name), fontsize=8, va="center")
                # Only the last column can reach beyond the axes: the others need no measuring.
                text.set_in_layout(name == COLUMNS[-1][0])
    return figure
