"""The server over real sockets, in a thread of the test."""

import http.client
import json
import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.serve.conftest import QUIET
from tests.waiting import PATIENCE, until
from unmask.errors import UnmaskError
from unmask.serve import Server, Settings, create_app
from unmask.serve.connections import Connections

Reply = tuple[int, dict[str, str], bytes]


def ask(server: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as connection:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()


@contextmanager
def raw(server: Server) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)) as connection:
        yield connection


def read(connection: socket.socket) -> bytes:
    """All until the server closes, or resets, which it may where it has not read all that was sent."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def answer(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Status and problem document of a reply that closes its connection."""
    head, _, body = read(connection).partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return int(head.split()[1]), json.loads(body)


def post(size: int, *headers: str, path: str = "/api/v1/check") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {size}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def test_a_picture_gets_its_answer(server: Server, face: bytes) -> None:
    status, headers, body = ask(server, "POST", "/api/v1/check?heatmap=png", face)
    assert status == 200
    assert "server" not in headers
    assert json.loads(body)["summary"]["pictures"] == 1


def test_many_clients_at_once_get_the_same_heatmaps_as_one(server: Server, face: bytes, other_face: bytes) -> None:
    def faces(body: bytes) -> object:
        return [finding["faces"] for finding in json.loads(body)["findings"]]

    alone = {data: faces(ask(server, "POST", "/api/v1/check?heatmap=png", data)[2]) for data in (face, other_face)}
    assert alone[face] != alone[other_face]
    wrong = []

    def client(data: bytes) -> None:
        for _ in range(5):
            status, _, body = ask(server, "POST", "/api/v1/check?heatmap=png", data)
            if status != 200 or faces(body) != alone[data]:
                wrong.append(status)

    threads = [threading.Thread(target=client, args=(data,)) for data in (face, other_face) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_body_over_the_limit_is_refused_and_the_refusal_arrives(serve) -> None:
    server = serve(max_upload_mb=1)
    status, _, body = ask(server, "POST", "/api/v1/check", b"x" * 8_000_000)
    assert status == 413
    assert json.loads(body)["code"] == "too-large"
    assert json.loads(body)["detail"] == "The request is larger than 1 MB."


def test_a_form_over_the_limit_is_refused_with_the_page(serve) -> None:
    server = serve(max_upload_mb=1)
    status, headers, body = ask(server, "POST", "/check", b"x" * 8_000_000, Accept="text/html")
    page = body.decode()
    assert (status, headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert {"content-security-policy", "x-request-id"} <= set(headers)
    assert "The request is larger than 1 MB." in page
    assert "Send fewer pictures at once, or smaller ones." in page
    assert '<form id="form"' in page
    _, headers, body = ask(server, "POST", "/api/v1/check", b"x" * 8_000_000, Accept="text/html")
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["code"] == "too-large"


def test_a_body_over_the_limit_is_refused_before_it_is_sent(server: Server) -> None:
    with raw(server) as connection:
        connection.sendall(post(10**12, "Expect: 100-continue"))
        status, problem = answer(connection)
    assert (status, problem["code"]) == (413, "too-large")


def test_a_chunked_body_over_the_limit_is_refused_as_soon_as_it_is(serve) -> None:
    server = serve(max_upload_mb=1)
    with raw(server) as connection:
        connection.sendall(b"POST /api/v1/check HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        for _ in range(20):
            connection.sendall(chunk)
        status, problem = answer(connection)
    assert (status, problem["code"]) == (413, "too-large")


def test_a_body_that_does_not_arrive_in_time_is_refused(serve) -> None:
    server = serve(body_seconds=0.3)
    with raw(server) as connection:
        connection.sendall(post(1000) + b"only this")
        status, problem = answer(connection)
    assert (status, problem["code"]) == (408, "slow-request")


def test_a_header_that_does_not_arrive_in_time_is_not_waited_for(serve) -> None:
    server = serve(body_seconds=0.3)
    with raw(server) as connection:
        connection.sendall(b"POST /api/v1/check HT")
        assert read(connection) == b""


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, b"\x16\x03\x01 hello\r\n\r\n"], ids=["endless", "no HTTP"]
)
def test_what_is_no_head_of_a_request_is_refused_by_the_server_itself(server: Server, head: bytes) -> None:
    with raw(server) as connection:
        connection.sendall(head)
        assert read(connection).startswith(b"HTTP/1.1 400 ")


def test_bodies_beyond_the_memory_budget_are_refused_and_their_places_come_back(serve, face: bytes) -> None:
    server = serve(memory_mb=2, max_upload_mb=1)
    with raw(server) as first, raw(server) as second:
        first.sendall(post(1_000_000) + b"x")
        second.sendall(post(900_000) + b"x")
        until(lambda: server.gateway.budget.free_bytes == 300_000)
        status, headers, body = ask(server, "POST", "/api/v1/check", b"x" * 500_000)
        assert (status, json.loads(body)["code"]) == (429, "busy")
        assert headers["retry-after"] == "2"
    until(lambda: server.gateway.budget.free_bytes == 2_200_000)
    assert ask(server, "POST", "/api/v1/check", face)[0] == 200
    until(lambda: server.gateway.budget.free_bytes == 2_200_000)


def test_the_largest_request_has_room_however_large_it_may_be(serve, wall: bytes) -> None:
    server = serve(memory_mb=1, max_upload_mb=2)
    with raw(server) as connection:
        connection.sendall(
            post(0, "Transfer-Encoding: chunked", "Connection: close").replace(b"Content-Length: 0\r\n", b"")
        )
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(wall), wall))
        assert read(connection).startswith(b"HTTP/1.1 200 ")


