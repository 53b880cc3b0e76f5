"""What a check is, and what it finds.

Vocabulary
----------
A *check* has a code, a severity and one sentence on what would resolve what it finds. `error`:
the row contradicts itself, so one of its cells was copied wrongly; it must be mended or waived.
`warning`: the text's own numbers do not fit together, or are hard to believe. `note`: worth a
look. A *waiver* is a person's signed reason why a finding may stand; it is printed beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from evidence.dataset.dataset import Dataset

SEVERITIES = ("error", "warning", "note")

Found = Iterator[tuple]
"""What a check yields: a row, what is wrong with it and, if more rows are in it, all addresses."""


@dataclass(frozen=True)
class Finding:
    """One thing that does not add up; `rows` are addresses, `resolution` what would settle it."""

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
        """Whether it is an error that nobody has waived: such a table makes no report."""
        return self.severity == "error" and not self.waiver

    def __str__(self) -> str:
        said = f"{self.rows[0]} {self.code} {self.severity}: {self.message}; {self.resolution}"
        return f"{said} (waived: {self.waiver})" if self.waiver else said


@dataclass(frozen=True)
class Check:
    """A function that looks through the tables, with the words that all its findings share."""

    code: str
    severity: str
    resolution: str
    find: Callable[[Dataset, pd.DataFrame], Found]

    @property
    def about(self) -> str:
        """What it looks for, in one line."""
        return self.find.__doc__.splitlines()[0]

    def findings(self, dataset: Dataset, results: pd.DataFrame) -> Iterator[Finding]:
        """What it finds in the rows of `select_results`, nothing waived yet."""
        for row, says, *addresses in self.find(dataset, results):
            yield Finding(
                self.code,
                self.severity,
                tuple(addresses[0]) if addresses else (row.address,),
                row.study,
                getattr(row, "arm", ""),
                getattr(row, "outcome", ""),
                row.source,
                says,
                self.resolution,
            )


def check(code: str, severity: str, resolution: str) -> Callable[..., Check]:
    """Make a check of a function that yields what it finds; see `Found`."""
    return lambda find: Check(code, severity, resolution, find)
