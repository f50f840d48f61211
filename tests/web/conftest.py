"""Chromium on a page of a real server."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.serve.conftest import serving
from tests.waiting import PATIENCE
from unmask.demo import draw_face
from unmask.demo.samples import sample_jpeg
from unmask.detector import Detector
from unmask.image.encode import encode_jpeg
from unmask.serve import Server, Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"phone": (375, 812), "desk": (1440, 900)}
# Each size and each scheme once: widths do not depend on colours, nor contrast on widths.
LOOKS = [("phone", "dark"), ("desk", "light")]


@dataclass
class Picture:
    """A file to drop, paste or choose."""

    name: str
    data: bytes = b""
    kind: str = "image/jpeg"
    size: int = 0  # of a file of so many zero bytes, made in the page

    @property
    def payload(self) -> dict[str, Any]:
        """As Playwright's file choosers take it."""
        return {"name": self.name, "mimeType": self.kind, "buffer": self.data}

    @property
    def encoded(self) -> dict[str, Any]:
        """As script in the page takes it."""
        return {"name": self.name, "type": self.kind, "data": base64.b64encode(self.data).decode(), "size": self.size}


@dataclass
class Visit:
    """A page and what it did that a page should not do."""

    page: Page
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    complaints_are_meant: bool = False


@pytest.fixture(scope="session")
def pictures() -> dict[str, Picture]:
    whole = encode_jpeg(draw_face(7), 92)
    blended = sample_jpeg("swapped-face")
    assert blended is not None
    return {
        "drawn": Picture("drawn.jpg", whole),
        "blended": Picture("blended.jpg", blended),
        "broken": Picture("broken.jpg", whole[: len(whole) // 4]),
        "text": Picture("notes.txt", b"not a picture", "text/plain"),
    }


@pytest.fixture(scope="session")
def server(toy_bundle: Path) -> Iterator[Server]:
    with serving(Detector.load(toy_bundle, threads=1)) as running:
        yield running


@pytest.fixture(scope="session")
def guarded_server(toy_bundle: Path) -> Iterator[Server]:
    with serving(
        Detector.load(toy_bundle, threads=1), Settings(port=0, token="secret", pictures_a_minute=0)
    ) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    program = os.environ.get("UNMASK_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=1000 * PATIENCE)
        yield browser
        browser.close()


Open = Callable[..., "Visit"]


@pytest.fixture
def visit(chromium: Browser, server: Server) -> Iterator[Open]:
    """Opens pages; at the end no page may have asked another host or complained."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def open_page(
        path: str = "/",
        size: str = "desk",
        scheme: str = "light",
        at: Server = server,
        script: bool = True,
        without: str | None = None,
        **more: Any,
    ) -> Visit:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=script,
            **{"reduced_motion": "reduce", **more},  # nothing moves while it is measured
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        opened = Visit(page)
        visits.append(opened)
        page.on("pageerror", lambda error: opened.errors.append(str(error)))
        page.on("console", lambda line: opened.errors.append(line.text) if line.type == "error" else None)
        page.on("request", lambda request: opened.hosts.add(request.url.split("/")[2] if "://" in request.url else ""))
        if without:
            page.route(without, lambda route: route.abort())
        page.goto(at.address + path)
        return opened

    yield open_page
    for opened in visits:
        assert opened.hosts <= {server.address[7:], opened.page.url.split("/")[2], ""}
        # A refusal is a failed request to the console, and meant to be.
        if not opened.complaints_are_meant:
            assert [error for error in opened.errors if "status of 4" not in error] == []
    for context in contexts:
        context.close()
