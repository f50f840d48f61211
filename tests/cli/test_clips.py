"""`unmask check` of clips, with the small detector."""

import csv
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from unmask.checking import check
from unmask.cli.main import main
from unmask.errors import UnmaskError


@pytest.fixture
def run(toy_bundle):
    def call(*arguments):
        return CliRunner().invoke(
            main, ["check", "--bundle", str(toy_bundle), *map(str, arguments)], catch_exceptions=False
        )

    return call


def stop_after(count):
    """Ctrl-C once so many frames were looked at."""
    from unmask.checking.looking import Looking

    take = Looking.take

    def stopping(self, frame):
        take(self, frame)
        if len(self.times) == count:
            raise KeyboardInterrupt

    return stopping


def test_a_clip_gets_a_card_with_a_timeline(run, clip_file):
    result = run(clip_file)
    assert result.exit_code == 0
    for part in (
        "P(fake)",
        "person 1",
        "6 samples",
        "decided at 0:0",
        "6 of 6 frames looked at",
        "240 x 160",
        "toy 0.1",
    ):
        assert part in result.stdout.replace("\n", " ").replace("│ ", "")
    assert any(word in result.stdout for word in ("REAL", "UNSURE", "FAKE"))
    assert any(6 * step in result.stdout for step in "▁▂▄▅▇█")


def test_the_json_document_holds_people_and_their_moments(run, clip_file):
    (finding,) = json.loads(run(clip_file, "--json").stdout)["findings"]
    (person,) = finding["people"]
    assert [moment["frame"] for moment in person["moments"]] == list(range(6))
    assert finding["clip"]["frames"] == 6
    assert finding["looked_at"] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def test_the_table_has_a_row_for_each_sampled_face(run, clip_file, face_file, tmp_path):
    run(face_file, clip_file, tmp_path / "missing.mp4", "--csv", tmp_path / "o.csv")
    with (tmp_path / "o.csv").open(newline="") as file:
        picture, *faces, missing = csv.DictReader(file)
    assert [row["frame"] for row in faces] == list("012345")
    assert [row["time"] for row in faces] == ["0.000", "0.200", "0.400", "0.600", "0.800", "1.000"]
    assert {row["person"] for row in faces} == {"1"}
    assert {(row["clip_verdict"], row["clip_score"]) for row in faces} == {
        (row["person_verdict"], row["person_score"]) for row in faces
    }
    assert (picture["person"], picture["clip_verdict"], missing["failure"]) == ("", "", "missing")


def test_the_page_has_a_timeline_and_key_frames(run, clip_file, face_file, tmp_path):
    run(clip_file, face_file, "--html", tmp_path / "o.html")
    page = (tmp_path / "o.html").read_text()
    assert page.count("<article") == 2
    assert page.count('<svg class="timeline-chart"') == 1
    assert page.count('<g class="dot') == 6
    assert page.count("<figure>") == 3 + 1
    assert page.count('<article class="clip"') == 1
    assert "<title>Unmask: 1 picture and 1 clip</title>" in page
    assert "http" not in page.replace("http-equiv", "")


def test_heatmaps_are_written_for_the_moments_that_decided(run, clip_file, tmp_path):
    run(clip_file, "--heatmap", tmp_path / "maps")
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert len(names) == 3
    assert all(name.startswith("0001-clip-person1-") and re.search(r"s-frame\d\.png$", name) for name in names)


def test_heatmaps_of_moments_close_to_each_other_are_all_written(run, clip_file, tmp_path, monkeypatch):
    from unmask.checking.looking import Looking

    take = Looking.take
    monkeypatch.setattr(Looking, "take", lambda self, frame: take(self, replace(frame, time=frame.time / 200_000)))
    run(clip_file, "--heatmap", tmp_path / "maps")
    assert len(list((tmp_path / "maps").glob("0001-clip-person1-0.00s-frame?.png"))) == 3


def test_clips_stand_in_the_table_among_pictures(run, clip_file, face_file, tmp_path):
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x20ftypmp42" + bytes(500))
    result = run(face_file, clip_file, tmp_path / "cut.mp4")
    assert result.exit_code == 1
    assert "1 picture and 2 clips: " in result.stdout
    assert "1 not readable" in result.stdout


