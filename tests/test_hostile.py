"""Texts of the data are never markup, formula or code, and paths are checked before use."""

import ast
import csv
import json
import os
import re
import resource
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import evidence
from evidence import cli
from evidence.analysis.checks import check_consistency
from evidence.build.build import BuildOptions, build_reports
from evidence.build.new_project import create_project
from evidence.build.output_folder import MANIFEST
from evidence.dataset import schema
from evidence.dataset.dataset import read_dataset
from evidence.errors import DatasetError, ParameterError, ReportError
from evidence.files import MAX_BYTES
from evidence.provenance.sentence import slug
from evidence.report.report import open_report
from tests.conftest import Project

BIN = Path(sys.executable).parent

MARKUP = '</script><script>alert(1)</script> "><img src=x onerror=alert(1)> &lt;b&gt;'
SIGNS = r"$x_{1$ \frac{a}{b} {y} {0} %s $$ ../../etc/passwd a\b"
SHORT = "<script>alert(1)</script> $x_{1$ {y} a/b"
FORMULA = '=HYPERLINK("http://x","y")'
HOSTILE_REPORTS = ["start", "studies", "comparison", "claims", "unknowns", "synthesis"]


class ExampleProject(Project):
    """The example project, with a method that appends a text to cells."""

    def __init__(self, root):
        self.root = create_project(root)

    def spoil(self, name, columns, text, *, front=False):
        rows = self.rows(name)
        for row in rows[1:]:
            for column in columns:
                at = rows[0].index(column)
                row[at] = f"{text} {row[at]}" if front else f"{row[at]} {text}".strip()
        self.write(name, rows)


