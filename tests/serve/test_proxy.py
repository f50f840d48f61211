"""The server behind a reverse proxy: whom it believes, and that all works under a path."""

import html
import json
import re
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.serve.test_server import ask
from unmask.errors import UnmaskError
from unmask.serve import Settings
from unmask.serve.proxy import OWN_PARTS, checked_prefix, is_trusted, networks, take_in

PREFIX = {"X-Forwarded-Prefix": "/unmask"}
PROXY = ("127.0.0.1",)
# How a request comes in: settings of the server, what stands before each path, headers.
WAYS = {
    "the proxy says its path and takes it off": ({"trusted_proxies": PROXY}, "", PREFIX),
    "the proxy says its path and leaves it": ({"trusted_proxies": PROXY}, "/unmask", PREFIX),
    "the server is told, the proxy leaves it": ({"prefix": "/unmask"}, "/unmask", {}),
    "the server is told, the proxy takes it off": ({"prefix": "/unmask"}, "", {}),
}


def addresses(page: str) -> set[str]:
    """All that a page links to, sends to, or tells its script."""
    found = re.findall(r'(?:href|src|action|data-[a-z-]+)="(/[^"#]*)', page)
    return {html.unescape(address) for address in found}


@pytest.mark.parametrize("way", WAYS)
def test_under_a_path_the_page_its_files_the_api_and_clips_work(serve, clip_file: Path, wall: bytes, way: str) -> None:
    settings, before, headers = WAYS[way]
    server = serve(**settings)

    def get(address: str, method: str = "GET", body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        assert address.startswith("/unmask/")
        return ask(server, method, before + address.removeprefix("/unmask"), body, **headers)

    page = get("/unmask/")[2].decode()
    found = addresses(page)
    assert all(address.startswith("/unmask/") for address in found)
    forms = {"/unmask/check", "/unmask/card", "/unmask/api/v1/clips", "/unmask/clips"}
    assert forms <= found
    for address in found - forms:
        assert get(address)[0] == 200, address
    assert all(address.startswith("/unmask/") for address in addresses(get("/unmask/api/v1/docs")[2].decode()))
    assert b"/unmask/api/v1/check" in get("/unmask/api/v1/docs")[2]
    assert json.loads(get("/unmask/api/v1/openapi.json")[2])["servers"] == [{"url": "/unmask"}]
    assert get("/unmask/api/v1/check", "POST", wall)[0] == 200
    assert json.loads(get("/unmask/api/v1/nothing")[2])["type"].startswith("/unmask/api/v1/docs#")

    status, sent, _ = get("/unmask/api/v1/clips", "POST", clip_file.read_bytes())
    assert status == 202
    until = time.monotonic() + 60
    while json.loads(get(sent["location"])[2])["state"] != "done":
        assert time.monotonic() < until
        time.sleep(0.05)
    card = sent["location"].replace("/api/v1/clips/", "/clips/") + "/card"
    assert b"<article" in get(card)[2]


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        (Settings(), "/unmask"),
        (Settings(trusted_proxies=("192.0.2.0/24",)), "/unmask"),
        (Settings(trusted_proxies=PROXY), "//evil.example"),
        (Settings(trusted_proxies=PROXY), '/"><script>'),
        (Settings(trusted_proxies=PROXY), "/a/../b, /c"),
        (Settings(trusted_proxies=PROXY), "/check"),
        (Settings(trusted_proxies=PROXY), "/api/v1"),
    ],
)
def test_a_prefix_of_a_stranger_or_one_that_is_no_path_means_nothing(settings: Settings, prefix: str) -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "PATH_INFO": "/", "HTTP_X_FORWARDED_PREFIX": prefix}
    take_in(environ, settings)
    assert environ["SCRIPT_NAME"] == ""
    assert "HTTP_X_FORWARDED_PREFIX" not in environ


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        ("198.51.100.1, 192.0.2.7, 10.1.2.3", "192.0.2.7"),
        ("192.0.2.7:51234, 10.1.2.3:80", "192.0.2.7"),
        ("[2001:db8::1]:5, [::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_client_is_the_nearest_hop_that_is_no_trusted_proxy(hops: str, client: str) -> None:
    settings = Settings(trusted_proxies=("10.0.0.0/8", "::1"))
    environ = {"REMOTE_ADDR": "::ffff:10.0.0.1", "PATH_INFO": "/", "HTTP_X_FORWARDED_FOR": hops}
    take_in(environ, settings)
    assert environ["HTTP_X_FORWARDED_FOR"] == client
    assert not is_trusted("not an address", settings)


@pytest.mark.parametrize(("given", "path"), [("", ""), ("/", ""), ("unmask", "/unmask"), ("/a/b/", "/a/b")])
def test_a_prefix_is_told_with_or_without_slashes(given: str, path: str) -> None:
    assert checked_prefix(given) == path


def test_a_prefix_that_is_an_address_of_the_server_itself_is_refused(client: FlaskClient) -> None:
    own = {str(rule).split("/")[1] for rule in client.application.url_map.iter_rules()} - {""}
    assert own == set(OWN_PARTS)
    for part in own:
        with pytest.raises(UnmaskError, match=f"'{part}/x' is no path to serve under"):
            checked_prefix(f"{part}/x")
    assert checked_prefix("/checks") == "/checks"


def test_a_network_with_a_mistake_is_refused() -> None:
    with pytest.raises(UnmaskError, match=r"10\.0\.0\.1/8"):
        networks(("10.0.0.1/8",))
