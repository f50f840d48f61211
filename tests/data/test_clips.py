"""Clips of a dataset -> pictures of their frames."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from tests.data.pictures import jpeg, picture
from tests.data.test_prepare import contents, reasons
from tests.video.clips import animation, damaged, video

from unmask.cli.data import prepare as prepare_verb
from unmask.data.prepare import prepare
from unmask.errors import UnmaskError
from unmask.face.crop import crop_faces, cut
from unmask.face.finder import FaceFinder
from unmask.image.resize import resize
from unmask.video.reader import read_clip

REAL, FAKE = "Train/Real/a.gif", "Train/Fake/b.gif"


def write_clips(root: Path, count: int = 1) -> Path:
    """A split with so many pictures and clips a class, the clips with 8 frames, 0.2 s apart."""
    for name in ("Real", "Fake"):
        folder = root / "Train" / name
        folder.mkdir(parents=True)
        for number in range(count):
            clip = animation("GIF", frames=8, size=(96 + 4 * number, 80 + 8 * (name == "Fake")))
            (folder / f"{'ab'[name == 'Fake']}{number or ''}.gif").write_bytes(clip)
            (folder / f"m{number}.jpg").write_bytes(jpeg(picture(number + 10 * (name == "Fake"))))
    return root


def test_frames_are_rows_evenly_spread_and_one_group_a_clip(tmp_path: Path) -> None:
    dataset = write_clips(tmp_path / "data")
    prepared = prepare(dataset, tmp_path / "out", size=64, frames_per_clip=4)
    rows = prepared.entries("Train")
    times = ("0.20", "0.60", "1.00", "1.40")
    assert [row.path for row in rows[:5]] == [*(f"{REAL}#t={time}" for time in times), "Train/Real/m0.jpg"]
    assert [row.group for row in rows] == [REAL] * 4 + [""] + [FAKE] * 4 + [""]
    assert len({row.sha256 for row in rows}) == 10
    assert (rows[0].width, rows[0].height) == (96, 80)
    with read_clip(dataset / REAL, frames=4) as clip:
        expected = [resize(frame.pixels, 64) for frame in clip]
    np.testing.assert_array_equal(prepared.images("Train")[:4], expected)
    assert "Train/Real/a.gif#t=0.20,GIF gif," in (tmp_path / "out" / "facts.csv").read_text()


def test_the_output_is_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    dataset = write_clips(tmp_path / "data", 2)
    prepare(dataset, tmp_path / "one", size=64, workers=1)
    prepare(dataset, tmp_path / "three", size=64, workers=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")


def test_a_killed_job_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    dataset = write_clips(tmp_path / "data", 2)
    program = (
        "import os, signal, sys; from pathlib import Path; from unmask.data.prepare import prepare\n"
        "def show(done, total):\n"
        "    print(done, total, flush=True)\n"
        "    if done == int(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"prepare(Path({str(dataset)!r}), Path({str(tmp_path / 'killed')!r}), size=64, workers=2, progress=show)"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run([*command, "4"], check=False).returncode == -signal.SIGKILL
    again = subprocess.run([*command, "-1"], check=True, capture_output=True, text=True).stdout.splitlines()
    prepare(dataset, tmp_path / "whole", size=64)
    assert again == [f"{done} 8" for done in (4, 5, 6, 8)]
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_the_groups_of_the_datasets_manifest_come_first(tmp_path: Path) -> None:
    dataset = write_clips(tmp_path / "data")
    (dataset / "manifest.csv").write_text(f"path,source,method,group\n{FAKE},ffpp,swap,person 7\n{REAL},ffpp,,\n")
    prepared = prepare(dataset, tmp_path / "out", size=64, frames_per_clip=2)
    found = {(row.source, row.method, row.group) for row in prepared.entries("Train") if "#t=" in row.path}
    assert found == {("ffpp", "", REAL), ("ffpp", "swap", "person 7")}


def test_a_clip_that_cannot_be_used_is_one_row_with_the_reason(tmp_path: Path) -> None:
    dataset = write_clips(tmp_path / "data")
    folder = dataset / "Train/Real"
    (folder / "no_video.mp4").write_bytes(b"\0\0\0\x20ftypmp42" + bytes(100))
    (folder / "small.gif").write_bytes(animation("GIF", frames=8, size=(320, 48)))
    prepared = prepare(dataset, tmp_path / "out", size=64, frames_per_clip=2)
    assert reasons(tmp_path / "out") == {"no_video.mp4": "file-too-small", "small.gif": "too-small"}
    assert prepared.counts["Train"] == {"real": 3, "fake": 3, "rejected": 2}


@pytest.mark.video
def test_damaged_frames_are_left_out_with_a_row_that_says_so(tmp_path: Path) -> None:
    dataset = write_clips(tmp_path / "data")
    (dataset / "Train/Real/cut.mp4").write_bytes(b"\0\0\0\x20ftypmp42" + bytes(4000))
    noisy = damaged(video("avi", "mjpeg", pixel_format="yuvj420p", size=(160, 128)), 0.3, 9000)
    (dataset / "Train/Real/noisy.avi").write_bytes(noisy)
    prepared = prepare(dataset, tmp_path / "out", size=64, frames_per_clip=24)
    assert reasons(tmp_path / "out") == {"cut.mp4": "cannot-open", "noisy.avi": "damaged-frames"}
    assert 0 < sum("noisy.avi#t=" in row.path for row in prepared.entries("Train")) < 24


def test_a_video_is_rejected_with_a_hint_where_the_extra_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_clips(tmp_path / "data")
    (dataset / "Train/Real/clip.mp4").write_bytes(b"\0\0\0\x20ftypmp42" + bytes(4000))
    monkeypatch.setattr("unmask.video.reader.importlib.util.find_spec", lambda name: None)
    arguments = [str(dataset), "--out", str(tmp_path / "out"), "--frames-per-clip", "2", "--workers", "1"]
    result = CliRunner().invoke(prepare_verb, arguments)
    assert result.exit_code == 0, result.output
    assert "rejected: 1 no-video-extra" in result.output
    assert "pip install 'unmask[video]'" in result.output
    assert "4 of these pictures are frames of 2 clips" in result.output


def test_the_largest_face_of_each_frame_is_cut_as_everywhere(tmp_path: Path, drawn_face: NDArray[np.uint8]) -> None:
    dataset = write_clips(tmp_path / "data")
    shown = np.full((300, 400, 3), 127, np.uint8)
    shown[40:260, 60:280] = resize(drawn_face, 220)
    shown[200:280, 310:390] = resize(drawn_face, 80)
    frames = [Image.fromarray(pixels) for pixels in (shown, np.full_like(shown, 127), shown[:, ::-1])]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=500, lossless=True)
    (dataset / "Train/Real/face.webp").write_bytes(file.getvalue())
    prepared = prepare(dataset, tmp_path / "out", size=64, crop="face")
    assert reasons(tmp_path / "out")["face.webp#t=0.50"] == "no-face"
    assert [row.path[-12:] for row in prepared.entries("Train")] == [".webp#t=0.00", ".webp#t=1.00"]
    for image, pixels in zip(prepared.images("Train"), (shown, np.ascontiguousarray(shown[:, ::-1])), strict=True):
        largest = crop_faces(pixels, FaceFinder.load().find(pixels)).kept[0]
        np.testing.assert_array_equal(image, resize(cut(pixels, largest.square), 64))


def test_frames_of_a_fast_clip_have_names_of_their_own(tmp_path: Path) -> None:
    dataset = write_clips(tmp_path / "data")
    (dataset / REAL).write_bytes(animation("WEBP", frames=20, milliseconds=12))
    rows = prepare(dataset, tmp_path / "out", size=64).manifest
    assert len({row.path for row in rows}) == len(rows) == 16 + 8 + 2


@pytest.mark.parametrize("frames", [0, 2001])
def test_an_impossible_number_of_frames_is_refused(tmp_path: Path, frames: int) -> None:
    with pytest.raises(UnmaskError) as caught:
        prepare(tmp_path, tmp_path / "out", frames_per_clip=frames)
    assert caught.value.code == "bad-frames"
