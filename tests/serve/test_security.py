import io
import logging

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from unmask.demo import draw_face
from unmask.detector import Detector
from unmask.errors import UnmaskError
from unmask.serve import Settings, create_app
from unmask.serve.tokens import checked_token
from unmask.serve.uploads import shown_name

TOKEN = "correct-horse-battery-staple"


@pytest.mark.parametrize("path", ["/check", "/card", "/api/v1/check"])
def test_a_page_of_another_site_cannot_send_pictures(client: FlaskClient, face: bytes, path: str) -> None:
    refused = client.post(path, data=face, headers={"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 403
    assert "another site" in refused.text
    assert client.post(path, data=face, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost", 200),
        ("http://LOCALHOST", 200),
        ("http://evil.example", 403),
        ("http://localhost:81", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_where_a_browser_does_not_say_whose_page_it_is_the_origin_does(
    client: FlaskClient, face: bytes, origin: str, status: int
) -> None:
    assert client.post("/check", data=face, headers={"Origin": origin}).status_code == status
    same = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/check", data=face, headers=same).status_code == 200


def test_a_link_from_another_site_opens_the_page(client: FlaskClient) -> None:
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"])
def test_a_local_server_answers_to_its_names(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "[::2]:1"])
def test_a_local_server_answers_to_no_other_name(client: FlaskClient, host: str) -> None:
    for path in ("/", "/healthz", "/api/v1/detector"):
        refused = client.get(path, headers={"Host": host})
        assert refused.status_code == 421


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 421), ("0.0.0.0", 400)])
def test_a_host_that_no_name_can_be_is_refused_in_the_words_of_the_api(
    detector: Detector, accept: str, host: str, status: int
) -> None:
    client = create_app(detector, Settings(host=host)).test_client()
    refused = client.get("/", headers={"Host": "a..b", "Accept": accept})
    assert (refused.status_code, refused.mimetype) == (status, "application/problem+json")
    assert "Content-Security-Policy" in refused.headers


@pytest.mark.parametrize("settings", [Settings(host="0.0.0.0"), Settings(trusted_proxies=("127.0.0.1",))])
def test_a_server_for_others_answers_to_any_name(detector: Detector, settings: Settings) -> None:
    client = create_app(detector, settings).test_client()
    assert client.get("/", headers={"Host": "newsroom.example"}).status_code == 200


@pytest.mark.parametrize("given", [None, TOKEN, f" {TOKEN}\n"])
def test_a_token_is_taken_without_the_spaces_around_it(given: str | None) -> None:
    assert checked_token(given) == (given and TOKEN)


@pytest.mark.parametrize(
    "given", ["", " ", "short", "   fifteen-letters  ", "correct horse battery", "correct-hörse-staple"]
)
def test_a_token_that_no_client_could_show_or_anyone_could_guess_is_refused(given: str) -> None:
    with pytest.raises(UnmaskError, match="the token") as error:
        checked_token(given)
    assert "unmask token" in error.value.hint


@pytest.fixture
def guarded(detector: Detector) -> FlaskClient:
    return create_app(detector, Settings(token=TOKEN, pictures_a_minute=0)).test_client()


@pytest.mark.parametrize(("method", "path"), [("post", "/api/v1/check"), ("get", "/metrics")])
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"])
def test_without_the_right_token_there_is_no_answer(
    guarded: FlaskClient, method: str, path: str, header: str | None, face: bytes
) -> None:
    reply = getattr(guarded, method)(path, data=face, headers={"Authorization": header} if header else {})
    assert reply.status_code == 401
    assert reply.json["code"] == "unauthorized"
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="unmask"'


def test_with_the_token_there_is(guarded: FlaskClient, face: bytes) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.post("/api/v1/check", data=face, headers=headers).status_code == 200
    assert guarded.get("/metrics", headers=headers).status_code == 200


def test_wrong_tokens_cannot_be_tried_without_end(detector: Detector, face: bytes) -> None:
    client = create_app(detector, Settings(token=TOKEN, wrong_tokens_a_minute=3)).test_client()

    def ask(token: str, address: str = "192.0.2.1") -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return client.post("/api/v1/check", data=face, headers=headers, environ_base={"REMOTE_ADDR": address})

    assert [ask(token).status_code for token in ("a", "b", TOKEN, "c")] == [401, 401, 200, 401]
    for token in ("d", TOKEN):
        refused = ask(token)
        assert (refused.status_code, refused.json["code"]) == (429, "too-many-tokens")
        assert 0 < int(refused.headers["Retry-After"]) <= 20
    assert ask(TOKEN, "192.0.2.2").status_code == 200


