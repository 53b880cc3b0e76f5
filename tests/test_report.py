"""The whole run on the shipped data: pages, figures, values, and what happens when it fails."""

import json
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from evidence import cli
from evidence.build.build import BuildOptions, build_reports
from evidence.build.output_folder import MANIFEST, recover
from evidence.errors import ReportError

ROOT = Path(__file__).resolve().parents[1]
FORMS = ("svg", "pdf", "png", "csv", "json", "bib")
NAMES = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]


def values(folder):
    return json.loads((folder / "values.json").read_text("utf-8"))


def small_project(folder, *, notebook="05_claims"):
    """The shipped data with one notebook only, for runs that need not be complete."""
    shutil.copytree(ROOT / "data", folder / "data")
    shutil.copy(ROOT / "references.bib", folder)
    (folder / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / f"{notebook}.ipynb", folder / "notebooks")
    return folder


def test_every_notebook_runs_and_leaves_its_page(report):
    for name in NAMES:
        assert (report / f"{name}.html").stat().st_size > 5_000
        book = nbformat.read(report / "notebooks" / f"{name}.ipynb", as_version=4)
        outputs = [o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs]
        assert outputs
        assert not [o for o in outputs if o.output_type == "error"]
        assert not [o for o in outputs if o.output_type == "stream"], "a cell printed or warned"


def test_every_figure_stands_there_in_all_forms(report):
    found = {path.name for path in (report / "figures").iterdir()}
    for identity in ("shares", "abstinence", "dose-response", "durability", "claims", "gaps"):
        assert {f"fig-{identity}.{form}" for form in FORMS} <= found


def test_index_opens_with_what_the_three_studies_found(report):
    text = re.sub(r"<[^>]+>", " ", (report / "index.html").read_text("utf-8"))
    text = re.sub(r"\s+", " ", text)
    assert (
        text.index("What is known") < text.index("Certainty") < text.index("What remains unknown")
    )
    for said in (
        "12 of 17 (71%)",
        "73 of 111 (65.8%)",
        "24 of 100 (24.0%)",
        "ketamine 0.5 mg/kg and ketamine 1.0 mg/kg better than midazolam",
        "after correction p 0.14",
        "Where the guide and its sources part",
    ):
        assert said in text, said


def test_every_value_has_rows_that_exist(report, shipped):
    lines = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in shipped.checksums}
    entries = values(report)
    assert len(entries) > 500
    for name, entry in entries.items():
        for row in entry["rows"]:
            file, _, line = row.rpartition(":")
            assert 2 <= int(line) <= lines[file], name


def test_values_hold_the_headline_numbers_at_full_precision(report):
    entries = values(report)
    found = {name: entry["value"] for name, entry in entries.items()}
    shares = [
        value for name, value in found.items() if name.endswith("HDRS-21") or "estimate" in name
    ]
    assert 12 / 17 in shares
    ratio = [v for n, v in found.items() if n.startswith("02_comparison") and n.endswith(".rr")]
    assert any(abs(value - 2.7402402402402406) < 1e-12 for value in ratio)


class Links(HTMLParser):
    """Addresses, pictures and headings of a page."""

    def __init__(self):
        super().__init__()
        self.links, self.sources, self.images, self.levels = [], [], [], []
        self.scripts = 0

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "a":
            self.links.append(found["href"])
        if tag == "img":
            self.images.append(found.get("alt", ""))
        if "src" in found:
            self.sources.append(found["src"][:5])
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        self.scripts += tag == "script" and found.get("type") != "application/ld+json"


@pytest.mark.parametrize("name", ["index", *NAMES])
def test_page_needs_no_network_and_its_links_arrive(report, name):
    page = Links()
    page.feed((report / f"{name}.html").read_text("utf-8"))
    assert page.scripts == 1  # our own, by its digest in the policy of the page
    assert set(page.sources) <= {"data:"}
    for link in page.links:
        if not link.startswith(("https://", "http://", "#")):
            assert (report / link.partition("#")[0]).is_file(), link
    assert all(len(alt) > 40 for alt in page.images)
    assert page.levels[0] == 1
    assert all(
        after - before <= 1 for before, after in zip(page.levels, page.levels[1:], strict=False)
    )


def test_no_path_of_this_machine_is_in_the_reports(report):
    for path in report.rglob("*"):
        if path.suffix in (".html", ".json", ".csv", ".ipynb", ".svg"):
            assert str(ROOT) not in path.read_text("utf-8"), path.name


