"""The methods section of a manuscript on a pooled question, from what was recorded and computed.

Every sentence depends on the tables or on the analysis: nothing is stated that was not done, and a
record that is missing is named as missing. Works are cited as `[@key]`, with keys of
`provenance.methods.read_method_references`.
"""

import platform
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from evidence.analysis.audit_sample import error_rate, row_digest
from evidence.analysis.certainty.risk_of_bias import appraisals
from evidence.analysis.eligible_evidence import is_evidence
from evidence.analysis.gaps.coverage import Coverage, find_coverage, known_studies
from evidence.analysis.gaps.study_flow import study_flow
from evidence.analysis.pooling.dose_response import SHAPE_LABELS, DoseModel
from evidence.analysis.pooling.pooled_estimate import PooledEstimate, Refusal
from evidence.analysis.pooling.question import (
    COUNT_METHODS,
    MEASURE_LABELS,
    PICO_FIELDS,
    SUBGROUP_COLUMNS,
    Question,
    belongs_to,
    time_window,
    within_time_window,
)
from evidence.analysis.pooling.study_effects import BINARY_EFFECTS, RATIOS
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import as_listing
from evidence.dataset.readings import narrowest_reading
from evidence.errors import DatasetError
from evidence.provenance.sentence import (
    Sentence,
    capitalise,
    count,
    format_duration,
    format_percent,
    join_words,
)
from evidence.statistics.bayesian import BayesianMean
from evidence.statistics.binomial_normal import BinomialNormalMean
from evidence.statistics.meta_analysis import PooledMean
from evidence.statistics.three_level import ThreeLevelMean

SEARCHED = {
    "database": ("Bibliographic database", "Bibliographic databases"),
    "register": ("Trial register", "Trial registers"),
    "citations": ("Citations", "Citations"),
    "website": ("Website", "Websites"),
    "other": ("Other source", "Other sources"),
}
SYSTEMATIC_KINDS = ("database", "register")
MAX_LIMITS = 3
"""Different limits of searches that are listed; of more the table is named."""
COMPARATORS = {"inactive": "an inactive comparator", "active": "an active comparator",
               "other treatment": "another treatment", "dose": "another dose",
               "none": "no treatment", "mixed": "mixed comparators"}  # fmt: skip
EFFECT_REFERENCES = {"rr": "katz1978", "or": "woolf1955", "smd": "hedges1981"}
MODELS = {
    "reml": "in a random-effects model with inverse-variance weights; the between-study variance τ² was "
    "estimated by restricted maximum likelihood [@viechtbauer2005]",
    "dl": "in a random-effects model with inverse-variance weights; the between-study variance τ² was "
    "estimated by the method of DerSimonian and Laird [@dersimonian1986]",
    "pm": "in a random-effects model with inverse-variance weights; the between-study variance τ² was "
    "estimated by the method of Paule and Mandel [@paule1982]",
    "common": "in a common-effect model with inverse-variance weights [@borenstein2009]",
    "mh": "by the Mantel–Haenszel method [@mantel1959]",
    "peto": "by Peto's method [@yusuf1985]",
    "glmm": "in a generalised linear mixed model, which gives events their exact distribution and "
    "needs no correction of zero counts [@stijnen2010]",
    "threelevel": "in a three-level model with random effects between studies and between the effects "
    "of one study, both variances estimated by restricted maximum likelihood [@konstantopoulos2011; "
    "@assink2016]",
    "bayes": "in a Bayesian random-effects model [@rover2020]",
}
"""How each method pools, with the works to cite."""
VARIANCES = {
    "rr": "Greenland and Robins [@greenland1985]",
    "or": "Robins, Breslow and Greenland [@robins1986]",
    "rd": "Sato, Greenland and Robins [@sato1989]",
}
"""Whose variance a Mantel-Haenszel estimate has, by measure."""
TEXTS = {
    "publication": "publications of the studies",
    "registry": "registry entries",
    "review": "reviews",
    "press": "press texts",
}
PARTS = {"registry entry": "registry entries", "registry results": "registry results",
         "second-hand": "quotations in other texts"}  # fmt: skip
