"""The words and marks of answers, the same in a terminal, in a report, on the web page and in text to paste elsewhere."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from unmask.finding import ClipFinding, Verdict
from unmask.image.file import printable_name

if TYPE_CHECKING:
    from unmask.finding import ClipFacts, Failure, Finding, Note

# Word, shape and colour: none of them alone carries the verdict.
MARKS = {Verdict.REAL: "●", Verdict.UNSURE: "◆", Verdict.FAKE: "▲"}
NO_MARK = "–"

MEANINGS = {
    Verdict.REAL: (
        "The detector sees no sign of the fakes that it knows.",
        "That is no proof that the picture is real: a new kind of fake can pass.",
    ),
    Verdict.UNSURE: (
        "The detector cannot tell real from fake here.",
        "Treat the picture as unchecked: look for its source, an earlier copy, or a larger version.",
    ),
    Verdict.FAKE: (
        "The detector sees what it learned to see in fakes.",
        "That is a hint, not proof: some real pictures look like this, too, so check where it comes from.",
    ),
}
HINT_NOT_PROOF = "A verdict is a hint, not proof."
EMPTY_HEATMAP = "Nothing in this face raised the score, so its heatmap is empty."
# How the answers are counted, by the fields of a tally.
OUTCOMES = {
    "real": "real",
    "unsure": "unsure",
    "fake": "fake",
    "no_face": "without a face",
    "unreadable": "not readable",
}


def score_text(score: float) -> str:
    """A score in two digits, never rounded to a certainty.

    Args:
        score: P(fake), 0..1.

    Example:
        >>> score_text(0.5), score_text(0.999), score_text(0.0)
        ('0.50', 'above 0.99', 'below 0.01')
    """
    if score < 0.005:
        return "below 0.01"
    return "above 0.99" if score >= 0.995 else f"{score:.2f}"


def limit_text(threshold: float) -> str:
    """A threshold in as few digits as tell it from 0 and 1.

    Example:
        >>> limit_text(0.2309), limit_text(0.9986), limit_text(1.0)
        ('0.23', '0.999', '1')
    """
    if threshold in (0.0, 1.0):
        return f"{threshold:.0f}"
    digits = next((digits for digits in range(2, 9) if 0.0 < round(threshold, digits) < 1.0), 9)
    return f"{threshold:.{digits}f}"


def meanings(verdict: Verdict, what: str = "picture") -> tuple[str, ...]:
    """What a verdict means and what it does not, about a picture or about a clip."""
    return tuple(sentence.replace("picture", what) for sentence in MEANINGS[verdict])


def counted(files: int, clips: int = 0) -> str:
    """How many pictures and clips there are.

    Args:
        files: All of them.
        clips: So many of these are clips.

    Example:
        >>> counted(1), counted(3, 1), counted(2, 2)
        ('1 picture', '2 pictures and 1 clip', '2 clips')
    """
    numbers = ((files - clips, "picture"), (clips, "clip"))
    shown = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in numbers
        if count or (word == "picture" and not clips)
    ]
    return " and ".join(shown)


def time_text(seconds: float) -> str:
    """A moment of a clip.

    Args:
        seconds: From its start, as in a player.

    Example:
        >>> time_text(7.94), time_text(3725.0)
        ('0:07.9', '1:02:05.0')
    """
    tenths = round(10 * seconds)
    hours, minutes, rest = tenths // 36_000, tenths // 600 % 60, tenths % 600 / 10
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def formats() -> str:
    """The kinds of pictures that this installation reads, as the page names them."""
    return "JPEG, PNG, WebP, TIFF, BMP, GIF" + (", AVIF or HEIC" if find_spec("pillow_heif") else " or AVIF")


def clip_formats() -> str:
    """The kinds of clips that this installation reads, as the page names them."""
    moving = "GIF, PNG and WebP that move"
    return f"MP4, MOV, WebM, MKV, AVI and others, {moving}" if find_spec("av") else moving


# Text that cannot write over the lines above it or turn the reading direction around: a file's name, or what names one.
printable = printable_name


def size_text(count: int) -> str:
    """Bytes for people."""
    kilobytes = max(1, round(count / 1000))
    return f"{count / 1e6:.1f} MB" if kilobytes >= 1000 else f"{kilobytes} kB"


def remarks(finding: Finding) -> list[str]:
    """What to keep in mind, each sentence once; of several faces with their numbers, those that differ in a number together."""
    alike: dict[str, list[tuple[int, str]]] = {}
    for number, face in enumerate(finding.faces, start=1):
        for note in face.notes:
            alike.setdefault(re.sub(r"\d+", "#", note.message), []).append((number, note.message))
    messages = [note.message for note in finding.notes]
    for found in alike.values():
        texts = list(dict.fromkeys(message for _, message in found))
        message = texts[0] if len(texts) == 1 else _span(texts)
        messages.append(f"{_named([number for number, _ in found])}: {message}" if len(finding.faces) > 1 else message)
    return list(dict.fromkeys(messages))


def _span(texts: list[str]) -> str:
    """Sentences that differ in their numbers as one."""
    numbers = [[int(number) for number in re.findall(r"\d+", text)] for text in texts]
    spans = (
        f"{low} to {high}" if low < high else f"{low}"
        for low, high in ((min(some), max(some)) for some in zip(*numbers, strict=True))
    )
    return re.sub(r"\d+", lambda _: next(spans), texts[0])


def _named(numbers: list[int]) -> str:
    """Faces by their numbers, which rise: 1, 2, 3 and 5 as `Faces 1 to 3 and 5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [part for run in runs for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    text = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    return f"Face {text}" if len(numbers) == 1 else f"Faces {text}"


def clip_remarks(finding: ClipFinding) -> list[str]:
    """What to keep in mind about a clip, each kind of remark once; of faces, those that hold for half of a person's or more."""
    messages = [note.message for note in finding.notes]
    for number, person in enumerate(finding.people, start=1):
        begin = f"Person {number}: " if len(finding.people) > 1 else ""
        messages += [f"{begin}{note.message}" for note in person.notes]
        of_faces: dict[str, list[Note]] = {}
        for moment in person.moments:
            for note in moment.face.notes:
                of_faces.setdefault(note.code, []).append(note)
        own = {note.code for note in person.notes}
        for code, notes in of_faces.items():
            if code not in own and 2 * len(notes) >= len(person.moments):
                often = f"in {len(notes)} of {len(person.moments)} samples: " if len(person.moments) > 1 else ""
                messages.append(f"{begin}{often}{notes[0].message}")
    return list(dict.fromkeys(messages))


def note_codes(finding: Finding | ClipFinding) -> list[str]:
    """The codes of what to keep in mind, about the whole and about each face or person, for a line of a table."""
    parts = finding.people if isinstance(finding, ClipFinding) else finding.faces
    notes = [*finding.notes, *(note for part in parts for note in part.notes)]
    return list(dict.fromkeys(note.code for note in notes))


def clip_text(facts: ClipFacts, looked_at: int) -> str:
    """What is known of a clip's file, and how much of it was looked at."""
    return (
        f"{facts.format}, {facts.codec}, {facts.width} x {facts.height}, {time_text(facts.duration)}, "
        f"{facts.frame_rate:.3g} frames a second, {size_text(facts.file_bytes)}; "
        f"{looked_at:,} of {facts.frames:,} frames looked at"
    )


def reason(failure: Failure, path: str | None = None) -> str:
    """Why there is no answer, as a sentence.

    Args:
        failure: Of a picture.
        path: Its file; a name at the beginning of the sentence stays as it is.
    """
    text = re.sub("^The picture is not a picture", "This file is not a picture", failure.message)
    text = text if path and text.startswith(path) else text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def hint(failure: Failure, what: str = "picture") -> str:
    """What to do, without the command line's options, about a picture or about a clip."""
    if failure.code == "no-face":
        return f"Give a {what} in which a face can be seen from the front and is not too small."
    return failure.hint
