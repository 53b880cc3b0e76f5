"""What remains unknown: two ways of telling results apart, filled by how much evidence there is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.certainty.evidence_body import bodies_for, comparative_rows
from evidence.analysis.certainty.grade import LEVELS, grade_certainty
from evidence.analysis.gaps.evidence_map import evidence_map_cells
from evidence.analysis.gaps.unknowns import TIMES
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import Layout, draw
from evidence.provenance.sentence import Number, Sentence, capitalise, count, join_words

WORDS = {
    "outcome": ("a condition and an outcome", "the evidence on one outcome in one condition"),
    "dose": ("a dose and a time", "the evidence on one dose at one time"),
}
"""What a cell is a combination of, and what a bubble is, by what the rows of the map are."""
ACROSS = {"outcome": "condition", "dose": "time"}
BESIDE = ("study", "outcome", "days")
"""What a treated arm has in common with the group that it was compared with."""


@dataclass(frozen=True, kw_only=True)
class EvidenceMapLayout(Layout):
    """`frame`: one row a cell (`row`, `column`, `k`, `n`, `area`); empty cells are rows too.

    `down` and `across` are the words of rows and columns, `sides` what they are words for.
    """

    sides: tuple[str, str]
    down: tuple[str, ...]
    across: tuple[str, ...]
    sentence: Sentence


def lay_out_evidence_map(
    dataset: Dataset, results: pd.DataFrame, *, down: str = "outcome"
) -> EvidenceMapLayout:
    """Every cell of the grid: bubbles grow with participants, empty cells stay visible.

    Parameters
    ----------
    results : DataFrame
        From `select_results`.
    down : {"outcome", "dose"}
        Outcomes by condition, or doses by time.
    """
    across = ACROSS[down]
    frame = evidence_map_cells(dataset, results, down=down, across=across)
    rows = comparative_rows(results)
    frame["certainty"] = [_best(dataset, rows, cell) for cell in frame["address"]]
    rows_of, columns_of = (tuple(frame[side].unique()) for side in ("down", "across"))
    frame["column"] = frame["across"].map({word: i for i, word in enumerate(columns_of)})
    frame["row"] = frame["down"].map({word: i for i, word in enumerate(rows_of)})
    most = max(int(frame["n"].max()) if len(frame) else 0, 1)
    # Area, not radius, stands for people; the floor keeps a study of unknown size visible.
    frame["area"] = np.where(frame["k"] > 0, 110 + 390 * frame["n"] / most, 0.0)
    rows = tuple(dict.fromkeys(" ".join(frame["address"]).split()))
    combined, each = WORDS[down]
    sentence = Sentence(
        f"gaps.{down}",
        f"Of {{cells}} of {combined}, {{empty}} are empty and {{single}} rest on one study.",
        {
            "cells": count(len(frame), "combination", rows=rows, method="cells"),
            "empty": _number(frame["k"] == 0, rows),
            "single": _number(frame["k"] == 1, rows),
        },
    )
    identity = "fig-gaps" if down == "outcome" else f"fig-gaps-by-{down}"
    return EvidenceMapLayout(
        id=identity,
        title=f"What has been measured, and what has not: {down} by {across}",
        caption=Sentence(
            f"{identity}.caption",
            f"Each bubble is {each}: its area grows with the participants, counted beside it; the "
            "number inside is how many studies. Mark and colour are the certainty that rules "
            "suggest for the best comparison in it. Only confirmed results of studies with "
            "participants of their own are counted; the guide, reviews and unconfirmed numbers "
            f"are not. An empty square: nobody has measured it here. {sentence.template}",
            sentence.numbers,
        ),
        alt=_alt(frame, sentence, down, across),
        reading=_read(frame),
        frame=frame,
        methods={"k": "studies", "n": "participants"},
        empty="" if len(frame) else "No result on a benefit or harm among these.",
        sides=(down, across),
        down=rows_of,
        across=columns_of,
        sentence=sentence,
    )


def _best(dataset: Dataset, rows: list[dict], cell: str) -> str:
    """The best certainty of any body of evidence that rests on rows of a cell; empty if none."""
    addresses = set(cell.split())
    inside = [row for row in rows if row["address"] in addresses]
    wanted = {name: {str(row[name]) for row in inside} for name in BESIDE}
    # A treated arm needs the group that it was compared with, which has no dose of its own.
    both = [
        row
        for row in rows
        if row["address"] in addresses
        or (row["role"] == "comparator" and all(str(row[name]) in wanted[name] for name in BESIDE))
    ]
    rated = [grade_certainty(dataset, body) for body in bodies_for(dataset, both, times=TIMES)]
    levels = [found.decided or found.suggested for found in rated]
    return max(levels, key=LEVELS.index, default="")


def _number(which: pd.Series, rows: tuple[str, ...]) -> Number:
    return Number(int(which.sum()), str(int(which.sum())), rows, "cells")


def _alt(frame: pd.DataFrame, sentence: Sentence, down: str, across: str) -> str:
    """The size of the grid, how much of it is empty, and where most studies are."""
    if frame.empty:
        return ""
    most = frame.loc[frame["k"].idxmax()]
    return (
        f"Map of evidence: {count(frame['across'].nunique(), across)} by "
        f"{count(frame['down'].nunique(), down)}. {sentence} Most studies, {most['k']}, "
        f"are on {most['across']}, {most['down']}."
    )


def _read(frame: pd.DataFrame) -> tuple[str, ...]:
    """The filled cells one by one, then for each condition what nobody measured."""
    said = [
        f"{capitalise(row.across)}, {row.down}: {count(row.k, 'study', 'studies')}, "
        f"{count(row.n, 'participant')}"
        + (f", certainty {row.certainty}." if row.certainty else ", not rated.")
        for row in frame[frame["k"] > 0].itertuples()
    ]
    empty = frame[frame["k"] == 0].groupby("across", sort=False)["down"]
    return (
        *said,
        *(f"{capitalise(name)}, nothing on {join_words(rows)}." for name, rows in empty),
    )


@draw.register
def draw_evidence_map(layout: EvidenceMapLayout):
    """A bubble or an empty square in every cell."""
    columns, rows = len(layout.across), len(layout.down)
    with style.house_style():
        figure, axis = style.new_figure(2.0 + 0.86 * columns, 1.5 + 0.36 * rows)
        filled = layout.frame[layout.frame["k"] > 0]
        empty = layout.frame[layout.frame["k"] == 0]
        for level, cells in filled.groupby("certainty"):
            mark, colour = style.CERTAINTY[level]
            look = {"marker": mark, "fc": colour if level else "white", "ec": colour}
            axis.scatter(cells["column"], cells["row"], s=cells["area"], **look)
        axis.plot(empty["column"], empty["row"], "s", ms=9, mfc="none", mec="#9a9a9a", mew=0.8)
        for row in filled.itertuples():
            inside = axis.text(
                row.column,
                row.row,
                str(row.k),
                ha="center",
                va="center_baseline",
                color="white" if row.certainty else style.INK,
                weight="bold",
                fontsize=8.5,
            )
            inside.set_in_layout(False)
            axis.text(row.column + 0.3, row.row, f"{row.n:,}", va="center", fontsize=7.5)
        axis.set_xlim(-0.6, columns - 0.4)
        axis.set_ylim(rows - 0.4, -0.6)
        axis.set_xticks(
            range(columns), layout.across, rotation=38, ha="left", rotation_mode="anchor"
        )
        axis.xaxis.tick_top()
        axis.tick_params(length=0, colors=style.INK)
        axis.set_yticks(range(rows), layout.down)
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
