"""Files of RevMan, metafor and Metapsy, and any wide table, become rows of a project's tables.

The files are written here, in the form of each program; numbers of dat.bcg are those of Colditz
1994 as in reference/metafor/values.json.
"""

import io
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

from evidence import cli
from evidence.analysis.arm_comparisons import arm_proportions
from evidence.analysis.follow_up import findings_over_time
from evidence.analysis.narrative.coverage import coverage_summary
from evidence.analysis.narrative.scope import describe_coverage
from evidence.analysis.pooling.pooled_estimate import meta_analyse
from evidence.analysis.results import select_results
from evidence.dataset import schema
from evidence.errors import EvidenceError
from evidence.exchange.comparison import Comparison, result_rows
from evidence.exchange.import_file import import_evidence
from evidence.exchange.revman import parse_author, read_rm5
from evidence.exchange.sheet import read_sheet
from evidence.exchange.wide_table import draft_mapping
from evidence.tables.studies import tabulate_results
from tests.example_trials import BCG, YEARS

SAME = {
    "condition": "bread", "outcome": "mould", "arm1": "salt", "arm2": "plain", "better": "lower",
    "kind": "harm", "design": "randomised parallel",
}  # fmt: skip

RM5 = """<?xml version="1.0" encoding="UTF-8"?>
<COCHRANE_REVIEW REVMAN_VERSION="5" DOI="10.1000/review">
<COVER_SHEET><TITLE>Salt for bread</TITLE></COVER_SHEET>
<STUDIES_AND_REFERENCES><STUDIES><INCLUDED_STUDIES>
<STUDY ID="STD-Miller-2001" NAME="Miller 2001" YEAR="2001"/>
<STUDY ID="STD-Oven-1999" NAME="Oven 1999" YEAR="1999">
<REFERENCE PRIMARY="YES" TYPE="JOURNAL_ARTICLE"><AU>Oven KH, Rye J-P, et al</AU><TI>Salt &amp; crust</TI>
<SO>Journal of Bread</SO><YR>1999</YR><VL>3</VL><NO>2</NO><PG>10-9</PG>
<IDENTIFIERS><IDENTIFIER TYPE="DOI" VALUE="10.1000/crust"/></IDENTIFIERS></REFERENCE></STUDY>
</INCLUDED_STUDIES></STUDIES></STUDIES_AND_REFERENCES>
<QUALITY_ITEMS><QUALITY_ITEM ID="QIT-01" NO="1"><NAME>Allocation concealment (selection bias)</NAME>
<QUALITY_ITEM_DATA>
<QUALITY_ITEM_DATA_ENTRY RESULT="YES" STUDY_ID="STD-Oven-1999"><DESCRIPTION><P>Sealed tins</P></DESCRIPTION>
</QUALITY_ITEM_DATA_ENTRY>
<QUALITY_ITEM_DATA_ENTRY RESULT="UNKNOWN" STUDY_ID="STD-Miller-2001"><DESCRIPTION/></QUALITY_ITEM_DATA_ENTRY>
</QUALITY_ITEM_DATA></QUALITY_ITEM></QUALITY_ITEMS>
<ANALYSES_AND_DATA><COMPARISON ID="CMP-001" NO="1"><NAME>Salt or not</NAME>
<DICH_OUTCOME CI_STUDY="95" EFFECT_MEASURE="RR" ID="CMP-001.01" NO="1"><NAME>Mould</NAME>
<GROUP_LABEL_1>Salt</GROUP_LABEL_1><GROUP_LABEL_2>Plain</GROUP_LABEL_2>
<DICH_SUBGROUP NO="1"><NAME>Rye</NAME>
<DICH_DATA EVENTS_1="3" TOTAL_1="20" EVENTS_2="9" TOTAL_2="21" STUDY_ID="STD-Oven-1999"/></DICH_SUBGROUP>
<DICH_SUBGROUP NO="2"><NAME>Wheat</NAME>
<DICH_DATA EVENTS_1="5" TOTAL_1="30" EVENTS_2="6" TOTAL_2="31" STUDY_ID="STD-Miller-2001"/></DICH_SUBGROUP>
</DICH_OUTCOME>
<CONT_OUTCOME EFFECT_MEASURE="MD" NO="2"><NAME>Weight</NAME>
<GROUP_LABEL_1>Salt</GROUP_LABEL_1><GROUP_LABEL_2>Plain</GROUP_LABEL_2>
<CONT_DATA MEAN_1="5.0" SD_1="4.7" TOTAL_1="13" MEAN_2="6.5" SD_2="3.8" TOTAL_2="13"
 STUDY_ID="STD-Oven-1999"/>
<CONT_DATA MEAN_1="5.0" SD_1="0.0" TOTAL_1="13" MEAN_2="6.5" SD_2="0.0" TOTAL_2="13"
 STUDY_ID="STD-Miller-2001"/>
</CONT_OUTCOME>
<IV_OUTCOME CI_STUDY="90" EFFECT_MEASURE="Hazard Ratio" NO="3"><NAME>Staling</NAME>
<IV_DATA EFFECT_SIZE="0.5" SE="0.25" CI_START="0.33" CI_END="0.75" STUDY_ID="STD-Oven-1999"/></IV_OUTCOME>
<IPD_OUTCOME NO="4"><NAME>Sales</NAME><IPD_DATA O_E="1" VAR="2" STUDY_ID="STD-Oven-1999"/></IPD_OUTCOME>
</COMPARISON></ANALYSES_AND_DATA></COCHRANE_REVIEW>
"""

