"""Define what a consistency check is and what it finds.

Vocabulary
----------
A *check* has a code, a severity and one phrase on how to resolve what it finds. `error`: the row
contradicts itself, so a cell was copied wrongly and must be corrected or waived. `warning`: the
source's own numbers do not agree, or are hard to believe. `note`: worth a look. A *waiver* is a
curator's signed reason why a finding may stay; it is shown beside the finding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from evidence.dataset.dataset import Dataset
from evidence.dataset.displayable import Displayable

CheckResults = Iterator[tuple]
"""What a check yields: a row, a message and, if more rows are involved, all their addresses."""


@dataclass(frozen=True)
class Finding(Displayable):
    """One inconsistency; `rows` are addresses, `resolution` says how to resolve it."""

    code: str
    severity: str
    rows: tuple[str, ...]
    study: str
    arm: str
    outcome: str
    source: str
    message: str
    resolution: str
    waiver: str = ""

    @property
    def is_blocking(self) -> bool:
        """Whether it is an error without a waiver, with which no report is built."""
        return self.severity == "error" and not self.waiver

    @property
    def position(self) -> tuple[str, int]:
        """File and line of its first row."""
        file, _, line = self.rows[0].rpartition(":")
        return file, int(line)

    def __str__(self) -> str:
        text = f"{self.rows[0]} {self.code} {self.severity}: {self.message}; {self.resolution}"
        return f"{text} (waived: {self.waiver})" if self.waiver else text


@dataclass(frozen=True)
class Check:
    """A function that searches the tables, with the words that all its findings share."""

    code: str
    severity: str
    resolution: str
    function: Callable[[Dataset, pd.DataFrame], CheckResults]

    @property
    def description(self) -> str:
        """What it looks for, in one line."""
        return (self.function.__doc__ or "").splitlines()[0]

    def run(self, dataset: Dataset, results: pd.DataFrame) -> Iterator[Finding]:
        """Yield its findings in the rows of `select_results`, without waivers."""
        for row, message, *addresses in self.function(dataset, results):
            yield Finding(
                self.code,
                self.severity,
                tuple(addresses[0]) if addresses else (row.address,),
                row.study,
                getattr(row, "arm", ""),
                getattr(row, "outcome", ""),
                row.source,
                message,
                self.resolution,
            )


def check(code: str, severity: str, resolution: str) -> Callable[..., Check]:
    """Turn a function that yields `CheckResults` into a check."""
    return lambda function: Check(code, severity, resolution, function)
