"""Sources as BibTeX, for reference managers."""

from collections.abc import Iterable

from evidence.corpus.bibliography import NO_DATE, Reference
from evidence.corpus.reading import Corpus


def as_bibtex(corpus: Corpus, keys: Iterable[str]) -> str:
    """These sources as BibTeX, in the order of their keys; what is not known is left out."""
    return "\n".join(_entry(corpus.bibliography[key]) for key in sorted(set(keys)))


def _entry(source: Reference) -> str:
    names = [
        f"{author.last}, {author.first}" if author.first else f"{{{author.last}}}"
        for author in source.authors
    ]
    fields = {
        "author": " and ".join([*names, *(["others"] if source.more_authors else [])]),
        "title": source.title,
        "year": "" if source.year == NO_DATE else source.year,
        "journal": source.container,
        "volume": source.volume,
        "number": source.number,
        "pages": source.pages,
        "doi": source.doi,
        "pmid": source.pmid,
        "url": source.url,
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{source.kind}{{{source.key},", *lines, "}", ""])