RM5_CSV = """\
Comparison Number,Outcome Number,Subgroup Number,Name,Data Type,Effect Measure,Events 1,Mean 1,SD 1,\
Total 1,Events 2,Mean 2,SD 2,Total 2,Effect Estimate,SE,CI Start,CI End,Group Label 1,Group Label 2,\
Year of study
1,0,0,Salt or not,,,,,,,,,,,,,,,,,
1,1,0,Mould,DIC,RR,8,,,50,15,,,52,0.5,,,,Salt,Plain,
1,1,1,Rye,DIC,RR,3,,,20,9,,,21,,,,,,,
1,1,1,Oven,,,3,0,0,20,9,0,0,21,0.35,0.6,,,,,1999
1,2,0,Weight,CON,MD,0,,,13,0,,,13,,,,,Salt,Plain,
1,2,0,Oven,,,0,5,4.7,13,0,6.5,3.8,13,,,,,,,1999
"""

WEB = {
    "x-overall-estimates-and-settings.csv": "\ufeffAnalysis group,Analysis number,Data type,"
    "Experimental group label,Control group label,Effect measure,Study CI\n"
    "1,1,Dichotomous,Salt,Plain,Risk Ratio,95%\n2,1,Contrast level,,,Odds Ratio,95%\n",
    "x-data-rows.csv": "\ufeffAnalysis group,Analysis number,Analysis name,Subgroup,Study,"
    "Study year,GIV Mean,GIV SE,Experimental mean,Experimental SD,Experimental cases,"
    "Experimental N,Control mean,Control SD,Control cases,Control N,Mean,CI start,CI end\n"
    "1,1,Mould,Rye,Oven,1999,0,0,0,0,3,20,0,0,9,21,0.35,0.11,1.1\n"
    "2,1,Taste,,Oven,1999,-0.69,0.3,0,0,0,0,0,0,0,0,0.5,0.28,0.9\n",
    "x-study-information.csv": "\ufeffStudy,Year\nOven,1999\n",
    "x-risk-of-bias.csv": "\ufeffStudy,Domain (judgement): Bias arising from the randomization "
    "process,Domain (support): Bias arising from the randomization process,"
    "Domain (judgement): Funding\nOven,Some concerns,No list was seen,High risk\n",
}


def data_package():
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as package:
        for name, text in WEB.items():
            package.writestr(f"x-analysis-data/{name}", text)
    with zipfile.ZipFile(outer, "w") as package:
        package.writestr("x/x-files/x-data.zip", inner.getvalue())
    return outer.getvalue()


def zipped(settings):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("x-data-rows.csv", WEB["x-data-rows.csv"])
        package.writestr("x-overall-estimates-and-settings.csv", settings)
    return content.getvalue()


