"""Broken inputs: each is refused with one line that says where, what, and what would be right."""

import pytest

from evidence.dataset.dataset import load_dataset
from evidence.dataset.project_folder import find_project
from evidence.errors import DatasetError, EvidenceError

S = "data/studies.csv"
WORDS = "yes, no, unclear, not applicable"

# id: (how to break the small project, the line that must come out)
BROKEN = {
    "file missing": (lambda p: p.path(S).unlink(), f"{S}: it is missing"),
    "file empty": (
        lambda p: p.path(S).write_text(""),
        f"{S}: it is empty; its first line names the columns",
    ),
    "header only": (lambda p: p.write(S, p.rows(S)[:1]), f"{S}: it has a header and no rows"),
    "folder instead of file": (
        lambda p: (p.path("data/claims.csv").unlink(), p.path("data/claims.csv").mkdir()),
        "data/claims.csv: it cannot be read: Is a directory",
    ),
    "not UTF-8": (
        lambda p: p.append(S, b"caf\xe9\n"),
        f"{S}:7: byte 0xe9 is not UTF-8; save the file as UTF-8",
    ),
    "column misspelt": (
        lambda p: p.replace(S, "infusion_minutes", "infusion_minute"),
        f"{S}:1: 'infusion_minute' is not a column of this table; did you mean infusion_minutes?",
    ),
    "column missing": (
        lambda p: p.replace(S, "locator", "note2"),
        f"{S}:1: 'locator' is a column that is missing",
    ),
    "column twice": (
        lambda p: p.replace(S, "spread_kind", "spread"),
        f"{S}:1 spread: spread is a column twice",
    ),
    "field too few": (
        lambda p: p.append(S, "a,b\n"),
        f"{S}:7: 2 fields, but the header has 33; is a comma not quoted?",
    ),
    "quote not closed": (
        lambda p: p.append(S, '"a,b\n'),
        f"{S}:7: it is not well-formed CSV: unexpected end of data",
    ),
    "blanks around": (
        lambda p: p.put(S, 2, arm=" yeast"),
        f"{S}:2 arm:  yeast has blanks around it; remove them",
    ),
    "cell required": (
        lambda p: p.put(S, 2, locator=""),
        f"{S}:2 locator: blank is not allowed; this column must be filled",
    ),
    "verified required": (
        lambda p: p.put(S, 3, verified=""),
        f"{S}:3 verified: blank is not allowed; this column must be filled",
    ),
    "role unknown": (
        lambda p: p.put(S, 2, role="treatment"),
        f"{S}:2 role: treatment is not one of: intervention, comparator, single arm, contrast, "
        "whole sample",
    ),
    "unit unknown": (
        lambda p: p.put(S, 2, time_unit="days"),
        f"{S}:2 time_unit: days is not one of: minute, hour, day, week, month, year",
    ),
    "randomised unknown": (
        lambda p: p.put("data/designs.csv", 2, randomised="maybe"),
        f"data/designs.csv:2 randomised: maybe is not one of: {WORDS}",
    ),
    "n not whole": (
        lambda p: p.put(S, 2, n="17.5"),
        f"{S}:2 n: 17.5 is not a whole number",
    ),
    "value with a sign": (
        lambda p: p.put(S, 2, value="71%"),
        f"{S}:2 value: 71% is not a number; write it with a point, without sign or unit",
    ),
    "decimal comma": (
        lambda p: p.put(S, 5, value="0,5"),
        f"{S}:5 value: 0,5 is not a number; write it with a point, without sign or unit",
    ),
    "p value in words": (
        lambda p: p.put(S, 5, p_value="p=0.01"),
        f"{S}:5 p_value: p=0.01 is not a p value such as 0.02 or <0.01",
    ),
    "time in words": (
        lambda p: p.put(S, 2, time="one"),
        f"{S}:2 time: one is not a time; write a number or a range such as 0-3",
    ),
    "time backwards": (
        lambda p: p.put(S, 5, time="3-0"),
        f"{S}:5 time: 3-0 runs backwards; write the earlier time first",
    ),
    "time without unit": (
        lambda p: p.put(S, 2, time_unit=""),
        f"{S}:2 time_unit: blank is not allowed beside time 1; say minute, hour, day, week, month "
        "or year",
    ),
    "unit without time": (
        lambda p: p.put(S, 2, time=""),
        f"{S}:2 time: blank is not allowed beside time_unit day",
    ),
    "more events than people": (
        lambda p: p.put(S, 3, events="21"),
        f"{S}:3 events: 21 is more than n (20)",
    ),
    "nobody analysed": (
        lambda p: p.put(S, 2, n="0"),
        f"{S}:2 n: 0 people were analysed; leave it blank if the number is not known",
    ),
    "percentage for a proportion": (
        lambda p: p.put(S, 2, value="71"),
        f"{S}:2 value: 71 is not a proportion between 0 and 1; 71 % is written 0.71",
    ),
    "count contradicts value": (
        lambda p: p.put(S, 3, value="0.25"),
        f"{S}:3 value: 0.25 is not 4 of 20",
    ),
    "proportion without number": (
        lambda p: p.put(S, 2, value=""),
        f"{S}:2 value: blank is not enough for a proportion; give it, or events and n",
    ),
    "ratio below zero": (
        lambda p: p.put(S, 5, measure="odds ratio", value="-0.5", ci_low="", ci_high=""),
        f"{S}:5 value: -0.5 is not a ratio; ratios are above 0 and not logarithms",
    ),
    "interval not around": (
        lambda p: p.put(S, 5, value="1.5"),
        f"{S}:5 value: 1.5 lies outside its interval (0.1 to 0.9)",
    ),
    "interval reversed": (
        lambda p: p.put(S, 5, ci_low="0.9", ci_high="0.1"),
        f"{S}:5 ci_low: 0.9 is above ci_high (0.1)",
    ),
    "interval with one end": (
        lambda p: p.put(S, 5, ci_high=""),
        f"{S}:5 ci_high: blank is not allowed beside ci_low 0.1; an interval has two ends",
    ),
    "spread negative": (
        lambda p: p.put(S, 5, spread="-1", spread_kind="sd"),
        f"{S}:5 spread: -1 is negative; a standard deviation cannot be",
    ),
    "spread of no kind": (
        lambda p: p.put(S, 5, spread="1"),
        f"{S}:5 spread_kind: blank is not allowed beside spread 1; say sd or se",
    ),
    "significance without direction": (
        lambda p: p.put(S, 6, direction=""),
        f"{S}:6 direction: blank is not enough for measure significance; say better, worse or no "
        "difference",
    ),
    "significance with a number": (
        lambda p: p.put(S, 6, value="0.3"),
        f"{S}:6 value: 0.3 stands beside measure significance, which has no number",
    ),
    "direction of an arm": (
        lambda p: p.put(S, 2, direction="better"),
        f"{S}:2 direction: better belongs to a contrast, or to measure significance or direction",
    ),
    "contrast with nobody": (
        lambda p: p.put(S, 5, versus=""),
        f"{S}:5 versus: blank is not allowed in a contrast; name the other arm",
    ),
    "contrast with itself": (
        lambda p: p.put(S, 5, versus="yeast"),
        f"{S}:5 versus: yeast is the same as arm",
    ),
    "versus of an arm": (
        lambda p: p.put(S, 2, versus="none"),
        f"{S}:2 versus: none stands in a row with role intervention; only a contrast has it",
    ),
    "nothing as printed": (
        lambda p: p.put(S, 2, as_printed=""),
        f"{S}:2 as_printed: blank is not allowed; copy the number as the text prints it",
    ),
    "count without count": (
        lambda p: p.put(S, 2, measure="count"),
        f"{S}:2 events: blank is not enough for a count; give the number counted",
    ),
    "row twice": (
        lambda p: p.write(S, [*p.rows(S), p.rows(S)[1]]),
        f"{S}:7: baker1990, bread, yeast, risen, 1, day, proportion, baker1990 stands already in "
        "line 2; rows differ in study, condition, population, arm, versus, outcome, instrument, "
        "definition, time, time_unit, measure, source",
    ),
    "two spellings": (
        lambda p: p.put(S, 6, condition="Bread"),
        f"{S}:6 condition: 'Bread' is spelled 'bread' elsewhere; use one spelling",
    ),
    "study not in the bibliography": (
        lambda p: p.put(S, 2, source="baker1991"),
        f"{S}:2 source: baker1991 is not a key of references.bib; did you mean baker1990?",
    ),
    "outcome unknown": (
        lambda p: p.put(S, 2, outcome="rizen"),
        f"{S}:2 outcome: rizen is not an outcome of data/outcomes.csv; did you mean risen?",
    ),
    "study not described": (
        lambda p: p.write("data/designs.csv", p.rows("data/designs.csv")[:2]),
        f"{S}:5 study: miller2001 is not described in data/designs.csv; add a row for it",
    ),
    "claim about no study": (
        lambda p: p.put("data/claims.csv", 2, studies="baker1990; miler2001"),
        "data/claims.csv:2 studies: miler2001 is not a study of data/studies.csv; did you mean "
        "miller2001?",
    ),
    "claim without source": (
        lambda p: p.put("data/claims.csv", 2, source=""),
        "data/claims.csv:2 source: blank is not allowed; this column must be filled",
    ),
    "verdict unknown": (
        lambda p: p.put("data/claims.csv", 2, verdict="wrong"),
        "data/claims.csv:2 verdict: wrong is not one of: agrees, omits detail, overstated, "
        "differs, not checkable",
    ),
    "unknown about no claim": (
        lambda p: p.put("data/unknowns.csv", 2, claims="C9"),
        "data/unknowns.csv:2 claims: C9 is not a claim of data/claims.csv",
    ),
    "query with an unknown column": (
        lambda p: p.put("data/unknowns.csv", 2, where="tiem>2"),
        "data/unknowns.csv:2 where: it fails: 'tiem' is no column to ask for; use study, ",
    ),
    "bibliography missing": (
        lambda p: p.path("references.bib").unlink(),
        "references.bib: it is missing",
    ),
    "bibliography empty": (
        lambda p: p.path("references.bib").write_text(""),
        "references.bib: it is empty; it must hold the sources",
    ),
    "entry twice": (
        lambda p: p.append("references.bib", "@misc{guide, author={A}, title={T}, year={2000}}\n"),
        "references.bib:5: guide is the key of an earlier entry; every key is used once",
    ),
    "field twice": (
        lambda p: p.append("references.bib", "@misc{x, author={A}, author={B}, title={T}}\n"),
        "references.bib:5: x has a field twice; every field is given once",
    ),
    "brace not closed": (
        lambda p: p.append("references.bib", "@misc{x, author={A, title={T}, year={2000}}\n"),
        "references.bib:5: x cannot be read as BibTeX; is a brace or comma missing?",
    ),
    "comma missing": (
        lambda p: p.append("references.bib", "@misc{x, author={A}, title={T}\n year={2000}}\n"),
        "references.bib:5 title: x swallows the next field; put a comma after the value of title",
    ),
    "key with a blank": (
        lambda p: p.append("references.bib", "@misc{x y, author={A}, title={T}, year={2000}}\n"),
        "references.bib:5: x y has a blank in its key; write it as one word",
    ),
    "no author": (
        lambda p: p.append("references.bib", "@misc{x, title={T}, year={2000}}\n"),
        "references.bib:5 author: x has no author",
    ),
    "no year": (
        lambda p: p.append("references.bib", "@misc{x, author={A}, title={T}}\n"),
        "references.bib:5 year: x has no year",
    ),
    "year in words": (
        lambda p: p.append("references.bib", "@misc{x, author={A}, title={T}, year={soon}}\n"),
        "references.bib:5 year: soon is not a year of four digits (or n.d. where the page carries "
        "no date)",
    ),
    "DOI as an address": (
        lambda p: p.replace("references.bib", "10.1000/dough", "https://doi.org/10.1000/dough"),
        "references.bib:1 doi: https://doi.org/10.1000/dough is not a bare DOI such as "
        "10.1001/archpsyc.63.8.856",
    ),
}


