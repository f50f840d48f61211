"""A server on a free port, an app without one, and pictures that the project draws."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.waiting import PATIENCE
from unmask.demo import draw_face
from unmask.detector import Detector
from unmask.image.encode import encode_jpeg, encode_png
from unmask.serve import Server, Settings, create_app
from unmask.serve.clip_jobs import ClipJobs

QUIET = Settings(port=0, workers=2, pictures_a_minute=0)


@pytest.fixture(scope="session")
def detector(toy_bundle: Path) -> Detector:
    return Detector.load(toy_bundle, threads=1)


@pytest.fixture(scope="session")
def face() -> bytes:
    return encode_jpeg(draw_face(7), 92)


@pytest.fixture(scope="session")
def other_face() -> bytes:
    return encode_jpeg(draw_face(3), 92)


@pytest.fixture(scope="session")
def wall() -> bytes:
    """A picture without a face."""
    shades = np.random.default_rng(1).integers(90, 110, (300, 400, 3), dtype=np.uint8)
    return encode_png(shades)


@pytest.fixture(scope="session")
def broken(face: bytes) -> bytes:
    return face[: len(face) // 4]


@pytest.fixture
def client(detector: Detector) -> FlaskClient:
    return create_app(detector, QUIET).test_client()


@pytest.fixture(autouse=True)
def _end(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ends what a test leaves under way."""
    made: list[ClipJobs] = []
    init = ClipJobs.__init__
    monkeypatch.setattr(
        ClipJobs,
        "__init__",
        lambda self, *positional, **named: (init(self, *positional, **named), made.append(self))[0],
    )
    yield
    for jobs in made:
        jobs.close()


@contextmanager
def serving(detector: Detector, settings: Settings = QUIET) -> Iterator[Server]:
    """A server in a thread, ended at the end."""
    server = Server(create_app(detector, settings))
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        yield server
    finally:
        if thread.is_alive():
            server.end()
        thread.join(PATIENCE)
        assert not thread.is_alive()


Serve = Callable[..., Server]


@pytest.fixture
def serve(detector: Detector) -> Iterator[Serve]:
    """Starts servers: `serve(**settings)`."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(**settings: object) -> Server:
            options = {"port": 0, "workers": 2, "pictures_a_minute": 0, **settings}
            return stack.enter_context(serving(detector, Settings(**options)))  # type: ignore[arg-type]

        yield start


@pytest.fixture(scope="module")
def server(detector: Detector) -> Iterator[Server]:
    """One for all tests of a file that leave it as it was."""
    with serving(detector) as running:
        yield running
