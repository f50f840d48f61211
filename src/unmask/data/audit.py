"""What in a prepared dataset would spoil an honest result: copies, leaks, one-sided groups, imbalance, shortcuts."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from unmask.data.duplicates import clusters, exact_duplicates, near_duplicates
from unmask.data.fingerprint import Fingerprints, fingerprints
from unmask.data.layout import LABELS, SPLITS
from unmask.data.manifest import BEFORE_FIX, MANIFEST, REMOVED, Row, clip_of, read_manifest, write_manifest
from unmask.data.prepared import Prepared, verify_pixels
from unmask.data.shortcuts import Shortcut, find_shortcuts
from unmask.errors import UnmaskError
from unmask.system.cores import available_cores

# A split with fewer of one class than this share gets a warning.
MIN_CLASS_SHARE = 0.4
# Groups of fewer pictures hold one class by chance or by nature: a single photo is a group of its own.
MIN_GROUP = 10
# A few one-sided groups do no harm; above this share of all pictures they do.
MAX_ONE_SIDED = 0.05

# Why a picture is taken out that has a copy in its own split.
COPY = "copy"
Step = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Pictures that are the same picture.

    Attributes:
        members: Their rows, in the manifest's order.
    """

    members: tuple[Row, ...]

    @property
    def is_leak(self) -> bool:
        """Whether a picture of one split is known from another."""
        return len({row.split for row in self.members}) > 1

    @property
    def conflicts(self) -> tuple[Row, ...]:
        """The members whose bytes are called real here and fake there."""
        labels: dict[str, set[int]] = defaultdict(set)
        for row in self.members:
            labels[row.sha256].add(row.label)
        return tuple(row for row in self.members if row.sha256 and len(labels[row.sha256]) > 1)

    @property
    def is_expected(self) -> bool:
        """Whether all are of one group and one split: frames of a clip, or a fake and what it was made of."""
        return not self.is_leak and not self.conflicts and len({row.group or row.path for row in self.members}) == 1


@dataclass(frozen=True, slots=True)
class OneSided:
    """A source or group whose pictures are all of one class, so that knowing it is knowing the answer."""

    kind: str
    name: str
    label: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found.

    Attributes:
        prepared: The dataset.
        clusters: Pictures that are the same picture.
        leaking_groups: Groups with pictures in more than one split, and how many pictures they have.
        one_sided: Sources and groups of ten or more pictures with one class only.
        shortcuts: Whether the class shows in something other than the face.
        removals: Reason by path: what `--fix` takes out.
        seconds: Time the audit took.
    """

    prepared: Prepared
    clusters: tuple[Cluster, ...]
    leaking_groups: dict[str, int]
    one_sided: tuple[OneSided, ...]
    shortcuts: tuple[Shortcut, ...]
    removals: dict[str, str]
    seconds: float

    @property
    def suspicious(self) -> tuple[Cluster, ...]:
        """The clusters that are not expected."""
        return tuple(cluster for cluster in self.clusters if not cluster.is_expected)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each thing that would spoil a result."""
        found = []
        for split, counts in self.prepared.counts.items():
            real, fake = counts["real"], counts["fake"]
            if min(real, fake) < MIN_CLASS_SHARE * (real + fake):
                found.append(f"{split} is out of balance: {real:,} real and {fake:,} fake pictures.")
        if leaks := sum(len(cluster.members) for cluster in self.clusters if cluster.is_leak):
            found.append(f"{leaks:,} pictures have a copy in another split.")
        if conflicts := sum(len(cluster.conflicts) for cluster in self.clusters):
            found.append(f"{conflicts:,} pictures are called both real and fake: the same bytes have both labels.")
        # Only what --fix takes out: a real picture and a fake that look alike are no copies of each other.
        if copies := sum(reason == COPY for reason in self.removals.values()):
            found.append(f"{copies:,} pictures are copies of another one in their split.")
        if self.leaking_groups:
            found.append(f"{len(self.leaking_groups):,} groups have pictures in more than one split.")
        for side in self.one_sided:
            if side.kind == "source":
                found.append(f"The source {side.name} has only {('real', 'fake')[side.label]} pictures.")
        in_groups = sum(side.pictures for side in self.one_sided if side.kind == "group")
        share = in_groups / self.prepared.pictures
        if share > MAX_ONE_SIDED:
            found.append(f"{share:.0%} of the pictures are in groups of {MIN_GROUP} or more that hold one class only.")
        for shortcut in self.shortcuts:
            if shortcut.is_warning:
                found.append(f"The class can be told from {shortcut.name} alone (AUC {shortcut.auc:.2f}).")
        return tuple(found)


