"""Clips of a drawn face, checked with the small detector."""

import json
import os

import numpy as np
import pytest
from PIL import Image

import unmask
from tests.video import clips
from unmask.checking import Detector, Sampling, check_paths, examine_all, examine_clip
from unmask.checking.clips import read_key_frames
from unmask.errors import UnmaskError
from unmask.finding import ClipFinding, Finding, Status, Verdict
from unmask.video.limits import ClipLimits


@pytest.fixture(scope="module")
def face(drawn_face):
    """The drawn face at 128 px."""
    return np.asarray(Image.fromarray(drawn_face).resize((128, 128), Image.Resampling.BOX))


@pytest.fixture(scope="module")
def scene(face):
    """From a frame's number to a wide picture with two faces, one of which moves."""

    def draw(number, width=400, height=160):
        pixels = np.full((height, width, 3), 90, np.uint8)
        pixels[:, :, 1] = np.linspace(60, 140, width).astype(np.uint8)
        pixels[16:144, 10 + 2 * number : 138 + 2 * number] = face
        pixels[16:144, 260:388] = face[:, ::-1]
        return pixels

    return draw


def gif(pictures, milliseconds=200):
    from io import BytesIO

    frames = [Image.fromarray(pixels) for pixels in pictures]
    file = BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:], duration=milliseconds)
    return file.getvalue()


@pytest.fixture(scope="module")
def two_people(scene):
    return gif([scene(number) for number in range(6)])


def test_people_are_followed_and_each_gets_a_verdict(toy_detector, two_people):
    found = toy_detector.check_clip(two_people)
    assert found.status is Status.ANSWERED
    assert [len(person.moments) for person in found.people] == [6, 6]
    for person in found.people:
        assert [moment.frame for moment in person.moments] == list(range(6))
        assert [moment.time for moment in person.moments] == pytest.approx([0.2 * number for number in range(6)])
    left = min(found.people, key=lambda person: person.moments[0].face.box.left)
    assert [moment.face.box.left for moment in left.moments] == sorted(moment.face.box.left for moment in left.moments)
    assert found.verdict is max(found.people, key=lambda person: person.score).verdict
    assert found.looked_at == pytest.approx([0.2 * number for number in range(6)])
    assert (found.clip.format, found.clip.frames, found.clip.width, found.clip.height) == ("PNG", 6, 400, 160)


def test_only_the_decisive_moments_have_heatmaps(toy_detector, two_people):
    for person in toy_detector.check_clip(two_people).people:
        with_map = {at for at, moment in enumerate(person.moments) if moment.face.heatmap is not None}
        assert with_map == set(person.decisive)
        assert 1 <= len(person.decisive) <= 3
    plain = toy_detector.check_clip(two_people, heatmap=False)
    assert all(face.heatmap is None for face in plain.faces)


def test_a_face_in_a_clip_gets_the_score_that_it_has_in_a_picture(toy_detector, scene, two_people):
    picture = toy_detector.check(scene(3), heatmap=False)
    moments = [person.moments[3].face for person in toy_detector.check_clip(two_people, heatmap=False).people]
    assert {face.score for face in moments} == {face.score for face in picture.faces}


def test_equal_frames_are_judged_once(toy_detector, scene, monkeypatch):
    searched = []
    find = toy_detector.face_finder.find
    monkeypatch.setattr(toy_detector.face_finder, "find", lambda pixels: searched.append(1) or find(pixels))
    still = gif([scene(0), scene(0), scene(1), scene(0)])
    found = toy_detector.check_clip(still)
    assert len(searched) == 2
    # Pillow joins equal neighbours into one frame that is shown longer.
    assert all(len(person.moments) == found.clip.frames for person in found.people)


def test_the_json_form_is_plain_and_the_same_again(toy_detector, two_people):
    plain = toy_detector.check_clip(two_people).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain == toy_detector.check_clip(two_people).to_dict()
    assert set(plain["people"][0]) == {"verdict", "score", "moments", "decisive", "notes"}
    assert "seconds" not in plain
    assert "heatmap" not in plain["people"][0]["moments"][0]["face"]