@pytest.fixture
def take(project, tmp_path):
    """Write a file and import it into the small project."""

    def take(name, content, **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return import_evidence(project.root, path, **options)

    return take


def cells(project, table, *names, **where):
    """The cells of the rows of a table that have certain cells."""
    frame = project.dataset().frame(table)
    for name, value in where.items():
        frame = frame[frame[name] == value]
    return [tuple(map(str, row)) for row in frame[list(names)].itertuples(index=False)]


def test_a_revman_5_file_brings_results_references_and_judgements(project, take):
    done = take("salt.rm5", RM5, values={"condition": "bread", "design": "randomised parallel"})
    found = cells(
        project,
        schema.STUDIES,
        "study",
        "population",
        "arm",
        "outcome",
        "as_printed",
        source="salt",
    )
    assert ("oven1999", "Rye", "Salt", "Mould", "3/20") in found
    assert ("oven1999", "Rye", "Plain", "Mould", "9/21") in found
    # A study that is known by author and year takes the key that it has.
    assert ("miller2001", "Wheat", "Salt", "Mould", "5/30") in found
    assert ("oven1999", "", "Plain", "Weight", "6.5 (SD 3.8)") in found
    assert len(found) == 7
    ((value, spread, low),) = cells(
        project, schema.STUDIES, "value", "spread", "ci_low", measure="hazard ratio"
    )
    assert (value, spread, low) == ("0.5", "0.25", "nan")  # its CI is a 90% one
    ((verified, locator),) = cells(
        project, schema.STUDIES, "verified", "locator", as_printed="3/20"
    )
    assert verified == "imported from salt.rm5, not read at its source"
    assert locator == "salt.rm5, analysis 1.1, Oven 1999"
    judgements = cells(
        project, schema.RISK_OF_BIAS, "study", "tool", "domain", "judgement", "reason"
    )
    assert judgements == [("oven1999", "RoB 1 (2011)", "concealment", "low", "Sealed tins")]
    reference = project.dataset().bibliography["oven1999"]
    assert (reference.title, reference.container, reference.doi) == (
        "Salt & crust", "Journal of Bread", "10.1000/crust",
    )  # fmt: skip
    assert [author.last for author in reference.authors] == ["Oven", "Rye"]
    assert reference.more_authors
    assert done.left_out == [
        "salt.rm5, analysis 1.2, Miller 2001: not estimable in the review, as a size or SD is 0",
        "salt.rm5, analysis 1.4, Oven 1999: data of the type 'IPD' make no row",
    ]


@pytest.mark.parametrize(
    ("left", "right", "better"),
    [
        ("Favours salt", "Favours placebo", "lower"),
        ("Favours control", "Favours experimental", "higher"),
        ("Favours experimental", "Favours control", "neither"),  # RevMan's default
        ("Less", "More", "neither"),
    ],
)
def test_a_revman_5_file_says_which_side_is_favoured_and_what_is_swapped(
    project, take, left, right, better
):
    labels = f"<GRAPH_LABEL_1>{left}</GRAPH_LABEL_1><GRAPH_LABEL_2>{right}</GRAPH_LABEL_2>"
    content = RM5.replace('EFFECT_MEASURE="RR"', 'EFFECT_MEASURE="RR" SWAP_EVENTS="YES"', 1)
    content = content.replace("<NAME>Mould</NAME>", f"<NAME>Mould</NAME>{labels}")
    done = take("salt.rm5", content, values={"condition": "bread", "design": "open label"})
    assert cells(project, schema.OUTCOMES, "better", outcome="Mould") == [(better,)]
    assert done.left_out[0] == (
        "salt.rm5, analysis 1.1: the review analyses the participants without the event; the rows "
        "hold the events as entered"
    )


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Smith JA", "J. A.", "Smith"),
        ("van der Berg K-H", "K.-H.", "van der Berg"),
        ("Cochrane Group", "", "Cochrane Group"),
        ("King ML Jr", "M. L.", "King"),
    ],
)
def test_authors_as_journals_list_them(name, first, last):
    assert (parse_author(name).first, parse_author(name).last) == (first, last)


def test_the_csv_export_of_revman_5(project, take):
    take("salt.csv", RM5_CSV, values=SAME | {"outcome": ""})
    found = cells(project, schema.STUDIES, "study", "population", "as_printed", source="salt")
    assert found == [
        ("oven1999", "Rye", "3/20"), ("oven1999", "Rye", "9/21"),
        ("oven1999", "", "5 (SD 4.7)"), ("oven1999", "", "6.5 (SD 3.8)"),
    ]  # fmt: skip


