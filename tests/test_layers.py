"""Imports point down the stack, heavy dependencies have one home, and importing does nothing."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import evidence
from evidence.provenance.methods import METHODS, read_method_references

ROOT = Path(__file__).resolve().parents[1] / "src" / "evidence"

# Layers that share a rank are siblings and may not import each other.
RANK = {
    "errors": 0, "files": 0,
    "statistics": 1, "dataset": 1,
    "provenance": 2,
    "analysis": 3,
    "figures": 4, "tables": 4, "exchange": 4,
    "notebook": 5, "queries": 5,
    "report": 6,
    "build": 7,
    "compare": 8,
    "release": 9,
    "cli": 10,
    "__main__": 11,
}  # fmt: skip
HOME = {
    "scipy": {"statistics"},
    "bibtexparser": {"dataset"},
    "pylatexenc": {"dataset"},
    "matplotlib": {"figures", "report"},
    "anywidget": {"report"},
    "traitlets": {"report", "build"},
    "jinja2": {"report", "compare"},
    "PIL": {"report"},
    "pypdf": {"report"},
    "markdown_it": {"report"},
    "papermill": {"build"},
    "pydantic": {"notebook", "report"},
    "nbformat": {"build"},
    "pypandoc": {"report"},
    "lxml": {"report"},
    "typst": {"report"},
    "yaml": {"notebook", "report", "build", "exchange"},
    "tqdm": {"build"},
    "click": {"cli"},
    "rocrate": {"release"},
    "distributed": {"build"},
    "fsspec": {"build"},
    "openpyxl": {"dataset"},
    "pandas": {
        "dataset",
        "provenance",
        "analysis",
        "figures",
        "tables",
        "exchange",
        "queries",
        "report",
        "compare",
    },
}
# Imports inside functions: only to start quickly. Modules of this package among them load pandas,
# matplotlib or papermill, which a command may not need.
LATE = {
    "__main__": {"evidence", "resource"},
    "build/build": {"evidence"},
    "build/dask_executor": {"distributed"},
    "build/engine": {"evidence"},
    "build/execute": {"evidence", "jupyter_core", "papermill"},
    "build/notebook_process": {"comm", "resource"},
    "build/output_folder": {"filelock"},
    "build/preload": {"evidence"},
    "build/progress": {"tqdm"},
    "build/remote_output": {"fsspec"},
    "cli/app": {"evidence"},
    "cli/imports": {"evidence"},
    "cli/pooling": {"evidence"},
    "cli/release": {"evidence"},
    "cli/reports": {"dataclasses", "evidence", "multiprocessing"},
    "cli/tables": {"collections", "evidence", "shlex"},
    "dataset/authors": {"bibtexparser"},
    "dataset/bibliography": {"evidence"},
    "dataset/citations/bibtex": {"bibtexparser"},
    "dataset/citations/reference_managers": {"rispy"},
    "dataset/latex_text": {"pylatexenc"},
    "dataset/workbook": {"openpyxl"},
    "figures/forest_plot": {"matplotlib"},
    "figures/style": {"matplotlib"},
    "notebook/parameters": {"evidence", "pydantic", "pydantic_core"},
    "release/crate": {"rocrate"},
    "report/cite": {"yaml"},
    "report/export": {"PIL", "pypandoc"},
    "report/figure_files": {"PIL", "matplotlib", "pypdfium2"},
    "report/figure_metadata": {"PIL", "pydantic", "pypdf"},
    "report/html_pages": {"jinja2", "markdown_it", "markupsafe"},
    "report/report": {"IPython"},
    "report/single_document": {"lxml"},
    "report/single_file": {"typst"},
}
MODULES = [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]


def imported(path):
    """Yield the dotted name of everything that a module imports, and whether a function does it."""
    tree = ast.parse(path.read_text("utf-8"))
    in_functions = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in in_functions) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: write `from evidence...`"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from ((name, id(node) in in_functions) for name in names)


def module_name(path):
    return ".".join(("evidence", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    layer = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name, _ in imported(path):
        package, _, rest = name.partition(".")
        if package == "evidence":
            lower = rest.partition(".")[0]
            assert lower == layer or RANK[lower] < RANK[layer], f"{layer} must not import {name}"
        elif package in HOME:
            assert layer in HOME[package], f"{package} belongs in {HOME[package]}, not in {layer}"


def test_no_modules_import_each_other():
    """Also through imports inside functions or for type checking only."""
    names = {module_name(path): path for path in MODULES}
    imports = {
        module: {
            name if name in names else name.rpartition(".")[0]
            for name, _ in imported(path)
            if name.startswith("evidence.")
        }
        for module, path in names.items()
    }
    TopologicalSorter(imports).prepare()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_inside_functions_are_listed(path):
    """They delay heavy libraries until they are needed, and serve no other purpose."""
    module = path.relative_to(ROOT).with_suffix("").as_posix()
    late = {name.split(".")[0] for name, in_function in imported(path) if in_function}
    assert late == set(LATE.get(module, ()))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_named_after_the_domain(path):
    assert path.stem not in {"utils", "helpers", "common", "core", "base", "misc"}


def test_every_bib_key_of_a_docstring_exists():
    known = set(read_method_references())
    cited = {method.reference for method in METHODS.values()} - {""}
    for path in MODULES:
        for block in re.findall(r"References:([^.]+)", path.read_text("utf-8")):
            cited |= set(re.findall(r"[a-z]+\d{4}\w*", block))
    assert {"wilson1927", "newcombe1998", "katz1978", "woolf1955", "brown2017"} <= cited
    assert cited <= known


def test_public_names_are_sorted_and_resolve():
    assert evidence.__all__ == sorted(evidence.__all__)
    for name in evidence.__all__:
        assert getattr(evidence, name).__doc__


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="reed_dataset"):
        evidence.reed_dataset  # noqa: B018


def test_importing_loads_nothing_heavy_and_says_nothing():
    code = (
        "import sys, evidence, evidence.cli; "
        "print([m for m in ('pandas','numpy','matplotlib','papermill') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
