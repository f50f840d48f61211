"""Clips on the page, as the server makes it: the card of an answer, and the way without script."""

import base64
import io
import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.serve.test_clips import CLIPS, app, done, send
from tests.waiting import PATIENCE, until
from unmask.checking import clips as checking_clips
from unmask.checking import faces as checking_faces
from unmask.checking.looking import Looking
from unmask.detector import Detector
from unmask.errors import UnmaskError
from unmask.finding import Verdict
from unmask.serve.schema import ClipCheckReply


@pytest.fixture(scope="module")
def clip(clip_file: Path) -> bytes:
    """A PNG of six frames in which a face moves."""
    return clip_file.read_bytes()


def card_of(client: FlaskClient, data: bytes, number: str = "1", asked: str = "heatmap=png&key_frames=jpeg") -> str:
    address = send(client, data, f"{CLIPS}?{asked}")
    done(client, address)
    reply = client.get(address.removeprefix("/api/v1") + f"/card?number={number}")
    assert reply.status_code == 200
    return reply.text


def test_a_card_shows_the_verdict_a_timeline_a_person_and_the_moments_that_decided(
    client: FlaskClient, clip: bytes
) -> None:
    card = card_of(client, clip)
    assert re.search(r'data-verdict="(real|unsure|fake)"', card)
    assert re.search(r'class="gauge".*aria-label="P\(fake\) 0\.\d\d on a scale', card)
    assert re.search(r'class="timeline-chart".*aria-label="P\(fake\) of person 1 over time, 6 samples: ', card)
    assert card.count('class="dot') == 6
    assert card.count('class="frame"') == card.count('class="closeup"') == 3
    assert card.count("data:image/jpeg;base64,") == 7  # one is the overview's
    assert "6 of 6 frames" in card


