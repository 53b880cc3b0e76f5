"""Risk-of-bias tools as data, and what an appraisal must satisfy to be one of them.

Vocabulary
----------
A *tool* is one version of an instrument such as RoB 2: its domains, its judgements from best to
worst, and the rule by which they make an overall. A judgement's `level` (low, some, high, critical,
unknown) is what tools have in common. A *set* is one judge's judgements of one study and outcome.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from evidence.dataset import schema
from evidence.errors import Problem

OVERALL = "overall"
SET = ["study", "outcome", "tool", "judged_by", "source"]


@dataclass(frozen=True)
class Tool:
    """One version of an instrument; `designs` gives, for a domain, the one design that has it."""

    name: str
    reference: str
    domains: dict[str, str]
    designs: dict[str, str]
    levels: dict[str, str]
    rule: str

    def asked(self, design: str) -> list[str]:
        """The domains that a study of this design is judged on, in order."""
        return [word for word in self.domains if self.designs.get(word, design) == design]

    def overall(self, judgements: Mapping[str, str], design: str) -> str:
        """The overall judgement by the rule of the tool; empty if it has none, or judgements lack.

        The worst judgement of any domain counts; one that is the worst possible settles it even
        where other domains were not judged.
        """
        if self.rule == "none":
            return ""
        order = list(self.levels)
        given = [judgements[word] for word in self.asked(design) if word in judgements]
        worst = max(given, key=order.index, default="")
        complete = len(given) == len(self.asked(design))
        return worst if complete or worst == order[-1] else ""


@cache
def tools() -> dict[str, Tool]:
    """Every tool that the package knows, by its name with version."""
    known = {}
    for path in sorted(files(__package__).joinpath("tools").iterdir(), key=lambda path: path.name):
        data = tomllib.loads(path.read_text("utf-8"))
        known[data["name"]] = Tool(
            name=data["name"],
            reference=data["reference"],
            domains={entry["word"]: entry["about"] for entry in data["domains"]},
            designs={e["word"]: e["design"] for e in data["domains"] if "design" in e},
            levels={entry["word"]: entry["level"] for entry in data["judgements"]},
            rule=data["overall"],
        )
    return known


def check_appraisals(frame: pd.DataFrame, designs: pd.DataFrame) -> list[Problem]:
    """Words that no tool has, judgements without reason or name, overalls against the rule.

    Both frames as read: all cells text, `line` the line number.
    """
    problems: list[Problem] = []
    kinds = dict(zip(designs["study"], designs["design"], strict=True))

    def report(row, column, rule):
        problems.append(
            Problem(schema.RISK_OF_BIAS.file, row.line, column, getattr(row, column), rule)
        )

    for row in frame.itertuples():
        tool = tools().get(row.tool)
        if tool is None:
            report(row, "tool", f"is not one of: {', '.join(tools())}")
            continue
        known = [*tool.asked(kinds.get(row.study, "")), OVERALL]
        if row.domain not in known:
            report(
                row, "domain", f"is not asked of this study; {tool.name} has: {', '.join(known)}"
            )
        if row.judgement not in tool.levels:
            report(row, "judgement", f"is not one of: {', '.join(tool.levels)}")
        if row.judged_by == "project":
            for column in ("reason", "signed_by", "date"):
                if not getattr(row, column):
                    report(row, column, "is not allowed where this project judged")
    if not problems:
        problems += _unexplained(frame, kinds)
    return problems


def _unexplained(frame: pd.DataFrame, kinds: Mapping[str, str]) -> Iterable[Problem]:
    """Overall judgements that the rule does not give, without a reason."""
    for (study, _, name, *_), rows in frame.groupby(SET, sort=False):
        judged = dict(zip(rows["domain"], rows["judgement"], strict=True))
        by_rule = tools()[name].overall(judged, kinds.get(study, ""))
        for row in rows[(rows["domain"] == OVERALL) & (rows["reason"] == "")].itertuples():
            if by_rule and row.judgement != by_rule:
                rule = f"is '{by_rule}' by the rule of the tool; say in reason why not here"
                file = schema.RISK_OF_BIAS.file
                yield Problem(file, row.line, "judgement", row.judgement, rule)
