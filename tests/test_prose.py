"""README and other prose: filled from computed values, and never typed by hand."""

import json
import re
from importlib import util

import pytest

from evidence.errors import EvidenceError
from evidence.report.prose import check_prose, fill_template, find_typed_numbers
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def update_readme():
    spec = util.spec_from_file_location("update_readme", ROOT / "docs" / "update_readme.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_is_filled_from_todays_reports(report, update_readme):
    assert (ROOT / "README.md").read_text("utf-8") == update_readme.readme_text(report), (
        "run `evidence report` and `make readme`"
    )
    figure = f"{update_readme.FIGURE}.csv"
    assert (ROOT / "docs/figures" / figure).read_bytes() == (
        report / "figures" / figure
    ).read_bytes()


def test_prose_of_this_project_has_no_typed_numbers():
    assert check_prose(ROOT) == []


def test_sentence_templates_have_no_typed_numbers(report):
    texts = json.loads((report / "texts.json").read_text("utf-8"))
    templates = {name: re.sub(r"\{\w+\}", "", text["template"]) for name, text in texts.items()}
    assert len(templates) > 100
    assert {name for name, text in templates.items() if find_typed_numbers(text)} == set()


@pytest.fixture
def reports(tmp_path):
    entry = {"value": 12 / 17, "text": "12 of 17 (71%)", "method": "proportion", "rows": []}
    values = {"p/s.share": entry, "p/t:row.n": {"value": 17, "method": "copied", "rows": []}}
    texts = {"p/s 1 day": {"text": "It rose in 12 of 17 (71%).", "template": "It rose in {share}."}}
    (tmp_path / "values.json").write_text(json.dumps(values), "utf-8")
    (tmp_path / "texts.json").write_text(json.dumps(texts), "utf-8")
    return tmp_path


def test_placeholders_are_filled_with_sentences_and_numbers(reports):
    template = "*{{ p/s 1 day }}* In short: {{p/s.share}}, n = {{ p/t:row.n }}."
    assert fill_template(template, reports) == (
        "*It rose in 12 of 17 (71%).* In short: 12 of 17 (71%), n = 17."
    )


def test_unknown_placeholder_is_an_error(reports, tmp_path):
    with pytest.raises(EvidenceError, match=r"\{\{ p/x \}\}: the reports have no such sentence"):
        fill_template("{{ p/x }}", reports)
    with pytest.raises(EvidenceError, match="evidence report"):
        fill_template("{{ p/x }}", tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It rose in 71% of cases.\n\nn = 1,234", [(1, "71%"), (3, "1,234")]),
        ("a risk ratio of 2.74 (1.89 to 3.98)", [(1, "2.74"), (1, "1.89"), (1, "3.98")]),
        ("Zarate 2006 had 17", [(1, "17")]),
        ("{{ p/s.share }} of Zarate 2006, Katz et al. 1978", []),
        ("# 3. Tables\n\n1. first\n2. second", []),
        ("`n = 17`, [text](x_02.html#71), <!-- 12 -->\n```console\n12 of 17\n```\n", []),
        ("Python 3.11+, RoB 2, 2026-11-24, 02_comparison, Ketamine Therapy 101, a 95% CI", []),
    ],
)
def test_typed_numbers_are_found_and_names_are_not(text, numbers):
    assert find_typed_numbers(text) == numbers


def test_number_typed_into_a_notebook_or_template_is_found(project):
    path = project.notebook("01_bread")
    book = json.loads(path.read_text("utf-8"))
    book["cells"][0]["source"] = "# Bread\n\nIt rose in 71% of cases."
    path.write_text(json.dumps(book), "utf-8")
    project.path("docs").mkdir()
    project.path("docs/README.template.md").write_text("It rose in 12 of 17.", "utf-8")
    hint = "typed by hand; use a placeholder or a cell that computes it"
    assert check_prose(project.root) == [
        f"docs/README.template.md:1 12: {hint}",
        f"docs/README.template.md:1 17: {hint}",
        f"notebooks/01_bread.ipynb cell 0:3 71%: {hint}",
    ]
