"""`evidence search`: a search is added if it is complete and its counts add up, else nothing is."""

import csv
import io
from datetime import date

import pytest

from evidence import cli

SEARCHES = "data/searches.csv"
SEARCH = {
    "--kind": "database", "--database": "Bread index", "--query": "yeast AND rising",
    "--searched-by": "A. Reader", "--records": "10", "--kept": "3",
}  # fmt: skip


@pytest.fixture
def add(project):
    """A function that runs `evidence search add` on the small project; None leaves out an option."""

    def run(**changes):
        options = SEARCH | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
        arguments = [word for pair in options.items() if pair[1] is not None for word in pair]
        return cli.main(["search", "add", *arguments, "--project", str(project.root)])

    return run


def test_a_search_is_added_with_the_counts_that_follow(project, add, capsys):
    assert add(condition="bread", outcome="risen") == 0
    assert capsys.readouterr().out == "added to data/searches.csv: S01\n"
    (row,) = project.dataset().searches.to_dict("records")
    assert (row["screened"], row["excluded"], row["duplicates"]) == (10, 7, 0)
    assert (row["conditions"], row["treatments"], row["outcomes"]) == (("bread",), (), ("risen",))
    assert row["date"] == date.today().isoformat()


def test_all_that_is_given_is_kept_and_names_count_on(project, add):
    assert add(name="S009", date="2026-11-24", duplicates="2", screened="8", excluded="5") == 0
    assert add(note="again", limits="English") == 0
    rows = project.dataset().searches
    assert rows["search"].tolist() == ["S009", "S010"]
    assert rows["date"][0] == "2026-11-24"
    assert rows["limits"].tolist() == ["", "English"]


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"database": None}, 2, "Missing option '--database'"),
        ({"records": "many"}, 2, "'many' is not a valid integer"),
        ({"kind": "library"}, 2, "'library' is not one of 'database', 'register'"),
        ({"date": "soon"}, 2, "'soon' does not match the format '%Y-%m-%d'"),
        ({"kept": "11"}, 1,
         f"{SEARCHES}:2 screened: 10 is not excluded + kept (0 + 11 = 11). Correct one of them."),
        ({"screened": "9"}, 1,
         f"{SEARCHES}:2 records: 10 is not duplicates + screened (0 + 9 = 9). Correct one of them."),
        ({"outcome": "rizen"}, 1,
         f"{SEARCHES}:2 outcomes: 'rizen' is not defined in data/outcomes.csv. Did you mean"),
        ({"query": " yeast"}, 1, f"{SEARCHES}:2 query: ' yeast' has blanks around it"),
        ({"query": ""}, 1, f"{SEARCHES}:2 query: required value is missing"),
    ],
)  # fmt: skip
def test_a_search_that_is_incomplete_or_does_not_add_up_is_not_written(
    project, add, capsys, changes, code, message
):
    assert add(**changes) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not project.path(SEARCHES).exists()


def test_a_name_that_is_taken_is_refused_with_the_line_that_it_would_get(project, add, capsys):
    assert add(name="S01") == 0
    before = project.path(SEARCHES).read_bytes()
    assert add(name="S01") == 1
    assert f"{SEARCHES}:3: repeats line 2 (S01)." in capsys.readouterr().err
    assert project.path(SEARCHES).read_bytes() == before


def test_searches_are_listed(project, add, capsys):
    add(date="2026-11-24")
    capsys.readouterr()
    assert cli.main(["search", "list", "--project", str(project.root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{SEARCHES}:2  search S01 of Bread index, 2026-11-24: yeast AND rising: 10 records, "
        "0 duplicates, 10 screened, 7 excluded, 3 kept",
        "1 search",
    ]


def test_the_template_is_a_row_of_the_table_to_complete(project, add, capsys):
    add()
    capsys.readouterr()
    assert cli.main(["search", "template", "--project", str(project.root)]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert list(row) == project.rows(SEARCHES)[0]
    assert (row["search"], row["date"], row["query"]) == ("S02", date.today().isoformat(), "")
