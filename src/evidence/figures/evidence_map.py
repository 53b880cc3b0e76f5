"""Evidence map: how many studies and participants there are on each combination, and where none."""

from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.certainty.evidence_body import bodies_for, comparative_rows
from evidence.analysis.certainty.grade import LEVELS, grade_certainty
from evidence.analysis.eligible_evidence import subjects_number
from evidence.analysis.gaps.coverage import State
from evidence.analysis.gaps.evidence_map import COVERAGE_COUNTS, OUTSIDE, evidence_map_cells
from evidence.analysis.gaps.unknowns import BODY_TIMES
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import Layout, draw, row_addresses
from evidence.provenance.sentence import (
    Fields,
    Sentence,
    capitalise,
    count,
    join_sentences,
    join_words,
)

COLUMNS_BY_ROWS = {"outcome": "condition", "dose": "time"}
"""What the columns of a map stand for, by what its rows stand for."""
CELL_WORDS = {
    "outcome": ("a condition and an outcome", "the evidence on one outcome in one condition"),
    "dose": ("a dose and a time", "the evidence on one dose at one time"),
}
"""What a cell combines, and what a bubble stands for."""
MAX_ROWS, MAX_COLUMNS = 24, 10
"""More rows and columns cannot be read; those with fewest studies are left out."""
ARM_COLUMNS = ("study", "outcome", "days")
"""What a treated arm has in common with its comparator."""
MIN_AREA, AREA_RANGE = 90, 210
"""Areas of bubbles in square points: the smallest keeps a study of unknown size visible."""
COMPACT = 0.45
"""Factor of these areas in cells that have no room for the number of participants."""
GRID_COLOUR = "#eeeeee"
MIN_CELL = 0.45
"""Width of a cell in inches that holds a bubble and the number of participants beside it."""
ROW_HEIGHT, COMPACT_ROW_HEIGHT = 0.295, 0.245
ROW_LABEL = {False: 0.2, True: 0.34}
"""Part of the width for the names of rows, by whether the figure is narrow."""
CELL_WIDTH, CELL_HEIGHT = 0.96, 0.92
"""The coloured part of a cell, of 1 by 1."""
BUBBLE_X, TEXT_X = -0.25, 0.03
"""Where in a cell its bubble and the number of participants stand, from the middle."""
STATE_PHRASES = {
    State.REPORTED: "{} with results in a text of the study itself",
    State.SECOND_HAND: "{} with results read only in other texts",
    State.NOT_READ: "{} not read, although known studies may have measured them",
    State.NOT_REPORTED: "{} not reported in the part that would hold them, which was read",
    State.NOT_FOUND: "{} for which a search found no study",
    State.NOT_SEARCHED: "{} not searched",
    OUTSIDE: "{} with results only in studies outside this selection",
}
"""What a sentence says of the cells in each state; {} is their number."""
DOSE_RULE = (
    " A study of which no dose is known counts as one that may have given each dose at which its "
    "treatment was given."
)


@dataclass(frozen=True, kw_only=True)
class EvidenceMapLayout(Layout):
    """One cell per combination of a row and a column.

    `frame` has the columns of `evidence_map_cells`, `row`, `column`, `area` and `certainty`.
    `dimensions` says what rows and columns stand for.
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
    cells = evidence_map_cells(dataset, results, row_by=row_by, column_by=column_by)
    frame = _most_studied(cells)
    comparative = comparative_rows(results)
    frame["certainty"] = [_best_certainty(dataset, comparative, c) for c in frame["address"]]
    frame["column"], column_labels = pd.factorize(frame["column_label"])
    frame["row"], row_labels = pd.factorize(frame["row_label"])
    most = max(int(frame["n"].max()) if len(frame) else 0, 1)
    # The area, not the radius, stands for participants.
    frame["area"] = np.where(frame["k"] > 0, MIN_AREA + AREA_RANGE * frame["n"] / most, 0.0)
    # An empty cell has no such numbers, and a zero would need a footnote.
    counts = ["second_hand", "n", "animals"]
    frame[counts] = frame[counts].astype("Int64").where(frame["k"] > 0)
    sentence = _states_sentence(f"gaps.{row_by}", frame, CELL_WORDS[row_by][0])
    identity = "fig-gaps" if row_by == "outcome" else f"fig-gaps-by-{row_by}"
    return EvidenceMapLayout(
        id=identity,
        title=f"Evidence map, {row_by} by {column_by}: results, and why cells are empty",
        caption=join_sentences(
            f"{identity}.caption", _explanation(row_by), sentence, *_omission(cells, frame)
        ),
        alt=_alt(frame, sentence, row_by, column_by),
        reading=_cell_sentences(frame),
        frame=frame,
        methods={
            "k": "studies",
            "second_hand": "studies",
            "n": "participants",
            "animals": "animals",
        }
        | dict.fromkeys(COVERAGE_COUNTS, "known_studies"),
        empty="" if len(frame) else "No result on a benefit or harm among these.",
        dimensions=(row_by, column_by),
        row_labels=tuple(row_labels),
        column_labels=tuple(column_labels),
    )


def _most_studied(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of the rows and columns with most studies, as many as can be shown."""
    for label, maximum in (("row_label", MAX_ROWS), ("column_label", MAX_COLUMNS)):
        studies = cells.groupby(label, sort=False)["k"].sum()
        shown = studies.sort_values(ascending=False, kind="stable").index[:maximum]
        cells = cells[cells[label].isin(shown)]
    return cells.reset_index(drop=True)


