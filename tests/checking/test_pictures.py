import gc
import io
import json
import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image

import unmask
from tests.toy_bundle import toy_graph, toy_info, write_toy_bundle
from unmask.bundle import Policy, write_bundle
from unmask.checking import Detector, check_paths, examine_paths
from unmask.errors import UnmaskError
from unmask.face.finder import Face
from unmask.finding import Box, Status, Verdict
from unmask.image.encode import encode_jpeg, encode_png


class StubFinder:
    """Finds what it is told to."""

    def __init__(self, *faces):
        self.faces = list(faces)

    def find(self, pixels):
        return self.faces


def detector_with(toy_bundle, *faces):
    detector = Detector.load(toy_bundle, threads=1)
    detector.face_finder = StubFinder(*faces)
    return detector


def codes(finding):
    return [note.code for note in (*finding.notes, *(note for face in finding.faces for note in face.notes))]


@pytest.fixture
def two_halves():
    """400 x 800: the left half black, the right half white. The toy detector tells them apart."""
    pixels = np.zeros((400, 800, 3), np.uint8)
    pixels[:, 400:] = 255
    return pixels


LEFT = Face(120, 120, 160, 160, 0.9)
RIGHT = Face(520, 120, 160, 160, 0.9)


def test_a_drawn_face_gets_one_verdict_with_its_box_and_heatmap(toy_detector, drawn_face):
    finding = toy_detector.check(drawn_face)
    assert finding.status is Status.ANSWERED
    (face,) = finding.faces
    assert (finding.verdict, finding.score) == (face.verdict, face.score)
    assert face.heatmap.shape == (8, 8)
    assert 0.0 <= face.heatmap.min() <= face.heatmap.max() <= 1.0
    assert face.crop.width == face.crop.height


def test_path_bytes_and_pixels_get_the_same_score(toy_detector, drawn_face, face_file):
    scores = {
        toy_detector.check(source).score for source in (face_file, str(face_file), encode_png(drawn_face), drawn_face)
    }
    assert len(scores) == 1


def test_without_a_heatmap_none_is_made_and_the_score_is_the_same(toy_detector, drawn_face):
    plain, mapped = (toy_detector.check(drawn_face, heatmap=wanted) for wanted in (False, True))
    assert plain.faces[0].heatmap is None
    assert plain.score == mapped.score


def test_a_picture_without_a_face_has_no_score_and_a_hint(toy_detector):
    finding = toy_detector.check(np.full((300, 300, 3), 128, np.uint8))
    assert finding.status is Status.NO_FACE
    assert finding.verdict is finding.score is None
    assert finding.failure.code == "no-face"
    assert "--no-face-search" in finding.failure.hint


def test_without_face_search_the_whole_picture_is_the_face(toy_bundle, two_halves):
    finding = detector_with(toy_bundle).check(two_halves, face_search=False)
    assert finding.status is Status.ANSWERED
    assert finding.faces[0].box == finding.faces[0].crop == Box(0, 0, 800, 400)
    assert finding.faces[0].face_score is None


@pytest.mark.parametrize(("width", "squeezed"), [(4000, True), (500, False)])
def test_a_long_picture_taken_whole_comes_with_a_warning(toy_detector, width, squeezed):
    finding = toy_detector.check(np.zeros((400, width, 3), np.uint8), face_search=False)
    assert ("squeezed" in codes(finding)) is squeezed


def test_the_picture_gets_the_verdict_of_its_most_suspicious_face(toy_bundle, two_halves):
    finding = detector_with(toy_bundle, LEFT, RIGHT).check(two_halves)
    scores = [face.score for face in finding.faces]
    assert scores[0] != scores[1]
    assert finding.score == max(scores)


def test_a_doubtful_face_does_not_decide_beside_a_confident_one(toy_bundle, two_halves):
    alone = [detector_with(toy_bundle, face).check(two_halves).score for face in (LEFT, RIGHT)]
    suspicious, other = (LEFT, RIGHT) if alone[0] > alone[1] else (RIGHT, LEFT)
    doubtful = Face(suspicious.left, suspicious.top, suspicious.width, suspicious.height, 0.55)
    finding = detector_with(toy_bundle, doubtful, other).check(two_halves)
    assert finding.score == min(alone)
    assert "doubtful-face" in codes(finding)


def test_a_doubtful_face_decides_where_there_is_no_other(toy_bundle, two_halves):
    finding = detector_with(toy_bundle, Face(120, 120, 160, 160, 0.51)).check(two_halves)
    assert finding.status is Status.ANSWERED


