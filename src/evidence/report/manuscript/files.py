"""An exhibit as the bytes of a file, and as a file with what it needs beside it."""

import shutil
from pathlib import Path

from evidence.errors import EvidenceError
from evidence.report.manuscript.exhibit import Exhibit
from evidence.report.manuscript.latex import fragment
from evidence.report.manuscript.web import page
from evidence.report.manuscript.word import document

FORMS = {
    "docx": document,
    "latex": lambda exhibit: fragment(exhibit).encode(),
    "html": lambda exhibit: page(exhibit).encode(),
}


def write_exhibit(exhibit: Exhibit, form: str, out: Path) -> list[Path]:
    """The file `out`, and for a figure in LaTeX its PDF beside it.

    Raises
    ------
    EvidenceError
        A file cannot be written, or a file of the reports is missing.
    """
    content, written = FORMS[form](exhibit), [out]
    try:
        out.write_bytes(content)
        if form == "latex" and not exhibit.is_table:
            picture = exhibit.shown.file("pdf")
            written.append(out.with_name(picture.name))
            if not (written[-1].exists() and written[-1].samefile(picture)):
                shutil.copyfile(picture, written[-1])
    except OSError as error:
        raise EvidenceError(
            f"--out {out}: {error.filename} cannot be written: {error.strerror}; "
            "name a file in a folder that exists"
        ) from None
    return written
