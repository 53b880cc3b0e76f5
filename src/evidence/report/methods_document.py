"""The methods text for a manuscript as Markdown, Word or LaTeX, with the works that it cites."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path

from evidence.analysis.narrative.methods_text import SECTIONS
from evidence.dataset.bibliography import Reference
from evidence.dataset.citations import TEXT_STYLES
from evidence.dataset.citations.apa import escape_markdown, format_apa, format_apa_markdown
from evidence.dataset.citations.bibtex import escape_latex, format_bibtex
from evidence.errors import EvidenceError
from evidence.files import atomic_write, read_bytes
from evidence.provenance.methods import read_method_references
from evidence.provenance.sentence import Sentence
from evidence.report.export import LATEX_SIGNS, text_html, word_document

FORMATS = ("markdown", "docx", "latex")
_CITATION = re.compile(r" \[(@\w+(?:; @\w+)*)\]([.,;]?)")
_BIBTEX_HEADER = "% Works cited by 'evidence methods'; write other entries to another file.\n"

Cite = Callable[[Sequence[str], str], str]
"""Writes a citation of some keys with the punctuation mark after it, which may come first."""


def methods_markdown(sentences: Iterable[Sentence], style: str = "vancouver") -> str:
    """Return a methods text with its references as Markdown.

    The sentences are from `describe_methods`; the style, one of
    `evidence.dataset.citations.TEXT_STYLES`, is that of citations and references.
    """
    paragraphs = _paragraphs(sentences)
    works = _works(paragraphs, style)
    text = _body(
        paragraphs, "**{heading}.** {text}\n", escape_markdown, _cite_in_text(works, style)
    )
    if style == "apa":
        listed = "\n".join(f"{format_apa_markdown(work)}\n" for work in works)
    else:
        references = map(TEXT_STYLES[style], works)
        listed = "".join(
            f"{number}. {escape_markdown(reference)}\n"
            for number, reference in enumerate(references, start=1)
        )
    return f"## Methods\n\n{text}\n## References\n\n{listed}"


def methods_word(sentences: Iterable[Sentence], style: str = "vancouver") -> bytes:
    """Return a methods text with its references as a Word document; see `methods_markdown`.

    Raise `EvidenceError` if there is no pandoc.
    """
    paragraphs = _paragraphs(sentences)
    works = _works(paragraphs, style)
    cite = _cite_in_text(works, style)
    body = _body(paragraphs, "<p><strong>{heading}.</strong> {text}</p>", text_html, cite)
    references = [text_html(TEXT_STYLES[style](work)) for work in works]
    if style == "apa":
        listed = "".join(f"<p>{reference}</p>\n" for reference in references)
    else:
        items = "".join(f"<li><p>{reference}</p></li>\n" for reference in references)
        listed = f"<ol>\n{items}</ol>\n"
    html = f"<h1>Methods</h1>\n{body}<h1>References</h1>\n{listed}"
    return word_document(html)


def write_methods(
    sentences: Iterable[Sentence], out: Path, file_format: str, style: str = "vancouver"
) -> list[Path]:
    r"""Write a methods text to a file; LaTeX comes with a `.bib` of the works cited beside it.

    LaTeX is a fragment to input. It cites with `\cite`, in whatever style the manuscript has. Raise
    `EvidenceError` if the `.bib` exists and was not written here, a file cannot be written, or
    there is no pandoc. The format is one of `FORMATS`.
    """
    contents: dict[Path, str | bytes]
    if file_format == "latex":
        bibliography = out.with_suffix(".bib")
        if bibliography == out:
            raise EvidenceError(f"--out {out}: the text needs another ending, such as .tex")
        if bibliography.exists() and not _is_ours(bibliography):
            raise EvidenceError(
                f"--out {out}: {bibliography.name} beside it is a file of your own. Choose another "
                "name."
            )
        text, works = _methods_latex(sentences, bibliography.stem)
        contents = {out: text, bibliography: _BIBTEX_HEADER + format_bibtex(works)}
    elif file_format == "docx":
        contents = {out: methods_word(sentences, style)}
    else:
        contents = {out: methods_markdown(sentences, style)}
    try:
        for path, content in contents.items():
            atomic_write(path, content)
    except OSError as error:
        raise EvidenceError(f"--out {out}: cannot be written: {error.strerror}") from None
    return list(contents)


def _is_ours(bibliography: Path) -> bool:
    try:
        return read_bytes(bibliography).startswith(_BIBTEX_HEADER.encode())
    except OSError:
        return False


def _methods_latex(sentences: Iterable[Sentence], bibliography: str) -> tuple[str, list[Reference]]:
    paragraphs = _paragraphs(sentences)
    body = _body(
        paragraphs,
        "\\paragraph{{{heading}}}\n{text}\n",
        lambda text: escape_latex(text).translate(LATEX_SIGNS),
        lambda keys, mark: f"~\\cite{{{','.join(keys)}}}{mark}",
    )
    lead = f"% Works cited: \\bibliography{{{bibliography}}}\n\\section*{{Methods}}\n"
    return lead + body, _works(paragraphs, "vancouver")


def _paragraphs(sentences: Iterable[Sentence]) -> dict[str, str]:
    """Return the text of each section by its heading."""
    groups = groupby(sentences, key=lambda sentence: sentence.name.split(".")[1])
    return {SECTIONS[name]: " ".join(map(str, group)) for name, group in groups}


def _works(paragraphs: dict[str, str], style: str) -> list[Reference]:
    """Return the works cited in the order of a list in this style."""
    references = read_method_references()
    keys = dict.fromkeys(
        key for text in paragraphs.values() for match in _citations(text) for key in _keys(match)
    )
    works = [references[key] for key in keys]
    return sorted(works, key=format_apa) if style == "apa" else works


def _citations(text: str) -> list[re.Match[str]]:
    """Return the citations in a text; what a text of the data has in brackets is none."""
    known = read_method_references()
    return [match for match in _CITATION.finditer(text) if set(_keys(match)) <= set(known)]


def _keys(match: re.Match[str]) -> list[str]:
    return re.findall(r"\w+", match[1])


def _body(
    paragraphs: dict[str, str], template: str, literal: Callable[[str], str], cite: Cite
) -> str:
    lines = []
    for heading, text in paragraphs.items():
        parts, end = [], 0
        for match in _citations(text):
            parts += [_literal(text[end : match.start()], literal), cite(_keys(match), match[2])]
            end = match.end()
        parts.append(_literal(text[end:], literal))
        lines.append(template.format(heading=heading, text="".join(parts)))
    return "\n".join(lines)


def _literal(text: str, literal: Callable[[str], str]) -> str:
    """Escape a text; the blank after a citation stays."""
    return " " * text.startswith(" ") + literal(text.strip())


def _cite_in_text(works: Sequence[Reference], style: str) -> Cite:
    """Return how a style cites: Author and year, numbers in brackets, or raised numbers."""
    numbers = {work.key: number for number, work in enumerate(works, start=1)}

    def cite(keys: Sequence[str], mark: str) -> str:
        ordered = sorted(keys, key=numbers.__getitem__)
        if style == "apa":
            return f" ({'; '.join(_author_year(works[numbers[key] - 1]) for key in ordered)}){mark}"
        listed = ",".join(str(numbers[key]) for key in ordered)
        if style == "vancouver":
            return f" [{listed}]{mark}"
        raised = f"<sup>{listed}</sup>"
        return f"{raised}{mark}" if mark == ";" else f"{mark}{raised}"

    return cite


def _author_year(work: Reference) -> str:
    names = [author.family if author.first else author.last for author in work.creators]
    is_short = len(names) <= 2 and not work.more_authors
    return f"{' & '.join(names) if is_short else f'{names[0]} et al.'}, {work.lettered_year}"
