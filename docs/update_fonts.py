"""Subset the fonts of the figures from the DejaVu fonts of matplotlib (`make fonts`).

Most of the time of writing a PDF goes into the tables by which DejaVu joins Arabic letters and
stacks accents. Without them and the scripts that need them, a PDF takes less than half the time.
"""

import unicodedata
from pathlib import Path

import matplotlib
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

SOURCE = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
TARGET = Path(__file__).resolve().parents[1] / "src" / "evidence" / "figures" / "fonts"
# The licence forbids to call a changed font Bitstream, Vera or Arev.
FAMILY = "Evidence Sans"
FACES = {"Regular": "DejaVuSans", "Bold": "DejaVuSans-Bold", "Italic": "DejaVuSans-Oblique"}
LICENCE = "LICENSE_DEJAVU"
BLOCKS = [
    range(0x0020, 0x0180),  # Latin of European languages
    range(0x01CD, 0x01DD),  # Pinyin
    range(0x0218, 0x021C),  # Romanian
    range(0x0370, 0x03D0),  # Greek
    range(0x0400, 0x0460),  # Cyrillic
    range(0x2010, 0x2060),  # punctuation
    range(0x2070, 0x20C0),  # superscripts, subscripts, currencies
    range(0x2100, 0x2160),  # letter-like, fractions
    range(0x2190, 0x219A),  # arrows
    range(0x2200, 0x2270),  # mathematics
    range(0x25A0, 0x2600),  # shapes
    range(0x2713, 0x2719),  # ticks and crosses
]
"""What figures usually need; all else is set in matplotlib's own font, which looks the same. To write
EPS, matplotlib measures every letter of each font, for which it takes longer than for the rest."""
DROPPED_TABLES = ["GPOS", "GDEF", "MATH", "FFTM"]
NAME_IDS = {
    "copyright": 0, "family": 1, "style": 2, "unique": 3, "full": 4, "version": 5, "file": 6
}  # fmt: skip


def is_included(code: int) -> bool:
    """Return whether a character belongs to `BLOCKS` and stands alone.

    A mark that combines with the letter before it needs the dropped tables. Such pairs, and all
    characters of other blocks, are set in matplotlib's own font.
    """
    is_alone = not unicodedata.category(chr(code)).startswith("M")
    return is_alone and any(code in block for block in BLOCKS)


def subset_font(source: Path, style: str) -> TTFont:
    """Return a font reduced to `BLOCKS`, with its kerning and the ligatures of f."""
    font = TTFont(source, recalcTimestamp=False)
    options = Options(layout_features=["liga"], layout_scripts=["latn"], legacy_kern=True)
    options.drop_tables += DROPPED_TABLES
    options.glyph_names = options.notdef_outline = True
    options.name_IDs = list(NAME_IDS.values())
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[code for code in font.getBestCmap() if is_included(code)])
    subsetter.subset(font)

    names = {
        "family": FAMILY,
        "style": style,
        "unique": f"{FAMILY} {style}, from {source.stem} of DejaVu",
        "full": f"{FAMILY} {style}",
        # An SVG repeats this name with every letter, so the face used most goes without its style.
        "file": file_stem(style).removesuffix("-Regular"),
    }
    for word, text in names.items():
        for record in font["name"].names:
            if record.nameID == NAME_IDS[word]:
                record.string = text
    return font


def file_stem(style: str) -> str:
    """Return the name of a font's file, without spaces as PostScript requires."""
    return f"{FAMILY}-{style}".replace(" ", "")


def main(folder: Path = TARGET) -> None:
    """Write the fonts and their licence, the same bytes every time."""
    folder.mkdir(exist_ok=True)
    for style, source in FACES.items():
        font = subset_font(SOURCE / f"{source}.ttf", style)
        font.save(folder / f"{file_stem(style)}.ttf")
    (folder / LICENCE).write_bytes((SOURCE / LICENCE).read_bytes())


if __name__ == "__main__":
    main()