def audit(prepared: Prepared, *, workers: int | None = None, progress: Step | None = None) -> Audit:
    """Looks for what would spoil a result measured on a prepared dataset.

    Args:
        prepared: From `prepare` or `load_prepared`.
        workers: Threads; None for one a core.
        progress: Called with (what is being done, done, in all).

    Raises:
        UnmaskError: The folder is damaged (its pixels are compared with their sha256), or scikit-learn is missing.
    """
    start = time.perf_counter()
    step = progress or (lambda *_: None)
    step("reading", 0, 1)
    verify_pixels(prepared)
    rows = [row for split in prepared.splits for row in prepared.entries(split)]
    if not rows:
        raise UnmaskError(
            f"{prepared.folder} has no pictures to audit.",
            hint="Look at the reasons in its manifest.csv.",
            code="no-pictures",
        )
    found = _same_pictures(prepared, rows, workers or available_cores(), step)
    leaking = _leaking_groups(rows)
    step("looking for shortcuts", 0, 1)
    shortcuts = find_shortcuts(prepared)
    step("looking for shortcuts", 1, 1)
    removals = _removals(rows, found, leaking)
    return Audit(prepared, found, leaking, _one_sided(rows), shortcuts, removals, time.perf_counter() - start)


def write_fixed(found: Audit) -> Path:
    """Takes the offending rows out of `manifest.csv`; the pixels stay as they are.

    The manifest as it was before the first fix is kept as `manifest.before-fix.csv`, and the rows taken out by this and
    earlier fixes, with the reason for each, are in `removed.csv`.

    Returns:
        The path of the new manifest.
    """
    folder, manifest = found.prepared.folder, found.prepared.manifest
    keep = [row for row in manifest if row.path not in found.removals]
    for split, counts in found.prepared.counts.items():
        for name, label in LABELS.items():
            left = any(row.split == split and row.label == label and row.row is not None for row in keep)
            if counts[name] and not left:
                raise UnmaskError(
                    f"Nothing would be left of the {name} pictures of {split}.",
                    hint="Look at the audit's page: this set needs other pictures, not fewer.",
                    code="nothing-left",
                )
    if not (folder / BEFORE_FIX).exists():
        write_manifest(folder / BEFORE_FIX, manifest)
    out = [replace(row, reason=found.removals[row.path]) for row in manifest if row.path in found.removals]
    # Rows of an earlier fix stay listed, but for those that somebody has put back since.
    here = {row.path for row in manifest}
    removed = read_manifest(folder / REMOVED) if (folder / REMOVED).is_file() else ()
    earlier = [row for row in removed if row.path not in here]
    write_manifest(folder / REMOVED, [*earlier, *out])
    write_manifest(folder / MANIFEST, keep)
    return folder / MANIFEST


def _same_pictures(prepared: Prepared, rows: list[Row], workers: int, step: Step) -> tuple[Cluster, ...]:
    # They are most of what an audit keeps in memory: one copy, not one for each split and another of all.
    prints, first = Fingerprints.room(len(rows)), 0
    for number, split in enumerate(prepared.splits):
        step("fingerprints", number, len(prepared.splits))
        images = prepared.images(split)
        fingerprints(images, prints, first)
        first += len(images)
    links = near_duplicates(prints, workers=workers, progress=partial(step, "comparing"))
    for group in exact_duplicates([row.sha256 for row in rows]):
        links += [(group[0], other) for other in group[1:]]
    return tuple(Cluster(tuple(rows[index] for index in members)) for members in clusters(len(rows), links))


def _leaking_groups(rows: list[Row]) -> dict[str, int]:
    splits: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.group:
            splits[row.group].add(row.split)
    counts = Counter(row.group for row in rows)
    return {group: counts[group] for group, found in splits.items() if len(found) > 1}


def _one_sided(rows: list[Row]) -> tuple[OneSided, ...]:
    found = []
    for kind in ("source", "group"):
        labels: dict[str, Counter[int]] = defaultdict(Counter)
        for row in rows:
            name = getattr(row, kind)
            if name and name != clip_of(row.path):  # a clip has one class in any case
                labels[name][row.label] += 1
        for name, counts in labels.items():
            if len(counts) == 1 and counts.total() >= MIN_GROUP:
                found.append(OneSided(kind, name, next(iter(counts)), counts.total()))
    return tuple(sorted(found, key=lambda side: (side.kind != "source", -side.pictures, side.name)))


def _removals(rows: list[Row], found: tuple[Cluster, ...], leaking: dict[str, int]) -> dict[str, str]:
    """What to take out, and why. Test stays whole where it can, so that figures on it can still be compared."""
    removals: dict[str, str] = {}
    last = {row.group: row.split for row in sorted(rows, key=lambda row: SPLITS.index(row.split))}
    for row in rows:
        if row.group in leaking and row.split != last[row.group]:
            removals[row.path] = f"group-also-in-{last[row.group].lower()}"
    for cluster in found:
        if cluster.is_expected:
            continue
        removals |= {row.path: "both-real-and-fake" for row in cluster.conflicts}
        # What stays must be a copy that is not taken out itself.
        staying = [row for row in cluster.members if row.path not in removals]
        keeper = max((row.split for row in staying), key=SPLITS.index, default="")
        kept: dict[int, set[str]] = defaultdict(set)
        for row in staying:
            groups = kept[row.label]
            if row.split != keeper:
                removals[row.path] = f"copy-in-{keeper.lower()}"
            elif groups and (not row.group or row.group not in groups):
                removals[row.path] = COPY
            else:
                groups.add(row.group)
    return removals
