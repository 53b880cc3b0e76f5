"""Files of Cochrane's Review Manager: RevMan 5 (.rm5 and its CSV export) and RevMan Web (zip)."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from evidence.dataset.bibliography import Author
from evidence.dataset.csv_layout import csv_message
from evidence.errors import EvidenceError
from evidence.exchange.comparison import Comparison
from evidence.exchange.sheet import Sheet, parse_csv
from evidence.files import DAMAGED_ZIP, XML_MISTAKES, read_bytes

MAX_MEMBER_BYTES = 200_000_000
"""Bytes of a file inside a zip; the data of the largest reviews have a hundredth of it."""

FIELDS_BY_TYPE = {
    "dichotomous": ("events1", "n1", "events2", "n2"),
    "continuous": ("mean1", "sd1", "n1", "mean2", "sd2", "n2"),
    "contrast": ("estimate", "estimate_se", "ci_low", "ci_high", "n1", "n2"),
}
"""What RevMan stores of each type of data; other numbers beside it are zeros without meaning."""
XML_ATTRIBUTES = {
    "events1": "EVENTS_1", "n1": "TOTAL_1", "events2": "EVENTS_2", "n2": "TOTAL_2",
    "mean1": "MEAN_1", "sd1": "SD_1", "mean2": "MEAN_2", "sd2": "SD_2",
    "estimate": "EFFECT_SIZE", "estimate_se": "SE", "ci_low": "CI_START", "ci_high": "CI_END",
}  # fmt: skip
CSV_COLUMNS = {
    "events1": "Events 1", "n1": "Total 1", "events2": "Events 2", "n2": "Total 2",
    "mean1": "Mean 1", "sd1": "SD 1", "mean2": "Mean 2", "sd2": "SD 2",
    "estimate": "Effect Estimate", "estimate_se": "SE", "ci_low": "CI Start", "ci_high": "CI End",
}  # fmt: skip
WEB_COLUMNS = {
    "events1": "Experimental cases", "n1": "Experimental N", "events2": "Control cases",
    "n2": "Control N", "mean1": "Experimental mean", "sd1": "Experimental SD",
    "mean2": "Control mean", "sd2": "Control SD", "estimate": "Mean", "estimate_se": "GIV SE",
    "ci_low": "CI start", "ci_high": "CI end",
}  # fmt: skip
DATA_TYPES = {
    "DICH": "dichotomous", "CONT": "continuous", "IV": "contrast",
    "DIC": "dichotomous", "CON": "continuous", "GIV": "contrast",
    "Dichotomous": "dichotomous", "Continuous": "continuous", "Contrast level": "contrast",
}  # fmt: skip
EFFECT_MEASURES = {
    "Odds Ratio": "or", "Peto Odds Ratio": "or", "PETO_OR": "or", "Risk Ratio": "rr",
    "Risk Difference": "rd", "Mean Difference": "md", "Standardized Mean Difference": "smd",
    "Std. Mean Difference": "smd", "Hazard Ratio": "hr", "Rate Ratio": "irr",
}  # fmt: skip
ROB1, ROB2 = "RoB 1 (2011)", "RoB 2 (2019)"
DOMAINS = (
    (r"sequence generation", ROB1, "sequence"),
    (r"allocation concealment", ROB1, "concealment"),
    (r"blinding of participants|performance bias", ROB1, "blinding of people"),
    (r"blinding of outcome assess|detection bias", ROB1, "blinding of raters"),
    (r"incomplete outcome|attrition bias", ROB1, "missing data"),
    (r"selective (outcome )?reporting|reporting bias", ROB1, "reporting"),
    (r"^other", ROB1, "other"),
    (r"randomi[sz]ation process", ROB2, "randomisation"),
    (r"deviations from", ROB2, "deviations"),
    (r"missing outcome data", ROB2, "missing data"),
    (r"measurement of the outcome", ROB2, "measurement"),
    (r"selection of the reported", ROB2, "reporting"),
    (r"^overall", ROB2, "overall"),
)
"""Patterns in the names that reviews give to domains, with tool and domain of the project."""
JUDGEMENTS = {
    "yes": "low", "no": "high", "unknown": "unclear", "low": "low", "high": "high",
    "unclear": "unclear", "some concerns": "some concerns",
}  # fmt: skip


@dataclass(frozen=True)
class Judgement:
    """A judgement on a domain of a risk-of-bias tool, with the reason that the review gives."""

    study: str
    tool: str
    domain: str
    judgement: str
    reason: str
    locator: str


@dataclass(frozen=True)
class StudyReference:
    """The main text of a study as a review cites it; unknown parts are empty."""

    authors: tuple[Author, ...] = ()
    title: str = ""
    year: str = ""
    journal: str = ""
    volume: str = ""
    number: str = ""
    pages: str = ""
    doi: str = ""
    more_authors: bool = False


@dataclass
class Review:
    """What a file of RevMan holds; `left_out` names what makes no row, with the reason."""

    form: str
    title: str = ""
    doi: str = ""
    comparisons: list[Comparison] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    references: dict[str, StudyReference] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(
        self, place: str, data_type: str, common: Mapping[str, str], numbers: Mapping[str, str]
    ) -> None:
        """Add the comparison of one study, or say why it makes none."""
        kind = DATA_TYPES.get(data_type, "")
        if not kind:
            self.left_out.append(f"{place}: data of the type {data_type!r} make no row")
            return
        fields = {name: numbers.get(name, "") for name in FIELDS_BY_TYPE[kind]}
        # Sizes beside an estimate are optional, and 0 if nobody entered them.
        fields = {n: c for n, c in fields.items() if kind != "contrast" or not _is_zero(c)}
        needed = [name for name in FIELDS_BY_TYPE[kind] if name.startswith(("n", "sd"))]
        if kind == "contrast":
            needed = ["estimate_se"]
        if any(_is_zero(fields.get(name, "")) for name in needed):
            self.left_out.append(f"{place}: not estimable in the review, as a size or SD is 0")
            return
        self.comparisons.append(Comparison(place, {**common, **fields}))

    def judge(self, study: str, domain: str, result: str, reason: str, locator: str) -> None:
        """Add a judgement if the domain and the judgement are those of a known tool."""
        words = result.casefold().removesuffix(" of bias").removesuffix(" risk").strip()
        for pattern, tool, name in DOMAINS:
            if re.search(pattern, domain.strip(), re.IGNORECASE):
                judgement = JUDGEMENTS.get(words, "")
                judgement = "some concerns" if (tool, judgement) == (ROB2, "unclear") else judgement
                if judgement:
                    self.judgements.append(Judgement(study, tool, name, judgement, reason, locator))
                return
        text = f"{locator}: no tool of this project has the domain '{domain}'"
        if text not in self.left_out:
            self.left_out.append(text)


def _is_zero(text: str) -> bool:
    try:
        return float(text or 0) == 0
    except ValueError:
        return False


# RevMan 5: XML


def read_rm5(path: Path) -> Review:
    """Read a RevMan 5 file.

    Raise `EvidenceError` if it is not XML of RevMan 5, or defines entities, which could grow
    without end.
    """
    content = read_bytes(path)
    if b"<!ENTITY" in content:
        raise EvidenceError(f"{path}: defines XML entities, which RevMan never does")
    try:
        root = ElementTree.fromstring(content)
    except XML_MISTAKES as error:
        raise EvidenceError(f"{path}: is not well-formed XML: {error}") from None
    if root.tag != "COCHRANE_REVIEW":
        raise EvidenceError(f"{path}: is XML, but not a review of RevMan 5")
    review = Review("RevMan 5", _text(root, "COVER_SHEET/TITLE"), root.get("DOI", ""))
    studies = {}
    for study in root.iter("STUDY"):
        name = _study_name(study.get("NAME", ""), study.get("YEAR", ""))
        studies[study.get("ID", "")] = name
        review.references[name] = _reference(study)
    for comparison in root.iter("COMPARISON"):
        for outcome in comparison:
            if outcome.tag.endswith("_OUTCOME"):
                _read_outcome(review, path.name, comparison, outcome, studies)
    for item in root.iter("QUALITY_ITEM"):
        domain = _text(item, "NAME")
        for entry in item.iter("QUALITY_ITEM_DATA_ENTRY"):
            name, reason = studies.get(entry.get("STUDY_ID", ""), ""), _text(entry, "DESCRIPTION")
            # RevMan writes UNKNOWN for what nobody has judged yet.
            if name and (reason or entry.get("RESULT") != "UNKNOWN"):
                locator = f"{path.name}, risk of bias"
                review.judge(name, domain, entry.get("RESULT", ""), reason, locator)
    return review


def _study_name(name: str, year: str) -> str:
    """Return the name of a study with its year, if it does not end with one."""
    return name if re.search(r"\d{4}[a-z]?$", name) or not year.strip() else f"{name} {year}"


def _text(element: ElementTree.Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else " ".join("".join(found.itertext()).split())


def _read_outcome(
    review: Review,
    file: str,
    comparison: ElementTree.Element,
    outcome: ElementTree.Element,
    studies: Mapping[str, str],
) -> None:
    data_type = outcome.tag.removesuffix("_OUTCOME")
    number = f"{comparison.get('NO', '?')}.{outcome.get('NO', '?')}"
    common = _common(
        number,
        _text(outcome, "NAME"),
        _text(outcome, "GROUP_LABEL_1"),
        _text(outcome, "GROUP_LABEL_2"),
        outcome.get("EFFECT_MEASURE", ""),
    )
    if outcome.get("SWAP_EVENTS") == "YES":
        review.left_out.append(
            f"{file}, analysis {number}: the review analyses the participants without the event; the "
            "rows hold the events as entered"
        )
    common["better"] = _better(_text(outcome, "GRAPH_LABEL_1"), _text(outcome, "GRAPH_LABEL_2"))
    for group in (outcome, *outcome.findall(f"{data_type}_SUBGROUP")):
        subgroup = "" if group is outcome else _text(group, "NAME")
        for data in group.findall(f"{data_type}_DATA"):
            study = studies.get(data.get("STUDY_ID", ""), data.get("STUDY_ID", ""))
            numbers = {name: data.get(key, "") for name, key in XML_ATTRIBUTES.items()}
            if outcome.get("CI_STUDY", "95") not in ("95", "95.0"):
                numbers |= {"ci_low": "", "ci_high": ""}
            place = f"{file}, analysis {number}, {study}"
            review.add(place, data_type, common | {"study": study, "population": subgroup}, numbers)


def _better(left: str, right: str) -> str:
    """Return which direction is good, from the labels below a forest plot; empty if not clear."""
    # What RevMan writes unless somebody chose labels says nothing of the outcome.
    if (left, right) == ("Favours experimental", "Favours control"):
        return ""
    favours_comparator = [
        bool(re.search(r"control|placebo|usual|comparator|no treatment", label, re.IGNORECASE))
        for label in (left, right)
    ]
    directions: dict[tuple[bool, ...], str] = {(True, False): "higher", (False, True): "lower"}
    return directions.get(tuple(favours_comparator), "") if left and right else ""


def _common(number: str, outcome: str, label1: str, label2: str, measure: str) -> dict[str, str]:
    """Return the fields that all studies of an analysis share."""
    return {
        "outcome": outcome,
        "definition": f"analysis {number} of the review",
        "arm1": label1 or "experimental",
        "arm2": label2 or "control",
        "measure": EFFECT_MEASURES.get(measure, measure.lower()),
    }


def _reference(study: ElementTree.Element) -> StudyReference:
    """Return the primary reference of a study, or its first."""
    references = study.findall("REFERENCE")
    first = next((r for r in references if r.get("PRIMARY") == "YES"), None)
    reference = first if first is not None else (references[0] if references else study)
    dois = [
        identifier.get("VALUE", "")
        for identifier in reference.iter("IDENTIFIER")
        if identifier.get("TYPE") == "DOI"
    ]
    authors = _text(reference, "AU")
    names = [name for name in re.split(r"[,;]\s*", re.sub(r"\bet al\.?$", "", authors)) if name]
    return StudyReference(
        authors=tuple(map(parse_author, names)),
        title=_text(reference, "TI") or _text(reference, "TO"),
        year=_text(reference, "YR") or study.get("YEAR", ""),
        journal=_text(reference, "SO"),
        volume=_text(reference, "VL"),
        number=_text(reference, "NO"),
        pages=_text(reference, "PG"),
        doi=next(iter(dois), ""),
        more_authors=authors.rstrip(".").endswith("et al"),
    )


def parse_author(name: str) -> Author:
    """Split a name as journals list it, like Smith JA Jr; without initials it is a group."""
    match = re.fullmatch(r"(.+?)\s+([A-Z][A-Z.\-]{0,5})(?:\s+(Jr|Sr|II|III)\.?)?", name.strip())
    if not match:
        return Author(name.strip())
    last, initials, suffix = match.groups("")
    letters = re.findall(r"-?[A-Z]", initials)
    first = " ".join(f"{letter}." for letter in letters).replace(" -", "-")
    return Author(last, first, suffix=suffix)


# RevMan 5: the CSV export


def read_rm5_csv(sheet: Sheet) -> Review:
    """Read the CSV export of RevMan 5, in which analyses and their studies alternate."""
    review = Review("RevMan 5 (CSV)")
    analysis, subgroup, data_type = "", "", ""
    common: dict[str, str] = {}
    for line, row in sheet.rows.items():
        numbers = [row.get(f"{part} Number", "") for part in ("Comparison", "Outcome", "Subgroup")]
        name = row.get("Name", "")
        number = ".".join(numbers[:2])
        if numbers[1] in ("", "0"):
            review.title = review.title or name
        elif row.get("Data Type") and number != analysis:
            analysis, subgroup, data_type = number, "", row["Data Type"]
            labels = row.get("Group Label 1", ""), row.get("Group Label 2", "")
            common = _common(number, name, *labels, row.get("Effect Measure", ""))
        elif row.get("Data Type"):
            subgroup = name
        else:
            study = _study_name(name, row.get("Year of study", ""))
            values = {field: row.get(column, "") for field, column in CSV_COLUMNS.items()}
            place = f"{sheet.name}, row {line}"
            cells = common | {"study": study, "population": subgroup}
            review.add(place, data_type, cells, values)
    return review


def is_rm5_csv(sheet: Sheet) -> bool:
    """Tell whether a table is the CSV export of RevMan 5."""
    return {"Comparison Number", "Outcome Number", "Name", "Data Type"} <= set(sheet.header)


# RevMan Web: the data package


def read_data_package(path: Path) -> Review:
    """Read the zip of RevMan Web, or the download of a review that holds it; nothing is unpacked.

    Raise `EvidenceError` if it is no zip, has no analyses, or names files outside itself.
    """
    try:
        files = dict(_members(read_bytes(path), str(path)))
    except DAMAGED_ZIP:
        raise EvidenceError(f"{path}: is not a zip file, or is damaged") from None
    settings = _sheet(files, "-overall-estimates-and-settings.csv")
    rows = _sheet(files, "-data-rows.csv")
    if not rows or not settings:
        raise EvidenceError(
            f"{path}: holds no analyses of a review (…-data-rows.csv and "
            "…-overall-estimates-and-settings.csv). Download the data package from RevMan"
        )
    review = Review("RevMan Web")
    analyses = {_analysis(row): row for row in settings.rows.values()}
    for line, row in rows.rows.items():
        number = _analysis(row)
        analysis = analyses.get(number, {})
        common = _common(
            number,
            row.get("Analysis name", ""),
            analysis.get("Experimental group label")
            or analysis.get("Experimental intervention", ""),
            analysis.get("Control group label") or analysis.get("Control intervention", ""),
            analysis.get("Effect measure", ""),
        )
        numbers = {field: row.get(column, "") for field, column in WEB_COLUMNS.items()}
        if analysis.get("Study CI", "95%") != "95%":
            numbers |= {"ci_low": "", "ci_high": ""}
        study = _study_name(row.get("Study", ""), row.get("Study year", ""))
        common |= {"study": study, "population": row.get("Subgroup", "")}
        place = f"{path.name}, {rows.name} row {line}"
        review.add(place, analysis.get("Data type", ""), common, numbers)
    information = _sheet(files, "-study-information.csv")
    years = (
        {r.get("Study", ""): r.get("Year", "") for r in information.rows.values()}
        if information
        else {}
    )
    bias = _sheet(files, "-risk-of-bias.csv")
    for line, row in bias.rows.items() if bias else ():
        study = _study_name(row.get("Study", ""), years.get(row.get("Study", ""), ""))
        for column in bias.header if bias else ():
            kind, _, domain = column.partition(": ")
            result = row.get(column, "")
            if kind == "Domain (judgement)" and result not in ("", "Not applicable"):
                reason = row.get(f"Domain (support): {domain}", "")
                locator = f"{path.name}, {bias.name if bias else ''} row {line}"
                review.judge(study, domain.rstrip("?"), result, reason, locator)
    return review


def _analysis(row: Mapping[str, str]) -> str:
    return f"{row.get('Analysis group', '?')}.{row.get('Analysis number', '?')}"


def _members(content: bytes, name: str, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield the CSV files of a zip and of a zip inside it, by their names without folders."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        for member in package.infolist():
            parts = re.split(r"[\\/]", member.filename)
            if ".." in parts or member.filename.startswith(("/", "\\")):
                raise EvidenceError(f"{name}: names a file outside itself: {member.filename!r}")
            if not member.filename.endswith((".csv", ".zip")):
                continue
            if member.file_size > MAX_MEMBER_BYTES:
                raise EvidenceError(f"{name}: {parts[-1]} has {member.file_size:,} bytes; too many")
            if member.filename.endswith(".csv"):
                yield parts[-1], package.read(member)
            elif not depth:
                yield from _members(package.read(member), name, depth + 1)


def _sheet(files: Mapping[str, bytes], ending: str) -> Sheet | None:
    for name, content in files.items():
        if name.endswith(ending):
            try:
                return Sheet.from_records(name, parse_csv(content.decode("utf-8-sig")))
            except UnicodeDecodeError:
                raise EvidenceError(f"{name}: is not in UTF-8, as RevMan writes it") from None
            except csv.Error as error:
                raise EvidenceError(f"{name}: {csv_message(error)}") from None
    return None
