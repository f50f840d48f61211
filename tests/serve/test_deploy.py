"""The proxies of docs/deploy.md as themselves: nginx and Caddy, in front of a server."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import click
import pytest

from tests.serve.test_docs import DEPLOY, free_port
from tests.serve.test_proxy import addresses
from unmask.cli.serve import serve as serve_verb
from unmask.serve import Server

NGINX, CADDY = (
    re.findall(r"```nginx\n(.*?)```", DEPLOY, re.DOTALL),
    re.findall(r"```caddy\n(.*?)```", DEPLOY, re.DOTALL),
)
AROUND_NGINX = """
daemon off; pid {folder}/pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{block}}}
"""


def command(program: str, block: str, port: int, behind: int, folder: Path) -> list[str]:
    """What starts a proxy with a block of the page; without TLS, which needs a certificate of a real host."""
    block = block.replace("127.0.0.1:8000", f"127.0.0.1:{behind}")
    if program == "nginx":
        block = re.sub(r"\n *ssl_.*;", "", block).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
        (folder / "nginx.conf").write_text(AROUND_NGINX.format(folder=folder, block=block))
        return ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    block = re.sub(r"^\S+ \{", f"http://127.0.0.1:{port} {{", block)
    (folder / "Caddyfile").write_text(f"{{\n    admin off\n}}\n{block}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@contextmanager
def running(program: str, block: str, behind: int, folder: Path) -> Iterator[int]:
    port = free_port()
    environment = {"HOME": str(folder), "PATH": f"/usr/sbin:{Path(shutil.which(program) or '').parent}:/usr/bin"}
    line = command(program, block, port, behind, folder)
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            until = time.monotonic() + 30
            while time.monotonic() < until and process.poll() is None:
                try:
                    get(port, "/")
                    break
                except OSError:
                    time.sleep(0.05)
            assert process.poll() is None, process.stderr and process.stderr.read()
            yield port
        finally:
            process.terminate()


def get(port: int, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST" if body else "GET", path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    except HTTPException as error:
        raise OSError from error
    finally:
        connection.close()


@pytest.mark.proxies
@pytest.mark.parametrize(("program", "blocks"), [("nginx", NGINX), ("caddy", CADDY)])
def test_the_proxies_show_the_page_at_a_root_and_under_a_path(
    serve, program: str, blocks: list[str], wall: bytes, tmp_path: Path
) -> None:
    server: Server = serve(trusted_proxies=("127.0.0.1",), pictures_a_minute=2)
    at_root, under_path = blocks
    with running(program, at_root, server.port, tmp_path) as port:
        # What a client itself says of a prefix, or of who it is, goes no further.
        page = get(port, "/", **{"X-Forwarded-Prefix": "/evil"})[1].decode()
        assert "/check" in addresses(page)
        sent = [get(port, "/api/v1/check", wall, **{"X-Forwarded-For": f"192.0.2.{n}"})[0] for n in range(3)]
        assert sent == [200, 200, 429]
    with running(program, under_path, server.port, tmp_path) as port:
        found = addresses(get(port, "/unmask/")[1].decode())
        assert "/unmask/check" in found
        assert all(get(port, path)[0] == 200 for path in found if "/static/" in path or "/samples/" in path)
        assert get(port, "/unmask")[0] in (301, 302)


def test_the_service_s_command_is_one_that_unmask_takes() -> None:
    (line,) = re.findall(r"ExecStart=/opt/unmask/bin/unmask serve (.*)", DEPLOY)
    parsed = serve_verb.make_context("serve", line.split())
    assert parsed.params["trusted_proxies"] == ("127.0.0.1",)
    assert parsed.params["host"] == "127.0.0.1"
    assert isinstance(parsed, click.Context)
