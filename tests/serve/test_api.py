import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.toy_bundle import write_toy_bundle
from unmask.detector import Detector
from unmask.serve import Settings, create_app
from unmask.serve.pool import Pool
from unmask.serve.schema import AboutReply, CheckReply, HealthReply, ProblemReply

CHECK = "/api/v1/check"


def form(*pictures: tuple[bytes, str]) -> dict[str, object]:
    return {"picture": [(io.BytesIO(data), name) for data, name in pictures]}


def problem(reply, status: int, code: str) -> ProblemReply:
    assert reply.status_code == status
    assert reply.mimetype == "application/problem+json"
    found = ProblemReply.model_validate_json(reply.data)
    assert (found.status, found.code, found.request_id) == (status, code, reply.headers["X-Request-ID"])
    assert found.hint
    return found


def timeless(document: bytes) -> bytes:
    """A document without the times of its answers."""
    return re.sub(rb'"checked": "[^"]+"', b'"checked": ""', document)


def test_the_reply_is_the_document_of_the_command_line(
    client: FlaskClient, toy_bundle: Path, face: bytes, tmp_path: Path
) -> None:
    (tmp_path / "face.jpg").write_bytes(face)
    command = [sys.executable, "-m", "unmask", "check", "--json", "--bundle", str(toy_bundle), "face.jpg"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    for query in ("provenance=c2pa", "heatmap=none&provenance=c2pa"):
        reply = client.post(f"{CHECK}?{query}", data=form((face, "face.jpg"))).data
        assert timeless(reply) == timeless(printed)


def test_a_raw_body_gets_the_same_answer_without_a_name(client: FlaskClient, face: bytes) -> None:
    raw = json.loads(timeless(client.post(CHECK, data=face, content_type="image/jpeg").data))
    named = json.loads(timeless(client.post(CHECK, data=form((face, "face.jpg"))).data))
    assert raw["findings"][0].pop("path") is None
    assert named["findings"][0].pop("path") == "face.jpg"
    assert raw == named


def test_a_raw_body_needs_no_content_type(client: FlaskClient, face: bytes) -> None:
    assert client.post(CHECK, data=face).json["summary"]["pictures"] == 1


def test_a_face_outside_training_comes_with_its_note_in_the_promised_shape(tmp_path: Path, face: bytes) -> None:
    folder = write_toy_bundle(tmp_path / "strict", weight=0.1, bias=5.0, outside_above=0.0)
    client = create_app(Detector.load(folder, threads=1), Settings(port=0, workers=1)).test_client()
    (finding,) = CheckReply.model_validate_json(client.post(CHECK, data=face).data).findings
    assert finding.verdict == "unsure"
    assert "outside-training" in [note.code for note in finding.faces[0].notes]


def test_every_picture_of_a_call_gets_a_finding_in_their_order(
    client: FlaskClient, face: bytes, wall: bytes, broken: bytes
) -> None:
    reply = client.post(CHECK, data=form((face, "a.jpg"), (broken, "b.jpg"), (wall, "c.png"), (b"text", "d.txt")))
    document = CheckReply.model_validate_json(reply.data)
    assert [(finding.path, finding.status) for finding in document.findings] == [
        ("a.jpg", "answered"),
        ("b.jpg", "unreadable"),
        ("c.png", "no-face"),
        ("d.txt", "unreadable"),
    ]
    assert [finding.failure.code if finding.failure else None for finding in document.findings] == [
        None,
        "truncated",
        "no-face",
        "not-a-picture",
    ]
    assert document.summary.pictures == 4
    assert document.summary.unreadable == 2


def test_heatmaps_come_as_pngs_when_asked_for(client: FlaskClient, face: bytes) -> None:
    document = CheckReply.model_validate_json(client.post(f"{CHECK}?heatmap=png", data=face).data)
    (heatmap,) = [judged.heatmap for judged in document.findings[0].faces]
    assert heatmap is not None
    assert heatmap.startswith("data:image/png;base64,iVBORw0KGgo")


def test_provenance_comes_when_asked_for(client: FlaskClient, face: bytes) -> None:
    document = CheckReply.model_validate_json(client.post(f"{CHECK}?provenance=c2pa", data=face).data)
    provenance = document.findings[0].provenance
    assert provenance is not None
    assert provenance.state == "none"


@pytest.mark.parametrize("query", ["heatmap=png&provenance=c2pa", "heatmap=none"])
def test_the_same_bytes_get_the_same_reply(client: FlaskClient, face: bytes, query: str) -> None:
    replies = {timeless(client.post(f"{CHECK}?{query}", data=face).data) for _ in range(3)}
    assert len(replies) == 1


@pytest.mark.parametrize("query", ["heatmap=jpeg", "heatmaps=png", "heatmap=png&heatmap=none", "provenance=", "x"])
def test_a_parameter_that_is_not_known_is_refused(client: FlaskClient, face: bytes, query: str) -> None:
    problem(client.post(f"{CHECK}?{query}", data=face), 400, "bad-parameter")


def test_a_request_without_a_picture_is_refused(client: FlaskClient) -> None:
    found = problem(client.post(CHECK), 400, "no-picture")
    assert "-F picture=@photo.jpg" in found.hint
    problem(client.post(CHECK, data={"picture": "photo.jpg"}, content_type="multipart/form-data"), 400, "no-picture")


def test_a_file_field_left_empty_is_no_picture(client: FlaskClient) -> None:
    problem(client.post(CHECK, data=form((b"", ""))), 400, "no-picture")


def test_an_empty_file_is_a_picture_that_cannot_be_read(client: FlaskClient) -> None:
    reply = client.post(CHECK, data=form((b"", "empty.jpg")))
    assert reply.json["findings"][0]["failure"]["code"] == "empty-file"


def test_another_content_type_is_refused(client: FlaskClient) -> None:
    problem(client.post(CHECK, json={"picture": "x"}), 415, "wrong-type")


def test_a_body_over_the_limit_is_refused_by_its_length(detector: Detector) -> None:
    small = create_app(detector, Settings(max_upload_mb=1, pictures_a_minute=0)).test_client()
    problem(small.post(CHECK, data=b"x" * 1_200_000), 413, "too-large")


def test_a_reply_that_would_be_too_large_is_refused(detector: Detector, face: bytes) -> None:
    client = create_app(detector, Settings(reply_mb=0, pictures_a_minute=0)).test_client()
    assert "fewer" in problem(client.post(f"{CHECK}?heatmap=png", data=face), 413, "too-large").hint
    assert client.post("/card", data=form((face, "a.jpg"))).status_code == 413
    assert client.post(CHECK, data=face).status_code == 200


def test_too_many_pictures_are_refused(detector: Detector, face: bytes) -> None:
    few = create_app(detector, Settings(max_pictures=2, pictures_a_minute=0)).test_client()
    problem(few.post(CHECK, data=form(*[(face, "a.jpg")] * 3)), 413, "too-many-pictures")


def test_ten_thousand_parts_are_refused(client: FlaskClient) -> None:
    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(10_000)) + b"--x--"
    reply = client.post(CHECK, data=parts, content_type="multipart/form-data; boundary=x")
    problem(reply, 413, "too-many-pictures")


