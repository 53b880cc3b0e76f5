"""The package's own fonts: they set text like DejaVu, which serves all characters they lack."""

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
from tests.conftest import ROOT

DEJAVU = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
FACES = {"Regular": "DejaVuSans", "Bold": "DejaVuSans-Bold", "Italic": "DejaVuSans-Oblique"}
# Letters that are kerned or joined.
PAIRS = ["".join(pair) for pair in product("AVTWYLPFRacefijlorstuvwxyz.,-", repeat=2)]
LABELS = {
    "Latin": "Nguyễn Müller, affinity of AV ≥ 0.5 μg × ½ ●◐▲✖○",
    "Cyrillic": "Исследование",
    "Arabic": "دراسة 12 سريرية",
    "Hebrew": "a מחקר b",
    "Armenian": "Հայերեն",
    "combining marks": "q\u0303 of x\u0301",
}


def font_file(face):
    return FONTS / f"EvidenceSans-{face}.ttf"


def widths(path, words):
    font = FT2Font(path)
    font.set_size(9, 72)
    sizes = []
    for word in words:
        font.set_text(word, flags=LoadFlags.NO_HINTING)
        sizes.append(font.get_width_height())
    return sizes


@pytest.mark.parametrize("face", FACES)
def test_words_are_as_wide_and_high_as_in_dejavu(face):
    words = PAIRS + LABELS["Latin"].split() + LABELS["Cyrillic"].split()
    assert widths(font_file(face), words) == widths(DEJAVU / f"{FACES[face]}.ttf", words)


@pytest.mark.parametrize("face", FACES)
def test_no_character_needs_a_table_that_was_left_out(face):
    font = TTFont(font_file(face))
    assert not {"GPOS", "GDEF"} & set(font.keys())
    kinds = {unicodedata.bidirectional(chr(code)) for code in font.getBestCmap()}
    assert not kinds & {"NSM", "AL"}


def draw_label(text, **style):
    figure, axes = new_figure(4, 1)
    axes.set_axis_off()
    axes.text(0, 0.5, text, **style)
    return figure


def pixels(family, text, style):
    with house_style(), matplotlib.rc_context({"font.family": family}):
        file = io.BytesIO()
        draw_label(text, **style).savefig(file, format="rgba", dpi=100)
    return np.frombuffer(file.getvalue(), np.uint8)


@pytest.mark.parametrize("style", [{}, {"weight": "bold"}], ids=["regular", "bold"])
@pytest.mark.parametrize("script", LABELS)
def test_a_label_looks_as_in_dejavu(script, style):
    picture = pixels(RC["font.family"], LABELS[script], style)
    assert picture.min() == 0x1A
    assert np.array_equal(picture, pixels("DejaVu Sans", LABELS[script], style))


@pytest.mark.parametrize(
    ("script", "fonts"),
    [("Cyrillic", {"EvidenceSans"}), ("Arabic", {"EvidenceSans", "DejaVuSans"})],
)
def test_a_pdf_has_the_fonts_that_it_needs_as_truetype(script, fonts):
    file = io.BytesIO()
    with house_style():
        draw_label(LABELS[script]).savefig(file, format="pdf")
    (page,) = PdfReader(file).pages
    embedded = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    assert {re.sub(r"^/\w{6}\+", "", font["/BaseFont"]) for font in embedded} == fonts
    descendants = [font["/DescendantFonts"][0].get_object() for font in embedded]
    assert {font["/Subtype"] for font in descendants} == {"/CIDFontType2"}
    if script == "Cyrillic":
        assert LABELS[script] in page.extract_text()


def test_the_script_makes_the_committed_fonts(tmp_path):
    spec = util.spec_from_file_location("update_fonts", ROOT / "docs" / "update_fonts.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in FONTS.iterdir()}, "run `make fonts`"


def test_names_and_licence_are_what_the_licence_asks_for():
    assert "All Rights Reserved" in (FONTS / "LICENSE_DEJAVU").read_text("utf-8")
    for path in FONTS.glob("*.ttf"):
        names = TTFont(path)["name"]
        assert "Bitstream" in names.getDebugName(0)
        for number in (1, 3, 4, 6):
            assert not re.search("bitstream|vera|arev|bah", names.getDebugName(number), re.I)
