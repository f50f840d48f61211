"""Which pictures are the same picture: by their bytes, or as they look after saving, scaling and mirroring.

Every pair is compared, and none is missed for a clever index: 190,000 pictures are 18,000 million pairs, each looked at
twice (as it is and mirrored). Half of the 256 bits rule nearly every pair out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from unmask.data.fingerprint import Fingerprints, likeness

# Bits of 256 in which two hashes may differ. Copies of face pictures saved at quality 40 to 95 and scaled to 0.4 to 1.6
# differ in at most 15, the nearest of other pictures in 55 (docs/measurements/audit_planted.md).
MAX_DISTANCE = 32
# Correlation of the 32 x 32 thumbnails, which confirms what the hash suspects. The copies reach 0.999 (ibid.).
MIN_LIKENESS = 0.95

# Pictures by pictures a block: small enough for the second-level cache.
_ROWS, _COLUMNS = 32, 4096


def near_duplicates(
    prints: Fingerprints, *, workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[tuple[int, int]]:
    """Pairs of pictures that look the same, or of which one looks like the other's mirror image.

    Pictures with equal hashes are compared with the first of them only, so that a thousand copies of one picture give a
    thousand pairs and not half a million.

    Args:
        prints: From `fingerprints`.
        workers: Threads.
        progress: Called with (pictures done, pictures in all).

    Returns:
        Indexes of each pair, the smaller first; sorted.
    """
    _, first, inverse = np.unique(prints.hashes, axis=0, return_index=True, return_inverse=True)
    leaders = first[inverse.ravel()]
    copies = np.flatnonzero(leaders != np.arange(len(prints)))
    found = [(leaders[copies], copies, np.zeros(len(copies), bool))]
    unique = np.sort(first)
    hashes, mirrored = np.asfortranarray(prints.hashes[unique]), np.asfortranarray(prints.mirrored[unique])
    starts = range(0, len(unique), _ROWS)
    with ThreadPoolExecutor(workers, thread_name_prefix="duplicates") as pool:
        for done, part in enumerate(pool.map(lambda start: _search(hashes, mirrored, start), starts), 1):
            found += [(unique[row], unique[column], flipped) for row, column, flipped in part]
            if progress:
                progress(min(done * _ROWS, len(unique)), len(unique))
    first, second, flips = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return _confirm(prints.thumbnails, first, second, flips)


_Part = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]


def _search(hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64], start: int) -> list[_Part]:
    """Pairs of one block of rows with all later pictures. `hashes` and `mirrored` lie column by column in memory."""
    parts: list[_Part] = []
    rows = slice(start, start + _ROWS)
    height = len(hashes[rows])
    # The same memory for every block: new memory costs more than the counting.
    different = np.empty((height, _COLUMNS), np.uint64)
    upper, lower = np.empty((2, height, _COLUMNS), np.uint8)
    near = np.empty((height, _COLUMNS), np.bool_)
    for left in range(start, len(hashes), _COLUMNS):
        others = hashes[left : left + _COLUMNS]
        width = len(others)
        for flipped, own in ((False, hashes[rows]), (True, mirrored[rows])):
            # The distance over half of the bits is a lower bound of the whole.
            for word, bits in ((0, upper), (2, lower)):
                np.bitwise_xor(own[:, None, word], others[None, :, word], out=different[:, :width])
                np.bitwise_count(different[:, :width], out=bits[:, :width])
            np.add(upper, lower, out=upper)
            np.less_equal(upper[:, :width], MAX_DISTANCE, out=near[:, :width])
            if not near[:, :width].any():
                continue
            row, column = np.nonzero(near[:, :width])
            distance = np.bitwise_count(own[row] ^ others[column]).sum(axis=1, dtype=np.int64)
            row, column = row + start, column + left
            kept = (distance <= MAX_DISTANCE) & (column > row)
            parts.append((row[kept], column[kept], np.full(int(kept.sum()), flipped)))
    return parts


def _confirm(
    thumbnails: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64], flips: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(first), 4096):
        part = slice(start, start + 4096)
        upright = thumbnails[first[part]]
        turned = np.where(flips[part, None, None], upright[:, :, ::-1], upright)
        alike = likeness(turned, thumbnails[second[part]]) >= MIN_LIKENESS
        pairs.update(zip(first[part][alike].tolist(), second[part][alike].tolist(), strict=True))
    return sorted(pairs)


def exact_duplicates(sha256: Sequence[str]) -> list[tuple[int, ...]]:
    """Indexes of files with the same bytes, each group in order; empty hashes are no evidence."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, digest in enumerate(sha256):
        if digest:
            groups[digest].append(index)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def clusters(count: int, links: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Connected groups of two or more among `count` things, each in order, by their first member."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for link in links:
        low, high = sorted(map(root, link))
        parent[high] = low
    members: dict[int, list[int]] = defaultdict(list)
    for index in sorted({index for link in links for index in link}):
        members[root(index)].append(index)
    return [tuple(group) for group in members.values()]
