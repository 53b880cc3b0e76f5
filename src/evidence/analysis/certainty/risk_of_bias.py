"""Risk of bias of each study: every set of judgements, its overall by the rule, and which counts.

Vocabulary
----------
A *set* and a *level* as in `dataset.risk_of_bias`. Of several sets of one study that counts which is
of the outcome in question, has an overall, was published, and rests on the latest source, in this
order.
"""

from dataclasses import dataclass
from functools import lru_cache

from evidence.dataset.dataset import Dataset
from evidence.dataset.risk_of_bias_tools import OVERALL, SET_KEY, Tool, load_tools
from evidence.provenance.sentence import Number, Sentence, count, join_words

LEVELS = ("low", "some", "unknown", "high", "critical")
NOT_JUDGED = ""
MAX_APPRAISALS_CACHED = 1024
"""The level of a study that nobody judged with a tool that has an overall."""


@dataclass(frozen=True)
class Appraisal:
    """One set of judgements of one study.

    `domains` gives for each domain that was judged its row (judgement, reason, address). `rule_judgement`
    is the overall that the tool's rule gives, `stated_judgement` the one that the judge gave, either may be
    empty; where they differ the judge wins and `overruled` is true.
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
        """The overall judgement, the judge's before the rule's; empty if there is neither."""
        return self.stated_judgement or self.rule_judgement

    @property
    def overruled(self) -> bool:
        """Whether the judge's overall is not the one that the rule gives."""
        return (
            bool(self.stated_judgement and self.rule_judgement)
            and self.stated_judgement != self.rule_judgement
        )

    @property
    def level(self) -> str:
        """The overall in the words that tools have in common; empty if there is none."""
        return self.tool.levels.get(self.overall, NOT_JUDGED)

    @property
    def name(self) -> str:
        """What tells it from the others."""
        parts = (self.study, self.outcome, self.tool.name, self.judged_by, self.source)
        return "/".join(part for part in parts if part)


def appraisals(dataset: Dataset, studies: list[str] | None = None) -> list[Appraisal]:
    """Every set of judgements, in the order of the table; of these studies only, if named."""
    table = dataset.risk_of_bias
    if studies is not None:
        table = table[table["study"].isin(studies)]
    if table.empty:
        return []
    designs = dataset.designs_of(list(table["study"].unique()))
    kinds = dict(zip(designs["study"], designs["design"], strict=True))
    sets: dict[tuple, list[dict]] = {}
    for row in table.to_dict("records"):
        sets.setdefault(tuple(row[name] for name in SET_KEY), []).append(row)
    found = []
    for (study, outcome, name, judge, source), rows in sets.items():
        by_domain = {row["domain"]: row for row in rows}
        overall = by_domain.pop(OVERALL, {})
        tool, design = load_tools()[name], kinds.get(study, "")
        judged = {word: row["judgement"] for word, row in by_domain.items()}
        found.append(
            Appraisal(
                study=study,
                label=dataset.label(study),
                outcome=outcome,
                tool=tool,
                design=design,
                judged_by=judge,
                judge="ours" if judge == "project" else dataset.label(source),
                source=source,
                domains=by_domain,
                rule_judgement=tool.overall_judgement(judged, design),
                stated_judgement=overall.get("judgement", ""),
                reason=overall.get("reason", ""),
                address=" ".join(row["address"] for row in rows),
            )
        )
    return found


def applicable_appraisals(
    dataset: Dataset, outcome: str, studies: list[str]
) -> dict[str, Appraisal]:
    """For each study the appraisal that counts for an outcome; studies without one are left out."""
    found = {study: _counting(dataset, outcome, study) for study in studies}
    return {study: entry for study, entry in found.items() if entry is not None}


@lru_cache(maxsize=MAX_APPRAISALS_CACHED)
def _counting(dataset: Dataset, outcome: str, study: str) -> Appraisal | None:
    def rank(entry: Appraisal) -> tuple:
        year = dataset.bibliography[entry.source].year
        return entry.outcome == outcome, entry.judged_by == "review", year

    entries = _of(dataset, study)
    counted = [entry for entry in entries if entry.overall and entry.outcome in ("", outcome)]
    return max(counted, key=rank, default=None)


@lru_cache(maxsize=MAX_APPRAISALS_CACHED)
def _of(dataset: Dataset, study: str) -> list[Appraisal]:
    return appraisals(dataset, [study])


def appraisal_summary(dataset: Dataset, studies: list[str]) -> list[Sentence]:
    """How many of these studies were judged, by whom, and with what result."""
    found = appraisals(dataset, studies)
    judged = {entry.study for entry in found}
    ours = [entry for entry in found if entry.judged_by == "project"]
    sources = {entry.source for entry in found if entry.judged_by == "review"}
    by_study = applicable_appraisals(dataset, "", studies)
    sentences = [
        Sentence(
            "appraisals.counted",
            "Risk of bias was judged in {judged} of {all}: {ours} by this project from the facts "
            "that could be read, {published} taken from published reviews{which}.",
            {
                "judged": Number(len(judged), f"{len(judged):,}", _rows(found), "distinct_studies"),
                "all": count(len(set(studies)), "study", "studies", (), "distinct_studies"),
                "ours": count(len(ours), "set", None, _rows(ours), "risk_of_bias"),
                "published": count(
                    len(found) - len(ours),
                    "set",
                    None,
                    _rows(entry for entry in found if entry.judged_by == "review"),
                    "risk_of_bias",
                ),
                "which": Number(
                    None, f" ({join_words(dataset.label(key) for key in sorted(sources))})"
                    if sources else "",
                ),
            },
        )
    ]  # fmt: skip
    overall = [by_study[study] for study in dict.fromkeys(studies) if study in by_study]
    if overall:
        words = {}
        for entry in overall:
            words.setdefault(f"{entry.overall} ({entry.tool.name})", []).append(entry)
        sentences += [
            Sentence(
                f"appraisals.overall.{word}",
                "Overall {word}: {studies}, {labels}.",
                {
                    "word": Number(None, word),
                    "studies": count(len(them), "study", "studies", _rows(them), "risk_of_bias"),
                    "labels": Number(None, join_words(entry.label for entry in them)),
                },
            )
            for word, them in words.items()
        ]
    sentences += [
        Sentence(
            f"appraisals.overruled.{entry.name}",
            "{label}: {stated}, although the rule gives {rule}, because {reason}.",
            {
                "label": Number(None, entry.label),
                "stated": Number(entry.stated_judgement, entry.stated_judgement, (entry.address,)),
                "rule": Number(
                    entry.rule_judgement, entry.rule_judgement, (entry.address,), "risk_of_bias"
                ),
                "reason": Number(None, entry.reason.rstrip(".")),
            },
        )
        for entry in found
        if entry.overruled
    ]
    return sentences


def _rows(entries) -> tuple[str, ...]:
    return tuple(row for entry in entries for row in entry.address.split())
