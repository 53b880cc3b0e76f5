"""Only what changed is made again: never a report too few, and seldom one too many."""

import ast
import json
import random
import re
from dataclasses import asdict, dataclass, field

import nbformat
import numpy as np
import pandas as pd
import pytest

from evidence import cli
from evidence.build import fingerprint
from evidence.build.build import BuildOptions, build_reports
from evidence.build.new_project import create_project
from evidence.dataset import access_log, schema
from evidence.dataset.access_log import Comparison, TableDependency
from evidence.dataset.bibliography import Bibliography
from evidence.dataset.dataset import load_dataset
from evidence.dataset.digests import exact
from evidence.dataset.notebook_display import Frame
from evidence.dataset.watching import Watched, WatchedBibliography
from evidence.errors import DatasetError
from evidence.notebook.locate import own_notebooks
from tests.conftest import OPENS, ROOT, Project

# A frame: everything that is done with it gives what it gives with a plain one, and is noted.

FRAME = Frame(
    {
        "study": ["a", "a", "b", "c", "c"],
        "n": pd.array([10, 20, None, 40, 50], dtype="Int64"),
        "value": [0.5, 0.25, float("nan"), 4.0, -1.0],
        "sources": [("a",), ("a", "b"), (), ("c",), ("c",)],
        "note": ["", "seen", "", "", "twice"],
        "address": [f"data/x.csv:{line}" for line in range(2, 7)],
    }
)
OTHER = pd.DataFrame({"study": ["a", "b"], "label": ["A", "B"]})


def changed_in_place(name):
    def change(frame):
        if name == "cell":
            frame.loc[1, "n"] = 7
        elif name == "new column":
            frame["new"] = frame["n"] * 2
        elif name == "no addresses":
            del frame["address"]
            return frame[frame["n"] > 15], frame["value"], frame.columns
        elif name == "columns":
            frame.columns = [column.upper() for column in frame.columns]
            return frame["N"], frame
        elif name == "index":
            frame.index = list("vwxyz")
            return frame.loc["w"], frame
        elif name == "renamed":
            frame.rename(columns={"n": "people"}, inplace=True)
            return frame["people"], frame
        elif name == "sorted":
            frame.sort_values("value", inplace=True)
        elif name == "by study":
            frame.set_index("study", inplace=True)
            return frame.loc["a"]
        elif name == "popped":
            return frame.pop("n"), frame
        elif name == "inserted":
            frame.insert(0, "first", range(5))
        elif name == "part":
            part = frame[frame["study"] == "c"]
            part = part.assign(n=1) if part.empty else part
            del part["address"]
            return part["n"], part
        return frame

    return change


