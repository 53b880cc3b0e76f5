"""Cut the fonts that figures are set in from the DejaVu fonts of matplotlib (`make fonts`).

Writing a PDF spends most of its time on the tables by which DejaVu joins Arabic letters and stacks
accents. Left out with the scripts that need them, a PDF takes less than half of it.
"""

import unicodedata
from pathlib import Path

import matplotlib
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

FROM = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
TO = Path(__file__).resolve().parents[1] / "src" / "evidence" / "figures" / "fonts"
# The licence lets nobody else call a changed font Bitstream, Vera or Arev.
FAMILY = "Evidence Sans"
FACES = {"Regular": "DejaVuSans", "Bold": "DejaVuSans-Bold", "Italic": "DejaVuSans-Oblique"}
LICENCE = "LICENSE_DEJAVU"
CHARACTERS = [
    range(0x0020, 0x0300),  # Latin, its extensions, phonetic letters
    range(0x0370, 0x0500),  # Greek, Cyrillic
    range(0x1E00, 0x1F00),  # Latin with more than one accent
    range(0x2000, 0x2400),  # punctuation, currencies, letter-like, arrows, mathematics
    range(0x25A0, 0x27C0),  # shapes, symbols, dingbats
    range(0x2B00, 0x2C00),  # more arrows and shapes
]
LEFT_OUT = ["GPOS", "GDEF", "MATH", "FFTM"]
NAMES = {"copyright": 0, "family": 1, "style": 2, "unique": 3, "full": 4, "version": 5, "file": 6}


def is_wanted(code: int) -> bool:
    """Whether a character is of these blocks, and stands alone.

    A mark that combines with the letter before needs the tables that are left out; the pair is set
    in the font of matplotlib, as is every character of other blocks.
    """
    alone = not unicodedata.category(chr(code)).startswith("M")
    return alone and any(code in block for block in CHARACTERS)


def cut(source: Path, style: str) -> TTFont:
    """A font with the `CHARACTERS` of another, their kerning and the ligatures of f."""
    font = TTFont(source, recalcTimestamp=False)
    options = Options(layout_features=["liga"], layout_scripts=["latn"], legacy_kern=True)
    options.drop_tables += LEFT_OUT
    options.glyph_names = options.notdef_outline = True
    options.name_IDs = list(NAMES.values())
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[code for code in font.getBestCmap() if is_wanted(code)])
    subsetter.subset(font)

    said = {
        "family": FAMILY,
        "style": style,
        "unique": f"{FAMILY} {style}, from {source.stem} of DejaVu",
        "full": f"{FAMILY} {style}",
        # Every letter in an SVG is named by this one, so the face used most goes without its style.
        "file": file_name(style).removesuffix("-Regular"),
    }
    for word, text in said.items():
        for record in font["name"].names:
            if record.nameID == NAMES[word]:
                record.string = text
    return font


def file_name(style: str) -> str:
    """The name of a font's file, without spaces as PostScript wants it."""
    return f"{FAMILY}-{style}".replace(" ", "")


def main(folder: Path = TO) -> None:
    """Write the fonts and their licence, the same bytes every time."""
    folder.mkdir(exist_ok=True)
    for style, source in FACES.items():
        font = cut(FROM / f"{source}.ttf", style)
        font.save(folder / f"{file_name(style)}.ttf")
    (folder / LICENCE).write_bytes((FROM / LICENCE).read_bytes())


if __name__ == "__main__":
    main()