@pytest.mark.parametrize("verdict", Verdict)
def test_a_card_shows_each_moment_by_the_face_s_own_verdict(
    client: FlaskClient, clip: bytes, monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    monkeypatch.setattr(checking_faces, "decide", lambda *_, **__: verdict)
    card = card_of(client, clip)
    assert f"6 samples: 6 {verdict};" in card
    assert card.count(f'<rect class="line {verdict}" x=') == card.count(f'<span class="unseen">{verdict},') == 3


def test_a_card_tells_moments_apart_that_are_close_to_each_other(
    client: FlaskClient, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Looking.take
    monkeypatch.setattr(Looking, "take", lambda self, frame: take(self, replace(frame, time=frame.time / 200_000)))
    card = card_of(client, clip)
    dots = re.findall(r'class="dot[^"]*" data-time="([^"]+)"', card)
    moments = re.findall(r'<li data-time="([^"]+)"', card)
    assert [float(time) for time in dots] == pytest.approx([number / 1_000_000 for number in range(6)], abs=1e-9)
    assert len(set(moments)) == 3
    assert set(moments) < set(dots)
    (step,) = re.findall(r'data-step="([^"]+)"', card)
    assert float(step) == pytest.approx(1e-6)


def test_a_card_has_neither_inline_script_nor_style(client: FlaskClient, clip: bytes) -> None:
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script", card_of(client, clip))


def test_a_card_s_json_is_the_api_s_without_key_frames(client: FlaskClient, clip: bytes) -> None:
    (encoded,) = re.findall(r'href="data:application/json;base64,([^"]+)"', card_of(client, clip))
    ClipCheckReply.model_validate_json(base64.b64decode(encoded))
    shown = json.loads(base64.b64decode(encoded))
    api = done(client, send(client, clip, f"{CLIPS}?heatmap=png")).json["document"]
    del shown["findings"][0]["checked"], api["findings"][0]["checked"]
    assert shown == api


def test_a_number_makes_the_ids_of_two_cards_differ(client: FlaskClient, clip: bytes) -> None:
    assert 'id="clip-7"' in card_of(client, clip, "7")
    assert 'id="clip-1"' in card_of(client, clip, '"><script>')


def test_a_clip_that_cannot_be_read_has_a_card_with_the_reason(client: FlaskClient, clip: bytes) -> None:
    card = card_of(client, clip[:2000])
    assert "No answer" in card
    assert 'data-verdict="unreadable"' in card
    assert "<video" not in card


def test_without_key_frames_the_card_has_its_timelines(
    client: FlaskClient, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise UnmaskError("it is gone", hint="None.", code="read-error")

    monkeypatch.setattr(checking_clips, "read_key_frames", gone)
    card = card_of(client, clip)
    assert "Its key frames are missing" in card
    assert (card.count('class="frame"'), card.count('class="dot')) == (0, 6)


def test_a_card_is_there_once_there_is_an_answer_and_for_who_sent_the_clip(
    client: FlaskClient, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = send(client, clip)
    done(client, address)
    card = address.removeprefix("/api/v1") + "/card"
    assert client.get(card).status_code == 200
    for other in (client.get(card, environ_base={"REMOTE_ADDR": "192.0.2.7"}), client.get("/clips/x/card")):
        assert other.status_code == 404
        assert "There is no such clip" in other.text
        assert "<!doctype" not in other.text


def test_a_picture_that_moves_is_told_from_one_that_does_not(client: FlaskClient, clip: bytes, face: bytes) -> None:
    reply = client.post("/card", data={"picture": (io.BytesIO(clip), "a.png")})
    assert reply.status_code == 415
    assert 'data-code="is-clip"' in reply.text
    assert client.post("/card", data={"picture": (io.BytesIO(face), "a.jpg")}).status_code == 200


def test_without_script_a_clip_leads_to_a_page_with_its_answer(client: FlaskClient, clip: bytes) -> None:
    sent = client.post("/check", data={"picture": (io.BytesIO(clip), "walk.png")})
    assert sent.status_code == 303
    until(lambda: "Refresh" not in client.get(sent.location).headers)
    page = client.get(sent.location).text
    assert "<!doctype html>" in page
    assert ">walk.png</h3>" in page
    assert page.count('class="frame"') == 3


def test_without_script_the_page_asks_by_itself_until_there_is_an_answer(
    client: FlaskClient, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    monkeypatch.setattr(Looking, "take", lambda *_: go.wait(PATIENCE))
    address = client.post("/check", data={"picture": (io.BytesIO(clip), "walk.png")}).location
    reply = client.get(address)
    assert reply.headers["Refresh"] == "3"
    assert re.search(r"The clip waits|Looking at it: 0 % of the frames", reply.text)
    go.set()


def test_without_script_pictures_and_clips_go_in_one_form(client: FlaskClient, clip: bytes, face: bytes) -> None:
    files = [(io.BytesIO(data), name) for data, name in ((clip, "a.png"), (face, "b.jpg"), (clip, "c.png"))]
    page = client.post("/check", data={"picture": files}).text
    assert page.count("See its answer") == 2
    assert page.count('class="card answer"') == 1


def test_without_script_a_clip_too_many_leaves_the_way_to_those_taken(
    detector: Detector, clip: bytes, face: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    monkeypatch.setattr(Looking, "take", lambda *_: go.wait(PATIENCE))
    client = app(detector, clips_under_way=1)
    files = [(data, name) for data, name in ((clip, "a.png"), (face, "b.jpg"), (clip, "c.png"), (clip, "d.png"))]

    def post(*chosen: tuple[bytes, str]) -> TestResponse:
        return client.post("/check", data={"picture": [(io.BytesIO(data), name) for data, name in chosen]})

    page = post(*files)
    assert page.status_code == 200
    assert page.text.count("See its answer") == page.text.count('class="card answer"') == 1
    assert ">a.png</h3>" in page.text
    for name in ("c.png", "d.png"):
        assert f"{name}: The server holds as many clips as it may" in page.text
    refused = post(files[0], files[2])
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    for name in ("a.png", "c.png"):
        assert f"{name}: The server holds as many clips as it may" in refused.text
    go.set()


def test_without_script_no_clip_is_taken_where_the_pictures_are_refused(
    client: FlaskClient, clip: bytes, face: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = client.application.extensions["unmask"]
    # Full only once it was looked at.
    monkeypatch.setattr("unmask.serve.pages.charge", lambda _: setattr(here.pool, "_under_way", 1000))
    files = [(io.BytesIO(data), name) for data, name in ((clip, "a.png"), (face, "b.jpg"))]
    assert client.post("/check", data={"picture": files}).status_code == 429
    assert not here.clips._jobs


def test_the_token_is_asked_for_before_a_clip_is_taken(detector: Detector, clip: bytes) -> None:
    client = app(detector, token="correct-horse-battery-staple")
    form = {"picture": (io.BytesIO(clip), "a.png")}
    assert client.post("/check", data=form).status_code == 401
    form = {"picture": (io.BytesIO(clip), "a.png"), "token": "correct-horse-battery-staple"}
    sent = client.post("/check", data=form)
    assert sent.status_code == 303
    assert client.get(sent.location).status_code == 200


def test_clips_play_from_the_visitor_s_own_disk_only(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "media-src blob:" in policy


@pytest.mark.parametrize(("installed", "words"), [(True, "Clips: MP4, MOV"), (False, "Clips: GIF, PNG and WebP that")])
def test_the_page_names_the_clips_that_can_be_read(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, installed: bool, words: str
) -> None:
    monkeypatch.setattr("unmask.output.wording.find_spec", lambda _: installed or None)
    assert words in client.get("/").text