def half_of_a_scan(pixels):
    """A JPEG file whose scan ends in the middle, with an end marker."""
    data = encode_jpeg(pixels)
    scan = data.index(b"\xff\xda")
    return data[: scan + (len(data) - scan) // 2] + b"\xff\xd9"


def noisy(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


ABOVE, BELOW = Face(40, 30, 100, 100, 0.9), Face(40, 250, 110, 110, 0.9)


def test_a_face_above_the_missing_half_of_a_picture_is_judged_and_noted(toy_bundle):
    finding = detector_with(toy_bundle, ABOVE).check(half_of_a_scan(noisy(400, 200)))
    assert finding.status is Status.ANSWERED
    assert "damaged" in codes(finding)
    assert "faces-damaged" not in codes(finding)


def test_a_face_where_pixels_are_missing_is_left_out_beside_one_that_is_whole(toy_bundle):
    finding = detector_with(toy_bundle, BELOW, ABOVE).check(half_of_a_scan(noisy(400, 200)))
    assert [face.box.top for face in finding.faces] == [30]
    assert {"damaged", "faces-damaged"} <= set(codes(finding))


@pytest.mark.parametrize("faces", [(BELOW,), ()])
def test_a_damaged_picture_without_a_whole_face_could_not_be_read(toy_bundle, faces):
    finding = detector_with(toy_bundle, *faces).check(half_of_a_scan(noisy(400, 200)))
    assert (finding.status, finding.verdict, finding.score, finding.faces) == (Status.UNREADABLE, None, None, ())
    assert finding.failure.code == "damaged"


def test_a_damaged_picture_is_not_taken_whole_for_a_face(toy_detector):
    finding = toy_detector.check(half_of_a_scan(noisy(200, 200)), face_search=False)
    assert finding.status is Status.UNREADABLE


def test_faces_that_disagree_are_pointed_out(tmp_path, two_halves):
    folder = write_toy_bundle(tmp_path / "strong", weight=400.0, bias=-30.0)
    alone = [detector_with(folder, face).check(two_halves).verdict for face in (LEFT, RIGHT)]
    assert set(alone) == {Verdict.REAL, Verdict.FAKE}
    assert "faces-disagree" in codes(detector_with(folder, LEFT, RIGHT).check(two_halves))


def strict(tmp_path, *faces, bias=5.0):
    """Calls all fake, and white faces outside training."""
    return detector_with(write_toy_bundle(tmp_path / "strict", weight=0.1, bias=bias, outside_above=128.0), *faces)


def test_a_face_outside_training_is_not_called_fake_and_the_note_says_why(tmp_path, two_halves):
    inside, outside = (strict(tmp_path, face).check(two_halves) for face in (LEFT, RIGHT))
    assert (inside.verdict, outside.verdict) == (Verdict.FAKE, Verdict.UNSURE)
    assert outside.score > 0.9
    assert not inside.faces[0].outside_training
    assert outside.faces[0].outside_training
    assert "outside-training" in codes(outside)
    assert "outside-training" not in codes(inside)


def test_a_face_outside_training_can_still_be_called_real_with_the_note(tmp_path, two_halves):
    finding = strict(tmp_path, RIGHT, bias=-5.0).check(two_halves)
    assert finding.verdict is Verdict.REAL
    assert "outside-training" in codes(finding)


def test_a_face_outside_training_hides_no_other_that_is_called_fake(tmp_path, two_halves):
    detector = strict(tmp_path, LEFT, RIGHT)
    finding = detector.check(two_halves)
    assert [face.verdict for face in finding.faces] == [Verdict.FAKE, Verdict.UNSURE]
    assert (finding.verdict, finding.score) == (Verdict.FAKE, finding.faces[0].score)


def test_only_the_largest_faces_are_judged_when_asked(toy_bundle, two_halves):
    finding = detector_with(toy_bundle, LEFT, RIGHT).check(two_halves, max_faces=1)
    assert [face.box.left for face in finding.faces] == [120]
    assert "faces-left-out" in codes(finding)


def test_no_faces_at_all_cannot_be_asked_for(toy_detector, drawn_face):
    with pytest.raises(UnmaskError) as caught:
        toy_detector.check(drawn_face, max_faces=0)
    assert caught.value.code == "bad-max-faces"


@pytest.mark.parametrize("wrong", [{"max_faces": 0}, {"workers": 0}, {"workers": -1}])
def test_a_stream_refuses_arguments_that_make_no_sense(toy_detector, face_file, wrong):
    with pytest.raises(UnmaskError, match="make no sense"):
        list(check_paths([face_file], toy_detector, **wrong))


def test_a_single_path_is_not_taken_for_a_list_of_letters(toy_detector, face_file):
    with pytest.raises(UnmaskError) as caught:
        list(check_paths(str(face_file), toy_detector))
    assert caught.value.code == "wrong-source"


def test_a_face_too_small_to_judge_gets_no_score(toy_bundle, two_halves):
    finding = detector_with(toy_bundle, Face(100, 100, 20, 24, 0.9)).check(two_halves)
    assert finding.status is Status.NO_FACE
    assert finding.failure.code == "faces-too-small"


def test_a_face_too_small_to_judge_is_left_out_and_said_so(toy_bundle, two_halves):
    finding = detector_with(toy_bundle, LEFT, Face(700, 100, 20, 24, 0.9)).check(two_halves)
    assert len(finding.faces) == 1
    assert "faces-too-small" in codes(finding)


def test_a_small_face_is_judged_with_a_warning(toy_bundle, two_halves):
    finding = detector_with(toy_bundle, Face(100, 100, 50, 60, 0.9)).check(two_halves)
    assert "small-face" in codes(finding)
    assert "60 px" in finding.faces[0].notes[0].message


def test_a_face_cut_off_by_the_border_is_judged_with_a_warning(toy_bundle, two_halves):
    finding = detector_with(toy_bundle, Face(-80, 120, 160, 160, 0.9)).check(two_halves)
    assert "face-at-border" in codes(finding)


def test_a_tight_crop_is_its_own_crop(toy_bundle):
    pixels = np.zeros((256, 256, 3), np.uint8)
    finding = detector_with(toy_bundle, Face(50, 30, 150, 196, 0.9)).check(pixels)
    assert finding.faces[0].crop == Box(0, 0, 256, 256)


def test_whether_a_picture_is_its_own_crop_follows_the_bundles_margin(tmp_path):
    from tests.toy_bundle import toy_graph, toy_info
    from unmask.bundle import write_bundle

    folder = write_bundle(tmp_path / "wide", toy_info(crop_margin=2.0), toy_graph(), "# toy\n")
    finding = detector_with(folder, Face(70, 60, 100, 128, 0.9)).check(np.zeros((256, 256, 3), np.uint8))
    assert finding.faces[0].crop == Box(0, 0, 256, 256)


MAIN = Face(50, 30, 150, 196, 0.9)


def scores_of_a_crop(toy_bundle, *faces):
    """The picture's score and each face's, in a picture that is dark but for its right border."""
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[:, 200:] = 255
    finding = detector_with(toy_bundle, *faces).check(pixels)
    return finding, [face.score for face in finding.faces]


@pytest.mark.parametrize("bias_of_weight", [3.0, -3.0])
def test_a_bystander_in_a_crop_of_a_face_does_not_decide(tmp_path, bias_of_weight):
    folder = write_toy_bundle(tmp_path / "toy", weight=bias_of_weight)
    finding, scores = scores_of_a_crop(folder, MAIN, Face(210, 60, 60, 110, 0.9))
    assert finding.score == scores[0] != scores[1]
    assert "bystander" in codes(finding)


@pytest.mark.parametrize(
    "faces",
    [
        (MAIN, Face(150, 40, 120, 180, 0.9)),  # two of a size, cheek by cheek
        (Face(30, 30, 100, 120, 0.9), Face(210, 60, 40, 60, 0.9)),  # no crop of one face
        (Face(50, 30, 150, 196, 0.55), Face(210, 60, 60, 110, 0.9)),  # the main one may be none
    ],
)
def test_a_second_face_that_may_matter_is_no_bystander(toy_bundle, faces):
    finding, _ = scores_of_a_crop(toy_bundle, *faces)
    assert len(finding.faces) == 2
    assert "bystander" not in codes(finding)


def test_every_verdict_of_a_detector_that_was_not_calibrated_says_so(tmp_path, drawn_face, two_halves):
    by_hand = Policy(real_below=0.1, fake_above=0.9, chosen_by="not calibrated: no pictures were given")
    info = toy_info(policies={"balanced": by_hand})
    detector = Detector.load(write_bundle(tmp_path / "toy", info, toy_graph(64, weight=3.0, bias=0.1), "# toy\n"))
    assert "not-calibrated" in codes(detector.check(drawn_face))
    assert "not-calibrated" not in codes(detector.check(two_halves))  # shows no face


def test_a_detector_that_gives_no_number_is_an_error_not_a_verdict(tmp_path, drawn_face):
    folder = write_toy_bundle(tmp_path / "broken", bias=float("nan"))
    with pytest.raises(UnmaskError) as caught:
        Detector.load(folder).check(drawn_face)
    assert caught.value.code == "no-score"


def test_a_detector_that_gives_no_number_ends_a_stream_and_no_picture_is_blamed(tmp_path, face_file):
    folder = write_toy_bundle(tmp_path / "broken", bias=float("nan"))
    with pytest.raises(UnmaskError) as caught:
        list(check_paths([face_file, face_file], Detector.load(folder)))
    assert caught.value.code == "no-score"
    assert "bundle" in caught.value.hint


def test_a_stream_keeps_its_order_and_survives_bad_files(toy_detector, face_file, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    paths = [face_file, tmp_path / "text.jpg", tmp_path / "missing.jpg", tmp_path, face_file] * 5
    findings = list(check_paths(paths, toy_detector, workers=4))
    assert [finding.path for finding in findings] == [str(path) for path in paths]
    assert [finding.status for finding in findings[:5]] == [
        Status.ANSWERED,
        Status.UNREADABLE,
        Status.UNREADABLE,
        Status.UNREADABLE,
        Status.ANSWERED,
    ]
    assert all(finding.failure.hint for finding in findings if finding.status is Status.UNREADABLE)


def test_a_stream_gives_the_scores_of_single_checks(toy_detector, face_file):
    (finding,) = check_paths([face_file], toy_detector)
    single = toy_detector.check(face_file)
    assert finding.to_dict() == single.to_dict()


def test_a_stream_reads_its_paths_only_as_it_goes(toy_detector, face_file):
    taken = 0

    def paths():
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield face_file

    stream = check_paths(paths(), toy_detector, workers=2)
    next(stream)
    stream.close()
    assert taken < 10


def test_memory_does_not_grow_with_the_number_of_pictures(toy_detector, face_file, drawn_face):
    gc.collect()
    tracemalloc.start()
    for _ in examine_paths([face_file] * 120, toy_detector, heatmap=True, workers=2):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * drawn_face.nbytes


def test_pixels_come_along_only_where_something_is_drawn_on_them(toy_detector, face_file):
    (plain,) = examine_paths([face_file], toy_detector, heatmap=False)
    (mapped,) = examine_paths([face_file], toy_detector, heatmap=True)
    assert plain.pixels is None
    assert mapped.pixels.shape == (512, 512, 3)


def test_the_short_way_uses_the_shipped_detector(face_file):
    finding = unmask.check(face_file)
    assert finding.detector == unmask.Detector.load().label


def test_what_is_no_path_is_a_finding_and_the_others_are_answered(toy_detector, face_file):
    found = list(check_paths([face_file, None, os.fsencode(face_file)], toy_detector))
    assert [one.status.value for one in found] == ["answered", "unreadable", "answered"]
    assert found[1].failure.code == "wrong-source"
    assert found[2].path == str(face_file)
    json.dumps(found[2].to_dict())


def test_a_pillow_image_and_an_open_file_get_the_score_of_the_file(toy_detector, drawn_face, face_file):
    image = Image.open(face_file)
    with face_file.open("rb") as file:
        scores = {
            toy_detector.check(source).score for source in (face_file, image, io.BytesIO(encode_png(drawn_face)), file)
        }
    assert len(scores) == 1


def test_a_pillow_image_is_turned_upright_and_laid_on_white(drawn_face):
    image = Image.fromarray(drawn_face).convert("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6
    read = unmask.read_image(turned)
    assert (read.pixels[0, 0] == 255).all()
    assert (read.pixels[1:] == drawn_face[1:]).all()


def test_a_pillow_image_that_is_cut_off_or_too_small_is_refused(face_file):
    with pytest.raises(UnmaskError, match="cannot be decoded"):
        unmask.read_image(Image.open(io.BytesIO(face_file.read_bytes()[:2000])))
    with pytest.raises(UnmaskError, match="too small"):
        unmask.read_image(Image.new("RGB", (20, 20)))


def test_an_open_file_that_is_text_or_too_large_is_refused(face_file):
    for mode in ({"encoding": "utf-8"}, {"encoding": "latin-1"}):
        with face_file.open(**mode) as file, pytest.raises(UnmaskError, match="binary mode"):
            unmask.read_image(file)
    with face_file.open("rb") as file, pytest.raises(UnmaskError, match="too large"):
        unmask.read_image(file, limits=unmask.Limits(max_bytes=1000))


def test_check_and_check_paths_take_the_same_options_and_the_shipped_detector(
    monkeypatch, toy_detector, face_file, clip_file
):
    monkeypatch.setattr("unmask.checking._shipped_detector", lambda threads=None: toy_detector)
    options = {"face_search": False, "max_faces": 1, "heatmap": False}
    (streamed,) = unmask.check_paths([face_file], **options)
    alone = unmask.check(face_file, **options)
    assert streamed.to_dict() == alone.to_dict() == toy_detector.check(face_file, **options).to_dict()
    assert streamed.faces[0].face_score is None
    with clip_file.open("rb") as file:
        clip = unmask.check(file, **options)
    assert clip.score == toy_detector.check_clip(clip_file, **options).score
