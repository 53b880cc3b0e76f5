"""Doses of one trial against the same comparator: effects where reported, otherwise directions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import arm_sizes, doses_of_trial
from evidence.analysis.doses import dose_name, in_main_dose_unit, units_left_out
from evidence.analysis.missing_results import summarise_missing, why_missing
from evidence.analysis.results import better_side
from evidence.dataset.dataset import Dataset
from evidence.figures import style
from evidence.figures.layout import Layout, draw, row_addresses
from evidence.provenance.sentence import (
    Fields,
    Number,
    Sentence,
    count,
    format_interval,
    format_number,
    format_time,
    join_words,
    verbatim,
)

DIRECTION_WORDS = {
    "better": ("▲", style.BLUE, "better"),
    "no difference": ("○", style.INK, "not different"),
    "worse": ("▼", style.VERMILION, "worse"),
    "not stated": ("?", style.QUIET, "not stated"),
}
CENTRED = {"ha": "center", "va": "center", "fontsize": style.SMALL_SIZE}
BLANK = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
"""Behind a text, so that no line crosses it."""
TITLE_PLACE = {"y": 1, "pad": 18}
"""Above the names of the columns, also in the panel that has none."""
LINE_HEIGHT = 0.36
"""Height of an effect with its numbers, in inches."""
SPEAKERS = {"source": "the source", "guide": "the guide"}
COLUMNS = [
    "name", "arm", "dose", "dose_unit", "lane", "finding", "has_estimate", "value", "ci_low", "ci_high",
    "p_value", "p_adjusted", "when", "versus", "outcome", "instrument", "confirmed", "source",
    "missing", "address",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OneTrialDoseLayout(Layout):
    """One row per dose: the reported effects, and the directions in words.

    `frame` has `dose` in `dose_unit`, `lane` (source or guide), `finding` (the direction),
    `has_estimate`, `value` (the standardised mean difference), the p values and `missing` (why
    there is no size). `better` is the side of zero that favours the dose: 1 above, -1 below, 0 not
    known. `sizes` gives the participants allocated to each arm, `missing` for each lane why it says nothing.
    """

    rows_per_page = 10
    study: str
    versus: str
    better: int
    sizes: dict[str, int]
    missing: dict[str, str]

    @property
    def row_count(self) -> int:
        """The number of doses."""
        return self.frame["dose"].nunique()

    def rows(self, start: int, end: int) -> dict[str, Any]:
        """Return the fields that differ if the layout has only some of its doses."""
        shown = self.frame["dose"].isin(sorted(self.frame["dose"].unique())[start:end])
        frame = self.frame[shown].reset_index(drop=True)
        return {"reading": tuple(map(_finding_sentence, frame.itertuples())), "frame": frame}


def lay_out_dose_effect_one_trial(
    dataset: Dataset, results: pd.DataFrame, *, study: str = ""
) -> OneTrialDoseLayout:
    """Lay out the doses of one study; by default of the first that compares several.

    Only an effect that was reported as a number has a position on the axis; everything else is
    shown as the words it was reported in.
    """
    rows = doses_of_trial(results)
    study = study or (rows["study"].iloc[0] if len(rows) else "")
    rows, unit, other_units = in_main_dose_unit(rows[rows["study"] == study])
    rows = rows[rows["dose"].notna()]
    label = next(iter(rows["label"]), study)
    rows = rows.assign(
        lane=np.where(rows["is_guide"], "guide", "source"),
        when=[format_time(row.time, row.time_unit) for row in rows.itertuples()],
    )
    rows = rows.assign(name=_names(rows))
    readings = dataset.readings
    # The guide's rows lie in the guide, those of the trial in whichever of its texts was read.
    texts = np.where(rows["is_guide"], rows["source"], rows["study"])
    missing = [why_missing(readings, *pair) for pair in zip(texts, rows["outcome"], strict=True)]
    rows = rows.assign(missing=missing)
    versus = next(iter(rows["versus"]), "")
    frame = rows[COLUMNS].reset_index(drop=True)
    sides = {better_side(dataset, outcome) for outcome in frame["outcome"].unique()}
    better = sides.pop() if len(sides) == 1 else 0
    return OneTrialDoseLayout(
        id="fig-dose-response",
        title=f"Dose and effect in {label}",
        caption=_caption(frame, label, versus, better, other_units),
        alt=_alt(frame, label, versus, unit),
        reading=tuple(_finding_sentence(row) for row in frame.itertuples()),
        frame=frame,
        empty="" if len(frame) else "No study here compares several doses with one comparator.",
        study=study,
        versus=versus,
        better=better,
        sizes=arm_sizes(results, study),
        missing=dict(zip(frame["lane"], frame["missing"], strict=True)),
    )


def _names(rows: pd.DataFrame) -> list[str]:
    """Name each finding; of several times of one effect, the name tells the time too."""
    names = [
        f"{row.study}/{dose_name(row.dose, row.dose_unit)}/{row.source}/{row.outcome}/{row.measure}"
        for row in rows.itertuples()
    ]
    return [
        f"{name}/{when}" if when and names.count(name) > 1 else name
        for name, when in zip(names, rows["when"], strict=True)
    ]


def _caption(
    frame: pd.DataFrame, label: str, versus: str, better: int, other_units: list[str]
) -> Sentence:
    source = frame[frame["lane"] == "source"]
    is_sized = source["dose"].isin(source.loc[source["has_estimate"], "dose"])
    instrument = next(iter(source["instrument"]), "")
    fields: Fields = {
        "label": label,
        "versus": versus,
        "unit": next(iter(source["dose_unit"]), ""),
        "instrument": f" on the {instrument}" if instrument else "",
    }
    template = "{label}, each dose against {versus}{instrument}."
    if is_sized.any():
        fields["sized"] = _doses(source[source["has_estimate"]])
        only = "" if is_sized.all() else " only"
        template += f" An effect size was read for {{sized}} {{unit}}{only}"
        if better:
            template += f"; {'above' if better > 0 else 'below'} zero the dose was better"
        template += "."
    if not is_sized.all():
        fields["worded"] = _doses(source[~is_sized])
        template += " For {worded} {unit} only the direction is tabulated, so no position is drawn"
        if summarise_missing(source.loc[~is_sized, "missing"]):
            fields["missing"] = next(iter(source.loc[~is_sized, "missing"]))
            template += "; the size was {missing}"
        template += "."
    template += " Findings are those adjusted for multiple comparisons where these are given."
    template += units_left_out(other_units)
    return Sentence("fig-dose-response.caption", template, fields)


def _doses(rows: pd.DataFrame) -> Number:
    text = join_words(f"{dose:g}" for dose in sorted(rows["dose"].unique()))
    return verbatim(text, row_addresses(rows))


def _alt(frame: pd.DataFrame, label: str, versus: str, unit: str) -> str:
    """State what the source says of each dose, and how many effect sizes it reports."""
    if frame.empty:
        return ""
    source = frame[frame["lane"] == "source"]
    with_size = source.loc[source["has_estimate"], "dose"].nunique()
    source = source.drop_duplicates("dose")
    findings = [
        f"{join_words(f'{dose:g}' for dose in doses)} {unit} {finding}"
        for finding, doses in source.groupby("finding", sort=False)["dose"]
    ]
    return (
        f"Chart of the doses of {label} against {versus}. Reported: {'; '.join(findings)}. "
        f"An effect size is tabulated for {with_size} of {count(len(source), 'dose')}."
    )


def _finding_sentence(row) -> str:
    subject = ", ".join(filter(None, (f"{row.dose:g} {row.dose_unit}", row.outcome, row.when)))
    text = f"{SPEAKERS[row.lane].capitalize()} on {subject}: {row.finding}"
    if row.has_estimate:
        text += f", standardised mean difference {format_number(row.value)}"
        if np.isfinite(row.ci_low):
            text += f" (CI {format_interval(row.ci_low, row.ci_high)})"
    size = [] if row.has_estimate else [f"size {row.missing}"]
    return ", ".join([text, *_p_values(row), *size]) + "."


def _p_values(row) -> list[str]:
    p_values = [f"p {row.p_value}"] if row.p_value else []
    return [*p_values, f"adjusted p {row.p_adjusted}"] if row.p_adjusted else p_values


@draw.register
@style.house_style()
def draw_dose_effect_one_trial(layout: OneTrialDoseLayout, width: float = style.DOUBLE_COLUMN):
    """Draw the reported effect sizes, if any, beside what was said about each dose, or above it."""
    frame, narrow = layout.frame, style.is_narrow(width)
    sized = frame[frame["has_estimate"]]
    # Effects of one dose at several times have a line each.
    lines = sized.groupby("dose").size().reindex(sorted(frame["dose"].unique())).fillna(1).clip(1)
    first = lines.cumsum() - lines
    panels = 1 + bool(len(sized))
    grid = {"nrows": panels} if narrow else {"ncols": panels, "width_ratios": [3, 2][-panels:]}
    height = LINE_HEIGHT * lines.sum() + 1
    figure, axes = style.new_figure(
        width, height * panels if narrow else height, squeeze=False, **grid
    )
    for panel in axes.flat:
        panel.set_ylim(lines.sum() - 0.5, -0.5)
        panel.spines["left"].set_visible(False)
        panel.set_yticks([])
    words, rows = axes.flat[-1], first + (lines - 1) / 2
    for panel in axes.flat if narrow else axes.flat[:1]:
        panel.set_yticks(rows, _row_names(layout, rows.index))
    if len(sized):
        _draw_effects(axes.flat[0], layout, sized.assign(y=_lines_of(sized, first)), rows)
    _draw_words(words, layout, rows)
    return figure


def _lines_of(sized: pd.DataFrame, first: pd.Series) -> pd.Series:
    return sized["dose"].map(first) + sized.groupby("dose").cumcount()


def _row_names(layout: OneTrialDoseLayout, doses) -> list[str]:
    arms = dict(zip(layout.frame["dose"], layout.frame["arm"], strict=True))
    sizes = [layout.sizes.get(arms[dose]) for dose in doses]
    unit = layout.frame["dose_unit"].iloc[0]
    return [
        f"{dose:g} {unit}" + (f"\nn = {n}" if n else "")
        for dose, n in zip(doses, sizes, strict=True)
    ]


def _draw_effects(axes, layout: OneTrialDoseLayout, sized: pd.DataFrame, rows: pd.Series):
    """Draw effects to the right of no difference where they favour the dose."""
    ends = sized[["value", "ci_low", "ci_high"]].to_numpy().ravel()
    low, high = np.nanmin([-0.5, *ends]), np.nanmax([0.5, *ends])
    axes.set_xlim(low - 0.3 * (high - low), high + 0.3 * (high - low))
    if layout.better < 0:
        axes.invert_xaxis()
    axes.axvline(0, color=style.QUIET, lw=1, ls="--")
    for row in sized.itertuples():
        if np.isfinite(row.ci_low):
            axes.hlines(row.y, row.ci_low, row.ci_high, color=style.BLUE, lw=1.6)
        fill = style.BLUE if row.finding == "better" else "white"
        axes.plot(row.value, row.y, "o", ms=7, mfc=fill, mec=style.BLUE, mew=1.6)
        when = f" at {row.when}" if row.when else ""
        text = "; ".join([f"{format_number(row.value)}{when}", ", ".join(_p_values(row))])
        # Numbers of an effect near an edge stay within the panel.
        part = axes.transAxes.inverted().transform(axes.transData.transform((row.value, 0)))[0]
        side = "left" if part < 1 / 3 else "right" if part > 2 / 3 else "center"
        look = {"ha": side, "va": "top", "fontsize": style.SMALL_SIZE, "bbox": BLANK}
        style.annotate(axes, text.removesuffix("; "), (row.value, row.y), (0, -5), **look)
    words = {"color": style.QUIET, "style": "italic", "transform": axes.get_yaxis_transform()}
    words["bbox"] = BLANK
    for dose in set(rows.index) - set(sized["dose"]):
        text = f"size {layout.missing.get('source', 'not tabulated')}"
        axes.text(0.5, rows[dose], text, **words, **CENTRED)
    n = layout.sizes.get(layout.versus)
    versus = layout.versus + (f" (n = {n})" if n else "")
    axes.set_title("Reported effect sizes", **TITLE_PLACE)
    name = f"standardised mean difference\nfrom {versus}"
    axes.set_xlabel(style.favours_label(name, abs(layout.better), ("the dose", layout.versus)))


def _draw_words(axes, layout: OneTrialDoseLayout, rows: pd.Series):
    """Write in a column per text what it says of each dose."""
    frame = layout.frame
    lanes = [lane for lane in SPEAKERS if lane in set(frame["lane"])]
    for x, lane in enumerate(lanes):
        said = frame[frame["lane"] == lane].drop_duplicates("dose")
        findings = dict(zip(said["dose"], said["finding"], strict=True))
        for dose, y in rows.items():
            mark, colour, words = DIRECTION_WORDS[findings.get(dose, "not stated")]
            if dose in findings:
                axes.text(x, y, f"{mark} {words}", color=colour, **CENTRED)
            else:
                is_silent = layout.missing[lane] == "not reported"
                words = "says nothing" if is_silent else layout.missing[lane]
                axes.text(x, y, words, color=style.QUIET, style="italic", **CENTRED)
    axes.set_xlim(-0.5, len(lanes) - 0.5)
    axes.set_xticks(range(len(lanes)), [SPEAKERS[lane] for lane in lanes], color=style.INK)
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.set_title(f"Effect against {layout.versus}", **TITLE_PLACE)
