"""The record of a figure inside its files: written by matplotlib and Pillow, read by `identify`.

SVG, PDF and PNG carry title, description, licence and command in the fields that other programs
show, and the whole record as packed JSON in their keywords; TIFF carries it as image description,
and EPS in comments.
"""

import base64
import binascii
import json
import logging
import re
import zlib
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

from evidence.errors import EvidenceError
from evidence.files import XML_MISTAKES, read_bytes
from evidence.report.figure_identity import FigureRecord

KEYWORDS = "Keywords"
TIFF_DOCUMENT_NAME, TIFF_IMAGE_DESCRIPTION = 269, 270
EPS_RECORD, EPS_LINE = b"%EvidenceRecord: ", 200
"""Begins a comment with a part of the record; a line of EPS has at most 255 characters."""
_NAME = re.compile(r"fig-[a-z0-9-]+@[0-9a-f]{7}")
_ADDRESS = re.compile(r"[^:\s]+:[0-9]{1,9}")
MAX_RECORD_BYTES = 20_000_000
"""Larger than any record; protects against files that unpack without end."""
_SVG_KEYWORDS = (
    ".//{http://purl.org/dc/elements/1.1/}subject//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
)


def file_metadata(record: FigureRecord, file_format: str) -> dict[str, str | None]:
    """Return the metadata of a figure file under the names of its format.

    Fields that matplotlib fills with the date or its own version are None: it leaves them out.
    """
    licence = " ".join(filter(None, record.licence.values()))
    shared: dict[str, str | None] = {"Title": record.title, KEYWORDS: pack_record(record)}
    if file_format == "pdf":
        subject = " ".join(filter(None, (record.alt, f"{record.name}.", licence)))
        unused = dict.fromkeys(("CreationDate", "ModDate", "Producer"))
        return shared | unused | {"Subject": subject, "Creator": record.command}
    shared |= {"Description": record.alt, "Identifier": record.name, "Source": record.command}
    if file_format == "png":
        return shared | {"Copyright": licence}
    unused = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    return shared | unused | {"Rights": licence or None, "Language": "en"}


def pack_record(record: FigureRecord) -> str:
    """Return the record as JSON, deflated and in base64: a fifth of its size."""
    text = json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpack_record(text: str) -> dict | None:
    """Return the record that `pack_record` packed, or None if the text is anything else.

    The file may come from anywhere, so that the types of all fields are checked.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        raw = zlib.decompressobj().decompress(base64.b64decode(text), MAX_RECORD_BYTES)
        record = TypeAdapter(FigureRecord).validate_json(raw, strict=True)
    except (binascii.Error, zlib.error, ValueError, ValidationError):
        return None
    is_record = (
        _NAME.fullmatch(record.name)
        and all(map(_ADDRESS.fullmatch, record.rows))
        and all(
            source.keys() == {"key", "reference", "link"}
            for source in (*record.studies, *record.sources)
        )
    )
    return asdict(record) if is_record else None


def label_eps(eps: bytes, record: FigureRecord) -> bytes:
    """Return an EPS with its title and record in comments, without the date of today."""
    head, body = eps.split(b"%%EndComments\n", 1)
    lines = [
        line
        for line in head.splitlines()
        if not line.startswith((b"%%Title", b"%%Creator", b"%%CreationDate"))
    ]
    lines.append(b"%%Title: " + record.name.encode())
    packed = pack_record(record).encode()
    parts = [packed[start : start + EPS_LINE] for start in range(0, len(packed), EPS_LINE)]
    comments = [b"%%EndComments", *(EPS_RECORD + part for part in parts)]
    return b"\n".join([*lines, *comments, body])


def read_metadata(path: Path) -> tuple[dict | None, str]:
    """Return the record in a figure file, or None, and the text printed on its pages.

    Text can only be read from a PDF; for other formats it is empty. Raise `EvidenceError` if the
    file is not an SVG, PDF, PNG, EPS or TIFF, or it cannot be read.
    """
    from PIL import Image, UnidentifiedImageError
    from pypdf import PdfReader

    # It reports what is wrong with a file before we do.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    unreadable = EvidenceError(f"{path} is not a readable SVG, PDF, PNG, EPS or TIFF file.")
    try:
        content = read_bytes(path)
        if content.startswith(b"%!PS"):
            parts = re.findall(rb"^%s(\S+)$" % EPS_RECORD, content, re.MULTILINE)
            return unpack_record(b"".join(parts).decode("latin-1")), ""
        return unpack_record(ElementTree.parse(path).findtext(_SVG_KEYWORDS) or ""), ""
    except XML_MISTAKES:
        pass
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}.") from None
    # Pillow and pypdf fail in many ways at files that are damaged, or made to do harm.
    try:
        with Image.open(path) as image:
            packed = image.info.get(KEYWORDS) or image.getexif().get(TIFF_IMAGE_DESCRIPTION)
        return unpack_record(str(packed or "")), ""
    except UnidentifiedImageError:
        pass
    except Exception:
        raise unreadable from None
    try:
        reader = PdfReader(path)
        record = unpack_record((reader.metadata and reader.metadata.keywords) or "")
        return record, "" if record else "\n".join(page.extract_text() for page in reader.pages)
    except Exception:
        raise unreadable from None
