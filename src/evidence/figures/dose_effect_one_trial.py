"""Doses of one trial against the same comparator: effects where reported, otherwise directions."""

from dataclasses import dataclass

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
    "better": ("▲", style.BLUE, "reported better than {versus}"),
    "no difference": ("○", style.INK, "reported not different"),
    "worse": ("▼", style.VERMILION, "reported worse than {versus}"),
    "not stated": ("?", style.QUIET, "not stated"),
}
CENTRED = {"ha": "center", "va": "center"}
SILENT = {"fontsize": 8.5, "color": style.QUIET, "style": "italic"}
"""The look of words that stand for something not said."""
SPACING = 0.5
"""Distance between effects of one dose at several times; doses are 1 apart."""
SPEAKERS = {"source": "the source", "guide": "the guide"}
COLUMNS = [
    "name", "arm", "dose", "dose_unit", "lane", "finding", "has_estimate", "value", "ci_low", "ci_high",
    "p_value", "p_adjusted", "when", "versus", "outcome", "instrument", "confirmed", "source",
    "missing", "address",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OneTrialDoseLayout(Layout):
    """One column per dose: above the reported effects, below the directions in words.

    `frame` has `dose` in `dose_unit`, `lane` (source or guide), `finding` (the direction),
    `has_estimate`, `value` (the standardised mean difference), the p values and `missing` (why
    there is no size). `better` is the side of zero that favours the dose: 1 above, -1 below, 0 not
    known. `sizes` gives the participants allocated to each arm, `missing` for each lane why it says nothing.
    """

    study: str
    versus: str
    better: int
    sizes: dict[str, int]
    missing: dict[str, str]


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
    """Draw above the effect sizes that were reported, below what was said about each dose."""
    columns = {dose: x for x, dose in enumerate(sorted(layout.frame["dose"].unique()))}
    figure, (effects, words) = style.new_figure(
        width, 5.4, nrows=2, sharex=True, height_ratios=[3, 2]
    )
    _draw_effects(effects, layout, columns)
    _draw_words(words, layout, columns)
    effects.set_xlim(-0.6, len(columns) - 0.4)
    return figure


def _draw_effects(axes, layout, columns):
    rows = layout.frame[layout.frame["has_estimate"]]
    height = max(1.2, 1.25 * rows["value"].abs().max() if len(rows) else 0)
    # The side that favours the dose is up; if it is not known, larger effects are.
    up = layout.better or 1
    worst = min([-0.4 * height, *(1.25 * up * rows["value"])])
    axes.set_ylim(up * worst, up * height)
    axes.axhline(0, color=style.QUIET, lw=1, ls="--")
    n = layout.sizes.get(layout.versus)
    text = f"no difference\nfrom {layout.versus}" + (f"\n(n = {n})" if n else "")
    beside = {"transform": axes.get_yaxis_transform(), "va": "center"}
    axes.text(1.01, 0, text, fontsize=8, color=style.QUIET, **beside)
    has_several_times = rows["dose"].duplicated().any()
    for row, x in zip(rows.itertuples(), _positions(rows, columns), strict=True):
        if np.isfinite(row.ci_low):
            axes.plot([x, x], [row.ci_low, row.ci_high], color=style.BLUE, lw=1.6)
        fill = style.BLUE if row.finding == "better" else "white"
        axes.plot(x, row.value, "o", ms=9, mfc=fill, mec=style.BLUE, mew=1.6)
        when = f"at {row.when}" if row.when else ""
        # Effects side by side leave no room for one long line.
        value = ("\n" if has_several_times else " ").join([format_number(row.value), when]).strip()
        text = "\n".join([value, *_p_values(row)])
        style.annotate(axes, text, (x, row.value), (0, -9), va="top", ha="center", fontsize=8.5)
    for dose in set(columns) - set(rows["dose"]):
        x, reason = columns[dose], layout.missing.get("source", "not tabulated")
        box = {"facecolor": "white", "edgecolor": "none", "pad": 3}
        axes.text(x, up * height / 2, _on_lines(f"size {reason}"), bbox=box, **CENTRED, **SILENT)
        # Hatched is what is not known here; what the source does not report stays blank.
        hatch = "" if reason == "not reported" else "///"
        axes.axvspan(x - 0.42, x + 0.42, fill=False, hatch=hatch, lw=0, zorder=0)
    better = "\n(above the line: dose better)" if layout.better else ""
    axes.set_ylabel(f"standardised mean difference{better}")
    axes.set_title(f"Reported effect sizes, each dose against {layout.versus}", pad=8)
    axes.grid(axis="y")


def _positions(rows: pd.DataFrame, columns: dict[float, int]) -> pd.Series:
    """Return where each effect stands: those of one dose side by side, in the order of the rows."""
    of_dose = rows.groupby("dose")["dose"]
    offset = of_dose.cumcount() - (of_dose.transform("size") - 1) / 2
    return rows["dose"].map(columns) + offset * SPACING


def _on_lines(words: str) -> str:
    """Break words before what stands in brackets."""
    return words.replace(" (", "\n(")


def _draw_words(axes, layout, columns):
    frame = layout.frame
    lanes = [lane for lane in SPEAKERS if lane in set(frame["lane"])]
    for y, lane in enumerate(lanes):
        rows = frame[frame["lane"] == lane].drop_duplicates("dose")
        findings = dict(zip(rows["dose"], rows["finding"], strict=True))
        for dose, x in columns.items():
            if dose not in findings:
                is_silent = layout.missing[lane] == "not reported"
                text = "says nothing" if is_silent else _on_lines(layout.missing[lane])
                axes.text(x, y, text, **CENTRED, **SILENT)
                continue
            mark, colour, words = DIRECTION_WORDS[findings[dose]]
            text = words.format(versus=layout.versus).replace(" than ", "\nthan ")
            # The guide does not name the comparator that its source used.
            text = f"said to be\n{findings[dose]}" if lane == "guide" else text
            axes.text(x, y - 0.22, mark, fontsize=12, color=colour, **CENTRED)
            axes.text(x, y + 0.2, text, fontsize=8.5, color=colour, **CENTRED)
    style.label_rows(axes, [SPEAKERS[lane] for lane in lanes])
    arms = dict(zip(frame["dose"], frame["arm"], strict=True))
    sizes = [layout.sizes.get(arms[dose]) for dose in columns]
    unit = frame["dose_unit"].iloc[0]
    names = [
        f"{dose:g} {unit}" + (f"\nn = {n}" if n else "")
        for dose, n in zip(columns, sizes, strict=True)
    ]
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title("What is said about each dose", pad=8)