OPERATIONS = {
    "frame": lambda f: f,
    "column": lambda f: f["n"],
    "attribute": lambda f: f.value,
    "columns": lambda f: f[["study", "n"]],
    "remarks": lambda f: f["note"],
    "get": lambda f: (f.get("n"), f.get("nothing", 3)),
    "rows": lambda f: f[f["study"] == "a"],
    "column of rows": lambda f: f[f["study"] == "a"]["n"],
    "columns of rows": lambda f: f[f["n"] > 15][["study", "value"]],
    "rows of rows": lambda f: f[f["n"] > 15][f[f["n"] > 15]["study"] == "c"],
    "remarks of rows": lambda f: f[f["study"] == "a"]["note"],
    "no rows": lambda f: f[f["study"] == "z"],
    "how many of these": lambda f: len(f[f["study"] == "a"]),
    "numbers of these": lambda f: list(f[f["n"] > 15].index),
    "any of these": lambda f: f[f["study"] == "b"].empty,
    "all rows": lambda f: f[f["study"] != "z"]["value"],
    "a mask of the third kind": lambda f: f[(f["n"] > 15).astype("boolean").fillna(False)]["study"],
    "a list as a mask": lambda f: f[[True, False, True, False, True]]["n"],
    "every second": lambda f: f[::2],
    "loc": lambda f: f.loc[f["study"] == "a", "value"],
    "loc of a number": lambda f: f.loc[3],
    "loc of rows": lambda f: f[f["study"] == "c"].loc[3, "n"],
    "iloc": lambda f: f.iloc[0],
    "iloc of rows": lambda f: f[f["study"] == "a"].iloc[-1]["value"],
    "at": lambda f: f.at[2, "study"],
    "iat": lambda f: f.iat[1, 2],
    "query": lambda f: f.query("n > 15")["study"],
    "eval": lambda f: f.eval("value * 2"),
    "isin": lambda f: f[f["study"].isin(["b", "c"])],
    "head": lambda f: f.head(2),
    "sample": lambda f: f.sample(2, random_state=1),
    "sort": lambda f: f.sort_values("value")["study"],
    "drop": lambda f: f.drop(columns="note"),
    "duplicates": lambda f: f.drop_duplicates("study"),
    "assign": lambda f: f.assign(twice=f["n"] * 2),
    "merge": lambda f: f.merge(OTHER, on="study", how="left"),
    "merged": lambda f: OTHER.merge(f, on="study", how="left"),
    "join": lambda f: f.join(OTHER, rsuffix="_"),
    "concat": lambda f: pd.concat([f, f[f["study"] == "a"]]),
    "group": lambda f: f.groupby("study")["value"].mean(),
    "groups": lambda f: [(key, list(part["n"])) for key, part in f.groupby("study")],
    "pivot": lambda f: f.pivot_table(index="study", values="value", aggfunc="sum"),
    "melt": lambda f: f.melt(id_vars="study", value_vars=["value"]),
    "apply": lambda f: f.apply(lambda row: f"{row['study']}{row['n']}", axis=1),
    "map": lambda f: f.map(str),
    "rows in turn": lambda f: [row.n for row in f.itertuples()],
    "rows as series": lambda f: [row["value"] for _, row in f.iterrows()],
    "items": lambda f: [(name, list(column)) for name, column in f.items()],
    "names": lambda f: (list(f), list(f.keys()), "n" in f, "m" in f),
    "length": lambda f: (len(f), f.shape, f.size, f.empty, f.ndim),
    "index": lambda f: list(f.index),
    "axes": lambda f: [list(axis) for axis in f.axes],
    "types": lambda f: f.dtypes,
    "numbers": lambda f: f[["value"]].to_numpy(),
    "values": lambda f: f.values.tolist(),
    "transposed": lambda f: f.T,
    "as a dictionary": lambda f: f.to_dict("records"),
    "as CSV": lambda f: f.to_csv(),
    "as JSON": lambda f: f.to_json(),
    "as text": lambda f: repr(f),
    "as HTML": lambda f: f._repr_html_(),
    "copy": lambda f: f.copy()["n"],
    "equals": lambda f: (f.equals(Frame(FRAME)), (f == FRAME).to_numpy().tolist()),
    "isna": lambda f: f.isna().sum(),
    "sum": lambda f: f["value"].sum(),
    "describe": lambda f: f.describe(),
    "unique": lambda f: f["study"].unique().tolist(),
    "value counts": lambda f: f.value_counts("study"),
    "where": lambda f: f.where(f["study"] == "a"),
    "mask of all": lambda f: f[f.notna().all(axis=1)],
    "filter": lambda f: f.filter(["study", "n"]),
    "select": lambda f: f.select_dtypes("number"),
    "set index": lambda f: f.set_index("study").loc["c"],
    "reset": lambda f: f[f["n"] > 15].reset_index(drop=True),
    "reindex": lambda f: f.reindex([4, 3, 9]),
    "explode": lambda f: f.explode("sources")["sources"],
    "plain": lambda f: pd.DataFrame(f),
    "of a dictionary": lambda f: dict(zip(f["address"], f["n"], strict=True)),
    "pickled": lambda f: pd.io.pickle.pickle.loads(pd.io.pickle.pickle.dumps(f)),
    **{
        f"in place: {name}": changed_in_place(name)
        for name in (
            "cell", "new column", "no addresses", "columns", "index", "renamed", "sorted",
            "by study", "popped", "inserted", "part",
        )
    },
}  # fmt: skip