"""Kinds of readings whose plural has no mere s."""
SPARSE_REFERENCES = {"Mantel-Haenszel": "mantel1959", "Peto": "yusuf1985"}
INTERVALS = {
    "knha": "were computed by the Knapp–Hartung method [@knapp2003]",
    "knha-adhoc": "were computed by the Knapp–Hartung method, but never narrower than Wald-type "
    "ones [@knapp2003]",
    "z": "were Wald-type",
    "t": "used the t distribution with one degree of freedom fewer than studies",
    "cr2": "were robust to misspecified dependence: they used the CR2 variance with Satterthwaite's "
    "degrees of freedom [@pustejovsky2018]",
}
LIBRARIES = {"NumPy": "harris2020", "SciPy": "virtanen2020", "pandas": "mckinney2010"}
SECTIONS = {
    "search": "Search",
    "studies": "Eligible studies",
    "extraction": "Data extraction",
    "effects": "Effect measures",
    "synthesis": "Synthesis",
    "certainty": "Risk of bias and certainty",
    "software": "Software",
}
"""The parts of a methods text and their headings."""


@as_listing
def describe_methods(
    dataset: Dataset,
    answer: PooledEstimate | Refusal | None = None,
    dose_model: DoseModel | None = None,
) -> Iterator[Sentence]:
    """Return the methods of a pooled question as sentences for a manuscript, works cited as [@key].

    The name of a sentence has its section, a key of `SECTIONS`.

    Parameters
    ----------
    answer : PooledEstimate or Refusal, optional
        What was pooled, or why it was not; by default the project as a whole is described.
    dose_model : DoseModel, optional
        A dose–response curve on the same question.

    Examples
    --------
    >>> from evidence import EXAMPLE, describe_methods, load_dataset
    >>> data = load_dataset(EXAMPLE)
    >>> answer = data.results("still afloat", days=1).pool("rr", comparator="silence")
    >>> print(describe_methods(data, answer)[0])
    The project records no search for studies.
    """
    results = select_results(dataset)
    question = answer.question if answer else None
    pooled = answer if isinstance(answer, PooledEstimate) else None
    rows = asked = _asked(results, question)
    if pooled is not None:
        rows = asked[asked["address"].isin(" ".join(pooled.studies["address"]).split())]
    elif question is not None:
        rows = asked[within_time_window(asked["days"], question)]
    parts = {
        "search": _search(dataset, question),
        "studies": _studies(dataset, asked, rows, answer, question),
        "extraction": _extraction(dataset, rows, is_pooled=pooled is not None),
        "effects": _effects(pooled) if pooled else (),
        "synthesis": [*_synthesis(answer), *_dose_response(dose_model)],
        "certainty": _certainty(dataset, rows, question),
        "software": _software(),
    }
    for section, texts in parts.items():
        for number, text in enumerate(texts, start=1):
            yield Sentence(f"methods.{section}.{number}", "{text}", {"text": text})


def _asked(results: pd.DataFrame, question: Question | None) -> pd.DataFrame:
    """Select the results of primary studies on a question, at any time; all results without one."""
    if question is None:
        return results[~results["is_guide"]]
    is_primary = is_evidence(results.assign(confirmed=True))
    results = results[is_primary & results["outcome"].isin(question.outcomes)]
    for field in PICO_FIELDS:
        if words := question.named_values(field):
            results = results[belongs_to(results, SUBGROUP_COLUMNS[field], words)]
    return results


