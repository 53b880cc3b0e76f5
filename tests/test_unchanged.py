"""A report is rebuilt when something that it shows has changed, and only then."""

import ast
import json
import subprocess
import sys
from dataclasses import dataclass, field

import nbformat
import numpy as np
import pandas as pd
import pytest

from evidence import cli
from evidence.analysis.gaps.unknowns import find_unknowns
from evidence.analysis.results import select_results
from evidence.build.build import BuildOptions, build_reports
from evidence.dataset import schema
from evidence.dataset.access_log import precompute, to_digestible
from evidence.dataset.bibliography import BIBLIOGRAPHY_FILE
from evidence.dataset.record_comparison import RecordComparison, line_digests
from evidence.errors import DatasetError, ReportError
from evidence.notebook.locate import own_notebooks
from tests.conftest import OPENS

MORE_ROWS = [
    (
        schema.STATEMENTS,
        {"claim": "C1", "quality": "onset", "subject": "rising", "as_said": "at once"},
    ),
    (schema.INSTRUMENTS, {"instrument": "ruler", "integer": "yes", "note": "it has marks"}),
    (schema.ARMS, {"study": "miller2001", "arm": "yeast", "treatment": "leaven"}),
    (schema.DOSES, {"drug": "yeast", "route": "oral", "low": "1", "high": "2",
                    "dose_unit": "mg/kg", "source": "guide"}),
    (schema.WAIVERS, {"code": "TWIN", "study": "miller2001", "reason": "two loaves"}),
    (schema.AUDITS, {"row": "0", "study": "baker1990", "answer": "confirmed", "arm": "yeast"}),
    (schema.MINIMAL_IMPORTANT_DIFFERENCES, {"outcome": "risen", "measure": "rd", "value": "0.1"}),
    (schema.GRADE_DECISIONS, {"question": "bread", "domain": "imprecision", "steps": "1"}),
    *[(schema.READINGS, {"source": source, "part": "all", "kind": "full text",
                         "read_by": "Ann Berg", "url": "https://example.org"})
      for source in ("guide", "baker1990", "miller2001")],
    (schema.SEARCHES, {"search": "S1", "kind": "register", "database": "Loaves", "query": "bread",
                       "searched_by": "Ann Berg", "records": "3", "screened": "3",
                       "excluded": "2", "kept": "1"}),
    (schema.KNOWN_STUDIES, {"known_study": "cook2002", "label": "Cook 2002", "condition": "bread",
                            "design": "randomised parallel", "treatment": "yeast",
                            "listed_by": "guide", "status": "wanted", "outcomes": "risen"}),
    (schema.WANTED_RESULTS, {"study": "miller2001", "arm": "yeast", "measure": "proportion",
                             "part": "Table 2"}),
]  # fmt: skip
DEFAULTS = {
    "locator": "p. 3", "source": "guide", "reason": "why not", "signed_by": "Ann Berg",
    "date": "2026-11-24", "outcome": "risen", "as_printed": "71%",
}  # fmt: skip


@pytest.fixture
def rich(project):
    """The small project with a row in every table that can have one."""
    for table, cells in MORE_ROWS:
        defaults = {name: value for name, value in DEFAULTS.items() if name in table.names}
        project.table(table, **(defaults | cells))
    for domain in ("overall", "deviations"):
        cells = {"study": "baker1990", "tool": "RoB 2 (2019)", "domain": domain, "source": "guide"}
        cells |= {"judgement": "low", "judged_by": "review", "locator": "p. 9"}
        project.table(schema.RISK_OF_BIAS, **cells)
    return project


def run(project, name, out, **parameters):
    """Run the cells of a notebook in this process; return what it shows and writes, and the record."""
    space, displays = {}, []
    for cell in nbformat.read(own_notebooks()[name], as_version=4).cells:
        if cell.cell_type != "code":
            continue
        body = ast.parse(cell.source).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), name, "exec"), space)
        if "parameters" in cell.metadata.get("tags", []):
            space |= {"project": str(project.root), "out": str(out), **parameters}
        if last:
            value = eval(compile(ast.Expression(last.value), name, "eval"), space)
            displays += [
                repr(part._repr_mimebundle_()) for part in getattr(value, "figures", [value])
            ]
    files = {
        path.relative_to(out): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.parent.name != "reads"
    }
    return (displays, files), json.loads((out / "reads" / f"{name}.json").read_text("utf-8"))


