"""Small pictures of noise, and the shards that they are put into."""

import io
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image


def picture(seed: int, format_name: str = "PNG") -> bytes:
    """The bytes of a picture, 72 x 72 pixels; every seed another one; 0 for black, -1 for white."""
    noise = np.random.default_rng(max(seed, 0)).integers(0, 256, (9, 9, 3), np.uint8)
    if seed < 1:
        noise[:] = -seed * 255
    stream = io.BytesIO()
    Image.fromarray(noise).resize((72, 72), Image.Resampling.BOX).save(stream, format_name)
    return stream.getvalue()


def write_tar(path, members):
    """A tar of (name, bytes) pairs."""
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_parquet(path, columns, **options):
    """A Parquet file of {name: values}."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path, **options)
    return path


@contextmanager
def web_server(answer):
    """The address of a web server on this machine that answers GET and HEAD so, by a function of the request's handler."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            answer(self)

        def do_HEAD(self):
            answer(self)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
