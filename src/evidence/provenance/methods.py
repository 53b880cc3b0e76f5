"""How a printed number came about, by name: each number of a report carries one of these names."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """What is done with the rows, in words, and the BibTeX key of the formula if there is one."""

    words: str
    reference: str = ""


METHODS = {
    "parameter": Method("as the parameters of the report ask"),
    "copied": Method("as the row has it"),
    "counted": Method("how many rows there are"),
    "studies": Method("how many studies with participants of their own the rows are of"),
    "named": Method("how many different studies the rows are of"),
    "cells": Method("squares of the map that these rows fill, and those that they leave empty"),
    "participants": Method("people of these studies, each cohort counted once"),
    "share": Method(
        "events divided by people; where no count is printed, the only one that the printed "
        "percentage allows",
        "brown2017",
    ),
    "rate": Method("wrong answers among all answers of the audit"),
    "wilson": Method("Wilson interval of a proportion", "wilson1927"),
    "difference": Method("difference of two proportions"),
    "newcombe": Method(
        "interval of a difference of two proportions from their Wilson intervals", "newcombe1998"
    ),
    "ratio": Method("ratio of two proportions"),
    "katz": Method("interval of a ratio of two proportions, from its logarithm", "katz1978"),
    "effect": Method("effect of one study with the interval of its variance, on the scale shown"),
    "weight": Method("share of a study in the pooled effect, by the inverse of its variances"),
    "pooled": Method("pooled over the studies by the method and test that are named beside it"),
    "prediction": Method(
        "where the effect of a further study is expected: t with k - 2 degrees of freedom",
        "higgins2009",
    ),
    "groups": Method("test that the pools of groups of studies differ", "borenstein2009"),
    "regression": Method("effects set against a number that differs by study", "knapp2003"),
    "specification": Method("the same pool for every combination of choices", "simonsohn2020"),
    "appraised": Method("the judgement of a person, by a tool with a rule for the overall"),
    "arms": Method("people in both groups of these studies, added up"),
    "body": Method("the effect of one study, or the pool of several, with its interval"),
    "absolute": Method("what the effect makes of the share seen in the comparison groups"),
    "grade": Method("levels by which rules on the numbers suggest less certainty", "guyatt2008"),
    "register": Method("unknowns of the register that this is true of", "brown2006epicot"),
    "required": Method(
        "people that a trial needs to see what matters, at the rate seen in the comparison groups",
        "fleiss2003",
    ),
    "heterogeneity": Method("how much the effects differ beyond chance", "higgins2002"),
    "days": Method("the time that the row gives, in days"),
    "longest": Method("the latest time of these rows, in days"),
    "grim": Method("which percentages a whole number of people can give", "brown2017"),
    "verdict": Method("the rows of the guide held against the rows of its sources"),
}


def ci_method(middle: str, ends: str, *names: str) -> dict[str, str]:
    """Methods of an estimate and the two ends of its interval, for three column names."""
    return dict(zip(names, (middle, ends, ends), strict=True))
