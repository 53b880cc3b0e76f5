"""A build from data to pages: what it writes, what it keeps, and what it refuses."""

import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from evidence import cli
from evidence.build.build import BuildOptions, build_reports, find_notebooks
from evidence.errors import ReportError
from tests.conftest import ROOT

FORMS = ("svg", "pdf", "eps", "png", "csv", "json", "bib")
NAMES = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
FIGURE = (
    "from evidence import lay_out_arm_comparison, tabulate_results",
    'report.figure(lay_out_arm_comparison(report.dataset, report.results, outcome="risen"))',
    "report.table(tabulate_results(report.dataset, report.results))",
)
ONLY = BuildOptions(only=["bread"])


@pytest.fixture(scope="module", autouse=True)
def figure_cache(tmp_path_factory):
    """A cache of these tests alone, most of which need a figure and not that it is drawn again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVIDENCE_STORE", str(tmp_path_factory.mktemp("figure-cache")))
        yield


@pytest.fixture
def bakery(project):
    """A project with a notebook of its own: one figure and one table."""
    project.notebook("10_bread", *FIGURE)
    return project


def build_command(project, *options):
    return cli.main(["report", "--project", str(project.root), "--only", "bread", *options])


def read_files(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def read_values(folder):
    return json.loads((folder / "values.json").read_text("utf-8"))


def test_every_shipped_notebook_shows_something_and_prints_nothing(report):
    for name in NAMES:
        book = nbformat.read(report / "notebooks" / f"{name}.ipynb", as_version=4)
        outputs = [o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs]
        assert outputs
        assert {output.output_type for output in outputs} <= {"display_data", "execute_result"}


def test_every_value_has_rows_that_exist(report, shipped):
    lines = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in shipped.checksums}
    entries = read_values(report)
    assert len(entries) > 500
    for name, entry in entries.items():
        for row in entry["rows"]:
            file, _, line = row.rpartition(":")
            assert 2 <= int(line) <= lines[file], name


class Page(HTMLParser):
    """The addresses, pictures and headings of a page."""

    def __init__(self):
        super().__init__()
        self.links, self.sources, self.images, self.levels = [], [], [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "img":
            self.images.append(values.get("alt", ""))
        if "src" in values:
            self.sources.append(values["src"][:5])
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))


@pytest.mark.parametrize("name", ["index", *NAMES])
def test_page_needs_no_network_and_its_links_exist(report, name):
    page = Page()
    page.feed((report / f"{name}.html").read_text("utf-8"))
    assert set(page.sources) <= {"data:"}
    for link in page.links:
        if not link.startswith(("https://", "http://", "#")):
            assert (report / link.partition("#")[0]).is_file(), link
    assert all(len(alt) > 40 for alt in page.images)
    assert page.levels[0] == 1
    steps = zip(page.levels, page.levels[1:], strict=False)
    assert all(level - previous <= 1 for previous, level in steps)


def test_no_path_of_this_machine_is_in_the_reports(report):
    for path in report.rglob("*"):
        if path.suffix in (".html", ".json", ".csv", ".ipynb", ".svg"):
            assert str(ROOT) not in path.read_text("utf-8"), path.name


def test_manifest_states_the_inputs_and_all_parameters(bakery):
    result = build_reports(bakery.root, parameters={"confidence": 0.9}, options=ONLY)
    manifest = json.loads((result.folder / "manifest.json").read_text("utf-8"))
    assert manifest["inputs"] == bakery.dataset().checksums
    assert manifest["reports"]["10_bread"]["parameters"] == {
        "scope": "core", "conditions": [], "outcomes": [], "confidence": 0.9
    }  # fmt: skip
    assert (result.figures, result.values) == (1, len(read_values(result.folder)))


def test_papermill_alone_gives_the_same_numbers_from_another_folder(bakery, tmp_path):
    notebook = bakery.path("notebooks/10_bread.ipynb")
    result = build_reports(bakery.root, options=ONLY)
    command = [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", "--no-progress-bar"]
    options = ["-p", "out", str(tmp_path / "out"), "-p", "project", str(bakery.root)]
    subprocess.run([*command, *options], cwd=tmp_path, check=True, capture_output=True)
    alone = json.loads((tmp_path / "out" / "values" / "10_bread.json").read_text("utf-8"))
    values = read_values(result.folder)
    assert alone["values"]
    for name, entry in alone["values"].items():
        assert values[f"10_bread/{name}"] == entry


def test_same_inputs_give_the_same_bytes_in_another_folder_and_time_zone(bakery, monkeypatch):
    """Pages, figures in all forms, values, manifest and the executed notebook."""
    monkeypatch.setenv("EVIDENCE_STORE", "")
    builds = []
    new_root = bakery.root.with_name("a longer path") / "bread"
    new_root.parent.mkdir()
    for folder, zone in ((bakery.root, "UTC"), (new_root, "Pacific/Auckland")):
        if folder == new_root:
            bakery.root.rename(new_root)
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        out = folder.with_name(f"{zone[:3]} reports")
        options = BuildOptions(only=["bread"], formats="all")
        builds.append(read_files(build_reports(folder, out=out, options=options).folder))
    monkeypatch.undo()
    time.tzset()
    assert builds[0] == builds[1]
    forms = {Path(name).suffix for name in builds[0]}
    assert forms == {".html", ".ipynb", ".js", ".json", *(f".{form}" for form in FORMS), ".tiff"}


def test_only_keeps_the_other_reports(bakery):
    table = "from evidence import tabulate_studies"
    call = "report.table(tabulate_studies(report.dataset, report.results))"
    bakery.notebook("11_again", table, call)
    build_reports(bakery.root, options=BuildOptions(only=["bread", "again"]))
    before = read_files(bakery.path("reports"))
    bakery.notebook("11_again", "report.results")
    result = build_reports(bakery.root, options=BuildOptions(only=["again"]))
    assert result.reports == ("10_bread", "11_again")
    assert result.reasons == {"11_again": "its notebook was edited"}
    after = read_files(bakery.path("reports"))
    gone = {f"tables/tab-studies{ending}" for ending in (".bib", ".csv", ".json", ".html")}
    assert before.keys() - after.keys() == gone | {"tables/tab-studies-embed.html"}
    for name in ("10_bread", "figures/fig-risen-embed", "tables/tab-results-embed"):
        assert before[f"{name}.html"] == after[f"{name}.html"]
    link = b"../11_again.html#tab-studies-baker1990"
    is_linked = [link in files["figures/fig-risen.html"] for files in (before, after)]
    assert is_linked == [True, False], "the table to which the page led is gone"


def test_only_refuses_a_folder_of_other_parameters(bakery):
    bakery.notebook("11_again", "len(report.results)")
    build_reports(bakery.root, parameters={"conditions": ["bread"]}, options=ONLY)
    before = read_files(bakery.path("reports"))
    only = BuildOptions(only=["again"])
    with pytest.raises(ReportError, match=r'was built with conditions=\["bread"\], but 11_again'):
        build_reports(bakery.root, options=only)
    assert read_files(bakery.path("reports")) == before
    same = build_reports(bakery.root, parameters={"conditions": ["bread"]}, options=only)
    assert "10_bread" in same.reports
    elsewhere = build_reports(bakery.root, out=bakery.path("cakes"), options=only)
    assert elsewhere.reports == ("11_again",)


def test_notebooks_are_chosen_by_the_beginning_of_their_names(bakery):
    assert list(find_notebooks(bakery.root, ["bread"])) == ["10_bread"]
    assert list(find_notebooks(bakery.root, ["10_br", "notebooks/05_claims.ipynb"])) == [
        "05_claims", "10_bread"
    ]  # fmt: skip
    with pytest.raises(ReportError, match="--only nosuch: there is no such notebook"):
        find_notebooks(bakery.root, ["nosuch"])


def test_index_says_which_reports_show_part_of_the_data(bakery):
    result = build_reports(bakery.root, parameters={"conditions": ["bread"]}, options=ONLY)
    index = (result.folder / "index.html").read_text("utf-8")
    assert "Restricted to part of the data by parameters: 10_bread." in index


def test_failing_notebook_keeps_the_previous_report_and_the_traceback(bakery, capsys):
    assert build_command(bakery) == 0
    before = read_files(bakery.path("reports"))
    bakery.notebook("10_bread", *FIGURE, "1 / 0")
    capsys.readouterr()
    assert build_command(bakery) == 1
    errors = capsys.readouterr().err.rpartition("\r")[2]
    notebook = bakery.path("reports.failed/10_bread.ipynb")
    assert re.search(r"10_bread: cell \d failed: ZeroDivisionError: division by zero", errors)
    assert str(notebook) in errors
    assert "ZeroDivisionError" in notebook.read_text("utf-8")
    after = read_files(bakery.path("reports"))
    assert before["values.json"] == after["values.json"]
    assert before["10_bread.html"] == after["10_bread.html"]
    index = after["index.html"].decode()
    assert re.search(r"10_bread.*failed: ZeroDivisionError: division by zero", index)
    assert 'href="../reports.failed/10_bread.ipynb"' in index
    assert [path.name for path in bakery.root.iterdir() if path.name.startswith(".")] == []
    bakery.notebook("10_bread", *FIGURE)
    assert build_command(bakery) == 0
    assert not notebook.exists()


def test_two_reports_may_not_write_one_file_with_different_content(bakery):
    bakery.notebook(
        "11_again", FIGURE[0], FIGURE[2].replace("report.results)", "report.results[:1])")
    )
    with pytest.raises(ReportError, match="another report write this file with different content"):
        build_reports(bakery.root, options=BuildOptions(only=["bread", "again"]))
    assert not bakery.path("reports").exists()


def test_folder_of_something_else_is_never_replaced(bakery, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    for out, message in (
        (precious, "holds files that are not reports; choose another folder"),
        (bakery.root, "this folder holds the project; choose another one"),
        (bakery.path("references.bib"), "this is a file; choose a folder"),
    ):
        with pytest.raises(ReportError, match=message):
            build_reports(bakery.root, out=out, options=ONLY)
    assert (precious / "thesis.tex").read_text() == "years of work"


def test_broken_data_write_nothing(bakery, capsys):
    bakery.put("data/studies.csv", 3, events="40", as_printed="40/20")
    assert build_command(bakery) == 1
    assert "data/studies.csv:3" in capsys.readouterr().err
    assert not bakery.path("reports").exists()


def test_studies_and_bibliography_alone_are_enough(bakery):
    """A person who brings only the two files for another topic gets tables and charts."""
    for path in bakery.path("data").iterdir():
        if path.name != "studies.csv":
            path.unlink()
    result = build_reports(bakery.root, options=BuildOptions(only=["studies", "comparison"]))
    assert result.failures == {}
    assert (result.folder / "figures" / "fig-shares.svg").is_file()