def test_manifest_says_what_the_run_was_made_from(report, shipped):
    manifest = json.loads((report / "manifest.json").read_text("utf-8"))
    assert manifest["inputs"] == shipped.checksums
    assert list(manifest["reports"]) == NAMES
    assert manifest["reports"]["02_comparison"]["parameters"] == {
        "scope": "guide",
        "conditions": [],
        "outcomes": [],
        "confidence": 0.95,
        "time_days": 0.0,
        "proportion_outcomes": [],
        "comparison_outcomes": [],
    }


def test_papermill_from_another_folder_gives_the_same_numbers(report, tmp_path):
    """The papermill way of the README, run as a person would, away from the project."""
    command = [
        sys.executable, "-m", "papermill", str(ROOT / "notebooks" / "02_comparison.ipynb"),
        "out.ipynb", "-p", "out", str(tmp_path / "kept"), "--no-progress-bar",
        "-y", 'conditions: ["depression", "alcohol dependence", "heroin dependence"]',
    ]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    alone = json.loads((tmp_path / "kept" / "values" / "02_comparison.json").read_text("utf-8"))
    whole = values(report)
    assert alone["values"]
    del alone["values"]["sources.counted.sources"]  # fewer conditions, fewer sources
    for name, entry in alone["values"].items():
        assert whole[f"02_comparison/{name}"] == entry


def test_only_carries_the_other_pages_over(report, tmp_path):
    out = tmp_path / "reports"
    shutil.copytree(report, out)
    made = build_reports(ROOT, out=out, options=BuildOptions(only=["claims"]))
    assert made.reports == tuple(NAMES)
    assert (out / "02_comparison.html").read_bytes() == (report / "02_comparison.html").read_bytes()
    assert set(values(out)) == set(values(report))
    for folder in ("figures", "tables"):
        kept = {path.name for path in (out / folder).iterdir()}
        assert kept == {path.name for path in (report / folder).iterdir()}


def test_unknown_notebook_and_unknown_condition_are_refused(tmp_path):
    with pytest.raises(ReportError, match="--only nosuch: is no notebook; there are 00_start"):
        build_reports(ROOT, out=tmp_path / "r", options=BuildOptions(only=["nosuch"]))
    assert cli.main(["report", "--project", str(ROOT), "--out", str(tmp_path / "r"),
                     "-p", "conditions=depresion"]) == 2  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_narrowed_run_says_so_and_keeps_other_conditions_out(tmp_path):
    project = small_project(tmp_path / "p", notebook="02_comparison")
    build_reports(
        project, parameters={"conditions": ["PTSD"]}, options=BuildOptions(only=["02_comparison"])
    )
    index = (project / "reports" / "index.html").read_text("utf-8")
    assert "Narrowed to part of the data by their parameters: 02_comparison." in index
    page = (project / "reports" / "02_comparison.html").read_text("utf-8")
    assert "Nothing to draw among these results." in page
    assert "Krupitsky" not in page


