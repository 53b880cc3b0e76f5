"""State in sentences how much of what is known to exist is tabulated, and where it was sought."""

import pandas as pd

from evidence.analysis.gaps.coverage import find_coverage, known_studies
from evidence.analysis.results import IMPORTED
from evidence.dataset.dataset import Dataset
from evidence.provenance.sentence import (
    Fields,
    Number,
    Sentence,
    count,
    format_percent,
    join_sentences,
    join_words,
    verbatim,
)


def coverage_summary(dataset: Dataset, outcome: str = "") -> Sentence:
    """State how many of the randomised trials known to exist are tabulated, and the searches.

    `outcome` adds how many of them have a confirmed result on it.
    """
    return join_sentences("coverage", _tabulated_trials(dataset, outcome), _searches(dataset))


def _tabulated_trials(dataset: Dataset, outcome: str) -> Sentence:
    known = known_studies(dataset)
    trials = known[known["is_randomised"]]
    if trials.empty:
        return Sentence("coverage.trials", "No randomised trial is known to these tables.")
    tabulated = trials[trials["status"] == "tabulated"]
    fraction = len(tabulated) / len(trials)
    fields: Fields = {
        "known": count(len(trials), "randomised trial", trials["address"], "known_studies"),
        "tabulated": _number_of(tabulated),
        "fraction": Number(
            fraction, format_percent(fraction), tuple(trials["address"]), "coverage"
        ),
    }
    template = "These tables hold {tabulated} of {known} known to exist ({fraction})"
    if outcome:
        found = find_coverage(dataset, outcomes=[outcome])
        with_result = found.tabulated[found.tabulated["is_randomised"]]
        fields |= {"with_result": _number_of(with_result), "outcome": outcome}
        has_imports = dataset.reported_results["verified"].str.startswith(IMPORTED).any()
        kind = "an imported or confirmed" if has_imports else "a confirmed"
        template += f", {{with_result}} with {kind} result on {{outcome}}"
    return Sentence("coverage.trials", f"{template}.", fields)


def _number_of(studies: pd.DataFrame) -> Number:
    return count(len(studies), "", studies["address"], "known_studies")


def _searches(dataset: Dataset) -> Sentence:
    searches = dataset.searches
    if searches.empty:
        return Sentence("coverage.searches", "No search for further trials is recorded.")
    rows, dates = tuple(searches["address"]), searches["date"]
    last = searches.loc[dates == dates.max(), "address"]
    return Sentence(
        "coverage.searches",
        "They were sought in {searches}, the last on {last_search}; trials that these did not lead "
        "to are not counted. Searched: {databases}.",
        {
            "searches": count(len(searches), "search", rows, plural="searches"),
            "last_search": verbatim(dates.max(), last),
            "databases": join_words(searches["database"].unique()),
        },
    )