def change_row(project, table, line):
    """Change every cell of a row that can have another valid value; return the changed columns."""
    kinds = {column.name: column.kind for column in table.columns}
    header, *rows = project.rows(table.file)
    cells = {}
    for name, value in zip(header, rows[line - 2], strict=True):
        if kinds[name] == "text":
            cells[name] = f"{value} again"
        elif value and kinds[name] in ("integer", "number"):
            cells[name] = str(int(value) + 1) if kinds[name] == "integer" else f"{value}1"
    before = project.path(table.file).read_bytes()
    while cells:
        project.put(table.file, line, **cells)
        try:
            project.dataset()
            return cells
        except DatasetError as error:
            project.path(table.file).write_bytes(before)
            refused = {problem.column for problem in error.problems} & cells.keys()
            counts = {name for name in cells if kinds[name] == "integer"}
            refused = refused or {*table.key} & cells.keys() or counts or set(cells)
            cells = {name: value for name, value in cells.items() if name not in refused}
    return cells


def has_changed(comparison, record, lines):
    """Whether a report is out of date; without the selections that follow the first one changed."""
    parts = [[], *([selection] for selection in record["selections"])]
    return any(comparison.changes({**record, "selections": part}, lines) for part in parts)


QUESTIONS = {
    "01_studies": {},
    "02_comparison": {},
    "04_durability": {"conditions": ["bread"]},
    "05_claims": {},
    "06_unknowns": {"conditions": ["cake"]},
    "07_synthesis": {"conditions": ["bread"], "scope": "core"},
    "08_appraisal": {"outcomes": ["height"]},
}


def test_a_report_that_is_left_alone_would_have_come_out_the_same(rich, tmp_path, monkeypatch):
    """Whichever row of whichever table changes; the other way round only costs time."""
    blank = dict.fromkeys(("svg", "pdf", "png"), b"")
    monkeypatch.setattr("evidence.report.figure_files.render_figure", lambda *_, **__: blank)
    first = {name: run(rich, name, tmp_path / name, **QUESTIONS[name]) for name in QUESTIONS}
    lines = line_digests(rich.dataset())
    harmless = {name: [] for name in QUESTIONS}
    tables = {table.file: rich.path(table.file).read_bytes() for table in schema.TABLES}
    for table in schema.TABLES:
        for line in range(2, len(rich.rows(table.file)) + 1):
            cells = change_row(rich, table, line)
            assert cells, f"{table.file}:{line} was not changed"
            comparison = RecordComparison(rich.dataset())
            for name, (_, record) in first.items():
                if not has_changed(comparison, record, lines):
                    harmless[name].append((table.file, line, cells))
            rich.path(table.file).write_bytes(tables[table.file])
    assert all(harmless.values()), "every report depends on everything"
    for name, changes in harmless.items():
        for file, line, cells in changes:
            rich.put(file, line, **cells)
        before, record = first[name]
        assert RecordComparison(rich.dataset()).changes(record, lines) == []
        after, _ = run(rich, name, tmp_path / "again" / name, **QUESTIONS[name])
        assert after == before, f"{name} differs after {[change[:2] for change in changes]}"
        for file, content in tables.items():
            rich.path(file).write_bytes(content)


@pytest.fixture
def reasons(project):
    """A function that lists why a report that read something must be rebuilt."""
    logged = project.dataset().logged()
    lines = line_digests(project.dataset())

    def changes():
        logged.log.write(project.path("reads.json"))
        record = json.loads(project.path("reads.json").read_text("utf-8"))
        return RecordComparison(project.dataset()).changes(record, lines)

    changes.dataset = logged
    return changes


def test_a_reason_is_given_once(reasons, project):
    select_results(reasons.dataset, scope="core")
    select_results(reasons.dataset, conditions=["bread"])
    reasons.dataset.rows_by_file(["data/studies.csv:2", "data/studies.csv:3"])
    assert reasons() == []
    project.put("data/studies.csv", 2, value="0.72")
    assert reasons() == ["data/studies.csv:2 changed"]


def test_a_change_elsewhere_is_no_reason(reasons, project):
    select_results(reasons.dataset, conditions=["cake"])
    reasons.dataset.designs_of(["miller2001"])
    project.put("data/studies.csv", 2, value="0.72")
    project.put("data/studies.csv", 6, note="a remark")
    project.put("data/designs.csv", 2, label="Beker")
    project.put("data/unknowns.csv", 2, question="Is there another?")
    assert reasons() == []


def test_the_reason_is_the_row_that_changed_and_not_the_rows_joined_with_it(reasons, project):
    select_results(reasons.dataset)
    project.put("data/designs.csv", 2, label="Beker")
    assert reasons() == ["data/designs.csv:2 changed"]