def _search(dataset: Dataset, question: Question | None) -> Iterator[str]:
    searches = dataset.searches
    if searches.empty:
        yield "The project records no search for studies."
        return
    first, last = _date(searches["date"].min()), _date(searches["date"].max())
    when = f"on {first}" if first == last else f"between {first} and {last}"
    sums = searches[["records", "duplicates", "screened", "excluded", "kept"]].fillna(0).sum()
    number = count(len(searches), "search", plural="searches").text
    removed = f"removed {count(sums.duplicates, 'duplicate').text}, " if sums.duplicates else ""
    yield (
        f"We made {number} {when}, which returned {count(sums.records, 'record').text}. We {removed}"
        f"screened {sums.screened:,.0f}, excluded {sums.excluded:,.0f} and kept {sums.kept:,.0f}."
    )
    kinds = [kind for kind in SEARCHED if (searches["kind"] == kind).any()]
    for kind in kinds:
        names = searches.loc[searches["kind"] == kind, "database"].unique()
        yield f"{SEARCHED[kind][len(names) > 1]} searched: {'; '.join(names)}."
    if not set(kinds) & set(SYSTEMATIC_KINDS):
        yield (
            "No search of a bibliographic database or trial register is recorded, so the search was "
            "not systematic."
        )
    limits = searches["limits"].value_counts()
    if any(limits.index) and len(limits) <= MAX_LIMITS:
        listed = (
            f"{text or 'none'} ({count(n, 'search', plural='searches').text})"
            for text, n in limits.items()
        )
        yield f"Limits and filters: {'; '.join(listed)}."
    if question is not None:
        found = _find_coverage(dataset, question)
        meant = 0 if found is None else len(found.searches)
        if meant:
            were = "was" if meant == 1 else "were"
            yield f"Of these searches, {meant:,} {were} meant to find studies on this question."
    yield (
        f"Query, limits, date and counts of each search are in {schema.SEARCHES.file}, as PRISMA-S "
        "asks [@rethlefsen2021]."
    )