def test_the_data_package_of_revman_web_inside_a_download(project, take):
    done = take("salt.zip", data_package(), values={"condition": "bread", "design": "open label"})
    found = cells(project, schema.STUDIES, "arm", "as_printed", "spread", source="salt")
    assert found == [
        ("Salt", "3/20", "nan"), ("Plain", "9/21", "nan"),
        ("experimental", "0.5, SE 0.3, 0.28 to 0.9", "0.3"),
    ]  # fmt: skip
    judgements = cells(project, schema.RISK_OF_BIAS, "tool", "domain", "judgement")
    assert judgements == [("RoB 2 (2019)", "randomisation", "some concerns")]
    assert done.left_out == [
        "salt.zip, x-risk-of-bias.csv row 2: no tool of this project has the domain 'Funding'"
    ]


def bcg_table(*columns):
    counts = BCG["studies"]
    columns_of = {
        "ai": counts["events1"], "n1i": counts["n1"], "ci": counts["events2"], "n2i": counts["n2"],
        "bi": np.subtract(counts["n1"], counts["events1"]),
        "di": np.subtract(counts["n2"], counts["events2"]),
    }  # fmt: skip
    lines = [",".join(("author", "year", *columns))]
    for number, year in enumerate(YEARS):
        numbers = (str(int(columns_of[name][number])) for name in columns)
        lines.append(",".join((f"Trial {number + 1}", str(year), *numbers)))
    return "\n".join(lines)


@pytest.mark.parametrize("columns", [("ai", "bi", "ci", "di"), ("ai", "n1i", "ci", "n2i")])
def test_the_pool_of_a_table_of_metafor_is_metafors(project, take, columns):
    take("bcg.csv", bcg_table(*columns), values=SAME)
    data = project.dataset()
    pooled = meta_analyse(
        data, select_results(data), outcome="mould", measure="rr", test="knha"
    ).pooled
    theirs = BCG["RR"]["REML|knha"]
    assert pooled.k == len(YEARS)
    assert pooled.estimate == pytest.approx(theirs["estimate"], rel=1e-6)
    assert pooled.ci_low == pytest.approx(theirs["ci_low"], rel=1e-6)


@pytest.mark.parametrize(
    ("table", "measure"),
    [
        ("study,ai,n1i,ci,n2i\nOven 1999,3,20,9,21\nMiller 2001,5,30,6,31\n", "rr"),
        ("study,m1i,sd1i,n1i,m2i,sd2i,n2i\nOven 1999,5,2,10,6.5,2.5,12\nMiller 2001,4,2,11,5,3,9\n",
         "smd"),
        ("study,yi,vi\nOven 1999,-0.5,0.04\nMiller 2001,0.25,0.09\n", "rr"),
    ],
)  # fmt: skip
def test_a_table_of_metafor_comes_back_from_an_export(project, take, tmp_path, table, measure):
    take("first.csv", table, values=SAME | {"measure": measure})
    out = tmp_path / "exported.csv"
    run = ["export-data", "--outcome", "mould", "--measure", measure, "--out", str(out)]
    assert cli.main([*run, "--project", str(project.root)]) == 0
    mine, theirs = pd.read_csv(out).set_index("study"), pd.read_csv(io.StringIO(table))
    for name in theirs.columns[1:]:
        assert list(mine[name]) == pytest.approx(list(theirs[name]), abs=1e-6)


def test_effects_with_variances_on_the_log_scale(project, take):
    table = "study,yi,vi\nOven 1999,-0.8893,0.3256\nMiller 2001,-1.5854,0.1946\n"
    take("effects.csv", table, values=SAME | {"measure": "rr"})
    ((value, spread, printed),) = cells(
        project, schema.STUDIES, "value", "spread", "as_printed", study="oven1999"
    )
    # exp(−0.8893) and √0.3256
    assert (float(value), float(spread)) == pytest.approx((0.410943, 0.570614), abs=1e-5)
    assert printed == f"{value}, SE {spread} (entered as log -0.8893, variance 0.3256)"


