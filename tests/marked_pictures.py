"""Pictures whose files say by themselves what made them: as generators write them, as cameras do, and as attackers might."""

from __future__ import annotations

import struct
import zlib

from PIL import ExifTags, Image

from tests.bad_files import encode, png_chunk, quarters

SETTINGS = (
    "portrait of a woman, 85mm\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 965400086, Size: 512x512, Model: sd_xl_base_1.0, Version: v1.6.0"
)
GRAPH = '{"3": {"inputs": {"seed": 5, "steps": 20}, "class_type": "KSampler"}, "9": {"inputs": {}, "class_type": "SaveImage"}}'
WORKFLOW = (
    '{"last_node_id": 9, "last_link_id": 9, "nodes": [{"id": 3, "type": "KSampler"}], "links": [], "version": 0.4}'
)
JOB = "a face in the rain --ar 2:3 --v 6.1 Job ID: 8f14e45f-ceea-467f-a8c5-1b2c3d4e5f60"
IPTC_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SIGNATURE = "Signature: " + "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ" * 3 + "q8=="
ARTIST = "5a7d8f0e-1c2b-4d3e-9f8a-7b6c5d4e3f2a"


def picture() -> Image.Image:
    return quarters()


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg(*segments: bytes) -> bytes:
    """A JPEG with these segments before its own."""
    whole = encode(picture(), "JPEG", quality=90)
    return whole[:2] + b"".join(segments) + whole[2:]


def png(*chunks: bytes, last: bool = False) -> bytes:
    """A PNG with these chunks, behind the header or behind the pixels."""
    whole = encode(picture(), "PNG")
    at = len(whole) - 12 if last else 33
    return whole[:at] + b"".join(chunks) + whole[at:]


def text(keyword: str, words: str | bytes, kind: bytes = b"tEXt") -> bytes:
    """A chunk of text; iTXt is packed where its words come as bytes."""
    raw = words if isinstance(words, bytes) else words.encode()
    if kind == b"tEXt":
        body = raw
    elif kind == b"zTXt":
        body = b"\0" + zlib.compress(raw)
    else:
        packed = isinstance(words, bytes)
        body = bytes((packed, 0)) + b"en\0\0" + (zlib.compress(raw) if packed else raw)
    return png_chunk(kind, keyword.encode("latin-1") + b"\0" + body)


def exif(*, order: str = "<", comment: bytes = b"", lens: str = "", **texts: str) -> bytes:
    """An EXIF block, without its name, of texts by the names of their tags."""
    block = Image.Exif()
    block.endian = order
    for name, words in texts.items():
        block[ExifTags.Base[name]] = words
    settings = block.get_ifd(ExifTags.IFD.Exif)
    if comment:
        settings[ExifTags.Base.UserComment] = comment
    if lens:
        settings[ExifTags.Base.LensModel] = lens
    return block.tobytes().removeprefix(b"Exif\0\0")


def wide(words: str, encoding: str = "utf-16-be") -> bytes:
    """A UserComment of EXIF's."""
    return b"UNICODE\0" + words.encode(encoding)


def app1(block: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + block)


def xmp(inner: str = "", attributes: str = "") -> bytes:
    """An XMP packet of one description."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" '
        f'{attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def source_type(kind: str) -> str:
    return f'Iptc4xmpExt:DigitalSourceType="{IPTC_TYPE}{kind}"'


def xmp_segment(packet: bytes) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def iptc_segment(*datasets: tuple[int, str]) -> bytes:
    iim = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(raw := words.encode())) + raw for number, words in datasets
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iim)) + iim + b"\0" * (len(iim) & 1)
    other = b"8BIM\x03\xed\x03odd" + struct.pack(">I", 3) + b"abc\0"
    return segment(0xED, b"Photoshop 3.0\0" + other + resource)


def manifest(*actions: tuple[str, str], agent: str = "", more: bytes = b"", of_others: bytes = b"") -> bytes:
    """What a manifest store looks like to one who does not check it: (action, digital source type) in CBOR."""

    def cbor(words: str) -> bytes:
        raw = words.encode()
        return (bytes((0x60 + len(raw),)) if len(raw) < 24 else bytes((0x78, len(raw)))) + raw

    listed = b"".join(
        b"\xa3" + cbor("action") + cbor(name) + cbor("softwareAgent") + cbor(agent) + cbor("digitalSourceType")
        + cbor(IPTC_TYPE + kind) + cbor("reason")
        for name, kind in actions
    )  # fmt: skip
    body = b"jumdc2pa" + of_others + b"....jumdc2ma\0\x11urn:c2pa:1\0....jumdcborc2pa.actions.v2\0" + listed + more
    return struct.pack(">I", len(body) + 8) + b"jumb" + body


def app11(store: bytes) -> bytes:
    """A manifest store in as many segments as it needs (ISO 19566-5, D.2)."""
    head, step = store[:8], 60_000
    parts = [store[at : at + step] for at in range(0, len(store), step)]
    return b"".join(
        segment(0xEB, b"JP\0\1" + struct.pack(">I", number) + (part if number == 1 else head + part))
        for number, part in enumerate(parts, start=1)
    )


def gif(comment: bytes) -> bytes:
    return encode(picture(), "GIF", comment=comment)


def tiff(**texts: str) -> bytes:
    return encode(picture(), "TIFF", tiffinfo={ExifTags.Base[name].value: words for name, words in texts.items()})