def problems(project):
    with pytest.raises(DatasetError) as caught:
        load_dataset(project.root)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input_is_refused_in_one_clear_line(project, name):
    breaks, expected = BROKEN[name]
    breaks(project)
    found = problems(project)
    assert any(line.startswith(expected) for line in found), found


def test_at_least_thirty_kinds_are_covered():
    assert len(BROKEN) >= 30


def test_small_project_is_valid(project):
    dataset = load_dataset(project.root)
    assert len(dataset.results) == 5
    assert dataset.results["address"].tolist() == [f"{S}:{line}" for line in range(2, 7)]


def test_all_problems_of_all_files_come_out_at_once_sorted(project):
    project.put(S, 3, events="21", locator="")
    project.put("data/claims.csv", 2, verdict="wrong")
    project.append("references.bib", "@misc{x, title={T}, year={2000}}\n")
    found = problems(project)
    assert found == sorted(set(found), key=found.index)
    assert [line.split(":")[0] for line in found] == [
        "data/claims.csv", S, S, "references.bib"
    ]  # fmt: skip


def test_line_numbers_stay_right_after_a_line_break_in_a_cell(project):
    project.put(S, 2, note="first\nsecond")
    project.put(S, 3, events="21")
    assert problems(project) == [f"{S}:4 events: 21 is more than n (20)"]