def test_rows_that_appear_and_disappear_are_reasons(reasons, project):
    select_results(reasons.dataset)
    rows = project.rows("data/studies.csv")
    project.write("data/studies.csv", rows[:5])
    assert reasons() == ["data/studies.csv:6 is gone"]
    project.write("data/studies.csv", [*rows, [*rows[5][:3], "rye", *rows[5][4:]]])
    assert reasons() == ["data/studies.csv:7 is new"]


def test_a_selection_that_the_tables_no_longer_have_is_a_reason(reasons, project):
    select_results(reasons.dataset, conditions=["cake"])
    rows = project.rows("data/studies.csv")
    project.write("data/studies.csv", rows[:5])
    assert "'cake'" in reasons()[0]


@pytest.mark.parametrize(
    ("read", "old", "new", "reason"),
    [
        (lambda b: b["baker1990"].title, "Rising dough", "Sinking dough", "baker1990 changed"),
        (lambda b: b["guide"], "Rising dough", "Sinking dough", ""),
        (lambda b: b.get("nobody2000"), "@misc{guide", "@misc{nobody2000, author = {X}, "
         "title = {Y}, year = {2000}}\n@misc{guide", "nobody2000 is new"),
        (lambda b: "nobody2000" in b, "Rising dough", "Sinking dough", ""),
        (lambda b: list(b.values()), "Flour again", "Flour once more", "miller2001 changed"),
        (lambda b: b.at(3), "@misc{guide", "\n@misc{guide", "guide changed"),
    ],
)  # fmt: skip
def test_of_the_bibliography_only_what_was_read_counts(reasons, project, read, old, new, reason):
    plain, logged = project.dataset().bibliography, reasons.dataset.bibliography
    assert read(logged) == read(plain)
    project.replace(BIBLIOGRAPHY_FILE, old, new)
    assert reasons()[:1] == ([f"{BIBLIOGRAPHY_FILE}:{reason}"] if reason else [])


def test_what_is_read_after_the_record_was_written_is_recorded(reasons, project):
    assert reasons() == []
    assert len(reasons.dataset.doses) == 0
    project.table(schema.DOSES, drug="yeast", route="oral", low="1", high="2", dose_unit="mg/kg",
                  source="guide", locator="p. 3")  # fmt: skip
    record = json.loads(project.path("reads.json").read_text("utf-8"))
    comparison = RecordComparison(project.dataset())
    assert comparison.changes(record, {}) == ["data/doses.csv:2 changed"]


def test_a_selection_may_be_changed_by_whoever_asked_for_it(project):
    find_unknowns(project.dataset()).clear()
    assert len(find_unknowns(project.dataset())) > 0


