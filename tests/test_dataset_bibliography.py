"""The bibliography: names, accents, addresses and labels as they are read."""

import pytest

from evidence.dataset.bibliography import read_bibliography


@pytest.fixture
def read(tmp_path):
    def reader(text):
        path = tmp_path / "references.bib"
        path.write_text(text, "utf-8")
        return next(iter(read_bibliography(path).values()))

    return reader


def entry(**fields):
    values = {"author": "{Doe, Ann}", "title": "{T}", "year": "{2000}"} | fields
    return "@article{k, " + ", ".join(f"{name} = {value}" for name, value in values.items()) + "}"


@pytest.mark.parametrize(
    ("author", "names"),
    [
        ("{Doe, Ann B.}", [("Doe", "Ann B.")]),
        ("{Ann B. Doe}", [("Doe", "Ann B.")]),
        ("{{World Health Organization}}", [("World Health Organization", "")]),
        ("{{Drug Agency, Department of Law}}", [("Drug Agency, Department of Law", "")]),
        ("{de Jong, Loek and Müller-Lüdenscheidt, Jean-Paul}",
         [("de Jong", "Loek"), ("Müller-Lüdenscheidt", "Jean-Paul")]),
        (r"{M{\"u}ller, J\'er\^ome}", [("Müller", "Jérôme")]),
        ("{Van Dam, Nicholas T.}", [("Van Dam", "Nicholas T.")]),
        ("{Doe, Ann and others}", [("Doe", "Ann")]),
    ],
)  # fmt: skip
def test_names(read, author, names):
    reference = read(entry(author=author))
    assert [(author.last, author.first) for author in reference.authors] == names


def test_others_are_remembered_as_more_authors(read):
    reference = read(entry(author="{Doe, Ann and others}"))
    assert reference.more_authors


def test_ampersand_percent_and_address_survive(read):
    reference = read(entry(title=r"{Drugs in R&D \& 100\% more}", url="{https://a.b/c_d?x=%20&y}"))
    assert reference.title == "Drugs in R&D & 100% more"
    assert reference.url == "https://a.b/c_d?x=%20&y"


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({"doi": "{10.1000/x}", "pmid": "1", "url": "{https://a.b}"}, "https://doi.org/10.1000/x"),
        ({"pmid": "{12}", "url": "{https://a.b}"}, "https://pubmed.ncbi.nlm.nih.gov/12/"),
        ({"url": "{https://a.b}"}, "https://a.b"),
        ({}, ""),
    ],
)
def test_the_most_lasting_address_is_linked(read, fields, link):
    assert read(entry(**fields)).link == link


def test_label_leaves_out_an_unknown_date(read):
    assert read(entry(year="{n.d.}")).label == "Doe"
    assert read(entry()).label == "Doe 2000"
