"""How each printed number was computed, by the name that `values.json` gives."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from evidence.dataset.bibliography import Bibliography, Reference, read_bibliography
from evidence.dataset.dataset import Dataset
from evidence.files import PACKAGE


@dataclass(frozen=True)
class Method:
    """A description of the computation and the BibTeX key of its formula, if there is one."""

    description: str
    reference: str = ""


METHODS = {
    "parameter": Method("set by a parameter of the report"),
    "copied": Method("copied from the row"),
    "counted": Method("number of rows"),
    "studies": Method("number of studies with participants of their own among these rows"),
    "distinct_studies": Method("number of different studies among these rows"),
    "cells": Method("number of cells of the evidence map; these rows say in which state each is"),
    "omitted": Method("rows or columns of the evidence map that it does not show"),
    "coverage": Method(
        "studies with a tabulated result divided by these and the known studies that may have "
        "measured it and were not read"
    ),
    "flow": Method("records or studies at this step, the sum of its parts", "page2021prisma"),
    "known_studies": Method("studies known to exist among these rows, excluded ones left out"),
    "participants": Method("participants of these studies, each cohort counted once"),
    "animals": Method("animals of these studies, each cohort counted once"),
    "proportion": Method(
        "events divided by participants; where no count is printed, the only count that the "
        "printed percentage allows",
        "brown2017",
    ),
    "error_rate": Method("wrong results among all results audited"),
    "wilson": Method("Wilson CI of a proportion", "wilson1927"),
    "difference": Method("risk difference: difference of two proportions"),
    "newcombe": Method(
        "Newcombe CI of a risk difference, from the Wilson CIs of its proportions", "newcombe1998"
    ),
    "ratio": Method("risk ratio: ratio of two proportions"),
    "katz": Method("Katz CI of a risk ratio, on the log scale", "katz1978"),
    "effect": Method("effect of one study with the CI of its variance, on the scale shown"),
    "conversion": Method(
        "standard deviation or standard error from the SE, CI, p value, t statistic or "
        "interquartile range that the text prints",
        "higgins2019handbook",
    ),
    "weight": Method("weight of a study in the pooled estimate: inverse of its variance"),
    "pooled": Method("pooled over the studies with the method and test named beside it"),
    "prediction": Method(
        "prediction interval for the effect in a new study: t with k − 2 degrees of freedom",
        "higgins2009",
    ),
    "prediction_three_level": Method(
        "prediction interval for an effect in a new study: quantile of the CI times the root of the "
        "squared standard error and both variances"
    ),
    "prediction_bayes": Method(
        "central interval of the predictive distribution of a new study, given the prior for tau",
        "rover2020",
    ),
    "posterior": Method(
        "posterior median with the central credible interval, given the prior for tau named beside "
        "it",
        "rover2020",
    ),
    "important_effect": Method(
        "probability that the effect exceeds the minimal important difference: posterior, or share "
        "of the t distribution behind the CI"
    ),
    "groups": Method("test for differences between subgroups", "borenstein2009"),
    "regression": Method("meta-regression of the effects on a study characteristic", "knapp2003"),
    "dose_response": Method(
        "one curve over the doses of all trials, fitted in one stage with random effects",
        "crippa2019",
    ),
    "time_course": Method(
        "one decline over the times since the last dose of all studies; several times of one study "
        "are correlated effects",
        "konstantopoulos2011",
    ),
    "half_life": Method(
        "time in which the fitted effect halves, with the half-lives that a test does not reject",
        "fieller1954",
    ),
    "specification": Method(
        "the same pooled estimate for every combination of analytic choices", "simonsohn2020"
    ),
    "risk_of_bias": Method("judgement of a person; the rule of the tool gives the overall one"),
    "participants_in_arms": Method(
        "participants in both arms of these studies, added up; of a study whose arms are not stated, "
        "all of its participants"
    ),
    "evidence_body": Method(
        "effect of the single study, or pooled estimate, with its CI; of two studies Wald's"
    ),
    "absolute": Method("absolute effect: the effect applied to the proportion in the comparators"),
    "grade": Method("levels by which rules on the numbers suggest rating down", "guyatt2008"),
    "unknowns": Method("number of unknowns of which this is true", "brown2006epicot"),
    "rank": Method(
        "position on the reading list: by whether the index page opens with the study, by primary "
        "outcomes, by claims and unknowns, then by participants"
    ),
    "required_trial": Method(
        "participants needed to detect the minimal important difference at the proportion seen in "
        "the comparators",
        "fleiss2003",
    ),
    "heterogeneity": Method("variation of the effects beyond chance", "higgins2002"),
    "days": Method("time given in the row, in days"),
    "longest_follow_up": Method("latest time among these rows, in days"),
    "grim": Method("percentages that a whole number of participants can give", "brown2017"),
    "verdict": Method("rows of the guide compared with rows of its sources"),
}


def ci_methods(estimate: str, interval: str, *columns: str) -> dict[str, str]:
    """Map the columns of an estimate and the two ends of its CI to their methods."""
    return dict(zip(columns, (estimate, interval, interval), strict=True))


@cache
def read_method_references() -> Bibliography:
    """Read the works on methods, which come with the package so that every topic can cite them."""
    return read_bibliography(PACKAGE / "provenance" / "methods.bib")


def sources_and_methods(dataset: Dataset) -> dict[str, Reference]:
    """Return all works that a person may name by key: those on methods, then the project's own."""
    return {**read_method_references(), **dataset.bibliography}


def method_reference(dataset: Dataset, key: str) -> Reference | None:
    """Return the work on methods that a key of this package means, if it is known.

    A project may have another work under the same key, such as a trial; hence the package first.
    """
    return read_method_references().get(key) or dataset.bibliography.get(key)


def formula_works(dataset: Dataset, names: Iterable[str]) -> dict[str, Reference]:
    """Return the works that the formulas of these methods are from, by key."""
    keys = {METHODS[name].reference for name in names} - {""}
    return {key: work for key in sorted(keys) if (work := method_reference(dataset, key))}
