"""Risk of bias of each study: all appraisals, and the one that applies to an outcome.

An appraisal is one judge's judgements of one study with one tool, see `dataset.risk_of_bias_tools`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evidence.dataset.dataset import MAX_CACHED_PROJECTS, Dataset
from evidence.dataset.displayable import Displayable, as_listing
from evidence.dataset.risk_of_bias_tools import OVERALL, SET_KEY, Tool, load_tools
from evidence.dataset.schema import HUMAN_DESIGNS
from evidence.provenance.sentence import Sentence, count, join_words, verbatim

LEVELS = ("low", "some", "unknown", "high", "critical")
NOT_JUDGED = ""
"""The level of a study that nobody judged with a tool that gives an overall judgement."""


@dataclass(frozen=True)
class Appraisal(Displayable):
    """One judge's judgements of one study.

    `domains` maps each judged domain to its row (judgement, reason, address). `rule_judgement` is
    the overall judgement by the rule of the tool, `stated_judgement` the one that the judge gave;
    either may be empty, and the judge's takes precedence.
    """

    study: str
    label: str
    outcome: str
    tool: Tool
    design: str
    judged_by: str
    judge: str
    source: str
    domains: dict[str, dict]
    rule_judgement: str
    stated_judgement: str
    reason: str
    address: str

    @property
    def overall(self) -> str:
        """The overall judgement in the words of the tool; empty if there is none."""
        return self.stated_judgement or self.rule_judgement

    @property
    def overruled(self) -> bool:
        """Whether the judge's overall judgement differs from the one by the rule."""
        return bool(self.stated_judgement) and self.rule_judgement not in ("", self.overall)

    @property
    def level(self) -> str:
        """The overall judgement as one of `LEVELS`, which all tools share; empty if none."""
        return self.tool.levels.get(self.overall, NOT_JUDGED)

    @property
    def name(self) -> str:
        """Identify the appraisal: study/outcome/tool/judge/source."""
        parts = (self.study, self.outcome, self.tool.name, self.judged_by, self.source)
        return "/".join(part for part in parts if part)


@as_listing
def appraisals(dataset: Dataset, studies: Sequence[str] | None = None) -> list[Appraisal]:
    """Return all appraisals, or those of some studies, in the order of `risk_of_bias.csv`."""
    table = dataset.risk_of_bias
    if studies is not None:
        table = table[table["study"].isin(studies)]
    if table.empty:
        return []
    designs = dataset.designs_of(list(table["study"].unique()))
    design_of = dict(zip(designs["study"], designs["design"], strict=True))
    sets: dict[tuple, list[dict]] = {}
    for row in table.to_dict("records"):
        sets.setdefault(tuple(row[name] for name in SET_KEY), []).append(row)
    return [_appraisal(dataset, key, rows, design_of) for key, rows in sets.items()]


def applicable_appraisals(
    dataset: Dataset, outcome: str, studies: Sequence[str]
) -> dict[str, Appraisal]:
    """Return for each study the appraisal that applies to an outcome.

    Only appraisals with an overall judgement apply. Of several, the one for this very outcome is
    used, then one from a published review, then the one from the latest source. Studies without
    one are left out.
    """

    def precedence(appraisal: Appraisal) -> tuple:
        year = dataset.bibliography[appraisal.source].year
        return appraisal.outcome == outcome, appraisal.judged_by == "review", year

    applicable = {}
    for study in studies:
        candidates = [
            appraisal
            for appraisal in _appraisals_by_study(dataset).get(study, [])
            if appraisal.overall and appraisal.outcome in ("", outcome)
        ]
        if candidates:
            applicable[study] = max(candidates, key=precedence)
    return applicable


@as_listing
def appraisal_summary(dataset: Dataset, studies: Sequence[str]) -> list[Sentence]:
    """Return sentences on how many studies were appraised, by whom, and with what result."""
    entries = appraisals(dataset, studies)
    by_project = [entry for entry in entries if entry.judged_by == "project"]
    by_review = [entry for entry in entries if entry.judged_by != "project"]
    appraised = {entry.study for entry in entries}
    designs = dataset.designs_of(studies)
    with_people = designs[designs["design"].isin(HUMAN_DESIGNS)]
    reviews = {entry.source for entry in entries if entry.judged_by == "review"}
    names = join_words(dataset.label(key) for key in sorted(reviews))
    sentences = [
        Sentence(
            "appraisals.counted",
            "Risk of bias was appraised in {judged} of {all} with human participants: {ours} by "
            "this project from the accessible text, {published} from published reviews{which}.",
            {
                "judged": count(len(appraised), "", _rows(entries), "distinct_studies"),
                "all": count(len(with_people), "study", with_people["address"]),
                "ours": count(len(by_project), "appraisal", _rows(by_project), "risk_of_bias"),
                "published": count(len(by_review), "appraisal", _rows(by_review), "risk_of_bias"),
                "which": f" ({names})" if names else "",
            },
        )
    ]
    applicable = applicable_appraisals(dataset, "", list(dict.fromkeys(studies)))
    by_judgement: dict[str, list[Appraisal]] = {}
    for entry in applicable.values():
        by_judgement.setdefault(f"{entry.overall} ({entry.tool.name})", []).append(entry)
    sentences += [
        Sentence(
            f"appraisals.overall.{judgement}",
            "Overall {word}: {studies}, {labels}.",
            {
                "word": judgement,
                "studies": count(len(group), "study", _rows(group), "risk_of_bias"),
                "labels": join_words(entry.label for entry in group),
            },
        )
        for judgement, group in by_judgement.items()
    ]
    return sentences + [_overruled(entry) for entry in entries if entry.overruled]


def _appraisal(
    dataset: Dataset, key: tuple, rows: list[dict], design_of: dict[str, str]
) -> Appraisal:
    study, outcome, tool_name, judged_by, source = key
    domains = {row["domain"]: row for row in rows}
    overall = domains.pop(OVERALL, {})
    tool, design = load_tools()[tool_name], design_of.get(study, "")
    judgements = {domain: row["judgement"] for domain, row in domains.items()}
    return Appraisal(
        study=study,
        label=dataset.label(study),
        outcome=outcome,
        tool=tool,
        design=design,
        judged_by=judged_by,
        judge="this project" if judged_by == "project" else dataset.label(source),
        source=source,
        domains=domains,
        rule_judgement=tool.overall_judgement(judgements, design),
        stated_judgement=overall.get("judgement", ""),
        reason=overall.get("reason", ""),
        address=" ".join(row["address"] for row in rows),
    )


@lru_cache(maxsize=MAX_CACHED_PROJECTS)
def _appraisals_by_study(dataset: Dataset) -> dict[str, list[Appraisal]]:
    by_study: dict[str, list[Appraisal]] = {}
    for appraisal in appraisals(dataset):
        by_study.setdefault(appraisal.study, []).append(appraisal)
    return by_study


def _overruled(entry: Appraisal) -> Sentence:
    rows, rule = (entry.address,), entry.rule_judgement
    return Sentence(
        f"appraisals.overruled.{entry.name}",
        "{label}: {stated} instead of {rule}, which the tool's rule gives, because {reason}.",
        {
            "label": entry.label,
            "stated": verbatim(entry.stated_judgement, rows),
            "rule": verbatim(rule, rows, "risk_of_bias"),
            "reason": entry.reason.rstrip("."),
        },
    )


def _rows(entries: Iterable[Appraisal]) -> tuple[str, ...]:
    return tuple(row for entry in entries for row in entry.address.split())
