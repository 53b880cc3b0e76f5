"""The bibliography: names, accents, addresses and labels as they are read."""

from dataclasses import replace

import pytest

from evidence.dataset.bibliography import parse_bibliography, read_bibliography
from evidence.dataset.citations import STYLES
from evidence.dataset.citations.apa import format_apa
from evidence.dataset.citations.vancouver import format_vancouver


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
        ("{Doe, Ann et al.}", [("Doe", "Ann")]),
        # Initials that are written together are all kept, and names in capitals are no initials.
        ("{Higgins, JPT and Ioannidis, John PA}",
         [("Higgins", "J. P. T."), ("Ioannidis", "John P. A.")]),
        ("{LI, JOHN and KING, ML}", [("LI", "JOHN"), ("KING", "M. L.")]),
        ("{Doe, Ann M, and Roe, Bo C}", [("Doe", "Ann M"), ("Roe", "Bo C")]),
        ("{Doe, A.; Roe, B. C; Poe, D}", [("Doe", "A."), ("Roe", "B. C"), ("Poe", "D")]),
        ("{Doe, A., Roe, B. C., and Poe, D}", [("Doe", "A."), ("Roe", "B. C."), ("Poe", "D")]),
        ("{Doe AB, Roe B, Poe CD}", [("Doe", "A. B."), ("Roe", "B"), ("Poe", "C. D.")]),
        ("{Ann Doe, Bo Roe, Cy Poe}", [("Doe", "Ann"), ("Roe", "Bo"), ("Poe", "Cy")]),
        ("{family=Jong, given=Loek, prefix=de, useprefix=false and family=Doe, given=A.-B.}",
         [("de Jong", "Loek"), ("Doe", "A.-B.")]),
        ("{{Doe, A. and Roe, B.}}", [("Doe", "A."), ("Roe", "B.")]),
        ("{Office of Bread,}", [("Office of Bread", "")]),
        (r"{Mu\~noz, H and Th\h{u}y, T.~A.}", [("Muñoz", "H"), ("Thủy", "T. A.")]),
        (r'{{\"U}nal, Ann and {\'E}cole {\"U}nal}', [("Ünal", "Ann"), ("Ünal", "École")]),
    ],
)  # fmt: skip
def test_names(read, author, names):
    reference = read(entry(author=author))
    assert [(author.last, author.first) for author in reference.authors] == names


def test_others_are_remembered_as_more_authors(read):
    for others in ("and others", "et al."):
        assert read(entry(author=f"{{Doe, Ann {others}}}")).more_authors


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\mbox{DNA} at {\textless} 5{\%}, TGF-{\textbeta}", "DNA at < 5%, TGF-β"),
        ("5~mg CO$_2$ and $^9$-T in ``open'' jars", "5 mg CO₂ and ⁹-T in “open” jars"),
        ("$>$65 years, 5-HT$_{2A}$, 10$^{-3}$, $\\alpha$", ">65 years, 5-HT2A, 10⁻³, α"),
        ("from $5 to $10", "from $5 to $10"),
        (r"\href{https://a.b}{Bread} \textit{in vitro}", "Bread in vitro"),
        (r"{\aa} \'{\i} \o{}x {\ss} \c{c} \v s \textcommabelow{s}", "å í øx ß ç š ș"),
        ("R{\\&}amp;D &lt;5 &#233;", "R&D <5 é"),
        ("{" * 1000 + r"caf\'e" + "}" * 1000, "café"),
        ("{" * 1000 + "bread" + "}" * 1000, "bread"),
    ],
    ids=lambda value: value[:12],
)
def test_latex(read, latex, text):
    assert read(entry(title=f"{{{latex}}}")).title == text


def test_names_of_fields_in_capitals_and_of_biblatex():
    text = r"""% JabRef
@String(JB = "Journal of ")
@Comment{jabref-meta: databaseType:bibtex;}
@Article {a, Author = {{Doe, Ann}}, TITLE = {{T}}, subtitle = {U}, Date = {2018-11-02/2019},
  journaltitle = jb # {Bread}, issue = 3, eid = {e12}, ISSN = {03781127, 1872-7042},
  DOI = {https://doi.org/10.1000/x\_1}, eprint = {123}, eprinttype = {pubmed}}
@misc{b, author = {Doe, A}, title = {T}, year = 2020, eprint = {2001.01234},
  archivePrefix = {arXiv}, keywords = {x}, keywords = {y}, note = {\{\&}}}
@misc{c, author = {Doe, A}, title = {T}, journal = {Bread, rye \{\&} wheat},
  year = 2020}
"""
    bibliography = parse_bibliography(text.encode())
    a, b, c = bibliography.values()
    assert not bibliography.problems
    assert (a.title, a.year, a.container) == ("T: U", "2018", "Journal of Bread")
    assert (a.number, a.pages, a.doi, a.pmid) == ("3", "e12", "10.1000/x_1", "123")
    assert b.url == "https://arxiv.org/abs/2001.01234"
    assert (c.container, c.line) == ("Bread, rye & wheat", 9)