def told(result):
    """Everything that a result says, as text."""
    if isinstance(result, pd.DataFrame | pd.Series):
        kinds = result.dtypes if isinstance(result, pd.DataFrame) else [result.dtype]
        return f"{result.to_csv()} {list(map(str, kinds))}"
    if isinstance(result, tuple | list):
        return str([told(part) for part in result])
    return repr(result)


def did(operation, frame):
    """What an operation gives, or the kind of its error."""
    try:
        return told(operation(frame))
    except Exception as error:
        return type(error).__name__


def other_frames():
    """The frame with each cell another, with rows gone, come and moved."""
    values = {"study": "z", "n": 11, "value": 0.75, "sources": ("z",), "note": "new"}
    for column, value in values.items():
        for row in (0, 3):
            frame = FRAME.copy()
            frame.at[row, column] = value
            yield f"{column} of {row}", frame
    for row in (1, 4):
        yield f"without {row}", placed(FRAME.drop(index=row))
    yield "one more", placed(pd.concat([FRAME, FRAME.iloc[[0]]]))
    yield "turned round", placed(FRAME.iloc[::-1])


def placed(frame):
    frame = frame.reset_index(drop=True)
    return frame.assign(address=[f"data/x.csv:{line}" for line in range(2, len(frame) + 2)])


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("rows", [20_000, 2], ids=["by rows", "by columns"])
def test_a_watched_frame_is_as_a_plain_one_and_notes_what_it_told(name, rows, monkeypatch):
    monkeypatch.setattr(access_log, "ROWS", rows)
    operation = OPERATIONS[name]
    view = TableDependency(FRAME.copy())
    before = did(operation, Watched(view.frame, view))
    assert before == did(operation, FRAME.copy())
    record = json.loads(json.dumps(view.as_record()))
    assert list(TableDependency(FRAME.copy()).changes("x", record)) == []
    for changed, frame in other_frames():
        if did(operation, frame.copy()) != before:
            assert list(TableDependency(frame).changes("x", record)), f"{changed} was not seen"


def test_what_is_not_read_is_not_noted():
    view = TableDependency(FRAME)
    frame = Watched(FRAME, view)
    assert frame[frame["study"] == "a"]["n"].sum() == 30
    record = view.as_record()
    assert set(record["columns"]) == {"study"}
    assert set(record["rows"]) == {"data/x.csv:2", "data/x.csv:3"}
    other = FRAME.copy()
    other.loc[3, ["n", "value"]] = 99
    other.loc[0, "note"] = "a remark"
    assert list(TableDependency(other).changes("x", record)) == []
    other.loc[0, "value"] = 99
    assert list(TableDependency(other).changes("data/x.csv", record)) == ["data/x.csv:2 changed"]
    moved = placed(FRAME.iloc[1:])
    assert list(TableDependency(moved).changes("data/x.csv", record)) == [
        "data/x.csv:2 changed", "data/x.csv:3 changed", "data/x.csv: study changed",
    ]  # fmt: skip


READINGS = {
    "key": lambda b: b["baker1990"].title,
    "get": lambda b: (b.get("baker1990"), b.get("nobody2000")),
    "in": lambda b: ("baker1990" in b, "nobody2000" in b),
    "keys": lambda b: list(b.keys()),
    "values": lambda b: [str(source) for source in b.values()],
    "items": lambda b: {key: source.year for key, source in b.items()},
    "all": lambda b: dict(b),
    "spread": lambda b: {**b},
    "length": lambda b: (len(b), bool(b)),
    "first": lambda b: next(iter(b)),
    "equal": lambda b: b == Bibliography({}),
    "some": lambda b: b.some(["guide", "baker1990"]),
    "line": lambda b: (b.at(1), b.at(3), b.at(4), b.at(5)),
}


