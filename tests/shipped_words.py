"""The words of the shipped data, which neither the package nor a page on another topic may know."""

import re

# Ordinary words, or words of how trials are done: they mean the same on any topic.
ORDINARY = {
    "all": "every arm together",
    "use": "to use something",
    "drug": "whatever is given",
    "animals": "who took part, if not people",
    "laboratory": "a design of the vocabulary",
    "binding": "what ties a number to its value",
    "testing": "what a test does",
    "spray": "a form",
    "oral": "a route of the vocabulary",
    "intranasal": "a route of the vocabulary",
    "subcutaneous": "a route of the vocabulary",
    "sublingual": "a route of the vocabulary",
    "placebo": "a comparator of the vocabulary",
    "age": "how old people or entries are",
    "death": "an outcome of any trial",
    "allocated": "the outcome by which arms are held against the number randomised",
    "guessed right": "the outcome that says whether people could tell what they got",
    "guessed wrong": "the same",
    "whole sample": "a role of the vocabulary",
    "control": "control characters",
    "therapy": "what any trial may test",
    "dependence": "correlation of effects, in statistics",
    "training": "in the address of the Cochrane Handbook",
} | dict.fromkeys(["with", "without", "after", "around"], "words of any sentence")


def words_of(dataset, *, allowed=ORDINARY) -> set[str]:
    """Conditions, treatments, interventions, arms, instruments, outcomes, keys and labels.

    Conditions and treatments count word by word as well, except words of one or two letters.
    """
    results, designs = dataset.reported_results, dataset.designs
    own = designs[~designs["design"].eq("guide")]
    phrase_columns = [
        results["condition"], results["intervention"], results["arm"], results["instrument"],
        results["outcome"], results["study"], results["source"], own["study"], own["label"],
        designs["treatment"], dataset.instruments["instrument"], dataset.doses["drug"],
    ]  # fmt: skip
    phrases = {text.lower() for column in phrase_columns for text in column.dropna() if text}
    parts = [results["condition"], designs["treatment"], dataset.doses["drug"]]
    single = {word for column in parts for text in column for word in re.findall(r"\w{3,}", text)}
    return (phrases | {word.lower() for word in single}) - set(allowed)


def words_in(text: str, words: set[str]) -> list[str]:
    """Return the words that a text contains as words of their own."""
    # The response to a dose is no outcome.
    lower = re.sub(r"dose[ –-]response", "", text.lower())
    substrings = (word for word in words if word in lower)
    return sorted(w for w in substrings if re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", lower))