def test_fields_come_from_crossref_and_xdata():
    text = """
@incollection{c, author = {Doe, A}, title = {C}, pages = {2--3}, crossref = {b}}
@book{b, editor = {Roe, B and Poe, C}, title = {B}, publisher = {P}, xdata = {x}, date = {2004}}
@xdata{x, year = {1999}, volume = {7}}
@inproceedings{p, author = {Doe, A}, title = {P}, crossref = {b}, year = 2001}
"""
    bibliography = parse_bibliography(text.encode())
    assert list(bibliography) == ["c", "b", "p"]
    assert not bibliography.problems
    c, b, p = bibliography.values()
    assert (c.title, c.container, c.year, c.volume) == ("C", "B", "2004", "7")
    assert (b.label, b.year, p.year) == ("Roe 2004", "2004", "2001")
    assert format_vancouver(b) == "Roe B, Poe C, editors. B. P; 2004."
    assert format_apa(b) == "Roe, B., & Poe, C. (Eds.). (2004). B. P."
    assert format_vancouver(c) == "Doe A. C. In: Roe B, Poe C, editors. B. P; 2004. p. 2-3."
    assert format_apa(c) == "Doe, A. (2004). C. In B. Roe & C. Poe (Eds.), B (pp. 2–3). P."
    back = parse_bibliography(STYLES["bibtex"]([b, c]).encode())
    assert [replace(back[key], line=1) for key in "bc"] == [replace(r, line=1) for r in (b, c)]


def test_strings_that_repeat_each_other_do_not_fill_the_memory():
    text = '@string{a0 = "0123456789"}\n'
    text += "".join(f"@string{{a{n + 1} = {' # '.join([f'a{n}'] * 10)}}}\n" for n in range(9))
    entry = "@misc{x, author = {Doe, A}, year = {2001}, title = a9}"
    assert len(parse_bibliography((text + entry).encode())["x"].title) < 10_000_000


def test_parents_that_share_all_their_parents_are_read_once():
    """Seven generations of twenty lead to 20⁷ paths."""
    names = [[f"p{level}x{number}" for number in range(20)] for level in range(8)]
    text = "@xdata{p0x0, publisher = {P}}\n" + "".join(
        f"@xdata{{{name}, xdata = {{{', '.join(names[level])}}}}}\n"
        for level in range(6)
        for name in names[level + 1]
    )
    entry = f"@book{{b, author = {{Doe, A}}, title = {{B}}, year = {{2004}}, xdata = {{{names[6][0]}}}}}"
    assert parse_bibliography((text + entry).encode())["b"].container == "P"


def test_a_broken_entry_costs_itself_only(capfd):
    text = """@article{n1, author={A, B}, title={T}, year={2001}, abstract = {Open { and
@article{fake,
}, note={x}}
@book{, title={No key}, year={2012}}
@article{a, author={A, B}, title={T}, year={2001}}
@article{a, author={A, B}, title={T},  year={2001}}
"""
    bibliography = parse_bibliography(text.encode())
    assert list(bibliography) == ["a"]
    assert bibliography.warnings([]) == [
        "references.bib:1: 'n1' cannot be read: a brace is not closed, or the last one is missing. "
        "The entry is left out.",
        "references.bib:4: 1 entry has no key and cannot be cited. Give it one like miller2001.",
    ]
    assert capfd.readouterr() == ("", "")


def test_files_of_other_encodings():
    text = "% Encoding: Cp1252\n@misc{a, author = {Bäcker, A}, title = {T}, year = 2001}"
    for content in (text.encode("cp1252"), text[19:].encode("utf-16")):
        bibliography = parse_bibliography(content)
        assert bibliography["a"].label == "Bäcker 2001"
        assert not bibliography.undecodable


def test_incomplete_entries_that_nobody_cites_are_counted():
    text = "@misc{a, title={T}}\n@misc{b, title={T}}\n@misc{c, author={C}, title={T}, year=2000}"
    assert parse_bibliography(text.encode()).warnings(["b"]) == [
        "references.bib: 1 of 2 entries that no table cites are incomplete (author: 1; year: 1), "
        "the first in line 1. Complete an entry before you cite it."
    ]


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
