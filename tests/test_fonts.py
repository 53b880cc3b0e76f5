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
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font, LoadFlags
from pypdf import PdfReader

from evidence.analysis.results import select_results
from evidence.figures import style
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.figures.style import FONTS, RC, house_style, new_figure, use_fonts_for
from evidence.report import figure_files
from evidence.report.figure_files import render_figure
from evidence.report.figure_identity import figure_record
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
    words = [*PAIRS, "Müller", "Dvořák", "≥", "½", "●", "Исследование"]
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
        draw_label(text, **style).savefig(file, format="rgba", dpi=200)
    return np.frombuffer(file.getvalue(), np.uint8)


@pytest.mark.parametrize("style", [{}, {"weight": "bold"}], ids=["regular", "bold"])
@pytest.mark.parametrize("script", LABELS)
def test_a_label_looks_as_in_dejavu(script, style):
    picture = pixels(RC["font.family"], LABELS[script], style)
    assert picture.min() == 0x1A
    assert np.array_equal(picture, pixels("DejaVu Sans", LABELS[script], style))


@pytest.mark.parametrize(
    ("script", "fonts"),
    [("Latin", {"DejaVuSans"}), ("Cyrillic", {"EvidenceSans"}), ("Arabic", {"DejaVuSans"})],
)
def test_a_pdf_has_one_font_as_truetype(script, fonts):
    """Two would stand in the order of their folders, which differ between installations."""
    file = io.BytesIO()
    with house_style():
        figure = draw_label(LABELS[script])
        use_fonts_for(figure)
        figure.savefig(file, format="pdf")
    (page,) = PdfReader(file).pages
    embedded = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    assert {re.sub(r"^/\w{6}\+", "", font["/BaseFont"]) for font in embedded} == fonts
    descendants = [font["/DescendantFonts"][0].get_object() for font in embedded]
    assert {font["/Subtype"] for font in descendants} == {"/CIDFontType2"}
    if script == "Cyrillic":
        assert LABELS[script] in page.extract_text()


@pytest.fixture
def other_font(tmp_path):
    """A font with a single character, which no font of the package has."""
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "king"])
    builder.setupCharacterMap({ord("王"): "king"})
    pen = TTGlyphPen(None)
    for point in ((0, 0), (0, 700), (900, 700)):
        (pen.lineTo if point != (0, 0) else pen.moveTo)(point)
    pen.closePath()
    builder.setupGlyf(dict.fromkeys([".notdef", "king"], pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", "king"], (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable(
        {"familyName": "Only Kings", "styleName": "Regular", "psName": "OnlyKings"}
    )
    builder.setupOS2()
    builder.setupPost()
    path = tmp_path / "OnlyKings-Regular.ttf"
    builder.save(path)
    return path


@pytest.fixture
def install(monkeypatch):
    """Make some font files the only ones that the system has."""

    def install(*paths):
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: list(map(str, paths)))
        style._other_fonts.cache_clear()

    yield install
    style._other_fonts.cache_clear()


def test_a_character_that_the_fonts_lack_is_drawn_with_an_installed_font(other_font, install):
    install(other_font)
    file = io.BytesIO()
    with house_style():
        figure = draw_label("王 2010")
        assert use_fonts_for(figure) == ""
        figure.savefig(file, format="pdf")
    (page,) = PdfReader(file).pages
    fonts = [font.get_object()["/BaseFont"] for font in page["/Resources"]["/Font"].values()]
    assert any("OnlyKings" in name for name in fonts)


def test_a_character_that_no_font_has_is_said_once(project, install, caplog):
    install()
    figure_files._warn_of_missing_font.cache_clear()
    project.replace("data/designs.csv", "Baker", "王 김")
    dataset = project.dataset()
    layout = lay_out_arm_comparison(dataset, select_results(dataset), outcome="risen")
    for _ in range(2):
        render_figure(layout, figure_record(layout, dataset), ["svg"])
    assert [record.getMessage() for record in caplog.records] == [
        "No installed font has 王 (U+738B), 김 (U+AE40). Figures show boxes instead. Install a font "
        "that has these characters, such as Noto Sans CJK, and run: evidence report --force"
    ]


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
