"""Import a file of another program into the tables of a project, completely or not at all."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from evidence.analysis.table_entry import write_checked
from evidence.dataset import schema
from evidence.dataset.authors import Author
from evidence.dataset.bibliography import NO_DATE, Reference, decode_file
from evidence.dataset.citations.bibtex import format_bibtex
from evidence.dataset.dataset import Dataset, read_dataset, table_text, with_rows
from evidence.dataset.project_folder import EXAMPLE
from evidence.errors import (
    MAX_PROBLEMS,
    DatasetError,
    EvidenceError,
    Problem,
    did_you_mean,
    shorten,
)
from evidence.exchange.comparison import FIELDS, Comparison, UnfitError, result_rows
from evidence.exchange.references import Library, letters
from evidence.exchange.revman import (
    Judgement,
    Review,
    StudyReference,
    is_rm5_csv,
    read_data_package,
    read_rm5,
    read_rm5_csv,
)
from evidence.exchange.sheet import read_sheet
from evidence.exchange.wide_table import comparisons_of, read_mapping, recognise_form
from evidence.files import path_digest

Row = dict[str, str]


@dataclass(frozen=True)
class Imported:
    """What an import adds: rows by table, keys of new references, and what makes no row."""

    form: str
    rows: Mapping[str, int]
    references: Sequence[str]
    left_out: Sequence[str] = field(default=())


def import_evidence(
    project: str | Path,
    path: Path,
    *,
    mapping: Path | None = None,
    values: Mapping[str, str] | None = None,
    source: str = "",
    repeats: bool = False,
    skip_unfit: bool = False,
    dry_run: bool = False,
) -> Imported:
    """Turn a file of another program into rows of the tables.

    In a project that `evidence new` made, they take the place of the invented rows. Raise
    `EvidenceError` if the file has no known form, or something in it does not fit; then nothing is
    written.

    Parameters
    ----------
    path : Path
        RevMan 5 (.rm5, or its CSV export), a data package of RevMan Web (.zip), a wide table in a
        form of metafor or Metapsy (.csv, .xlsx), or any wide table with a `mapping`.
    values : mapping of str to str
        `FIELDS` that are the same for all rows, whatever the file says.
    source : str
        BibTeX key of the text that the file belongs to; by default an entry for the file is added.
    repeats : bool
        Keep further numbers of the same study, arm, outcome and time, told apart by their place as
        `definition`.
    skip_unfit : bool
        Import the other rows if some have values that the tables cannot hold.
    dry_run : bool
        Check everything and write nothing.
    """
    values = {name: word for name, word in (values or {}).items() if word}
    for name in values:
        if name not in FIELDS:
            raise EvidenceError(f"--set {name}: no such field.{did_you_mean(name, FIELDS)}")
    dataset = read_dataset(project)
    if source and source not in dataset.bibliography:
        hint = did_you_mean(source, dataset.bibliography)
        raise EvidenceError(f"--source {source}: references.bib has no such key.{hint}")
    review = read_file(path, mapping, values)
    texts = _texts_to_extend(dataset)
    is_new = {schema.STUDIES.file, schema.DESIGNS.file} <= texts.keys()
    has_designs = len(dataset.designs) > 0 and schema.DESIGNS.file not in texts
    needed = NEEDED | NEEDED_BESIDE_DESIGNS if has_designs else NEEDED
    comparisons = [
        replace(comparison, fields={**comparison.fields, **values})
        for comparison in review.comparisons
    ]
    _require_anywhere(path, comparisons, needed)
    entries = _Entries(dataset, path.name, review, source)
    rows, unfit = _rows_by_table(comparisons, needed, entries, path.name)
    if unfit and not skip_unfit:
        raise EvidenceError("\n".join([*unfit, UNFIT_REMEDY]))
    if not rows[schema.STUDIES]:
        reasons = [f"left out: {reason}" for reason in [*review.left_out, *unfit][:MAX_PROBLEMS]]
        raise EvidenceError("\n".join([f"{path}: holds no comparison that makes a row", *reasons]))
    rows[schema.RISK_OF_BIAS] = [
        _judgement(judgement, entries.key(judgement.study), entries.source)
        for judgement in review.judgements
    ]
    has_others = len(dataset.reported_results) > 0 and schema.STUDIES.file not in texts
    if len(dataset.readings) or not has_others:
        rows[schema.READINGS] = [_reading(path.name, entries.source)]
    if repeats:
        _tell_repeats_apart(rows[schema.STUDIES])
    _spell_as_before(dataset, [*rows[schema.STUDIES], *rows[schema.OUTCOMES]])
    new_rows = {table: _distinct(dataset, table, lines) for table, lines in rows.items()}
    before = ""
    for table, lines in new_rows.items():
        if lines:
            text = texts.get(table.file) or table_text(dataset.project, table)
            before = text if table is schema.STUDIES else before
            texts[table.file] = with_rows(text, table, lines)
    if entries.new or is_new:
        texts[schema.BIBLIOGRAPHY_FILE] = _bibliography_text(dataset, entries.new, is_new=is_new)
    try:
        write_checked(dataset, texts, dry_run=dry_run)
    except DatasetError as error:
        first_line = before.rstrip("\n").count("\n") + 2
        places = {first_line + n: row["locator"] for n, row in enumerate(new_rows[schema.STUDIES])}
        problems = [_relocate(problem, places) for problem in error.problems]
        raise DatasetError(problems, error.omitted) from None
    return Imported(
        review.form,
        {table.file: len(lines) for table, lines in new_rows.items() if lines},
        list(entries.new),
        [*review.left_out, *unfit],
    )


def _texts_to_extend(dataset: Dataset) -> dict[str, str]:
    """Return the header alone of each table that still holds the invented rows of a new project."""
    is_invented = {
        file: path_digest(EXAMPLE / file) == checksum
        for file, checksum in dataset.checksums.items()
    }
    if not is_invented[schema.STUDIES.file]:
        return {}
    return {
        table.file: with_rows("", table, [])
        for table in schema.TABLES
        if is_invented.get(table.file)
    }


def _bibliography_text(dataset: Dataset, new: Mapping[str, Reference], *, is_new: bool) -> str:
    """Return the bibliography with new entries, and without the invented ones of a new project."""
    content = (dataset.project / schema.BIBLIOGRAPHY_FILE).read_bytes()
    text, _ = decode_file(content)
    if is_new:
        text = text.replace((EXAMPLE / schema.BIBLIOGRAPHY_FILE).read_text("utf-8").strip(), "")
    parts = filter(None, [text.strip("\n"), format_bibtex(new.values()).rstrip("\n")])
    return "\n\n".join(parts) + "\n"


def _rows_by_table(
    comparisons: Iterable[Comparison], needed: Iterable[str], entries: "_Entries", file: str
) -> tuple[dict[schema.Table, list[Row]], list[str]]:
    """Return the rows that comparisons make, and why some make none."""
    rows: dict[schema.Table, list[Row]] = {
        table: [] for table in (schema.STUDIES, schema.OUTCOMES, schema.DESIGNS)
    }
    unfit: list[str] = []
    for comparison in comparisons:
        try:
            if missing := [name for name in needed if not comparison.text(name)]:
                raise UnfitError(f"no {', no '.join(missing)}")
            study = entries.key(comparison.text("study"))
            results = result_rows(comparison, file)
        except UnfitError as error:
            unfit.append(f"{comparison.place}: {error}")
            continue
        keys = {"study": study, "source": entries.source}
        rows[schema.STUDIES] += [keys | row for row in results]
        rows[schema.OUTCOMES].append(_outcome(comparison, file))
        if comparison.text("design"):
            rows[schema.DESIGNS].append(_design(comparison, keys, entries.label(study)))
    return rows, unfit


UNFIT_REMEDY = "Nothing was written. Correct these rows, or leave them out with --skip-unfit"
NEEDED = {
    "study": "name of a study",
    "condition": "which condition the participants have",
    "outcome": "what was measured",
    "arm1": "how the treated group is called",
    "arm2": "how the comparison group is called",
}
"""Fields that every comparison needs."""
NEEDED_BESIDE_DESIGNS = {"design": "which study design, such as randomised parallel"}
"""Fields that are needed if the project describes the design of its studies."""


def read_file(path: Path, mapping: Path | None, values: Mapping[str, str]) -> Review:
    """Read a file in whichever known form it has.

    Raise `EvidenceError` if it cannot be read or has no known form.
    """
    if not path.is_file():
        raise EvidenceError(f"{path}: is not a file")
    ending = path.suffix.lower()
    if ending == ".rm5":
        return read_rm5(path)
    if ending == ".zip":
        return read_data_package(path)
    sheet = read_sheet(path)
    if not mapping and is_rm5_csv(sheet):
        return read_rm5_csv(sheet)
    form = read_mapping(mapping, sheet) if mapping else recognise_form(sheet)
    if form is None:
        raise EvidenceError(
            f"{path}: its columns are in no form that is known: {shorten(', '.join(sheet.header))}. "
            f"Draft a mapping with 'evidence import {path} --draft-mapping > mapping.yml', correct it, and "
            f"import with --mapping mapping.yml"
        )
    return Review(form.form, comparisons=list(comparisons_of(sheet, form, values)))


def _spell_as_before(dataset: Dataset, rows: Iterable[Row]) -> None:
    """Write words of new results as the project spells them: capitals do not make a new word."""
    for column in ("condition", "arm", "versus", "outcome", "instrument"):
        source = "arm" if column == "versus" else column
        known = {word.casefold(): word for word in dataset.reported_results[source].unique()}
        for row in rows:
            if column in row:
                row[column] = known.setdefault(row[column].casefold(), row[column])


def _relocate(problem: Problem, places: Mapping[int, str]) -> Problem:
    """Name the place in the imported file in place of a line that was not written."""
    if problem.file != schema.STUDIES.file or problem.line not in places:
        return problem
    return replace(problem, file=places[problem.line], line=0)


def _require_anywhere(
    path: Path, comparisons: Sequence[Comparison], needed: Mapping[str, str]
) -> None:
    """Refuse a file in which no comparison has one of the fields that all need."""
    if any(comparison.text("time") for comparison in comparisons):
        needed = {**needed, "time_unit": FIELDS["time_unit"]}
    missing = {
        name: meaning
        for name, meaning in needed.items()
        if comparisons and not any(comparison.text(name) for comparison in comparisons)
    }
    if missing:
        told = "; ".join(f"{name} ({meaning})" for name, meaning in missing.items())
        remedy = " ".join(f"--set {name}=WORD" for name in missing)
        raise EvidenceError(f"{path}: does not say: {told}. Add {remedy}")


class _Entries:
    """The keys of studies in `references.bib`, and new entries for those that it lacks."""

    def __init__(self, dataset: Dataset, file: str, review: Review, source: str):
        self._dataset, self._bibliography = dataset, dataset.bibliography
        self._labels = {letters(dataset.label(key)): key for key in dataset.bibliography}
        self._library = Library(dataset.bibliography)
        self._review, self._file = review, file
        self._keys: dict[str, str] = {}
        self._names: dict[str, list[str]] = defaultdict(list)
        self._by_doi: dict[str, str] = {}
        self._by_author_and_year: dict[tuple[str, str], list[str]] = defaultdict(list)
        for key, reference in self._bibliography.items():
            self._by_doi.setdefault(reference.doi.casefold(), key)
            if reference.creators:
                author = letters(reference.creators[0].last)
                for year in {reference.year, reference.first_year}:
                    self._by_author_and_year[author, year].append(key)
        self.new: dict[str, Reference] = {}
        self.source = source or self._add_source()

    def label(self, key: str) -> str:
        """Return the name of a study as the file has it; of its reference if that is the key."""
        name = self._names[key][0]
        return self._dataset.label(key) if name == key in self._bibliography else name

    def key(self, name: str) -> str:
        """Return the key of a study by its name.

        Raise `UnfitError` if several references fit.
        """
        if name not in self._keys:
            self._keys[name] = key = self._find(name) or self._add_study(name)
            self._names[key].append(name)
        return self._keys[name]

    def _find(self, name: str) -> str:
        if name in self._bibliography:
            return name
        doi = self._review.references.get(name, StudyReference()).doi.casefold()
        if doi and doi in self._by_doi:
            return self._by_doi[doi]
        author, year, letter = _split_name(name)
        found = self._by_author_and_year.get((author, year), [])
        # The letters of the file need not be those of the bibliography, unless all keys have one.
        if letter and all(re.search(r"\d[a-z]$", key) for key in found):
            found = [key for key in found if key.endswith(letter)]
        if len(found) > 1:
            keys = ", ".join(found)
            raise UnfitError(f"'{name}' may be {keys}. Write the key of one in place of the name")
        key = found[0] if found else self._labels.get(letters(name), "")
        for other in self._names.get(key, []):
            if _split_name(other) != (author, year, letter):
                raise UnfitError(
                    f"'{name}' and '{other}' both fit {key}. Write keys in place of the names, or "
                    "add the missing entry to references.bib"
                )
        return key

    def _add_study(self, name: str) -> str:
        """Return the key of a study: as the review cites it, else with what its name says."""
        known = self._review.references.get(name, StudyReference())
        match = re.search(r"\b(?:19|20)\d\d", name)
        year = known.year or (match[0] if match else NO_DATE)
        author = re.sub(r"[\s,(]*(?:19|20)\d\d[a-z]?\)?$", "", name)
        author, more = re.subn(r"\s+et al\.?$", "", author)
        details = ("volume", "number", "pages", "doi")
        return self._add(
            kind="article" if known.journal else "misc",
            authors=known.authors or (Author(author),),
            title=known.title or f"Title not known: {name}, as listed in {self._file}",
            year=year if re.fullmatch(r"(1[5-9]|20)\d\d", year) else NO_DATE,
            container=known.journal,
            more_authors=known.more_authors or (more > 0 and not known.authors),
            **{detail: getattr(known, detail) for detail in details},
        )

    def _add_source(self) -> str:
        """Return the key of the entry for the file itself."""
        return self._add(
            key=letters(Path(self._file).stem),
            authors=(Author(self._file),),
            title=self._review.title or f"Data file {self._file}",
            doi=self._review.doi,
        )

    def _add(self, **fields: Any) -> str:
        """Return the key of a reference that is known by its DOI or title, or of a new entry."""
        blank: dict[str, Any] = dict.fromkeys(
            ("key", "container", "volume", "number", "pages", "doi", "pmid", "url", "note"), ""
        )
        blank |= {"kind": "misc", "year": NO_DATE, "more_authors": False, "line": 0}
        reference = Reference(**(blank | fields))
        if known := self._library.known(reference):
            return known.key
        reference = self._library.add(reference)
        self.new[reference.key] = reference
        return reference.key


def _split_name(name: str) -> tuple[str, str, str]:
    """Split a name like Smith et al. (2001a) into first author, year and letter."""
    match = re.match(r"(.+?)[\s,(]*((?:19|20)\d\d)([a-z]?)\)?$", name)
    author, year, letter = match.groups() if match else (name, "", "")
    return letters(re.sub(r"\b(et al\.?|and .*)|& .*|,.*$", "", author)), year, letter


def _outcome(comparison: Comparison, file: str) -> Row:
    return {
        "outcome": comparison.text("outcome"),
        "kind": comparison.text("kind") or "benefit",
        "better": comparison.text("better") or "neither",
        "description": f"as named in {file}",
    }


def _design(comparison: Comparison, keys: Row, label: str) -> Row:
    design = comparison.text("design")
    return keys | {
        "label": label,
        "scope": "core",
        "design": design,
        "randomised": "yes" if design.startswith("randomised") else "no",
        "treatment": comparison.text("arm1"),
        "comparator": comparison.text("arm2"),
        "comparator_kind": comparison.text("comparator_kind"),
        "locator": comparison.place,
    }


def _judgement(judgement: Judgement, study: str, source: str) -> Row:
    return {
        "study": study,
        "tool": judgement.tool,
        "domain": judgement.domain,
        "judgement": judgement.judgement,
        "reason": judgement.reason,
        "judged_by": "review",
        "source": source,
        "locator": judgement.locator,
    }


def _reading(file: str, source: str) -> Row:
    return {
        "source": source, "part": file, "kind": "second-hand", "read_by": "evidence import",
        "date": date.today().isoformat(), "url": file,
        "note": "read by a program, not by a person",
    }  # fmt: skip


def _distinct(dataset: Dataset, table: schema.Table, rows: Iterable[Row]) -> list[Row]:
    """Return rows that are new in their key; the first of several.

    Raise `EvidenceError` if two rows of `studies.csv` have one key and different numbers.
    """
    names = list(table.key)
    frame = dataset.frame(table)
    present = dict(zip(frame[names].itertuples(index=False, name=None), frame.index, strict=True))
    found: dict[tuple, Row] = {}
    for row in rows:
        key = tuple(row.get(name, "") for name in names)
        if table is schema.STUDIES and key in present:
            old = frame.loc[present[key]]
            if old["as_printed"] != row["as_printed"]:
                raise EvidenceError(
                    f"{row['locator']}: '{row['arm']}' has {row['as_printed']}, but an earlier "
                    f"import gave {old['as_printed']} ({old['address']}). Correct or delete that "
                    "row, and import again"
                )
        first = found.setdefault(key, row)
        if table is schema.STUDIES and key not in present and _numbers(first) != _numbers(row):
            raise EvidenceError(
                f"{row['locator']}: '{row['arm']}' has {row['as_printed']}, but "
                f"{first['as_printed']} in {first['locator']}. Give the arms, times or "
                "definitions of one study different names, or keep both with --repeats"
            )
    return [row for key, row in found.items() if key not in present]


def _tell_repeats_apart(rows: Iterable[Row]) -> None:
    """Add the place to the definition of results that repeat an earlier key with other numbers."""
    first: dict[tuple, Row] = {}
    for row in rows:
        key = tuple(row.get(name, "") for name in schema.STUDIES.key)
        if _numbers(first.setdefault(key, row)) != _numbers(row):
            place = next(re.finditer(r"\brow \d+|analysis [\d.]+", row["locator"]))[0]
            row["definition"] = ", ".join(filter(None, [row.get("definition"), place]))


def _numbers(row: Row) -> tuple[str, ...]:
    return tuple(row.get(name, "") for name in ("n", "events", "value", "spread", "ci_low"))