def test_metapsy_means_and_changes(project, take):
    table = (
        "study,condition_arm1,condition_arm2,outcome_type,instrument,time_weeks,mean_arm1,sd_arm1,"
        "n_arm1,mean_arm2,sd_arm2,n_arm2,mean_change_arm1,sd_change_arm1,n_change_arm1\n"
        "Oven 1999,salt,plain,mould,spots,6,5.0,2.0,10,6.5,2.5,12,NA,NA,NA\n"
        "Miller 2001,salt,plain,mould,spots,6,NA,NA,NA,NA,NA,NA,-1.5,3,11\n"
    )
    take("metapsy.csv", table, values={"condition": "bread"})
    found = cells(
        project, schema.STUDIES, "study", "arm", "definition", "time", "time_unit", "as_printed",
        source="metapsy",
    )  # fmt: skip
    assert found == [
        ("oven1999", "salt", "", "6", "week", "5.0 (SD 2.0)"),
        ("oven1999", "plain", "", "6", "week", "6.5 (SD 2.5)"),
        ("miller2001", "salt", "change from baseline", "6", "week", "-1.5 (SD 3)"),
    ]


WIDE = "Paper;Salt events;Salt n;Control events;Control n\nOven 1999;3;20;9;21\n"


def test_a_drafted_mapping_needs_only_its_question_marks_answered(project, tmp_path, capsys):
    table, mapping = tmp_path / "wide.csv", tmp_path / "mapping.yml"
    table.write_text(WIDE.replace("Salt", "Treatment"))
    assert cli.main(["import", str(table), "--draft-mapping"]) == 0
    draft = capsys.readouterr().out
    assert "events1: Treatment events  # 3" in draft
    assert "n2: Control n  # 21" in draft
    mapping.write_text(draft.replace("# FIELD: Paper", "study: Paper"))
    run = ["import", str(table), "--mapping", str(mapping), "--project", str(project.root)]
    assert cli.main(run) == 1
    answer = "answer the question mark at condition, outcome, arm1, arm2, better, design"
    assert answer in capsys.readouterr().err
    for name, word in SAME.items():
        draft = draft.replace(f'{name}: "?"', f"{name}: {word}")
    mapping.write_text(draft.replace("# FIELD: Paper", "study: Paper"))
    assert cli.main(run) == 0
    assert cells(project, schema.STUDIES, "as_printed", study="oven1999") == [("3/20",), ("9/21",)]


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (
            "Trial,Weeks,Responders (exercise),N (exercise),Responders (waiting list),N (waiting list)",
            ["study: Trial", "time: Weeks", "events1: Responders (exercise)",
             "events2: Responders (waiting list)", "n1: N (exercise)", "n2: N (waiting list)",
             'time_unit: "?"'],
        ),
        (
            "Author,HAMD WL M,HAMD WL SD,HAMD ex M,HAMD ex SD,n wl,n ex,Events ex",
            ["study: Author", "mean1: HAMD ex M", "mean2: HAMD WL M", "sd1: HAMD ex SD",
             "sd2: HAMD WL SD", "n1: n ex", "n2: n wl"],
        ),
    ],
)  # fmt: skip
def test_a_draft_pairs_columns_of_one_quantity(tmp_path, header, fields):
    table = tmp_path / "wide.csv"
    table.write_text(f"{header}\n" + ",".join("Oven 1999" if not n else "3" for n in range(9)))
    lines = [
        line.split("  # ")[0].strip() for line in draft_mapping(read_sheet(table)).splitlines()
    ]
    assert [field for field in fields if field not in lines] == []


def test_a_time_without_a_unit_is_one_message(take):
    table = "study,time,ai,n1i,ci,n2i\nOven 1999,6,3,20,9,21\nMiller 2001,8,5,30,6,31\n"
    with pytest.raises(EvidenceError) as error:
        take("m.csv", table, values=SAME)
    assert str(error.value).endswith(
        "m.csv: does not say: time_unit (unit of the time: minute, hour, day, week, month or year). "
        "Add --set time_unit=WORD"
    )


