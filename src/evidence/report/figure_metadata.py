"""The record of a figure inside its files: one XMP packet, in SVG, PDF, PNG and TIFF alike.

The packet holds Dublin Core for other programs and, packed into one word, the whole record for
`identify`. XMP is what programs most often keep when a picture is saved again in another format.
"""

import base64
import binascii
import io
import json
import re
import zlib
from dataclasses import asdict
from html import escape

from evidence.errors import EvidenceError
from evidence.report.figure_identity import FigureRecord

MARK = "evidence-record:"
_PACKED = re.compile(MARK.encode() + rb"([A-Za-z0-9+/=\s]+)")
_NAME = re.compile(r"(fig-[a-z0-9-]+)@([0-9a-f]{7})(?![0-9a-f])")
HEAD = 33
"""Bytes of a PNG before anything may be put into it: its signature and its size."""
MOST = 20_000_000
"""Bytes that a record may unpack to: far more than any has, and no danger to a machine."""


def pack(record: FigureRecord) -> str:
    """A record as one word: its JSON, deflated and in base64."""
    text = json.dumps(asdict(record), ensure_ascii=False)
    return MARK + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpack(content: bytes) -> dict | None:
    """The record that stands somewhere in this text, as `pack` wrote it; None if there is none.

    Raises
    ------
    EvidenceError
        It is there but damaged.
    """
    match = _PACKED.search(content)
    if match is None:
        return None
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(base64.b64decode(match[1]), MOST)
        return json.loads(text)
    except (binascii.Error, zlib.error, ValueError):
        raise EvidenceError("its record of the figure is damaged") from None


def rdf(record: FigureRecord) -> str:
    """The record as RDF: Dublin Core, rights, and the packed whole."""
    sources = "".join(f"<rdf:li>{escape(one['reference'])}</rdf:li>" for one in record.studies)
    licence = record.licence
    rights = " ".join(filter(None, licence.values()))
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:evidence="urn:evidence:">\n'
        '<rdf:Description rdf:about="">\n'
        f"<dc:identifier>{escape(record.name)}</dc:identifier>\n"
        f"<dc:title>{_alternative(record.title)}</dc:title>\n"
        f"<dc:description>{_alternative(record.caption)}</dc:description>\n"
        f"<dc:relation><rdf:Bag>{sources}</rdf:Bag></dc:relation>\n"
        f"<dc:rights>{_alternative(rights)}</dc:rights>\n"
        f"<xmpRights:WebStatement>{escape(licence['link'])}</xmpRights:WebStatement>\n"
        f"<evidence:alt>{escape(record.alt)}</evidence:alt>\n"
        f"<evidence:command>{escape(record.command)}</evidence:command>\n"
        f"<evidence:record>{pack(record)}</evidence:record>\n"
        "</rdf:Description>\n</rdf:RDF>"
    )


def _alternative(text: str) -> str:
    return f'<rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt>'


def packet(record: FigureRecord) -> bytes:
    """The RDF as an XMP packet."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n{rdf(record)}\n</x:xmpmeta>\n'
        '<?xpacket end="r"?>'
    ).encode()


def in_svg(content: bytes, record: FigureRecord) -> bytes:
    """An SVG that names itself: role, title, the reading as description, and the record."""
    head, body = content.decode().split("<svg ", 1)
    attributes, body = body.split(">", 1)
    title, description = f"{record.id}-title", f"{record.id}-desc"
    return (
        f'{head}<svg {attributes} role="img" lang="en" aria-labelledby="{title} {description}">\n'
        f' <title id="{title}">{escape(record.title)}</title>\n'
        f' <desc id="{description}">{escape(" ".join([record.alt, *record.reading]))}</desc>\n'
        f" <metadata>\n{rdf(record)}\n </metadata>{body}"
    ).encode()


def in_pdf(content: bytes, record: FigureRecord) -> bytes:
    """A PDF with title, subject and keywords in its information, the packet, and its language."""
    from pypdf import PdfWriter
    from pypdf.generic import NameObject, TextStringObject

    writer = PdfWriter(clone_from=io.BytesIO(content))
    writer.metadata = {
        "/Title": record.title,
        "/Subject": record.caption,
        "/Keywords": "; ".join([record.name, *(one["reference"] for one in record.studies)]),
    }
    writer.xmp_metadata = packet(record)
    writer.root_object["/Metadata"].get_object().update(
        {NameObject("/Type"): NameObject("/Metadata"), NameObject("/Subtype"): NameObject("/XML")}
    )
    writer.root_object[NameObject("/Lang")] = TextStringObject("en")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def in_png(content: bytes, record: FigureRecord) -> bytes:
    """The PNG with title, description and the packet as text, between its head and its picture."""
    from PIL.PngImagePlugin import PngInfo, putchunk

    texts, written = PngInfo(), io.BytesIO()
    texts.add_itxt("Title", record.title, lang="en")
    texts.add_itxt("Description", record.alt, lang="en")
    texts.add_itxt("XML:com.adobe.xmp", packet(record).decode())
    for kind, data, *_ in texts.chunks:
        putchunk(written, kind, data)
    return content[:HEAD] + written.getvalue() + content[HEAD:]


def as_tiff(png: bytes) -> bytes:
    """The same picture and packet as TIFF, for journals that ask for it."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        buffer = io.BytesIO()
        picture.convert("RGB").save(
            buffer,
            "TIFF",
            compression="tiff_lzw",
            dpi=(300, 300),
            # 270 is the description, 700 the XMP packet.
            tiffinfo={270: picture.text["Title"], 700: picture.info["xmp"]},
        )
    return buffer.getvalue()


def read_record(content: bytes) -> dict | str:
    """What a picture file says of itself: a record, or only the name that it prints.

    Raises
    ------
    EvidenceError
        No picture, or one without any sign of a figure of this kind.
    """
    if content.startswith(b"%PDF"):
        found, texts = _from_pdf(content)
    elif b"<svg" in content[:4000]:
        found, texts = unpack(content), content.decode(errors="replace")
    else:
        found, texts = _from_raster(content)
    names = dict.fromkeys(match[0] for match in _NAME.finditer(texts))
    if found is None and len(names) != 1:
        printed = f"prints several ids ({', '.join(names)}); ask for one of them" if names else (
            "carries no record of a figure; give the id printed at its lower right corner, "
            "such as fig-shares@1a2b3c4"
        )  # fmt: skip
        raise EvidenceError(printed)
    return found or next(iter(names))


def _from_pdf(content: bytes) -> tuple[dict | None, str]:
    """The record of a PDF, and its keywords with all text of its pages."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(content))
        stream = reader.root_object.get("/Metadata")
        found = unpack(stream.get_object().get_data()) if stream is not None else None
        keywords = (reader.metadata or {}).get("/Keywords", "")
        texts = [page.extract_text() for page in reader.pages] if found is None else []
    except PyPdfError as error:
        raise EvidenceError(f"is a PDF that cannot be read: {error}") from None
    return found, "\n".join([str(keywords), *texts])


def _from_raster(content: bytes) -> tuple[dict | None, str]:
    """The record of a PNG, TIFF, JPEG or WebP, and all its other texts."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            said = {**picture.info, **getattr(picture, "text", {})}
    except UnidentifiedImageError:
        raise EvidenceError("is no picture in SVG, PDF, PNG, TIFF or JPEG") from None
    except OSError as error:
        raise EvidenceError(f"is a picture that cannot be read: {error}") from None
    texts = [one if isinstance(one, bytes) else str(one).encode() for one in said.values()]
    return unpack(b"\n".join(texts)), b"\n".join(texts).decode(errors="replace")
