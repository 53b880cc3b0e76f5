"""A clean dataset to seed errors in: trials simulated person by person, reported without a slip.

Every number is computed from the same simulated scores and rounded once, as a careful author and a
careful curator would leave it; whatever a check finds here is a false alarm.
"""

import csv
from pathlib import Path

import numpy as np
from scipy import stats

from evidence.dataset import schema

TIMES = (("0", "day"), ("1", "day"), ("2", "week"))


def write_synthetic(folder: Path, *, seed: int, studies: int = 24) -> Path:
    """Write a project of simulated trials to `folder`; the same seed writes the same files."""
    rng = np.random.default_rng(seed)
    (folder / "data").mkdir(parents=True)
    entries, designs, results = [], [], []
    for number in range(studies):
        key, year = f"trial{number}", int(rng.integers(1990, 2025))
        entries += [_entry(key, year), _entry(f"review{number}", year + 2)]
        doses = ("0.5", "1.0")[: int(rng.integers(1, 3))]
        sizes = [int(n) for n in rng.integers(12, 61, len(doses) + 1)]
        designs.append(
            {
                "study": key, "label": f"Trial {number}", "scope": "core",
                "design": "randomised parallel", "randomised": "yes", "comparator_kind": "inactive",
                "n_randomised": str(sum(sizes)), "n_analysed": str(sum(sizes)), "followup": "2",
                "followup_unit": "week", "registration": f"NCT{number:08d}", "source": key,
                "locator": "Methods",
            }
        )  # fmt: skip
        results += _trial(rng, key, f"review{number}", doses, sizes)
    (folder / "references.bib").write_text("".join(entries), "utf-8")
    _write(folder, schema.STUDIES, results)
    _write(folder, schema.DESIGNS, designs)
    _write(folder, schema.OUTCOMES, _outcomes())
    _write(folder, schema.INSTRUMENTS, [{"instrument": "scale", "integer": "yes", "note": "sum"}])
    band = {"drug": "drug", "route": "IV", "low": "0.1", "high": "4", "source": "trial0"}
    _write(folder, schema.DOSES, [band | {"dose_unit": "mg/kg", "locator": "Methods"}])
    return folder


def _entry(key: str, year: int) -> str:
    fields = f"author = {{Writer, Ann}}, title = {{On {key}}}, year = {{{year}}}"
    return f"@article{{{key}, {fields}}}\n"


def _outcomes() -> list[dict[str, str]]:
    rows = [
        ("response", "benefit", "higher", ""),
        ("remission", "benefit", "higher", "response"),
        ("severity", "benefit", "lower", ""),
        ("allocated", "flow", "neither", ""),
    ]
    names = ("outcome", "kind", "better", "subset_of")
    return [dict(zip(names, row, strict=True)) | {"description": "as said"} for row in rows]


def _write(folder: Path, table: schema.Table, rows: list[dict[str, str]]) -> None:
    with (folder / table.file).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, table.names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _trial(rng, key: str, review: str, doses, sizes) -> list[dict[str, str]]:
    """All rows of one trial: the last arm is the comparison."""
    arms = [f"drug {dose} mg/kg" for dose in doses] + ["placebo"]
    shows_counts = bool(rng.integers(2))
    scores = [_scores(rng, n, is_drug=arm != "placebo") for arm, n in zip(arms, sizes, strict=True)]
    rows = []
    for number, (arm, people) in enumerate(zip(arms, scores, strict=True)):
        base = {
            "study": key, "condition": "illness", "arm": arm,
            "role": "comparator" if arm == "placebo" else "intervention",
            "dose": doses[number] if number < len(doses) else "",
            "dose_unit": "mg/kg" if number < len(doses) else "",
            "route": "IV", "reported_by": "publication", "source": key, "locator": "Table 1",
            "verified": "yes",
        }  # fmt: skip
        n = str(len(people))
        count = {"outcome": "allocated", "measure": "count", "events": n, "as_printed": n}
        rows.append(base | count)
        for index, (time, unit) in enumerate(TIMES):
            at = base | {"time": time, "time_unit": unit, "n": n}
            rows.append(at | _mean(people[:, index]))
            if index:
                better = people[:, index] <= 0.5 * people[:, 0]
                for outcome, events in (
                    ("response", better),
                    ("remission", better & (people[:, index] <= 7)),
                ):
                    rows.append(at | _share(outcome, int(events.sum()), int(n), shows_counts))
    for arm, dose, people in zip(arms[:-1], doses, scores[:-1], strict=True):
        contrast = {
            "study": key, "condition": "illness", "arm": arm, "role": "contrast",
            "versus": "placebo", "dose": dose, "dose_unit": "mg/kg", "route": "IV",
            "n": str(len(people) + len(scores[-1])), "reported_by": "review", "source": review,
            "locator": "Table 2", "verified": "yes", "time": "1", "time_unit": "day",
        }  # fmt: skip
        rows += [contrast | effect for effect in _effects(people, scores[-1])]
    return rows