def test_a_table_without_a_known_form_names_the_next_step(take):
    with pytest.raises(
        EvidenceError, match=r"in no form that is known: Paper, Salt events.*--draft"
    ):
        take("wide.csv", WIDE, values=SAME)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("columns: {studdy: Paper}", "unknown field 'studdy'. Did you mean 'study'?"),
        (
            "columns: {study: Papers}",
            "study: wide.csv has no column 'Papers'. Did you mean 'Paper'?",
        ),
        ("columns: {events1: Salt n}", "no column holds the study. Add it: study: COLUMN"),
        ("columns: [", "is not YAML"),
        ("columns: 2026-02-30", "is not YAML: day is out of range for month"),
        ("rows: 3", "has parts other than 'columns' and 'values'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(take, tmp_path, mapping, message):
    (tmp_path / "mapping.yml").write_text(mapping)
    with pytest.raises(EvidenceError) as error:
        take("wide.csv", WIDE, mapping=tmp_path / "mapping.yml", values=SAME)
    assert message in str(error.value)


COUNTS = "study,ai,n1i,ci,n2i\nOven 1999,3,20,9,21\nMiller 2001,{},{},6,31\n"


def test_a_new_study_may_be_named_like_its_key(take):
    counts = COUNTS.replace("Oven 1999", "oven").format(5, 30)
    assert take("m.csv", counts, values=SAME).references == ["m", "oven"]


def test_what_does_not_fit_is_listed_and_nothing_is_written(project, take):
    before = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    with pytest.raises(EvidenceError) as error:
        take("m.csv", COUNTS.format("five", 30), values=SAME)
    assert str(error.value).splitlines() == [
        "m.csv, row 3: ai 'five' is not a whole number from 0",
        "Nothing was written. Correct these rows, or leave them out with --skip-unfit",
    ]
    # What only the tables can refuse is named by its place in the file.
    with pytest.raises(EvidenceError, match=r"m\.csv, row 3, ai, n1i events: 40 exceeds n \(30\)"):
        take("m.csv", COUNTS.format(40, 30), values=SAME)
    assert {p: p.read_bytes() for p in project.root.rglob("*") if p.is_file()} == before
    done = take("m.csv", COUNTS.format("five", 30), values=SAME, skip_unfit=True, dry_run=True)
    assert (done.rows[schema.STUDIES.file], done.left_out) == (
        2, ["m.csv, row 3: ai 'five' is not a whole number from 0"],
    )  # fmt: skip
    assert {p: p.read_bytes() for p in project.root.rglob("*") if p.is_file()} == before


def test_the_dose_is_that_of_the_treated_group(project, take):
    table = "study,ai,n1i,ci,n2i,dose1\nOven 1999,3,20,9,21,150\n"
    (project.root / "mapping.yml").write_text(
        "columns: {study: study, events1: ai, n1: n1i, events2: ci, n2: n2i, dose1: dose1}\n"
    )
    values = {**SAME, "dose_unit": "minutes/week"}
    take("m.csv", table, mapping=project.root / "mapping.yml", values=values)
    rows = project.dataset().reported_results.tail(2)
    assert list(rows["dose"].fillna(0)) == [150, 0]
    assert list(rows["dose_unit"]) == ["minutes/week", ""]


def test_tables_in_other_encodings_are_extended(project, take):
    studies, sources = project.path("data/studies.csv"), project.path("references.bib")
    studies.write_text(studies.read_text("utf-8"), "utf-16")
    sources.write_bytes(sources.read_bytes() + b"@misc{x, title = {Br\xf6t}, year = {2000}}\n")
    take("m.csv", COUNTS.format(5, 30), values=SAME)
    assert cells(project, schema.STUDIES, "as_printed", study="oven1999") == [("3/20",), ("9/21",)]


def test_the_same_file_twice_adds_nothing(project, take):
    take("m.csv", COUNTS.format(5, 30), values=SAME)
    before = project.path("data/studies.csv").read_bytes()
    assert take("m.csv", COUNTS.format(5, 30), values=SAME).rows == {}
    assert project.path("data/studies.csv").read_bytes() == before


def test_the_invented_rows_of_a_new_project_make_way(tmp_path, capsys):
    root, table = tmp_path / "new", tmp_path / "m.csv"
    table.write_text(COUNTS.format(5, 30))
    assert cli.main(["new", str(root)]) == 0
    words = [f"--set={name}={word}" for name, word in SAME.items()]
    assert cli.main(["import", str(table), "--project", str(root), *words]) == 0
    assert cli.main(["pool", "--outcome", "mould", "--measure", "rr", "--project", str(root)]) == 0
    assert "2 studies" in capsys.readouterr().out
    for name in ("studies", "designs", "outcomes"):
        assert "invented" not in (root / "data" / f"{name}.csv").read_text("utf-8"), name
    assert "nvent" not in (root / "references.bib").read_text("utf-8")


def test_one_arm_with_two_numbers_is_refused(take):
    table = "study,ai,n1i,ci,n2i\nOven 1999,3,20,9,21\nOven 1999,4,20,8,11\n"
    with pytest.raises(EvidenceError, match=r"'salt' has 4/20, but 3/20 in m\.csv, row 2"):
        take("m.csv", table, values=SAME)


def test_several_effects_of_one_study_are_kept_on_request(project, take):
    table = "study,yi,vi\nOven 1999,-0.5,0.04\nOven 1999,0.25,0.09\nMiller 2001,1,0.01\n"
    take("m.csv", table, values=SAME | {"measure": "smd"}, repeats=True)
    found = cells(project, schema.STUDIES, "definition", "value", study="oven1999")
    assert found == [("", "-0.5"), ("row 3", "0.25")]


def test_a_field_that_is_set_is_the_same_for_all_rows(project, take):
    table = "study,condition,ai,n1i,ci,n2i\nOven 1999,rye,3,20,9,21\nMiller 2001,,5,30,6,31\n"
    take("m.csv", table, values=SAME)
    assert set(cells(project, schema.STUDIES, "condition", source="m")) == {("bread",)}


def test_a_name_that_fits_two_references_is_refused(project, take):
    project.append(
        "references.bib",
        "@misc{miller2001b, author = {Miller, Cy}, title = {Rye}, year = {2001}}\n",
    )
    with pytest.raises(EvidenceError, match="'Miller 2001' may be miller2001, miller2001b"):
        take("m.csv", COUNTS.format(5, 30), values=SAME)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.rm5", "<html/>", "is XML, but not a review of RevMan 5"),
        ("a.rm5", "<COCHRANE_REVIEW>", "is not well-formed XML"),
        ("a.rm5", '<!DOCTYPE x [<!ENTITY a "b">]><COCHRANE_REVIEW/>', "defines XML entities"),
        ("a.zip", "no zip", "is not a zip file, or is damaged"),
        ("a.zip", zipped(b"M\xfcller"), "x-overall-estimates-and-settings.csv: is not in UTF-8"),
        ("a.csv", "", "is empty; its first row must name the columns"),
        ("a.csv", "study,study\n1,2\n", "the column 'study' occurs twice"),
        (
            "a.rm5",
            '<?xml version="1.0" encoding="shift_jis"?><a/>',
            "is not well-formed XML: multi",
        ),
        ("a.csv", "study\0", "is not text. Save it as CSV in UTF-8"),
        ("a.csv", f"study\n{'x' * 200_000}\n", "a cell has more than 131,072 characters"),
    ],
)
def test_a_file_that_is_not_what_it_seems_is_refused(take, name, content, message):
    with pytest.raises(EvidenceError, match=message):
        take(name, content, values=SAME)


