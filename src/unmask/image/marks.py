"""A file's texts -> where it says itself that it was made, or edited, by AI.

Only what generators write, as they write it, counts: a caption that mentions one is no mark, nor is a size, nor the absence
of a camera. The forms, and where they are written down:

- AUTOMATIC1111 and its kin: ``Steps: 20, Sampler: .., CFG scale: .., Seed: ..`` (modules/processing.py, create_infotext)
- ComfyUI: the graph as JSON in ``prompt`` and ``workflow`` (nodes.py, SaveImage); in WebP, in EXIF Make and Model
- InvokeAI: ``invokeai_metadata``, before it ``sd-metadata``, before it ``Dream``; SwarmUI: ``sui_image_params``;
  Fooocus: ``fooocus_scheme``; NovelAI: ``Software``, ``Title``, in WebP as JSON in a UserComment; Easy Diffusion:
  ``use_stable_diffusion_model``
- Midjourney: ``.. --v 6.1 Job ID: <uuid>``; FLUX: EXIF Software ``AI generated;txt2img;flux`` (flux/util.py)
- Grok: EXIF ImageDescription ``Signature: <base64>`` beside a uuid as Artist
- IPTC Photo Metadata 2025.1: DigitalSourceType, AISystemUsed; Google: Credit ``Made with Google AI``
- GB 45438-2025, annex E: ``AIGC`` with the label 1
- C2PA 2.1, 18.15: digitalSourceType of actions
"""

from __future__ import annotations

import re
from itertools import islice

from unmask.image.exif import one_line
from unmask.image.generators import named_as_credit, named_as_tool
from unmask.image.manifest import read_manifest
from unmask.image.said import Said, Text, read_said
from unmask.origin import Mark, Says