def _explanation(row_by: str) -> Sentence:
    """Say what the marks, the signs and the colours stand for."""
    signs = {
        state.replace(" ", "_").replace("-", "_") + "_sign": sign
        for state, (sign, _, _) in style.STATES.items()
    }
    return Sentence(
        "gaps.explanation",
        f"Each bubble is {CELL_WORDS[row_by][1]}: its area grows with the number of participants, "
        "given beside it where there is room (an.: animals); the number inside is the number of "
        "studies, and a number with {second_hand_sign} below is how many of them were read only in "
        "other texts. Mark and "
        "colour are the certainty that rules suggest for the best comparison in it. Only results "
        "of studies with participants of their own count, confirmed or imported, not other texts "
        "that state them or unconfirmed numbers. A cell without a bubble says why by its sign and colour: "
        "{not_read_sign} not read, with the number of known studies that may have measured it; "
        "{not_reported_sign} not reported in the part that would hold it, which was read; "
        "{not_found_sign} not found by a recorded search; {not_searched_sign} not searched; "
        f"{{second_hand_sign}} only another text reports it.{DOSE_RULE if row_by == 'dose' else ''}",
        signs,
    )


def _omission(cells: pd.DataFrame, frame: pd.DataFrame) -> Iterator[Sentence]:
    """Say how many rows and columns of the map are not shown, if any."""
    for label, noun in (("row_label", "row"), ("column_label", "column")):
        omitted = cells[~cells[label].isin(frame[label])]
        if len(omitted):
            number = count(omitted[label].nunique(), noun, row_addresses(omitted), "omitted")
            template = f"Not shown: {{omitted_{noun}}} with the fewest studies."
            yield Sentence("gaps.omitted", template, {f"omitted_{noun}": number})


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


def _states_sentence(name: str, frame: pd.DataFrame, combination: str) -> Sentence:
    """Count the cells in each state that occurs."""
    fields: Fields = {
        "cells": count(len(frame), "combination", rows=row_addresses(frame), method="cells")
    }
    phrases = []
    for state, phrase in STATE_PHRASES.items():
        cells = frame[frame["state"] == state]
        if len(cells):
            key = state.replace(" ", "_").replace("-", "_")
            fields[key] = count(len(cells), "", rows=row_addresses(cells), method="cells")
            phrases.append(phrase.format(f"{{{key}}}"))
    return Sentence(name, f"{{cells}} of {combination}: {join_words(phrases)}.", fields)


def _alt(frame: pd.DataFrame, sentence: Sentence, row_by: str, column_by: str) -> str:
    """State the size of the map, the states of its cells, and where most studies are."""
    if frame.empty:
        return ""
    most = frame.loc[frame["k"].idxmax()]
    return (
        f"Evidence map of {count(frame['column_label'].nunique(), column_by)} by "
        f"{count(frame['row_label'].nunique(), row_by)}. {sentence} Most studies, {most['k']}, "
        f"are on {most['column_label']}, {most['row_label']}."
    )


def _cell_sentences(frame: pd.DataFrame) -> tuple[str, ...]:
    """Describe the filled cells one by one, then list the others by column and state."""
    filled, empty = frame[frame["k"] > 0], frame[frame["k"] == 0]
    sentences = [
        f"{capitalise(row.column_label)}, {row.row_label}: {count(row.k, 'study')}"
        f"{f' ({row.second_hand} second-hand)' if row.second_hand else ''}, "
        f"{subjects_number(row.n, row.animals)}, "
        f"{f'certainty {row.certainty}' if row.certainty else 'not rated'}."
        for row in filled.itertuples()
    ]
    for (name, state), cells in empty.groupby(["column_label", "state"], sort=False):
        labels = [
            f"{cell.row_label} ({count(cell.unread, 'known study')})"
            if cell.unread
            else cell.row_label
            for cell in cells.itertuples()
        ]
        sentences.append(f"{capitalise(name)}, {_state_words(state)}: {join_words(labels)}.")
    return tuple(sentences)


def _state_words(state: str) -> str:
    return style.STATES[state][2].partition(":")[0]


