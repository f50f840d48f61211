"""Captions and credits as newspapers keep them: IPTC-IIM 4.2 inside of Photoshop's image resources."""

from __future__ import annotations

import struct

_IIM = 0x0404
_RECORD = 2
# IIM 4.2, chapter 6: the datasets in which generators, and people who use them, say what made a picture.
_DATASETS = {
    5: "Title", 40: "SpecialInstructions", 65: "Program", 80: "Byline", 110: "Credit", 115: "Source", 120: "Caption",
}  # fmt: skip
_MOST = 500


def read_resources(block: bytes) -> list[tuple[str, bytes]]:
    """The texts in Photoshop's image resources.

    Args:
        block: What follows ``Photoshop 3.0\\0``; may be broken or empty.

    Returns:
        Name and raw text of each, in the order of the file.
    """
    at = 0
    for _ in range(_MOST):
        if block[at : at + 4] != b"8BIM" or at + 12 > len(block):
            break
        kind = struct.unpack_from(">H", block, at + 4)[0]
        at += 6 + (block[at + 6] | 1) + 1  # a name of a length told by its first byte, filled up to an even number
        size = int.from_bytes(block[at : at + 4], "big")
        if kind == _IIM:
            return read_iim(block[at + 4 : at + 4 + size])
        at += 4 + size + (size & 1)
    return []


def read_iim(block: bytes) -> list[tuple[str, bytes]]:
    """The texts of IIM datasets.

    Args:
        block: Datasets, one behind the other; may be broken or empty.

    Returns:
        As `read_resources`.
    """
    texts = []
    at = 0
    for _ in range(_MOST):
        if at + 5 > len(block) or block[at] != 0x1C:
            break
        record, dataset, size = struct.unpack_from(">BBH", block, at + 1)
        if size & 0x8000:  # an extended dataset, which no text is
            break
        if record == _RECORD and dataset in _DATASETS:
            texts.append((_DATASETS[dataset], block[at + 5 : at + 5 + size]))
        at += 5 + size
    return texts
