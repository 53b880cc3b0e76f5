"""LaTeX in bibliographies, decoded to the characters that people read."""

import html
import re
import unicodedata
from functools import lru_cache

MAX_DEPTH = 50
"""Levels of braces that are decoded; the decoder calls itself for each."""
_MARKUP = re.compile(r"[\\$]|``|''")
# Mart\'\in is meant as Martín; TeX itself would see the sign \in.
_ACCENTED_I = re.compile(r"(\\[\"'`^~=.])\\([ij])(?=[A-Za-z])")
# Nearly all LaTeX is an accent or a sign. Each is decoded once, which is many times faster.
_ATOM = re.compile(
    r"\{\\(?:[^{}$]|\{[^{}$]*\})*\}|\\[\"'`^~=.](?:[A-Za-z]|\{\\?[A-Za-z]\})|"
    r"\\[A-Za-z]\{[A-Za-z]\}|\\[&%_#]"
)
_ENTITY = re.compile(r"&(?:#\d+|#x[\da-fA-F]+|[A-Za-z]+\d*);")
# Mendeley escapes the ampersand of an entity that a publisher's page has left in a title.
_ESCAPED_ENTITY = re.compile(r"\{?\\&\}?(?=(?:amp|lt|gt|quot|apos|nbsp|#\d+);)")
_MATH = re.compile(r"(?<!\\)\$(?:(\S|\S[^$]*?[^\s\\])\$)?")
_SCRIPT = re.compile(r"([_^])(?:\{((?:[^{}]|\{[^{}]*\})*)\}|(\\[A-Za-z]+|[^\s\\{}]))")
_GREEK = {
    name: chr(0x3B1 + number)
    for number, name in enumerate(
        (
            "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
            "lambda", "mu", "nu", "xi", "omicron", "pi", "rho", "varsigma", "sigma", "tau",
            "upsilon", "phi", "chi", "psi", "omega",
        )
    )
}  # fmt: skip
_SIGNS = {
    "textless": "<", "textgreater": ">", "textasciicircum": "^", "textasciitilde": "~",
    "S": "§", "P": "¶", "pounds": "£", "copyright": "©", "textdegree": "°", "degree": "°", "circ": "°",
}  # fmt: skip
_ACCENTS = {"h": "\u0309", "textcommabelow": "\u0326", "cb": "\u0326"}
_TRANSPARENT = ("mbox", "mathbf", "mathit", "mathsf", "mathtt", "mathbb", "mathcal", "url")
_SUBSCRIPTS = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_SUPERSCRIPTS = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")


def decode_latex(text: str, *, keep_groups: bool = False) -> str:
    """Decode accents, signs, dashes, ties, quotes and formulas; blanks become single ones.

    On request the braces around several words stay, which hold the name of an organisation
    together.
    """
    if text.isascii() and text.isalnum():
        return text
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), _ESCAPED_ENTITY.sub("&", text))
    # Whatever is nested deeper is no LaTeX that anybody wrote by hand.
    if text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        text = re.sub(r"[{}]", "", text)
    if "\\" in text:
        text = _ACCENTED_I.sub(r"\1{\\\2}", text)
        text = _ATOM.sub(lambda match: _decode_atom(match[0]), text)
    text = re.sub(r"(?<!\\)~", " ", text)
    if _MARKUP.search(text):
        text = _MATH.sub(_mark_formula, text)
        # Bare & and % are LaTeX's own, but people write them: they are meant as themselves.
        text = re.sub(r"(?<!\\)([&%])", r"\\\1", text)
        text = _to_text(text, keep_groups)
    if keep_groups:
        text = _unwrap_words(text)
    else:
        text = re.sub(r"[{}]", "", text).replace("---", "—").replace("--", "–")
    return unicodedata.normalize("NFC", " ".join(text.replace("\u00ad", "").split()))


def decode_address(text: str) -> str:
    """Decode an identifier or address, in which ~, % and _ are meant as themselves."""
    if not re.search(r"[\\{}$&]", text):
        return text.strip()
    text = re.sub(r"\\(?:textasciitilde|sim|~)(?:\{\})? ?|\$\\sim\$", "~", text)
    for sign, spellings in (("<", r"\\textless|\$<\$|&lt;"), (">", r"\\textgreater|\$>\$|&gt;")):
        text = re.sub(rf"(?:{spellings})(?:\{{\}})?", sign, text)
    text = re.sub(r"\\(?:url|href)\s*(?=\{)", " ", text.replace("&amp;", "&"))
    return re.sub(r"\\(?=\W|_)|[{}]", "", text).strip()


