"""Seed extraction errors of several kinds, each as one small change to the tables.

Vocabulary
----------
A *kind* changes the tables (as text, by file name) in place and returns the rows it changed, or
nothing if the chosen row does not allow it. Its group says whether a check can detect it: `always`;
`sometimes`, with a power that depends on the number of participants; or `never`, so that only an
audit against the source finds it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import pandas as pd

STUDIES, DESIGNS = "data/studies.csv", "data/designs.csv"
Tables = dict[str, pd.DataFrame]
Seed = Callable[[Random, Tables, Mapping[str, int]], set[str] | None]


@dataclass(frozen=True)
class Kind:
    """One kind of error: its name, whether a check can detect it, and how to seed it."""

    name: str
    group: str
    seed: Seed


KINDS: list[Kind] = []


def kind(name: str, group: str):
    """Register a function that seeds one error."""

    def register(seed: Seed) -> Seed:
        KINDS.append(Kind(name, group, seed))
        return seed

    return register


def _rows(tables: Tables, **cells) -> pd.DataFrame:
    """Select rows of the sources with these cells; True selects filled cells."""
    rows = tables[STUDIES]
    is_selected = rows["reported_by"] != "guide"
    for name, value in cells.items():
        is_selected &= (rows[name] != "") if value is True else (rows[name] == value)
    return rows[is_selected]


def _pick(random: Random, rows: pd.DataFrame):
    return None if rows.empty else random.choice(list(rows.index))


def _put(tables: Tables, index: int, **cells: str) -> set[str]:
    for name, value in cells.items():
        tables[STUDIES].loc[index, name] = value
    return {f"{STUDIES}:{tables[STUDIES].loc[index, 'line']}"}


def _slip(random: Random, text: str) -> str:
    """Replace a digit so that the number differs."""
    positions = [position for position, letter in enumerate(text) if letter.isdigit()]
    while positions:
        position = positions.pop(random.randrange(len(positions)))
        digit = random.choice([d for d in "0123456789" if d != text[position]])
        changed = text[:position] + digit + text[position + 1 :]
        if float(changed) != float(text):
            return changed
    return text


def _shift(text: str, places: int) -> str:
    return f"{float(text) * 10**places:.6f}".rstrip("0").rstrip(".")


def _printed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["as_printed"].str.contains(r"\d", regex=True)]


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text)


@kind("a digit of the number wrong", "always")
def digit(random, tables, years):
    rows = _printed(_rows(tables, value=True))
    index = _pick(random, rows)
    return index is not None and _put(tables, index, value=_slip(random, rows["value"][index]))


@kind("decimal point moved", "always")
def decimal_point(random, tables, years):
    rows = _printed(_rows(tables, value=True))
    rows = rows[rows["value"].astype(float) != 0]
    index = _pick(random, rows)
    shifted = None if index is None else _shift(rows["value"][index], random.choice([-1, 1]))
    return index is not None and _put(tables, index, value=shifted)


@kind("percentage entered as 71 and not as 0.71", "always")
def percentage(random, tables, years):
    rows = _rows(tables, value=True, measure="proportion")
    rows = rows[rows["value"].astype(float) > 0]
    index = _pick(random, rows)
    return index is not None and _put(tables, index, value=_shift(rows["value"][index], 2))


def _signless(random, tables, printed: bool) -> set[str] | None:
    """Drop the minus sign of a number that its text prints with a sign, or describes in words."""
    rows = _rows(tables, value=True)
    rows = rows[rows["value"].str.startswith("-")]
    is_printed = [
        re.search(rf"[-−]{re.escape(row.value[1:])}(?!\d)", row.as_printed) is not None
        for row in rows.itertuples()
    ]
    rows = rows[[has_sign == printed for has_sign in is_printed]]
    index = _pick(random, rows)
    return index is not None and _put(tables, index, value=rows["value"][index].lstrip("-"))


@kind("minus sign lost", "always")
def sign(random, tables, years):
    return _signless(random, tables, True)


@kind("minus sign lost where words tell the fall", "sometimes")
def sign_in_words(random, tables, years):
    return _signless(random, tables, False)


@kind("count of another arm", "always")
def count(random, tables, years):
    rows = _rows(tables, events=True, measure="proportion")
    index = _pick(random, rows)
    if index is None:
        return None
    row = rows.loc[index]
    same = rows[(rows["study"] == row["study"]) & (rows["outcome"] == row["outcome"])]
    others = [events for events in same["events"] if events != row["events"]]
    return _put(tables, index, events=random.choice(others)) if others else None


@kind("number of people wrong beside a printed count", "always")
def people(random, tables, years):
    rows = _rows(tables, events=True, n=True, measure="proportion")
    rows = rows[rows["as_printed"].str.contains("/")]
    index = _pick(random, rows)
    return index is not None and _put(tables, index, n=_slip(random, rows["n"][index]))


@kind("more people than the study has", "always")
def too_many(random, tables, years):
    sizes = tables[DESIGNS].set_index("study")[["n_randomised", "n_analysed"]]
    most = sizes.apply(pd.to_numeric).max(axis=1).dropna()
    rows = _rows(tables, n=True)
    index = _pick(random, rows[rows["study"].isin(most.index)])
    if index is None:
        return None
    return _put(tables, index, n=str(int(most[rows["study"][index]]) + random.randint(1, 50)))


@kind("an end of an interval wrong", "always")
def interval_end(random, tables, years):
    rows = _rows(tables, ci_low=True)
    index = _pick(random, rows[rows["as_printed"].str.contains(" to ")])
    end = random.choice(["ci_low", "ci_high"])
    return index is not None and _put(tables, index, **{end: _slip(random, rows[end][index])})


@kind("ends of an interval exchanged", "always")
def interval_exchanged(random, tables, years):
    rows = _rows(tables, ci_low=True)
    index = _pick(random, rows[rows["ci_low"] != rows["ci_high"]])
    if index is None:
        return None
    low, high = rows.loc[index, ["ci_low", "ci_high"]]
    return _put(tables, index, ci_low=high, ci_high=low)


@kind("row entered twice", "always")
def twice(random, tables, years):
    frame = tables[STUDIES]
    row = frame.loc[[random.choice(list(frame.index))]].copy()
    row["line"] = frame["line"].max() + 1
    tables[STUDIES] = pd.concat([frame, row], ignore_index=True)
    return {f"{STUDIES}:{row['line'].iloc[0]}"}


@kind("outcome or source misspelt", "always")
def misspelt(random, tables, years):
    column = random.choice(["outcome", "source"])
    index = _pick(random, _rows(tables, **{column: True}))
    word = tables[STUDIES][column][index]
    position = random.randrange(len(word))
    misspelt_word = word[:position] + word[position + 1 :] + "x"
    return _put(tables, index, **{column: misspelt_word})


@kind("locator left out", "always")
def locator(random, tables, years):
    return _put(tables, _pick(random, _rows(tables, locator=True)), locator="")


@kind("dose for 70 kg entered as dose per kg", "always")
def dose(random, tables, years):
    rows = _rows(tables, dose=True)
    rows = rows[rows["route"].isin(["IV", "IM"]) | rows["arm"].str.contains("mg/kg")]
    rows = rows[rows["dose"].astype(float) > 0]
    rows = rows[rows["arm"].str.contains("mg/kg") | rows["arm"].str.contains("ketamine|drug")]
    index = _pick(random, rows)
    if index is None:
        return None
    return _put(tables, index, dose=f"{70 * float(rows['dose'][index]):g}")


@kind("standard error entered as standard deviation", "always")
def standard_error(random, tables, years):
    rows = _rows(tables, spread=True, spread_kind="sd", n=True, measure="mean")
    rows = rows[rows.groupby(["study", "outcome"])["spread"].transform("size") > 2]
    # Where people crowd at the end of the scale a small spread is nothing strange.
    rows = rows[rows["spread"].astype(float) < 0.5 * rows["value"].astype(float).abs()]
    rows = rows[rows["n"].astype(float) >= 12]
    index = _pick(random, rows)
    if index is None:
        return None
    row = rows.loc[index]
    error = f"{float(row['spread']) / float(row['n']) ** 0.5:.2f}"
    printed = row["as_printed"].replace(row["spread"], error)
    return _put(tables, index, spread=error, as_printed=printed)


@kind("size of an arm wrong, also as printed", "always")
def arm_size(random, tables, years):
    rows = _rows(tables, outcome="allocated", events=True)
    rows = rows[rows["role"].isin(["intervention", "comparator"])]
    total = tables[DESIGNS].set_index("study")["n_randomised"]
    sums = pd.to_numeric(rows["events"]).groupby(rows["study"]).sum()
    matching = {study for study in sums.index if str(sums[study]) == total.get(study, "")}
    index = _pick(random, rows[rows["study"].isin(matching)])
    if index is None:
        return None
    size = _slip(random, rows["events"][index])
    changed_rows = _put(tables, index, events=size, as_printed=size)
    same = rows[rows["study"] == rows["study"][index]]
    return changed_rows | {f"{STUDIES}:{line}" for line in same["line"]}


@kind("remission and response exchanged", "always")
def exchanged(random, tables, years):
    keys = ["study", "arm", "time", "time_unit", "source"]
    rows = _rows(tables, measure="proportion", n=True)
    pairs = (
        rows[rows["outcome"] == "remission"]
        .reset_index()
        .merge(rows[rows["outcome"] == "response"].reset_index(), on=keys, suffixes=("", "_2"))
    )
    pairs = pairs[pairs["value"].astype(float) < pairs["value_2"].astype(float)]
    if pairs.empty:
        return None
    pair = pairs.loc[random.choice(list(pairs.index))]
    return _put(tables, pair["index"], outcome="response") | _put(
        tables, pair["index_2"], outcome="remission"
    )


@kind("a source older than the study", "always")
def old_source(random, tables, years):
    index = _pick(random, _rows(tables))
    study = tables[STUDIES]["study"][index]
    older = [key for key, year in years.items() if year < years.get(study, 0) - 1]
    return _put(tables, index, source=random.choice(older)) if older else None


@kind("a digit of the trial number lost", "always")
def registration(random, tables, years):
    frame = tables[DESIGNS]
    index = _pick(random, frame[frame["registration"].str.contains("NCT")])
    if index is None:
        return None
    frame.loc[index, "registration"] = frame["registration"][index][:-1]
    return {f"{DESIGNS}:{frame['line'][index]}"}


@kind("percentage misread, also as printed", "sometimes")
def percentage_misread(random, tables, years):
    rows = _rows(tables, measure="proportion", n=True, events="", value=True)
    rows = rows[rows["as_printed"].str.fullmatch(r"\d+%")]
    index = _pick(random, rows)
    if index is None:
        return None
    percent = int(_slip(random, rows["as_printed"][index].rstrip("%"))) % 100
    return _put(tables, index, value=f"{percent / 100:.2f}", as_printed=f"{percent}%")


@kind("number of people off by one or two beside a percentage", "sometimes")
def people_near(random, tables, years):
    rows = _rows(tables, measure="proportion", n=True, events="", value=True)
    rows = rows[rows["as_printed"].str.contains("%")]
    index = _pick(random, rows)
    if index is None:
        return None
    return _put(tables, index, n=str(int(rows["n"][index]) + random.choice([-2, -1, 1, 2])))


@kind("mean misread, also as printed", "sometimes")
def mean_misread(random, tables, years):
    rows = _rows(tables, measure="mean", value=True, n=True, instrument=True)
    index = _pick(random, rows)
    if index is None:
        return None
    row = rows.loc[index]
    value = _slip(random, row["value"])
    return _put(
        tables, index, value=value, as_printed=row["as_printed"].replace(row["value"], value)
    )


@kind("decimal point of a p value moved", "sometimes")
def p_value(random, tables, years):
    rows = _rows(tables, p_value=True)
    rows = rows[rows["p_value"].str.fullmatch(r"0\.0?[1-9]\d*")]
    index = _pick(random, rows)
    if index is None:
        return None
    value = rows["p_value"][index]
    moved = value.replace("0.0", "0.", 1) if value.startswith("0.0") else value.replace("0.", "0.0")
    return _put(tables, index, p_value=moved)


@kind("effect misread, also as printed", "sometimes")
def effect_misread(random, tables, years):
    rows = _rows(tables, value=True, ci_low=True)
    index = _pick(random, rows[rows["as_printed"].str.contains(" to ")])
    if index is None:
        return None
    row = rows.loc[index]
    value = _slip(random, row["value"])
    printed = row["as_printed"].replace(row["value"].lstrip("-"), value.lstrip("-"), 1)
    return _put(tables, index, value=value, as_printed=printed)


@kind("unit of time wrong", "sometimes")
def time_unit(random, tables, years):
    rows = _rows(tables, time=True)
    index = _pick(random, rows[rows["time"] != "0"])
    units = [unit for unit in ("hour", "day", "week", "month") if unit != rows["time_unit"][index]]
    return _put(tables, index, time_unit=random.choice(units))


@kind("direction of a finding reversed", "sometimes")
def direction(random, tables, years):
    rows = _rows(tables, direction=True)
    index = _pick(random, rows)
    words = ["better", "worse", "no difference"]
    others = [word for word in words if word != rows["direction"][index]]
    return _put(tables, index, direction=random.choice(others))


@kind("number of another row, also as printed", "sometimes")
def other_row(random, tables, years):
    rows = _rows(tables, measure="proportion", value=True, events="")
    index, other_index = _pick(random, rows), _pick(random, rows)
    if index is None or rows["value"][index] == rows["value"][other_index]:
        return None
    cells = {name: rows[name][other_index] for name in ("value", "n", "as_printed")}
    return _put(tables, index, **cells)


@kind("wrong place in the right source", "never")
def other_place(random, tables, years):
    return _put(tables, _pick(random, _rows(tables)), locator="Table 9")


@kind("another condition of the same tables", "never")
def other_condition(random, tables, years):
    index = _pick(random, _rows(tables))
    conditions = sorted(set(tables[STUDIES]["condition"]) - {tables[STUDIES]["condition"][index]})
    return _put(tables, index, condition=random.choice(conditions)) if conditions else None
