"""Whatever the inputs hold: exit code 0, 1 or 2, no traceback or warning, and each fault with its file.

`make fuzz` runs the same tests with other examples for as long as you like. Keep an example that
fails as `@example(...)`, with the fault mended.
"""

import base64
import csv
import io
import json
import os
import re
import shutil
import time
import zlib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import nbformat
import pytest
import yaml
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pypdf import PdfWriter

from evidence import cli
from evidence.build.fingerprint import modified_files
from evidence.build.output_folder import read_manifest
from evidence.dataset import schema
from evidence.errors import EvidenceError, ReportError
from evidence.exchange.comparison import FIELDS
from evidence.notebook.parameters import read_parameters
from evidence.report.figure_identity import FigureRecord
from tests import strategies as broken
from tests.conftest import CITATION, NAMES, ROOT, Project
from tests.example_trials import add_reading, add_search, add_yeast_trial, judge
from tests.strategies import Bytes, Cell, Column, Content, Form, Rows
from tests.test_import import RM5, RM5_CSV, SAME, WIDE, data_package
from tests.test_import_references import BIBTEX, CSL, RIS
from tests.test_unchanged import read_files

FUZZ = settings.get_current_profile_name() == "fuzz"
EXAMPLES = {
    "tables": 40, "bibliographies": 12, "notebooks": 8, "builds": 3, "sets": 40, "parameters": 40,
    "figures": 40, "records": 40, "imports": 40, "mappings": 20, "workbooks": 20,
}  # fmt: skip
"""Of each test in `make test`: with their fixtures less than 60 seconds of one core."""
ROUND = 2
"""How many times as many a round of `make fuzz` takes: about two minutes of one core."""
LAST_BEGIN = float(os.environ.get("FUZZ_UNTIL", "inf")) - 30
"""In seconds since 1970: a test that begins later would end after the minutes of `make fuzz`."""
BIBLIOGRAPHY = schema.BIBLIOGRAPHY_FILE
SETS = """\
sets:
  strict: {scope: core, confidence: 0.99}
  rising:
    outcomes: [risen]
    notebooks: [synthesis]
grids:
  by-condition: {conditions: each, confidence: [0.9, 0.95]}
"""
COMMANDS = (
    "check --due-by 2027-01-01",
    "pool --outcome risen --measure rr --condition bread",
    "pool --outcome height --measure smd --by comparator --verbose",
    "dose-response --outcome risen --measure or",
    "methods --outcome risen --measure rr",
    "export-data --outcome risen --measure rr",
    "unknowns --format json",
    "unknowns",
    "wanted",
    "why baker1990",
    "why 71%",
    "why data/studies.csv:4",
    "cite baker1990 miller2001 guide",
    "cite guide --style bibtex",
    "search list",
    "audit --list --sample 3",
)


