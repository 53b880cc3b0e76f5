"""Only public APIs of other packages are used: a minor release of one must not break a report."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "src" / "evidence"
MODULES = sorted(ROOT.rglob("*.py"))

ALLOWED = {
    "_constructor": "pandas documents it as the hook for subclasses of DataFrame",
    "_esm": "anywidget's contract: the widget's script",
    "_css": "anywidget's contract: the widget's style",
}
DOCUMENTED = {"_asdict", "_replace", "_fields", "_exit"}
"""Public in spite of the underscore: methods of named tuples, and `os._exit`."""
DISPLAY_PROTOCOL = re.compile(r"_repr_\w+_")
DUNDER = re.compile(r"__\w+__")


def is_private(name: str) -> bool:
    """Return whether a name is private and neither a dunder nor IPython's display protocol."""
    documented = DUNDER.fullmatch(name) or DISPLAY_PROTOCOL.fullmatch(name) or name in DOCUMENTED
    return name.startswith("_") and not documented


def private_uses(source: str) -> list[str]:
    """List private names of other packages that a module imports, reads, calls or overrides."""
    tree = ast.parse(source)
    own = own_names(tree)
    foreign = foreign_names(tree)
    uses = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("evidence"):
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            uses += [f"{node.lineno}: import of {part}" for part in parts if is_private(part)]
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not (is_own and node.attr in own) and node.attr not in own:
                uses.append(f"{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.ClassDef):
            bases = {name.id for base in node.bases for name in ast.walk(base)
                     if isinstance(name, ast.Name)}  # fmt: skip
            if bases & foreign:
                uses += [
                    f"{part.lineno}: {node.name}.{name} overrides a private name"
                    for part in node.body
                    for name in assigned(part)
                    if is_private(name) and bases_define(node, name)
                ]
    return [use for use in uses if not any(re.search(rf"\b{name}\b", use) for name in ALLOWED)]


def own_names(tree: ast.AST) -> set[str]:
    """Collect private names that the module itself defines: functions, fields, `self._x = ...`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def foreign_names(tree: ast.AST) -> set[str]:
    """Collect names that are imported from outside this package and the standard library."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [
                (alias.name, alias.asname or alias.name.split(".")[0]) for alias in node.names
            ]
        elif isinstance(node, ast.ImportFrom):
            modules = [(node.module or "", alias.asname or alias.name) for alias in node.names]
        else:
            continue
        names |= {
            name
            for module, name in modules
            if module.split(".")[0] not in {"evidence", *sys.stdlib_module_names}
        }
    return names


def assigned(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a class body defines."""
    if isinstance(node, ast.FunctionDef) and not node.decorator_list:
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def bases_define(node: ast.ClassDef, name: str) -> bool:
    """Return whether a private name of a subclass could replace one of the foreign base.

    A name that the class also calls itself is its own helper.
    """
    calls = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    return name not in calls


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_public_names_of_other_packages_are_used(path):
    assert private_uses(path.read_text("utf-8")) == []


def test_exceptions_are_few_and_explained():
    assert len(ALLOWED) <= 3
    assert all(reason for reason in ALLOWED.values())


@pytest.mark.parametrize(
    "source",
    [
        "import pandas as pd\nframe = pd.DataFrame()\nframe._mgr",
        "from numpy._typing import ArrayLike",
        "import asyncio\nasyncio._get_running_loop()",
        "from pandas import DataFrame\nclass Frame(DataFrame):\n    def _from_mgr(self): ...",
        "from docx import Document\nDocument().paragraphs[0]._p",
    ],
)
def test_private_uses_are_detected(source):
    assert private_uses(source)


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    def _run(self): ...\n    def run(self): self._run()",
        "class A:\n    def _repr_html_(self): ...",
        "import pandas as pd\nclass F(pd.DataFrame):\n    _constructor = None",
    ],
)
def test_own_names_and_documented_hooks_are_accepted(source):
    assert private_uses(source) == []