def _date(text: str) -> str:
    """Write an ISO date as in English text; a date without a day stays as it is."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{day.day} {day:%B %Y}"


def _find_coverage(
    dataset: Dataset, question: Question, from_days: float = 0.0, to_days: float = np.inf
) -> Coverage | None:
    """Return what is known on a question; None if it names arms, which other studies need not have."""
    known = known_studies(dataset)
    words: dict[str, Any] = {f"{field}s": question.named_values(field) for field in PICO_FIELDS}
    for field in ("treatment", "comparator"):
        if not set(question.named_values(field)) <= set(known[SUBGROUP_COLUMNS[field]]):
            return None
    return find_coverage(
        dataset, outcomes=question.outcomes, from_days=from_days, to_days=to_days, **words
    )


def _studies(
    dataset: Dataset,
    asked: pd.DataFrame,
    rows: pd.DataFrame,
    answer: PooledEstimate | Refusal | None,
    question: Question | None,
) -> Iterator[str]:
    if question is None:
        yield from _project_studies(dataset)
        return
    has_times = bool(asked["days"].notna().any())
    text = _eligible(question)
    if has_times:
        earliest, latest = map(format_duration, time_window(question))
        text += f" between {earliest} and {latest} after treatment"
        text += ", or at a time not stated" if asked["days"].isna().any() else ""
    yield f"{text}."
    if isinstance(answer, PooledEstimate) and answer.method == "threelevel":
        yield "All effects of a study in this period were used."
    elif isinstance(answer, PooledEstimate) and has_times:
        near = format_duration(question.time_days)
        yield f"Of a study with results at several times, we used the one nearest to {near}."
    if question.allow_nonrandomised:
        yield "Randomised and other studies could be pooled together."
    # Results without a time belong to the question, but to no window of time.
    is_windowed = has_times and bool(rows["days"].notna().all())
    found = _find_coverage(dataset, question, *time_window(question) if is_windowed else ())
    if found is not None:
        yield from _known(found, "" if is_windowed else ", at any time,")
    if isinstance(answer, PooledEstimate):
        studies = answer.studies.drop_duplicates("study")
        randomised = int((studies["randomised"] == "yes").sum())
        which = {0: "none", len(studies): "all"}.get(randomised, f"{randomised:,}")
        yield f"The analysis included {count(len(studies), 'study').text}, {which} of them randomised."
    if answer is not None and answer.left_out:
        yield f"Studies with results that were left out: {_left_out(answer.left_out)}."


def _known(found: Coverage, when: str) -> Iterator[str]:
    """Say of how many studies that may have measured what is asked a result is tabulated."""
    tabulated, unread, silent = map(len, (found.tabulated, found.unread, found.not_reported))
    parts = [f"{tabulated:,} {'has' if tabulated == 1 else 'have'} a tabulated result"]
    if unread:
        were = "was" if unread == 1 else "were"
        parts.append(f"{unread:,} {were} not read where the result would be reported")
    if silent:
        does = "was read and does" if silent == 1 else "were read and do"
        parts.append(f"{silent:,} {does} not report it")
    share = f" (coverage {format_percent(found.fraction)})" if tabulated + unread else ""
    if total := tabulated + unread + silent:
        yield (
            f"We know of {count(total, 'study').text} that{when} measured this or may have: "
            f"{join_words(parts)}{share}."
        )


def _left_out(clauses: Iterable[str]) -> str:
    parts = (str(clause).partition(" left out: ") for clause in clauses)
    return "; ".join(f"{names} ({reason})" if found else names for names, found, reason in parts)


def _eligible(question: Question) -> str:
    """Say which studies belong to a question; what it does not name is not restricted."""
    conditions, treatments, comparators = map(question.named_values, PICO_FIELDS)
    text = "Eligible were studies"
    text += f" of {join_words(treatments)}" if treatments else ""
    text += f" in {join_words(conditions)}" if conditions else ""
    if comparators:
        text += f" with {' or '.join(COMPARATORS.get(word, word) for word in comparators)}"
    return f"{text} that reported {join_words(question.outcomes)}"


def _project_studies(dataset: Dataset) -> Iterator[str]:
    """Say how many studies are known and tabulated; nothing where their records do not add up."""
    try:
        steps = {name: step.n for name, step in study_flow(dataset).steps.items()}
    except DatasetError:
        return
    excluded = f"; {steps['excluded']:,} were excluded" if steps["excluded"] else ""
    wanted = f" and {steps['wanted']:,} are still to be tabulated" if steps["wanted"] else ""
    yield (
        f"We know of {count(steps['known'], 'study').text}{excluded}. Of the "
        f"{steps['included']:,} included, {steps['tabulated']:,} are tabulated{wanted}; "
        f"{steps['with results']:,} have a confirmed result on a benefit or harm. Studies are counted as "
        "in a PRISMA 2020 flow diagram [@page2021prisma]."
    )


def _extraction(dataset: Dataset, rows: pd.DataFrame, *, is_pooled: bool) -> Iterator[str]:
    if rows.empty:
        return
    texts = rows["reported_by"].map(TEXTS).value_counts()
    origins = join_words(f"{name} ({n:,})" for name, n in texts.items())
    number = count(len(rows), "result").text
    use = f"The analysis uses {number}" if is_pooled else f"We tabulated {number}"
    yield f"{use}, read in {origins}; each is recorded with its source and the place in it."
    kinds = _kinds_read(dataset, rows)
    if len(kinds):
        listed = (f"{PARTS.get(kind, f'{kind}s')} ({n:,})" for kind, n in kinds.items())
        yield f"The parts of these texts that were read are {join_words(listed)}."
    imported, confirmed = int(rows["imported"].sum()), int(rows["confirmed"].sum())
    if imported:
        yield (
            f"Of these results, {imported:,} were imported from files of other programs and not "
            "compared with their sources."
        )
    elif confirmed == len(rows):
        yield "All of them were confirmed in the text that is cited."
    else:
        yield (
            f"Of these results, {confirmed:,} were confirmed in the text that is cited; only "
            "confirmed results enter analyses."
        )
    derived = int((rows["event_count_source"] == "derived").sum())
    if derived:
        yield (
            f"For {count(derived, 'proportion').text}, only a percentage is printed, and we used the "
            "only count of events that rounds to it [@brown2017]."
        )
    answers = dataset.audits[dataset.audits["answer"].isin(["confirmed", "wrong"])]
    if answers.empty:
        yield "No second reading of the results is recorded."
        return
    rate = error_rate(dataset)
    cited = rate.template.replace("{interval}", "{interval}, by Wilson's method [@wilson1927]")
    yield f"In the whole project, {replace(rate, template=cited)}"
    if is_pooled:
        reported = dataset.reported_results
        used = reported[reported["address"].isin(rows["address"])]
        read = sum(row_digest(row) in set(answers["row"]) for row in used.itertuples())
        yield f"Of the results that the analysis uses, {read:,} of {len(used):,} were among them."


def _kinds_read(dataset: Dataset, rows: pd.DataFrame) -> pd.Series:
    """Count the results by the kind of the smallest part that was read of their source."""
    readings = dict(list(dataset.readings.groupby("source")))
    kinds = [
        narrowest_reading(row.locator, readings[row.source].to_dict("records")).get("kind", "")
        for row in rows[["source", "locator"]].itertuples()
        if row.source in readings
    ]
    return pd.Series(list(filter(None, kinds)), dtype="str").value_counts()


def _effects(pooled: PooledEstimate) -> Iterator[str]:
    studies, measure = pooled.studies, pooled.measure
    unit = "effect" if pooled.method == "threelevel" else "study"
    is_counted, is_mean = studies["events1"].notna(), studies["mean1"].notna()
    what = MEASURE_LABELS.get(measure, measure)
    cited = f" [@{EFFECT_REFERENCES[measure]}]" if measure in EFFECT_REFERENCES else ""
    if measure == "proportion":
        what = "proportion of participants with the outcome"
    yield (
        f"The effect measure was the {what}{cited}"
        f"{', pooled on the log scale' if measure in RATIOS else ''}"
        f"{', pooled as log odds' if measure == 'proportion' else ''}."
    )
    groups = "both groups" if measure != "proportion" else "the group"
    origins = {
        f"the counts of {groups}": is_counted,
        f"means and standard deviations of {groups}": is_mean,
    }
    listed = [
        f"from {name} for {count(int(mask.sum()), unit).text}"
        for name, mask in origins.items()
        if mask.any()
    ]
    if listed:
        yield f"We computed it {join_words(listed)}."
    if printed := int((~(is_counted | is_mean)).sum()):
        yield f"We took it as printed for {count(printed, unit).text}."
    converted = studies[studies["conversion"] != ""]
    if len(converted):
        groups = converted.groupby("conversion", sort=False)["label"].unique()
        text = "; ".join(f"{join_words(labels)} ({how})" for how, labels in groups.items())
        yield f"Variances that are not printed were derived as follows [@higgins2019handbook]: {text}."
    yield from _zero_counts(pooled)
    if pooled.handling:
        is_shared = any(" combined" in text or " split " in text for text in pooled.handling)
        cited = " [@higgins2024variants]" if is_shared else ""
        yield f"Arms and signs were handled as follows{cited}: {'; '.join(pooled.handling)}."
    if measure == "proportion" and is_counted.all():
        yield "Confidence intervals of single studies are Wilson's [@wilson1927]."
    if measure == "rd" and is_counted.any():
        yield "Confidence intervals of single studies with counts are Newcombe's [@newcombe1998]."


def _zero_counts(pooled: PooledEstimate) -> Iterator[str]:
    """Say what was done to studies with a zero count, if there are any."""
    counts = pooled.studies[["events1", "n1", "events2", "n2"]].to_numpy(float).T
    cells = np.array([counts[0], counts[1] - counts[0], counts[2], counts[3] - counts[2]])
    number = int((cells == 0).any(axis=0).sum())
    if not number:
        return
    studies = f"{count(number, 'study').text} with a zero count"
    if pooled.method in COUNT_METHODS:
        yield f"Nothing was added to the counts of {studies}."
    else:
        yield f"In {studies}, 0.5 was added to all counts of that study and of no other."
    if pooled.measure in BINARY_EFFECTS and pooled.question.include_double_zero:
        yield "Studies without events in either group were included."


def _synthesis(answer: PooledEstimate | Refusal | None) -> Iterator[str]:
    if answer is None:
        return
    if isinstance(answer, Refusal):
        reasons = [str(reason).removesuffix("; name the ones to pool") for reason in answer.reasons]
        yield f"We pooled no results, because {'. Moreover, '.join(reasons)}."
        return
    mean = answer.pooled
    number = count(answer.studies["study"].nunique(), "study").text
    if isinstance(mean, ThreeLevelMean):
        number = f"{count(len(answer.studies), 'effect').text} of {number}"
    yield f"We pooled {number} {MODELS[answer.method]}."
    yield from _model_details(answer)
    level = f"{100 * answer.confidence:g}%"
    if isinstance(mean, BayesianMean):
        yield f"The estimate was the posterior median with the central {level} credible interval."
    else:
        yield f"Confidence intervals ({level}) {INTERVALS[answer.test]}."
    yield from _heterogeneity(answer)
    if np.isfinite(getattr(mean, "pi_low", np.nan)):
        cited = " [@higgins2009]" if isinstance(mean, PooledMean) else ""
        yield f"A prediction interval was computed for the effect in a new study{cited}."
    yield from _companions(answer)
    yield from _comparisons(answer)
    yield from _sensitivity(answer)


def _model_details(answer: PooledEstimate) -> Iterator[str]:
    mean = answer.pooled
    if answer.method == "mh":
        yield f"The variance is that of {VARIANCES[answer.measure]}."
    if isinstance(mean, BinomialNormalMean) and answer.measure == "proportion":
        yield "Log odds of the proportion were assumed to vary normally between studies [@lin2020]."
    elif isinstance(mean, BinomialNormalMean):
        yield f"The {mean.model} model of the log odds ratio was used."
    if isinstance(mean, ThreeLevelMean):
        others = f"{answer.by_rho[0].rho:g} to {answer.by_rho[-1].rho:g}"
        yield (
            f"Sampling errors of effects of one study were assumed to correlate with ρ = {mean.rho:g}; "
            f"the analysis was repeated for correlations from {others}."
        )
    if isinstance(mean, BayesianMean):
        yield (
            f"The prior of the effect was {mean.mu_prior}, and that of the between-study standard "
            f"deviation τ {_priors([mean])}."
        )


def _priors(means: Iterable[BayesianMean]) -> str:
    """Name the priors for tau; a scale of the project's own choice has no work to cite."""
    parts = [mean.prior.partition(" (") for mean in means]
    is_advised = all(source.startswith("Röver") for *_, source in parts)
    return " and ".join(name for name, *_ in parts) + " [@rover2021]" * is_advised