@pytest.fixture
def example(tmp_path):
    return ExampleProject(tmp_path / "boats")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Reports on texts that try everything; read only."""
    project = ExampleProject(tmp_path_factory.mktemp("hostile") / "boats")
    text = f"{MARKUP} {SIGNS}"
    words = ("population", "definition", "locator", "note")
    project.spoil("data/studies.csv", words, text)
    project.spoil("data/studies.csv", ("condition", "outcome", "instrument"), SHORT)
    project.spoil("data/studies.csv", ("arm",), f"{FORMULA} {SHORT}", front=True)
    project.spoil("data/outcomes.csv", ("outcome",), SHORT)
    project.spoil("data/outcomes.csv", ("description",), text)
    project.spoil("data/designs.csv", ("treatment",), SHORT)
    words = ("population", "comparator", "caveat", "locator", "masking", "funding")
    project.spoil("data/designs.csv", words, text)
    project.spoil("data/designs.csv", ("label",), FORMULA, front=True)
    project.table(
        schema.CLAIMS, claim="C1", section=text, label=SHORT, statement=text, kind="numeric",
        guide_value=SHORT, source_value=SHORT, verdict="agrees", reason=text,
        studies="inventor2001", outcome=f"still afloat {SHORT}", source="inventor2001",
    )  # fmt: skip
    project.table(
        schema.UNKNOWNS, unknown="U1", question=text, why_open=text, population=text,
        intervention=text, comparison=text, outcome=text, asked_on="2026-11",
        raised_by="both", claims="C1", where="days>=2",
    )  # fmt: skip
    project.replace("references.bib", "does humming", f"does {MARKUP} humming")
    return build_reports(project.root, options=BuildOptions(only=HOSTILE_REPORTS)).folder


class ActiveContent(HTMLParser):
    """Everything on a page that could act or fetch: scripts, handlers, sources, addresses."""

    def __init__(self):
        super().__init__()
        self.scripts, self.suspects, self.text = 0, [], ""

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.scripts += tag == "script" and attributes.get("type") != "application/ld+json"
        self.suspects += [name for name in attributes if name.startswith("on")]
        if tag in ("iframe", "object", "embed", "form", "base", "b"):
            self.suspects.append(tag)
        if not attributes.get("src", "data:image/").startswith("data:image/"):
            self.suspects.append(attributes["src"])
        if tag == "a" and attributes["href"].split(":")[0] in ("javascript", "data", "file"):
            self.suspects.append(attributes["href"])

    def handle_data(self, data):
        self.text += data


def test_markup_in_a_table_is_text_on_every_page(hostile):
    pages = sorted(hostile.glob("*.html"))
    assert len(pages) == len(HOSTILE_REPORTS) + len(("index", "sources", "glossary", "figures"))
    for path in hostile.rglob("*.html"):
        page = ActiveContent()
        page.feed(path.read_text("utf-8"))
        own_scripts = 0 if path.stem.endswith("-embed") else 1
        shows_files = path not in pages or path.stem == "figures"
        files = r"(figures/)?[\w-]+\.svg" if shows_files else "(?!)"
        suspects = [text for text in page.suspects if not re.fullmatch(files, text)]
        assert (page.scripts, suspects) == (own_scripts, []), path.name
        if shows_files:
            continue
        assert "<script>alert(1)</script>" in page.text, path.name
        assert "&lt;b&gt;" in page.text, "shown as it is in the table"


def test_no_browser_runs_text_of_a_table_or_output_of_a_notebook(hostile, browser, tmp_path):
    """An output may be any HTML: then the policy of the page holds its script back."""
    page = browser.new_page()
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    with_output = tmp_path / "output.html"
    text = (hostile / "02_comparison.html").read_text("utf-8")
    output = "<script>alert(1)</script><img src=x onerror=alert(1)><p id=reached>"
    with_output.write_text(text.replace("</main>", f"{output}</main>"), "utf-8")
    for path in [*sorted(hostile.glob("*.html")), with_output]:
        page.goto(path.as_uri())
        page.wait_for_timeout(100)
    assert page.locator("#reached").count() == 1
    assert dialogs == []


def test_special_characters_are_drawn_literally(hostile):
    sidecar = json.loads((hostile / "figures" / "fig-shares.json").read_text("utf-8"))
    assert SHORT in sidecar["caption"]
    assert any(SHORT in line for line in sidecar["reading"])
    assert (hostile / "figures" / "fig-shares.png").stat().st_size > 10_000


def test_braces_in_the_name_of_a_folder_are_no_parameter(tmp_path):
    project = Project(tmp_path / "bread {draft} {0}")
    project.notebook("01_bread")
    folder = build_reports(project.root, options=BuildOptions(only=["bread"])).folder
    assert (folder / "01_bread.html").is_file()


@pytest.mark.parametrize("name", ["10_br\nead", "10_\u202ebread", "10_\udcff"])
def test_a_notebook_whose_name_no_message_can_show_is_refused(project, capsys, name):
    project.notebook("10_bread").rename(project.path(f"notebooks/{name}.ipynb"))
    assert cli.main(["report", "--project", str(project.root)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(".ipynb: the name holds an invisible character. Rename the file.")
    assert line.isprintable()


def test_no_cell_of_any_csv_is_a_formula(hostile):
    escaped = 0
    for path in hostile.rglob("*.csv"):
        with path.open(newline="", encoding="utf-8") as handle:
            for row in csv.reader(handle):
                assert not [cell for cell in row if cell[:1] in ("=", "@", "\t", "\r")], path.name
                escaped += sum(cell.startswith("'=HYPERLINK") for cell in row)
    assert escaped > 10


def test_words_become_file_names_inside_the_folder(hostile):
    (path,) = hostile.glob("figures/fig-still-afloat-*.json")
    assert path.stem == f"fig-{slug('still afloat ' + SHORT)}"


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("response kept", "response-kept"),
        ("Blood pressure", "blood-pressure"),
        ("../../x", "x-"),
        ("a/b", "a-b-"),
        ("a-b", "a-b"),
        ("Ψ", ""),
        ("sex (female)", "sex-female-"),
    ],
)
def test_slug_of_a_word(text, prefix):
    assert slug(text).startswith(prefix)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(text))
    assert len({slug(word) for word in ("a/b", "a b", "a.b", "A b", "a\\b")}) == 4


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b"])
def test_report_name_is_not_a_path(example, name):
    with pytest.raises(ParameterError, match="is not a notebook name such as '01_studies'"):
        open_report(name, project=example.root)


@pytest.mark.parametrize("out", ["01/../..", "link", "."])
def test_out_never_replaces_the_project(example, monkeypatch, out):
    """Also not through dots or a link."""
    (example.root / "01").mkdir()
    (example.root / "link").symlink_to(example.root)
    monkeypatch.chdir(example.root)
    with pytest.raises(ReportError, match=r"holds the project;|holds files that are not reports"):
        build_reports(example.root, out=Path(out))
    assert read_dataset(example.root).reported_results is not None


def test_out_that_links_to_a_folder_of_somebody_else_is_refused(example, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    (precious / MANIFEST).write_text('{"name": "an extension of a browser"}')
    (example.root / "reports").symlink_to(precious)
    with pytest.raises(ReportError, match="holds files that are not reports"):
        build_reports(example.root)
    assert (precious / "thesis.tex").read_text() == "years of work"


def limited(*arguments, folder):
    """The command where no file can grow beyond a hundred bytes, as on a full disk."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    command = [sys.executable, "-B", "-m", "evidence", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, preexec_fn=limit, capture_output=True, text=True)