@pytest.mark.parametrize("name", READINGS)
def test_a_watched_bibliography_is_as_a_plain_one_and_notes_what_it_told(name, project):
    reading = READINGS[name]
    dataset = project.dataset()
    kept = {}
    before = repr(reading(WatchedBibliography(dataset.bibliography, kept)))
    assert before == repr(reading(dataset.bibliography))
    record = {"views": [], "sources": kept, "files": {}}
    assert Comparison(dataset).changes(record) == []
    for old, new in (
        ("Rising dough", "Sinking dough"),
        ("@misc{guide", "@misc{nobody2000, author = {X}, title = {Y}, year = {2000}}\n@misc{guide"),
        ("Flour again", "Flour once more"),
        ("year = {n.d.}", "year = {1999}"),
    ):
        project.replace("references.bib", old, new)
        if repr(reading(project.dataset().bibliography)) != before:
            assert Comparison(project.dataset()).changes(record), new
        project.replace("references.bib", new, old)


# Whole notebooks: what is not made again would have come out the same.


class Begun(Project):
    def __init__(self, root):
        self.root = create_project(root)


class Shipped(Project):
    def __init__(self, root):
        (root / "data").mkdir(parents=True)
        self.root = root
        for path in (ROOT / "references.bib", *(ROOT / "data").glob("*.csv")):
            self.path(path.relative_to(ROOT).as_posix()).write_bytes(path.read_bytes())


def run_here(project, name, out, **given):
    """Run the cells of a notebook in this process: all that they show and write, and the record.

    Pictures are not drawn: in their place stands what decides them.
    """
    cells = nbformat.read(own_notebooks()[name], as_version=4).cells
    space, shown = {}, []
    for cell in cells:
        if cell.cell_type != "code":
            continue
        body = ast.parse(cell.source).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), name, "exec"), space)
        if "parameters" in cell.metadata.get("tags", []):
            space |= {"project": str(project), "out": str(out), **given}
        if last:
            value = eval(compile(ast.Expression(last.value), name, "eval"), space)
            shown.append(value._repr_mimebundle_().get("text/html"))
    record = json.loads(json.dumps(space["report"].dataset.reads.as_record()))
    files = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.parent.name != "reads"
    }
    return (shown, files), record


@pytest.fixture
def undrawn(monkeypatch):
    def render_figure(layout, record, formats=("svg", "pdf", "png")):
        return dict.fromkeys(formats, json.dumps(asdict(record), sort_keys=True).encode())

    monkeypatch.setattr("evidence.report.figure_files.render_figure", render_figure)


def changes_by_chance(project, chance, count):
    """So many changes of one cell, row or field that leave the project readable, one at a time."""
    tables = [table.file for table in schema.TABLES if project.path(table.file).is_file()]
    weights = [len(project.rows(name)) + 3 for name in tables]
    made = 0
    while made < count:
        name = chance.choices([*tables, "references.bib"], [*weights, 9])[0]
        old = project.path(name).read_bytes()
        if name == "references.bib":
            what = change_source(project, chance)
        else:
            what = change_row(project, name, chance)
        try:
            dataset = load_dataset(project.root)
        except DatasetError:
            dataset = None
        if dataset is not None and project.path(name).read_bytes() != old:
            made += 1
            yield f"{name}: {what}", dataset
        project.path(name).write_bytes(old)


def change_row(project, name, chance):
    rows = project.rows(name)
    line = chance.randrange(1, len(rows)) if len(rows) > 1 else 0
    kind = chance.choices(["cell", "gone", "moved", "more"], [12, 1, 1, 1])[0]
    if kind == "gone" and line:
        said = rows.pop(line)
    elif kind == "moved" and len(rows) > 2:
        other = chance.randrange(1, len(rows))
        rows[line], rows[other] = rows[other], rows[line]
        said = (line, other)
    else:
        column = chance.randrange(len(rows[0]))
        if kind == "more":
            rows.append(list(rows[line]))
            line = len(rows) - 1
        cell = rows[line][column]
        values = [row[column] for row in rows[1:]] + ["", f"{cell} again", "7", "0.3"]
        if re.fullmatch(r"[\d.]+", cell):
            values += [str(int(float(cell)) + 1)] * 5
        rows[line][column] = chance.choice(values)
        said = f"{kind} {line + 1} {rows[0][column]}: {cell!r} now {rows[line][column]!r}"
    project.write(name, rows)
    return said