TOKEN = "correct-horse-battery-staple"


def test_who_has_no_token_takes_no_room_from_who_has(serve, face: bytes, clip_file: Path) -> None:
    server = serve(token=TOKEN, memory_mb=1, max_upload_mb=1, max_clip_mb=1, clips_arriving=1)
    whole, whole_clips = server.gateway.budget.free_bytes, server.gateway.clip_budget.free_bytes
    bodies = {"/api/v1/check": face, "/card": face, "/api/v1/clips": clip_file.read_bytes()}
    with ExitStack() as stack:
        for path in (*bodies, "/nothing"):
            for head in ([], ["Authorization: Bearer wrong"]):
                connection = stack.enter_context(raw(server))
                connection.sendall(post(900_000, *head, path=path) + b"x")
                assert read(connection).startswith(b"HTTP/1.1 401 ")
        forms = [stack.enter_context(raw(server)) for _ in range(5)]
        for form in forms:
            form.sendall(post(1_000_000, path="/check") + b"x")
        select.select(forms, [], [])  # the one too many is refused
        assert (server.gateway.budget.free_bytes, server.gateway.clip_budget.free_bytes) == (whole, whole_clips)
        for path, body in bodies.items():
            assert ask(server, "POST", path, body, Authorization=f"Bearer {TOKEN}")[0] in (200, 202)
        assert ask(server, "POST", "/check", face, Authorization=f"Bearer {TOKEN}")[0] == 200


def test_a_form_shows_its_token_in_its_body_also_where_a_proxy_asks_for_a_password(serve, face: bytes) -> None:
    server = serve(token=TOKEN)
    part = '--x\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    body = (
        f"{part.format('token', '')}{TOKEN}\r\n{part.format('picture', '; filename=a.jpg')}".encode()
        + face
        + b"\r\n--x--"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Authorization": "Basic YTpi"}
    assert ask(server, "POST", "/check", body, **headers)[0] == 200
    assert ask(server, "POST", "/check", body.replace(TOKEN.encode(), b"wrong"), **headers)[0] == 401


@pytest.mark.parametrize("trusted", [(), ("127.0.0.1",)], ids=["no proxy", "a proxy"])
def test_a_wrong_token_with_a_body_is_counted_once_for_the_client_that_shows_it(serve, face: bytes, trusted) -> None:
    server = serve(token=TOKEN, wrong_tokens_a_minute=2, trusted_proxies=trusted)

    def status(token: str, client: str = "192.0.2.1") -> int:
        return ask(server, "POST", "/card", face, Authorization=f"Bearer {token}", **{"X-Forwarded-For": client})[0]

    assert [status(token) for token in ("a", "b", "c", TOKEN)] == [401, 401, 429, 429]
    assert status(TOKEN, "192.0.2.2") == (200 if trusted else 429)


LONG_REPLY = 30_000_000  # more than the kernel takes off the server's hands


@contextmanager
def slow_reader(server: Server) -> Iterator[socket.socket]:
    """Asks for the long reply and takes nothing of it."""
    with raw(server) as connection:
        before = server.gateway.budget.free_bytes
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: server.gateway.budget.free_bytes < before)
        yield connection