def test_a_zip_that_names_files_outside_itself_is_refused(take):
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as out:
        out.writestr("../../x-data-rows.csv", "a")
    with pytest.raises(EvidenceError, match="names a file outside itself"):
        take("a.zip", package.getvalue())


def test_fields_that_nothing_says_are_asked_for_at_once(take):
    with pytest.raises(EvidenceError) as error:
        take("m.csv", COUNTS.format(5, 30))
    for name in ("condition", "outcome", "arm1", "arm2", "design"):
        assert f"--set {name}=WORD" in str(error.value)


def test_a_row_without_numbers_says_so():
    fields = dict.fromkeys(("condition", "outcome", "arm1", "arm2"), "x")
    with pytest.raises(EvidenceError, match="neither events with n, nor means, nor an estimate"):
        result_rows(Comparison("a.csv, row 2", fields | {"events1": "NR", "n1": "20"}), "a.csv")


def test_a_workbook_is_read_like_a_table(project, take):
    openpyxl = pytest.importorskip("openpyxl")
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in (["study", "ai", "n1i", "ci", "n2i"], ["Oven 1999", 3, 20, 9, 21]):
        book.active.append(row)
    book.save(content)
    take("m.xlsx", content.getvalue(), values=SAME)
    found = cells(project, schema.STUDIES, "as_printed", "locator", study="oven1999")
    assert found[0] == ("3/20", "m.xlsx, row 2, ai, n1i")