def test_to_forget_the_token_is_no_attempt(detector: Detector, face: bytes) -> None:
    client = create_app(detector, Settings(token=TOKEN, wrong_tokens_a_minute=1)).test_client()
    for _ in range(3):
        assert client.post("/api/v1/check", data=face).status_code == 401
    fields = {"picture": (io.BytesIO(face), "a.jpg"), "token": TOKEN}
    assert client.post("/check", data=fields).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/api/v1/detector", "/api/v1/openapi.json", "/api/v1/docs"]
)
def test_what_tells_nothing_needs_no_token(guarded: FlaskClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_the_form_takes_the_token_as_a_field(guarded: FlaskClient, face: bytes) -> None:
    fields = {"picture": (io.BytesIO(face), "a.jpg")}
    assert guarded.post("/check", data={**fields, "token": TOKEN}).status_code == 200
    refused = guarded.post("/check", data={"picture": (io.BytesIO(face), "a.jpg"), "token": "wrong"})
    assert refused.status_code == 401
    assert "A token is needed" in refused.text


def test_the_api_takes_no_token_from_a_form(guarded: FlaskClient, face: bytes) -> None:
    fields = {"picture": (io.BytesIO(face), "a.jpg"), "token": TOKEN}
    assert guarded.post("/api/v1/check", data=fields).status_code == 401


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/docs", "/healthz", "/nothing", "/static/app.js", "/samples/portrait.jpg"]
)
def test_every_reply_is_hardened(client: FlaskClient, path: str) -> None:
    with client.get(path) as reply:
        headers = reply.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers
    assert "Server" not in headers


def test_answers_are_kept_by_no_cache(client: FlaskClient, face: bytes) -> None:
    assert client.post("/api/v1/check", data=face).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\me.jpg", "me.jpg"),
        ("a\r\nX-Evil: 1.jpg", "a��X-Evil: 1.jpg"),
        ("gpj.\u202eexe", "gpj.�exe"),
        ("", None),
        (None, None),
        ("folder/", None),
        ("n" * 300, "n" * 200),
    ],
)
def test_a_file_name_is_only_shown(given: str | None, shown: str | None) -> None:
    assert shown_name(given) == shown


def picture_with_exif(**tags: str) -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = tags["make"], tags["model"], tags["software"]
    exif[0x9286] = tags["comment"]
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    stream = io.BytesIO()
    Image.fromarray(draw_face(7)).save(stream, "JPEG", exif=exif, comment=tags["comment"])
    return stream.getvalue()


def test_only_camera_and_software_of_the_exif_come_back(client: FlaskClient) -> None:
    data = picture_with_exif(make="Maker", model="Model 1", software="Editor 2", comment="SECRET")
    for text in (client.post("/api/v1/check", data=data).text, client.post("/card", data=data).text):
        assert "Maker Model 1" in text
        assert "Editor 2" in text
        assert "SECRET" not in text
        assert "GPS" not in text


def test_script_in_exif_or_name_is_shown_as_text(client: FlaskClient) -> None:
    script = "<script>alert(1)</script>"
    data = picture_with_exif(make="M", model=script, software='"><img src=x onerror=alert(1)>', comment="c")
    page = client.post("/card", data={"picture": (io.BytesIO(data), f"{script}.jpg")}).text
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page


def test_the_log_tells_hash_format_size_verdict_and_time_and_nothing_else_of_a_picture(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    data = picture_with_exif(make="Maker", model="Model 1", software="Editor 2", comment="SECRET")
    with caplog.at_level(logging.INFO):
        client.post("/api/v1/check", data={"picture": (io.BytesIO(data), "my-holiday.jpg")})
        client.post("/api/v1/check", data={"picture": (io.BytesIO(b"junk"), "my-holiday.txt")})
    words = caplog.text
    assert "format=JPEG size=512x512" in words
    assert "answer=unreadable" in words
    for secret in ("holiday", "Maker", "Editor", "SECRET", "junk"):
        assert secret not in words


def test_the_token_is_not_in_the_settings_text() -> None:
    assert TOKEN not in repr(Settings(token=TOKEN))
