"""Prose with numbers: templates filled from computed values, and a check for numbers typed by hand."""

import re
from collections.abc import Mapping
from pathlib import Path

from evidence.errors import EvidenceError
from evidence.files import read_json
from evidence.provenance.values import read_build_files

PLACEHOLDER = re.compile(r"\{\{ *(.+?) *\}\}")
ALLOWED = re.compile(
    "|".join(
        (
            r"(?ms:^```.*?^```)",  # code
            r"`[^`\n]*`",
            r"(?s:<!--.*?-->)",
            PLACEHOLDER.pattern,
            r"\]\([^)\s]*\)",  # the target of a link or picture
            r"(?m:^(?:#+ *)?\d+\. )",  # the number of a heading or list item
            r"\b[A-Z][\w’-]+(?: et al\.?)? (?:19|20)\d\d\b",  # Author 2006
            r"\b\d{4}-\d\d-\d\d\b",  # a date
            r"\b\d\d_\w+",  # the name of a notebook
            r"\bPython \d\.\d+\+?",
            r"\bRoB [12]\b|\bCC BY 4\.0\b|\bKetamine Therapy 101\b",
            r"\b95 ?% (?:CI|confidence interval)\b",
            r"\bValues (?:above|below) [01] favour\b",  # of no effect, by definition of the measure
        )
    )
)
"""Where digits are no evidence. Everything else must come from a placeholder or a cell of code."""
CHECKED = ("docs/*.template.md", "docs/index.md", "docs/tutorials/this-topic.md")
"""Documentation that speaks of the evidence; the other pages explain methods and the program."""


def fill_template(template: str, reports: Path) -> str:
    """Fill placeholders such as `{{ index/claims.summary }}` from finished reports.

    Raise `EvidenceError` if there are no finished reports, or a placeholder names nothing in them.
    Each placeholder names a sentence of `texts.json` or a number of `values.json` in the folder of
    reports.
    """
    values, texts = read_build_files(reports, "values.json", "texts.json")
    return PLACEHOLDER.sub(lambda match: _text(match[1], values, texts), template)


def _text(name: str, values: Mapping[str, dict], texts: Mapping[str, dict]) -> str:
    if name in texts:
        return texts[name]["text"]
    if name in values:
        return str(values[name].get("text", values[name]["value"]))
    raise EvidenceError(f"{{{{ {name} }}}}: the reports have no such sentence or number")


def find_typed_numbers(text: str) -> list[tuple[int, str]]:
    """List the numbers of a text that were typed by hand, each with its line."""
    prose = ALLOWED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return [
        (prose.count("\n", 0, match.start()) + 1, match[0])
        for match in re.finditer(r"\d(?:[\d.,]*\d)?%?", prose)
    ]


def check_prose(project: Path) -> list[str]:
    """List the numbers typed by hand in a project's notebooks and documentation, as messages."""
    texts = {
        path.relative_to(project).as_posix(): path.read_text("utf-8")
        for pattern in CHECKED
        for path in sorted(project.glob(pattern))
    }
    for path in sorted((project / "notebooks").glob("[!.]*.ipynb")):
        for number, cell in enumerate(read_json(path)["cells"]):
            if cell["cell_type"] == "markdown":
                texts[f"notebooks/{path.name} cell {number}"] = "".join(cell["source"])
    return [
        f"{name}:{line} {number}: typed by hand; use a placeholder or a cell that computes it"
        for name, text in texts.items()
        for line, number in find_typed_numbers(text)
    ]