def change_source(project, chance):
    path = project.path("references.bib")
    entries = re.split(r"(?m)^(?=@)", path.read_text("utf-8"))
    at = chance.randrange(1, len(entries))
    kind = chance.choice(["year", "title", "title", "order", "gap"])
    if kind == "year":
        entries[at] = re.sub(
            r"year = \{\d{4}", f"year = {{{chance.randrange(1980, 2020)}", entries[at]
        )
    elif kind == "title":
        entries[at] = re.sub(r"title = \{", "title = {Once: ", entries[at])
    elif kind == "gap":
        entries[at] = "\n" + entries[at]
    else:
        entries[1], entries[at] = entries[at], entries[1]
    path.write_text("".join(entries), "utf-8")
    return f"{kind} of {entries[at].splitlines()[0]}"


SMALL = ["01_studies", "02_comparison", "03_dose_response", "04_durability", "05_claims",
         "06_unknowns", "07_synthesis", "08_appraisal"]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "names", "count", "scope"),
    [
        (Project, SMALL, 14, "guide"),
        (Begun, SMALL, 10, "all"),
        (Shipped, ["02_comparison", "03_dose_response", "04_durability", "05_claims"], 6, "guide"),
    ],
    ids=["bread", "example", "shipped"],
)
def test_what_is_left_as_it_was_would_have_come_out_the_same(
    tmp_path, undrawn, kind, names, count, scope
):
    """The other way round it may err: a report made for nothing costs time and nothing else."""
    project = kind(tmp_path / "project")
    first = {
        name: run_here(project.root, name, tmp_path / "first" / name, scope=scope) for name in names
    }
    left = 0
    for number, (what, dataset) in enumerate(changes_by_chance(project, random.Random(20), count)):
        compare = Comparison(dataset).changes
        for name, (before, record) in first.items():
            if compare(record):
                continue
            left += 1
            out = tmp_path / str(number) / name
            after, _ = run_here(project.root, name, out, scope=scope)
            assert after == before, f"{name} came out otherwise after {what}"
    assert left > count / 4, "hardly a report was left alone"


def needed(project, records):
    """The notebooks whose reports a change needs made again."""
    compare = Comparison(load_dataset(project.root)).changes
    return [name[3:] for name, record in records.items() if compare(record)]


@pytest.fixture(scope="module")
def shipped_records(tmp_path_factory):
    """What each question of the shipped notebooks read of the shipped tables."""
    folder = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as patch:
        no_files = dict.fromkeys(("svg", "pdf", "png"), b"")
        patch.setattr("evidence.report.figure_files.render_figure", lambda *_: dict(no_files))
        names = ["02_comparison", "03_dose_response", "04_durability", "05_claims"]
        return {name: run_here(ROOT, name, folder / name)[1] for name in names}


@pytest.mark.parametrize(
    ("file", "find", "cells", "wanted"),
    [
        ("data/studies.csv", {"scope": "guide"}, {"note": "seen again"}, []),
        ("data/studies.csv", {"scope": "context"}, {"locator": "p. 99"}, []),
        ("data/claims.csv", {}, {"reason": "for another reason"}, ["claims"]),
        ("data/unknowns.csv", {}, {"question": "Is there another?"}, ["claims"]),
        ("data/risk_of_bias.csv", {}, {"reason": "for another reason"}, []),
    ],
    ids=["a remark", "a later study", "a claim", "an unknown", "a judgement"],
)
def test_a_corrected_cell_needs_only_the_reports_that_used_it(
    tmp_path, shipped_records, file, find, cells, wanted
):
    project = Shipped(tmp_path / "project")
    line = 2
    if find:
        designs = load_dataset(ROOT).designs
        studies = set(designs.loc[designs["scope"] == find["scope"], "study"])
        rows = project.rows(file)
        line = next(n for n, row in enumerate(rows[1:], start=2) if row[0] in studies)
    assert needed(project, shipped_records) == []
    project.put(file, line, **cells)
    assert needed(project, shipped_records) == wanted


def test_a_source_that_no_page_cites_needs_none(tmp_path, shipped_records):
    project = Shipped(tmp_path / "project")
    entry = "@misc{nobody2000, author = {Body, No}, title = {Nothing}, year = {2000}}\n"
    project.append("references.bib", f"\n{entry}")
    assert needed(project, shipped_records) == []


