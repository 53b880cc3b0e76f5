"""Notebooks are thin, take the same parameters, and carry no outputs."""

import ast

import nbformat
import papermill
import pytest

from evidence.notebook.parameters import read_parameters
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SHARED = {
    "project": "str",
    "scope": "str",
    "conditions": "list[str]",
    "outcomes": "list[str]",
    "confidence": "float",
    "out": "str",
}
BANNED = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.Lambda)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_thin_and_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert "papermill" not in notebook.metadata
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    code = code_cells(path)
    assert len(code) <= 16
    assert ["parameters" in cell.metadata.get("tags", []) for cell in code].count(True) == 1
    for cell in code:
        assert not cell.outputs, "commit without outputs"
        assert cell.execution_count is None
        tagged = "parameters" in cell.metadata.get("tags", [])
        opens = cell.source.startswith("report = open_report(")
        only_names = tagged or opens or cell.id == "imports"
        assert only_names or len(cell.source.splitlines()) <= 10
        tree = ast.parse(cell.source)
        assert not [node for node in ast.walk(tree) if isinstance(node, BANNED)]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.module == "evidence"
            assert not isinstance(node, ast.Import)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_are_shared_typed_and_explained(path):
    parameters = read_parameters(path).parameters
    assert {name: parameters[name].type for name in SHARED} == SHARED
    assert all(len(parameter.help) > 15 for parameter in parameters.values())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_lists_the_same_parameters(path):
    """`papermill --help-notebook` reads the cell with a pattern of its own."""
    listed = papermill.inspect_notebook(str(path))
    assert {
        name: (about["inferred_type_name"], about["help"]) for name, about in listed.items()
    } == {
        name: (parameter.type, parameter.help)
        for name, parameter in read_parameters(path).parameters.items()
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_report_gets_every_parameter(path):
    """Each figure prints them in the command that makes it again."""
    (opening,) = (cell.source for cell in code_cells(path) if "open_report(\n" in cell.source)
    arguments = {keyword.arg for keyword in ast.parse(opening).body[0].value.keywords}
    assert arguments == set(read_parameters(path).parameters)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_prose_holds_no_number_about_the_evidence(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            assert not any(character.isdigit() for character in cell.source), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_last_cell_closes_the_report(path):
    assert code_cells(path)[-1].source == "report.close()"
