"""Searches whose counts add up, and known studies that are tabulated, wanted or excluded, once."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from evidence.dataset import schema
from evidence.dataset.text_checks import identifier_error, quote
from evidence.errors import ProblemList

FILE = schema.KNOWN_STUDIES.file


def check_searches(problems: ProblemList, searches: pd.DataFrame) -> None:
    """Require that the records of each search are accounted for at every step."""
    for row in searches.itertuples():
        counts = (row.records, row.duplicates or "0", row.screened, row.excluded, row.kept)
        # A cell that is blank or no number has its own message.
        if not all(cell.isdecimal() for cell in counts):
            continue
        records, duplicates, screened, excluded, kept = map(int, counts)
        for column, total, parts, names in (
            ("records", records, (duplicates, screened), "duplicates + screened"),
            ("screened", screened, (excluded, kept), "excluded + kept"),
        ):
            if total != sum(parts):
                message = (
                    f"{total} is not {names} ({parts[0]} + {parts[1]} = {sum(parts)}). "
                    "Correct one of them."
                )
                problems.add(schema.SEARCHES.file, row.Index, column, message)


def check_known_studies(
    problems: ProblemList, tables: Mapping[str, pd.DataFrame], bibliography: Collection[str] | None
) -> None:
    """Find known studies with a wrong status, and studies that are listed twice."""
    known = tables[FILE].astype("str")
    tabulated = set(tables[schema.STUDIES.file]["study"].cat.categories) - {""}
    tabulated_by_doi = {
        reference.doi.casefold(): key
        for key, reference in (bibliography.items() if isinstance(bibliography, Mapping) else ())
        if reference.doi and key in tabulated
    }
    designs = tables[schema.DESIGNS.file]
    registered = dict(zip(designs["registration"], designs["study"], strict=True))
    for row in known.itertuples():
        names = (row.study, row.known_study, tabulated_by_doi.get(row.doi.casefold(), ""))
        study = next((name for name in names if name in tabulated), "")
        if (message := _status_error(row, study))[1]:
            problems.add(FILE, row.Index, *message)
        registrant = registered.get(row.registration, "") if row.registration else ""
        if row.status == "wanted" and registrant in tabulated and not (row.study or row.doi):
            text = (
                f"{quote(row.registration)} is also the registration of {quote(registrant)}, which "
                "is tabulated. If this is that study, delete the line; else give its study or doi."
            )
            problems.add(FILE, row.Index, "registration", text)
        if row.doi and (form := identifier_error("doi", row.doi)):
            problems.add(FILE, row.Index, "doi", form)
    _check_listed_twice(problems, known)


def _status_error(row: Any, tabulated_study: str) -> tuple[str, str]:
    """Return column and message for a status that does not fit; the message is empty if it does.

    `tabulated_study` is the key under which the study has results, if it has any.
    """
    results = schema.STUDIES.file
    if row.status == "tabulated" and not row.study:
        return "study", f"required value is missing. Give the key of its rows in {results}."
    if row.status == "tabulated" and row.study != tabulated_study:
        return "status", (
            f"{results} has no rows of {quote(row.study)}. Enter its results, or change the status "
            "to wanted."
        )
    if row.status in ("wanted", "excluded") and tabulated_study:
        return "status", (
            f"{quote(row.known_study)} is {row.status}, but {results} has rows of "
            f"{quote(tabulated_study)}. Change the status to tabulated and give that study."
        )
    if row.status == "excluded" and not row.reason:
        return "reason", "required value is missing. Say why the study is excluded."
    return "", ""


def _check_listed_twice(problems: ProblemList, known: pd.DataFrame) -> None:
    """Report a study that has two lines: each would count it once more.

    Several studies may share a registration, as in a programme of trials; then a key or a DOI must
    tell them apart if they differ in status.
    """
    for column in ("study", "doi"):
        words = known[column].str.casefold()
        for _, rows in known[words != ""].groupby(words):
            first = rows.index[0]
            for line in rows.index[1:]:
                message = (
                    f"{quote(rows.at[line, column])} is already on line {first}. "
                    "List each study once."
                )
                problems.add(FILE, line, column, message)
    for _, rows in known[known["registration"] != ""].groupby("registration"):
        first = rows.iloc[0]
        for line, row in rows.iloc[1:].iterrows():
            is_told_apart = all(other["study"] or other["doi"] for other in (first, row))
            if row["status"] != first["status"] and not is_told_apart:
                message = (
                    f"{quote(row['registration'])} is {first['status']} on line {first.name} and "
                    f"{row['status']} here. If both are one study, delete one line; else give "
                    "each its study or doi."
                )
                problems.add(FILE, line, "registration", message)
