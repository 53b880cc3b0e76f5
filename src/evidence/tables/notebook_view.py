"""What a notebook shows of each kind of object: words and tables, as HTML and as plain text.

`view` has one function per class of `Displayable`. What depends on arguments, such as a reason that
names one, is in the terms of Python.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.certainty.evidence_body import EvidenceBody
from evidence.analysis.certainty.grade import Certainty
from evidence.analysis.certainty.risk_of_bias import Appraisal
from evidence.analysis.checks.finding import Finding
from evidence.analysis.gaps.coverage import Coverage
from evidence.analysis.gaps.reading_list import KINDS, WantedResult
from evidence.analysis.gaps.unknowns import Unknown
from evidence.analysis.narrative.dose_response import describe_dose_model
from evidence.analysis.narrative.pooled_results import (
    describe_pool,
    format_estimates,
    method_label,
    side_text,
)
from evidence.analysis.narrative.specifications import describe_specifications
from evidence.analysis.narrative.time_course import describe_time_model
from evidence.analysis.pooling.dose_response import DoseModel
from evidence.analysis.pooling.pooled_estimate import PooledEstimate, Refusal
from evidence.analysis.pooling.question import MEASURE_LABELS, Question, measure_label, time_window
from evidence.analysis.pooling.specification_curve import CHOICES, SpecificationCurve
from evidence.analysis.pooling.time_course import TimeModel
from evidence.dataset.displayable import Displayable, Listing
from evidence.errors import Reason
from evidence.provenance.sentence import (
    Sentence,
    capitalise,
    count,
    format_duration,
    format_number,
    join_words,
)
from evidence.tables.certainty import NOT_DECIDED, effect_text, tabulate_ratings
from evidence.tables.checks import RISK_LABELS
from evidence.tables.gaps import tabulate_unknowns
from evidence.tables.html_table import ReportTable
from evidence.tables.pooled_text import describe_heterogeneity, pool_answer, pool_title
from evidence.tables.reading_list import tabulate_reading_list


@dataclass(frozen=True)
class View:
    """A title, sentences, tables and figures (HTML), in this order; each may be missing."""

    title: str = ""
    sentences: tuple[str, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    figures: tuple[str, ...] = ()

    def to_html(self) -> str:
        """Return HTML; every text is escaped."""
        title = f"<p><strong>{escape(self.title)}</strong></p>" if self.title else ""
        items = [escape(sentence) for sentence in self.sentences]
        if len(items) == 1:
            title += f"<p>{items[0]}</p>"
        elif items:
            title += f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
        return "".join([title, *(table._repr_html_() for table in self.tables), *self.figures])

    def to_text(self) -> str:
        """Return the same as plain text."""
        tables = (table.frame.to_string(index=False) for table in self.tables)
        return "\n".join(filter(None, (self.title, *self.sentences, *tables)))


def plain_table(
    identity: str, caption: str, rows: Iterable[Mapping[str, str]] | pd.DataFrame
) -> ReportTable:
    """Return a table of texts that links to nothing."""
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    return ReportTable(identity, caption, frame.reset_index(drop=True), pd.DataFrame())


def without_links(table: ReportTable) -> ReportTable:
    """Return a table of a report for a notebook that has no report, and so no footnotes."""
    return replace(table, numbers=table.numbers[["name"]], links={})


def interval_text(measure: str, low: float, high: float) -> str:
    """Return the ends of an interval on the natural scale."""
    return " to ".join(format_estimates(measure, low, high))


@singledispatch
def view(shown: Displayable) -> View:
    """Return what a notebook shows of an object.

    Raise `NotImplementedError` if no function below is for objects of this class.
    """
    raise NotImplementedError(f"nothing shows a {type(shown).__name__}")


@view.register
def _(shown: Listing) -> View:
    match shown:
        case []:
            return View("Nothing.")
        case [Unknown(), *_]:
            return View(tables=(without_links(tabulate_unknowns(shown)),))
        case [WantedResult(), *_]:
            return View(tables=(without_links(tabulate_reading_list(shown)),))
        case [Certainty(), *_]:
            return View(tables=(_bodies([graded.body for graded in shown], shown),))
        case [EvidenceBody(), *_]:
            return View(tables=(_bodies(shown),))
        case [Appraisal(), *_]:
            return View(tables=(plain_table("tab-appraisals", "Risk of bias", map(_row, shown)),))
    if isinstance(shown[0], Displayable):
        parts = [view(item) for item in shown]
        return View(sentences=tuple(" ".join(filter(None, (p.title, *p.sentences))) for p in parts))
    bundles = [figure._repr_mimebundle_() for figure in shown]
    return View(
        sentences=tuple(bundle["text/plain"] for bundle in bundles),
        figures=tuple(bundle["text/html"] for bundle in bundles),
    )


@view.register
def _(shown: Sentence) -> View:
    return View(sentences=(str(shown),))


@view.register
def _(shown: Finding) -> View:
    return View(sentences=(str(shown),))


@view.register
def _(shown: Question) -> View:
    earliest, latest = map(format_duration, time_window(shown))
    facts = {
        "measure": measure_label(shown.measure, join_words(shown.outcomes)),
        "time": f"{format_duration(shown.time_days)} (results from {earliest} to {latest})",
        "condition": join_words(shown.conditions),
        "treatment": join_words(shown.treatments),
        "comparator": join_words(shown.comparators),
        "non-randomised studies": "pooled with the others" * shown.allow_nonrandomised,
        "studies without events": "pooled with the others" * shown.include_double_zero,
    }
    return View("Question", _facts(facts))


@view.register
def _(shown: PooledEstimate) -> View:
    _, *others = describe_pool(replace(shown.without_omissions(), subgroup_by=""))
    if shown.subgroup_by:
        others += describe_pool(shown.without_omissions())
    sentences = [
        f"{pool_answer(shown)}.",
        f"{capitalise(method_label(shown))}.",
        describe_heterogeneity(shown),
        side_text(shown.measure, shown.better),
        *(str(sentence) for sentence in others if not sentence.name.endswith(".side")),
        *_reasons(shown.left_out),
    ]
    return View(
        pool_title(shown), tuple(filter(None, dict.fromkeys(sentences))), (_studies(shown),)
    )


def _studies(pooled: PooledEstimate) -> ReportTable:
    """Return one row per effect: both groups, the time, the effect with its CI, and the weight."""
    measure = pooled.measure
    effect = capitalise(MEASURE_LABELS.get(measure, measure))
    rows = []
    for row in pooled.studies.itertuples():
        rows.append(
            {
                "study": row.label,
                "year": row.year,
                "treated": _group(row, 1),
                "comparator": _group(row, 2),
                "time": format_duration(row.days) if pd.notna(row.days) else "",
                effect: format_estimates(measure, row.estimate)[0],
                pooled.ci_label: interval_text(measure, row.ci_low, row.ci_high),
                "weight": f"{row.weight:.1%}" if np.isfinite(row.weight) else "",
                "risk of bias": RISK_LABELS.get(row.risk, row.risk),
            }
        )
    frame = pd.DataFrame(rows)
    return plain_table("tab-pooled", "Studies pooled", frame.loc[:, (frame != "").any()])


def _group(row: Any, number: int) -> str:
    """Return the numbers of a group: 12/17, or the mean with its SD and n; empty if not stated."""
    events, n, mean, sd = (
        getattr(row, f"{name}{number}") for name in ("events", "n", "mean", "sd")
    )
    if pd.notna(events):
        return f"{events:g}/{n:g}"
    if pd.notna(mean):
        return f"{format_number(mean)} (SD {format_number(sd)}; n = {n:g})"
    return f"n = {n:g}" if pd.notna(n) else ""


@view.register
def _(shown: Refusal) -> View:
    title = f"Not pooled: {measure_label(shown.measure, shown.outcome)}"
    return View(title, (*_reasons(shown.reasons), *_reasons(shown.left_out)))


@view.register
def _(shown: SpecificationCurve) -> View:
    measure = shown.question.measure
    frame = shown.frame
    columns = [name for name in CHOICES if name in frame]
    table = frame[columns].astype(str)
    table["studies"] = frame["k"].astype(str)
    table[MEASURE_LABELS[measure]] = [format_estimates(measure, v)[0] for v in frame["estimate"]]
    ends = zip(frame["ci_low"], frame["ci_high"], strict=True)
    table["CI"] = [interval_text(measure, *pair) for pair in ends]
    table["not pooled because"] = frame["refused"]
    return View(
        f"Specification curve: {measure_label(measure, shown.question.outcome)}",
        (str(describe_specifications(shown)),),
        (plain_table("tab-specifications", "Specifications", table),),
    )


@view.register
def _(shown: DoseModel) -> View:
    doses = shown.typical_doses
    sentences = _sentences(describe_dose_model(replace(shown, left_out=()), doses))
    tables: tuple[ReportTable, ...] = ()
    if shown.curve is not None:
        predictions = shown.predict(doses).rename(columns={"dose": f"dose ({shown.unit})"})
        tables = (_predictions(predictions, shown.question.measure, shown.confidence),)
    title = f"Dose and {measure_label(shown.question.measure, shown.question.outcome)}"
    return View(title, (*sentences, *_reasons(shown.left_out)), tables)


@view.register
def _(shown: TimeModel) -> View:
    sentences = _sentences(describe_time_model(replace(shown, left_out=())))
    measure = shown.question.measure
    tables = tuple(
        _predictions(
            course.predict(sorted(course.effects["since"].unique()), measure).rename(
                columns={"since": "days since the last dose"}
            ),
            measure,
            shown.confidence,
        )
        for course in shown.courses
        if course.curve is not None
    )
    title = f"Time and {measure_label(measure, shown.question.outcome)}"
    return View(title, (*sentences, *_reasons(shown.left_out)), tables)


def _predictions(frame: pd.DataFrame, measure: str, confidence: float) -> ReportTable:
    """Return effects by dose or time, whose column comes first."""
    first, label = str(frame.columns[0]), capitalise(MEASURE_LABELS[measure])
    rows = [
        {
            first: f"{row[1]:g}",
            label: format_estimates(measure, row.estimate)[0],
            f"{100 * confidence:g}% CI": interval_text(measure, row.ci_low, row.ci_high),
            "extrapolated": "yes" if row.is_extrapolated else "no",
        }
        for row in frame.itertuples()
    ]
    return plain_table("tab-predictions", "Effects on the curve", rows)


@view.register
def _(shown: Unknown) -> View:
    row = tabulate_unknowns([shown]).frame.iloc[0]
    return View(shown.question, _facts(row.drop("question").to_dict()))


@view.register
def _(shown: WantedResult) -> View:
    facts = {"why": f"{KINDS[shown.kind]}; {shown.reason}", "where": shown.part}
    return View(f"{shown.label}: {shown.description}", _facts(facts | {"link": shown.link}))


@view.register
def _(shown: Coverage) -> View:
    names = ("reported", "second_hand", "not_reported", "unread", "searches")
    labels = {"unread": "not read", "searches": "searches for it"}
    rows = {}
    for name in names:
        frame = getattr(shown, name)
        listed = "; ".join(frame["label"]) if "label" in frame else ""
        text = f"{len(frame)}: {listed}" if listed else str(len(frame))
        rows[labels.get(name, name.replace("_", " "))] = text
    return View(f"Coverage: {shown.state}", _facts(rows))


@view.register
def _(shown: Appraisal) -> View:
    rows = [
        {"domain": domain, "judgement": row["judgement"], "reason": row["reason"]}
        for domain, row in shown.domains.items()
    ]
    facts = {"tool": shown.tool.name, "overall": shown.overall, "judged by": shown.judge}
    table = plain_table("tab-appraisal", "Risk of bias by domain", rows)
    return View(f"Risk of bias: {shown.label}", _facts(facts), (table,))


def _row(appraisal: Appraisal) -> dict[str, str]:
    return {
        "study": appraisal.label,
        "outcome": appraisal.outcome or "all",
        "tool": appraisal.tool.name,
        "overall": appraisal.overall or "not judged",
        "judged by": appraisal.judge,
    }


@view.register
def _(shown: EvidenceBody) -> View:
    facts = {
        "effect": effect_text(shown),
        "participants": shown.participants_text,
        "studies": join_words(shown.studies["label"]),
        "times": shown.follow_up,
    }
    return View(shown.name, (*_facts(facts), *_reasons(shown.left_out)))


@view.register
def _(shown: Certainty) -> View:
    decided = f"; decided: {shown.decided}" if shown.decided else ""
    facts = {
        "certainty": f"{shown.suggested} suggested by the rules{decided}",
        "effect": effect_text(shown.body),
    }
    return View(
        f"Certainty of evidence (GRADE): {shown.body.name}",
        _facts(facts),
        (without_links(tabulate_ratings([shown])),),
    )


def _bodies(bodies: Sequence[EvidenceBody], graded: Sequence[Certainty] = ()) -> ReportTable:
    rows = pd.DataFrame(
        {
            "body of evidence": [body.name for body in bodies],
            "studies": [count(len(body.studies), "").text for body in bodies],
            "participants": [body.participants_text for body in bodies],
            "effect": [effect_text(body) for body in bodies],
        }
    )
    if graded:
        rows["certainty (suggested)"] = [certainty.suggested for certainty in graded]
        rows["certainty (decided)"] = [certainty.decided or NOT_DECIDED for certainty in graded]
    return plain_table("tab-bodies", "Bodies of evidence", rows)


def _facts(facts: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}: {text}" for name, text in facts.items() if text)


def _sentences(sentences: Iterable[Sentence]) -> list[str]:
    return list(map(str, sentences))


def _reasons(reasons: Iterable[str]) -> list[str]:
    """Return reasons as sentences that name the arguments that would help."""
    return [f"{capitalise(Reason.of(reason).in_python())}." for reason in reasons]