@pytest.fixture
def bread(project):
    """A project with one notebook of its own, which reads files of its own as well."""
    (project.root / "notebooks").mkdir()
    project.path("notebooks/own.csv").write_text("a\n1\n")
    project.path("notebooks/ours.py").write_text("WORD = 'first'\n")
    project.path("notebooks/pieces").mkdir()
    project.notebook(
        "10_bread",
        "report.results[report.results['study'] == 'baker1990']['value']",
        "ours.WORD, own, there, os.listdir('pieces')",
        opens="import os, pathlib\nimport ours\n"
        "own = pathlib.Path('own.csv').read_text()\n"
        "try:\n    there = pathlib.Path('later.txt').read_text()\n"
        "except FileNotFoundError:\n    there = ''\n" + OPENS,
    )
    return project


def test_why_a_report_is_made_is_said(bread, capsys, monkeypatch):
    """One thing after another changes; each is named, and then nothing is left to do."""
    command = ["report", "--project", str(bread.root), "--only", "bread", "--explain"]

    def said(*more):
        assert cli.main([*command, *more]) == 0
        return capsys.readouterr().out.splitlines()[0].removeprefix("10_bread: ")

    as_it_was = "as it was: nothing that it is made from changed"
    assert said() == "made: there is no finished report"
    assert said() == as_it_was
    bread.put("data/studies.csv", 2, value="0.72", as_printed="72%")
    assert said() == "made: data/studies.csv:2 changed"
    bread.put("data/studies.csv", 2, note="a remark")
    assert said() == as_it_was
    bread.path("notebooks/own.csv").write_text("a\n2\n")
    assert said() == "made: notebooks/own.csv changed"
    bread.path("notebooks/later.txt").write_text("here")
    assert said() == "made: notebooks/later.txt changed"
    bread.path("notebooks/pieces/one.txt").touch()
    assert said() == "made: notebooks/pieces changed"
    bread.path("notebooks/ours.py").write_text("WORD = 'second one'\n")
    assert said() == "made: notebooks/ours.py changed"
    assert said("-p", "confidence=0.9") == "made: confidence was absent, is 0.9"
    assert said() == "made: confidence was 0.9, is absent"
    bread.path("reports/10_bread.html").write_text("torn")
    assert said() == as_it_was
    assert "torn" not in bread.path("reports/10_bread.html").read_text("utf-8")
    bread.path("reports/notebooks/10_bread.ipynb").unlink()
    assert said() == "made: notebooks/10_bread.ipynb is not as it was written"
    assert said("--force") == "made: made anew, as asked for"
    versions = {**fingerprint.library_versions(), "pandas": "2.9"}
    monkeypatch.setattr(fingerprint, "libraries", lambda: versions)
    assert re.fullmatch(r"made: pandas was 3[\d.]+, is 2.9", said())
    assert said() == as_it_was
    bread.notebook("10_bread", "1 + 1")
    assert said() == "made: its notebook was edited"


def test_a_notebook_that_keeps_no_record_is_always_made(project):
    project.notebook("10_bread", opens="class report:\n    close = staticmethod(lambda: None)")
    how = BuildOptions(only=["10_bread"])
    for why in ("there is no finished report", "it kept no record of what it read"):
        assert build_reports(project.root, how=how).made == {"10_bread": why}


@dataclass
class Kept:
    words: tuple
    frame: pd.DataFrame = field(repr=False)


def test_values_are_told_apart_to_the_last_digit():
    def kept(number, word="a"):
        return Kept((word, {"of": np.arange(1200.0)}), pd.DataFrame({"x": [1.0, number]}))

    assert exact(kept(0.1)) == exact(kept(0.1))
    assert exact(kept(0.1)) != exact(kept(0.1 + 2**-56))
    assert exact(kept(0.1)) != exact(kept(0.1, word="b"))
    other = kept(0.1)
    other.words[1]["of"][600] += 1e-9
    assert exact(kept(0.1)) != exact(other)
    assert exact(1) != exact("1")
    with pytest.raises(TypeError, match="object is nothing that can be told to the last digit"):
        exact([object()])
