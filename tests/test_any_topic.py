"""The package knows no topic: every notebook runs on trials of a vaccine, and on what `new` writes.

The trials are the thirteen of dat.bcg (Colditz 1994), counts as in reference/metafor/values.json.
"""

import json
import os
import re
import stat
from zipfile import ZipFile

import nbformat
import numpy as np
import pytest

from evidence import cli
from evidence.analysis.checks import check_consistency
from evidence.build.build import BuildOptions, build_reports, find_notebooks
from evidence.build.new_project import create_project
from evidence.dataset import schema
from evidence.dataset.dataset import read_dataset
from evidence.dataset.project_folder import EXAMPLE
from evidence.errors import EvidenceError, ReportError
from evidence.notebook import locate
from evidence.notebook.requirements import unmet_needs
from tests.absolute_phrases import absolute_phrases
from tests.conftest import NAMES, ROOT, Project
from tests.example_trials import BCG, YEARS, arm, described
from tests.shipped_words import ORDINARY, words_in, words_of

NAMED = ("journals.csv", "journal_words.csv", "methods.bib")
"""Names of journals and titles of works are names, whatever their topic."""
SOURCES = [
    path
    for folder, kinds in ((ROOT / "src", "*"), (ROOT / "notebooks", "*.ipynb"))
    for path in sorted(folder.rglob(kinds))
    if path.is_file() and path.suffix not in (".pyc", ".ttf") and path.name not in NAMED
]


WITHOUT_MORE_TABLES = [
    name for name in NAMES if name not in ("03_dose_response", "05_claims", "09_reading_list")
]
"""The notebooks that need no doses, claims or readings."""


def vaccine_trials(root):
    """Thirteen trials with their allocation, and their latitude as a note."""
    project = Project(root)
    for path in (*project.path("data").iterdir(), project.path("references.bib")):
        path.unlink()
    project.table(
        schema.OUTCOMES, outcome="tuberculosis", kind="harm", better="lower",
        description="Share of people who caught it",
    )  # fmt: skip
    counts, entries = BCG["studies"], ""
    for number, year in enumerate(YEARS):
        study, allocation = f"trial{number + 1}", BCG["by_allocation"]["allocation"][number]
        entries += f"@article{{{study}, author = {{Trial {number + 1}}}, year = {{{year}}},\n"
        entries += "  title = {One of thirteen trials}}\n"
        by_chance = allocation == "random"
        design = {
            "label": f"Trial {number + 1}",
            "randomised": "yes" if by_chance else "no",
            "design": "randomised parallel" if by_chance else "non-randomised controlled",
            "treatment": "vaccine",
            "comparator": "nothing",
            "comparator_kind": "none",
            "note": f"{allocation} allocation, latitude {BCG['on_latitude']['latitude'][number]}",
        }
        project.table(schema.DESIGNS, **described(study, **design))
        for name, role, at in (("vaccine", "intervention", "1"), ("nothing", "comparator", "2")):
            cells = [int(counts[f"{column}{at}"][number]) for column in ("events", "n")]
            about = {"condition": "exposure to tuberculosis", "outcome": "tuberculosis"}
            project.row(**arm(study, name, role, *cells, **about))
    project.path("references.bib").write_text(entries, "utf-8")
    return project


@pytest.fixture(scope="module")
def vaccine_reports(tmp_path_factory):
    """Every notebook on the trials; read only."""
    project = vaccine_trials(tmp_path_factory.mktemp("topic") / "vaccine")
    assert [f for f in check_consistency(project.dataset()) if f.counts] == []
    return build_reports(project.root, parameters={"allow_nonrandomised": True}).folder


def read_page(page):
    """What a reader of a page can read or hear, and its links; without style and pictures."""
    text = page.read_text("utf-8")
    text = re.sub(r"<(style|script)\b.*?</\1>|data:image/[^\"']*", " ", text, flags=re.DOTALL)
    words = re.sub(r"</?(a|span|em|strong|code)\b[^>]*>", "", text)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", words)), text


def test_every_notebook_runs_on_another_topic(vaccine_reports):
    manifest = json.loads((vaccine_reports / "manifest.json").read_text("utf-8"))
    assert list(manifest["reports"]) == WITHOUT_MORE_TABLES
    for name in WITHOUT_MORE_TABLES:
        book = nbformat.read(vaccine_reports / "notebooks" / f"{name}.ipynb", as_version=4)
        outputs = [o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs]
        assert outputs
        assert {output.output_type for output in outputs} <= {"display_data", "execute_result"}