def _scores(rng, n: int, *, is_drug: bool) -> np.ndarray:
    """Whole-number scores of n people before, after a day and after two weeks."""
    before = np.clip(np.round(rng.normal(24, 4, n)), 15, 40)
    falls = rng.normal(0.5 if is_drug else 0.25, 0.25, (n, 1)) + rng.normal(0, 0.08, (n, 2))
    after = np.clip(np.round(before[:, None] * (1 - falls)), 0, 40)
    return np.column_stack([before, after])


def _mean(scores: np.ndarray) -> dict[str, str]:
    mean, spread = f"{scores.mean():.2f}", f"{scores.std(ddof=1):.2f}"
    return {
        "outcome": "severity", "instrument": "scale", "measure": "mean", "value": mean,
        "spread": spread, "spread_kind": "sd", "as_printed": f"{mean} (SD {spread})",
    }  # fmt: skip


def _share(outcome: str, events: int, n: int, shows_counts: bool) -> dict[str, str]:
    share = events / n
    row = {"outcome": outcome, "measure": "proportion"}
    if shows_counts:
        text = {"events": str(events), "value": f"{share:.3f}"}
        return row | text | {"as_printed": f"{events}/{n} ({100 * share:.1f}%)"}
    percent = f"{100 * share:.0f}"
    return row | {"value": f"{int(percent) / 100:.2f}", "as_printed": f"{percent}%"}


def _effects(drug: np.ndarray, placebo: np.ndarray):
    """Mean difference, standardised difference, odds ratio of response, and a bare finding."""
    treated, controls = drug[:, 1], placebo[:, 1]
    n1, n2 = len(treated), len(controls)
    test = stats.ttest_ind(treated, controls)
    low, high = test.confidence_interval(0.95)
    difference = treated.mean() - controls.mean()
    yield _sized("mean difference", "severity", difference, low, high, test.pvalue) | {
        "instrument": "scale"
    }
    pooled = np.sqrt(
        ((n1 - 1) * treated.var(ddof=1) + (n2 - 1) * controls.var(ddof=1)) / (n1 + n2 - 2)
    )
    g = difference / pooled
    error = np.sqrt((n1 + n2) / (n1 * n2) + g**2 / (2 * (n1 + n2)))
    p = 2 * stats.norm.sf(abs(g) / error)
    yield _sized("smd", "severity", g, g - 1.96 * error, g + 1.96 * error, p) | {
        "instrument": "scale"
    }
    finding = "no difference" if p > 0.05 else ("better" if g < 0 else "worse")
    yield {"outcome": "severity", "measure": "significance", "direction": finding, "p_value": _p(p)}
    counts = [int((group[:, 1] <= 0.5 * group[:, 0]).sum()) for group in (drug, placebo)]
    cells = [counts[0], n1 - counts[0], counts[1], n2 - counts[1]]
    if all(cells):
        log = np.log(cells[0] * cells[3] / (cells[1] * cells[2]))
        error = np.sqrt(sum(1 / cell for cell in cells))
        ends = np.exp([log - 1.96 * error, log + 1.96 * error])
        yield _sized(
            "odds ratio", "response", np.exp(log), *ends, 2 * stats.norm.sf(abs(log) / error)
        )


def _sized(measure, outcome, value, low, high, p) -> dict[str, str]:
    numbers = [f"{number:.2f}" for number in (value, low, high)]
    names = ("value", "ci_low", "ci_high")
    printed = f"{numbers[0]} (95% CI {numbers[1]} to {numbers[2]})"
    row = {"measure": measure, "outcome": outcome, "as_printed": printed, "p_value": _p(p)}
    return row | dict(zip(names, numbers, strict=True))


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"