def budget(kind: str) -> settings:
    """Few examples that never change in `make test`; many, and others each time, in `make fuzz`."""
    return settings(
        max_examples=EXAMPLES[kind] * (ROUND if FUZZ else 1),
        derandomize=not FUZZ,
        print_blob=FUZZ,
        deadline=None,
        phases=set(Phase) - {Phase.explain},
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(autouse=True)
def _within_time():
    if time.time() > LAST_BEGIN:
        pytest.skip("the time is up")


class FuzzedProject(Project):
    """Bread with a valid row or more in every table; `broken` applies edits and `mend` undoes them."""

    def __init__(self, root: Path):
        super().__init__(root)
        for line, study in ((2, "baker1990"), (3, "miller2001")):
            self.put(
                "data/designs.csv", line, treatment="yeast", comparator_kind="inactive",
                blinding="inactive comparator", n_analysed="40", followup="2", followup_unit="month",
                primary_outcome="risen", primary_time="1", primary_time_unit="day",
                primary_source=study, primary_locator="p. 1",
            )  # fmt: skip
            self.put("data/studies.csv", line, verified="not read")
            add_yeast_trial(self, study, "1", "day")
            judge(self, study)
        for source in ("baker1990", "miller2001", "guide"):
            add_reading(self, source, "full text", "full text")
        for line, dose in ((2, "1"), (7, "2"), (9, "4")):
            self.put("data/studies.csv", line, dose=dose, dose_unit="mg/kg", route="oral")
        add_yeast_trial(self, "miller2001", "2", "month")
        add_search(self)
        where = {"study": "miller2001", "outcome": "risen", "source": "miller2001"}
        signed = {"signed_by": "A. Reader", "date": "2026-11-24"}
        self.table(schema.INSTRUMENTS, instrument="ruler", integer="no", note="it has marks")
        self.table(
            schema.DOSES, drug="yeast", route="oral", low="1", high="5", dose_unit="mg/kg",
            source="guide", locator="p. 1",
        )  # fmt: skip
        self.table(schema.ARMS, study="miller2001", arm="yeast", treatment="yeast")
        self.table(
            schema.STATEMENTS, claim="C1", subject="bread", quantity="dose", low="1", high="5",
            dose_unit="mg/kg", quality="soft", direction="better", source_rows="outcome=height",
            as_said="it is soft", locator="p. 1",
        )  # fmt: skip
        self.table(
            schema.MINIMAL_IMPORTANT_DIFFERENCES, outcome="risen", measure="rr", value="1.2",
            source="guide", locator="p. 2", reason="chosen by bakers",
        )  # fmt: skip
        self.table(
            schema.GRADE_DECISIONS, question="bread: yeast or not", domain="imprecision", steps="1",
            reason="few loaves", **signed,
        )  # fmt: skip
        self.table(
            schema.KNOWN_STUDIES, known_study="oven1999", label="Oven 1999", design="open label",
            condition="bread", treatment="yeast", outcomes="risen", listed_by="guide", locator="p. 3",
            status="wanted",
        )  # fmt: skip
        self.table(
            schema.WANTED_RESULTS, arm="yeast", measure="proportion", part="Table 2", reason="named",
            **where,
        )  # fmt: skip
        self.table(schema.WAIVERS, code="GRIM", reason="as printed", **where, **signed)
        self.table(
            schema.AUDITS, row="0123456789", study="miller2001", arm="yeast", outcome="risen",
            answer="confirmed", **signed,
        )  # fmt: skip
        self.path("CITATION.cff").write_text(CITATION, "utf-8")
        self.path("reports.yml").write_text(SETS, "utf-8")
        self.files = {
            name: self.path(name).read_bytes()
            for name in (
                *(t.file for t in schema.TABLES),
                BIBLIOGRAPHY,
                "reports.yml",
                "CITATION.cff",
            )
        }
        self.changed: set[str] = set()

    def apply(self, edits) -> None:
        """Write the files with these edits, and the others as they are."""
        contents = {name: self.files[name] for name in self.changed}
        for edit in edits:
            contents[edit.file] = edit(contents.get(edit.file, self.files[edit.file]))
        for name, content in contents.items():
            self.path(name).write_bytes(content)
        self.changed = set(contents)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    """The project that examples break; each example starts from its valid files."""
    project = FuzzedProject(tmp_path_factory.mktemp("fuzz") / "bread")
    assert run(project, "check")[0] == 0
    return project


def run(project, *arguments) -> tuple[int, str, str]:
    """Run a command here; its exit code, output and messages."""
    output, messages = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(messages):
        code = cli.main([*arguments, "--project", str(project.root)])
    assert code in (0, 1, 2), arguments
    assert "Traceback" not in messages.getvalue()
    return code, output.getvalue(), messages.getvalue()


PROBLEM = re.compile(
    r"(data/[a-z_]+\.(csv|xlsx)|references\.bib|reports\.yml|CITATION\.cff)(:[0-9]+)?( [^:]+)?: \S.*"
)
SUMMARY = re.compile(
    r"and more that are not listed: .*|[0-9,]+ problems? found\. Nothing was written\."
)


def require_files(messages: str) -> None:
    """Every line of refused tables names the file at fault, the last one counts them."""
    *problems, last = messages.splitlines()
    assert problems
    assert SUMMARY.fullmatch(last), last
    for line in problems:
        assert PROBLEM.fullmatch(line) or SUMMARY.fullmatch(line), line


WORDS = [
    "baker1990", "miller2001", "guide", "bread", "cake", "yeast", "none", "risen", "height", "oven1999",
    "C1", "U1", "S1", "proportion", "mean", "smd", "odds ratio", "contrast", "intervention", "mg/kg", "day",
    "baker1990; miller2001", "71%", "RoB 2 (2019)", "overall", "low", "high", "ruler",
]  # fmt: skip
TABLE_EDITS = st.one_of([broken.table_edits(table, WORDS) for table in schema.TABLES])
STUDIES_EDITS = broken.table_edits(schema.STUDIES, WORDS)
VALID_EDITS = st.one_of([broken.valid_edits(table, WORDS) for table in schema.TABLES]) | (
    broken.valid_edits(schema.STUDIES, WORDS)
)
BIBLIOGRAPHY_EDITS = broken.byte_edits(BIBLIOGRAPHY, broken.BIBTEX)


def some(edits):
    return st.lists(edits, min_size=1, max_size=3)


@budget("tables")
@example([Cell("data/studies.csv", 1, "study", "\n")], "check")
@example([Cell("data/studies.csv", 2, "n", "٣")], "check")
@example([Cell("data/studies.csv", 2, "n", "9" * 5000)], "check")
@example([Cell("data/studies.csv", 2, "n", "9007199254740993")], "check")
@example([Cell("data/studies.csv", 2, "value", "1e309")], "check")
@example([Column("data/studies.csv", "note", "\n")], "check")
@example([Rows("data/studies.csv", (0,))], "check")
@example([Form("data/studies.csv", "UTF-16")], "check")
@example([Cell("data/minimal_important_differences.csv", 1, "measure", "rd")], "unknowns")
@given(some(TABLE_EDITS | STUDIES_EDITS) | some(VALID_EDITS), st.sampled_from(COMMANDS))
def test_any_table_is_read_or_refused(fuzzed, edits, command):
    fuzzed.apply(edits)
    require_answers(fuzzed, command)


@budget("bibliographies")
@example([Bytes(BIBLIOGRAPHY, 0.1, 0, b"{" * 3000)], "check")
@given(some(BIBLIOGRAPHY_EDITS), st.sampled_from(COMMANDS))
def test_any_bibliography_is_read_or_refused(fuzzed, edits, command):
    fuzzed.apply(edits)
    require_answers(fuzzed, command)


@pytest.mark.parametrize(
    "options",
    ["--confidence nan", "--time-days nan", "--max-time-ratio nan", "--max-time-ratio 1e308",
     "--time-days inf", "--time-days 1e308", "--confidence 1e-300"],
)  # fmt: skip
def test_any_number_of_a_question_is_taken_or_refused(fuzzed, options):
    fuzzed.apply(())
    code, _, messages = run(fuzzed, *COMMANDS[1].split(), *options.split())
    assert "nan is not a number" in messages or not options.endswith("nan")
    assert code == 0 or messages


def require_answers(project, command):
    """Refuse the tables with every fault and its file, or else answer the command."""
    code, _, messages = run(project, "check")
    if code and messages:
        require_files(messages)
    else:
        run(project, *command.split())


CODE = {
    name: [
        cell.source
        for cell in nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4).cells
        if cell.cell_type == "code"
    ]
    for name in NAMES
}


