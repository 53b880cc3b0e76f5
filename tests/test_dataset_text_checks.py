"""Hidden characters, letters of every script, very long texts, and identifiers with check digits."""

import csv

import pytest

from evidence import cli
from evidence.dataset import schema
from evidence.dataset.bibliography import MAX_FIELD_CHARS
from evidence.dataset.text_checks import identifier_error
from evidence.errors import DatasetError


def load_error(project) -> str:
    with pytest.raises(DatasetError) as caught:
        project.dataset()
    return str(caught.value)


@pytest.mark.parametrize(
    ("character", "number"),
    [
        ("\u202e", "U+202E"),
        ("\u2066", "U+2066"),
        ("\u200f", "U+200F"),
        ("\u200b", "U+200B"),
        ("\u200d", "U+200D"),
        ("\ufeff", "U+FEFF"),
        ("\x00", "U+0000"),
        ("\x1b", "U+001B"),
        ("\u00ad", "U+00AD"),
    ],
)
def test_a_hidden_character_is_refused_in_tables_and_removed_in_the_bibliography(
    project, character, number
):
    project.put("data/studies.csv", 3, note=f"no{character}ne")
    project.replace("references.bib", "Rising dough", f"Rising {character}dough")
    rule = f"contains the hidden character {number}. Remove it."
    assert load_error(project) == f"data/studies.csv:3 note: 'no<{number}>ne' {rule}"
    project.put("data/studies.csv", 3, note="none")
    dataset = project.dataset()
    assert dataset.bibliography["baker1990"].title == "Rising dough"
    hidden, unplaced = dataset.source_warnings()
    assert hidden == f"references.bib:1: 1 hidden character was removed; the first is {number}."
    assert unplaced.startswith("references.bib: 2 of 2 cited articles have no volume or no DOI")


def test_hidden_characters_and_long_texts_never_reach_a_message(project):
    """Of a header and of a rule about the whole row as well."""
    project.put("data/studies.csv", 2, versus="no\u202ene" + "x" * 1000)
    project.replace("data/claims.csv", "section", "sec\u202etion" + "y" * 1000)
    message = load_error(project)
    assert "\u202e" not in message
    assert max(map(len, message.splitlines())) < 500


@pytest.mark.parametrize("word", ["می‌خواهم", "क्‍ष", "Ångström", "naïve", "東京", "עברית", "a\r\nb"])
def test_letters_of_every_script_are_welcome(project, word):
    project.put("data/studies.csv", 3, note=word)
    assert word in set(project.dataset().reported_results["note"])


def test_ten_megabytes_in_a_cell_are_one_line(project, capsys):
    csv.field_size_limit(2**31 - 1)  # as a library does that reads tables too
    project.put("data/studies.csv", 4, note="x" * 10_000_000)
    project.replace("references.bib", "{Flour again}", "{" + "y" * 10_000_000 + "}")
    assert cli.main(["check", "--project", str(project.root)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any("data/studies.csv:4: a cell has more than 131,072 characters." in s for s in lines)
    assert any(f"'miller2001' has more than {MAX_FIELD_CHARS:,} characters." in s for s in lines)
    assert max(map(len, lines)) < 200


def test_a_long_value_is_shortened_in_the_message(project):
    project.put("data/studies.csv", 4, role="z" * 100_000)
    message = load_error(project)
    assert len(message) < 400
    assert "z…' is not one of: intervention" in message


@pytest.mark.parametrize(
    ("name", "valid", "wrong_digit", "swapped"),
    [
        # The first is the example of the registry.
        ("orcid", "0000-0002-1825-0097", "0000-0002-1825-0098", "0000-0002-8125-0097"),
        ("orcid", "0000-0002-9079-593X", "0000-0002-9079-5931", "0000-0002-0979-593X"),
    ],
)
def test_a_wrong_or_swapped_digit_of_an_identifier_is_found(name, valid, wrong_digit, swapped):
    assert identifier_error(name, valid) == ""
    for wrong in (wrong_digit, swapped):
        message = f"{wrong} is not a valid {name.upper()}: the check digit is wrong"
        assert identifier_error(name, wrong) == message


@pytest.mark.parametrize(
    ("name", "valid"),
    [("doi", "10.1001/archpsyc.63.8.856"), ("pmid", "16894061"), ("url", "https://example.org/a")],
)
def test_an_identifier_of_another_form_is_refused(name, valid):
    assert identifier_error(name, valid) == ""
    for wrong in ("x", "javascript:alert(1)"):
        assert identifier_error(name, wrong).startswith(f"'{wrong}' is not a")


def test_a_signature_with_a_wrong_orcid_is_refused(project):
    project.table(
        schema.WAIVERS, code="PRINT", study="baker1990", reason="seen",
        signed_by="A. Miller 0000-0002-1825-0098", date="2026-11-24",
    )  # fmt: skip
    assert load_error(project) == (
        "data/waivers.csv:2 signed_by: 0000-0002-1825-0098 is not a valid ORCID: the check digit "
        "is wrong"
    )