def _depth(text: str) -> int:
    depth = deepest = 0
    for brace in re.findall(r"[{}]", text):
        depth = depth + 1 if brace == "{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _to_text(latex: str, keep_groups: bool) -> str:
    decoder, options = _decoder(keep_groups)
    try:
        return decoder.latex_to_text(latex, **options)
    except Exception:
        # The decoder fails in many ways at macros without their arguments.
        return re.sub(r"\\[A-Za-z]+|[\\$]", "", latex)


@lru_cache(maxsize=4096)
def _decode_atom(atom: str) -> str:
    """Decode one accent or sign, unless its sign means something to LaTeX again."""
    text = _to_text(atom, True)
    return atom if re.search(r"[\\~${}]", text) else text


def _unwrap_words(text: str) -> str:
    """Remove braces around parts of a word: only those around several words mean anything."""
    count = 1
    while count:
        text, count = re.subn(r"\{([^{}\s,]*)\}", r"\1", text)
    return text


def _mark_formula(match: re.Match) -> str:
    """Prepare a formula for the decoder, or escape a dollar that is one.

    As in pandoc, no formula begins or ends with a blank, and none of plain text ends before a digit
    ($5 and $10).
    """
    formula = match[1]
    is_before_digit = match.string[match.end() : match.end() + 1].isdigit()
    if formula is None:
        return r"\$"
    if is_before_digit and re.search(r"\w", formula) and not re.search(r"[\\_^]", formula):
        return rf"\${formula}\$"
    scripts = {"_": r"\textsubscript", "^": r"\textsuperscript"}
    marked = _SCRIPT.sub(lambda m: f"{scripts[m[1]]}{{{m[2] or m[3] or ''}}}", formula)
    return f"${marked}$"


@lru_cache(maxsize=2)
def _decoder(keep_groups: bool):
    """Return pylatexenc's decoder with the macros that it drops, and the options of its parser."""
    # It takes long to import, and most bibliographies have little LaTeX.
    from pylatexenc.latex2text import LatexNodes2Text, MacroTextSpec, get_default_latex_context_db
    from pylatexenc.latexwalker import get_default_latex_context_db as get_parser_db
    from pylatexenc.macrospec import std_macro

    def argument(node, decoder) -> str:
        return decoder.nodelist_to_text(node.nodeargd.argnlist[-1:]).strip("{}")

    def in_signs(signs: dict[int, int]):
        def translate(node, l2tobj) -> str:
            text = argument(node, l2tobj)
            is_translatable = all(ord(sign) in signs for sign in text)
            return text.translate(signs) if is_translatable else text

        return translate

    def accented(accent: str):
        def add(node, l2tobj) -> str:
            letter = argument(node, l2tobj)
            return unicodedata.normalize("NFC", letter[:1] + accent + letter[1:])

        return add

    texts = {
        **dict.fromkeys(_TRANSPARENT, "%s"),
        **{name: accented(accent) for name, accent in _ACCENTS.items()},
        "textsubscript": in_signs(_SUBSCRIPTS),
        "textsuperscript": in_signs(_SUPERSCRIPTS),
        "enquote": "“%s”",
        "href": "%(2)s",
        "noopsort": "",
    }
    signs = {
        **_SIGNS,
        **{f"text{name}": letter for name, letter in _GREEK.items()},
        **{f"text{name.capitalize()}": letter.upper() for name, letter in _GREEK.items()},
    }
    decoded, parsed = get_default_latex_context_db(), get_parser_db()
    macros = [MacroTextSpec(name, simplify_repl=text) for name, text in (texts | signs).items()]
    decoded.add_context_category("bibliographies", macros=macros, prepend=True)
    arguments = [std_macro(name, False, 2 if name == "href" else 1) for name in texts]
    arguments += [std_macro(name, False, 0) for name in signs]
    parsed.add_context_category("bibliographies", macros=arguments, prepend=True)
    decoder = LatexNodes2Text(latex_context=decoded, keep_braced_groups=keep_groups)
    return decoder, {"latex_context": parsed}
