"""Say which results a page covers, and what is counted as a study."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from evidence.dataset.dataset import Dataset
from evidence.dataset.schema import HUMAN_DESIGNS, PRIMARY_DESIGNS
from evidence.provenance.sentence import Fields, Sentence, confidence_level, count, join_words

OTHER_PRIMARY_DESIGNS = tuple(name for name in PRIMARY_DESIGNS if name not in HUMAN_DESIGNS)
COUNTING_RULE = (
    "Only confirmed results of studies with participants or animals of their own are counted as "
    "evidence; participants that several studies share are counted once."
)
IMPORT_RULE = (
    "imported from other files; these are counted too, but nobody confirmed them at their source."
)


def describe_coverage(results: pd.DataFrame) -> Sentence:
    """State how many results and studies a page covers, and the counting rule.

    Which studies these are is in the line of its scope and parameters (`describe_parameters`).
    """
    covered, fields = count_results(results)
    template = f"This page covers {covered}. {COUNTING_RULE}"
    if results["imported"].any():
        rows = results.loc[results["imported"], "address"]
        were = "was" if len(rows) == 1 else "were"
        fields["imported"] = count(len(rows), "result", rows)
        template += f" {{imported}} {were} {IMPORT_RULE}"
    return Sentence("scope", template, fields)


def describe_parameters(
    dataset: Dataset, parameters: Mapping[str, object], given: Iterable[str] = ()
) -> str:
    """State the scope and all parameters of a page in one line.

    Defaults that are empty, zero or off are left out. `parameters` are all of the page, and `given`
    the names of those that somebody set.
    """
    shared = {
        "scope": lambda scope: _scope_text(dataset, scope),
        "conditions": lambda words: _selection_text("condition", words),
        "outcomes": lambda words: _selection_text("outcome", words),
        "confidence": lambda level: f"{confidence_level(level)} confidence intervals",
    }
    parts = [describe(parameters[name]) for name, describe in shared.items() if name in parameters]
    own = {name: value for name, value in parameters.items() if name not in shared}
    for label, is_given in (("set", True), ("defaults", False)):
        listed = [
            f"{name.replace('_', ' ')} = {_parameter_text(value)}"
            for name, value in own.items()
            if (name in set(given)) == is_given and (is_given or value)
        ]
        if listed:
            parts.append(f"{label}: {', '.join(listed)}")
    return f"Scope and parameters: {'; '.join(parts) or 'none'}."


def _selection_text(noun: str, words: Sequence[str]) -> str:
    return f"{noun} {join_words(words)} only" if words else f"all {noun}s"


def _parameter_text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return join_words(map(_parameter_text, value)) or "any"
        case float():
            return f"{value:g}"
    return str(value) or "any"


def count_results(results: pd.DataFrame) -> tuple[str, Fields]:
    """Count the results and the studies they are about, by kind of study.

    What the guide itself states is counted apart. Returns a template and its fields.
    """
    reported, stated = results[~results["is_guide"]], results[results["is_guide"]]
    designs = reported.drop_duplicates("study")["design"]
    is_human, is_other = designs.isin(HUMAN_DESIGNS), designs.isin(OTHER_PRIMARY_DESIGNS)
    kinds = {
        "with_people": (is_human, "with human participants"),
        "on_animals": (is_other, "on animals or in the laboratory"),
        "secondary": (
            ~is_human & ~is_other & (designs != ""),
            "reviews, registry records or regulatory texts",
        ),
        "undescribed": (designs == "", "of unknown design"),
    }
    fields: Fields = {
        "results": count(len(reported), "result", reported["address"]),
        "studies": count(len(designs), "study", reported["address"], "distinct_studies"),
    }
    parts = []
    for name, (is_kind, words) in kinds.items():
        if is_kind.any():
            studies = reported.loc[designs.index[is_kind], "study"]
            rows = reported.loc[reported["study"].isin(studies), "address"]
            fields[name] = count(int(is_kind.sum()), "", rows, "distinct_studies")
            parts.append(f"{{{name}}} {words}")
    template = "{results} of {studies}" + (f" ({', '.join(parts)})" if parts else "")
    if len(stated):
        fields["statements"] = count(len(stated), "statement", stated["address"])
        template += " and {statements} of the guide itself"
    return template, fields


def _scope_text(dataset: Dataset, scope: str) -> str:
    has_context = "context" in set(dataset.designs["scope"])
    if scope == "core" and has_context:
        return f"the studies {core_words(dataset)}"
    if has_context and has_guide(dataset):
        return "all studies in the tables, also those that the guide does not cite"
    return "all studies in the tables"


def has_guide(dataset: Dataset) -> bool:
    """Tell whether the project is about a guide, whose references or claims it tabulates."""
    return len(dataset.guide) > 0 or len(dataset.guide_claims) > 0


def core_words(dataset: Dataset) -> str:
    """Say which studies the narrower scope keeps, after the word studies."""
    return "that the guide cites" if has_guide(dataset) else "at the core of the topic"
