"""Reference styles. Expected texts are written by hand after Citing Medicine and APA 7."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from unicodedata import normalize

import pytest
import rispy
from hypothesis import given
from hypothesis import strategies as some

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import (
    Reference,
    build_reference,
    parse_bibliography,
    read_bibliography,
)
from evidence.dataset.citations import STYLES
from evidence.dataset.citations.apa import format_apa, format_apa_markdown
from evidence.dataset.citations.journal_names import abbreviate_journal
from evidence.dataset.citations.reference_parts import page_range
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.exchange.references import read_references


def source(**values) -> Reference:
    """A reference with the fields that are given, an article unless said otherwise."""
    blank = {field.name: "" for field in fields(Reference)}
    rest = {"key": "k", "kind": "article", "authors": (), "more_authors": False, "line": 1}
    rest["editors"] = ()
    return Reference(**blank | rest | values)


def doe(count: int) -> tuple[Author, ...]:
    """People called Doe A, Doe B, … with Ann as their first name."""
    return tuple(Author(f"Doe{chr(65 + number)}", "Ann") for number in range(count))


def sole(style: str, reference: Reference) -> str:
    return STYLES[style]([reference]).strip()


# As PubMed prints it for 16894061.
ZARATE = source(
    key="zarate2006", year="2006", volume="63", number="8", pages="856–864",
    title="A randomized trial of an N-methyl-D-aspartate antagonist in treatment-resistant major "
    "depression",
    container="Archives of General Psychiatry", doi="10.1001/archpsyc.63.8.856", pmid="16894061",
    authors=(
        Author("Zarate", "Carlos A.", suffix="Jr"), Author("Singh", "Jaskaran B."),
        Author("Carlson", "Paul J."), Author("Brutsche", "Nancy E."), Author("Ameli", "Rezvan"),
        Author("Luckenbaugh", "David A."), Author("Charney", "Dennis S."),
        Author("Manji", "Husseini K."),
    ),
)  # fmt: skip
WHO = source(
    kind="techreport", authors=(Author("World Health Organization"),), year="2019",
    title="Model list of essential medicines", container="World Health Organization",
    number="WHO/MVP/EMP/IAU/2019.06", url="https://example.org/list",
)  # fmt: skip
THESIS = source(
    kind="phdthesis", authors=(Author("Müller", "Jürgen"),), year="2011",
    title="Does it rise?", container="University of Kraków",
)  # fmt: skip
CHAPTER = source(
    kind="incollection", authors=(Author("de la Cruz", "Juan", particle="de la"),), year="1999",
    title="Flour", container="A book of bread", pages="12–19",
)  # fmt: skip
WEBPAGE = source(
    kind="misc", authors=(Author("Food and Drug Administration"),), year="n.d.",
    title="Warnings", container="Food and Drug Administration", url="https://example.org/a_b?x=1",
)  # fmt: skip
BOOK = source(
    kind="book", authors=(Author("Higgins", "Julian P. T."), Author("Łukasz", "Żaneta")),
    year="2009", title="Introduction", container="Wiley",
)  # fmt: skip


SOURCES = [
    replace(reference, key=f"source{number}")
    for number, reference in enumerate((ZARATE, WHO, THESIS, CHAPTER, WEBPAGE, BOOK))
]


def expected() -> Iterator[tuple[Reference, dict[str, str]]]:
    """Yield the references that were written by hand, and how each style writes them."""
    text = (Path(__file__).parent / "data" / "references.txt").read_text("utf-8")
    for block in text.split("\n\n")[1:]:
        entry, *lines = block.strip().split("\n")
        (reference,) = parse_bibliography(entry.encode()).values()
        yield reference, dict(line.split(": ", 1) for line in lines)


EXPECTED = list(expected())


@pytest.mark.parametrize(("label", "style"), [("APA", "apa"), ("VAN", "vancouver"), ("AMA", "ama")])
@pytest.mark.parametrize(("reference", "lines"), EXPECTED, ids=[r.key for r, _ in EXPECTED])
def test_styles_write_what_their_manuals_want(reference, lines, label, style):
    assert sole(style, reference) == lines[label]


@pytest.mark.parametrize("style", ["bibtex", "ris", "csl-json", "csv"])
@pytest.mark.parametrize("reference", [r for r, _ in EXPECTED], ids=lambda r: r.key)
def test_formats_come_back_as_the_same_reference(reference, style):
    """Whatever a style prints of a reference it prints of the one that is read back."""
    _, (entry,) = read_references(STYLES[style]([reference]), "export")
    back = build_reference(entry)
    for text_style in ("apa", "vancouver", "ama"):
        assert sole(text_style, back) == sole(text_style, reference)


@pytest.mark.parametrize(
    ("reference", "written"),
    [
        (ZARATE, "Zarate CA Jr, Singh JB, Carlson PJ, Brutsche NE, Ameli R, Luckenbaugh DA, et al. "
         "A randomized trial of an N-methyl-D-aspartate antagonist in treatment-resistant major "
         "depression. Arch Gen Psychiatry. 2006;63(8):856-64. "
         "doi: 10.1001/archpsyc.63.8.856. PMID: 16894061."),
        (WHO, "World Health Organization. Model list of essential medicines. World Health "
         "Organization; 2019. Report No.: WHO/MVP/EMP/IAU/2019.06. "
         "Available from: https://example.org/list"),
        (THESIS, "Müller J. Does it rise? [dissertation]. University of Kraków; 2011."),
        (CHAPTER, "de la Cruz J. Flour. In: A book of bread; 1999. p. 12-9."),
        (WEBPAGE, "Food and Drug Administration. Warnings [Internet]. Food and Drug "
         "Administration; [date unknown]. Available from: https://example.org/a_b?x=1"),
        (BOOK, "Higgins JPT, Łukasz Ż. Introduction. Wiley; 2009."),
    ],
    ids=["article", "report", "thesis", "chapter", "page", "book"],
)  # fmt: skip
def test_vancouver(reference, written):
    assert format_vancouver(reference) == written


@pytest.mark.parametrize(
    ("reference", "written"),
    [
        (ZARATE, "Zarate, C. A., Jr, Singh, J. B., Carlson, P. J., Brutsche, N. E., Ameli, R., "
         "Luckenbaugh, D. A., Charney, D. S., & Manji, H. K. (2006). A randomized trial of an "
         "N-methyl-D-aspartate antagonist in treatment-resistant major depression. *Archives of "
         "General Psychiatry*, *63*(8), 856–864. <https://doi.org/10.1001/archpsyc.63.8.856>"),
        (WHO, "World Health Organization. (2019). *Model list of essential medicines* (Report No. "
         "WHO/MVP/EMP/IAU/2019.06). <https://example.org/list>"),
        (THESIS, "Müller, J. (2011). *Does it rise?* [Doctoral dissertation, University of "
         "Kraków]."),
        (CHAPTER, "de la Cruz, J. (1999). Flour. In *A book of bread* (pp. 12–19)."),
        (WEBPAGE, "Food and Drug Administration. (n.d.). *Warnings*. "
         "<https://example.org/a_b?x=1>"),
        (BOOK, "Higgins, J. P. T., & Łukasz, Ż. (2009). *Introduction*. Wiley."),
    ],
    ids=["article", "report", "thesis", "chapter", "page", "book"],
)  # fmt: skip
def test_apa(reference, written):
    """In Markdown it has the italics; as plain text it is the same without them."""
    assert format_apa_markdown(reference) == written
    bare = written.replace("*", "").replace("<", "").replace(">", "").replace("\\", "")
    assert format_apa(reference) == bare


@pytest.mark.parametrize(
    ("pages", "short", "long"),
    [
        # The first five as in the indexing manual of the National Library of Medicine, 10.2.
        ("12–19", "12-9", "12–19"),
        ("21–30", "21-30", "21–30"),
        ("304–310", "304-10", "304–310"),
        ("645-648", "645-8", "645–648"),
        ("1199–1205", "1199-205", "1199–1205"),
        ("1–10", "1-10", "1–10"),
        ("99–101", "99-101", "99–101"),
        ("856–64", "856-64", "856–864"),
        ("856 – 864", "856-64", "856–864"),
        ("e1–e9", "e1-9", "e1–e9"),
        ("e858-e861", "e858-61", "e858–e861"),
        ("S12–S15", "S12-5", "S12–S15"),
        ("S12–15", "S12-5", "S12–S15"),
        ("126A–127A", "126A-127A", "126A–127A"),
        ("5–5", "5", "5–5"),
        ("34–6, 87–91", "34-6, 87-91", "34–6, 87–91"),
        ("280", "280", "280"),
        ("e0193972", "e0193972", "Article e0193972"),
        ("18r12475", "18r12475", "Article 18r12475"),
        ("2299124", "2299124", "Article 2299124"),
    ],
)
def test_pages(pages, short, long):
    reference = source(title="T", container="J", year="2001", volume="7", pages=pages)
    assert format_vancouver(reference) == f"T. J. 2001;7:{short}."
    assert format_apa(reference) == f"T. (2001). J, 7, {long}."


# By hand from the NLM catalog, and from the List of Title Word Abbreviations of ISO 4.
@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("The Lancet", "Lancet"),
        ("Journal of Psychiatry & Neuroscience", "J Psychiatry Neurosci"),
        ("PSYCHOPHARMACOLOGY", "Psychopharmacology (Berl)"),
        ("Pakistan Armed Forces Medical Journal", "Pak Armed Forces Med J"),
        ("Chinese Journal of Anesthesiology", "Chin J Anesthesiol"),
        ("Applied Statistics", "Appl Stat"),
        ("Statistics", "Statistics"),
        ("Journal of Bread", "Journal of Bread"),
    ],
)
def test_journals_are_abbreviated_if_all_of_their_words_are_known(title, short):
    assert abbreviate_journal(title) == short


def test_number_of_pages_is_no_place():
    assert page_range("65 pp.") == page_range("65p") == ("", "")


@pytest.mark.parametrize(
    ("count", "others", "short", "long"),
    [
        (1, False, "DoeA A", "DoeA, A."),
        (1, True, "DoeA A, et al", "DoeA, A., . . ."),
        (2, False, "DoeA A, DoeB A", "DoeA, A., & DoeB, A."),
        (6, False, "DoeA A, DoeB A, DoeC A, DoeD A, DoeE A, DoeF A",
         "DoeA, A., DoeB, A., DoeC, A., DoeD, A., DoeE, A., & DoeF, A."),
        (6, True, "DoeA A, DoeB A, DoeC A, DoeD A, DoeE A, DoeF A, et al",
         "DoeA, A., DoeB, A., DoeC, A., DoeD, A., DoeE, A., DoeF, A., . . ."),
        (7, False, "DoeA A, DoeB A, DoeC A, DoeD A, DoeE A, DoeF A, et al",
         "DoeA, A., DoeB, A., DoeC, A., DoeD, A., DoeE, A., DoeF, A., & DoeG, A."),
    ],
)  # fmt: skip
def test_how_many_authors_are_named(count, others, short, long):
    reference = source(authors=doe(count), more_authors=others, title="T", year="2000")
    assert format_vancouver(reference) == f"{short}. T. 2000."
    assert format_apa(reference) == f"{long} (2000). T."


def test_twenty_authors_are_named_in_apa_and_of_more_the_last():
    twenty = format_apa(source(authors=doe(20), title="T", year="2000"))
    assert twenty.startswith("DoeA, A., DoeB, A.,")
    assert twenty.endswith("DoeS, A., & DoeT, A. (2000). T.")
    for count, last in ((21, "U"), (25, "Y")):
        written = format_apa(source(authors=doe(count), title="T", year="2000"))
        assert written.endswith(f"DoeR, A., DoeS, A., . . . Doe{last}, A. (2000). T.")
        assert "DoeT" not in written


@pytest.mark.parametrize(
    ("author", "short", "long", "parts"),
    [
        ("Jürgen Müller", "Müller J", "Müller, J.", {"family": "Müller", "given": "Jürgen"}),
        ("Kowalski, Łukasz", "Kowalski Ł", "Kowalski, Ł.",
         {"family": "Kowalski", "given": "Łukasz"}),
        ("王, 小明", "王 小明", "王, 小明", {"family": "王", "given": "小明"}),
        ("Jan van der Berg", "van der Berg J", "van der Berg, J.",
         {"family": "Berg", "given": "Jan", "non-dropping-particle": "van der"}),
        ("de la Cruz, Juan", "de la Cruz J", "de la Cruz, J.",
         {"family": "Cruz", "given": "Juan", "non-dropping-particle": "de la"}),
        ("Van Dam, Nicholas T.", "Van Dam NT", "Van Dam, N. T.",
         {"family": "Van Dam", "given": "Nicholas T."}),
        ("King, Jr., Martin Luther", "King ML Jr", "King, M. L., Jr.",
         {"family": "King", "given": "Martin Luther", "suffix": "Jr."}),
        ("King Jr., Martin Luther", "King ML Jr", "King, M. L., Jr.",
         {"family": "King", "given": "Martin Luther", "suffix": "Jr."}),
        ("Adams, III, John A.", "Adams JA 3rd", "Adams, J. A., III",
         {"family": "Adams", "given": "John A.", "suffix": "III"}),
        ("Muller, K.-H.", "Muller KH", "Muller, K.-H.", {"family": "Muller", "given": "K.-H."}),
        ("Kim, Ji-hye", "Kim JH", "Kim, J.-H.", {"family": "Kim", "given": "Ji-hye"}),
        ("Sartre, Jean-Paul", "Sartre JP", "Sartre, J.-P.",
         {"family": "Sartre", "given": "Jean-Paul"}),
        ("Higgins, Julian P. T.", "Higgins JPT", "Higgins, J. P. T.",
         {"family": "Higgins", "given": "Julian P. T."}),
        ("St. James, Charles A.", "St James CA", "St. James, C. A.",
         {"family": "St. James", "given": "Charles A."}),
        ("{Law, Department of}", "Law, Department of", "Law, Department of",
         {"literal": "Law, Department of"}),
        ("{World Health Organization and Partners}", "World Health Organization and Partners",
         "World Health Organization and Partners",
         {"literal": "World Health Organization and Partners"}),
    ],
)  # fmt: skip
def test_names_from_bibtex_and_back(tmp_path, author, short, long, parts):
    path = tmp_path / "references.bib"
    path.write_text(f"@misc{{k, author = {{{author}}}, title = {{T}}, year = {{2000}}}}", "utf-8")
    (read,) = read_bibliography(path).values()
    assert format_vancouver(read) == f"{short}. T. 2000."
    assert format_apa(read) == f"{long}{'' if long.endswith('.') else '.'} (2000). T."
    assert json.loads(sole("csl-json", read))[0]["author"] == [parts]
    path.write_text(sole("bibtex", read), "utf-8")
    assert read_bibliography(path)["k"].authors == read.authors


@pytest.mark.parametrize(
    ("values", "short", "long"),
    [
        ({"title": "T"}, "T. [date unknown].", "T. (n.d.)."),
        ({"title": "T", "year": "n.d.", "container": "J"}, "T. J. [date unknown].",
         "T. (n.d.). J."),
        ({"title": "T", "year": "2001", "container": "J", "number": "3", "pages": "5–9"},
         "T. J. 2001;(3):5-9.", "T. (2001). J, (3), 5–9."),
        ({"title": "T", "year": "2001", "container": "J", "pages": "5–9"}, "T. J. 2001:5-9.",
         "T. (2001). J, 5–9."),
        ({"title": "Does it?", "year": "2001", "container": "J"}, "Does it? J. 2001.",
         "Does it? (2001). J."),
        ({"title": "“Does it?”", "year": "2001"}, "“Does it?” 2001.", "“Does it?” (2001)."),
        ({"title": "So it is.", "year": "2001"}, "So it is. 2001.", "So it is. (2001)."),
        ({"title": "T", "year": "2001", "pmid": "12"}, "T. 2001. PMID: 12.",
         "T. (2001). https://pubmed.ncbi.nlm.nih.gov/12/"),
    ],
)  # fmt: skip
def test_missing_fields_and_marks(values, short, long):
    assert format_vancouver(source(**values)) == short
    assert format_apa(source(**values)) == long


def test_ris():
    assert STYLES["ris"]([ZARATE, WHO]) == (
        "TY  - JOUR\nID  - zarate2006\nAU  - Zarate, Carlos A., Jr\nAU  - Singh, Jaskaran B.\n"
        "AU  - Carlson, Paul J.\nAU  - Brutsche, Nancy E.\nAU  - Ameli, Rezvan\n"
        "AU  - Luckenbaugh, David A.\nAU  - Charney, Dennis S.\nAU  - Manji, Husseini K.\n"
        "TI  - A randomized trial of an N-methyl-D-aspartate antagonist in treatment-resistant "
        "major depression\nPY  - 2006\nJO  - Archives of General Psychiatry\nVL  - 63\nIS  - 8\n"
        "SP  - 856\nEP  - 864\nDO  - 10.1001/archpsyc.63.8.856\nAN  - 16894061\n"
        "UR  - https://doi.org/10.1001/archpsyc.63.8.856\nER  - \n\n"
        "TY  - RPRT\nID  - k\nAU  - World Health Organization\n"
        "TI  - Model list of essential medicines\nPY  - 2019\nPB  - World Health Organization\n"
        "IS  - WHO/MVP/EMP/IAU/2019.06\nUR  - https://example.org/list\nER  - \n"
    )


def test_ris_comes_back_from_its_reader():
    records = rispy.loads(STYLES["ris"](SOURCES))
    assert [record["id"] for record in records] == [source.key for source in SOURCES]
    for record, reference in zip(records, SOURCES, strict=True):
        assert record["title"] == reference.title
        assert record.get("doi", "") == reference.doi
        assert len(record["authors"]) == len(reference.authors)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\x0b", "\x0c", "\x1d"])
def test_no_line_of_a_title_starts_a_new_tag(end):
    reference = source(title=f"A{end}ER  - {end}TY  - JOUR{end}TI  - B", year="2000")
    text = STYLES["ris"]([reference])
    assert text.splitlines() == [
        "TY  - JOUR", "ID  - k", "TI  - A ER - TY - JOUR TI - B", "PY  - 2000", "ER  - ",
    ]  # fmt: skip
    assert len(rispy.loads(text)) == 1


# Types and variables by hand from the schema of CSL-JSON 1.0.2, as far as they can occur here.
CSL_TYPES = {
    "article", "article-journal", "book", "chapter", "dataset", "document",
    "figure",
    "paper-conference", "report",
    "thesis", "webpage",
}  # fmt: skip
CSL_VARIABLES = {
    "id": str, "type": str, "author": list, "title": str, "issued": dict, "publisher": str,
    "container-title": str, "container-title-short": str,
    "volume": str, "number": str, "issue": str, "page": str, "genre": str,
    "DOI": str, "PMID": str, "URL": str, "note": str,
}  # fmt: skip
CSL_NAME = {"family", "given", "non-dropping-particle", "suffix", "literal"}


def test_csl_json_has_only_what_its_schema_knows():
    sources = [*SOURCES, source(kind="figure", title="T", note="N")]
    items = json.loads(STYLES["csl-json"](sources))
    assert len(items) == len(sources)
    for item in items:
        assert item["type"] in CSL_TYPES
        assert all(isinstance(value, CSL_VARIABLES[name]) for name, value in item.items())
        assert all(item.values())
        for name in item.get("author", []):
            assert set(name) <= CSL_NAME
            assert "literal" not in name or len(name) == 1
        for date in item.get("issued", {}).values():
            assert date == [[int(date[0][0])]]


def test_csl_json_of_an_article():
    (item,) = json.loads(STYLES["csl-json"]([source(
        title="T", authors=doe(1), more_authors=True, year="2001", container="J", volume="7",
        number="2", pages="856–64", doi="10.1000/x",
    )]))  # fmt: skip
    assert item == {
        "id": "k", "type": "article-journal", "title": "T", "container-title": "J",
        "author": [{"family": "DoeA", "given": "Ann"}], "note": "The author list is incomplete.",
        "issued": {"date-parts": [[2001]]}, "volume": "7", "issue": "2", "page": "856-864",
        "DOI": "10.1000/x", "URL": "https://doi.org/10.1000/x",
    }  # fmt: skip


def test_every_field_comes_back_from_bibtex(tmp_path):
    path = tmp_path / "references.bib"
    # Without a year an entry is refused.
    dated = [reference for reference in SOURCES if reference.year != "n.d."]
    path.write_text(STYLES["bibtex"](dated), "utf-8")
    bibliography = read_bibliography(path)
    for reference in dated:
        back = replace(bibliography[reference.key], line=reference.line)
        assert back == reference


# Hyphens, quotes and marks that LaTeX draws together are read as what it draws.
PLAIN = some.characters(
    codec="utf-8", exclude_characters="{}-`'\"?!<>,", categories=("L", "N", "S")
)


@given(title=some.text(PLAIN, min_size=1), first=some.text(PLAIN, min_size=1))
def test_any_title_comes_back_from_bibtex(tmp_path_factory, title, first):
    reference = source(title=title, authors=(Author("Doe", first),), year="2000")
    path = tmp_path_factory.mktemp("bib") / "references.bib"
    path.write_text(STYLES["bibtex"]([reference]), "utf-8")
    (read,) = read_bibliography(path).values()
    assert read.title == normalize("NFC", title)


@pytest.mark.parametrize(
    "title", ["R&D at 100% of $5 #1_2", "a~b^c", r"a\b", "“quoted” and 'so'", "Ünï 中文 − ≥"]
)
def test_signs_come_back_from_bibtex(tmp_path, title):
    path = tmp_path / "references.bib"
    path.write_text(sole("bibtex", source(title=title, authors=doe(1), year="2000")), "utf-8")
    assert read_bibliography(path)["k"].title == title


def test_braces_of_a_title_cannot_end_its_entry(tmp_path):
    title = "a}, year = {1999}} @misc{x, title = {b"
    path = tmp_path / "references.bib"
    path.write_text(sole("bibtex", source(title=title, authors=doe(1), year="2000")), "utf-8")
    (read,) = read_bibliography(path).values()
    assert (read.year, read.title) == ("2000", title.replace("{", "").replace("}", ""))


def test_markdown_is_a_list_and_data_no_markup():
    from markdown_it import MarkdownIt

    title = "<b>*A* [link](https://a.b)</b> &amp; `code`"
    html = MarkdownIt("commonmark").render(
        STYLES["markdown"]([source(title=title, year="2000"), ZARATE])
    )
    assert html.count("<li>") == 2
    assert "&lt;b&gt;*A* [link](https://a.b)&lt;/b&gt; &amp;amp; `code`. (2000)." in html
    assert "<em>Archives of General Psychiatry</em>, <em>63</em>(8)" in html


@pytest.mark.parametrize("title", ["# T", "- T", "+ T", "1. T", "2) T", "=== T", "12-week T"])
def test_a_title_opens_no_heading_and_no_list(title):
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark").render(STYLES["markdown"]([source(title=title, year="2000")]))
    assert html == f"<ul>\n<li>{title}. (2000).</li>\n</ul>\n"


def test_an_address_cannot_leave_its_link_in_markdown():
    written = format_apa_markdown(source(title="T", year="2000", url="https://a.b/<x> y"))
    assert written.endswith(" <https://a.b/%3Cx%3E%20y>")
