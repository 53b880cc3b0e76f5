"""Risk-of-bias tools as data (`tools/*.toml`), and the rules for judgements made with them.

A *tool* is one version of an instrument such as RoB 2: its domains, its judgements from best to
worst, and its rule for an overall judgement. The *level* of a judgement (low, some, high, critical,
unknown) is what tools have in common. A *set* is one assessor's judgements of one study or outcome.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.text_checks import quote
from evidence.errors import ProblemList, not_one_of

OVERALL = "overall"
SET_KEY = ["study", "outcome", "tool", "judged_by", "source"]
"""The columns that the judgements of one set share."""


@dataclass(frozen=True)
class Tool:
    """One version of a risk-of-bias instrument.

    `domains` has each domain with its meaning, and `designs` the study design of those that apply
    to one design only. `levels` has each judgement with its level, from best to worst. The overall
    judgement follows by `rule`: "worst", or "none".
    """

    name: str
    reference: str
    domains: dict[str, str]
    designs: dict[str, str]
    levels: dict[str, str]
    rule: str

    def applicable_domains(self, design: str) -> list[str]:
        """Return the domains on which a study of this design is judged, in order."""
        return [word for word in self.domains if self.designs.get(word, design) == design]

    def overall_judgement(self, judgements: Mapping[str, str], design: str) -> str:
        """Apply the tool's rule to judgements by domain: the worst one counts.

        The result is empty if the tool has no rule, or if domains are missing and those present
        are not already as bad as possible.
        """
        if self.rule == "none":
            return ""
        order = list(self.levels)
        domains = self.applicable_domains(design)
        present = [judgements[word] for word in domains if word in judgements]
        worst = max(present, key=order.index, default="")
        return worst if len(present) == len(domains) or worst == order[-1] else ""


@cache
def load_tools() -> dict[str, Tool]:
    """Read the tools that come with the package, by name with version."""
    tools = {}
    for path in sorted(files(__package__).joinpath("tools").iterdir(), key=lambda path: path.name):
        data = tomllib.loads(path.read_text("utf-8"))
        tools[data["name"]] = Tool(
            name=data["name"],
            reference=data["reference"],
            domains={entry["word"]: entry["description"] for entry in data["domains"]},
            designs={e["word"]: e["design"] for e in data["domains"] if "design" in e},
            levels={entry["word"]: entry["level"] for entry in data["judgements"]},
            rule=data["overall"],
        )
    return tools


def check_risk_of_bias(
    problems: ProblemList, judgements: pd.DataFrame, designs: pd.DataFrame
) -> None:
    """Find words that a tool does not have, and judgements that lack a reason or a signature.

    Adds to `problems` what is wrong with the text tables `risk_of_bias.csv` and `designs.csv`.
    """
    file, tools = schema.RISK_OF_BIAS.file, load_tools()
    design_of = dict(zip(designs["study"], designs["design"], strict=True))
    rows = judgements.astype("str")
    word_problems = ProblemList()
    for row in rows.itertuples():
        tool = tools.get(row.tool)
        if tool is None:
            word_problems.add(file, row.Index, "tool", not_one_of(quote(row.tool), tools))
            continue
        domains = [*tool.applicable_domains(design_of.get(row.study, "")), OVERALL]
        if row.domain not in domains:
            message = (
                f"{tool.name} has no domain {quote(row.domain)} for this study. "
                f"Available: {', '.join(domains)}"
            )
            word_problems.add(file, row.Index, "domain", message)
        if row.judgement not in tool.levels:
            message = not_one_of(quote(row.judgement), tool.levels)
            word_problems.add(file, row.Index, "judgement", message)
        if row.judged_by == "project":
            for column in ("reason", "signed_by", "date"):
                if not getattr(row, column):
                    message = "required value is missing: judgements of this project need it"
                    word_problems.add(file, row.Index, column, message)
    problems.extend(word_problems)
    # A rule can only be applied to words that the tool has.
    if not word_problems:
        _check_overall(problems, rows, design_of)


def _check_overall(problems: ProblemList, rows: pd.DataFrame, design_of: Mapping[str, str]) -> None:
    """Require a reason for overall judgements that the tool's rule does not give."""
    sets: dict[tuple[str, ...], list] = {}
    for row in rows.itertuples():
        sets.setdefault(tuple(getattr(row, name) for name in SET_KEY), []).append(row)
    for (study, _, tool, *_), members in sets.items():
        judgements = {row.domain: row.judgement for row in members}
        by_rule = load_tools()[tool].overall_judgement(judgements, design_of.get(study, ""))
        for row in members:
            if row.domain == OVERALL and not row.reason and by_rule not in ("", row.judgement):
                message = f"'{row.judgement}' is '{by_rule}' by the tool's rule. Give the reason."
                problems.add(schema.RISK_OF_BIAS.file, row.Index, "judgement", message)
