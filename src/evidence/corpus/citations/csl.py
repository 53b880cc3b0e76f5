"""References as CSL-JSON, what processors of the Citation Style Language read."""

import json
from collections.abc import Iterable

from evidence.corpus.bibliography import Author, Reference
from evidence.corpus.citations.parts import kind_of, one_line, page_range


def csl_json(sources: Iterable[Reference]) -> str:
    """An array of items; a variable that is not known is left out."""
    items = [_item(source) for source in sources]
    return json.dumps(items, indent=1, ensure_ascii=False) + "\n"


def _item(source: Reference) -> dict:
    kind = kind_of(source)
    first, last = page_range(source.pages)
    people = [_name(author) for author in source.authors]
    # CSL has no word for further authors; the name "others" is what converters of BibTeX write.
    people += [{"literal": "others"}] if source.more_authors else []
    is_publisher = kind.form in ("book", "report", "thesis")
    variables = {
        "author": people,
        "title": source.title,
        "issued": {"date-parts": [[int(source.year)]]} if source.year.isdecimal() else None,
        "publisher" if is_publisher else "container-title": source.container,
        "volume": source.volume,
        "number" if kind.form == "report" else "issue": source.number,
        "page": f"{first}-{last}" if last else first,
        "genre": "Master's thesis" if source.kind.lower() == "mastersthesis" else "",
        "DOI": source.doi,
        "PMID": source.pmid,
        "URL": source.link,
        "note": source.note if kind.form == "figure" else "",
    }
    return {"id": source.key, "type": kind.csl} | {
        name: one_line(value) if isinstance(value, str) else value
        for name, value in variables.items()
        if value
    }


def _name(author: Author) -> dict[str, str]:
    """The parts of a person's name; an organisation as one literal name."""
    if not author.first:
        return {"literal": one_line(author.last)}
    parts = {
        "family": author.family,
        "given": author.first,
        "non-dropping-particle": author.particle,
        "suffix": author.suffix,
    }
    return {name: one_line(part) for name, part in parts.items() if part}