def test_the_pool_on_its_page_is_metafors(vaccine_reports):
    theirs = BCG["RR"]["REML|knha"]
    numbers = [f"{np.exp(theirs[key]):.2f}" for key in ("estimate", "ci_low", "ci_high")]
    assert numbers == ["0.49", "0.33", "0.73"]
    text, _ = read_page(vaccine_reports / "07_synthesis.html")
    assert (
        "Pooled over 13 studies (random effects, REML, Knapp-Hartung, not narrower than Wald): risk ratio of "
        "tuberculosis {} (95% CI {} to {})".format(*numbers)
    ) in text
    # Twice: of the only kind of comparator, and of the only kind of blinding (not stated).
    pooled = [
        entry["value"]
        for name, entry in json.loads((vaccine_reports / "values.json").read_text("utf-8")).items()
        if name.startswith("07_synthesis/pool") and entry["text"] == numbers[0]
    ]
    assert pooled == pytest.approx([np.exp(theirs["estimate"])] * 2, rel=1e-6)


def test_the_index_says_what_a_trial_found_on_a_harm(vaccine_reports):
    text, _ = read_page(vaccine_reports / "index.html")
    assert "4 of 123 (3.3%) with vaccine, 11 of 139 (7.9%) with nothing" in text
    assert "Tuberculosis at a glance" in text


def test_the_index_names_its_topic_and_reader_and_is_no_advice(vaccine_reports):
    text, html = read_page(vaccine_reports / "index.html")
    title = "Vaccine for exposure to tuberculosis: what is known and what is not"
    assert f"<h1>{title}</h1>" in html
    assert (
        "This page sums up the studies in the tables, for readers who want to know what they found "
        "and how certain that is; it is not medical advice."
    ) in text


def test_no_page_of_another_topic_holds_a_word_of_the_shipped_data(vaccine_reports, shipped):
    words = words_of(shipped)
    for page in sorted(vaccine_reports.glob("*.html")):
        assert words_in(read_page(page)[1], words) == [], page.name
    for path in sorted((vaccine_reports / "figures").glob("*.svg")):
        assert words_in(re.sub(r"<[^>]+>", " ", path.read_text("utf-8")), words) == [], path.name


def test_no_page_of_another_topic_states_what_nobody_can_know(vaccine_reports):
    for page in sorted(vaccine_reports.glob("*.html")):
        assert absolute_phrases(read_page(page)[0]) == [], page.name


def test_the_first_figure_is_the_comparison_with_its_pooled_estimate(vaccine_reports):
    text, html = read_page(vaccine_reports / "index.html")
    assert re.findall(r'id="(fig-[^"]*)"', html)[0] == "fig-forest-by-comparator"
    assert "Tuberculosis, by comparator." in text


def test_no_page_of_a_topic_without_a_guide_speaks_of_one(vaccine_reports):
    for page in sorted(vaccine_reports.glob("*.html")):
        text = read_page(page)[0]
        assert re.findall(r".{40}\bguide\b.{20}", text) == [], page.name


def test_a_report_without_anything_to_say_is_not_built(vaccine_reports):
    text, _ = read_page(vaccine_reports / "index.html")
    assert "Not built, because the tables hold nothing for them yet:" in text
    assert "It needs data/claims.csv." in text
    assert not (vaccine_reports / "05_claims.html").exists()
    with pytest.raises(ReportError, match=r"05_claims: needs data/claims\.csv, which has no entry"):
        build_reports(vaccine_reports.parent, options=BuildOptions(only=["claims"]))


@pytest.mark.parametrize(
    ("file", "content", "is_met"),
    [
        ("studies.csv", "study,dose\nbaker1990,0.5\n", True),
        ("studies.csv", "study,dose\nbaker1990,\n", False),
        ("studies.csv", "\ufeffsep=;\nStudy;Dose\nbaker1990;0,5\n", True),
        ("studies.csv", "study\tdose\nbaker1990\t0.5\n".encode("utf-16"), True),
        ("studies.xlsx", b"PK", True),
        ("designs.csv", "study\nbaker1990\n", False),
    ],
)
def test_what_a_notebook_needs_is_found_as_spreadsheets_write_it(tmp_path, file, content, is_met):
    notebook = tmp_path / "10_doses.ipynb"
    notebook.write_text(
        json.dumps({"metadata": {"evidence": {"needs": ["data/studies.csv:dose"]}}})
    )
    (tmp_path / "data").mkdir()
    raw = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "data" / file).write_bytes(raw)
    assert unmet_needs(notebook, tmp_path) == (() if is_met else ("data/studies.csv:dose",))


def test_the_package_knows_no_word_of_the_shipped_data(shipped):
    words = words_of(shipped)
    assert {"ketamine", "depression", "ptsd", "madrs", "response", "zarate2006"} <= words
    words_by_line = {
        f"{path.relative_to(ROOT)}:{number}": shipped_words
        for path in SOURCES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if (shipped_words := words_in(line, words))
    }
    assert words_by_line == {}


def test_every_word_allowed_is_one_of_the_data(shipped):
    """An allowance that nothing needs any longer goes."""
    assert set(ORDINARY) <= words_of(shipped, allowed=())