@budget("notebooks")
@given(some(VALID_EDITS), st.sampled_from(NAMES))
def test_any_table_is_shown_by_every_notebook(fuzzed, edits, name):
    """Here, and not in a kernel, so that a warning is a fault as well."""
    fuzzed.apply(edits)
    names = {}
    try:
        for number, source in enumerate(CODE[name]):
            exec(source, names)
            if number == 0:
                names["project"] = str(fuzzed.root)
    except EvidenceError:
        pass


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The project with finished reports of a notebook of its own."""
    project = FuzzedProject(tmp_path_factory.mktemp("built") / "bread")
    project.notebook(
        "10_bread",
        "from evidence import tabulate_results",
        "report.table(tabulate_results(report.dataset, report.results))",
    )
    project.files[NOTEBOOK] = project.path(NOTEBOOK).read_bytes()
    assert run(project, "report", "--only", "bread")[0] == 0
    project.path("reports").rename(project.path("previous"))
    return project


NOTEBOOK = "notebooks/10_bread.ipynb"
OTHER_EDITS = broken.byte_edits(NOTEBOOK, broken.JSON) | broken.byte_edits(
    "CITATION.cff", broken.YAML
)


@budget("builds")
@example([Content(NOTEBOOK, b'{"metadata": [], "cells": []}')])
@example([Content("CITATION.cff", b"title: \xde")])
@example([Bytes(NOTEBOOK, 0.3125, 0, b",")])  # in the cell of the parameters
@given(some(TABLE_EDITS) | some(VALID_EDITS) | some(BIBLIOGRAPHY_EDITS) | some(OTHER_EDITS))
def test_any_build_leaves_the_previous_reports_or_new_ones(built, edits):
    built.apply(edits)
    reports = built.path("reports")
    shutil.rmtree(reports, ignore_errors=True)
    shutil.copytree(built.path("previous"), reports)
    code, _, messages = run(built, "report", "--only", "bread")
    content = read_files(reports)
    if code and content == read_files(built.path("previous")):
        is_named = re.search(rf"{NOTEBOOK}|CITATION\.cff|10_bread: parameters cell", messages)
        assert is_named or require_files(messages) is None
    else:
        manifest = read_manifest(reports)
        files = manifest["pages"] | manifest["reports"]["10_bread"]["files"]
        assert modified_files(reports, files) == []
        assert content.keys() == {*files, "manifest.json"}
        assert bool(code) == ("10_bread" in manifest["failed"])
        assert code or manifest["inputs"] == built.dataset().checksums
    assert not [path.name for path in built.root.iterdir() if path.name.startswith(".")]


@pytest.fixture
def unexecuted(fuzzed):
    """The project, of which no report is built, so that only what comes before counts."""

    def refuse(*_):
        raise ReportError("is not run")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evidence.build.build.build_sets", refuse)
        yield fuzzed


PARAMETERS = sorted(
    {
        name
        for path in (ROOT / "notebooks").glob("*.ipynb")
        for name in read_parameters(path).parameters
    }
)
VALUES = broken.VALUES | broken.PARAMETER_VALUES | st.dates()
SETS_CONTENTS = st.dictionaries(
    st.sampled_from(("sets", "grids")),
    st.dictionaries(
        st.sampled_from(("a", "b", "all", "A")) | broken.TEXTS,
        st.dictionaries(st.sampled_from((*PARAMETERS, "notebooks")), VALUES, max_size=3) | VALUES,
        max_size=2,
    ),
)


def as_yaml(content):
    return yaml.safe_dump(content, allow_unicode=True).encode("utf-8", "surrogatepass")


SETS_EDITS = broken.byte_edits("reports.yml", broken.YAML) | st.builds(
    Content, st.just("reports.yml"), SETS_CONTENTS.map(as_yaml)
)


@budget("sets")
@example([Content("reports.yml", b"!!timestamp 2026")])
@example([Content("reports.yml", b"sets: {a: {scope: !!bool maybe}}")])
@given(some(SETS_EDITS))
def test_any_sets_are_read_or_refused(unexecuted, edits):
    unexecuted.apply(edits)
    code, _, messages = run(unexecuted, "report", "--set", "all")
    if code and "is not run" not in messages:
        assert "reports.yml" in messages


@budget("parameters")
@given(
    st.sampled_from(PARAMETERS) | broken.TEXTS,
    broken.PARAMETER_VALUES,
    st.sampled_from(("-p", "--grid")),
)
def test_any_parameter_is_taken_or_refused(unexecuted, name, value, option):
    unexecuted.apply(())
    code, _, messages = run(unexecuted, "report", option, f"{name}={value}")
    assert code == 0 or messages


FIGURE = st.sampled_from(("svg", "pdf", "png", "eps"))


@budget("figures")
@given(FIGURE, some(broken.byte_edits("figure", broken.FIGURES)))
def test_any_figure_file_is_identified_or_refused(finished_bakery, tmp_path_factory, suffix, edits):
    content = finished_bakery.path(f"reports/figures/fig-risen.{suffix}").read_bytes()
    for edit in edits:
        content = edit(content)
    path = tmp_path_factory.getbasetemp() / f"figure.{suffix}"
    path.write_bytes(content)
    _, _, messages = run(finished_bakery, "identify", str(path))
    assert path.name in messages or not messages


def figure_file(record, suffix):
    """A small picture with a record in the place where ours have it."""
    packed = base64.b64encode(zlib.compress(json.dumps(record).encode())).decode()
    content = io.BytesIO()
    if suffix == "png":
        keywords = PngInfo()
        keywords.add_text("Keywords", packed)
        Image.new("1", (1, 1)).save(content, "PNG", pnginfo=keywords)
    elif suffix == "pdf":
        writer = PdfWriter()
        writer.add_blank_page(9, 9)
        writer.add_metadata({"/Keywords": packed})
        writer.write(content)
    else:
        content.write(CARRIERS[suffix].format(packed).encode())
    return content.getvalue()


CARRIERS = {
    "eps": "%!PS-Adobe-3.0 EPSF-3.0\n%EvidenceRecord: {}\n",
    "svg": '<svg><a xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:rdf='
    '"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><dc:subject><rdf:li>{}</rdf:li></dc:subject></a></svg>',
}  # fmt: skip


@budget("records")
@example("eps", [], "text")
@given(
    FIGURE,
    some(broken.fields(FigureRecord, broken.LIKELY_OF_A_FIGURE)),
    st.sampled_from(("text", "json")),
)
def test_any_record_of_a_figure_is_read_or_refused(
    finished_bakery, tmp_path_factory, suffix, changes, output_format
):
    record = json.loads(finished_bakery.path("reports/figures/fig-risen.json").read_text("utf-8"))
    record = {name: record[name] for name in FigureRecord.__dataclass_fields__} | dict(changes)
    record = {name: value for name, value in record.items() if value != broken.ABSENT}
    path = tmp_path_factory.getbasetemp() / f"foreign.{suffix}"
    path.write_bytes(figure_file(record, suffix))
    code, output, messages = run(finished_bakery, "identify", str(path), "--format", output_format)
    assert code == 0 or changes, messages
    assert path.name in messages or "fig-" in (output or messages)
    assert output_format == "text" or not output or json.loads(output)


IMPORTS = {
    "salt.zip": (data_package(), (b"PK", b"csv", b"zip", b"\0")),
    "salt.rm5": (RM5, broken.XML),
    "salt.csv": (RM5_CSV, broken.NUMBERS_IN_CSV),
    "new.ris": (RIS, broken.RIS),
    "new.json": (CSL, broken.JSON),
    "new.bib": (BIBTEX, broken.BIBTEX),
}


@budget("imports")
@given(
    st.sampled_from(sorted(IMPORTS)).flatmap(
        lambda name: st.tuples(st.just(name), some(broken.byte_edits(name, IMPORTS[name][1])))
    )
)
def test_any_import_is_taken_or_refused(fuzzed, tmp_path_factory, case):
    name, edits = case
    content = IMPORTS[name][0]
    content = content if isinstance(content, bytes) else content.encode()
    for edit in edits:
        content = edit(content)
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    fuzzed.apply(())
    command = ("import", "data") if name.startswith("salt") else ("import", "refs")
    options = (
        ("--set", "condition=bread", "--set", "design=open label") if "data" in command else ()
    )
    code, _, messages = run(fuzzed, *command, str(path), "--dry-run", *options)
    assert not code or name in messages or PROBLEM.match(messages)


MAPPING = {
    "columns": {"study": "Paper", "events1": "Salt events", "n1": "Salt n", "events2": "Control events",
                "n2": "Control n"},
    "values": SAME,
}  # fmt: skip
WORDS_OF_A_MAPPING = st.sampled_from((*MAPPING["columns"].values(), *SAME.values(), "?")) | VALUES
MAPPING_FIELDS = st.dictionaries(
    st.sampled_from(sorted(FIELDS)) | broken.TEXTS, WORDS_OF_A_MAPPING, max_size=3
)
MAPPING_EDITS = st.one_of(
    broken.byte_edits("mapping.yml", (*broken.YAML, b"columns:", b"values:", b"?")),
    broken.byte_edits("wide.csv", (b";", b'"', b"\n", b'"a\nb"', b"#", b": ", b"?", b"n", b"\xff")),
    st.builds(
        lambda columns, values: Content(
            "mapping.yml",
            as_yaml(
                {"columns": MAPPING["columns"] | columns, "values": MAPPING["values"] | values}
            ),
        ),
        MAPPING_FIELDS,
        MAPPING_FIELDS,
    ),
)


@budget("mappings")
@example([])
@example([Content("mapping.yml", b"values: {time: 2026-99-99}")])
@example([Bytes("wide.csv", 0, 0, b"\0")])
@example([Bytes("wide.csv", 0.9, 0, b"x" * 200_000)])
@example([Bytes("wide.csv", 0.7, 0, b'"a\nb"')])
@given(some(MAPPING_EDITS))
def test_any_mapping_is_taken_or_refused(fuzzed, tmp_path_factory, edits):
    """A drafted one as well, in which only question marks are left to answer."""
    contents = {"wide.csv": WIDE.replace("Oven", "Rye").encode(), "mapping.yml": as_yaml(MAPPING)}
    for edit in edits:
        contents[edit.file] = edit(contents[edit.file])
    for name, content in contents.items():
        (tmp_path_factory.getbasetemp() / name).write_bytes(content)
    table, mapping = (tmp_path_factory.getbasetemp() / name for name in contents)
    fuzzed.apply(())
    command = ("import", "data", str(table), "--dry-run", "--mapping", str(mapping))
    code, _, messages = run(fuzzed, *command)
    assert code == 0 or edits, messages
    assert not code or any(name in messages for name in contents) or PROBLEM.match(messages)
    code, draft, messages = run(fuzzed, "import", "data", str(table), "--draft-mapping")
    if code:
        assert table.name in messages
        return
    mapping.write_text(draft, "utf-8")
    code, _, messages = run(fuzzed, *command)
    assert code == 1
    assert "answer the question mark" in messages or "no column holds the study" in messages


@budget("workbooks")
@example([("cell", (2, 3, float("inf")))], "", [], "import")
@example([], "", [Form("x.xlsx", "CR")], "check")
@given(
    st.lists(broken.WORKBOOK_EDITS, max_size=3),
    st.sampled_from(("", "", "", "A1:B2", "A3:C3", "XFD9:XFD11")),
    st.lists(broken.byte_edits("x.xlsx", (b"PK", b"xl/", b"<", b"\0")), max_size=1) | st.just([]),
    st.sampled_from(("import", "check")),
)
def test_any_workbook_is_read_or_refused(fuzzed, edits, merged, damages, command):
    fuzzed.apply(())
    studies, path = fuzzed.path("data/studies.csv"), fuzzed.path("data/studies.xlsx")
    rows = (
        csv.reader(io.StringIO(WIDE), delimiter=";")
        if command == "import"
        else fuzzed.rows(studies)
    )
    content = broken.workbook(rows, edits, merged)
    for damage in damages:
        content = damage(content)
    if command == "import":
        path = path.with_name("wide.xlsx")
    else:
        studies.unlink()
    try:
        path.write_bytes(content)
        if command == "import":
            code, _, messages = run(fuzzed, "import", "data", str(path), "--draft-mapping")
            assert not code or path.name in messages
        else:
            code, _, messages = run(fuzzed, "check")
            if code and messages:
                require_files(messages)
    finally:
        path.unlink()
        studies.write_bytes(fuzzed.files["data/studies.csv"])