def test_windows_line_ends_and_a_byte_order_mark_are_fine(project):
    raw = project.path(S).read_bytes().replace(b"\n", b"\r\n")
    project.path(S).write_bytes(b"\xef\xbb\xbf" + raw)
    assert len(load_dataset(project.root).results) == 5


def test_texts_stay_what_was_printed(project):
    project.put(S, 2, as_printed="NA")
    project.put(S, 3, note="1.20")
    results = load_dataset(project.root).results
    assert results["as_printed"][0] == "NA"
    assert results["note"][1] == "1.20"
    assert results["spread_kind"][0] == ""


def test_numbers_are_typed_and_blanks_are_missing(project):
    results = load_dataset(project.root).results
    assert str(results["n"].dtype) == "Int64"
    assert str(results["value"].dtype) == "float64"
    assert results["events"].isna().tolist() == [True, False, True, True, True]


def test_two_files_alone_are_enough(project):
    for path in project.path("data").iterdir():
        if path.name != "studies.csv":
            path.unlink()
    dataset = load_dataset(project.root)
    assert dataset.designs.empty
    assert dataset.claims.columns[0] == "claim"


def test_optional_column_may_be_left_out(project):
    rows = project.rows(S)
    index = rows[0].index("note")
    project.write(S, [row[:index] + row[index + 1 :] for row in rows])
    assert load_dataset(project.root).results["note"].tolist() == [""] * 5


def test_project_is_found_upwards(project, monkeypatch):
    below = project.path("notebooks/deep")
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert find_project() == project.root.resolve()


def test_named_folder_without_data_is_refused(tmp_path):
    with pytest.raises(EvidenceError, match=r"holds neither data/studies\.csv nor references\.bib"):
        find_project(tmp_path)
