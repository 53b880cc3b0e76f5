"""What does not add up, with what would settle it and who let it stand."""

import pandas as pd

from evidence.corpus.reading import Corpus
from evidence.synthesis.checks import check_consistency
from evidence.tables.table import Table


def tabulate_findings(corpus: Corpus, results: pd.DataFrame) -> Table:
    """One row a finding about the studies of `results`; waivers stand with reason and signature."""
    studies = set(results["study"])
    findings = [finding for finding in check_consistency(corpus) if finding.study in studies]
    shown = pd.DataFrame(
        {
            "study": [corpus.label(finding.study) for finding in findings],
            "what does not add up": [finding.says for finding in findings],
            "what would settle it": [finding.resolve for finding in findings],
            "why it stands": [finding.waived or "open" for finding in findings],
            "check": [f"{finding.code} ({finding.severity})" for finding in findings],
            "rows": [" ".join(finding.rows).replace("data/", "") for finding in findings],
        }
    )
    numbers = pd.DataFrame(
        {
            "name": [f"{finding.code}/{finding.rows[0]}" for finding in findings],
            "address": [" ".join(finding.rows) for finding in findings],
        }
    )
    return Table(
        "tab-findings",
        "Numbers that do not add up",
        shown,
        numbers,
        filters=("check",),
    )