def _heterogeneity(answer: PooledEstimate) -> Iterator[str]:
    mean = answer.pooled
    if isinstance(mean, PooledMean):
        tau2 = ""
        if np.isfinite(mean.tau2_low):
            tau2 = "τ² with its Q-profile confidence interval [@viechtbauer2007], "
        yield f"Heterogeneity was described by {tau2}I² and Cochran's Q [@higgins2002]."
    elif isinstance(mean, ThreeLevelMean):
        yield (
            "Heterogeneity was described by both variances with their profile-likelihood confidence "
            "intervals."
        )
    elif isinstance(mean, BinomialNormalMean):
        yield "Heterogeneity was tested by a likelihood-ratio test against one effect per study."
    elif isinstance(mean, BayesianMean):
        yield "Heterogeneity was described by the posterior distribution of τ."


def _companions(answer: PooledEstimate) -> Iterator[str]:
    """Name the estimates that stand beside the pooled one."""
    if answer.few_studies:
        yield (
            f"As there were only {count(answer.pooled.k, 'study').text}, we also fitted Bayesian "
            f"random-effects models [@rover2020] with these priors for the between-study standard "
            f"deviation: {_priors(answer.few_studies)}."
        )
    if answer.sparse_events:
        models = (
            f"{label} [@{SPARSE_REFERENCES.get(label, 'stijnen2010')}]"
            for label in answer.sparse_events
        )
        yield (
            "As nobody or everybody had the outcome in some groups, we also estimated the odds ratio "
            f"by models that add nothing to zero counts: {'; '.join(models)}."
        )
    if answer.important_probabilities:
        behind_ci = "" if answer.method == "bayes" else " and from the t distribution behind the CI"
        yield (
            "The probability that the effect exceeds the minimal important difference was computed "
            f"from the posterior distribution{behind_ci}."
        )


