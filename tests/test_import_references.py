"""References from RIS, PubMed, CSL-JSON and BibTeX, added to `references.bib`."""

import json

import pytest

from evidence import cli
from evidence.dataset.bibliography import read_bibliography
from evidence.dataset.citations import STYLES
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.exchange.references import read_references

OLD = ("baker1990", "guide", "miller2001")
RIS = """\
TY  - JOUR
AU  - Müller, Jürgen, Jr
AU  - Roe BC
AU  - Office of Bread
TI  - Sour & sweet dough at 5% {salt}
T2  - Journal of Bread
PY  - 2001/03/04/
VL  - 7
IS  - 2
SP  - 12
EP  - 19
DO  - https://doi.org/10.1000/SOUR
AB  - It says
ER in its text.
ER  -
TY  - EDBOOK
AU  - Poe, C.
TI  - Loaves
PB  - Crumb Press
PY  - 1999
ER  -
"""
PUBMED = """\

PMID- 123
TI  - Rye bread and
      its crust.
PG  - 343-55
LID - S1 [pii]
LID - 10.1000/rye [doi]
FAU - Doe, Ann
AU  - Doe A
CN  - Rye Group
DP  - 2003 May
JT  - Journal of Bread
VI  - 9
"""
CSL = json.dumps([
    {
        "id": "x", "type": "chapter", "title": "Crust", "container-title": "Loaves",
        "author": [{"family": "Cruz", "given": "Juan", "non-dropping-particle": "de la"},
                   {"literal": "Office of Bread"}],
        "editor": [{"family": "Poe", "given": "C."}],
        "issued": {"date-parts": [["2004", 5]]}, "page": "3-4", "DOI": "10.1000/crust",
    }
])  # fmt: skip
BIBTEX = """@Article{, Title = {{No key}}, Author = {Doe, A}, Year = 2001}
@Article{, Title = {{No key again}}, Author = {Doe, A}, Year = 2001}
@article{baker1990, title = {Another}, author = {Baker, B}, year = 1990}
@article{broken, title = {Open
"""


@pytest.fixture
def run(project, tmp_path, capsys):
    """Import a text and return what is printed."""

    def import_text(text, *options):
        path = tmp_path / "export"
        path.write_text(text, "utf-8")
        arguments = ("import", "refs", str(path), "--project", str(project.root), *options)
        code = cli.main(arguments)
        return code, [
            line.replace(str(path), "FILE") for line in capsys.readouterr().out.split("\n")
        ]

    return import_text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (RIS, {
            "muller2001": "Müller J Jr, Roe BC, Office of Bread. Sour & sweet dough at 5% salt. "
            "Journal of Bread. 2001;7(2):12-9. doi: 10.1000/SOUR.",
            "poe1999": "Poe C, editor. Loaves. Crumb Press; 1999.",
        }),
        (PUBMED, {"doe2003": "Doe A, Rye Group. Rye bread and its crust. Journal of Bread. "
                  "2003;9:343-55. doi: 10.1000/rye. PMID: 123."}),
        (CSL, {"cruz2004": "de la Cruz J, Office of Bread. Crust. In: Poe C, editor. Loaves; "
               "2004. p. 3-4. doi: 10.1000/crust."}),
        (BIBTEX, {
            "doe2001": "Doe A. No key. 2001.", "doe2001a": "Doe A. No key again. 2001.",
            "baker1990a": "Baker B. Another. 1990.",
        }),
    ],
    ids=["RIS", "PubMed", "CSL-JSON", "BibTeX"],
)  # fmt: skip
def test_references_are_added(project, run, text, printed):
    old = project.path("references.bib").read_text("utf-8")
    code, lines = run(text, "--dry-run")
    assert code == 0
    assert project.path("references.bib").read_text("utf-8") == old
    assert lines[-2].startswith("would add to references.bib: ")
    run(text)
    assert project.path("references.bib").read_text("utf-8").startswith(old.rstrip("\n"))
    bibliography = read_bibliography(project.path("references.bib"))
    new = {key: bibliography[key] for key in bibliography if key not in OLD}
    assert {key: format_vancouver(source) for key, source in new.items()} == printed
    # A second time nothing is new.
    code, lines = run(text)
    assert lines[-2].startswith("added to references.bib: 0 entries; skipped: ")


def test_each_reference_that_is_left_out_has_a_reason(run):
    text = RIS + RIS.replace("SOUR", "sour") + "TY  - JOUR\nAU  - Doe, A\nER  -\n"
    code, lines = run(text.replace("PY  - 1999\n", "", 1))
    assert code == 0
    assert lines[0] == "read: FILE, RIS, 5 references"
    assert "skipped line 21: 'Sour & sweet dough at 5% salt' is known as muller2001 (same DOI)" in (
        lines
    )
    assert "skipped line 42: 'article' has no title" in lines
    assert "incomplete: 'poe' has no year. Write n.d. if the text has no date." in lines


def test_what_cannot_be_read_writes_nothing(project, tmp_path, capsys):
    path = tmp_path / "refs.xml"
    old = project.path("references.bib").read_bytes()
    for text, message in (
        (
            "<xml/>",
            "not BibTeX, RIS, PubMed (nbib), CSL-JSON or the CSV of 'evidence cite'. Export",
        ),
        ("[{", "not valid JSON: "),
        (f"key,type\n{'x' * 200_000}", "a cell has more than 131,072 characters"),
    ):
        path.write_text(text, "utf-8")
        assert cli.main(["import", "refs", str(path), "--project", str(project.root)]) == 1
        assert f"{path}: {message}" in capsys.readouterr().err
    assert cli.main(["import", "refs", str(tmp_path / "no"), "--project", str(project.root)]) == 1
    assert "cannot be read: No such file" in capsys.readouterr().err
    assert project.path("references.bib").read_bytes() == old


@pytest.mark.parametrize("style", ["ris", "csl-json", "bibtex", "csv"])
def test_own_exports_come_back(project, style):
    sources = list(project.dataset().bibliography.values())
    _, entries = read_references(STYLES[style](sources), "FILE")
    assert [entry.fields["title"].strip("{}") for entry in entries] == [s.title for s in sources]