@draw.register
@style.house_style()
def draw_evidence_map(layout: EvidenceMapLayout, width: float = style.DOUBLE_COLUMN):
    """Draw a bubble in every cell with evidence, and the sign of its state in every other."""
    filled = layout.frame[layout.frame["k"] > 0]
    is_narrow = style.is_narrow(width)
    height = COMPACT_ROW_HEIGHT if is_narrow else ROW_HEIGHT
    figure, axes = style.new_figure(width, 2 + height * len(layout.row_labels))
    small = {"fontsize": style.SMALL_SIZE}
    look = small if is_narrow else {}
    rows = [
        style.wrap_text(figure, name, ROW_LABEL[is_narrow] * width, 2, **look)
        for name in layout.row_labels
    ]
    room = width - style.text_width(figure, *rows, **look) - 4 * style.MARGIN
    cell = room / len(layout.column_labels)
    names = [style.wrap_text(figure, name, cell, **small) for name in layout.column_labels]
    key = ""
    if style.text_width(figure, *names, **small) > cell:
        key, names = _letters(figure, layout.column_labels, width - 0.2)
    _draw_states(axes, layout.frame)
    _draw_bubbles(axes, filled, is_compact=cell < MIN_CELL)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_xticks(range(len(names)), names, color=style.INK, **small)
    axes.xaxis.tick_top()
    style.label_rows(axes, rows, **look)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(color=GRID_COLOUR)
    ncols = 1 if is_narrow else 2
    _add_legend(figure, set(filled["certainty"]), set(layout.frame["state"]), ncols, key)
    return figure


def _letters(figure, labels: tuple[str, ...], width: float) -> tuple[str, list[str]]:
    """Return a key of this width in inches to columns that have only letters, and the letters."""
    letters = list(ascii_uppercase[: len(labels)])
    entries = [
        f"{letter} {label}".replace(" ", "\N{NO-BREAK SPACE}")
        for letter, label in zip(letters, labels, strict=True)
    ]
    text = "\N{NO-BREAK SPACE}· ".join(entries)
    return style.wrap_text(figure, text, width, fontsize=style.SMALL_SIZE), letters


def _draw_bubbles(axes, filled: pd.DataFrame, *, is_compact: bool):
    """Draw the bubbles with the number of studies, and beside them who took part if there is room."""
    x = filled["column"] + (0 if is_compact else BUBBLE_X)
    area = filled["area"] * (COMPACT if is_compact else 1)
    for level, (mark, colour) in style.CERTAINTY.items():
        cells = filled["certainty"] == level
        look = {"marker": mark, "fc": colour if level else "white", "ec": colour}
        axes.scatter(x[cells], filled.loc[cells, "row"], s=area[cells], **look)
    small: dict[str, Any] = {"fontsize": style.SMALL_SIZE}
    for place, cell in zip(x, filled.itertuples(), strict=True):
        look = {"color": "white" if cell.certainty else style.INK, "weight": "bold"} | small
        studies = axes.text(place, cell.row, str(cell.k), ha="center", va="center_baseline", **look)
        studies.set_in_layout(False)
        if is_compact:
            continue
        lines = [f"{cell.n:,}" if cell.n or not cell.animals else f"{cell.animals:,} an."]
        if cell.second_hand:
            lines.append(f"{cell.second_hand}{style.STATES[State.SECOND_HAND][0]}")
        text = "\n".join(lines)
        axes.text(cell.column + TEXT_X, cell.row, text, va="center", linespacing=1, **small)


def _draw_states(axes, frame: pd.DataFrame):
    """Colour each cell that has no result in a text of a study itself; sign those without any."""
    for state, (sign, colour, _) in style.STATES.items():
        cells = frame[frame["state"] == state]
        axes.barh(
            cells["row"],
            CELL_WIDTH,
            CELL_HEIGHT,
            cells["column"] - CELL_WIDTH / 2,
            color=colour,
            ec=style.FAINT,
            lw=0.6,
        )
        for cell in cells[cells["k"] == 0].itertuples():
            text = f"{cell.unread}{sign}" if state == State.NOT_READ else sign
            axes.text(
                cell.column, cell.row, text, ha="center", va="center", fontsize=style.SMALL_SIZE
            ).set_in_layout(False)


def _add_legend(figure, levels: set[str], states: set[str], ncols: int, key: str):
    marks = [
        style.key(*look, f"certainty {level}" if level else "not rated", bool(level), ms=8)
        for level, look in style.CERTAINTY.items()
        if level in levels
    ]
    marks += [
        style.key("s", colour, words, ms=9, mec=style.QUIET, mew=0.5, sign=sign)
        for state, (sign, colour, words) in style.STATES.items()
        if state in states
    ]
    title = {"title": key, "alignment": "left", "title_fontsize": style.SMALL_SIZE}
    style.legend(figure, marks, loc="left", ncols=ncols, **title)