def test_the_json_form_has_the_shape_of_its_type(toy_detector, two_people):
    from unmask.output.documents import entry
    from unmask.serve.schema import shape

    plain = entry(toy_detector.check_clip(two_people))
    assert shape(ClipFinding).model_validate(plain).model_dump(exclude_unset=True) == plain
    with pytest.raises(ValueError, match="extra"):
        shape(ClipFinding).model_validate({**plain, "more": 1})


def test_a_clip_without_a_face_has_no_answer_and_no_score(toy_detector):
    found = toy_detector.check_clip(clips.animation("GIF"))
    assert (found.status, found.verdict, found.score, found.people) == (Status.NO_FACE, None, None, ())
    assert found.failure.code == "no-face"
    assert "clip" in found.failure.hint


def test_the_whole_frame_may_be_the_face(toy_detector, two_people):
    (person,) = toy_detector.check_clip(two_people, face_search=False).people
    assert len(person.moments) == 6
    assert person.moments[0].face.box.width == 400


def test_a_part_and_a_number_of_frames(toy_detector, two_people):
    assert toy_detector.check_clip(two_people, frames=2).looked_at == pytest.approx([0.2, 0.8])
    assert toy_detector.check_clip(two_people, start=0.3, end=0.7).looked_at == pytest.approx([0.4, 0.6])
    assert toy_detector.check_clip(two_people, every=0.4).looked_at == pytest.approx([0.0, 0.4, 0.8])


def test_few_samples_accuse_nobody(toy_bundle, two_people):
    detector = Detector.load(toy_bundle, threads=1)
    found = detector.check_clip(two_people, frames=2)
    assert found.verdict is not Verdict.FAKE
    assert all("few-samples" in [note.code for note in person.notes] for person in found.people)


def test_only_so_many_people_and_faces(toy_detector, two_people):
    found = toy_detector.check_clip(two_people, max_people=1)
    assert len(found.people) == 1
    assert "people-left-out" in [note.code for note in found.notes]
    found = toy_detector.check_clip(two_people, max_faces=1)
    assert "faces-left-out" in [note.code for note in found.notes]


@pytest.mark.parametrize("wrong", [{"frames": 2, "every": 1.0}, {"max_people": 0}, {"max_faces": 0}, {"frames": 0}])
def test_arguments_that_make_no_sense_are_refused(toy_detector, two_people, wrong):
    with pytest.raises(UnmaskError) as refused:
        toy_detector.check_clip(two_people, **wrong)
    assert refused.value.code in ("bad-part", "bad-max-faces")


def test_too_many_frames_are_refused(toy_detector, two_people):
    with pytest.raises(UnmaskError) as refused:
        examine_clip(toy_detector, two_people, limits=ClipLimits(max_sampled=3))
    assert refused.value.code == "too-many-samples"


def test_key_frames_are_those_of_the_decisive_moments(toy_detector, scene, two_people):
    examined = examine_clip(toy_detector, two_people, key_frames=True)
    people = examined.finding.people
    wanted = [(number, person.moments[at]) for number, person in enumerate(people) for at in person.decisive]
    assert {(frame.person, frame.moment.frame) for frame in examined.key_frames} == {(n, m.frame) for n, m in wanted}
    for frame in examined.key_frames:
        square = frame.moment.face.crop
        assert frame.scale == 1.0
        assert np.array_equal(frame.small, scene(frame.moment.frame))
        assert frame.face.shape == (square.height, square.width, 3)


def test_a_clip_that_has_changed_meanwhile_is_not_drawn(toy_detector, two_people):
    finding = examine_clip(toy_detector, two_people).finding
    with pytest.raises(UnmaskError):
        list(read_key_frames(clips.animation("GIF"), finding))