def test_a_new_project_is_checked_and_reported_at_once(tmp_path, capsys):
    target = tmp_path / "my topic"
    assert cli.main(["new", str(target)]) == 0
    assert f"evidence report --project '{target}'" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my topic"]
    assert cli.main(["check", "--project", str(target)]) == 0
    assert "2 studies" in capsys.readouterr().out
    assert cli.main(["report", "--project", str(target), "--only", "comparison"]) == 0
    text, _ = read_page(target / "reports" / "02_comparison.html")
    assert "18/24" in text
    assert cli.main(["cite", "fig-shares", "--project", str(target)]) == 0
    assert "An invented example of an evidence project" in capsys.readouterr().out


def test_the_template_has_a_valid_explained_row_for_each_kind_of_result(tmp_path):
    root = create_project(tmp_path / "new")
    studies = root / schema.STUDIES.file
    header, *rows = (root / "studies-template.csv").read_text("utf-8").splitlines()
    assert header == ",".join(schema.STUDIES.names)
    studies.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    outcomes = root / schema.OUTCOMES.file
    row = '"days afloat",benefit,higher,,,,,Invented example: days until it sank'
    outcomes.write_text(outcomes.read_text("utf-8") + row + "\n", "utf-8")
    dataset = read_dataset(root)
    assert [finding for finding in check_consistency(dataset) if finding.counts] == []
    kinds = dataset.reported_results["note"].str.partition(":")[0]
    assert list(kinds) == [
        "COUNT", "PROPORTION", "MEAN", "CHANGE", "EFFECT WITH CI", "DIRECTION ONLY",
    ]  # fmt: skip


def test_a_command_explains_the_columns_of_a_table(capsys):
    assert cli.main(["columns", "outcomes"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("data/outcomes.csv: a row is one outcome.")
    assert "better * which direction is good; one of: higher, lower, neither" in text
    assert cli.main(["columns", "outcome"]) == 2
    assert "Did you mean 'outcomes'?" in capsys.readouterr().err


def test_the_example_says_everywhere_that_it_is_invented():
    dataset = read_dataset(EXAMPLE)
    assert dataset.reported_results["study"].nunique() == 2
    for table in (dataset.reported_results, dataset.designs):
        for column in ("population", "locator", "note"):
            assert table[column].str.contains("invented", case=False).all(), column
    assert (
        dataset.designs[["label", "caveat"]]
        .apply(lambda c: c.str.lower())
        .map(lambda cell: "invented" in cell)
        .all(axis=None)
    )
    assert all("invented" in source.title for source in dataset.bibliography.values())
    assert all("Invented" in text for text in dataset.outcomes["description"])
    for name in ("README.md", "CITATION.cff", "LICENSE-DATA"):
        assert "invented" in (EXAMPLE / name).read_text("utf-8"), name


def test_a_new_project_may_take_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    root = create_project(tmp_path / "empty", notebooks=True)
    assert [path.stem for path in sorted((root / "notebooks").iterdir())] == NAMES
    assert stat.S_IMODE(root.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("full", "is not empty. Name an empty folder or a new one"),
        ("file", "is a file. Name a folder that does not exist yet"),
        ("not/there", "does not exist. Create this folder first"),
        ("a" * 300, "cannot be written: File name too long"),
    ],
)
def test_a_folder_that_cannot_hold_a_new_project_is_refused(tmp_path, capsys, name, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["new", str(tmp_path / name)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_half_written_is_left_when_writing_fails(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(EvidenceError, match="cannot be written"):
        create_project(tmp_path / "new", notebooks=True)
    assert list(tmp_path.iterdir()) == []


def test_a_project_s_notebook_takes_the_place_of_the_package_s(tmp_path):
    root = create_project(tmp_path / "new")
    assert list(find_notebooks(root)) == NAMES
    (root / "notebooks").mkdir()
    own = root / "notebooks" / "02_comparison.ipynb"
    further = root / "notebooks" / "10_further.ipynb"
    for path in (own, further):
        path.write_bytes((ROOT / "notebooks" / "02_comparison.ipynb").read_bytes())
    notebooks = find_notebooks(root)
    assert list(notebooks) == [*NAMES, "10_further"]
    assert (notebooks["02_comparison"], notebooks["10_further"]) == (own, further)
    assert notebooks["01_studies"].parent == locate.BESIDE_THE_SOURCE


def test_a_wheel_holds_notebooks_and_example(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    inside = {name for name in ZipFile(wheel).namelist() if name.startswith("evidence/")}
    assert {f"evidence/notebooks/{name}.ipynb" for name in NAMES} <= inside
    example = {path.relative_to(EXAMPLE) for path in EXAMPLE.rglob("*") if path.is_file()}
    assert {f"evidence/example/{path.as_posix()}" for path in example} <= inside
