import base64
import io
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.marked_pictures import source_type, xmp, xmp_segment
from tests.serve.conftest import QUIET
from tests.toy_bundle import write_toy_bundle
from unmask.demo.samples import SAMPLES
from unmask.detector import Detector
from unmask.output.knowledge import ONE_IN
from unmask.output.wording import OUTCOMES
from unmask.serve import Settings, create_app
from unmask.serve.schema import CheckReply

ROOT = Path(__file__).parents[2]


def card_of(client: FlaskClient, data: bytes, name: str = "photo.jpg") -> str:
    reply = client.post("/card", data={"picture": (io.BytesIO(data), name)})
    assert reply.status_code == 200
    return reply.text


def test_the_page_asks_for_pictures(client: FlaskClient) -> None:
    page = client.get("/").text
    assert 'enctype="multipart/form-data"' in page
    assert '<label for="files">' in page


def test_how_limits_were_chosen_stands_among_the_numbers_for_who_asks() -> None:
    detector = Detector.load(threads=1)
    open_to_all, _, details = create_app(detector, QUIET).test_client().get("/").text.partition("<details>")
    chosen_by = detector.info.policies[detector.policy].chosen_by
    assert chosen_by in details
    assert chosen_by not in open_to_all


def test_the_page_asks_no_other_host_for_anything(client: FlaskClient) -> None:
    scripts = [f"/static/{file.name}" for file in (ROOT / "src/unmask/serve/static").glob("*.js")]
    for path in ("/", "/api/v1/docs", "/static/unmask.css", *scripts):
        with client.get(path) as reply:
            text = reply.text.replace("http://www.w3.org/", "").replace("http://localhost/", "")
        assert not re.search(r"(https?:)?//[a-z]+\.[a-z]", text), path


def test_no_page_has_inline_script_or_style(client: FlaskClient, face: bytes) -> None:
    for page in (client.get("/").text, client.get("/api/v1/docs").text, card_of(client, face)):
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)


def test_without_script_the_form_gives_a_page_with_the_answer(client: FlaskClient, face: bytes) -> None:
    reply = client.post("/check", data={"picture": (io.BytesIO(face), "photo.jpg")})
    assert reply.status_code == 200
    assert "<!doctype html>" in reply.text
    assert "P(fake)" in reply.text
    assert ">photo.jpg</h3>" in reply.text


def test_without_script_a_form_without_a_picture_says_so(client: FlaskClient) -> None:
    reply = client.post("/check", data={"picture": (io.BytesIO(b""), "")})
    assert reply.status_code == 400
    assert "Choose one or more pictures first." in reply.text


def test_the_style_sheet_knows_every_answer_and_every_base_rate() -> None:
    style = (ROOT / "src/unmask/serve/static/unmask.css").read_text()
    for name in OUTCOMES:
        assert f'[data-show="{name.replace("_", "-")}"]' in style
    for one_in in ONE_IN:
        assert f'[data-one-in="{one_in}"] .means[data-one-in="{one_in}"]' in style


def test_a_card_shows_verdict_shape_score_gauge_face_and_heatmap(client: FlaskClient, face: bytes) -> None:
    card = card_of(client, face)
    (verdict,) = re.findall(r'<article [^>]*data-verdict="(\w+)"', card)
    shape = {"real": "●", "unsure": "◆", "fake": "▲"}[verdict]
    assert f'<span class="shape" aria-hidden="true">{shape}</span> {verdict.capitalize()}' in card
    assert re.search(r'class="gauge".*aria-label="P\(fake\) 0\.\d\d on a scale', card)
    assert card.count('class="face"') == 1
    assert "data:image/png;base64," in card
    assert 'type="range"' in card


def test_the_gauge_s_zones_meet_at_the_bundle_s_thresholds(
    client: FlaskClient, face: bytes, detector: Detector
) -> None:
    card = card_of(client, face)
    zones = {
        name: (float(x), float(width))
        for name, x, width in re.findall(r'class="zone-(\w+)" x="([\d.]+)" y="9" width="([\d.]+)"', card)
    }
    left, wide = 6, 388
    assert zones["unsure"][0] == pytest.approx(left + wide * detector.thresholds.real_below, abs=0.01)
    assert zones["fake"][0] == pytest.approx(left + wide * detector.thresholds.fake_above, abs=0.01)
    assert sum(width for _, width in zones.values()) == pytest.approx(wide, abs=0.03)


def test_a_face_outside_training_is_shown_as_unsure_with_its_score_and_the_reason(tmp_path: Path, face: bytes) -> None:
    folder = write_toy_bundle(tmp_path / "strict", weight=0.1, bias=5.0, outside_above=0.0)
    card = card_of(create_app(Detector.load(folder, threads=1), QUIET).test_client(), face)
    assert 'data-verdict="unsure"' in card
    assert "in the zone fake" in card
    # In the list of what to keep in mind, and in the text to copy.
    assert card.count("unlike those that the detector learned from") == 2


def test_the_card_s_json_is_the_api_s(client: FlaskClient, face: bytes) -> None:
    card = card_of(client, face)
    (encoded,) = re.findall(r'href="data:application/json;base64,([^"]+)"', card)
    CheckReply.model_validate_json(base64.b64decode(encoded))
    form = {"picture": (io.BytesIO(face), "photo.jpg")}
    of_card = json.loads(base64.b64decode(encoded))
    of_api = client.post("/api/v1/check?heatmap=png&provenance=c2pa", data=form).json
    for document in (of_card, of_api):
        del document["findings"][0]["checked"]
    assert of_card == of_api


