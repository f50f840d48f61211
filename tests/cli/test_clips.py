"""`unmask check` of clips, with the small detector."""

import csv
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from unmask.cli.main import main


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
        "most suspicious at 0:0",
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
    assert all(name.startswith("0001-clip-person1-") and name.endswith("s.png") for name in names)


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
    assert "interrupted: the clip was checked in part\n" in result.stderr


def test_ctrl_c_leaves_a_document_that_says_so(run, clip_file, monkeypatch):
    monkeypatch.setattr("unmask.checking.looking.Looking.take", stop_after(4))
    document = json.loads(run(clip_file, clip_file, "--json").stdout)
    assert document["interrupted"] is True
    assert "interrupted" in [note["code"] for note in document["findings"][0]["notes"]]


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
