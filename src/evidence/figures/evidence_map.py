"""Evidence map: how many studies and participants there are on each combination, and where none."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evidence.analysis.certainty.evidence_body import bodies_for, comparative_rows
from evidence.analysis.certainty.grade import LEVELS, grade_certainty
from evidence.analysis.eligible_evidence import subjects_number
from evidence.analysis.gaps.evidence_map import evidence_map_cells
from evidence.analysis.gaps.unknowns import BODY_TIMES
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import Layout, draw, row_addresses
from evidence.provenance.sentence import Number, Sentence, capitalise, count, join_words

COLUMNS_BY_ROWS = {"outcome": "condition", "dose": "time"}
"""What the columns of a map stand for, by what its rows stand for."""
CELL_WORDS = {
    "outcome": ("a condition and an outcome", "the evidence on one outcome in one condition"),
    "dose": ("a dose and a time", "the evidence on one dose at one time"),
}
"""What a cell combines, and what a bubble stands for."""
ARM_COLUMNS = ("study", "outcome", "days")
"""What a treated arm has in common with its comparator."""
MIN_AREA, AREA_RANGE = 110, 390
"""Areas of bubbles in square points: the smallest keeps a study of unknown size visible."""
EMPTY_COLOUR, GRID_COLOUR = "#9a9a9a", "#eeeeee"


@dataclass(frozen=True, kw_only=True)
class EvidenceMapLayout(Layout):
    """One cell per combination of a row and a column.

    `frame` has `row`, `column`, `k` (studies), `n` (participants), `animals`, `area` and `certainty`, also
    for empty cells. `dimensions` says what rows and columns stand for.
    """

    dimensions: tuple[str, str]
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]


def lay_out_evidence_map(
    dataset: Dataset, results: pd.DataFrame, *, row_by: str = "outcome"
) -> EvidenceMapLayout:
    """Lay out every cell of the map, the empty ones too.

    Parameters
    ----------
    row_by : {"outcome", "dose"}
        Outcomes by condition, or doses by time.
    """
    column_by = COLUMNS_BY_ROWS[row_by]
    frame = evidence_map_cells(dataset, results, row_by=row_by, column_by=column_by)
    comparative = comparative_rows(results)
    frame["certainty"] = [_best_certainty(dataset, comparative, c) for c in frame["address"]]
    frame["column"], column_labels = pd.factorize(frame["column_label"])
    frame["row"], row_labels = pd.factorize(frame["row_label"])
    most = max(int(frame["n"].max()) if len(frame) else 0, 1)
    # The area, not the radius, stands for participants.
    frame["area"] = np.where(frame["k"] > 0, MIN_AREA + AREA_RANGE * frame["n"] / most, 0.0)
    addresses = row_addresses(frame)
    combination, bubble = CELL_WORDS[row_by]
    sentence = Sentence(
        f"gaps.{row_by}",
        f"Of {{cells}} of {combination}, {{empty}} are empty and {{single}} rest on one study.",
        {
            "cells": count(len(frame), "combination", rows=addresses, method="cells"),
            "empty": _cell_count(frame["k"] == 0, addresses),
            "single": _cell_count(frame["k"] == 1, addresses),
        },
    )
    identity = "fig-gaps" if row_by == "outcome" else f"fig-gaps-by-{row_by}"
    return EvidenceMapLayout(
        id=identity,
        title=f"Evidence map: confirmed results in these tables, {row_by} by {column_by}",
        caption=Sentence(
            f"{identity}.caption",
            f"Each bubble is {bubble}: its area grows with the number of participants, given "
            "beside it (an.: animals); the number inside is the number of "
            "studies. Mark and colour are the "
            "certainty that rules suggest for the best comparison in it. Only confirmed results "
            "of studies with participants of their own count, not the guide, reviews or "
            "unconfirmed numbers. An empty square has no such result in these tables. "
            f"{sentence.template}",
            sentence.fields,
        ),
        alt=_alt(frame, sentence, row_by, column_by),
        reading=_cell_sentences(frame),
        frame=frame,
        methods={"k": "studies", "n": "participants"},
        empty="" if len(frame) else "No result on a benefit or harm among these.",
        dimensions=(row_by, column_by),
        row_labels=tuple(row_labels),
        column_labels=tuple(column_labels),
    )


def _best_certainty(dataset: Dataset, rows: list[dict], cell: str) -> str:
    """Return the best certainty of a body of evidence that rests on rows of a cell, or nothing."""
    addresses = set(cell.split())
    treated = [row for row in rows if row["address"] in addresses]
    shared = {name: {str(row[name]) for row in treated} for name in ARM_COLUMNS}
    # A treated arm needs its comparator, which has no dose of its own.
    relevant = [
        row
        for row in rows
        if row["address"] in addresses
        or (
            row["role"] == "comparator"
            and all(str(row[name]) in values for name, values in shared.items())
        )
    ]
    bodies = bodies_for(dataset, relevant, times=BODY_TIMES)
    gradings = [grade_certainty(dataset, body) for body in bodies]
    levels = [grading.decided or grading.suggested for grading in gradings]
    return max(levels, key=LEVELS.index, default="")


def _cell_count(is_counted: pd.Series, addresses: tuple[str, ...]) -> Number:
    k = int(is_counted.sum())
    return Number(k, str(k), addresses, "cells")


def _alt(frame: pd.DataFrame, sentence: Sentence, row_by: str, column_by: str) -> str:
    """State the size of the map, how much of it is empty, and where most studies are."""
    if frame.empty:
        return ""
    most = frame.loc[frame["k"].idxmax()]
    return (
        f"Evidence map of {count(frame['column_label'].nunique(), column_by)} by "
        f"{count(frame['row_label'].nunique(), row_by)}. {sentence} Most studies, {most['k']}, "
        f"are on {most['column_label']}, {most['row_label']}."
    )


def _cell_sentences(frame: pd.DataFrame) -> tuple[str, ...]:
    """Describe the filled cells one by one, then list those without a result."""
    sentences = [
        f"{capitalise(row.column_label)}, {row.row_label}: {count(row.k, 'study')}, "
        f"{subjects_number(row.n, row.animals)}, "
        f"{f'certainty {row.certainty}' if row.certainty else 'not rated'}."
        for row in frame[frame["k"] > 0].itertuples()
    ]
    empty = frame[frame["k"] == 0].groupby("column_label", sort=False)["row_label"]
    return (
        *sentences,
        *(f"{capitalise(name)}: no study on {join_words(labels)}." for name, labels in empty),
    )


@draw.register
@style.house_style()
def draw_evidence_map(layout: EvidenceMapLayout):
    """Draw a bubble or an empty square in every cell."""
    columns, rows = len(layout.column_labels), len(layout.row_labels)
    filled = layout.frame[layout.frame["k"] > 0]
    empty = layout.frame[layout.frame["k"] == 0]
    figure, axes = style.new_figure(2.0 + 0.86 * columns, 1.5 + 0.36 * rows)
    for level, cells in filled.groupby("certainty"):
        mark, colour = style.CERTAINTY[level]
        look = {"marker": mark, "fc": colour if level else "white", "ec": colour}
        axes.scatter(cells["column"], cells["row"], s=cells["area"], **look)
    axes.plot(empty["column"], empty["row"], "s", ms=9, mfc="none", mec=EMPTY_COLOUR, mew=0.8)
    for cell in filled.itertuples():
        studies = axes.text(
            cell.column, cell.row, str(cell.k), ha="center", va="center_baseline",
            color="white" if cell.certainty else style.INK, weight="bold", fontsize=8.5,
        )  # fmt: skip
        studies.set_in_layout(False)
        subjects = f"{cell.n:,}" if cell.n or not cell.animals else f"{cell.animals:,} an."
        axes.text(cell.column + 0.3, cell.row, subjects, va="center", fontsize=7.5)
    axes.set_xlim(-0.6, columns - 0.4)
    slanted = {"rotation": 38, "ha": "left", "rotation_mode": "anchor"}
    axes.set_xticks(range(columns), layout.column_labels, **slanted)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, colors=style.INK)
    style.label_rows(axes, layout.row_labels, 0.4)
    axes.spines[:].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(color=GRID_COLOUR)
    _add_legend(figure, set(filled["certainty"]))
    return figure


def _add_legend(figure, levels: set[str]):
    marks = [
        style.key(*look, f"certainty {level}" if level else "not rated", bool(level), ms=8)
        for level, look in style.CERTAINTY.items()
        if level in levels
    ]
    style.legend(figure, marks, loc="left", fontsize=8)
