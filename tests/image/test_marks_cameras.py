"""Pictures of cameras and editors, whatever their captions mention, are not marked as made by AI."""

from __future__ import annotations

import itertools

import pytest
from tests.bad_files import encode
from tests.marked_pictures import (
    app1,
    app11,
    exif,
    iptc_segment,
    jpeg,
    manifest,
    picture,
    png,
    source_type,
    text,
    wide,
    xmp,
    xmp_segment,
)

from unmask.image.generators import named_as_credit, named_as_tool
from unmask.image.read import read_image

MADE = "trainedAlgorithmicMedia"
CAMERAS = (
    {"Make": "Canon", "Model": "Canon EOS R5", "Artist": "Gro Klein"},
    {"Make": "NIKON CORPORATION", "Model": "NIKON Z 8", "Artist": "Reuters"},
    {"Make": "Apple", "Model": "iPhone 15 Pro", "Artist": ""},
    {"Make": "Google", "Model": "Pixel 9 Pro", "Artist": "AP Photo"},
    {"Make": "samsung", "Model": "Galaxy S24 Ultra", "Artist": "Imogen Firefly"},
)
PROGRAMS = (
    "Adobe Photoshop 25.0 (Windows)", "Adobe Photoshop Lightroom Classic 13.1 (Macintosh)", "GIMP 2.10.36", "Snapseed 2.0",
    "Adobe ImageReady", "HDR+ 1.0.540104767zd", "Capture One 23", "17.1.1", "Picasa", "Canva", "Google", "Luminar Neo",
    "Fluxbox 1.3.7", "darktable 4.6",
)  # fmt: skip
CAPTIONS = (
    "A lecture on the stable diffusion of gases through membranes, Lyon, 2019",
    "Midjourney through the desert, the convoy rests. Job ID: 4711",
    "Sampler: A. Weber takes water. Steps: three, seed: none",
    "Visitors pass a poster made with Midjourney and DALL-E at the fair (Photo: AP)",
    "Trained algorithmic media are discussed: IPTC's trainedAlgorithmicMedia, digitalsourcetype/trainedAlgorithmicMedia",
    "OpenAI chief at the hearing. AI generated pictures are a topic",
    '{"title": "Seeds of 2024", "prompt": "What grows here?", "seed": "wheat"}',
    "Signature: J. Miller",
)
NAMES = (
    "OpenAI",
    "Google AI",
    "Krea Sorensen",
    "Grok",
    "Stable Diffusion Laboratory of Physics, Midjourney Street",
    "Photo: Canon",
)
UNMARKED = [
    (camera, program, caption, NAMES[number % len(NAMES)])
    for number, (camera, program, caption) in enumerate(itertools.product(CAMERAS, PROGRAMS, CAPTIONS))
]


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera["Model"])
def test_no_camera_picture_is_marked_whatever_its_caption_mentions(camera: dict[str, str]) -> None:
    assert len(UNMARKED) >= 200
    for number, (own, program, caption, name) in enumerate(UNMARKED):
        if own is not camera:
            continue
        block = exif(**own, Software=program, ImageDescription=caption, comment=wide(caption), lens="EF50mm f/1.4 USM")
        packet = xmp(
            f"<dc:description><rdf:Alt><rdf:li>{caption}</rdf:li></rdf:Alt></dc:description>"
            f"<photoshop:Credit>{name}</photoshop:Credit>",
            f'xmp:CreatorTool="{program}" {source_type("digitalCapture" if number % 2 else "compositeCapture")}',
        )
        if number % 3 == 0:
            data = jpeg(app1(block), xmp_segment(packet), iptc_segment((120, caption), (80, name), (110, name)))
        elif number % 3 == 1:
            data = png(
                text("Software", program), text("Description", caption), text("Comment", caption, b"zTXt"),
                text("parameters", caption), text("Author", name), text("workflow", '{"nodes": 3}'),
            )  # fmt: skip
        else:
            data = encode(picture(), "WEBP", exif=block, xmp=packet)
        facts = read_image(data).facts
        assert facts.marks == (), (own, program, caption, name)


@pytest.mark.parametrize(
    "store",
    [
        manifest(("c2pa.created", "digitalCapture")),
        manifest(("c2pa.created", "computationalCapture"), agent="Pixel Camera"),
        manifest(("c2pa.edited", "algorithmicallyEnhanced")),
        manifest(more=b"c2pa.training-mining c2pa.ai_generative_training notAllowed"),
    ],
)
def test_credentials_of_cameras_are_no_mark(store: bytes) -> None:
    assert read_image(jpeg(app11(store))).facts.marks == ()


def test_the_pictures_that_a_composite_was_made_from_do_not_mark_it() -> None:
    packet = xmp(
        f'<xmpMM:Pantry><rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:DigitalSourceType>{MADE}'
        "</Iptc4xmpExt:DigitalSourceType></rdf:li></rdf:Bag></xmpMM:Pantry>"
    )
    assert read_image(jpeg(xmp_segment(packet))).facts.marks == ()


@pytest.mark.parametrize("words", ["None", "N/A", " no ", "-"])
def test_a_field_for_the_ai_system_that_says_none_is_no_mark(words: str) -> None:
    packet = xmp(f"<Iptc4xmpExt:AISystemUsed>{words}</Iptc4xmpExt:AISystemUsed>")
    assert read_image(jpeg(xmp_segment(packet))).facts.marks == ()


@pytest.mark.parametrize(
    "program",
    [
        "Adobe Photoshop 26.1 (Adobe Firefly)",
        "Google",
        "HDR+ 1.0",
        "Imagen 2 de 5",
        "Dalle",
        "Flux 1.2",
        "Firefly",
        "Stable Diffusion Laboratory",
        "Midjourney, a village near Lyon",
        "AI generated keywords by Tagger",
        "Grokker",
        "Gemini 2",
        "Stable diffusion of gases",
        "midjourneyed",
        "Krea Sorensen",
        "x" * 5_000,
        "",
    ],
)
def test_a_program_that_is_no_generator_is_none(program: str) -> None:
    assert named_as_tool(program) == (False, None)


@pytest.mark.parametrize(
    "credit",
    [
        "OpenAI",
        "Google AI",
        "Stability AI",
        "Black Forest Labs",
        "Grok",
        "Created by Midjourney Photo Agency",
        "Photo: Dalle / AFP",
    ],
)
def test_the_photograph_that_a_maker_hands_out_is_not_marked_by_its_credit(credit: str) -> None:
    assert named_as_credit(credit) is None


def test_a_newsroom_s_own_credit_counts() -> None:
    assert named_as_credit("AI-generated image") == ("made", None)
    assert named_as_credit("Generated with DALL-E 3") == ("made", "DALL·E")
