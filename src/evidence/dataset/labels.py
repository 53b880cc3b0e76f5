"""The labels of studies and sources: equal ones get letters, like Miller 2001a and Miller 2001b.

The letters follow the order of the keys, because a key often ends in one itself (miller2001a). A
list of references in an author-date style prints the same letters.
"""

import itertools
import string
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pandas as pd

from evidence.dataset.bibliography import Bibliography


def tell_apart(
    bibliography: Bibliography, designs: pd.DataFrame, known_studies: pd.DataFrame
) -> tuple[dict[str, str], Bibliography]:
    """Return the label of each study and source, and the sources with their letters.

    A label is that in the tables, else author and year; a known study that is tabulated has the
    label of its study. Sources get the letters of their labels. Where these name the studies
    otherwise, sources of the same authors and year get letters of their own.
    """
    known, study = known_studies["known_study"], known_studies["study"]
    tabulated = {name: key for name, key in zip(known, study, strict=True) if key not in ("", name)}
    labels = {key: reference.label for key, reference in bibliography.items()}
    labels |= dict(zip(known, known_studies["label"], strict=True))
    labels |= dict(zip(designs["study"], designs["label"], strict=True))
    own = {key: label for key, label in labels.items() if key not in tabulated}
    letters = _letters(own)
    labels |= {key: _add(own[key], letter) for key, letter in letters.items()}
    labels |= {name: labels[key] for name, key in tabulated.items()}
    cited, printed = {}, {}
    for key, reference in bibliography.items():
        printed[key] = letters.get(key, "") if own.get(key) == reference.label else ""
        # Whoever has a letter is told apart, and nobody else may have that one.
        cited[key] = _add(f"{reference.creators} {reference.year}", printed[key])
    printed |= _letters(cited)
    sources = {key: replace(bibliography[key], suffix=letter) for key, letter in printed.items()}
    return labels, bibliography.with_references(sources)


def _letters(labels: Mapping[str, str]) -> dict[str, str]:
    """Return a letter for each key whose label others have too; none makes a label that exists."""
    keys: dict[str, list[str]] = {}
    for key in sorted(labels):
        keys.setdefault(labels[key], []).append(key)
    letters: dict[str, str] = {}
    for label, group in keys.items():
        if len(group) > 1:
            free = (letter for letter in _alphabet() if _add(label, letter) not in keys)
            letters |= dict(zip(group, free, strict=False))
    return letters


def _alphabet() -> Iterator[str]:
    """Yield a, b, …, z, aa, ab and so on."""
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_lowercase, repeat=length))


def _add(label: str, letter: str) -> str:
    """Add a letter to a label: Miller 2001a, but A bakery (a) where it does not end in a year."""
    if not letter:
        return label
    return f"{label}{letter}" if label[-1:].isdigit() else f"{label} ({letter})"
