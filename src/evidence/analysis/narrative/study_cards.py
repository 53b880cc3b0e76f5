"""Sum up a study on a card: question, participants, main result, certainty and risk of bias.

Vocabulary
----------
The *main result* of a study is on its primary outcome, else on the first outcome in the order of
`outcomes.csv` that it compares between its arms. The *body* of a study is the body of evidence on
its question: the same condition, treatment, kind of comparator, outcome and time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pandas as pd

from evidence.analysis.arm_comparisons import arm_pairs
from evidence.analysis.certainty.evidence_body import MAX_TIME_RATIO, EvidenceBody, evidence_bodies
from evidence.analysis.certainty.grade import Certainty, conclusion, grade_certainty
from evidence.analysis.certainty.risk_of_bias import applicable_appraisals
from evidence.analysis.defaults import default_days, default_outcomes
from evidence.analysis.eligible_evidence import OUTCOME_KINDS
from evidence.analysis.gaps.unknowns import BODY_TIMES
from evidence.analysis.missing_results import why_missing
from evidence.analysis.narrative.pooled_results import format_estimates, side_text
from evidence.analysis.narrative.study_findings import (
    describe_study,
    estimate_sentences,
    pair_sentences,
    proportion_sentences,
    study_caveat,
)
from evidence.analysis.pooling.question import MEASURE_LABELS
from evidence.analysis.results import COMPARATOR_ROLES, better_side
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import (
    Fields,
    Number,
    Sentence,
    at_time,
    capitalise,
    capitalise_sentence,
    count,
    events_of_n,
    format_percent,
    format_time,
    join_words,
    verbatim,
)

DIRECTIONS = {"better": "better than", "worse": "worse than", "no difference": "not different from"}
MAX_DOMAINS_NAMED = 3
"""Domains of risk of bias that a card names; of more, it gives their number."""
CELL = ("condition", "treatment", "comparator_kind")


@dataclass(frozen=True)
class StudyCard:
    """What one study asked and found, how certain it is, and one caveat, as sentences."""

    label: str
    question: Sentence
    participants: Sentence
    results: tuple[Sentence, ...]
    certainty: Sentence
    risk_of_bias: Sentence
    caveat: Sentence | None


@dataclass(frozen=True)
class MainResult:
    """The main result of a study: its rows, the sentences on it, and whether it has a CI.

    It is uncounted if both arms have a proportion and one of them no count.
    """

    rows: pd.DataFrame
    sentences: tuple[Sentence, ...]
    has_ci: bool
    is_uncounted: bool = False

    @property
    def study(self) -> str:
        """The key of the study."""
        return self.rows["study"].iloc[0]

    @property
    def outcome(self) -> str:
        """The outcome of the main result."""
        return self.rows["outcome"].iloc[0]

    @property
    def cell(self) -> tuple[str, ...]:
        """Condition, treatment and kind of comparator; those of treated arms come first."""
        rows = self.rows.sort_values("role", key=lambda role: role.isin(COMPARATOR_ROLES))
        return tuple(rows[list(CELL)].iloc[0])


def main_results(
    dataset: Dataset, results: pd.DataFrame, studies: Sequence[str], *, confidence: float
) -> list[MainResult]:
    """Return the main result of each study that has a confirmed one on a benefit or harm."""
    found = (_main_result(dataset, results, study, confidence) for study in studies)
    return [result for result in found if result is not None]


def rated_bodies(
    dataset: Dataset, evidence: pd.DataFrame, main: Sequence[MainResult], *, confidence: float
) -> list[Certainty]:
    """Rate the bodies of evidence on the conditions, treatments and outcomes of main results.

    The outcomes shown first by default belong to them. Comparators are of the same kinds as those
    of the main results. Of several times of one question only the one nearest to the main result,
    or to the default time of the outcome, is rated. The bodies are made of the results in
    `evidence`.
    """
    if not main:
        return []
    outcomes = list(dict.fromkeys([*default_outcomes(evidence), *(m.outcome for m in main)]))
    conditions, treatments, comparators = zip(*(m.cell for m in main), strict=True)
    rows = evidence[evidence["outcome"].isin(outcomes) & evidence["condition"].isin(conditions)]
    shown = {m.outcome: m.rows for m in reversed(main)}
    days = {
        outcome: default_days(shown.get(outcome, rows[rows["outcome"] == outcome]))
        for outcome in outcomes
    }
    cells = set(zip(conditions, treatments, strict=True))
    nearest: dict[tuple, EvidenceBody] = {}
    bodies = evidence_bodies(dataset, rows, times=BODY_TIMES, confidence=confidence)
    for body in sorted(bodies, key=lambda body: _distance(body, days)):
        question = body.question
        cell = (*question.conditions, *question.treatments, *question.comparators)
        is_asked = cell[:2] in cells and cell[2] in comparators
        if is_asked and _distance(body, days) <= np.log(MAX_TIME_RATIO):
            nearest.setdefault((*cell, question.outcome), body)
    chosen = sorted(nearest.values(), key=lambda body: outcomes.index(body.question.outcome))
    return [grade_certainty(dataset, body) for body in chosen]


def study_card(
    dataset: Dataset,
    results: pd.DataFrame,
    main: MainResult,
    rated: Sequence[Certainty],
    *,
    confidence: float,
) -> StudyCard:
    """Return the card of a study from its main result and the bodies rated for all cards."""
    rows = results[results["study"] == main.study]
    sentences = main.sentences
    if main.is_uncounted:
        benefits = _confirmed(rows[rows["kind"] == "benefit"])
        sentences += tuple(estimate_sentences(benefits))[:1]
    body = next((item for item in rated if _is_body_of(item.body, main)), None)
    return StudyCard(
        dataset.label(main.study),
        _question(dataset, main),
        describe_study(dataset, main.study),
        tuple(map(capitalise_sentence, sentences)),
        _certainty(main, body),
        _risk_of_bias(dataset, main),
        study_caveat(rows) if rows["caveat"].iloc[0] else None,
    )


def certainty_sentences(
    dataset: Dataset, rated: Sequence[Certainty], *, confidence: float
) -> Iterator[Sentence]:
    """Yield the certainty of each rated outcome, one sentence with all its comparators."""
    groups: dict[tuple, list[Certainty]] = {}
    for item in rated:
        question = item.body.question
        key = (question.outcome, *question.treatments, *question.conditions)
        groups.setdefault(key, []).append(item)
    for (outcome, treatment, condition), items in groups.items():
        fields: Fields = {
            "outcome": capitalise(outcome),
            "treatment": treatment,
            "condition": condition,
            "level": f"{100 * confidence:g}%",
        }
        times = list(dict.fromkeys(item.body.follow_up for item in items))
        at = " at {time}" if len(times) == 1 else ""
        fields["time"] = times[0]
        parts = []
        for number, item in enumerate(items):
            template, own_fields = _rated_body(dataset, item, number)
            parts.append(template if at else f"{template} at {{time{number}}}")
            fields |= own_fields | {f"time{number}": item.body.follow_up}
        template = f"{{outcome}} with {{treatment}} in {{condition}}{at}: {'; '.join(parts)}."
        yield Sentence(f"certainty.{outcome}.{treatment}.{condition}", template, fields)


def _rated_body(dataset: Dataset, item: Certainty, number: int) -> tuple[str, Fields]:
    """Return the template and fields of the certainty of one body; `number` ends their names."""
    body, measure = item.body, item.body.question.measure
    rows = tuple(body.address.split())
    participants = count(body.participants, "participant", rows, "participants_in_arms")
    fields: Fields = {
        "certainty": verbatim(item.decided or item.suggested, rows, "grade"),
        "versus": _comparator(body),
        "studies": count(len(body.studies), "study", rows, "distinct_studies"),
        "participants": participants if body.participants else "participants not stated",
    }
    template = "{certainty} against {versus} ("
    if np.isfinite(body.effect[0]):
        estimate, low, high = format_estimates(measure, *body.natural)
        fields |= {
            "measure": MEASURE_LABELS[measure],
            "effect": Number(body.natural[0], estimate, rows, "evidence_body"),
            "interval": verbatim(f"{low} to {high}", rows, "evidence_body"),
            "conclusion": conclusion(dataset, body).partition(";")[0].rpartition(", ")[2],
        }
        template += "{measure} {effect}, {level} CI {interval}, {conclusion}; "
    template += "{studies}, {participants})"
    names = {key: f"{{{key}{number}}}" for key in fields} | {"level": "{level}"}
    return template.format(**names), {f"{key}{number}": part for key, part in fields.items()}


def _main_result(
    dataset: Dataset, results: pd.DataFrame, study: str, confidence: float
) -> MainResult | None:
    rows = results[(results["study"] == study) & results["kind"].isin(OUTCOME_KINDS)]
    rows = _confirmed(rows)
    leading = [*dataset.designs_of([study])["primary_outcome"], *default_outcomes(results)]
    order = dict.fromkeys([*leading, *dataset.outcomes["outcome"], *rows["outcome"]])
    by_outcome = dict(list(rows.groupby("outcome", sort=False, observed=True)))
    spare = None
    for outcome in [name for name in order if name in by_outcome]:
        result = _compare(dataset, by_outcome[outcome], confidence)
        # Behind the leading outcomes, one with a CI says more than one without.
        if result.sentences and (outcome in leading or result.has_ci):
            return result
        spare = spare or (result if result.sentences else None)
    return spare


def _compare(dataset: Dataset, rows: pd.DataFrame, confidence: float) -> MainResult:
    """Return the result of a study on one outcome against its comparator, with a CI if it has one.

    Where only the direction of some contrasts is known, no effect of another one stands for all.
    """
    days = default_days(rows)
    pairs = arm_pairs(rows, confidence=confidence)
    pairs = _nearest(pairs[pairs["rr"].notna()], days)
    if len(pairs):
        return MainResult(rows, tuple(pair_sentences(pairs, confidence))[:1], has_ci=True)
    contrasts = rows[rows["role"] == "contrast"]
    printed = _nearest(contrasts[contrasts["ci_low"].notna()], days)
    worded = contrasts[contrasts["value"].isna() & contrasts["direction"].isin(DIRECTIONS)]
    if set(worded["arm"]) <= set(printed["arm"]):
        effects = (*estimate_sentences(printed), *_computed_effect(dataset, rows, days, confidence))
        if effects:
            return MainResult(rows, effects[:1], has_ci=True)
    if uncounted := tuple(_uncounted_pair(rows, days)):
        return MainResult(rows, uncounted, has_ci=False, is_uncounted=True)
    worded_only = tuple(_directions(worded, dataset.readings))
    single = tuple(proportion_sentences(rows, pairs))[:1]
    return MainResult(rows, worded_only or single, has_ci=False)


def _computed_effect(
    dataset: Dataset, rows: pd.DataFrame, days: float, confidence: float
) -> Iterator[Sentence]:
    """Yield the effect that the means and SDs of two arms give."""
    bodies = evidence_bodies(dataset, rows, times=(days,), confidence=confidence)
    for body in bodies[:1]:
        study, measure = body.studies.iloc[0], body.question.measure
        if not np.isfinite(body.effect[0]) or len(body.studies) > 1:
            return
        estimate, low, high = format_estimates(measure, *body.natural)
        side = better_side(dataset, body.question.outcome, body.studies["scale_better"])
        address = tuple(body.address.split())
        yield Sentence(
            f"{study['study']}/{body.name}",
            "{outcome} at {time}: {measure} {estimate} ({level} CI {interval}) with {treatment} "
            "against {comparator}. {side}",
            {
                "outcome": body.question.outcome,
                "time": body.follow_up,
                "measure": MEASURE_LABELS[measure],
                "estimate": Number(body.natural[0], estimate, address, "effect"),
                "level": f"{100 * confidence:g}%",
                "interval": verbatim(f"{low} to {high}", address, "effect"),
                "treatment": body.question.treatments[0],
                "comparator": dataset.designs_of([study["study"]])["comparator"].iloc[0]
                or f"{body.question.comparators[0]} comparator",
                "side": side_text(measure, side),
            },
        )


def _uncounted_pair(rows: pd.DataFrame, days: float) -> Iterator[Sentence]:
    """Yield the proportions of two arms, of which at least one has no count."""
    proportions = rows[(rows["measure"] == "proportion") & rows["value"].notna()]
    pairs = proportions[proportions["role"] == "intervention"].merge(
        proportions[proportions["role"] == "comparator"],
        on=["study", "outcome", "days"],
        suffixes=("", "_2"),
    )
    pairs = pairs.sort_values("n", na_position="last", kind="stable")
    for row in _nearest(pairs, days).iloc[:1].itertuples():
        arms = [arm for arm, n in ((row.arm, row.n), (row.arm_2, row.n_2)) if pd.isna(n)]
        missing = f"number of participants given {join_words(arms)}" if arms else "count of events"
        yield Sentence(
            f"{row.study}/{row.arm} against {row.arm_2}/{row.outcome}",
            "{outcome}{time}: {proportion1} with {arm}, {proportion2} with {versus}; no risk ratio or "
            "CI, because the {missing} is not confirmed.",
            {
                "outcome": row.outcome,
                "time": at_time(row.time, row.time_unit),
                "proportion1": _proportion(row.value, row.event_count, row.n, row.address),
                "arm": row.arm,
                "proportion2": _proportion(row.value_2, row.event_count_2, row.n_2, row.address_2),
                "versus": row.arm_2,
                "missing": missing,
            },
        )


def _proportion(value: float, events: float, n: float, address: str) -> Number:
    if pd.notna(events) and pd.notna(n):
        return events_of_n(int(events), int(n), [address])
    return Number(float(value), format_percent(value), (address,))


def _directions(worded: pd.DataFrame, readings: pd.DataFrame) -> Iterator[Sentence]:
    """Yield one sentence on contrasts of which only the direction is tabulated, if there are any."""
    if worded.empty:
        return
    findings = []
    for (direction, versus), group in worded.groupby(["direction", "versus"], sort=False):
        parts = []
        for (time, unit), of_time in group.groupby(["time", "time_unit"], sort=False):
            at = f" ({format_time(time, unit)})" if time else ""
            parts.append(f"with {_join_arms(list(of_time['arm'].unique()))}{at}")
        findings.append(f"{DIRECTIONS[direction]} {versus} {join_words(parts)}")
    first = worded.iloc[0]
    yield Sentence(
        f"{first['study']}/{first['outcome']}/directions",
        "{outcome}: {findings}; effect sizes {missing}.",
        {
            "outcome": first["outcome"],
            "findings": "; ".join(findings),
            "missing": why_missing(readings, first["study"], first["outcome"]),
        },
    )


def _join_arms(arms: Sequence[str]) -> str:
    """Join names of arms without repeating the words that all of them begin with."""
    first, *others = arms
    words = zip(*(arm.split() for arm in arms), strict=False)
    common = len(list(takewhile(lambda word: len(set(word)) == 1, words)))
    return join_words([first, *(" ".join(arm.split()[common:]) for arm in others)])


def _confirmed(rows: pd.DataFrame) -> pd.DataFrame:
    """Select confirmed results after the start of treatment, without what the guide states."""
    return rows[rows["confirmed"] & ~rows["is_guide"] & ~(rows["days"] <= 0)]


def _nearest(rows: pd.DataFrame, days: float) -> pd.DataFrame:
    """Sort rows by how near their time is to one in days; those without a time come last."""
    return rows.assign(distance=np.abs(np.log(rows["days"] / days))).sort_values(
        "distance", kind="stable"
    )


def _question(dataset: Dataset, main: MainResult) -> Sentence:
    condition, treatment, comparator_kind = main.cell
    comparator = next(iter(dataset.designs_of([main.study])["comparator"]), "")
    against = comparator or (f"{comparator_kind} comparator" if comparator_kind else "")
    return Sentence(
        f"{main.study}.question",
        "What is the effect of {treatment} on {outcome} in {condition}"
        + (", compared with {comparator}?" if against else "?"),
        {
            "treatment": treatment or main.rows["arm"].iloc[0],
            "outcome": main.outcome,
            "condition": condition,
            "comparator": against,
        },
    )


def _certainty(main: MainResult, rated: Certainty | None) -> Sentence:
    name = f"{main.study}.certainty"
    reason = "no effect with a CI was read"
    if main.has_ci:
        reason = "no body of evidence on its question could be formed"
    if rated is None:
        return Sentence(name, "not rated ({reason}).", {"reason": reason})
    body, rows = rated.body, tuple(rated.body.address.split())
    fields: Fields = {
        "reason": reason,
        "level": verbatim(rated.decided or rated.suggested, rows, "grade"),
        "studies": count(len(body.studies), "study", rows, "distinct_studies"),
    }
    if main.study in set(body.studies["study"]):
        return Sentence(name, "{level} (GRADE; {studies} on this question).", fields)
    template = "not rated ({reason}); others on this question: {level} (GRADE; {studies})."
    return Sentence(name, template, fields)


def _risk_of_bias(dataset: Dataset, main: MainResult) -> Sentence:
    name = f"{main.study}.risk of bias"
    appraisal = applicable_appraisals(dataset, main.outcome, [main.study]).get(main.study)
    if appraisal is None:
        return Sentence(name, "not judged.")
    rows = appraisal.address.split()
    worst = [
        name for name, row in appraisal.domains.items() if row["judgement"] == appraisal.overall
    ]
    fields: Fields = {
        "overall": verbatim(appraisal.overall, rows, "risk_of_bias"),
        "tool": appraisal.tool.name,
        "judge": appraisal.judge,
    }
    where = ""
    if worst:
        fields["worst"] = count(len(worst), "", rows, "risk_of_bias")
        fields["domains"] = count(len(appraisal.domains), "domain", rows, "risk_of_bias")
        fields["names"] = ", ".join(worst)
        where = " in {worst} of {domains}"
        where += " ({names})" if len(worst) <= MAX_DOMAINS_NAMED else ""
    return Sentence(name, f"{{overall}}{where}; {{tool}}, by {{judge}}.", fields)


def _is_body_of(body: EvidenceBody, main: MainResult) -> bool:
    question = body.question
    cell = (*question.conditions, *question.treatments, *question.comparators)
    return cell == main.cell and question.outcome == main.outcome


def _comparator(body: EvidenceBody) -> str:
    kind = body.question.comparators[0]
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind} comparator"


def _distance(body: EvidenceBody, days: Mapping[str, float]) -> float:
    return abs(np.log(body.question.time_days / days[body.question.outcome]))
