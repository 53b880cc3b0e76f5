"""Studies and sources with the same label are told apart by letters, wherever they are printed."""

import pytest

from evidence.analysis.pooling.pooled_estimate import meta_analyse
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.dataset.citations.apa import format_apa
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.dataset.dataset import read_dataset
from evidence.figures.forest_plot import lay_out_forest
from evidence.tables.studies import tabulate_studies

ENTRY = "@article{{{key}, author = {{{author}}}, title = {{{title}}}, year = {{{year}}}}}\n"


def cite(project, *sources):
    """Add sources: key, author, title and year."""
    for key, author, title, year in sources:
        entry = ENTRY.format(key=key, author=author, title=title, year=year)
        project.append("references.bib", entry)


@pytest.fixture
def smiths(vaccine):
    """The thirteen trials, of which the first two are by Smith, 2001, and nothing names them."""
    vaccine.path(schema.DESIGNS.file).unlink()
    for number, letter in enumerate("ba"):
        old = f"@article{{trial{number}, author = {{Writer, Ann}}, title = {{T}}"
        new = f"@article{{trial{number}, author = {{Smith, J}}, title = {{T{letter}}}"
        vaccine.replace("references.bib", old, new)
    for year in ("1948", "1949"):
        vaccine.replace("references.bib", f"{{{year}}}", "{2001}")
    return vaccine


def test_letters_follow_the_keys_as_in_the_list_of_references(smiths):
    dataset = read_dataset(smiths.root)
    assert [dataset.label(f"trial{n}") for n in range(3)] == [
        "Smith 2001a", "Smith 2001b", "Writer 1960",
    ]  # fmt: skip
    source = dataset.bibliography["trial0"]
    assert format_apa(source) == "Smith, J. (2001a). Tb."
    assert "2001a" not in format_vancouver(source)


def test_every_product_prints_the_letters(smiths):
    dataset = read_dataset(smiths.root)
    results = select_results(dataset)
    pooled = meta_analyse(dataset, results, outcome="infection", measure="rr")
    printed = (
        [study["label"] for study in pooled.as_data()["studies"]],
        lay_out_forest(pooled).frame["label"],
        tabulate_studies(dataset, results).frame["study"],
    )
    for labels in printed:
        assert {"Smith 2001a", "Smith 2001b"} <= set(labels)


def test_labels_of_the_tables_are_told_apart_too(project):
    project.put("data/designs.csv", 3, label="Baker")
    dataset = project.dataset()
    assert list(dataset.designs["label"]) == ["Baker (a)", "Baker (b)"]
    # The bibliography tells them apart by their authors.
    assert format_apa(dataset.bibliography["miller2001"]).startswith("Miller, B., . . . (2001).")


def test_a_letter_that_another_label_has_is_skipped(project):
    cite(
        project, ("smith2001", "Smith, J", "One", "2001"), ("smith2001x", "Smith, J", "Two", "2001")
    )
    project.put("data/designs.csv", 2, label="Smith 2001a")
    dataset = project.dataset()
    assert dataset.label("smith2001") == "Smith 2001b"
    assert dataset.label("smith2001x") == "Smith 2001c"
    assert dataset.bibliography["smith2001x"].lettered_year == "2001c"


def test_sources_without_a_date_and_studies_that_a_table_names(project):
    cite(
        project,
        ("page1", "{A bakery}", "More bread", "n.d."),
        ("m2", "Miller, Bo and others", "U", "2001"),
    )
    dataset = project.dataset()
    assert dataset.label("guide") == "A bakery (a)"
    assert format_apa(dataset.bibliography["page1"]) == "A bakery. (n.d.-b). More bread."
    # designs.csv calls one of them Miller; a list of references still has to tell them apart.
    assert [dataset.label(key) for key in ("miller2001", "m2")] == ["Miller", "Miller 2001"]
    assert [dataset.bibliography[key].lettered_year for key in ("m2", "miller2001")] == [
        "2001a",
        "2001b",
    ]


def test_a_known_study_that_is_tabulated_has_the_label_of_its_study(project):
    known = {"design": "randomised parallel", "condition": "bread", "treatment": "yeast"}
    known |= {"listed_by": "miller2001", "locator": "Table 1"}
    project.table(schema.KNOWN_STUDIES, known_study="baker1990b", study="baker1990",
                  label="Baker 1990b", status="tabulated", **known)  # fmt: skip
    project.table(schema.KNOWN_STUDIES, known_study="miller1999", label="Miller", status="wanted",
                  **known)  # fmt: skip
    dataset = project.dataset()
    assert list(dataset.known_studies["label"]) == ["Baker", "Miller (a)"]
    assert dataset.label("miller2001") == "Miller (b)"
