"""Content Credentials (C2PA): what a picture's signed manifest says of its origin. Never part of the score.

Reading needs the package c2pa-python (`pip install '.[c2pa]'`). Nothing is fetched: a manifest that lies elsewhere
is not followed, and no certificate's state is asked for online. The one place besides `unmask.image.read` where a stranger's
bytes are taken apart; those that the decoder refused do not come here.
"""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

from unmask.image.exif import one_line
from unmask.origin import Provenance, State

# A manifest store is a JUMBF superbox whose description box has a type that begins with "c2pa" (C2PA 2.1, section 11.1).
_MARKER = b"jumdc2pa"
_XMP_LINK = b"dcterms:provenance"

_SENTENCES: dict[State, str] = {
    "valid": "The picture carries Content Credentials, and they match it: it was not changed since they were signed.",
    "invalid": "The picture carries Content Credentials, but they do not hold: it was changed since, or they are forged.",
    "unreadable": "The picture carries Content Credentials that cannot be read.",
    "unchecked": "The picture seems to carry Content Credentials; this installation cannot check them (extra c2pa).",
    "none": "The picture carries no Content Credentials; most pictures do not.",
}


def read_provenance(data: bytes, format_name: str) -> Provenance:
    """Looks for Content Credentials in a picture and checks them.

    Args:
        data: The file.
        format_name: As in `ImageFacts.format`.
    """
    if _MARKER not in data and _XMP_LINK not in data:
        return _plain("none")
    try:
        return _checked(data, format_name)
    except Exception as error:
        # Whatever the package makes of a stranger's manifest, and whatever is in it: the picture's answer stands.
        return _plain("none" if "ManifestNotFound" in type(error).__name__ + str(error) else "unreadable")


def _checked(data: bytes, format_name: str) -> Provenance:
    context = _context()
    if context is None:
        return _plain("unchecked")
    import c2pa  # type: ignore[import-untyped,import-not-found,unused-ignore]

    with c2pa.Reader(f"image/{format_name.lower()}", io.BytesIO(data), context=context) as reader:
        found = str(reader.get_validation_state())
        manifest = json.loads(reader.json())
    state: State = "valid" if found in ("Trusted", "Valid") else "invalid"
    active = manifest.get("manifests", {}).get(manifest.get("active_manifest"), {})
    signature = active.get("signature_info") or {}
    return Provenance(
        state,
        _SENTENCES[state],
        signed_by=_text(signature.get("common_name") or signature.get("issuer")) if state == "valid" else None,
        made_with=_maker(active),
        trusted=found == "Trusted",
    )


def _plain(state: State) -> Provenance:
    return Provenance(state, _SENTENCES[state])


@cache
def _context() -> Any:
    """How to read: offline. None where the package is not installed."""
    try:
        import c2pa  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return None
    return c2pa.Context.from_dict({"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}})


def _maker(manifest: dict[str, Any]) -> str | None:
    generators = manifest.get("claim_generator_info") or [{}]
    first = generators[0] if isinstance(generators, list) and isinstance(generators[0], dict) else {}
    return _text(first.get("name")) or _text(manifest.get("claim_generator"))


def _text(value: object) -> str | None:
    return one_line(value) if isinstance(value, str) else None