def test_why_a_report_is_rebuilt_is_said(project, capsys):
    """One thing after another changes; each is named, and then nothing is left to do."""
    project.path("notebooks").mkdir()
    project.path("notebooks/own.csv").write_text("a\n1\n")
    project.notebook("10_bread", "report.results['value']", "report.input_file('extra.txt')")
    command = ["report", "--project", str(project.root), "--only", "bread", "--explain"]

    def build(*more):
        assert cli.main([*command, *more]) == 0
        return capsys.readouterr().out.splitlines()[0].removeprefix("10_bread: ")

    up_to_date = "up to date"
    assert build() == "built: there is no finished report"
    assert build() == up_to_date
    project.put("data/studies.csv", 2, value="0.72", as_printed="72%")
    assert build() == "built: data/studies.csv:2 changed"
    project.put("data/studies.csv", 2, note="a remark")
    assert build() == up_to_date
    project.path("notebooks/own.csv").write_text("a\n2\n")
    assert build() == "built: notebooks/own.csv changed"
    project.path("extra.txt").write_text("here")
    assert build() == "built: extra.txt changed"
    assert build("-p", "confidence=0.9") == "built: confidence was absent, is 0.9"
    project.path("reports/10_bread.html").write_text("torn")
    assert build("-p", "confidence=0.9") == up_to_date
    assert "torn" not in project.path("reports/10_bread.html").read_text("utf-8")
    project.path("reports/notebooks/10_bread.ipynb").unlink()
    project.notebook("10_bread", "1 + 1")
    assert build() == "built: its notebook was edited; confidence was 0.9, is absent"
    code = (
        "import sys; from evidence.build.build import build_reports, BuildOptions; "
        f"result = build_reports({str(project.root)!r}, options=BuildOptions(only=['10_bread'])); "
        "print(result.reasons, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'10_bread': ''} False\n"


def read_files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_output_depends_on_the_inputs_alone(project, tmp_path, monkeypatch):
    """Whatever was built, kept, cached or killed before."""
    project.path("notebooks").mkdir()
    project.path("notebooks/flour.py").write_text("GRAMS = 500\n", "utf-8")
    die = (
        "import os, pathlib, signal\nif pathlib.Path('../die').exists(): os.kill(0, signal.SIGKILL)"
    )
    project.notebook(
        "10_bread",
        "from evidence import lay_out_arm_comparison\n"
        "report.figure(lay_out_arm_comparison(report.dataset, report.results, outcome='risen', "
        "confidence=report.confidence))",
    )
    project.notebook("11_cake", "report.contents()", die, "from flour import GRAMS")
    project.notebook("12_guide", "report.dataset.guide")

    def build(out, only=("bread", "cake", "guide"), **options):
        return build_reports(project.root, out=out, options=BuildOptions(only=only, **options))

    def start_from(value):
        project.put("data/studies.csv", 2, value=value, as_printed=f"{float(value):.0%}")
        project.put("data/studies.csv", 6, note=value)
        build(out)

    build(tmp_path / "undisturbed", jobs=1)
    expected = read_files(tmp_path / "undisturbed")
    tables = project.path("data/studies.csv").read_bytes()

    def start_with_a_worker_killed():
        project.path("die").touch()
        assert set(build(out).failures) == {"11_cake"}
        project.path("die").unlink()

    def start_in_another_order():
        build(out, ["guide"])
        build(out, ["cake"])
        (out / "values/12_guide.json").unlink()

    histories = {
        "other tables": lambda: start_from("0.72"),
        "another order": start_in_another_order,
        "worker killed": start_with_a_worker_killed,
    }
    monkeypatch.setenv("EVIDENCE_STORE", str(tmp_path / "figure-cache"))
    for history, start in histories.items():
        out = tmp_path / history
        start()
        project.path("data/studies.csv").write_bytes(tables)
        assert not build(out).failures
        files = read_files(out)
        assert [name for name in files | expected if files.get(name) != expected.get(name)] == []


def test_a_notebook_without_a_record_is_always_built(project):
    project.notebook("10_bread", opens="class report:\n    close = staticmethod(lambda: None)")
    options = BuildOptions(only=["10_bread"])
    for reason in ("there is no finished report", "there is no record of what it read"):
        assert build_reports(project.root, options=options).reasons == {"10_bread": reason}


def test_reports_of_another_version_are_built_again(project):
    project.notebook("10_bread", "report.dataset")
    only = BuildOptions(only=["10_bread"])
    manifest = build_reports(project.root, options=only).folder / "manifest.json"
    content = json.loads(manifest.read_text("utf-8"))
    del content["reports"]["10_bread"]["recipe"]["beside"]
    manifest.write_text(json.dumps(content), "utf-8")
    done = build_reports(project.root, options=only)
    assert done.reasons == {"10_bread": "it was made by another version of evidence"}


def test_a_report_that_read_an_edited_table_is_refused_also_if_the_edit_is_undone(project):
    edit = f"path = pathlib.Path('{project.root}/data/studies.csv'); text = path.read_text()\n"
    project.notebook(
        "10_bread",
        "path.write_text(text)",
        opens=f"import pathlib\n{edit}path.write_text(text.replace('Table 1', 'Table 7'))\n{OPENS}",
    )
    with pytest.raises(ReportError, match=r"data/studies\.csv: changed while reports were built"):
        build_reports(project.root, options=BuildOptions(only=["10_bread"]))
    assert "Table 7" not in project.path("data/studies.csv").read_text("utf-8")
    assert not project.path("reports").exists()


@dataclass
class Sample:
    words: tuple
    frame: pd.DataFrame = field(repr=False)


def test_values_are_told_apart_to_the_last_digit():
    def sample(number, word="a"):
        words = (word, {"of": np.arange(1200.0)})
        return to_digestible(Sample(words, pd.DataFrame({"x": [1.0, number]})))

    assert sample(0.1) == sample(0.1)
    assert sample(0.1) != sample(0.1 + 2**-56)
    assert sample(0.1) != sample(0.1, word="b")
    assert to_digestible(1) != to_digestible("1")
    with pytest.raises(TypeError, match="cannot compute a digest of object"):
        to_digestible([object()])


def test_what_takes_long_is_computed_once_for_all_forked_processes(project):
    precompute(project.dataset())
    misses = find_unknowns.__wrapped__.__wrapped__.cache_info().misses
    assert find_unknowns(project.dataset().logged())
    assert find_unknowns.__wrapped__.__wrapped__.cache_info().misses == misses
