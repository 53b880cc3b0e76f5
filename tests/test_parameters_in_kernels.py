"""Plain papermill takes every name and value in silence; the notebook itself refuses them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from evidence.notebook.parameter_rules import split_assignments, take
from papermill.exceptions import PapermillExecutionError

from tests.conftest import ROOT
from tests.test_parameters import every, notebook, said


@pytest.fixture
def folder(project):
    notebook(
        project.path("notebooks"),
        "from pathlib import Path\n"
        "from typing import Literal\n\n"
        'way: Literal["up", "a=b"] = "up"  # whither\n'
        "pair: tuple[int, str] = (1, 'x')\n"
        "levels: list[float] = [0.5]\n"
        "file: Path = Path('x')\n"
        "time_days: float = 0.0\n",
    )
    return project


def execute(folder, parameters, **how):
    """The executed notebook; its folder is that of the project."""
    path = folder.path("notebooks/10_own.ipynb")
    out = folder.path("out.ipynb")
    given = {"parameters": parameters, "progress_bar": False, "cwd": str(folder.root)}
    papermill.execute_notebook(str(path), str(out), **given, **how)
    return nbformat.read(out, as_version=4)


def test_the_kernel_gets_what_the_rule_takes_in(folder):
    texts = ["way=a=b", "pair=3,4=5", "levels=1,0.9", 'file=a\\"b/c=d.csv', "time_days=3"]
    cells = every(folder.root, ["own"])["10_own"]
    taken = {name: take(cells[name].type, text) for name, text in split_assignments(texts).items()}
    path = folder.path("notebooks/10_own.ipynb")
    book = json.loads(path.read_text("utf-8"))
    book["cells"][1]["source"] += "\nprint(repr((way, pair, levels, file, time_days)))"
    path.write_text(json.dumps(book), "utf-8")
    (shown,) = execute(folder, taken).cells[-1].outputs
    assert shown.text.strip() == repr(("a=b", [3, "4=5"], [1.0, 0.9], 'a\\"b/c=d.csv', 3.0))


@pytest.mark.parametrize("engine", ["nbclient", "evidence"])
def test_what_papermill_injects_is_refused_in_the_same_words(folder, engine):
    wrong = {"waay": "up", "way": "dwn", "levels": "0.5", "time_days": "soon"}
    with pytest.raises(PapermillExecutionError) as caught:
        execute(folder, wrong, engine_name=engine)
    assert caught.value.ename == "ParameterError"
    lines = caught.value.evalue.splitlines()
    texts = ["way=dwn", "time_days=soon"]
    by_command = said(folder.dataset(), *texts, only=["own"]).splitlines()
    assert set(by_command) < set(lines)
    assert set(lines) - set(by_command) == {
        "10_own: waay: is no parameter; did you mean 'way'? "
        "There are: file, levels, time_days, pair, way",
        "10_own: levels: '0.5' is not a list[float]; give a list, such as [0.5, 1]",
    }


def test_the_command_papermill_is_refused_before_anything_is_shown(tmp_path):
    """A shipped notebook, papermill's own engine, a misspelt name and a number for a word."""
    command = [shutil.which("papermill", path=Path(sys.executable).parent) or "papermill"]
    command += [str(ROOT / "notebooks" / "01_studies.ipynb"), str(tmp_path / "out.ipynb")]
    command += ["-p", "scoppe", "all", "-p", "scope", "3", "-p", "project", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0
    assert "01_studies: scoppe: is no parameter; did you mean 'scope'?" in done.stderr
    assert "01_studies: scope: 3 is not a str; give a text" in done.stderr
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    kinds = [o.output_type for cell in cells if cell.cell_type == "code" for o in cell.outputs]
    assert set(kinds[1:]) == {"error"} or kinds == ["error"]
