"""The process in which strangers' clips are decoded: `python -m unmask.video.decoder`, started by `unmask.video.reader`.

Reads the file on standard input and a request (JSON) on the command line; writes messages to standard output, each a length of 4
bytes, a JSON object, and for a frame its pixels. It ends by itself when nobody reads any more.

Before the first byte of the clip is looked at, the system is asked to hold this process to so much memory and processor time and
to let it open no further file, and so no connection either: neither a playlist nor a broken decoder can reach anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from unmask.video.messages import RefusedError, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def main() -> None:
    """Decode what is on standard input."""
    request = json.loads(sys.argv[1])
    if request["kind"]:
        from unmask.video.animation import decode
    else:
        from unmask.video.ffmpeg import decode
    run(decode, request)


def run(decode: Callable[[dict[str, Any]], Iterable[None]], request: dict[str, Any]) -> None:
    """Decode within the limits; what goes wrong becomes a message."""
    _confine(request["limits"])
    try:
        for _ in decode(request):
            pass
    except BrokenPipeError:  # whoever asked has seen enough
        os._exit(0)
    except RefusedError as refusal:
        send({"type": "refusal", "code": refusal.code, "detail": refusal.detail})
    except MemoryError:
        send({"type": "refusal", "code": "decoder-memory", "detail": ""})
    except Exception as error:
        send({"type": "refusal", "code": "damaged", "detail": type(error).__name__})
    # Destructors of a decoder that met broken bytes are not run: what is left goes with the process.
    os._exit(0)


def _confine(limits: dict[str, Any]) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": limits["decoder_seconds"],
        "RLIMIT_AS": limits["decoder_bytes"],
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 0,  # what is open stays so; not even in its place can anything else be opened
    }
    for name, value in wanted.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            limit = getattr(resource, name)
            hard = resource.getrlimit(limit)[1]
            # At the soft end of its time a process gets a signal that tells why it ended; at the hard one, SIGKILL.
            most = value + 5 if name == "RLIMIT_CPU" else value
            value, most = (number if hard == resource.RLIM_INFINITY else min(number, hard) for number in (value, most))
            resource.setrlimit(limit, (value, most))


if __name__ == "__main__":
    main()
