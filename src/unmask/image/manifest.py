"""What Content Credentials say of AI, read without checking them: their signature is `unmask.image.provenance`'s matter.

C2PA 2.1: manifests lie one behind the other, the one that counts last (11.1.4); actions are CBOR or JSON, in which names and
values stand as plain text (18.15).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

from unmask.origin import Mark, Says

WHERE = "Content Credentials"
_TYPE = re.compile(
    rb"digitalsourcetype/(compositeWithTrainedAlgorithmicMedia|compositeSynthetic|trainedAlgorithmicMedia|algorithmicMedia)"
)
_ACTION = re.compile(rb"action.{1,4}?c2pa\.(created|edited|placed|filtered|drawing|opened)", re.DOTALL)
_MANIFEST = b"jumdc2ma"
_PARTS = (b"edited", b"placed", b"filtered", b"drawing")
# As the claims of their makers, and the agents of their actions, name them.
_GENERATORS = {
    b"DALL": "DALL·E", b"GPT-4o": "OpenAI", b"gpt-image": "OpenAI", b"ChatGPT": "OpenAI", b"OpenAI": "OpenAI",
    b"Firefly": "Adobe Firefly", b"Google Generative AI": "Google AI", b"Made with Google AI": "Google AI",
    b"Midjourney": "Midjourney", b"Bing Image Creator": "Microsoft", b"Microsoft Responsible AI": "Microsoft",
    b"Stability AI": "Stable Diffusion", b"Black Forest Labs": "FLUX", b"Amazon Titan": "Amazon Titan",
}  # fmt: skip
_BEFORE_ACTION = 4_000


def read_manifest(manifest: bytes, source_types: Mapping[str, Says]) -> list[Mark]:
    """What the actions of a manifest say of AI.

    An action that edits, or a picture that was placed into another, makes "edited" of "made".

    Args:
        manifest: The bytes of a manifest store; may be broken or empty.
        source_types: What IPTC's digital source types say.

    Returns:
        The strongest mark, if any.
    """
    active = max(manifest.rfind(_MANIFEST), 0)
    is_composite = b"componentOf" in manifest[active:]
    found: dict[Says, str] = {}
    for match in islice(_TYPE.finditer(manifest), 100):
        kind = match[1].decode()
        says = source_types[kind]
        actions = _ACTION.findall(manifest, max(0, match.start() - _BEFORE_ACTION), match.start())
        is_part = actions[-1] in _PARTS if actions else False
        if says == "made" and (is_part or (match.start() < active and is_composite)):
            says = "edited"
        found.setdefault(says, kind)
    generator = next((name for words, name in _GENERATORS.items() if words in manifest), None)
    strongest: tuple[Says, ...] = ("made", "edited", "computed")
    return [Mark(says, generator, WHERE, found[says]) for says in strongest if says in found][:1]
