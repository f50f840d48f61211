"""An audit as one HTML file, with examples; it loads nothing and can be sent to somebody."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from unmask import __version__
from unmask.data.audit import Audit, Cluster
from unmask.data.shortcuts import MAX_AUC
from unmask.image.encode import encode_jpeg
from unmask.image.resize import resize
from unmask.output.html_page import templates

# Clusters shown of each kind, and pictures of each cluster.
CLUSTERS = 12
MEMBERS = 6
NAMES = 20
THUMBNAIL = 96


def audit_page(found: Audit) -> str:
    """The page, as HTML."""
    prepared = found.prepared
    leaking = sorted(found.leaking_groups.items(), key=lambda item: (-item[1], item[0]))
    page = templates("unmask.data").get_template("audit.html")
    return page.render(
        folder=prepared.folder.resolve().name,
        pictures=prepared.pictures,
        seconds=found.seconds,
        version=__version__,
        warnings=found.warnings,
        counts=prepared.counts,
        shortcuts=found.shortcuts,
        max_auc=MAX_AUC,
        expected=len(found.clusters) - len(found.suspicious),
        sections=list(_sections(found)),
        leaking=leaking[:NAMES],
        leaking_more=max(0, len(leaking) - NAMES),
        one_sided=found.one_sided[:NAMES],
        one_sided_more=max(0, len(found.one_sided) - NAMES),
        has_groups=any(row.group for row in prepared.manifest),
        removals=Counter(found.removals.values()).most_common(),
    )


def _sections(found: Audit) -> Iterable[dict[str, Any]]:
    kinds: dict[str, list[Cluster]] = {
        "Called both real and fake": [],
        "In more than one split": [],
        "Copies within a split": [],
        "Real and fake that look alike, within a split": [],
    }
    both, leak, copies, alike = kinds.values()
    for cluster in found.suspicious:
        if cluster.conflicts:
            both.append(cluster)
        elif cluster.is_leak:
            leak.append(cluster)
        elif len({row.label for row in cluster.members}) > 1:
            alike.append(cluster)
        else:
            copies.append(cluster)
    for title, members in kinds.items():
        if members:
            shown = [_shown(found, cluster) for cluster in members[:CLUSTERS]]
            yield {"title": title, "count": len(members), "shown": shown}


def _shown(found: Audit, cluster: Cluster) -> dict[str, Any]:
    members = []
    for row in cluster.members[:MEMBERS]:
        pixels = np.asarray(found.prepared.pixels(row.split)[row.row])
        picture = base64.b64encode(encode_jpeg(resize(pixels, THUMBNAIL), 80)).decode("ascii")
        members.append({"path": row.path, "picture": picture, "removal": found.removals.get(row.path, "")})
    return {"members": members, "more": max(0, len(cluster.members) - MEMBERS)}
