"""Clips in the API, with the small detector: sent, asked for, answered, deleted, forgotten."""

import importlib.util
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests.serve.test_api import problem
from tests.serve.test_metrics import samples
from tests.serve.test_server import answer, ask, raw, watching_files
from tests.video import clips
from tests.waiting import PATIENCE, until
from unmask.checking.looking import Looking
from unmask.detector import Detector
from unmask.serve import Server, Settings, create_app
from unmask.serve.clip_answering import ClipWanted
from unmask.serve.clip_jobs import NICE, ClipJobs
from unmask.serve.metrics import Metrics
from unmask.serve.openapi import openapi
from unmask.serve.pool import Pool
from unmask.serve.problem import Problem
from unmask.serve.schema import ClipReply
from unmask.serve.uploads import Upload
from unmask.video import reader

CLIPS = "/api/v1/clips"
HANGS = [sys.executable, "-c", "import time; time.sleep(3600)"]
Decoders = list[subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def clip(clip_file: Path) -> bytes:
    """A PNG of six frames in which a face moves."""
    return clip_file.read_bytes()


@pytest.fixture
def decoders(monkeypatch: pytest.MonkeyPatch) -> Decoders:
    """The decoders that were started."""
    found: Decoders = []
    start = reader._started

    def started(*arguments: Any) -> subprocess.Popen[bytes]:
        found.append(start(*arguments))
        return found[-1]

    monkeypatch.setattr(reader, "_started", started)
    return found


@pytest.fixture
def hanging(decoders: Decoders, monkeypatch: pytest.MonkeyPatch) -> Decoders:
    """The same; and each of them hangs."""
    monkeypatch.setattr(reader, "COMMAND", HANGS)
    return decoders


def app(detector: Detector, **settings: Any) -> FlaskClient:
    return create_app(detector, Settings(port=0, **{"workers": 1, "pictures_a_minute": 0, **settings})).test_client()


def send(client: FlaskClient, data: bytes, path: str = CLIPS, **headers: str) -> str:
    """Its address."""
    reply = client.post(path, data=data, headers=headers)
    assert reply.status_code == 202, reply.text
    assert ClipReply.model_validate_json(reply.data).state in ("waiting", "working", "done")
    return reply.headers["Location"]


def done(client: FlaskClient, address: str) -> TestResponse:
    """The reply with the answer."""
    replies: list[TestResponse] = []
    until(lambda: replies.append(client.get(address)) or state(replies[-1]) == "done")
    return replies[-1]


def state(reply: TestResponse) -> str:
    assert reply.status_code == 200, reply.text
    return ClipReply.model_validate_json(reply.data).state


def ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def test_the_answer_is_the_document_of_the_command_line(
    client: FlaskClient, toy_bundle: Path, clip: bytes, clip_file: Path
) -> None:
    command = [sys.executable, "-m", "unmask", "check", "--json", "--bundle", str(toy_bundle), clip_file.name]
    printed = subprocess.run(command, cwd=clip_file.parent, capture_output=True, check=True).stdout
    reply = client.post(CLIPS, data={"clip": (io.BytesIO(clip), clip_file.name)})
    assert reply.status_code == 202
    found = done(client, reply.headers["Location"]).json
    assert found["id"] == reply.json["id"]
    assert found["progress"] == 1.0
    alone = json.loads(printed)
    for document in (found["document"], alone):
        assert datetime.fromisoformat(document["findings"][0].pop("checked")).tzinfo is not None
    assert found["document"] == alone
    assert found["document"]["findings"][0]["status"] == "answered"


@pytest.mark.video
def test_a_video_as_the_body_is_answered_without_a_name(client: FlaskClient, clip_file: Path) -> None:
    with Image.open(clip_file) as picture:
        frame = np.asarray(picture.convert("RGB"))
    data = clips.video(size=(240, 160), frames=6, draw=lambda *_: frame)
    (found,) = done(client, send(client, data, **{"Content-Type": "video/mp4"})).json["document"]["findings"]
    assert (found["status"], found["path"], found["clip"]["codec"]) == ("answered", None, "h264")


def test_heatmaps_of_the_decisive_moments_come_where_they_were_asked_for(client: FlaskClient, clip: bytes) -> None:
    def maps(path: str) -> list[bool]:
        (person,) = done(client, send(client, clip, path)).json["document"]["findings"][0]["people"]
        assert [at for at, moment in enumerate(person["moments"]) if "heatmap" in moment["face"]] in (
            [], sorted(person["decisive"]),
        )  # fmt: skip
        return ["heatmap" in moment["face"] for moment in person["moments"]]

    assert any(maps(f"{CLIPS}?heatmap=png"))
    assert not any(maps(CLIPS))


def test_key_frames_of_the_decisive_moments_come_where_they_were_asked_for(client: FlaskClient, clip: bytes) -> None:
    def pictures(path: str) -> list[list[str]]:
        (person,) = done(client, send(client, clip, path)).json["document"]["findings"][0]["people"]
        shown = [[name for name in ("frame_picture", "face_picture") if name in each] for each in person["moments"]]
        return [shown[at] for at in person["decisive"]]

    assert pictures(f"{CLIPS}?key_frames=jpeg") == [["frame_picture", "face_picture"]] * 3
    assert pictures(CLIPS) == [[]] * 3


def test_a_clip_that_is_deleted_while_its_key_frames_are_read_leaves_no_decoder(
    client: FlaskClient, clip: bytes, decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(self: Looking) -> Any:  # the second decoder is the one of the key frames
        monkeypatch.setattr(reader, "COMMAND", HANGS)
        return people(self)

    people = Looking.people
    monkeypatch.setattr(Looking, "people", hang)
    address = send(client, clip, f"{CLIPS}?key_frames=jpeg")
    until(lambda: len(decoders) == 2)
    assert client.get(address).json["progress"] == 1.0
    assert client.delete(address).status_code == 204
    until(lambda: ended(decoders[1]))


@pytest.mark.parametrize("as_form", [True, False], ids=["fields", "parameters"])
def test_a_part_of_a_clip_is_looked_at_and_so_many_frames(client: FlaskClient, clip: bytes, as_form: bool) -> None:
    def looked_at(**asked: str) -> list[float]:
        query = "" if as_form else "?" + "&".join(f"{name}={value}" for name, value in asked.items())
        fields = {"clip": (io.BytesIO(clip), "a.png"), **asked} if as_form else None
        reply = client.post(CLIPS + query, data=fields or clip)
        assert reply.status_code == 202, reply.text
        (found,) = done(client, reply.headers["Location"]).json["document"]["findings"]
        return found["looked_at"]

    assert looked_at() == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert len(looked_at(frames="2")) == 2
    assert looked_at(**{"from": "0.4", "to": "0.7"}) == pytest.approx([0.4, 0.6])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("frames=0", "a whole number, 1 to 2000"),
        ("frames=2001", "a whole number, 1 to 2000"),
        ("frames=1.5", "a whole number"),
        ("frames=", "a number"),
        ("from=-1", "0 or more"),
        ("to=nan", "0 or more"),
        ("to=1e3", "0 or more"),
        ("from=5&to=5", "must end after it begins"),
        ("to=0", "must end after it begins"),
        ("to=1&to=2", "more than once"),
        ("heatmap=jpeg", "one of: none, png"),
        ("key_frames=png", "one of: none, jpeg"),
        ("every=2", "not known here"),
    ],
)
def test_what_makes_no_sense_is_refused(client: FlaskClient, clip: bytes, query: str, words: str) -> None:
    assert words in problem(client.post(f"{CLIPS}?{query}", data=clip), 400, "bad-parameter").detail
    fields = [part.split("=") for part in query.split("&")]
    form = {"clip": (io.BytesIO(clip), "a.png"), **{name: [v for n, v in fields if n == name] for name, _ in fields}}
    problem(client.post(CLIPS, data=form), 400, "bad-parameter")