@pytest.mark.parametrize("path", [CHECK, "/card"])
def test_a_long_field_of_a_form_is_told_from_too_many_pictures(client: FlaskClient, face: bytes, path: str) -> None:
    note = b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n' + b"x" * 600_000 + b"\r\n"
    picture = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a.jpg"\r\n\r\n' + face + b"\r\n--x--"
    reply = client.post(path, data=note + picture, content_type="multipart/form-data; boundary=x")
    assert reply.status_code == 413
    assert "A field of the form has more than 500 kB." in reply.text
    assert "as a file" in reply.text


def test_a_long_form_of_another_type_is_refused_before_it_is_taken_apart(client: FlaskClient) -> None:
    reply = client.post("/card", data={"note": "x" * 600_000})
    assert reply.status_code == 413
    assert "A field of the form" in reply.text


def test_a_server_whose_queue_is_full_is_not_ready(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "is_full", True)
    assert "queue" in problem(client.get("/readyz"), 503, "not-ready").detail


def test_a_client_that_sends_too_often_is_told_how_long_to_wait(detector: Detector, face: bytes) -> None:
    client = create_app(detector, Settings(pictures_a_minute=2)).test_client()
    assert client.post(CHECK, data=form((face, "a.jpg"), (face, "b.jpg"))).status_code == 200
    reply = client.post(CHECK, data=face)
    problem(reply, 429, "too-often")
    assert 0 < int(reply.headers["Retry-After"]) <= 60


def test_the_detector_is_described(client: FlaskClient, detector: Detector) -> None:
    about = AboutReply.model_validate_json(client.get("/api/v1/detector").data)
    assert about.detector.name == detector.info.name
    assert about.limits.pictures == 50


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_fresh_server_is_well_and_ready(client: FlaskClient, path: str) -> None:
    HealthReply.model_validate_json(client.get(path).data)


def test_a_plain_request_id_comes_back(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "story-42.a_b"}).headers["X-Request-ID"] == "story-42.a_b"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "ü"])
def test_any_other_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    back = client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", back)


def test_an_address_without_anything_is_a_problem(client: FlaskClient) -> None:
    problem(client.get("/api/v1/nothing"), 404, "not-found")


def test_a_wrong_method_says_which_ones_go(client: FlaskClient) -> None:
    reply = client.get(CHECK)
    problem(reply, 405, "wrong-method")
    assert "POST" in reply.headers["Allow"]


def test_a_failure_of_the_server_tells_nothing_of_its_inside(
    client: FlaskClient, face: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(client.application.extensions["unmask"].answering, "answer", fail)
    found = problem(client.post(CHECK, data=face), 500, "internal")
    assert "inside" not in found.detail


def test_the_docs_page_names_every_operation_and_refusal(client: FlaskClient) -> None:
    page = client.get("/api/v1/docs").text
    description = json.loads(client.get("/api/v1/openapi.json").data)
    for path, methods in description["paths"].items():
        assert f"</b> {path}</code>" in page
        assert all(f'id="{operation["operationId"]}"' in page for operation in methods.values())
    for code in ("too-often", "busy", "unauthorized"):
        assert f'id="{code}"' in page
