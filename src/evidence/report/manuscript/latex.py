"""A figure or table as LaTeX to paste or to input: booktabs and longtable, every sign escaped."""

import re

from evidence.report.manuscript.exhibit import Exhibit

_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # By its number: shorthands of languages make it active, and old fonts have no name for it.
    '"': r"{\char34}",
    "`": r"\textasciigrave{}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
    # Square brackets would be read as an argument at the beginning of a row.
    "[": "{[}",
    "]": "{]}",
    "−": r"\ensuremath{-}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "≥": r"\ensuremath{\geq}",
    "≤": r"\ensuremath{\leq}",
    "²": r"\ensuremath{{}^{2}}",
    "…": r"\ldots{}",
}
_PACKAGES = {
    "table": "array, booktabs, longtable, textcomp",
    "wide": "array, booktabs, longtable, pdflscape, textcomp",
    "figure": "graphicx, textcomp",
}


def escaped(text: str) -> str:
    """Text in one line with every sign that LaTeX reads as its own written out.

    Letters of other scripts stay as they are: every engine of today reads UTF-8.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = "".join(_SIGNS.get(sign, sign) for sign in text)
    # A star behind a line end belongs to the line end; two hyphens or quotes are drawn as one sign.
    return re.sub(r"([-'])(?=\1)", r"\1{}", re.sub(r"^\*", "{*}", text))


def fragment(exhibit: Exhibit) -> str:
    """The exhibit with caption, label and references, and a comment on what it needs."""
    kind = "wide" if exhibit.is_wide else "table" if exhibit.is_table else "figure"
    lines = [f"% needs the packages {_PACKAGES[kind]}"]
    lines += _table(exhibit) if exhibit.is_table else _figure(exhibit)
    # An address may go on in the next line behind each of its strokes.
    said = [escaped(line).replace("/", r"/\allowbreak{}") for line in exhibit.references]
    lines += [r"\begin{itemize}\sloppy", *(rf"\item {line}" for line in said)]
    return "\n".join([*lines, r"\end{itemize}", ""])


def _caption(exhibit: Exhibit, words: str = "") -> str:
    return rf"\caption{{{escaped(f'{exhibit.title} {words}')}}}\label{{{exhibit.id}}}"


def _figure(exhibit: Exhibit) -> list[str]:
    shown = exhibit.shown
    return [
        f"% needs the file {exhibit.id}.pdf beside it",
        r"\begin{figure}",
        r"\centering",
        rf"\includegraphics[width=\linewidth,alt={{{escaped(shown.alt)}}}]{{{exhibit.id}.pdf}}",
        _caption(exhibit, shown.caption),
        r"\end{figure}",
    ]


def _table(exhibit: Exhibit) -> list[str]:
    shown = exhibit.shown
    # What the columns do not get is the white space between them.
    columns = "".join(
        rf">{{\raggedright\arraybackslash}}p{{{0.97 * share:.3f}\dimexpr\linewidth"
        rf"-{2 * len(shown.columns)}\tabcolsep\relax}}"
        for share in exhibit.shares()
    )
    head = " & ".join(rf"\textbf{{{escaped(name)}}}" for name in shown.columns)
    body = [rf"{' & '.join(map(escaped, row))} \\" for row in shown.rows]
    lines = [
        r"\begingroup\footnotesize",
        rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
        rf"{_caption(exhibit)} \\",
        rf"\toprule {head} \\ \midrule \endfirsthead",
        rf"\toprule {head} \\ \midrule \endhead",
        r"\bottomrule \endfoot",
        *body,
        r"\end{longtable}",
        r"\endgroup",
    ]
    return [r"\begin{landscape}", *lines, r"\end{landscape}"] if exhibit.is_wide else lines