def test_replies_beyond_the_memory_budget_are_refused_and_their_places_come_back(serve, monkeypatch) -> None:
    server = serve(memory_mb=40)
    whole = server.gateway.budget.free_bytes
    with monkeypatch.context() as patch:
        patch.setattr(server.services.metrics, "text", lambda: b"x" * LONG_REPLY)
        with slow_reader(server):
            status, headers, body = ask(server, "GET", "/metrics", **{"X-Request-ID": "mine"})
            assert (status, json.loads(body)["code"], json.loads(body)["request_id"]) == (429, "busy", "mine")
            assert headers["retry-after"] == "5"
            assert ask(server, "GET", "/healthz")[0] == 200
        until(lambda: server.gateway.budget.free_bytes == whole)
        assert len(ask(server, "GET", "/metrics")[2]) == LONG_REPLY
    until(lambda: server.gateway.budget.free_bytes == whole)


def test_a_reply_that_is_not_taken_in_time_is_dropped(serve, monkeypatch) -> None:
    server = serve(reply_seconds=0.3)
    whole = server.gateway.budget.free_bytes
    monkeypatch.setattr(server.services.metrics, "text", lambda: b"x" * LONG_REPLY)
    with slow_reader(server) as connection:

        def is_dropped() -> bool:
            # A little at a time is not enough.
            with suppress(ConnectionError):
                connection.recv(100)
            return server.gateway.budget.free_bytes == whole

        until(is_dropped)
        until(lambda: not len(server.connections))


def test_a_connection_that_stays_open_does_not_keep_its_last_reply(serve, monkeypatch) -> None:
    server = serve()
    whole = server.gateway.budget.free_bytes
    monkeypatch.setattr(server.services.metrics, "text", lambda: b"x" * LONG_REPLY)
    with slow_reader(server) as connection:
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        assert len(reply.read()) == LONG_REPLY
        until(lambda: server.gateway.budget.free_bytes == whole)


def test_one_address_cannot_take_all_connections(serve) -> None:
    server = serve(connections_an_address=2)
    with raw(server), raw(server) as second, raw(server) as third:
        assert third.recv(1) == b""
        second.close()
        until(lambda: len(server.connections) == 1)
        assert ask(server, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(("second", "open_ones"), [("2001:db8:1:2:ffff::1", 1), ("2001:db8:1:3::1", 2)])
def test_one_network_of_ipv6_is_one_address(monkeypatch, second: str, open_ones: int) -> None:
    connections = Connections(Settings(connections_an_address=1))
    monkeypatch.setattr(connections, "_timer", lambda _: Mock())
    for address in ("2001:db8:1:2::1", second):
        connections.add((address, 1), Mock())
    assert len(connections) == open_ones


def test_behind_a_trusted_proxy_clients_are_those_that_it_names(serve, wall: bytes) -> None:
    server = serve(trusted_proxies=("127.0.0.0/8",), pictures_a_minute=1)

    def post_for(client: str, **headers: str) -> int:
        return ask(server, "POST", "/api/v1/check", wall, **{"X-Forwarded-For": client, **headers})[0]

    assert [post_for("192.0.2.1"), post_for("192.0.2.2"), post_for("192.0.2.1")] == [200, 200, 429]
    # What the client itself says in another spelling is not the proxy's word.
    assert post_for("192.0.2.1", X_Forwarded_For="192.0.2.3") == 429


def test_where_no_proxy_is_trusted_a_client_cannot_name_itself(serve, wall: bytes) -> None:
    server = serve(pictures_a_minute=1)
    for client, status in (("192.0.2.1", 200), ("192.0.2.2", 429)):
        assert ask(server, "POST", "/api/v1/check", wall, **{"X-Forwarded-For": client})[0] == status


def test_over_the_queue_limit_requests_are_refused_at_once_and_the_page_still_answers(serve, monkeypatch) -> None:
    server = serve(workers=1, waiting=1)
    go = threading.Event()
    monkeypatch.setattr(server.services.answering, "_answered", lambda *_: go.wait(PATIENCE))
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask(server, "POST", "/api/v1/check", b"x")[0]))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    until(lambda: server.services.pool.under_way == 2)
    status, headers, body = ask(server, "POST", "/api/v1/check", b"x")
    assert (status, json.loads(body)["code"], headers["retry-after"]) == (429, "busy", "1")
    assert ask(server, "GET", "/")[0] == 200
    assert ask(server, "GET", "/healthz")[0] == 200
    assert ask(server, "GET", "/readyz")[0] == 503
    go.set()
    for thread in threads:
        thread.join()


