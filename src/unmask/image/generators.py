"""Names of programs and makers that make pictures by AI, as they write them into files; and what is none of them.

A name counts only where a field names a program, a maker or a credit, and only at its beginning: a caption that mentions one
is no mark. Editors that can do more than AI (Adobe Photoshop, Canva, Luminar) are not among them.
"""

from __future__ import annotations

import re

from unmask.origin import Says

_NAMES = {
    "Midjourney": r"midjourney|nijijourney|niji·journey",
    "DALL·E": r"(?:openai )?dall[-·•. ]e\b|dall-?e[- ]?[23]\b",
    "OpenAI": r"openai|chatgpt|gpt-image|gpt-4o",
    "Stable Diffusion": r"stable[- _]?diffusion|automatic1111|sd[- ]?webui|dreamstudio|sdxl|sd\.next",
    "Stability AI": r"stability[- .]ai",
    "Easy Diffusion": r"easy diffusion",
    "Adobe Firefly": r"adobe[ _]firefly|firefly image \d",
    "FLUX": r"flux\.[12]|flux[- ](?:pro|dev|schnell)\b|black forest labs|ai generated;\w+;flux",
    "Google AI": r"google (?:imagen|gemini|ai\b|generative ai|nano banana)|imagen-[2-9]|gemini-\d|nano banana",
    "NovelAI": r"novelai",
    "ComfyUI": r"comfyui",
    "InvokeAI": r"invoke ?ai",
    "Fooocus": r"fooocus",
    "SwarmUI": r"(?:stable)?swarmui",
    "Draw Things": r"draw things",
    "DiffusionBee": r"diffusionbee",
    "Leonardo.Ai": r"leonardo[. ]?ai\b",
    "Ideogram": r"ideogram",
    "Microsoft": r"bing image creator|image creator (?:from|in) (?:microsoft )?(?:designer|bing)",
    "Meta AI": r"meta ai\b|imagined with ai",
    "Grok": r"grok\b|xai\b",
    "Craiyon": r"craiyon",
    "NightCafe": r"nightcafe",
    "Playground AI": r"playground[ .]?ai\b|playground v\d",
    "Recraft": r"recraft",
    "Krea": r"krea(?:[. ]ai)?\b",
    "HiDream": r"hidream|ai generated;\w+;hidream",
    "Seedream": r"seedream|jimeng|doubao",
    "Kling AI": r"kling ?ai",
    "Artbreeder": r"artbreeder",
    "this person does not exist": r"this ?person ?does ?not ?exist",
}
_KNOWN = [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _NAMES.items()]
# Makers have their photographs taken as well, and some names are people's: in a credit only these say something.
_IN_CREDITS = frozenset({
    "Midjourney", "DALL·E", "Stable Diffusion", "Adobe Firefly", "ComfyUI", "NovelAI", "this person does not exist",
})  # fmt: skip
_UNNAMED = re.compile(r"(?:image )?ai[- ]generated(?:;.*| image| picture| photo| art| content)?\.?", re.IGNORECASE)
_MADE = re.compile(r"(?:image )?(?:made|created|generated|(edited)) (?:with|by|using|in) (.+)", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;:/()\[\]._+-]+")
# Behind a name stands a version, if anything; other words there would make it a sentence.
_OF_VERSIONS = frozenset({
    "ai", "api", "pro", "ultra", "dev", "schnell", "diffusion", "xl", "turbo", "image", "images", "webui", "web", "ui", "forge",
    "generator", "generative", "model", "beta", "alpha", "flux", "inc", "com", "labs", "studio", "express", "preview", "bot",
    "desktop", "v", "large", "medium", "base", "refiner",
})  # fmt: skip
_LONGEST = 100


def named_as_tool(words: str) -> tuple[bool, str | None]:
    """Whether a field that holds a program, or the maker of a device, names a generator, and which.

    Args:
        words: The field, as it is in the file.

    Returns:
        Whether it says so; and the generator, None for "AI generated" alone.

    Examples:
        >>> named_as_tool("Midjourney v6.1"), named_as_tool("Adobe Photoshop 25.0 (Windows)")
        ((True, 'Midjourney'), (False, None))
        >>> named_as_tool("Midjourney, a village near Lyon")
        (False, None)
    """
    words = words.strip()[: _LONGEST + 1]
    for name, pattern in _KNOWN:
        match = pattern.match(words)
        if match and len(words) <= _LONGEST and _is_version(words[match.end() :]):
            return True, name
    return bool(_UNNAMED.fullmatch(words)), None


def named_as_credit(words: str) -> tuple[Says, str | None] | None:
    """What a field says that holds an author or a credit.

    Args:
        words: The field, as it is in the file.

    Returns:
        "made" or "edited", and the generator, None for "AI generated" alone; None where it says nothing of the kind.

    Examples:
        >>> named_as_credit("Edited with Google AI"), named_as_credit("Midjourney"), named_as_credit("OpenAI")
        (('edited', 'Google AI'), ('made', 'Midjourney'), None)
    """
    words = words.strip()[: _LONGEST + 1]
    if phrase := _MADE.fullmatch(words):
        name = named_as_tool(phrase[2])[1]
        return ("edited" if phrase[1] else "made", name) if name else None
    is_generator, name = named_as_tool(words)
    return ("made", name) if is_generator and (name is None or name in _IN_CREDITS) else None


def _is_version(rest: str) -> bool:
    if rest[:1].isalpha():  # the name goes on: another word
        return False
    parts = [part for part in _BETWEEN.split(rest.lower()) if part]
    return len(parts) <= 6 and all(part in _OF_VERSIONS or any(map(str.isdigit, part)) for part in parts)