def test_a_parameter_and_a_field_of_one_name_are_refused(client: FlaskClient, clip: bytes) -> None:
    form = {"clip": (io.BytesIO(clip), "a.png"), "frames": "2"}
    problem(client.post(f"{CLIPS}?frames=2", data=form), 400, "bad-parameter")


def test_a_part_beyond_the_end_is_a_finding_with_a_hint(client: FlaskClient, clip: bytes) -> None:
    (found,) = done(client, send(client, clip, f"{CLIPS}?from=100")).json["document"]["findings"]
    assert found["status"] == "unreadable"
    assert found["failure"]["hint"]


def test_a_clip_costs_as_many_pictures_as_frames_are_asked_for(detector: Detector, clip: bytes) -> None:
    client = app(detector, pictures_a_minute=40)
    send(client, clip, f"{CLIPS}?frames=3")
    send(client, clip, f"{CLIPS}?frames=37")
    problem(client.post(f"{CLIPS}?frames=1", data=clip), 429, "too-often")


@contextmanager
def frame_by_frame(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A call lets one more frame be looked at; all are at the end."""
    turns, take, is_over = threading.Semaphore(0), Looking.take, threading.Event()

    def wait(self: Looking, frame: reader.Frame) -> None:
        assert is_over.is_set() or turns.acquire(timeout=PATIENCE)
        take(self, frame)

    monkeypatch.setattr(Looking, "take", wait)
    yield turns.release
    is_over.set()
    turns.release(100)


def test_progress_is_the_share_of_frames_and_pictures_are_answered_meanwhile(
    client: FlaskClient, clip: bytes, face: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with frame_by_frame(monkeypatch) as next_frame:
        address, later = send(client, clip), send(client, clip)
        for number in range(1, 4):
            next_frame()
            until(lambda share=number / 6: client.get(address).json["progress"] == round(share, 4))
        shown = client.get(address).json
        assert (shown["state"], shown["document"]) == ("working", None)
        assert 0 < shown["seconds_left"] <= 15 * 60
        assert client.get(later).json["state"] == "waiting"
        assert client.post("/api/v1/check", data=face).status_code == 200
        found = samples(client)
        assert (found[("unmask_clips_running",)], found[("unmask_clips_waiting",)]) == (1, 1)
    done(client, address)
    done(client, later)


def test_a_clip_that_is_deleted_while_it_is_looked_at_leaves_no_decoder(
    client: FlaskClient, clip: bytes, hanging: Decoders
) -> None:
    address = send(client, clip)
    until(lambda: len(hanging) == 1)
    assert client.get(address).json["state"] == "working"
    assert not ended(hanging[0])
    assert client.delete(address).status_code == 204
    until(lambda: ended(hanging[0]))
    problem(client.get(address), 404, "no-such-clip")
    problem(client.delete(address), 404, "no-such-clip")
    assert samples(client)["unmask_clips_total", "outcome=ended"] == 1


def test_a_clip_that_is_deleted_between_two_frames_leaves_no_decoder_and_the_next_one_is_answered(
    client: FlaskClient, clip: bytes, decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    with frame_by_frame(monkeypatch) as next_frame:
        first, second = send(client, clip), send(client, clip)
        next_frame()
        until(lambda: client.get(first).json["progress"] > 0)
        client.delete(first)
        next_frame()
        until(lambda: ended(decoders[0]))
    done(client, second)


def test_a_clip_that_waits_can_be_deleted_and_is_never_looked_at(
    client: FlaskClient, clip: bytes, hanging: Decoders
) -> None:
    first, second = send(client, clip), send(client, clip)
    until(lambda: len(hanging) == 1)
    assert client.delete(second).status_code == 204
    client.delete(first)
    until(lambda: ended(hanging[0]))
    until(lambda: samples(client)[("unmask_clips_running",)] == 0)
    assert len(hanging) == 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("limit", [{"clip_minutes": 0.5}, {"clip_unasked_seconds": 30}])
def test_a_clip_whose_time_is_over_leaves_no_decoder(
    detector: Detector, clip: bytes, hanging: Decoders, limit: dict[str, float]
) -> None:
    client, clock = app(detector, **limit), Clock()
    client.application.extensions["unmask"].clips._clock = clock
    address = send(client, clip)
    until(lambda: bool(hanging))
    clock.now = 30.0
    until(lambda: ended(hanging[0]))
    problem(client.get(address), 404, "no-such-clip")


def test_answers_are_forgotten_after_their_time_and_clips_that_nobody_asks_for_before(detector: Detector) -> None:
    clock, answered = Clock(), threading.Event()

    def judge(job: Any, upload: Upload) -> Any:
        answered.wait(PATIENCE)

    settings = Settings(clip_minutes=10, clip_unasked_seconds=60, clips_under_way=3)
    jobs = ClipJobs(judge, settings, Metrics(detector, Pool(1, 0, 1.0)), clock=clock)
    asked, beside, alone = (
        jobs.add(Upload(None, b"x"), "192.0.2.1", request, ClipWanted()).id for request in ("a", "a", "b")
    )
    for clock.now in (30.0, 59.0, 80.0):
        jobs.find(asked, "192.0.2.1")
    with pytest.raises(Problem):
        jobs.find(alone, "192.0.2.1")
    jobs.find(beside, "192.0.2.1")  # came in one form with the first, whose page was looked at
    answered.set()
    until(lambda: jobs.find(asked, "192.0.2.1").state == "done")
    clock.now = 599.0
    assert jobs.seconds_left(jobs.find(asked, "192.0.2.1")) == 1
    clock.now = 600.0
    with pytest.raises(Problem):
        jobs.find(asked, "192.0.2.1")
    until(lambda: not jobs._threads)


def test_a_clip_that_is_deleted_just_when_its_turn_comes_does_not_stop_the_next(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(job: Any, upload: Upload) -> Any:
        job.started(lambda: None)
        return "an answer"

    def answer(self: ClipJobs, job: Any, *rest: Any) -> None:
        if job is first:
            self.end(job.id, "192.0.2.1")
        original(self, job, *rest)

    original, go = ClipJobs._answer, threading.Event()
    monkeypatch.setattr(ClipJobs, "_answer", lambda *arguments: (go.wait(PATIENCE), answer(*arguments)))
    jobs = ClipJobs(judge, Settings(), Metrics(detector, Pool(1, 0, 1.0)))
    first, second = (jobs.add(Upload(None, b"x"), "192.0.2.1", "id", ClipWanted()) for _ in range(2))
    go.set()
    until(lambda: second.state == "done")
    assert first.answer is None


@pytest.mark.parametrize("refused", ["clips", "clips-time"])
def test_a_thread_that_cannot_be_started_stops_no_later_clip(
    detector: Detector, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    def start(self: threading.Thread) -> None:
        if self.name == refused:
            raise RuntimeError("can't start new thread")
        original(self)

    original = threading.Thread.start
    jobs = ClipJobs(lambda *_: "an answer", Settings(), Metrics(detector, Pool(1, 0, 1.0)))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError):
            jobs.add(Upload(None, b"x"), "192.0.2.1", "id", ClipWanted())
    assert not jobs._jobs
    job = jobs.add(Upload(None, b"x"), "192.0.2.1", "id", ClipWanted())
    until(lambda: job.state == "done")
    assert "clips-time" in jobs._threads


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")
def test_where_a_thread_may_not_be_nice_clips_are_answered(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", refuse)
    jobs = ClipJobs(lambda *_: "an answer", Settings(), Metrics(detector, Pool(1, 0, 1.0)))
    job = jobs.add(Upload(None, b"x"), "192.0.2.1", "id", ClipWanted())
    until(lambda: job.state == "done")


def test_a_clip_lets_pictures_pass_but_not_for_ever(detector: Detector) -> None:
    clock, glances = Clock(), list[float]()

    def has_pictures() -> bool:
        glances.append(clock.now)
        clock.now += 0.3 if len(glances) != 3 else 0.0
        return len(glances) != 3  # then one after the other

    def judge(job: Any, upload: Upload) -> Any:
        job.looked(1, 2)  # until the third glance
        assert len(glances) == 3
        job.looked(2, 2)  # until its patience ends
        assert 2.0 <= clock.now - glances[2] <= 2.5
        return "an answer"

    settings = Settings(clips_under_way=2)
    jobs = ClipJobs(judge, settings, Metrics(detector, Pool(1, 0, 1.0)), has_pictures=has_pictures, clock=clock)
    job = jobs.add(Upload(None, b"x"), "192.0.2.1", "id", ClipWanted())
    until(lambda: not job.is_under_way)
    assert (job.state, job.answer) == ("done", "an answer")


def test_over_the_limit_clips_are_refused_with_a_time_and_a_deleted_one_makes_room(
    detector: Detector, clip: bytes, hanging: Decoders
) -> None:
    client = app(detector, clips_under_way=2)
    addresses = [send(client, clip) for _ in range(2)]
    refused = client.post(CLIPS, data=clip)
    problem(refused, 429, "busy")
    assert int(refused.headers["Retry-After"]) > 0
    client.delete(addresses[0])
    send(client, clip)


def test_no_more_answers_are_kept_than_may_be(detector: Detector, clip: bytes) -> None:
    client = app(detector, clips_kept=1)
    address = send(client, clip)
    done(client, address)
    refused = client.post(CLIPS, data=clip)
    problem(refused, 429, "busy")
    assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60
    client.delete(address)
    send(client, clip)


def test_a_clip_that_cannot_be_read_is_a_finding(client: FlaskClient, clip: bytes, face: bytes) -> None:
    for data, code in ((b"no clip", "not-a-clip"), (face, "not-a-clip"), (clip[:2000], "no-frames")):
        (found,) = done(client, send(client, data)).json["document"]["findings"]
        assert (found["status"], found["failure"]["code"]) == ("unreadable", code)
        assert found["failure"]["hint"]
    assert samples(client)["unmask_clips_total", "outcome=unreadable"] == 3


def test_what_is_no_request_with_one_clip_is_refused(client: FlaskClient, clip: bytes) -> None:
    problem(client.post(CLIPS), 400, "no-clip")
    problem(client.post(CLIPS, data=clip, content_type="text/plain"), 415, "wrong-type")
    two = {"clip": [(io.BytesIO(clip), "a.png"), (io.BytesIO(clip), "b.png")]}
    problem(client.post(CLIPS, data=two), 413, "too-many-clips")
    problem(client.post(f"{CLIPS}?heatmap=jpeg", data=clip), 400, "bad-parameter")


def test_without_the_extra_a_video_is_refused_with_a_hint_and_an_animation_read(
    client: FlaskClient, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = problem(client.post(CLIPS, data=b"\0\0\0\x20ftypmp42" + bytes(1000)), 501, "no-videos")
    assert "extra `video`" in found.hint
    done(client, send(client, clip))


def test_a_failure_of_the_server_is_told_and_counted(
    client: FlaskClient, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Looking, "take", lambda *_: 1 // 0)
    address = send(client, clip)
    until(lambda: client.get(address).status_code != 200)
    problem(client.get(address), 500, "internal")
    assert samples(client)["unmask_clips_total", "outcome=failed"] == 1


def test_after_a_restart_there_is_no_such_clip(detector: Detector, clip: bytes) -> None:
    before = app(detector)
    address = send(before, clip)
    done(before, address)
    problem(app(detector).get(address), 404, "no-such-clip")


def test_a_server_that_ends_leaves_no_decoder(serve, clip: bytes, hanging: Decoders) -> None:
    server: Server = serve()
    assert ask(server, "POST", CLIPS, clip)[0] == 202
    until(lambda: bool(hanging))
    server.end()
    until(lambda: ended(hanging[0]))
    with pytest.raises(Problem, match="finishing"):
        server.services.clips.refuse_if_full()


def test_somebody_else_s_clip_is_none(client: FlaskClient, clip: bytes) -> None:
    address = send(client, clip)
    other = {"REMOTE_ADDR": "192.0.2.7"}
    problem(client.get(address, environ_base=other), 404, "no-such-clip")
    problem(client.delete(address, environ_base=other), 404, "no-such-clip")
    done(client, address)


def test_ids_are_long_and_never_the_same(detector: Detector, clip: bytes) -> None:
    client = app(detector, clips_under_way=20)
    names = {send(client, b"no clip").rpartition("/")[2] for _ in range(10)}
    assert len(names) == 10
    assert all(len(name) >= 32 for name in names)


def test_the_token_is_asked_for_everywhere(detector: Detector, clip: bytes) -> None:
    token = {"Authorization": "Bearer correct-horse-battery-staple"}
    client = app(detector, token="correct-horse-battery-staple")
    problem(client.post(CLIPS, data=clip), 401, "unauthorized")
    address = send(client, clip, **token)
    problem(client.get(address), 401, "unauthorized")
    problem(client.delete(address), 401, "unauthorized")
    assert client.delete(address, headers=token).status_code == 204


def test_a_clip_costs_its_client_as_many_pictures_as_are_looked_at(detector: Detector, clip: bytes) -> None:
    client = app(detector, pictures_a_minute=40)
    send(client, clip)
    refused = client.post(CLIPS, data=clip)
    problem(refused, 429, "too-often")
    assert int(refused.headers["Retry-After"]) > 30


def test_another_site_can_neither_send_nor_delete(client: FlaskClient, clip: bytes) -> None:
    cross = {"Sec-Fetch-Site": "cross-site"}
    problem(client.post(CLIPS, data=clip, headers=cross), 403, "cross-site")
    problem(client.delete(send(client, clip), headers=cross), 403, "cross-site")


def test_clips_have_a_body_limit_and_a_budget_of_their_own(serve, clip: bytes, face: bytes) -> None:
    server: Server = serve(max_clip_mb=2, max_upload_mb=1, clips_arriving=1)
    assert ask(server, "POST", CLIPS, clip + bytes(1_500_000))[0] == 202
    status, _, body = ask(server, "POST", CLIPS, bytes(4_000_000))
    assert (status, json.loads(body)["detail"]) == (413, "The request is larger than 2 MB.")
    assert ask(server, "POST", "/api/v1/check", bytes(1_500_000))[0] == 413
    with raw(server) as arriving:
        head = f"POST {CLIPS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\nx"
        arriving.sendall(head.encode())
        until(lambda: server.gateway.clip_budget.free_bytes < 2_000_000)
        assert ask(server, "POST", CLIPS, clip + bytes(500_000))[0] == 429
        assert ask(server, "POST", "/api/v1/check", face)[0] == 200
    until(lambda: server.gateway.clip_budget.free_bytes > 2_000_000)


def test_a_full_server_refuses_a_clip_before_it_is_sent(serve, clip: bytes, hanging: Decoders) -> None:
    server: Server = serve(clips_under_way=1)
    assert ask(server, "POST", CLIPS, clip)[0] == 202
    with raw(server) as connection:
        head = f"POST {CLIPS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000000\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        status, found = answer(connection)
    assert (status, found["code"]) == (429, "busy")


def test_no_file_is_written(serve, clip: bytes) -> None:
    server: Server = serve()
    with watching_files() as written:
        _, headers, _ = ask(server, "POST", CLIPS, clip)
        until(lambda: json.loads(ask(server, "GET", headers["location"])[2])["state"] == "done")
    # The second is a descriptor, of memory: see the next test.
    assert [line for line in written if not re.match(r"/dev/null |\d+ ", line)] == []


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no such files here")
def test_the_decoder_reads_the_clip_from_memory(client: FlaskClient, clip: bytes, hanging: Decoders) -> None:
    send(client, clip)
    until(lambda: bool(hanging))
    assert os.readlink(f"/proc/{hanging[0].pid}/fd/0") == "/memfd:clip (deleted)"


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")
def test_the_decoder_leaves_the_cores_to_pictures(client: FlaskClient, clip: bytes, hanging: Decoders) -> None:
    send(client, clip)
    until(lambda: bool(hanging))
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, hanging[0].pid) == min(19, max(own, NICE))


def test_the_log_tells_nothing_of_a_clip_but_hash_format_size_and_answer(
    client: FlaskClient, clip: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        reply = client.post(CLIPS, data={"clip": (io.BytesIO(clip), "my-holiday.png")})
        done(client, reply.headers["Location"])
    assert "clip request=" in caplog.text
    assert "format=PNG/" in caplog.text
    assert "holiday" not in caplog.text
    assert reply.json["id"] not in caplog.text


def test_answers_are_counted_with_their_time(client: FlaskClient, clip: bytes) -> None:
    (found,) = done(client, send(client, clip)).json["document"]["findings"]
    counted = samples(client)
    assert counted["unmask_clips_total", f"outcome={found['verdict']}"] == 1
    assert counted[("unmask_clip_seconds_count",)] == 1
    assert counted[("unmask_clips_running",)] == 0


def test_the_description_names_clips() -> None:
    described = openapi()
    assert set(described["paths"]["/api/v1/clips/{name}"]) == {"get", "delete"}
    (sent,) = described["paths"]["/api/v1/clips"].values()
    assert "Location" in sent["responses"]["202"]["headers"]
    assert {"ClipReply", "ClipFinding", "PersonFinding", "Moment"} <= set(described["components"]["schemas"])