def test_a_check_that_takes_too_long_is_a_503_and_the_next_one_works(serve, monkeypatch, face: bytes) -> None:
    server = serve(workers=2)
    go = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(server.services.pool, "seconds", 0.1)
        patch.setattr(server.services.answering, "_answered", lambda *_: go.wait(PATIENCE))
        status, _, body = ask(server, "POST", "/api/v1/check", b"x")
    assert (status, json.loads(body)["code"]) == (503, "too-slow")
    assert ask(server, "POST", "/api/v1/check", face)[0] == 200
    go.set()


def test_told_to_end_it_answers_what_it_has_begun_and_takes_nobody_new(serve, monkeypatch, face: bytes) -> None:
    server = serve()
    original, begun, go = server.services.answering._answered, threading.Event(), threading.Event()

    def slow(*arguments: object) -> object:
        begun.set()
        assert go.wait(PATIENCE)
        return original(*arguments)

    monkeypatch.setattr(server.services.answering, "_answered", slow)
    whole = server.gateway.budget.free_bytes
    replies: list[Reply] = []
    in_flight = threading.Thread(target=lambda: replies.append(ask(server, "POST", "/api/v1/check", face)))
    in_flight.start()
    with raw(server) as arriving:
        arriving.sendall(post(len(face)) + face[:100])
        assert begun.wait(PATIENCE)
        until(lambda: whole - server.gateway.budget.free_bytes == 2 * len(face))
        server.end()
        until(lambda: not accepts(server))
        go.set()
        in_flight.join()
        arriving.sendall(face[100:])
        late = http.client.HTTPResponse(arriving)
        late.begin()
        assert late.status == 200
        assert json.loads(late.read())["summary"]["pictures"] == 1
    assert replies[0][0] == 200


def accepts(server: Server) -> bool:
    try:
        with raw(server):
            return True
    except ConnectionRefusedError:
        return False


def test_told_to_end_it_does_not_wait_for_idle_connections(serve) -> None:
    server = serve()
    with raw(server) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reply = http.client.HTTPResponse(idle)
        reply.begin()
        reply.read()
        server.end()
        assert idle.recv(65536) == b""


def test_it_can_be_told_to_end_again_while_it_ends_and_after(detector) -> None:
    server = Server(create_app(detector, QUIET))
    running = threading.Thread(target=server.run)
    running.start()
    while running.is_alive():
        server.end()
    server.end()


@pytest.mark.parametrize("host", ["127.0.0.1", "ä..b", "a..b"])
def test_an_address_in_use_or_a_host_that_is_none_is_told_with_a_hint(server: Server, detector, host: str) -> None:
    with pytest.raises(UnmaskError, match=f"cannot listen on {host}:") as error:
        Server(create_app(detector, Settings(host=host, port=server.port)))
    assert "--port" in error.value.hint


def test_nothing_is_written_to_disk(serve, face: bytes, wall: bytes, broken: bytes) -> None:
    """Every opening of a file for writing, in any thread of this process, by Python's own audit."""
    server = serve()
    large = face + b"\0" * 20_000_000
    parts = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n' + data + b"\r\n"
        for data in (face, wall, broken, large)
    )
    with watching_files() as written:
        for body in (face, wall, broken, large):
            for path in ("/api/v1/check?heatmap=png&provenance=c2pa", "/card", "/check"):
                assert ask(server, "POST", path, body)[0] == 200
        kind = "multipart/form-data; boundary=x"
        assert ask(server, "POST", "/api/v1/check", parts + b"--x--", **{"Content-Type": kind})[0] == 200
        assert ask(server, "POST", "/api/v1/check", b"x" * 26_000_000)[0] == 413
    assert written == []


_watched: list[list[str]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if not _watched:
        return
    if event == "open":
        path, mode, flags = arguments
        if isinstance(flags, int) and flags & 3:
            _watched[-1].append(f"{path} {mode}")
    elif event in ("tempfile.mkstemp", "tempfile.mkdtemp", "os.mkdir", "os.rename", "os.link", "os.symlink"):
        _watched[-1].append(f"{event} {arguments}")


@contextmanager
def watching_files() -> Iterator[list[str]]:
    if not hasattr(watching_files, "hooked"):
        sys.addaudithook(_audit)  # cannot be taken away again; it does nothing while nobody watches
        watching_files.hooked = True  # type: ignore[attr-defined]
    found: list[str] = []
    _watched.append(found)
    try:
        yield found
    finally:
        _watched.pop()


def test_the_watch_sees_a_file(tmp_path: Path) -> None:
    with watching_files() as written:
        (tmp_path / "a").write_bytes(b"x")
    assert len(written) == 1