def timeless(card: str) -> str:
    """A card without the time of its answer."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d|base64,[^\"]+", "", card)


def test_the_same_bytes_give_the_same_card(client: FlaskClient, face: bytes) -> None:
    assert len({timeless(card_of(client, face)) for _ in range(3)}) == 1


def test_a_number_makes_the_ids_of_two_cards_differ(client: FlaskClient, face: bytes) -> None:
    reply = client.post("/card", data={"picture": (io.BytesIO(face), "a.jpg"), "number": "7"})
    assert 'id="picture-7"' in reply.text


@pytest.mark.parametrize("number", ["", "-1", "x", "99999", "9" * 5000, "²", '"><script>'])
def test_a_number_that_is_none_is_left(client: FlaskClient, face: bytes, number: str) -> None:
    reply = client.post("/card", data={"picture": (io.BytesIO(face), "a.jpg"), "number": number})
    assert 'id="picture-1"' in reply.text


def test_a_picture_without_a_face_is_shown_with_a_friendly_word(client: FlaskClient, wall: bytes) -> None:
    card = card_of(client, wall, "wall.png")
    assert "No answer" in card
    assert "No face found." in card
    assert "from the front" in card
    assert "--no-face-search" not in card


@pytest.mark.parametrize(
    ("data", "words"), [(b"hello", "This file is not a picture that can be read: it is text."), (b"", "is empty")]
)
def test_a_file_that_is_no_picture_gets_its_own_message(client: FlaskClient, data: bytes, words: str) -> None:
    card = card_of(client, data, "notes.txt")
    assert words in card
    assert 'data-verdict="unreadable"' in card


def test_the_page_names_the_limit_that_was_set(detector: Detector) -> None:
    page = create_app(detector, Settings(max_upload_mb=1, pictures_a_minute=0)).test_client().get("/").text
    assert ", up to 1 MB" in page
    assert 'data-max-bytes="1000000"' in page


@pytest.mark.parametrize(("installed", "words"), [(True, "GIF, AVIF or HEIC, up to"), (False, "GIF or AVIF, up to")])
def test_the_page_names_heic_where_it_can_be_read(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, installed: bool, words: str
) -> None:
    monkeypatch.setattr("unmask.output.wording.find_spec", lambda _: installed or None)
    assert words in client.get("/").text


def test_a_busy_server_says_so_on_the_page(client: FlaskClient, face: bytes) -> None:
    pool = client.application.extensions["unmask"].pool
    pool._under_way = pool.workers + pool.waiting
    reply = client.post("/card", data={"picture": (io.BytesIO(face), "a.jpg")})
    assert reply.status_code == 429
    assert "The server is busy" in reply.text
    assert "Try again in a moment." in reply.text
    assert reply.headers["Retry-After"] == "1"
    assert "<!doctype" not in reply.text


@pytest.mark.parametrize("path", ["/check", "/card", "/api/v1/check"])
def test_what_a_busy_server_refuses_costs_its_client_nothing(
    detector: Detector, face: bytes, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = create_app(detector, Settings(pictures_a_minute=1)).test_client()
    with monkeypatch.context() as patch:
        patch.setattr(client.application.extensions["unmask"].pool, "_under_way", 1000)
        assert client.post(path, data=face).status_code == 429
    assert client.post(path, data=face).status_code == 200


def test_a_wrong_address_is_a_page_for_a_browser(client: FlaskClient) -> None:
    reply = client.get("/nothing", headers={"Accept": "text/html,*/*;q=0.8"})
    assert reply.status_code == 404
    assert "There is nothing here" in reply.text


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_is_one_click_away(client: FlaskClient, sample) -> None:
    assert client.get(f"/samples/{sample.name}.jpg").data.startswith(b"\xff\xd8")
    page = client.post("/check", data={"sample": sample.name}).text
    assert f">{sample.name}.jpg</h3>" in page
    faces = 2 if sample.name == "two-faces" else 1
    assert page.count('class="face"') == faces


def test_a_sample_that_is_not_there_is_refused(client: FlaskClient) -> None:
    assert client.get("/samples/x.jpg").status_code == 404
    assert client.post("/check", data={"sample": "x"}, content_type="multipart/form-data").status_code == 400


def test_the_token_is_asked_for_only_where_there_is_one(client: FlaskClient, detector: Detector) -> None:
    assert 'name="token"' not in client.get("/").text
    assert 'name="token"' in create_app(detector, Settings(token="t")).test_client().get("/").text


def test_a_mark_of_a_generator_stands_above_the_verdict(client: FlaskClient, face: bytes) -> None:
    marked = face[:2] + xmp_segment(xmp(attributes=source_type("trainedAlgorithmicMedia"))) + face[2:]
    for address in ("/card", "/check"):
        page = client.post(address, data={"picture": (io.BytesIO(marked), "photo.jpg")}).text
        sentence = "The file itself says that it was made by AI: XMP DigitalSourceType."
        assert 0 < page.index(sentence) < page.index('class="verdict')
    (found,) = CheckReply.model_validate_json(client.post("/api/v1/check", data=marked).data).findings
    assert found.image.marks[0].says == "made"


def test_a_card_tells_when_and_by_what_it_was_answered(client: FlaskClient, detector: Detector, face: bytes) -> None:
    card = card_of(client, face)
    assert detector.bundle.sha256 in card
    assert re.search(r"<dt>Checked</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d</dd>", card)
