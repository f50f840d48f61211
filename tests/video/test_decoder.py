"""A decoder that crashes, hangs or lies."""

import sys
from dataclasses import replace

import pytest

from tests.video import clips
from tests.waiting import PATIENCE
from unmask.errors import UnmaskError
from unmask.video import reader
from unmask.video.limits import CLIP_LIMITS
from unmask.video.reader import read_clip


@pytest.mark.video
def test_the_decoder_can_open_no_further_file(monkeypatch):
    if sys.platform != "linux":
        pytest.skip("no such limit here")
    code = "import json, os, sys; from unmask.video.decoder import run; "
    code += "run(lambda request: [os.close(0), open('/etc/hostname')], json.loads(sys.argv[1]))"
    monkeypatch.setattr(reader, "COMMAND", [sys.executable, "-c", code])
    with pytest.raises(UnmaskError) as refused:
        read_clip(clips.animation("GIF"))
    assert refused.value.code == "damaged"


def test_the_decoder_learns_no_secret_from_the_environment(monkeypatch):
    monkeypatch.setenv("UNMASK_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHON_GITLAB_PRIVATE_TOKEN", "secret")
    code = "import os; from unmask.video.messages import send; found = [n for n, v in os.environ.items() if 'secret' in v]; "
    code += f"send({FACTS} | {{'codec': 'has ' + ' '.join(found)}})"
    monkeypatch.setattr(reader, "COMMAND", [sys.executable, "-c", code])
    with read_clip(clips.animation("GIF")) as clip:
        assert clip.facts.codec == "has "


FACTS = {
    "type": "facts", "format": "GIF", "codec": "gif", "width": 4, "height": 4, "frames": 1, "duration": 1.0, "frame_rate": 1.0,
    "wanted": 1,
}  # fmt: skip
DECODERS = {
    "crashes": ("import os; os.abort()", "decoder-died"),
    "takes all its time": (
        "import json, sys; from unmask.video.decoder import run; run(lambda request: iter(int, 1), json.loads(sys.argv[1]))",
        "decoder-time",
    ),
    "is killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "decoder-memory"),
    "hangs": ("import time; time.sleep(60)", "decoder-hung"),
    "writes nonsense": ("print('nonsense' * 1000)", "decoder-died"),
    "writes a long message": (r"import sys; sys.stdout.buffer.write(b'\xff' * 100)", "decoder-died"),
    "writes too large a frame": (
        "from unmask.video.messages import send; send({'type': 'frame', 'height': 10**6, 'width': 10**6})", "decoder-died",
    ),
    "begins with a frame": (
        "import numpy as np; from unmask.video.messages import send; "
        "send({'type': 'frame', 'height': 1, 'width': 1}, np.zeros((1, 1, 3), np.uint8))", "decoder-died",
    ),
    "says that the extra is missing": (
        "from unmask.video.messages import send; send({'type': 'refusal', 'code': 'no-video-extra'})", "decoder-died",
    ),
    "writes nonsense for ever": ("while True: print('nonsense' * 1000)", "decoder-died"),
    "writes nested lists": ("import sys; sys.stdout.buffer.write(b'\\0\\0\\xea\\x60' + b'[' * 60_000)", "decoder-died"),
    "leaves out what it is to tell": ("from unmask.video.messages import send; send({'type': 'facts'})", "decoder-died"),
    "tells a time that is none": (
        f"from unmask.video.messages import send; send({FACTS} | {{'duration': float('nan')}})", "decoder-died",
    ),
    "tells words to draw over others": (
        f"from unmask.video.messages import send; send({FACTS} | {{'codec': '\\x1b[2J'}})", "decoder-died",
    ),
    "makes up a code": ("from unmask.video.messages import send; send({'type': 'refusal', 'code': '<b>'})", "decoder-died"),
    "takes memory": (
        "import json, sys; from unmask.video.decoder import run; "
        "run(lambda request: [bytearray(10**11)], json.loads(sys.argv[1]))", "decoder-memory",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_that_fails_is_a_refusal_of_the_clip(name, monkeypatch):
    code, expected = DECODERS[name]
    monkeypatch.setattr(reader, "COMMAND", [sys.executable, "-c", code])
    monkeypatch.setattr(reader, "ENDING_SECONDS", 1.0 if name == "writes nonsense for ever" else PATIENCE)
    limits = replace(CLIP_LIMITS, stalled_seconds=PATIENCE)
    if name == "hangs":
        limits = replace(limits, stalled_seconds=1.0)
    elif name == "takes all its time":
        limits = replace(limits, decoder_seconds=1)
    with pytest.raises(UnmaskError) as refused:
        read_clip(clips.animation("GIF"), limits=limits)
    assert refused.value.code == expected


def test_a_decoder_that_cannot_be_started_is_an_error_with_a_hint(monkeypatch):
    monkeypatch.setattr(reader, "COMMAND", ["/no/such/python"])
    with pytest.raises(UnmaskError) as refused:
        read_clip(clips.animation("GIF"))
    assert refused.value.code == "decoder-start"
