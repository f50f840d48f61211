"""What a file says of itself, and what is needed to trace an answer: in words, the same in every output.

Marks stand above the verdict, because a picture that says itself that it was made by AI must not look like a harmless *real*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask import __version__
from unmask.finding import ClipFinding, Verdict
from unmask.output.knowledge import knows
from unmask.output.ranking import because, by_suspicion
from unmask.output.wording import (
    HINT_NOT_PROOF,
    clip_remarks,
    clip_text,
    hint,
    limit_text,
    meanings,
    reason,
    remarks,
    score_text,
    size_text,
    time_text,
)
from unmask.video.timeline import clip_thresholds

if TYPE_CHECKING:
    from unmask.detector import Detector
    from unmask.finding import Finding
    from unmask.origin import Mark, Says

CREDENTIALS = "Content Credentials"
SAYS: dict[Says, str] = {
    "made": "The file itself says that it was made by AI",
    "edited": "The file itself says that it was edited with AI",
    "computed": "The file itself says that a program made it, not a camera",
}
# For a line of a table.
SAYS_IN_SHORT: dict[Says, str] = {
    "made": "says that it was made by AI",
    "edited": "says that it was edited with AI",
    "computed": "says that a program made it",
}
MARK_MEANS = "Such a mark can be forged or taken out, and is no part of the score."


def mark_sentences(finding: Finding | ClipFinding) -> list[str]:
    """What the file says of being made by AI, one sentence for each kind of statement; empty where it says nothing."""
    return [
        f"{sentence}: {', '.join(places)}."
        for says, sentence in SAYS.items()
        if (places := [_place(mark, finding) for mark in _marks(finding) if mark.says == says])
    ]


def mark_quotes(finding: Finding | ClipFinding) -> list[str]:
    """Where each mark stands, and the words themselves."""
    return [f"{mark.where}: “{mark.words}”" for mark in _marks(finding)]


def mark_codes(finding: Finding | ClipFinding) -> list[str]:
    """The same for a line of a table."""
    return list(dict.fromkeys(SAYS_IN_SHORT[mark.says] for mark in _marks(finding)))


def mark_cell(finding: Finding | ClipFinding) -> str:
    """The same for a table's cell: `made: Stable Diffusion (PNG text 'parameters')`, one behind the other."""
    return "; ".join(f"{mark.says}: {_place(mark, finding)}" for mark in _marks(finding))


def file_facts(finding: Finding) -> list[tuple[str, str]]:
    """(name, value) pairs of what is known of the file, none of which is a part of the score."""
    image, credentials = finding.image, finding.provenance
    if image is None:
        return []
    kind = image.format + (f", quality about {image.jpeg_quality}" if image.jpeg_quality else "")
    size = f", {size_text(image.file_bytes)}" if image.file_bytes else ""
    facts = [("Format", kind), ("Size", f"{image.width} × {image.height} px{size}")]
    said = (("Camera", image.camera), ("Lens", image.lens), ("Software", image.software))
    facts += [(name, value) for name, value in said if value]
    if credentials is not None:
        facts.append((CREDENTIALS, credentials.message))
        if credentials.signed_by:
            trust = "on a trust list" if credentials.trusted else "not checked against a trust list"
            facts.append(("Signed by", f"{credentials.signed_by} ({trust})"))
        facts += [("Made with", f"{credentials.made_with} (its own words)")] if credentials.made_with else []
    return facts


def trace(finding: Finding | ClipFinding, detector: Detector) -> list[tuple[str, str]]:
    """(name, value) pairs by which somebody else can tell which file was answered, when, and by what (the bundle's SHA-256)."""
    facts = finding.clip if isinstance(finding, ClipFinding) else finding.image
    return [
        *([("SHA-256", facts.sha256)] if facts else []),
        ("Checked", finding.checked.replace("T", " ")),
        ("Detector", f"{detector.label}, policy {detector.policy}, unmask {__version__}"),
        ("Bundle", detector.bundle.sha256),
    ]


def as_text(finding: Finding | ClipFinding, detector: Detector) -> str:
    """A finding to paste into a mail or a story's notes."""
    if isinstance(finding, ClipFinding):
        what, messages, parts = "clip", clip_remarks(finding), _people_lines(finding)
        thresholds = clip_thresholds(detector.info, detector.policy)
        facts = [("File", clip_text(finding.clip, len(finding.looked_at)))] if finding.clip else []
    else:
        what, messages, parts = "picture", remarks(finding), _face_lines(finding)
        thresholds, facts = detector.thresholds, file_facts(finding)
    lines = [f"{what.capitalize()}: {finding.path or what}"]
    if sentences := mark_sentences(finding):
        lines += [*sentences, *mark_quotes(finding), MARK_MEANS]
    if finding.verdict is not None and finding.score is not None:
        lines += [
            f"Verdict: {finding.verdict.upper()}",
            f"P(fake): {score_text(finding.score)} (real below {limit_text(thresholds.real_below)}, "
            f"fake above {limit_text(thresholds.fake_above)}, unsure between)",
            " ".join(meanings(finding.verdict, what)),
        ]
        if finding.verdict is Verdict.REAL and (known := knows(detector.info, detector.policy)):
            lines.append(known)
        lines += parts
    elif finding.failure is not None:
        lines += [f"No answer: {reason(finding.failure, finding.path)}", f"Hint: {hint(finding.failure, what)}"]
    lines += [f"Keep in mind: {message}" for message in messages]
    lines += [f"{name}: {value}" for name, value in (*facts, *trace(finding, detector))]
    if finding.verdict is not None:
        lines.append(HINT_NOT_PROOF)
    return "\n".join(lines) + "\n"


def _face_lines(finding: Finding) -> list[str]:
    """Of several faces, which decided and what each got."""
    if not (sentence := because(finding)):
        return []
    faces = by_suspicion(finding.faces)
    return [sentence, *(f"Face {number}: {face.verdict}, P(fake) {score_text(face.score)}" for number, face in faces)]


def _people_lines(finding: ClipFinding) -> list[str]:
    lines = []
    for number, person in enumerate(finding.people, start=1):
        decisive = sorted((person.moments[at] for at in person.decisive), key=lambda moment: moment.time)
        times = ", ".join(f"{time_text(moment.time)} ({score_text(moment.face.score)})" for moment in decisive)
        lines.append(f"Person {number}: {person.verdict}, P(fake) {score_text(person.score)}, decided at {times}")
    return lines


def _marks(finding: Finding | ClipFinding) -> tuple[Mark, ...]:
    facts = finding.clip if isinstance(finding, ClipFinding) else finding.image
    return facts.marks if facts else ()


def _place(mark: Mark, finding: Finding | ClipFinding) -> str:
    where = mark.where
    credentials = None if isinstance(finding, ClipFinding) else finding.provenance
    if where == CREDENTIALS:
        states = {"valid": "that hold", "invalid": "that do not hold", "unreadable": "that cannot be checked"}
        where += f" {states.get(credentials.state if credentials else '', 'that were not verified')}"
    return f"{mark.generator} ({where})" if mark.generator else where
