"""References as BibTeX, and plain text as LaTeX."""

from collections.abc import Iterable, Sequence

from evidence.dataset.authors import Author
from evidence.dataset.bibliography import Reference
from evidence.dataset.citations.reference_parts import known_parts, page_range
from evidence.dataset.citations.source_kinds import container_field, kind_of
from evidence.dataset.citations.wording import join_with_commas, one_line
from evidence.dataset.letter_case import capitals_to_protect

# Braces are named and not escaped with a stroke: BibTeX counts braces before it sees the stroke.
_LATEX_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",
        "}": r"\textbraceright{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_"},
    }
)


def format_bibtex(sources: Iterable[Reference]) -> str:
    """Format sources as BibTeX that reads back as the same references."""
    # It takes long to import, and only who writes BibTeX needs it.
    import bibtexparser
    from bibtexparser.model import Block, Entry, Field

    layout = bibtexparser.BibtexFormat()
    layout.indent, layout.block_separator, layout.trailing_comma = "  ", "\n", True
    entries: list[Block] = [
        Entry(
            "misc" if kind_of(source).form == "figure" else source.kind,
            source.key,
            [Field(name, f"{{{value}}}") for name, value in _bibtex_fields(source).items()],
        )
        for source in sources
    ]
    library = bibtexparser.Library(entries)
    return bibtexparser.write_string(library, unparse_stack=[], bibtex_format=layout)


def _bibtex_fields(source: Reference) -> dict[str, str]:
    """Return the fields that are known, escaped."""
    source = known_parts(source)
    first, last = page_range(source.pages)
    names = _bibtex_names(source.authors, source.more_authors)
    is_figure = kind_of(source).form == "figure"
    fields = {
        "author": names if source.authors else "",
        "editor": _bibtex_names(source.editors, source.more_authors and not source.authors),
        "title": _bibtex_title(source),
        "year": escape_latex(source.year),
        container_field(source.kind): escape_latex(source.container),
        "volume": escape_latex(source.volume),
        "number": escape_latex(source.number),
        "pages": escape_latex(f"{first}--{last}" if last else source.pages),
        "doi": one_line(source.doi),
        "pmid": one_line(source.pmid),
        "url": one_line(source.url),
        **({"publisher": escape_latex(source.publisher)} if source.publisher else {}),
        "address": escape_latex(source.place),
        "edition": escape_latex(source.edition),
        "pubstate": escape_latex(source.state),
        "origdate": escape_latex(source.first_published),
        "urldate": escape_latex(source.accessed),
        "note": escape_latex(source.note) if is_figure else "",
    }
    return {name: value for name, value in fields.items() if value}


def _bibtex_title(source: Reference) -> str:
    """Put words whose capitals must stay in braces: styles put titles in lower case."""
    title, end, parts = one_line(source.title), 0, []
    for match in capitals_to_protect(title, source.protected):
        parts += [
            title[end : match.start()].translate(_LATEX_ESCAPES),
            f"{{{escape_latex(match[0])}}}",
        ]
        end = match.end()
    return "".join(parts) + title[end:].translate(_LATEX_ESCAPES)


def escape_latex(text: str) -> str:
    """Write plain text so that LaTeX prints it as it is."""
    return one_line(text).translate(_LATEX_ESCAPES)


def _bibtex_names(people: Sequence[Author], has_more: bool) -> str:
    return " and ".join([*map(_bibtex_name, people), *(["others"] if has_more else [])])


def _bibtex_name(author: Author) -> str:
    last = escape_latex(author.last)
    if not author.first:
        return f"{{{last}}}"
    if "," in last or " and " in last:
        last = f"{{{last}}}"
    return join_with_commas(last, escape_latex(author.suffix), escape_latex(author.first))
