"""Texts of tables and bibliography are data, and paths are looked at before they are used.

Whatever stands in a table is shown as it is, or refused with its line; nothing of it acts.
"""

import ast
import csv
import json
import resource
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import evidence
from evidence import cli
from evidence.build.build import BuildOptions, build_reports
from evidence.build.new_project import create_project
from evidence.build.output_folder import MANIFEST
from evidence.dataset import schema
from evidence.dataset.dataset import load_dataset
from evidence.errors import ParameterError, ReportError
from evidence.provenance.sentence import slug
from evidence.report.report import open_report
from tests.conftest import Project

MARKUP = '</script><script>alert(1)</script> "><img src=x onerror=alert(1)> &lt;b&gt;'
SIGNS = r"$x_{1$ \frac{a}{b} {y} {0} %s $$ ../../etc/passwd a\b"
SHORT = "<script>alert(1)</script> $x_{1$ {y} a/b"
FORMULA = '=HYPERLINK("http://x","y")'


class Begun(Project):
    """The invented example, to be spoilt."""

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
def begun(tmp_path):
    return Begun(tmp_path / "boats")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Reports on texts that try everything; read only."""
    project = Begun(tmp_path_factory.mktemp("hostile") / "boats")
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
    only = ["start", "studies", "comparison", "claims", "unknowns", "synthesis"]
    return build_reports(project.root, options=BuildOptions(only=only)).folder


class Acts(HTMLParser):
    """Everything on a page that could act or fetch: scripts, handlers, sources, addresses."""

    def __init__(self):
        super().__init__()
        self.scripts, self.found, self.text = 0, [], ""

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.scripts += tag == "script" and given.get("type") != "application/ld+json"
        self.found += [name for name in given if name.startswith("on")]
        if tag in ("iframe", "object", "embed", "form", "base", "b"):
            self.found.append(tag)
        if not given.get("src", "data:image/").startswith("data:image/"):
            self.found.append(given["src"])
        if tag == "a" and given["href"].split(":")[0] in ("javascript", "data", "file"):
            self.found.append(given["href"])

    def handle_data(self, data):
        self.text += data


def test_markup_in_a_table_is_text_on_every_page(hostile):
    pages = sorted(hostile.glob("*.html"))
    assert len(pages) == 7
    for path in pages:
        page = Acts()
        page.feed(path.read_text("utf-8"))
        assert (page.scripts, page.found) == (1, []), path.name
        assert "<script>alert(1)</script>" in page.text, path.name
        assert "&lt;b&gt;" in page.text, "shown as it stands in the table"


def test_no_browser_runs_what_stands_in_a_table(hostile):
    from playwright.sync_api import sync_playwright

    from tests.conftest import require_tool

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=require_tool("chromium"))
        page = browser.new_page()
        said = []
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        for path in sorted(hostile.glob("*.html")):
            page.goto(path.as_uri())
            page.wait_for_timeout(100)
        browser.close()
    assert said == []


def test_signs_are_drawn_as_they_stand(hostile):
    sidecar = json.loads((hostile / "figures" / "fig-shares.json").read_text("utf-8"))
    assert SHORT in sidecar["caption"]
    assert any(SHORT in line for line in sidecar["reading"])
    assert (hostile / "figures" / "fig-shares.png").stat().st_size > 10_000


def test_no_cell_of_any_csv_is_a_formula(hostile):
    kept = 0
    for path in hostile.rglob("*.csv"):
        with path.open(newline="", encoding="utf-8") as handle:
            for row in csv.reader(handle):
                assert not [cell for cell in row if cell[:1] in ("=", "@", "\t", "\r")], path.name
                kept += sum(cell.startswith("'=HYPERLINK") for cell in row)
    assert kept > 10


def test_words_become_names_of_files_that_stay_in_their_folder(hostile):
    (made,) = hostile.glob("figures/fig-still-afloat-*.svg")
    assert made.stem == f"fig-{slug('still afloat ' + SHORT)}"


@pytest.mark.parametrize(
    ("text", "said"),
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
def test_a_word_as_a_name(text, said):
    import re

    assert slug(text).startswith(said)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(text))
    assert len({slug(word) for word in ("a/b", "a b", "a.b", "A b", "a\\b")}) == 4


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b"])
def test_a_report_s_name_is_no_path(begun, name):
    with pytest.raises(ParameterError, match="is no name of a notebook, such as '01_studies'"):
        open_report(name, project=begun.root)


@pytest.mark.parametrize("written", ["01/../..", "link", "."])
def test_out_is_where_it_leads_to(begun, monkeypatch, written):
    """By dots or by a link, the project itself is never replaced."""
    (begun.root / "01").mkdir()
    (begun.root / "link").symlink_to(begun.root)
    monkeypatch.chdir(begun.root)
    with pytest.raises(ReportError, match=r"holds the project itself|holds files that no report"):
        build_reports(begun.root, out=Path(written))
    assert load_dataset(begun.root).results is not None


def test_a_link_to_a_folder_of_somebody_s_is_not_followed_into_it(begun, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    (precious / MANIFEST).write_text('{"name": "an extension of a browser"}')
    (begun.root / "reports").symlink_to(precious)
    with pytest.raises(ReportError, match="holds files that no report run made"):
        build_reports(begun.root)
    assert (precious / "thesis.tex").read_text() == "years of work"


def limited(*arguments, folder):
    """The command where no file can grow beyond a hundred bytes, as on a full disk."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    command = [sys.executable, "-B", "-m", "evidence", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, preexec_fn=limit, capture_output=True, text=True)


def test_a_full_disk_is_one_clear_line(begun, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    done = limited("new", "other", folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        1, f"evidence: {tmp_path / 'other'}: cannot be written: File too large\n"
    )  # fmt: skip
    versions = ("diff", begun.root, begun.root, "--out", "c.md", "--project", begun.root)
    done = limited(*versions, folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        1, "evidence: --out c.md: cannot be written: File too large\n"
    )  # fmt: skip
    (tmp_path / "c.md").unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_one_clear_line(begun, capsys):
    out = begun.root / "references.bib" / "reports"
    assert cli.main(["report", "--project", str(begun.root), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    in_the_way = out.parent
    assert error.endswith(f"evidence: --out {out}: cannot be written: {in_the_way}: File exists\n")


def test_nothing_is_unpickled_or_evaluated():
    """What comes from files is read as text, CSV, JSON, BibTeX or safe YAML, and never run."""
    called = {"eval", "exec", "__import__", "read_pickle", "unsafe_load", "full_load"}
    imported = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
    found = []
    for path in sorted(Path(evidence.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = set()
            if isinstance(node, ast.Call):
                names = {getattr(node.func, "id", ""), getattr(node.func, "attr", "")} & called
            elif isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names} & imported
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]} & imported
            found += [f"{path.name}:{node.lineno} {name}" for name in names]
    assert not found