def test_numbers_are_read_as_spreadsheets_write_them(project, take):
    table = "sep=;\nstudy;m1i;sd1i;n1i;m2i;sd2i;n2i\nOven 1999;−1,5;2,25;24.0;NR;;\n"
    take("m.csv", table.encode("utf-16"), values=SAME)
    found = cells(project, schema.STUDIES, "value", "spread", "n", study="oven1999")
    assert found == [("-1.5", "2.25", "24")]


def test_columns_are_guessed_by_quantity_and_group(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text(
        "trial,Author,tpos,tneg,cpos,cneg,SD placebo,mean_exp\n1,Oven,4,119,11,128,2,3\n"
    )
    draft = draft_mapping(read_sheet(path))
    for line in ("study: Author", "events1: tpos", "nonevents2: cneg", "sd2: SD placebo",
                 "mean1: mean_exp", "# FIELD: trial"):  # fmt: skip
        assert f"  {line}  #" in draft


def test_a_review_of_revman_has_a_title(tmp_path):
    path = tmp_path / "salt.rm5"
    path.write_text(RM5)
    assert read_rm5(path).title == "Salt for bread"


def test_a_file_that_changed_since_its_import_is_refused_by_row(project, take):
    take("m.csv", COUNTS.format(5, 30), values=SAME)
    with pytest.raises(EvidenceError) as error:
        take("m.csv", COUNTS.format(6, 30), values=SAME)
    assert "m.csv, row 3, ai, n1i: 'salt' has 6/30, but an earlier import gave 5/30" in str(
        error.value
    )
    # Capitals are no change.
    assert take("m.csv", COUNTS.format(5, 30), values=SAME | {"arm1": "Salt"}).rows == {}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("Miller 2001a", "Miller 2001b"), "'Miller 2001b' and 'Miller 2001a' both fit miller2001"),
        (("Miller et al. (2001)", "Miller & Oven, 2001"), "'salt' has 5/30, but 3/20"),
    ],
)
def test_two_names_of_a_file_are_two_studies_if_their_letters_differ(take, names, message):
    first, second = (f'"{name}"' for name in names)
    table = f"study,ai,n1i,ci,n2i\n{first},3,20,9,21\n{second},5,30,6,31\n"
    with pytest.raises(EvidenceError, match=re.escape(message)):
        take("m.csv", table, values=SAME)


def test_et_al_in_a_name_is_no_part_of_the_author(project, take):
    take("m.csv", COUNTS.replace("Oven 1999", "Oven et al. (1999)").format(5, 30), values=SAME)
    reference = project.dataset().bibliography["oven1999"]
    assert (reference.authors[0].last, reference.more_authors) == ("Oven", True)


def test_no_page_says_that_an_imported_number_was_confirmed(project, take):
    take("m.csv", COUNTS.format(5, 30), values=SAME)
    data = project.dataset()
    results = select_results(data, outcomes=["mould"])
    confirmed = tabulate_results(data, results).frame["confirmed"]
    assert set(confirmed) == {"imported from m.csv, not read at its source"}
    assert str(describe_coverage(results)).endswith(
        "4 results were imported from other files; these are counted too, but nobody confirmed them "
        "at their source."
    )
    assert set(arm_proportions(results, time_days=1, confidence=0.95)["provenance"]) == {"imported"}
    assert "with an imported or confirmed result on mould" in str(coverage_summary(data, "mould"))
    benefits = results.assign(kind="benefit", days=1.0, days_low=1.0)
    assert not findings_over_time(benefits, confidence=0.95)["confirmed"].any()


def test_a_study_named_by_its_key_is_called_by_its_reference(project, take):
    entry = "@misc{rye2002, author = {Rye, Cy}, title = {Rye}, year = {2002}}\n"
    project.append("references.bib", entry)
    take("m.csv", COUNTS.replace("Oven 1999", "rye2002").format(5, 30), values=SAME)
    assert cells(project, schema.DESIGNS, "label", study="rye2002") == [("Rye 2002",)]
