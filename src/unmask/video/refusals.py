"""Why a clip is refused and what to keep in mind about one, in words; the decoder's process sends codes only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask.errors import UnmaskError
from unmask.finding import Note
from unmask.image.colour import UNCERTAIN
from unmask.system.python import pip_install

if TYPE_CHECKING:
    from unmask.video.limits import ClipLimits

_CONVERT = "Save it as an MP4 (H.264) with a video program, and check that."
_AGAIN = "Copy or download it again, or save it anew with a video program."
PART = "Cut out the part that matters, or save it smaller."
EXTRA, NO_EXTRA = "'unmask[video]'", "no-video-extra"
# By the decoder's codes: what happened, with the file's name and a detail, and what to do.
_REFUSALS = {
    "empty-file": ("{name} is empty", "Copy or download it again."),
    "not-a-clip": (
        "{name} is not a clip that can be read",
        "Give a video: MP4, MOV, WebM, MKV, AVI, or a GIF that moves.",
    ),
    "cannot-open": ("{name} begins like a video but cannot be opened", _AGAIN),
    "damaged": ("{name} is damaged and cannot be decoded", _AGAIN),
    "no-video": ("{name} holds no moving picture", "Give a clip in which a face can be seen."),
    "no-frames": ("{name} holds no frame that can be decoded in the part that is looked at", _AGAIN),
    "empty-part": (
        "the frames of {name} lie between {detail} s, and none of them in the part that was asked for",
        "Name another part: --from and --to on the command line, start and end in the library.",
    ),
    "unsupported-codec": ("{name} is packed in a way that is not read ({detail})", _CONVERT),
    "too-many-pixels": ("{name} has too many pixels a frame: {detail}", "Save it at 4K or smaller."),
    "too-many-frames": ("{name} has too many frames", PART),
    "too-long": (
        "{name} is too long: {detail} can be looked at",
        "Name a part of it: --from and --to on the command line, start and end in the library.",
    ),
    "decoder-memory": ("{name} needs more memory than its decoder may use or than is free", PART),
    "decoder-time": ("{name} takes its decoder more than {detail} s of processor time", PART),
    "decoder-hung": ("the decoder of {name} gave no frame for {detail} s", _CONVERT),
    "decoder-start": ("the decoder of {name} cannot be started: {detail}", "Free some memory, and check it again."),
    NO_EXTRA: (
        "{name} is a video, which needs the extra `video`",
        f"Run {pip_install(EXTRA)} (in a clone: '.[video]'), or save a frame as PNG and check that.",
    ),
    "decoder-died": ("the decoder of {name} crashed", _CONVERT),
}
NOTES = {
    note.code: note
    for note in (
        Note(UNCERTAIN.code, "The clip's colours were converted for the screen, and may be off."),
        Note(
            "several-streams", "The file holds several videos; only one that players show, the largest, was looked at."
        ),
        Note("odd-times", "The times in this clip make no sense; equal steps were assumed."),
        Note("cut-off", "The file says that it is longer than what can be read of it; what there is was looked at."),
        Note("damaged-frames", "Frames of this clip are damaged; they were left out."),
        Note(
            "interlaced",
            "This clip is interlaced: edges that move have combs, which the detector never saw in training.",
        ),
        Note("turned-oddly", "The clip asks to be turned by an odd angle; it was turned to the nearest right one."),
        Note("transparent", "Transparent parts of the clip were laid on white."),
        Note("colour-profile", "The clip's colour profile could not be used; colours may be a little off."),
    )
}


def refusal(code: str, name: str, detail: str = "") -> UnmaskError:
    """The error for a code.

    Args:
        code: One of the decoder's; any other counts as a crash.
        name: What to call the clip.
        detail: What the decoder adds; shown only where it is short and plain.
    """
    known = code if code in _REFUSALS else "decoder-died"
    message, hint = _REFUSALS[known]
    plain = detail if len(detail) <= 40 and detail.isprintable() else "?"
    return UnmaskError(message.format(name=name, detail=plain or "unknown"), hint=hint, code=known)


def died(name: str, status: int, limits: ClipLimits) -> UnmaskError:
    """The error for a decoder that has ended without a word.

    Args:
        name: What to call the clip.
        status: Of its process; -24 is SIGXCPU, the end of its time; -9 SIGKILL, by a system that runs out of memory.
        limits: That it had.
    """
    code = {-24: "decoder-time", -9: "decoder-memory"}.get(status, "decoder-died")
    return refusal(code, name, str(limits.decoder_seconds))