def test_a_part_of_a_clip(run, clip_file):
    def looked_at(*options):
        return json.loads(run(clip_file, "--json", *options).stdout)["findings"][0]["looked_at"]

    assert looked_at("--frames", 2) == [0.2, 0.8]
    assert looked_at("--every", 0.4) == [0.0, 0.4, 0.8]
    assert looked_at("--from", 0.3, "--to", 0.7) == [0.4, 0.6]
    assert looked_at("--from", "0:00.3", "--to", "0:00.7") == [0.4, 0.6]


def test_what_says_the_same_twice_is_wrong_use(run, clip_file):
    result = run(clip_file, "--frames", 2, "--every", 1)
    assert result.exit_code == 2
    assert "hint:" in result.stderr


def test_a_clip_without_a_face_is_no_error(run, tmp_path):
    frames = [Image.new("RGB", (200, 160), (90, shade, 60)) for shade in (90, 120, 150)]
    frames[0].save(tmp_path / "meadow.gif", save_all=True, append_images=frames[1:])
    result = run(tmp_path / "meadow.gif", "--fail-on", "no-face")
    assert result.exit_code == 3
    assert "No face found" in result.stdout
    assert "Give a clip in which" in result.stdout.replace("\n", " ").replace("│ ", "")


def test_ctrl_c_prints_what_is_known_and_says_so(run, clip_file, monkeypatch):
    monkeypatch.setattr("unmask.checking.looking.Looking.take", stop_after(4))
    result = run(clip_file)
    assert result.exit_code == 130
    assert "4 samples" in result.stdout
    assert "Stopped after 4 of 6 frames." in result.stdout
    assert result.stderr.endswith("interrupted: the clip was checked in part\n")


def test_ctrl_c_before_the_first_frame_says_that_nothing_was_checked(run, clip_file, face_file, monkeypatch):
    def stopping(self, frame):
        raise KeyboardInterrupt

    monkeypatch.setattr("unmask.checking.looking.Looking.take", stopping)
    assert run(clip_file).stderr.endswith("interrupted: the clip was not checked\n")
    again = "The same command begins at the first one again.\n"
    assert run(clip_file, face_file).stderr.endswith(f"interrupted: 0 of 2 files were checked\n{again}")


def test_ctrl_c_leaves_a_document_that_says_so(run, clip_file, monkeypatch):
    monkeypatch.setattr("unmask.checking.looking.Looking.take", stop_after(4))
    document = json.loads(run(clip_file, clip_file, "--json").stdout)
    assert document["interrupted"] is True
    assert "interrupted" in [note["code"] for note in document["findings"][0]["notes"]]


@pytest.mark.parametrize(
    "playlist", ["#EXTM3U\n#EXTINF:1,\nhttp://192.0.2.1/a.ts\n", "ffconcat version 1.0\nfile http://192.0.2.1/a.ts\n"]
)
def test_what_is_neither_a_picture_nor_a_clip_is_refused_with_a_hint_at_both(run, clip_file, tmp_path, playlist):
    (tmp_path / "list.m3u8").write_text(playlist)
    for paths in ([tmp_path / "list.m3u8"], [clip_file, tmp_path / "list.m3u8"]):
        failure = json.loads(run(*paths, "--json").stdout)["findings"][-1]["failure"]
        assert failure["code"] == "not-a-picture"
        assert "HEIC; or a clip: MP4" in failure["hint"]
    with pytest.raises(UnmaskError) as refused:
        check(tmp_path / "list.m3u8")
    assert "or a clip: MP4" in refused.value.hint


def test_a_report_does_not_take_the_place_of_a_clip(run, clip_file, face_file, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x20ftypmp42" + bytes(500))
    result = run(face_file, "--csv", tmp_path / "clip.mp4", "--overwrite")
    assert result.exit_code == 2
    assert "would be overwritten" in result.stderr


@pytest.mark.video
def test_a_video_is_answered_and_without_the_extra_refused_with_a_hint(run, clip_file, tmp_path, monkeypatch):
    from tests.video import clips

    with Image.open(clip_file) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    path = tmp_path / "clip.mp4"
    path.write_bytes(clips.video(frames=12, size=(240, 160), draw=lambda *_: pixels))
    assert "h264" in run(path).stdout
    monkeypatch.setattr("unmask.video.reader.importlib.util.find_spec", lambda name: None)
    result = run(path)
    assert result.exit_code == 1
    assert "pip install 'unmask[video]'" in result.stdout.replace("\n", " ").replace("│ ", "")


def test_a_folder_with_a_clip_is_searched_for_it(run, clip_file, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(clip_file, folder / "a.bin")
    assert "a.bin" in run(folder, clip_file).stdout