def test_a_full_disk_is_one_clear_line(example, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    done = limited("new", "other", folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        1, f"evidence: {tmp_path / 'other'}: cannot be written: File too large\n"
    )  # fmt: skip
    versions = ("diff", example.root, example.root, "--out", "c.md", "--project", example.root)
    done = limited(*versions, folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        1, "evidence: --out c.md: cannot be written: File too large\n"
    )  # fmt: skip
    assert not (tmp_path / "c.md").exists()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_one_clear_line(example, capsys):
    out = example.root / "references.bib" / "reports"
    assert cli.main(["report", "--project", str(example.root), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    in_the_way = out.parent
    assert error.endswith(f"evidence: --out {out}: cannot be written: {in_the_way}: File exists\n")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("n", "9" * 5000, "is too large. The largest is 999,999,999."),
        ("n", "9007199254740993", "is too large"),
        ("n", "1e309", "is not a whole number"),
        ("n", "-1", "is not a whole number"),
        ("n", "①", "is not a whole number"),
        ("value", "1e16", "is too large. The largest is 1,000,000,000,000,000."),
        ("value", "-" + "9" * 400, "is too large"),
        ("value", "inf", "is not a number"),
        ("time", "1-" + "9" * 400, "is too large"),
        ("time", "٣-½", "is not a time"),
        ("p_value", "<５", "is not a p value"),
    ],
)
def test_a_number_that_cannot_be_is_a_problem_with_its_cell(project, column, cell, message):
    project.put("data/studies.csv", 2, **{column: cell})
    with pytest.raises(DatasetError) as error:
        project.dataset()
    problem = next(p for p in error.value.problems if p.column == column)
    assert (problem.file, problem.line) == ("data/studies.csv", 2)
    assert message in problem.message


def test_digits_of_all_scripts_are_read(project):
    """Full-width, Arabic-Indic and Devanagari digits, and Arabic's decimal sign."""
    cells = {"n": "１７", "time": "०٣", "value": "٠٫٧١"}
    project.put("data/studies.csv", 2, **cells)
    row = project.dataset().reported_results.iloc[0]
    assert (row["n"], row["time"], row["value"]) == (17, "03", 0.71)


def test_no_check_counts_up_to_a_number_of_the_file(project):
    project.put("data/studies.csv", 2, n="999999999", as_printed="71.1234567%", value="0.711234567")
    project.put("data/studies.csv", 3, as_printed="9" * 5000 + "%")
    findings = check_consistency(project.dataset())
    assert {finding.code for finding in findings} & {"GRIM", "PRINT", "PERCENT", "PARTICIPANTS"}


@pytest.mark.parametrize(
    "variables",
    [{"MPLBACKEND": "nonsense", "HOME": "/proc", "JUPYTER_PATH": "/dev/null", "COLUMNS": "wide"}],
    ids=" ".join,
)
def test_reports_are_built_in_a_strange_environment(example, variables):
    command = [str(BIN / "evidence"), "report", "--only", "comparison"]
    done = subprocess.run(
        command, cwd=example.root, env=os.environ | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert example.path("reports/02_comparison.html").is_file()


@pytest.mark.parametrize(
    ("setting", "stated"),
    [
        ("ulimit -v 153600", "limited to 150 MiB (ulimit -v), but needs 500. Raise"),
        ("ulimit -v 510976", "limited to 499 MiB (ulimit -v), but needs 500. Raise"),
        ("ulimit -n 20", "limited to 20 open files (ulimit -n), but needs 64. Raise"),
        (
            "export SOURCE_DATE_EPOCH=now",
            "SOURCE_DATE_EPOCH is 'now', not seconds since 1970. Correct",
        ),
        ("export SOURCE_DATE_EPOCH=9999999999999", "SOURCE_DATE_EPOCH is '9999999999999', not"),
    ],
)
def test_a_setting_that_no_library_bears_is_one_line_that_names_it(example, setting, stated):
    done = shell(f"{setting}; exec evidence check", example)
    assert done.returncode == 1
    assert stated in done.stderr
    assert done.stderr.count("\n") == 1


def shell(command, project):
    return subprocess.run(
        ["bash", "-c", command], cwd=project.root, capture_output=True, text=True,
        errors="replace", env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("evidence columns <&- >&- 2>&-", 0),
        ("evidence --help >&-", 0),
        ("evidence --help >/dev/full", 1),
        ("evidence audit --auditor A <&-", 0),
        (r"yes | evidence audit --auditor $'\xff'", 1),
        (r"evidence new $'\xff' && evidence check --project $'\xff'", 0),
        ("evidence check --project '~nobody of this name'", 1),
        ("ln -s loop loop; evidence check --project loop", 1),
        ("ln -s loop loop; evidence report --out loop", 1),
        (r"printf '\xff' | PYTHONIOENCODING=utf-8 evidence audit --auditor A", 0),
        ("PYTHONIOENCODING=latin-1:strict evidence pool --outcome 'still afloat' --measure rr", 0),
    ],
)
def test_odd_streams_and_names_are_no_traceback(example, command, code):
    done = shell(command, example)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


SPECIAL_FILES = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "link loop": lambda path: path.symlink_to(path.name),
    "too large": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), MAX_BYTES + 1),
}


