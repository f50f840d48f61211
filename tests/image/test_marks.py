"""Where a file says itself that it was made by AI: found as generators write it, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import features
from tests.bad_files import encode
from tests.marked_pictures import (
    ARTIST,
    GRAPH,
    JOB,
    SETTINGS,
    SIGNATURE,
    WORKFLOW,
    app1,
    app11,
    exif,
    gif,
    iptc_segment,
    jpeg,
    manifest,
    picture,
    png,
    source_type,
    text,
    tiff,
    wide,
    xmp,
    xmp_segment,
)

from unmask.image.read import read_image

MADE = "trainedAlgorithmicMedia"
EDITED = "compositeWithTrainedAlgorithmicMedia"
MARKED = {
    "A1111, PNG": (png(text("parameters", SETTINGS)), "made", "Stable Diffusion", "PNG text 'parameters'"),
    "A1111, PNG behind the pixels": (
        png(text("parameters", SETTINGS), last=True), "made", "Stable Diffusion", "PNG text 'parameters'",
    ),
    "A1111, international text": (
        png(text("parameters", SETTINGS, b"iTXt")), "made", "Stable Diffusion", "PNG text 'parameters'",
    ),
    "A1111, packed text": (png(text("parameters", SETTINGS, b"zTXt")), "made", "Stable Diffusion", "PNG text 'parameters'"),
    "A1111, packed international text": (
        png(text("parameters", SETTINGS.encode(), b"iTXt")), "made", "Stable Diffusion", "PNG text 'parameters'",
    ),
    "A1111, JPEG": (jpeg(app1(exif(comment=wide(SETTINGS)))), "made", "Stable Diffusion", "EXIF UserComment"),
    "A1111, JPEG, the other byte order": (
        jpeg(app1(exif(comment=wide(SETTINGS, "utf-16-le"), order=">"))), "made", "Stable Diffusion", "EXIF UserComment",
    ),
    "A1111, JPEG, a long prompt in Chinese": (
        jpeg(app1(exif(comment=wide("一个女人站在雨中，" * 120 + SETTINGS)))), "made", "Stable Diffusion", "EXIF UserComment",
    ),
    "A1111, JPEG, a byte order mark": (
        jpeg(app1(exif(comment=wide("一" * 999 + SETTINGS, "utf-16")))), "made", "Stable Diffusion", "EXIF UserComment",
    ),
    "A1111, WebP": (
        encode(picture(), "WEBP", exif=exif(comment=wide(SETTINGS))), "made", "Stable Diffusion", "EXIF UserComment",
    ),
    "A1111, GIF": (gif(SETTINGS.encode()), "made", "Stable Diffusion", "GIF comment"),
    "A1111, JPEG comment": (
        jpeg(b"\xff\xfe" + (len(SETTINGS) + 2).to_bytes(2, "big") + SETTINGS.encode()),
        "made", "Stable Diffusion", "JPEG comment",
    ),
    "A1111, EXIF of a PNG": (
        encode(picture(), "PNG", exif=exif(ImageDescription=SETTINGS)), "made", "Stable Diffusion", "EXIF ImageDescription",
    ),
    "A1111, TIFF": (tiff(ImageDescription=SETTINGS), "made", "Stable Diffusion", "EXIF ImageDescription"),
    "ComfyUI, prompt": (png(text("prompt", GRAPH)), "made", "ComfyUI", "PNG text 'prompt'"),
    "ComfyUI, workflow": (png(text("workflow", WORKFLOW)), "made", "ComfyUI", "PNG text 'workflow'"),
    "ComfyUI, WebP": (
        encode(picture(), "WEBP", exif=exif(Make=f"workflow:{WORKFLOW}", Model=f"prompt:{GRAPH}")),
        "made", "ComfyUI", "EXIF Make",
    ),
    "InvokeAI": (png(text("invokeai_metadata", "{}")), "made", "InvokeAI", "PNG text 'invokeai_metadata'"),
    "InvokeAI of 2022": (png(text("sd-metadata", "{}")), "made", "InvokeAI", "PNG text 'sd-metadata'"),
    "InvokeAI, its first": (
        png(text("Dream", '"a cat" -s 50 -S 1234 -W 512 -H 512 -C 7.5 -A k_lms')), "made", "InvokeAI", "PNG text 'Dream'",
    ),
    "SwarmUI": (
        png(text("parameters", '{"sui_image_params": {"prompt": "x"}}')), "made", "SwarmUI", "PNG text 'parameters'",
    ),
    "Fooocus": (png(text("fooocus_scheme", "a1111")), "made", "Fooocus", "PNG text 'fooocus_scheme'"),
    "NovelAI": (png(text("Software", "NovelAI")), "made", "NovelAI", "PNG text 'Software'"),
    "NovelAI, title": (png(text("Title", "NovelAI generated image")), "made", "NovelAI", "PNG text 'Title'"),
    "NovelAI, WebP": (
        encode(picture(), "WEBP", exif=exif(comment=wide(r'{"Comment": "{\"seed\": 1}", "Software": "NovelAI"}'))),
        "made", "NovelAI", "EXIF UserComment",
    ),
    "settings as JSON": (
        jpeg(app1(exif(comment=b'ASCII\0\0\0{"prompt": "x", "seed": 1, "steps": 4, "sampler": "k"}'))),
        "made", "Stable Diffusion", "EXIF UserComment",
    ),
    "Midjourney, PNG": (png(text("Description", JOB)), "made", "Midjourney", "PNG text 'Description'"),
    "Midjourney, IPTC": (jpeg(iptc_segment((120, JOB))), "made", "Midjourney", "IPTC Caption"),
    "Midjourney, byline": (jpeg(iptc_segment((80, "Midjourney"))), "made", "Midjourney", "IPTC Byline"),
    "FLUX": (
        jpeg(app1(exif(Software="AI generated;txt2img;flux", Model="flux-dev"))), "made", "FLUX", "EXIF Software",
    ),
    "FLUX, its maker": (jpeg(app1(exif(Make="Black Forest Labs"))), "made", "FLUX", "EXIF Make"),
    "DALL·E": (jpeg(app1(exif(Software="OpenAI DALL-E 3"))), "made", "DALL·E", "EXIF Software"),
    "Imagen": (jpeg(app1(exif(Software="Google Imagen 3"))), "made", "Google AI", "EXIF Software"),
    "AI and no name": (jpeg(app1(exif(Software="AI-generated"))), "made", None, "EXIF Software"),
    "Grok": (jpeg(app1(exif(ImageDescription=SIGNATURE, Artist=ARTIST))), "made", "Grok", "EXIF ImageDescription"),
    "Google's credit in XMP": (
        jpeg(xmp_segment(xmp("<photoshop:Credit>Made with Google AI</photoshop:Credit>"))), "made", "Google AI", "XMP Credit",
    ),
    "Google's credit in IPTC": (jpeg(iptc_segment((110, "Edited with Google AI"))), "edited", "Google AI", "IPTC Credit"),
    "Firefly": (
        jpeg(xmp_segment(xmp(attributes='xmp:CreatorTool="Adobe Firefly"'))), "made", "Adobe Firefly", "XMP CreatorTool",
    ),
    "IPTC, JPEG": (jpeg(xmp_segment(xmp(attributes=source_type(MADE)))), "made", None, "XMP DigitalSourceType"),
    "IPTC, JPEG, edited": (jpeg(xmp_segment(xmp(attributes=source_type(EDITED)))), "edited", None, "XMP DigitalSourceType"),
    "IPTC, a composite": (
        jpeg(xmp_segment(xmp(attributes=source_type("compositeSynthetic")))), "edited", None, "XMP DigitalSourceType",
    ),
    "IPTC, computed": (
        jpeg(xmp_segment(xmp(attributes=source_type("algorithmicMedia")))), "computed", None, "XMP DigitalSourceType",
    ),
    "IPTC, an element": (
        jpeg(xmp_segment(xmp(f"<Iptc4xmpExt:DigitalSourceType>{MADE}</Iptc4xmpExt:DigitalSourceType>"))),
        "made", None, "XMP DigitalSourceType",
    ),
    "IPTC, a resource": (
        jpeg(xmp_segment(xmp(f'<Iptc4xmpExt:DigitalSourceType rdf:resource="http://x/{MADE}"/>'))),
        "made", None, "XMP DigitalSourceType",
    ),
    "IPTC, a short name": (
        jpeg(xmp_segment(xmp(attributes=f'Iptc4xmpExt:DigitalSourceType="digsrctype:{MADE}"'))),
        "made", None, "XMP DigitalSourceType",
    ),
    "IPTC, an address that ends in a slash": (
        jpeg(xmp_segment(xmp(attributes=source_type(f"{MADE}/")))), "made", None, "XMP DigitalSourceType",
    ),
    "IPTC, UTF-16": (
        jpeg(xmp_segment(xmp(attributes=source_type(MADE)).decode().encode("utf-16"))), "made", None, "XMP DigitalSourceType",
    ),
    "IPTC, PNG": (
        png(text("XML:com.adobe.xmp", xmp(attributes=source_type(MADE)).decode(), b"iTXt")),
        "made", None, "XMP DigitalSourceType",
    ),
    "IPTC, ImageMagick's PNG": (
        png(text("Raw profile type xmp", f"\nxmp\n9\n{xmp(attributes=source_type(MADE)).hex()}", b"zTXt")),
        "made", None, "XMP DigitalSourceType",
    ),
    "IPTC, WebP": (encode(picture(), "WEBP", xmp=xmp(attributes=source_type(MADE))), "made", None, "XMP DigitalSourceType"),
    "IPTC, TIFF": (
        encode(picture(), "TIFF", tiffinfo={700: xmp(attributes=source_type(MADE))}), "made", None, "XMP DigitalSourceType",
    ),
    "AI system": (
        jpeg(xmp_segment(xmp("<Iptc4xmpExt:AISystemUsed>ChatGPT</Iptc4xmpExt:AISystemUsed>"))),
        "made", "OpenAI", "XMP AISystemUsed",
    ),
    "China's label": (
        jpeg(xmp_segment(xmp('<TC260:AIGC>{"Label":"1","ContentProducer":"x"}</TC260:AIGC>'))), "made", None, "XMP AIGC",
    ),
    "China's label, JSON on several lines": (
        jpeg(app1(exif(comment=b'ASCII\0\0\0{\n  "AIGC": {\n    "Label": "1"\n  }\n}'))), "made", None, "EXIF UserComment",
    ),
    "Midjourney, XMP": (
        jpeg(xmp_segment(xmp(f"<dc:description><rdf:Alt><rdf:li>{JOB}</rdf:li></rdf:Alt></dc:description>"))),
        "made", "Midjourney", "XMP description",
    ),
    "Midjourney, one of two authors": (
        jpeg(xmp_segment(xmp("<dc:creator><rdf:Seq><rdf:li>Jo</rdf:li><rdf:li>Midjourney</rdf:li></rdf:Seq></dc:creator>"))),
        "made", "Midjourney", "XMP creator",
    ),
    "Midjourney, XMP in two languages": (
        jpeg(xmp_segment(xmp(
            f"<dc:description><rdf:Alt><rdf:li>{JOB}</rdf:li><rdf:li>ein Gesicht</rdf:li></rdf:Alt></dc:description>"
        ))),
        "made", "Midjourney", "XMP description",
    ),
    "C2PA, JPEG": (
        jpeg(app11(manifest(("c2pa.created", MADE), agent="GPT-4o"))), "made", "OpenAI", "Content Credentials",
    ),
    "C2PA, in two segments": (
        jpeg(app11(manifest(("c2pa.created", MADE), more=bytes(70_000)))), "made", None, "Content Credentials",
    ),
    "C2PA, an edit": (
        jpeg(app11(manifest(("c2pa.edited", MADE), agent="Adobe Firefly"))), "edited", "Adobe Firefly", "Content Credentials",
    ),
    "C2PA, a composite": (
        jpeg(app11(manifest(("c2pa.created", "compositeSynthetic")))), "edited", None, "Content Credentials",
    ),
    "C2PA, a part of it": (
        jpeg(app11(manifest(more=b"componentOf", of_others=manifest(("c2pa.created", MADE))))),
        "edited", None, "Content Credentials",
    ),
    "C2PA, its parent": (
        jpeg(app11(manifest(more=b"parentOf", of_others=manifest(("c2pa.created", MADE))))),
        "made", None, "Content Credentials",
    ),
    "C2PA, WebP": (
        (lambda webp, box: webp[:4] + (len(webp) + len(box) - 8).to_bytes(4, "little") + webp[8:] + box)(
            encode(picture(), "WEBP"),
            b"C2PA" + len(store := manifest(("c2pa.created", EDITED))).to_bytes(4, "little") + store + b"\0" * (len(store) & 1),
        ),
        "edited", None, "Content Credentials",
    ),
}  # fmt: skip
whole, packet = gif(b""), xmp(attributes=source_type(MADE))
MARKED["IPTC, GIF"] = (
    whole[:-1] + b"\x21\xff\x0bXMP DataXMP" + packet + b"\1" + bytes(range(255, -1, -1)) + b"\0;",
    "made", None, "XMP DigitalSourceType",
)  # fmt: skip
if features.check("avif"):
    MARKED["IPTC, AVIF"] = (
        encode(picture(), "AVIF", xmp=xmp(attributes=source_type(MADE))), "made", None, "XMP DigitalSourceType",
    )  # fmt: skip
    MARKED["A1111, AVIF"] = (
        encode(picture(), "AVIF", exif=exif(comment=wide(SETTINGS))), "made", "Stable Diffusion", "EXIF UserComment",
    )  # fmt: skip


@pytest.mark.parametrize(("data", "says", "generator", "where"), MARKED.values(), ids=MARKED.keys())
def test_a_mark_of_a_generator_is_found(data: bytes, says: str, generator: str | None, where: str) -> None:
    image = read_image(data)
    mark = image.facts.marks[0]
    assert (mark.says, mark.generator, mark.where) == (says, generator, where)
    assert mark.words
    assert {other.says for other in image.facts.marks} == {says}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_mark_changes_no_pixel(kind: str) -> None:
    marked = jpeg(app1(exif(comment=wide(SETTINGS)))) if kind == "JPEG" else png(text("parameters", SETTINGS))
    plain = jpeg() if kind == "JPEG" else png()
    np.testing.assert_array_equal(read_image(marked).pixels, read_image(plain).pixels)


def test_a_mark_shows_the_words_that_tell_and_not_the_prompt_before_them() -> None:
    mark = read_image(png(text("parameters", SETTINGS))).facts.marks[0]
    assert mark.words.startswith("Steps: 20, Sampler: Euler a")


def test_a_generator_is_no_camera() -> None:
    comfy = encode(picture(), "WEBP", exif=exif(Make=f"workflow:{WORKFLOW}", Model=f"prompt:{GRAPH}"))
    flux = jpeg(app1(exif(Make="Black Forest Labs", Model="flux-dev")))
    assert [read_image(data).facts.camera for data in (comfy, flux)] == [None, None]


def test_several_marks_are_each_told_once() -> None:
    data = jpeg(
        app1(exif(Software="Midjourney", ImageDescription=JOB)),
        xmp_segment(xmp(attributes=source_type(MADE))),
        xmp_segment(xmp(attributes=source_type(MADE))),
    )
    wheres = [mark.where for mark in read_image(data).facts.marks]
    assert wheres == ["EXIF ImageDescription", "EXIF Software", "XMP DigitalSourceType"]


def test_a_lens_is_told() -> None:
    data = jpeg(app1(exif(Make="Canon", Model="Canon EOS R5", lens="RF24-70mm F2.8 L IS USM")))
    assert (read_image(data).facts.camera, read_image(data).facts.lens) == ("Canon EOS R5", "RF24-70mm F2.8 L IS USM")


def test_a_mark_in_a_heic_is_found() -> None:
    import io

    import pillow_heif

    stream = io.BytesIO()
    heic = pillow_heif.from_pillow(picture())
    heic.save(stream, quality=90, xmp=xmp(attributes=source_type(MADE)), exif=exif(comment=wide(SETTINGS)))
    wheres = {mark.where for mark in read_image(stream.getvalue()).facts.marks}
    assert wheres == {"EXIF UserComment", "XMP DigitalSourceType"}