SOURCE_TYPES: dict[str, Says] = {
    "trainedAlgorithmicMedia": "made",
    "compositeWithTrainedAlgorithmicMedia": "edited",
    "compositeSynthetic": "edited",
    "algorithmicMedia": "computed",
}
_SOURCE_TYPE_NAMES = ("DigitalSourceType", "DigitalSourceFileType")  # the second: Google's, beside the first
_NO_SYSTEM = ("none", "no", "n/a", "na", "-", "not applicable")
_TOOLS = frozenset({
    ("EXIF", "Software"), ("EXIF", "Make"), ("XMP", "CreatorTool"), ("XMP", "Software"), ("XMP", "Make"),
    ("IPTC", "Program"), ("PNG text", "Software"), ("PNG text", "Source"),
    ("Metadata", "encoder"), ("Metadata", "software"), ("Metadata", "make"),
})  # fmt: skip
_CREDITS = frozenset({
    ("EXIF", "Artist"), ("XMP", "Artist"), ("XMP", "creator"), ("XMP", "Credit"), ("XMP", "Source"), ("IPTC", "Byline"),
    ("IPTC", "Credit"), ("IPTC", "Source"), ("PNG text", "Author"), ("PNG text", "Credit"),
    ("Metadata", "artist"), ("Metadata", "author"),
})  # fmt: skip
_PNG_NAMES = {
    "invokeai_metadata": "InvokeAI", "invokeai_graph": "InvokeAI", "invokeai_workflow": "InvokeAI", "sd-metadata": "InvokeAI",
    "fooocus_scheme": "Fooocus", "use_stable_diffusion_model": "Stable Diffusion",
}  # fmt: skip
_STEPS = re.compile(r"\bSteps: \d{1,5}(?:,|\n|$)")
_JOB = re.compile(r" --[a-z]\w{0,20}\b[^\n]{0,200}? Job ID: [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\s*$")
_DREAM = re.compile(r" -s ?\d+ .{0,300}?-S ?-?\d+")
_SIGNATURE = re.compile(r"Signature: [A-Za-z0-9+/]{40,2000}={0,2}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_AIGC = re.compile(r'\s{0,20}\{\s{0,20}"AIGC"')
_LABEL = re.compile(r'"Label"\s{0,5}:\s{0,5}"?1"?\s{0,5}[,}]')
_MOST = 8


def read_marks(format_name: str, data: bytes) -> tuple[Mark, ...]:
    """Looks for marks of generators.

    Args:
        format_name: One of the names that `sniff` gives.
        data: The whole file.

    Returns:
        Each kind of mark once, at most 8; empty where there is none, which means nothing.
    """
    return marks_of(read_said(format_name, data))


def marks_of(said: Said) -> tuple[Mark, ...]:
    """As `read_marks`, of what a file says, whatever its format."""
    marks = [mark for text in said.texts if (mark := _mark_of(text, said.texts))]
    marks += read_manifest(said.manifest, SOURCE_TYPES)
    once = {(mark.says, mark.generator, mark.where): mark for mark in reversed(marks)}
    return tuple(reversed(once.values()))[:_MOST]


def _mark_of(text: Text, others: list[Text]) -> Mark | None:
    """What one text says."""
    words, place = text.words, (text.holder, text.name)
    if text.name in _SOURCE_TYPE_NAMES:
        kind = re.split("[/:]", words.strip().rstrip("/"))[-1]  # an address, or digsrctype:..
        told = text.name != "DigitalSourceType" and any(other.name == "DigitalSourceType" for other in others)
        is_mark = kind in SOURCE_TYPES and not told
        return _mark(Text(text.holder, text.name, kind), None, SOURCE_TYPES[kind]) if is_mark else None
    if text.name == "AISystemUsed":
        told = any(other.name in _SOURCE_TYPE_NAMES for other in others)
        told = told or words.strip().lower() in _NO_SYSTEM
        return None if told else _mark(text, named_as_tool(words)[1] or one_line(words))
    if text.name == "AIGC" or _AIGC.match(words):
        return _mark(text, None) if _LABEL.search(words) else None
    if place in _TOOLS:
        is_generator, name = named_as_tool(words)
        if is_generator:
            return _mark(text, name)
    if place in _CREDITS:
        credit = named_as_credit(words)
        return _mark(text, credit[1], credit[0]) if credit else None
    if text.holder == "PNG text" and text.name in _PNG_NAMES:
        return _mark(text, _PNG_NAMES[text.name])
    if _SIGNATURE.fullmatch(words.strip()) and place == ("EXIF", "ImageDescription"):
        signed = any(other.name == "Artist" and _UUID.fullmatch(other.words.strip()) for other in others)
        return _mark(text, "Grok") if signed else None
    name, start = _program_of(text)
    return _mark(Text(text.holder, text.name, words[start:]), name) if name else None


def _program_of(text: Text) -> tuple[str | None, int]:
    """The generator whose settings a text holds, and where in it that is to be seen."""
    words = text.words
    for found in islice(_STEPS.finditer(words), 20):
        if _are_settings(words[found.start() : found.start() + 4_000]):
            return "ComfyUI" if "Version: ComfyUI" in words else "Stable Diffusion", found.start()
    behind = max(0, len(words) - 1_000)
    if found_job := _JOB.search(words, behind):
        return "Midjourney", found_job.start() + 1
    if text.name == "Dream" and _DREAM.search(words[:5_000]):
        return "InvokeAI", 0
    if text.name == "Title" and words.startswith("NovelAI generated image"):
        return "NovelAI", 0
    start = words.find("{", 0, 20)
    is_json = start >= 0 and words[:start].strip().lower() in ("", "prompt:", "workflow:")
    return (_program_of_json(words) if is_json else None), 0


def _program_of_json(words: str) -> str | None:
    if '"sui_image_params"' in words:
        return "SwarmUI"
    if '"Software"' in words and '"NovelAI"' in words:
        return "NovelAI"
    if '"class_type"' in words and '"inputs"' in words:
        return "ComfyUI"
    if '"nodes"' in words and '"links"' in words and '"last_node_id"' in words:
        return "ComfyUI"
    wanted = ('"seed"' in words, '"prompt"' in words, '"sampler' in words or '"steps"' in words or '"cfg' in words)
    return "Stable Diffusion" if all(wanted) else None


def _are_settings(words: str) -> bool:
    return "Seed: " in words and ("Sampler: " in words or "CFG scale: " in words)


def _mark(text: Text, generator: str | None, says: Says = "made") -> Mark:
    name = f" '{text.name}'" if text.holder == "PNG text" else f" {text.name}" if text.name else ""
    return Mark(says, generator, one_line(f"{text.holder}{name}") or text.holder, one_line(text.words) or "")
