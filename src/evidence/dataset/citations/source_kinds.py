"""What kind a source is, and how each format names that kind."""

import re
from dataclasses import dataclass

from evidence.dataset.bibliography import Reference
from evidence.dataset.citations.journal_names import is_journal
from evidence.dataset.citations.wording import one_line


@dataclass(frozen=True)
class Kind:
    """What a kind of source is called, and where BibTeX puts what contains or publishes it."""

    form: str
    ris: str
    csl: str
    bibtex_container: str = "howpublished"


_ARTICLE = Kind("article", "JOUR", "article-journal", "journal")
_BOOK = Kind("book", "BOOK", "book", "publisher")
_CHAPTER = Kind("chapter", "CHAP", "chapter", "booktitle")
_CONFERENCE_PAPER = Kind("chapter", "CPAPER", "paper-conference", "booktitle")
_REPORT = Kind("report", "RPRT", "report", "institution")
_THESIS = Kind("thesis", "THES", "thesis", "school")
_WEB_PAGE = Kind("page", "ELEC", "webpage")
_OTHER = Kind("page", "GEN", "document")
_PREPRINT = Kind("preprint", "UNPB", "article")
_REGISTRY_ENTRY = Kind("registry", "ELEC", "webpage")
_DATASET = Kind("dataset", "DATA", "dataset", "publisher")
SOFTWARE = Kind("dataset", "COMP", "software", "publisher")
PUBLISHED_FORMS = ("book", "report", "thesis", "dataset")
"""Forms that have a publisher in place of a container."""
_KINDS = {
    "article": _ARTICLE,
    **dict.fromkeys(("book", "collection", "mvbook", "mvcollection", "proceedings"), _BOOK),
    **dict.fromkeys(("incollection", "inbook", "inreference", "suppbook"), _CHAPTER),
    "inproceedings": _CONFERENCE_PAPER,
    "conference": _CONFERENCE_PAPER,
    "techreport": _REPORT,
    "report": _REPORT,
    "phdthesis": _THESIS,
    "mastersthesis": _THESIS,
    "thesis": _THESIS,
    **dict.fromkeys(("dataset", "data"), _DATASET),
    "software": SOFTWARE,
    # Figures and tables of this project; their note is for readers, not a curator's remark.
    "figure": Kind("figure", "FIGURE", "figure"),
    "table": Kind("figure", "CHART", "document"),
}


_PREPRINT_SERVERS = re.compile(
    r"(?:bio|med|chem|psy|soc)?a?rxiv|psyarxiv|socarxiv|osf preprints|preprints(?:\.org)?|"
    r"research square|ssrn(?: electronic journal)?",
    re.IGNORECASE,
)
_TRIAL_NUMBER = re.compile(
    r"(?:NCT\d{8}|ACTRN\d{14}|UMIN\d{9}|JPRN-\w+|jRCTs?\d+|IRCT\w+|ISRCTN\d{8}|DRKS\d{8}|"
    r"ChiCTR[\w-]+|CTRI/[\d/]+|KCT\d+|RBR-\w+|EudraCT \d{4}-\d{6}-\d\d|PACTR\d+|TCTR\d+)"
)
REGISTRY_TITLE = re.compile(rf"(?:({_TRIAL_NUMBER.pattern}): )?(.*?)(?:, registry record)?")


def kind_of(source: Reference) -> Kind:
    """Return the kind of a source; an unknown entry type is judged by the fields it has."""
    if _PREPRINT_SERVERS.fullmatch(source.container) and not source.volume:
        return _PREPRINT
    if source.kind.lower() in ("misc", "online", "dataset") and trial_number(source):
        return _REGISTRY_ENTRY
    if source.container and (source.volume or is_journal(source.container)):
        return _KINDS.get(source.kind.lower(), _ARTICLE)
    return _KINDS.get(source.kind.lower(), _WEB_PAGE if source.url else _OTHER)


def container_field(kind: str) -> str:
    """Return the field of BibTeX that holds what contains or publishes an entry of this type."""
    return _KINDS.get(kind.lower(), _OTHER).bibtex_container


def trial_number(source: Reference) -> str:
    """Return the number of an entry in a trial registry, from its number or its title."""
    if match := _TRIAL_NUMBER.fullmatch(source.number):
        return match[0]
    match = REGISTRY_TITLE.fullmatch(one_line(source.title))
    return (match and match[1]) or ""


def registry_name(source: Reference) -> str:
    """Return the name of the trial registry that an entry is in."""
    organisations = [author.last for author in source.creators if not author.first]
    return one_line(next(iter(organisations), source.container) or "Trial registry")
