"""A real object store on this machine (moto's server), some of whose answers are failures."""

import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.scan.pictures import picture, write_tar
from unmask.scan import storage, summary
from unmask.scan.judging import Asked
from unmask.scan.place import place_of
from unmask.scan.run import scanning
from unmask.scan.sources import work_of

pytestmark = [pytest.mark.scan, pytest.mark.store]
FILES = 12


@pytest.fixture(scope="module")
def store():
    """Its address with the account in it, and a list of what it was asked; one request in seven fails."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application = DomainDispatcherApplication(create_backend_app)
    turns, asked = itertools.count(1), []

    def failing(environ, start_response):
        asked.append(environ["REQUEST_METHOD"])
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") and next(turns) % 7 == 0:
            start_response("503 Slow Down", [("Content-Length", "0")])
            return [b""]
        return application(environ, start_response)

    server = make_server("127.0.0.1", 0, failing, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def bucket(store, tmp_path_factory):
    """The options of an address, for a bucket with pictures, a tar and a list."""
    from pyarrow.fs import FileSystem

    host, _ = store
    options = f"?scheme=http&endpoint_override={host}&region=us-east-1&allow_bucket_creation=true"
    files, _ = FileSystem.from_uri(f"s3://who:hush@pictures{options}")
    files.create_dir("pictures")
    shard = write_tar(tmp_path_factory.mktemp("shard") / "x.tar", [("a.png", picture(40)), ("b.png", picture(41))])
    content = {f"p/{number:02}.png": picture(number) for number in range(1, FILES + 1)}
    content |= {
        "p/odd name #%20?.png": picture(30),
        "p/x.tar": shard.read_bytes(),
        "list.txt": b"p/01.png\np/none.png\n",
    }
    for name, data in content.items():
        with files.open_output_stream(f"pictures/{name}") as stream:
            stream.write(data)
    return options


def test_a_scan_of_a_store_is_complete_whatever_fails_on_the_way(bucket, store, toy_detector, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "FIRST_PAUSE", 0.01)
    _, requests = store
    asked = Asked(toy_detector, face_search=False)
    sources = [f"s3://who:hush@pictures/p{bucket}", f"s3://who:hush@pictures/list.txt{bucket}"]
    with scanning(sources, tmp_path / "out", asked, workers=1) as scan:
        rows = {row["path"]: row for row in scan.rows}
    assert len(rows) == FILES + 1 + 2 + 1
    assert {name for name, row in rows.items() if row["verdict"] is None} == {"s3://pictures/p/none.png"}
    assert rows["s3://pictures/p/none.png"]["failure"] == "missing"
    assert rows["s3://pictures/p/x.tar#a.png"]["verdict"]
    assert rows["s3://pictures/p/odd name #%20?.png"]["verdict"]
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    made = summary._thumbnails(list(rows), sources)
    assert len(made) == FILES
    asked_before = len(requests)
    assert summary._thumbnails(list(made), []) == {}
    assert len(requests) == asked_before
    assert b"hush" not in repr(rows).encode() + written


def test_a_pattern_chooses_among_the_files_of_a_store(bucket):
    names = [item.name for work in work_of([f"s3://who:hush@pictures/p/*1.png{bucket}"]) for item in work.items()]
    assert names == ["s3://pictures/p/01.png", "s3://pictures/p/11.png"]


def test_pictures_come_from_a_web_server(tmp_path):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            data = picture(1) if self.path.startswith("/a.png") else b""
            self.send_response(200 if data else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            place = place_of(f"http://127.0.0.1:{server.server_port}/a.png?token=hush")
            assert storage.read(place) == picture(1)
        finally:
            server.shutdown()
            thread.join()
