import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import unquote_to_bytes

import pytest
from click.testing import CliRunner

from unmask.cli import fetch
from unmask.cli.main import main
from unmask.errors import UnmaskError


@pytest.fixture
def web(monkeypatch, face_file):
    """A host whose numbers count as public; /face.png is a picture, /page is none, /to?ADDRESS leads on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            leads_on = self.path.startswith("/to?")
            self.send_response(302 if leads_on else 200)
            if leads_on:
                self.send_header("Location", unquote_to_bytes(self.path[4:]).decode("latin-1"))
            self.end_headers()
            if self.path.startswith("/page"):
                self.wfile.write(f"<!doctype html><html>{self.path}".encode())
            if self.path == "/face.png":
                self.wfile.write(face_file.read_bytes())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(fetch, "PORTS", {"http": server.server_port, "https": 443})
    monkeypatch.setattr(fetch, "_is_public", lambda number: number == "127.0.0.1")
    yield "http://127.0.0.1"
    server.shutdown()
    server.server_close()


def check(*arguments):
    return CliRunner().invoke(main, ["check", *arguments], catch_exceptions=False)


def test_an_address_is_not_fetched_unasked(monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("a name was looked up"))
    result = check("https://example.org/a.jpg")
    assert result.exit_code == 2
    assert "--fetch https://example.org/a.jpg" in result.stderr


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://me:hush@bucket/a.jpg", "s3://bucket/a.jpg"),
        ("ftp://me:hush@host/*.jpg", "ftp://host/*.jpg"),
        ("SFTP://host/a.jpg", "SFTP://host/a.jpg"),
    ],
)
@pytest.mark.parametrize("verb", [["check"], ["check", "--fetch"], ["explain"]])
def test_an_address_that_is_not_on_the_web_is_refused_with_the_verb_that_reads_such(verb, address, shown):
    result = CliRunner().invoke(main, [*verb, address])
    assert result.exit_code == 2
    assert f"{shown} is no file but an address" in result.stderr
    assert f"unmask scan {shown}" in result.stderr
    assert "hush" not in result.output


def test_a_file_whose_path_looks_like_an_address_is_a_file(in_folder, face_file, toy_bundle):
    (in_folder / "s3:").mkdir()
    (in_folder / "s3:" / "a.png").write_bytes(face_file.read_bytes())
    assert check("--bundle", str(toy_bundle), "s3://a.png").exit_code == 0


def test_a_fetched_picture_is_answered_under_its_address_and_one_that_fails_is_listed(web, toy_bundle):
    names = [f"{web}/face.png", f"{web}/to?http://10.0.0.1/"]
    result = check("--fetch", "--json", "--bundle", str(toy_bundle), *names)
    assert result.exit_code == 1
    assert f'"path": "{names[0]}"' in result.stdout
    assert f'"path": "{names[1]}"' in result.stdout
    assert "nothing is fetched from 10.0.0.1" in result.stdout


def test_what_is_no_picture_is_refused_under_its_address(web, toy_bundle):
    result = check("--fetch", "--json", "--bundle", str(toy_bundle), f"{web}/page")
    assert f'"{web}/page is not a picture' in result.stdout
    assert "unmask-" not in result.stdout.replace("unmask-clip", "")


def test_a_place_in_raw_utf_8_is_asked_for_as_it_was_sent(web):
    assert fetch.fetch(f"{web}/to?/page%C3%A4%23part").endswith(b"/page%C3%A4")


def test_no_channel_stays_open(web, monkeypatch):
    connect, channels = fetch._connect, []

    def connecting(*place):
        channels.append(connect(*place))
        return channels[-1]

    monkeypatch.setattr(fetch, "_connect", connecting)
    fetch.fetch(f"{web}/to?/page")
    assert [channel.fileno() for channel in channels] == [-1, -1]


def test_the_other_numbers_of_a_host_are_tried(web, monkeypatch):
    lookup = socket.getaddrinfo
    places = [
        (*found[:4], (number, *found[4][1:]))
        for number in ("127.0.0.9", "127.0.0.1")
        for found in lookup("127.0.0.1", 1)
    ]
    monkeypatch.setattr(fetch, "_is_public", lambda _: True)
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: lookup(host, *rest, **more) if host[:3] == "127" else places
    )
    assert fetch.fetch("http://example.org/page").endswith(b"/page")


def test_a_host_that_does_not_answer_in_time_is_said_to(monkeypatch):
    def wait(_):
        raise TimeoutError

    monkeypatch.setattr(fetch, "_get", wait)
    with pytest.raises(UnmaskError, match="it took too long"):
        fetch.fetch("http://example.org/a.jpg")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "10.1.2.3",
        "169.254.169.254",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[fe80::1]",
    ],
)
def test_nothing_inside_of_a_machine_s_own_networks_is_asked(host, monkeypatch):
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: pytest.fail("it was asked"))
    with pytest.raises(UnmaskError, match=r"no public address|could not be fetched"):
        fetch.fetch(f"http://{host}/a.jpg")


@pytest.mark.parametrize("address", ["http://a:b@example.org/", "http://example.org:22/", "https:///a.jpg"])
def test_odd_addresses_are_refused(address):
    with pytest.raises(UnmaskError, match="only plain http and https"):
        fetch.fetch(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://me:hu/sh@example.org/",
        "http://me:12/hush@example.org/",
        "https://me:hush@[::1/",
        "http://me:hush@h\u2100/",
    ],
)
@pytest.mark.parametrize("asked", [[], ["--fetch", "--json"]])
def test_a_password_in_an_address_is_not_told(address, asked, toy_bundle):
    result = check(*asked, "--bundle", str(toy_bundle), address)
    assert "http" in result.output
    assert not any(part in result.output for part in ("me:", "hu", "sh@"))


@pytest.mark.parametrize(
    ("leads_to", "why"),
    [
        ("/to?/to", "on and on"),
        ("file:///etc/passwd", "only plain"),
        ("ftp://example.org/a", "only plain"),
        ("http://10.0.0.1/", "no public"),
    ],
)
def test_redirects_are_bounded_and_checked(web, leads_to, why):
    with pytest.raises(UnmaskError, match=why):
        fetch.fetch(f"{web}/to?{'/to?' * 6 if why == 'on and on' else leads_to}")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_that_sends_a_byte_now_and_then_is_left_in_time(scheme, monkeypatch):
    begin = b"\x16\x03\x03\x40\x00" if scheme == "https" else b"HTTP/1.1 200 OK\r\nX: "
    left = threading.Event()

    def drip(server):
        with server.accept()[0] as connection, suppress(OSError):
            connection.sendall(begin)
            while not left.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        monkeypatch.setattr(fetch, "PORTS", {scheme: server.getsockname()[1]})
        monkeypatch.setattr(fetch, "_is_public", lambda _: True)
        monkeypatch.setattr(fetch, "SECONDS", 0.5)
        threading.Timer(20, left.set).start()
        with pytest.raises(UnmaskError, match="could not be fetched"):
            fetch.fetch(f"{scheme}://127.0.0.1/a.jpg")
        assert not left.is_set()
        left.set()
        thread.join()


def test_a_file_that_is_too_large_is_refused(web, monkeypatch):
    monkeypatch.setattr(fetch, "LIMITS", type(fetch.LIMITS)(max_bytes=10))
    with pytest.raises(UnmaskError, match="larger than"):
        fetch.fetch(f"{web}/face.png")
