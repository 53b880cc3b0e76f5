"""Doses in one unit: charts and models show that of most studies and name the units left out."""

from collections.abc import Sequence

import pandas as pd

from evidence.dataset.schema import DOSE_UNITS
from evidence.provenance.sentence import escape_braces, join_words


def convert_doses(rows: pd.DataFrame, unit: str) -> pd.Series:
    """Return the doses of rows in a unit; NaN where they are in none that converts to it."""
    quantity, size = _quantity(unit)
    quantities = {name: _quantity(name) for name in rows["dose_unit"].unique()}
    factors = {
        name: factor / size for name, (kind, factor) in quantities.items() if kind == quantity
    }
    factor = rows["dose_unit"].map(factors).astype(float)
    doses = rows["dose"].astype(float) * factor
    # 300 µg are 0.3 mg, not 0.30000000000000004.
    is_scaled = factor.notna() & (factor != 1)
    doses[is_scaled] = [float(f"{dose:.12g}") for dose in doses[is_scaled]]
    return doses


def main_dose_unit(rows: pd.DataFrame) -> str:
    """Return the unit in which most studies state their dose; empty if none states one."""
    stated = rows[rows["dose"] > 0]
    if stated.empty:
        return ""
    quantity = stated["dose_unit"].map(lambda unit: _quantity(unit)[0])
    studies = stated["study"].groupby(quantity, sort=False).nunique()
    stated = stated[quantity == studies.idxmax()]
    return str(stated["study"].groupby(stated["dose_unit"], sort=False).nunique().idxmax())


def in_main_dose_unit(rows: pd.DataFrame) -> tuple[pd.DataFrame, str, list[str]]:
    """Return rows with their doses in the unit of most studies, that unit, and the units left out.

    Doses in another unit are NaN, unless they can be converted.
    """
    unit = main_dose_unit(rows)
    doses = convert_doses(rows, unit)
    other = rows.loc[(rows["dose"] > 0) & doses.isna(), "dose_unit"]
    return rows.assign(dose=doses, dose_unit=unit), unit, list(other.unique())


def in_usual_units(rows: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Return rows with each dose in the unit in which most studies of `results` state its quantity.

    Doses of different quantities, such as mg/day and sessions, stay in different units.
    """
    rows = rows.copy()
    quantities = results["dose_unit"].map(lambda unit: _quantity(unit)[0])
    for quantity in filter(None, quantities.unique()):
        unit = main_dose_unit(results[quantities == quantity])
        doses = convert_doses(rows, unit)
        is_same = doses.notna()
        rows.loc[is_same, "dose"], rows.loc[is_same, "dose_unit"] = doses[is_same], unit
    return rows


def units_left_out(units: Sequence[str]) -> str:
    """Say in a caption that doses in other units are not shown; empty if there are none."""
    names = escape_braces(join_words(units))
    return f" Doses in {names} are left out, as they do not convert." if units else ""


def dose_name(dose: float, unit: str) -> str:
    """Name a dose within the name of a number, whose parts slashes separate."""
    return f"{dose:g} {unit}".replace("/", " per ")


def _quantity(unit: str) -> tuple[str, float]:
    """Return what a unit measures, and how much of it; an unknown unit measures itself."""
    return DOSE_UNITS.get(unit, (unit, 1.0))


def one_dose_sentence(arms: pd.DataFrame) -> str:
    """Say why a chart of these arms has no axis of doses; empty if their doses differ."""
    doses = arms["dose"].unique()
    if len(doses) > 1:
        return ""
    if not len(doses):
        return "No trial here states a dose and its effect."
    return (
        f"Every trial here gave {doses[0]:g} {arms['dose_unit'].iloc[0]}; doses are not compared."
    )