def _comparisons(answer: PooledEstimate) -> Iterator[str]:
    """Describe the subgroup analysis and the meta-regression that were asked for."""
    is_robust = answer.test == "cr2"
    if answer.subgroup_by and answer.subgroup_test:
        work = "pustejovsky2018" if is_robust else "borenstein2009"
        yield f"Subgroups by {answer.subgroup_by} were tested for a difference [@{work}]."
    elif answer.subgroup_by:
        reasons = (answer.omitted_analyses.get(n) for n in ("subgroups", "subgroup_test"))
        reason = next(filter(None, reasons))
        yield f"Subgroups by {answer.subgroup_by} were not tested for a difference ({reason})."
    if answer.moderator and answer.regression is not None:
        moderator = {"days": "time", "year": "year of publication"}.get(
            answer.moderator, answer.moderator
        )
        is_adjusted = answer.test.startswith("knha")
        work = "pustejovsky2018" if is_robust else "knapp2003" if is_adjusted else "borenstein2009"
        yield f"A meta-regression had {moderator} as its moderator [@{work}]."
    elif answer.moderator:
        yield f"{capitalise(answer.omitted_analyses['regression'])}."


def _sensitivity(answer: PooledEstimate) -> Iterator[str]:
    if answer.leave_one_out:
        yield "As a sensitivity analysis, we left out each study in turn."
    if len(answer.cumulative) > 1:
        yield "We also pooled the studies cumulatively in order of publication."
    tests = []
    if answer.egger:
        tests.append("Egger's regression [@egger1997]")
    if answer.trim_and_fill:
        tests.append("trim and fill [@duval2000]")
    if tests:
        yield f"Small-study effects were examined by {join_words(tests)}."
    else:
        yield f"Small-study effects were not examined ({answer.omitted_analyses['egger']})."