def test_same_inputs_give_the_same_bytes_in_another_folder_and_time_zone(tmp_path, monkeypatch):
    """Pages, figures in all forms, values, manifest and the executed notebook."""
    made = []
    for folder, zone in (("one", "UTC"), ("a/longer path", "Pacific/Auckland")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        project = small_project(tmp_path / folder, notebook="02_comparison")
        out = build_reports(project, options=BuildOptions(tiff=True, only=["02_comparison"])).folder
        made.append(
            {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
        )
    monkeypatch.undo()
    time.tzset()
    first, second = made
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    forms = {Path(name).suffix for name in first}
    assert forms == {".html", ".ipynb", ".json", *(f".{form}" for form in FORMS), ".tiff"}


def test_the_index_and_the_page_show_the_same_version(report):
    """The chart at the top of the index is the one of its page, printed id and all."""
    pattern = r'<figure id="fig-shares" data-version="([0-9a-f]{7})"'
    shown = [
        re.search(pattern, (report / f"{name}.html").read_text("utf-8"))[1]
        for name in ("index", "02_comparison")
    ]
    sidecar = json.loads((report / "figures" / "fig-shares.json").read_text("utf-8"))
    assert set(shown) == {sidecar["version"]}


def test_failing_notebook_keeps_the_old_reports_and_its_traceback(tmp_path, capsys):
    project = small_project(tmp_path)
    assert cli.main(["report", "--project", str(project), "--only", "claims"]) == 0
    page = (project / "reports" / "05_claims.html").read_text("utf-8")
    values = (project / "reports" / "values.json").read_bytes()
    path = project / "notebooks" / "05_claims.ipynb"
    book = nbformat.read(path, as_version=4)
    book.cells.insert(4, nbformat.v4.new_code_cell("1 / 0"))
    nbformat.write(book, path)
    capsys.readouterr()
    assert cli.main(["report", "--project", str(project), "--only", "claims"]) == 1
    error = capsys.readouterr().err
    first, second, *_ = error.rpartition("\r")[2].strip().splitlines()
    failed = r"evidence: 05_claims: cell \d failed: ZeroDivisionError: division by zero"
    assert re.fullmatch(failed, first)
    said = f"Notebook with the traceback: {project}/reports.failed/05_claims.ipynb"
    assert second == said
    kept = project / "reports.failed" / "05_claims.ipynb"
    assert "ZeroDivisionError" in kept.read_text("utf-8")
    assert (project / "reports" / "05_claims.html").read_text("utf-8") == page
    assert (project / "reports" / "values.json").read_bytes() == values
    index = (project / "reports" / "index.html").read_text("utf-8")
    assert re.search(r"05_claims, cell \d failed: ZeroDivisionError: division by zero", index)
    assert 'href="../reports.failed/05_claims.ipynb"' in index
    litter = [path.name for path in project.iterdir() if path.name.startswith(".")]
    assert litter == []


def test_interrupt_leaves_the_old_reports(tmp_path, monkeypatch, capsys):
    project = small_project(tmp_path)
    old = project / "reports"
    old.mkdir()
    (old / MANIFEST).write_text('{"reports": {}}')

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("papermill.execute_notebook", interrupted)
    assert cli.main(["report", "--project", str(project), "--only", "claims"]) == 130
    assert "stopped. The previous reports are unchanged." in capsys.readouterr().err
    assert [path.name for path in old.iterdir()] == [MANIFEST]
    assert not list(project.glob(".reports.*"))


def test_stop_between_the_two_renames_is_mended(tmp_path, monkeypatch):
    target = tmp_path / "reports"
    previous = tmp_path / ".reports.previous"
    previous.mkdir()
    (previous / MANIFEST).write_text("{}")
    recover(target)
    assert (target / MANIFEST).is_file()
    assert not previous.exists()


def test_a_folder_that_no_run_made_is_never_replaced(tmp_path):
    project = small_project(tmp_path)
    precious = project / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    for out, said in (
        (precious, "holds files that no report run made; name another folder"),
        (project, "holds the project itself; name a folder of its own"),
        (project / "references.bib", "is a file; name a folder"),
    ):
        with pytest.raises(ReportError, match=said):
            build_reports(project, out=out)
    assert (precious / "thesis.tex").read_text() == "years of work"


def test_broken_data_write_nothing_and_exit_1(tmp_path, capsys):
    project = small_project(tmp_path)
    path = project / "data" / "studies.csv"
    path.write_text(path.read_text("utf-8").replace(",73,", ",733,", 1), "utf-8")
    assert cli.main(["report", "--project", str(project), "--only", "claims"]) == 1
    error = capsys.readouterr().err
    assert re.search(r"data/studies\.csv:\d+ events: 733 is more than n \(111\)", error)
    assert error.endswith("2 problems found. Nothing was written.\n")
    assert not (project / "reports").exists()


def test_check_says_what_it_read(capsys):
    assert cli.main(["check", "--project", str(ROOT)]) == 0
    assert "0 errors, " in capsys.readouterr().out


def test_three_lines_at_the_end(tmp_path, capsys):
    project = small_project(tmp_path)
    assert cli.main(["report", "--project", str(project), "--only", "claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 report built, 0 up to date (")
    assert [line.split(":")[0] for line in lines[1:]] == ["folder", "open"]
    assert lines[2].endswith("index.html")


@pytest.mark.parametrize("command", sorted(cli.evidence.commands))
def test_help_has_an_example(command, capsys):
    assert cli.main([command, "--help"]) == 0
    assert f"evidence {command}" in capsys.readouterr().out.split("Examples:")[1]


def test_misuse_exits_with_2(capsys):
    assert cli.main(["repport"]) == 2
    assert "No such command 'repport'. (Did you mean" in capsys.readouterr().err


def test_studies_and_bibliography_alone_are_enough(tmp_path):
    """A person who brings only the two files for another topic gets the tables and the charts."""
    project = small_project(tmp_path, notebook="01_studies")
    for name in ("02_comparison", "06_unknowns"):
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", project / "notebooks")
    for path in (project / "data").iterdir():
        if path.name != "studies.csv":
            path.unlink()
    made = build_reports(project, options=BuildOptions(only=["studies", "comparison", "unknowns"]))
    assert len(made.reports) == 3
    assert (project / "reports" / "figures" / "fig-shares.svg").is_file()