@pytest.fixture
def impatient():
    """Fail instead of waiting for a file that has no end, or no beginning."""
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", SPECIAL_FILES)
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("data/studies.csv", "check"),
        ("data/outcomes.csv", "check"),
        ("references.bib", "check"),
        ("reports.yml", "report --set x"),
        ("notebooks/01_x.ipynb", "report"),
        ("figure.png", "identify {path}"),
        ("trials.csv", "import data {path}"),
        ("release.zip", "release --verify {path}"),
        ("nature.csl", "cite inventor2001 --csl {path}"),
        ("other.bib", "import refs {path}"),
    ],
)
def test_only_regular_files_of_sane_size_are_opened(example, capsys, name, command, kind):
    path = example.path(name)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    SPECIAL_FILES[kind](path)
    arguments = command.format(path=path).split()
    assert cli.main([*arguments, "--project", str(example.root)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert name.rpartition("/")[2] in lines[0]
    assert len(lines) <= 2


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("reports.yml", "[" * 5000, "report --set x"),
        ("figure.json", "[" * 100_000, "import refs {path}"),
        ("figure.svg", "<g>" * 20_000 + "</g>" * 20_000, "identify {path}"),
        ("references.bib", "@misc{a, title = {" + "{" * 5000 + "x" + "}" * 5002, "check"),
    ],
)
def test_deep_nesting_is_no_traceback(example, capsys, name, content, command):
    path = example.path(name)
    old = path.read_text("utf-8") if name == "references.bib" else ""
    path.write_text(old + content, "utf-8")
    arguments = command.format(path=path).split()
    assert cli.main([*arguments, "--project", str(example.root)]) == (0 if old else 1)
    assert "nested too deeply" in capsys.readouterr().err or path.suffix in (".svg", ".bib")


def test_nothing_is_unpickled_or_evaluated():
    """What comes from files is read as text, CSV, JSON, BibTeX or safe YAML, and never run."""
    called = {"eval", "exec", "__import__", "read_pickle", "unsafe_load", "full_load"}
    imported = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
    calls = []
    for path in sorted(Path(evidence.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = set()
            if isinstance(node, ast.Call):
                names = {getattr(node.func, "id", ""), getattr(node.func, "attr", "")} & called
            elif isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names} & imported
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]} & imported
            calls += [f"{path.name}:{node.lineno} {name}" for name in names]
    assert not calls
