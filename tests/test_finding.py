import json

from unmask.finding import Finding


def test_the_json_form_is_plain_and_round_trips(toy_detector, drawn_face):
    plain = toy_detector.check(drawn_face).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["verdict"] in ("real", "unsure", "fake")
    assert set(plain["faces"][0]) == {"box", "crop", "face_score", "logit", "score", "verdict", "notes"}


def test_the_same_picture_gives_the_same_document(toy_detector, drawn_face):
    assert toy_detector.check(drawn_face).to_dict() == toy_detector.check(drawn_face).to_dict()


def test_every_field_but_the_time_is_in_the_json_form(toy_detector, drawn_face):
    finding = toy_detector.check(drawn_face)
    assert set(finding.to_dict()) == set(Finding.__dataclass_fields__) - {"seconds", "checked", "preview"}