def _dose_response(model: DoseModel | None) -> Iterator[str]:
    if model is None:
        return
    if model.curve is None:
        yield f"No dose–response curve was fitted, because {'; '.join(model.reasons)}."
        return
    curve = model.curve
    trials = count(model.arms["study"].nunique(), "trial").text
    lowest, highest = model.dose_range
    route = f" {model.route}" if model.route not in ("", "any") else ""
    doses = f"{lowest:g} to {highest:g} {model.unit}{route}"
    stage = "two stages [@orsini2012]" if curve.stages == 2 else "one stage [@crippa2019]"
    how = "maximum likelihood" if curve.shape == "emax" else "restricted maximum likelihood"
    yield (
        f"A dose–response curve, {SHAPE_LABELS[model.shape]} without effect at dose 0, was fitted to "
        f"{trials} of {doses} in {stage} by {how}, with random effects between trials. The covariance "
        "of doses that share a comparator was taken into account [@crippa2016]."
    )
    if curve.shape != "emax":
        yield "Its confidence intervals are never narrower than Wald-type ones [@jackson2014]."
    if model.nonlinearity is not None:
        yield "Departure from a straight line was tested by a Wald test."


def _certainty(dataset: Dataset, rows: pd.DataFrame, question: Question | None) -> Iterator[str]:
    studies = list(rows["study"].unique())
    entries = appraisals(dataset, studies)
    all_studies = count(len(studies), "study").text
    judged: dict[tuple[str, str, bool], set[str]] = {}
    for entry in entries:
        key = (entry.tool.name, entry.tool.reference, entry.judged_by == "project")
        judged.setdefault(key, set()).add(entry.study)
    for (tool, work, is_ours), names in judged.items():
        number = f"the risk of bias of {len(names):,} of {all_studies}"
        if is_ours:
            yield f"We judged {number} with {tool} [@{work}]."
        else:
            yield f"Judgements of {number} were taken from other texts, which used {tool} [@{work}]."
    if not entries:
        yield "No judgement of the risk of bias of these studies is recorded."
    decisions = dataset.grade_decisions
    if question is not None and len(decisions):
        is_asked = decisions["question"].map(lambda name: question.outcome in name.split("/"))
        decisions = decisions[is_asked]
    if len(decisions):
        people = join_words(decisions["signed_by"].unique())
        yield (
            f"Certainty of the evidence was rated with GRADE [@guyatt2008]; {people} decided on "
            f"{count(len(decisions), 'domain').text}."
        )
    else:
        yield "No decision on the certainty of this evidence (GRADE) is recorded."


def _software() -> Iterator[str]:
    listed = (f"{name} [@{work}] {version(name)}" for name, work in LIBRARIES.items())
    yield (
        f"All numbers were computed with evidence {version('evidence')} in Python "
        f"{platform.python_version()}, with {join_words(listed)}."
    )