@pytest.mark.parametrize("error", [UnmaskError("gone", hint="none", code="read-error"), KeyboardInterrupt()])
def test_a_clip_whose_frames_are_gone_keeps_its_answer(toy_detector, two_people, monkeypatch, error):
    def gone(*_, **__):
        yield from ()
        raise error

    monkeypatch.setattr("unmask.checking.clips.read_key_frames", gone)
    examined = examine_clip(toy_detector, two_people, key_frames=True)
    assert examined.finding.verdict is not None
    assert "key-frames-missing" in [note.code for note in examined.finding.notes]
    assert examined.interrupted is isinstance(error, KeyboardInterrupt)


def test_ctrl_c_judges_what_was_seen_and_says_so(toy_detector, two_people, tmp_path):
    def stop(done, wanted):
        assert wanted == 6
        if done == 4:
            raise KeyboardInterrupt

    (tmp_path / "clip.gif").write_bytes(two_people)
    found = examine_all([tmp_path / "clip.gif", tmp_path / "never"], toy_detector, on_frame=stop)
    first = next(found)
    assert first.interrupted
    assert len(first.finding.looked_at) == 4
    assert first.finding.verdict is not None
    assert "Stopped after 4 of 6 frames." in [note.message for note in first.finding.notes]
    with pytest.raises(KeyboardInterrupt):
        next(found)


def test_ctrl_c_before_the_first_frame_is_no_answer(toy_detector, two_people, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("unmask.checking.looking.Looking.take", stop)
    with pytest.raises(KeyboardInterrupt):
        examine_clip(toy_detector, two_people)


def test_clips_among_pictures_keep_their_place(toy_detector, two_people, face_file, tmp_path):
    (tmp_path / "clip").write_bytes(two_people)
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x20ftypmp42" + bytes(500))
    paths = [face_file, tmp_path / "clip", face_file, tmp_path / "cut.mp4", tmp_path / "missing.jpg"]
    found = list(check_paths(paths, toy_detector))
    assert [finding.path for finding in found] == [os.fspath(path) for path in paths]
    assert [type(finding) for finding in found] == [Finding, ClipFinding, Finding, ClipFinding, Finding]
    assert [finding.status.value for finding in found] == ["answered"] * 3 + ["unreadable"] * 2


def test_the_librarys_check_takes_clips(two_people, tmp_path, toy_detector, monkeypatch):
    monkeypatch.setattr("unmask.checking._shipped_detector", lambda: toy_detector)
    (tmp_path / "clip").write_bytes(two_people)
    found = unmask.check(tmp_path / "clip")
    assert isinstance(found, ClipFinding)
    assert isinstance(unmask.check(two_people), ClipFinding)


def test_sampling_by_default_is_32_frames_and_more_for_long_clips():
    assert Sampling.of() == Sampling(32, 2.0)
    assert Sampling.of(every=5.0) == Sampling(None, 5.0)
    assert Sampling.of(frames=7, max_people=2) == Sampling(7, None, max_people=2)


@pytest.mark.video
@pytest.mark.videos
def test_every_clip_of_the_set_is_answered_and_no_original_called_fake(videos):
    detector = Detector.load()
    for path in sorted(videos.glob("*.mp4")):
        found = detector.check_clip(path, frames=5, heatmap=False)
        assert found.status is Status.ANSWERED
        assert len(found.people[0].moments) == 5
        if path.name.startswith("original"):
            assert found.verdict is not Verdict.FAKE


@pytest.mark.video
@pytest.mark.parametrize(("factor", "noted"), [("10", False), ("45", True)])
def test_strong_compression_is_noted(toy_detector, factor, noted):
    noise = np.random.default_rng(0).integers(0, 256, (96, 80, 3), np.uint8)

    def draw(number, width, height):
        return np.roll(np.resize(noise, (height, width, 3)) // 4 + 90, number, axis=1).astype(np.uint8)

    data = clips.video(frames=60, size=(320, 240), options={"crf": factor, "bf": "0"}, draw=draw)
    found = toy_detector.check_clip(data, frames=2, face_search=False)
    assert ("heavy-compression" in [note.code for note in found.notes]) is noted
