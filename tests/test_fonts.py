"""The package's own fonts: the letters and places of DejaVu, which serves where they end."""

import io
import re
import unicodedata
from importlib import util
from itertools import product
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib.ft2font import FT2Font, LoadFlags
from pypdf import PdfReader

from evidence.figures.style import FONTS, RC, house_style, new_figure

ROOT = Path(__file__).resolve().parents[1]
DEJAVU = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
FACES = {"Regular": "DejaVuSans", "Bold": "DejaVuSans-Bold", "Italic": "DejaVuSans-Oblique"}
# Letters that move towards each other or join, and every word of a text with many signs.
PAIRS = ["".join(pair) for pair in product("AVTWYLPFRacefijlorstuvwxyz.,-", repeat=2)]
WORDS = sorted(set((ROOT / "README.md").read_text("utf-8").split()))
LABELS = {
    "Latin": "Nguyễn Müller, affinity of AV ≥ 0.5 μg × ½ ●◐▲✖○",
    "Cyrillic": "Исследование",
    "Arabic": "دراسة 12 سريرية",
    "Hebrew": "a מחקר b",
    "Armenian": "Հայերեն",
    "marks that combine": "q\u0303 of x\u0301",
}


@pytest.fixture(scope="module")
def module():
    spec = util.spec_from_file_location("update_fonts", ROOT / "docs" / "update_fonts.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def own(face):
    return FONTS / f"EvidenceSans-{face}.ttf"


def laid_out(path, words):
    font, names, flags = FT2Font(path), TTFont(path).getGlyphOrder(), LoadFlags.NO_HINTING
    font.set_size(9, 72)
    for word in words:
        places = [(names[one.glyph_index], one.x) for one in font._layout(word, flags)]
        font.set_text(word, flags=flags)
        yield word, font.get_width_height(), places


@pytest.mark.parametrize("face", FACES)
def test_every_letter_stands_where_it_stands_in_dejavu(face):
    theirs = DEJAVU / f"{FACES[face]}.ttf"
    known = {chr(code) for code in TTFont(own(face)).getBestCmap()}
    words = [word for word in PAIRS + WORDS if set(word) <= known]
    assert len(words) > 0.95 * len(PAIRS + WORDS)
    assert list(laid_out(own(face), words)) == list(laid_out(theirs, words))


def test_kerning_and_ligatures_are_kept():
    (_, av, _), (_, a, _), (_, v, _) = laid_out(own("Regular"), ["AV", "A", "V"])
    assert av[0] < a[0] + v[0]
    ((_, _, glyphs),) = laid_out(own("Regular"), ["ffi"])
    assert len(glyphs) == 1


@pytest.mark.parametrize("face", FACES)
def test_no_character_needs_what_was_left_out(face):
    font = TTFont(own(face))
    assert not {"GPOS", "GDEF"} & set(font.keys())
    kinds = {unicodedata.bidirectional(chr(code)) for code in font.getBestCmap()}
    assert not kinds & {"NSM", "AL"}


def picture(family, text, style):
    with house_style(), matplotlib.rc_context({"font.family": family}):
        figure, axis = new_figure(4, 1)
        axis.set_axis_off()
        axis.text(0, 0.5, text, **style)
        file = io.BytesIO()
        figure.savefig(file, format="rgba", dpi=100)
        return np.frombuffer(file.getvalue(), np.uint8)


@pytest.mark.parametrize("style", [{}, {"weight": "bold"}], ids=["regular", "bold"])
@pytest.mark.parametrize("script", LABELS)
def test_a_label_looks_as_in_dejavu(script, style):
    ours = picture(RC["font.family"], LABELS[script], style)
    assert ours.min() == 0x1A
    assert np.array_equal(ours, picture("DejaVu Sans", LABELS[script], style))


@pytest.mark.parametrize(
    ("text", "fonts"),
    [
        ("Latin", {"EvidenceSans"}),
        ("Cyrillic", {"EvidenceSans"}),
        ("Arabic", {"EvidenceSans", "DejaVuSans"}),
    ],
)
def test_a_pdf_carries_the_fonts_it_needs_as_truetype(text, fonts):
    with house_style():
        figure, axis = new_figure(4, 1)
        axis.set_axis_off()
        axis.text(0, 0.5, LABELS[text])
        file = io.BytesIO()
        figure.savefig(file, format="pdf")
    (page,) = PdfReader(file).pages
    found = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    assert {re.sub(r"^/\w{6}\+", "", font["/BaseFont"]) for font in found} == fonts
    assert {font["/DescendantFonts"][0].get_object()["/Subtype"] for font in found} == {
        "/CIDFontType2"
    }
    if text == "Cyrillic":
        assert LABELS[text] in page.extract_text()


def test_the_script_makes_the_fonts_that_are_there(module, tmp_path):
    module.main(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in FONTS.iterdir()}, "run `make fonts`"


def test_names_and_licence_are_as_the_licence_wants_them():
    assert "All Rights Reserved" in (FONTS / "LICENSE_DEJAVU").read_text("utf-8")
    for path in FONTS.glob("*.ttf"):
        names = TTFont(path)["name"]
        assert "Bitstream" in names.getDebugName(0)
        for number in (1, 3, 4, 6):
            assert not re.search("bitstream|vera|arev|bah", names.getDebugName(number), re.I)
