"""Whatever the inputs hold: exit code 0, 1 or 2, no traceback or warning, and each fault with its file.

`make fuzz` runs the same tests with other examples for as long as you like. Keep an example that
fails as `@example(...)`, with the fault mended.
"""

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from evidence import cli
from evidence.dataset import schema
from evidence.errors import EvidenceError, ReportError
from evidence.notebook.parameters import read_parameters
from tests import strategies as broken
from tests.conftest import CITATION, NAMES, ROOT, Project
from tests.example_trials import add_reading, add_search, add_yeast_trial, judge
from tests.strategies import Bytes, Cell, Column, Form, Rows
from tests.test_import import RM5, RM5_CSV
from tests.test_import_references import BIBTEX, CSL, RIS

FUZZ = settings.get_current_profile_name() == "fuzz"
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


def budget(examples: int) -> settings:
    """Few examples that never change in `make test`; many, and others each time, in `make fuzz`."""
    return settings(
        max_examples=examples * 30 if FUZZ else examples,
        derandomize=not FUZZ,
        print_blob=FUZZ,
        deadline=None,
        phases=set(Phase) - {Phase.explain},
        suppress_health_check=list(HealthCheck),
    )


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
    r"(data/[a-z_]+\.csv|references\.bib|reports\.yml|CITATION\.cff)(:[0-9]+)?( [^:]+)?: \S.*"
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


@budget(100)
@example([Cell("data/studies.csv", 1, "study", "\n")], "check")
@example([Cell("data/studies.csv", 2, "n", "٣")], "check")
@example([Cell("data/studies.csv", 2, "n", "9" * 5000)], "check")
@example([Cell("data/studies.csv", 2, "n", "9007199254740993")], "check")
@example([Cell("data/studies.csv", 2, "value", "1e309")], "check")
@example([Column("data/studies.csv", "note", "\n")], "check")
@example([Rows("data/studies.csv", (0,))], "check")
@example([Form("data/studies.csv", "UTF-16")], "check")
@given(some(TABLE_EDITS | STUDIES_EDITS) | some(VALID_EDITS), st.sampled_from(COMMANDS))
def test_any_table_is_read_or_refused(fuzzed, edits, command):
    fuzzed.apply(edits)
    require_answers(fuzzed, command)


@budget(30)
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


@budget(20)
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
def unexecuted(fuzzed):
    """The project, of which no report is built, so that only what comes before counts."""

    def refuse(*_):
        raise ReportError("is not run")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evidence.build.build.build_sets", refuse)
        yield fuzzed


SETS_EDITS = broken.byte_edits("reports.yml", broken.YAML)


@budget(60)
@given(some(SETS_EDITS))
def test_any_sets_are_read_or_refused(unexecuted, edits):
    unexecuted.apply(edits)
    code, _, messages = run(unexecuted, "report", "--set", "all")
    if code and "is not run" not in messages:
        assert "reports.yml" in messages


PARAMETERS = sorted(
    {
        name
        for path in (ROOT / "notebooks").glob("*.ipynb")
        for name in read_parameters(path).parameters
    }
)


@budget(60)
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


@budget(60)
@given(
    FIGURE,
    some(broken.byte_edits("figure", broken.FIGURES)),
)
def test_any_figure_file_is_identified_or_refused(finished_bakery, tmp_path_factory, suffix, edits):
    content = finished_bakery.path(f"reports/figures/fig-risen.{suffix}").read_bytes()
    for edit in edits:
        content = edit(content)
    path = tmp_path_factory.getbasetemp() / f"figure.{suffix}"
    path.write_bytes(content)
    _, _, messages = run(finished_bakery, "identify", str(path))
    assert path.name in messages or not messages


IMPORTS = {
    "salt.rm5": (RM5, broken.XML),
    "salt.csv": (RM5_CSV, broken.NUMBERS_IN_CSV),
    "new.ris": (RIS, broken.RIS),
    "new.json": (CSL, broken.JSON),
    "new.bib": (BIBTEX, broken.BIBTEX),
}


@budget(80)
@given(
    st.sampled_from(sorted(IMPORTS)).flatmap(
        lambda name: st.tuples(st.just(name), some(broken.byte_edits(name, IMPORTS[name][1])))
    )
)
def test_any_import_is_taken_or_refused(fuzzed, tmp_path_factory, case):
    name, edits = case
    content = IMPORTS[name][0].encode()
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
