"""What remains unknown: conditions × outcomes, filled by how much evidence there is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.synthesis.bodies import bodies
from evidence.synthesis.gaps import cells
from evidence.synthesis.grade import LEVELS, rate
from evidence.synthesis.register import TIMES
from evidence.synthesis.wording import Number, Sentence, capital, count, listed


@dataclass(frozen=True, kw_only=True)
class GapMapLayout(Layout):
    """`frame`: one row a cell (`row`, `column`, `k`, `n`, `area`); empty cells are rows too."""

    conditions: tuple[str, ...]
    outcomes: tuple[str, ...]
    sentence: Sentence


def lay_out_gap_map(corpus: Corpus, results: pd.DataFrame) -> GapMapLayout:
    """Every cell of the grid: bubbles grow with participants, empty cells stay visible."""
    frame = cells(corpus, results)
    best = _certainty(corpus, results)
    pairs = zip(frame["condition"], frame["outcome"], strict=True)
    frame["certainty"] = [best.get(pair, "") for pair in pairs]
    conditions = tuple(frame["condition"].unique())
    outcomes = tuple(frame["outcome"].unique())
    frame["column"] = frame["condition"].map({word: i for i, word in enumerate(conditions)})
    frame["row"] = frame["outcome"].map({word: i for i, word in enumerate(outcomes)})
    most = max(int(frame["n"].max()) if len(frame) else 0, 1)
    # Area, not radius, stands for people; the floor keeps a study of unknown size visible.
    frame["area"] = np.where(frame["k"] > 0, 110 + 390 * frame["n"] / most, 0.0)
    rows = tuple(dict.fromkeys(" ".join(frame["address"]).split()))
    sentence = Sentence(
        "gaps.cells",
        "Of {cells} of a condition and an outcome, {empty} are empty and {single} rest on one "
        "study.",
        {
            "cells": count(len(frame), "combination", rows=rows, method="cells"),
            "empty": _number(frame["k"] == 0, rows),
            "single": _number(frame["k"] == 1, rows),
        },
    )
    return GapMapLayout(
        id="fig-gaps",
        title="What has been measured, and what has not",
        caption=Sentence(
            "fig-gaps.caption",
            "Each bubble is the evidence on one outcome in one condition: its area grows with the "
            "participants, counted beside it; the number inside is how many studies. Mark and "
            "colour are the certainty that rules suggest for the best comparison in it. Only "
            "confirmed results of studies with participants of their own are counted; the guide, "
            "reviews and unconfirmed numbers are not. An empty square: nobody has measured it "
            f"here. {sentence.template}",
            sentence.numbers,
        ),
        alt=_alt(frame, sentence),
        reading=_read(frame),
        frame=frame,
        methods={"k": "studies", "n": "participants"},
        empty="" if len(frame) else "No result on a benefit or harm among these.",
        conditions=conditions,
        outcomes=outcomes,
        sentence=sentence,
    )


def _certainty(corpus: Corpus, results: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The best certainty of any body of evidence in each cell."""
    best: dict[tuple[str, str], str] = {}
    for body in bodies(corpus, results, times=TIMES):
        rated = rate(corpus, body)
        level = rated.decided or rated.suggested
        cell = (body.question.conditions[0], body.question.outcome)
        if cell not in best or LEVELS.index(level) > LEVELS.index(best[cell]):
            best[cell] = level
    return best


def _number(which: pd.Series, rows: tuple[str, ...]) -> Number:
    return Number(int(which.sum()), str(int(which.sum())), rows, "cells")


def _alt(frame: pd.DataFrame, sentence: Sentence) -> str:
    """The size of the grid, how much of it is empty, and where most studies are."""
    if frame.empty:
        return ""
    most = frame.loc[frame["k"].idxmax()]
    return (
        f"Map of evidence: {count(frame['condition'].nunique(), 'condition')} by "
        f"{count(frame['outcome'].nunique(), 'outcome')}. {sentence} Most studies, {most['k']}, "
        f"are on {most['outcome']} in {most['condition']}."
    )


def _read(frame: pd.DataFrame) -> tuple[str, ...]:
    """The filled cells one by one, then for each condition what nobody measured."""
    said = [
        f"{capital(row.condition)}, {row.outcome}: {count(row.k, 'study', 'studies')}, "
        f"{count(row.n, 'participant')}"
        + (f", certainty {row.certainty}." if row.certainty else ", not rated.")
        for row in frame[frame["k"] > 0].itertuples()
    ]
    empty = frame[frame["k"] == 0].groupby("condition", sort=False)["outcome"]
    return (*said, *(f"{capital(name)}, nothing on {listed(rows)}." for name, rows in empty))


@draw.register
def draw_gap_map(layout: GapMapLayout):
    """Conditions as columns, outcomes as rows; a bubble or an empty square in every cell."""
    columns, rows = len(layout.conditions), len(layout.outcomes)
    with style.house_style():
        figure, axis = style.new_figure(2.0 + 0.86 * columns, 1.5 + 0.36 * rows)
        for row in layout.frame.itertuples():
            if row.k:
                mark, colour = style.CERTAINTY[row.certainty]
                fill = colour if row.certainty else "white"
                axis.scatter(row.column, row.row, s=row.area, marker=mark, fc=fill, ec=colour)
                axis.text(
                    row.column,
                    row.row,
                    str(row.k),
                    ha="center",
                    va="center_baseline",
                    color="white" if row.certainty else style.INK,
                    weight="bold",
                    fontsize=8.5,
                )
                axis.text(row.column + 0.3, row.row, f"{row.n:,}", va="center", fontsize=7.5)
            else:
                axis.plot(row.column, row.row, "s", ms=9, mfc="none", mec="#9a9a9a", mew=0.8)
        axis.set_xlim(-0.6, columns - 0.4)
        axis.set_ylim(rows - 0.4, -0.6)
        axis.set_xticks(
            range(columns), layout.conditions, rotation=38, ha="left", rotation_mode="anchor"
        )
        axis.xaxis.tick_top()
        axis.tick_params(length=0, colors=style.INK)
        axis.set_yticks(range(rows), layout.outcomes)
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.set_axisbelow(True)
        axis.grid(color="#eeeeee")
        _key(figure, set(layout.frame.loc[layout.frame["k"] > 0, "certainty"]))
    return figure


def _key(figure, levels: set[str]):
    from matplotlib.lines import Line2D

    shown = {level: look for level, look in style.CERTAINTY.items() if level in levels}
    handles = [
        Line2D([], [], ls="", marker=mark, mfc=colour if level else "white", mec=colour, ms=8)
        for level, (mark, colour) in shown.items()
    ]
    words = [f"certainty {level}" if level else "not rated" for level in shown]
    figure.legend(handles, words, loc="outside lower left", ncols=3, fontsize=8)
