import io
from dataclasses import replace

import pytest

from tests.scan.pictures import picture, web_server
from unmask.errors import UnmaskError
from unmask.scan import storage
from unmask.scan.place import Place, place_of
from unmask.scan.storage import read

pytestmark = pytest.mark.scan


class Store:
    """A file system that fails so many times."""

    def __init__(self, failures, error):
        self.left, self.error = failures, error

    def open_input_file(self, path):
        import pyarrow as pa

        self.left -= 1
        if self.left >= 0:
            raise self.error
        return pa.BufferReader(b"the file")


def reading(monkeypatch, failures, error):
    store = Store(failures, error)
    monkeypatch.setattr(storage, "_system", lambda root: store)
    monkeypatch.setattr(storage.time, "sleep", lambda seconds: None)
    return lambda: read(Place("bucket/a.jpg", "s3://id:secret@bucket"))


def test_a_passing_failure_is_tried_again(monkeypatch):
    for error in (OSError("SLOW_DOWN"), ConnectionRefusedError(111, "refused"), RuntimeError("of some library")):
        assert reading(monkeypatch, storage.TRIES - 1, error)() == b"the file"


def test_a_lasting_failure_says_where_and_tells_no_secret(monkeypatch):
    with pytest.raises(UnmaskError) as error:
        reading(monkeypatch, storage.TRIES, OSError("id:secret"))()
    assert error.value.code == "unreachable"
    assert "s3://bucket/a.jpg" in error.value.message
    assert "secret" not in error.value.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(), "missing"),
        (PermissionError(), "no-permission"),
        (OSError("AWS Error ACCESS_DENIED during HeadObject"), "no-permission"),
    ],
)
def test_what_no_further_try_mends_is_not_tried_again(monkeypatch, error, code):
    with pytest.raises(UnmaskError) as failure:
        reading(monkeypatch, 1, error)()
    assert failure.value.code == code


def test_an_address_of_an_unknown_kind_is_refused():
    with pytest.raises(UnmaskError, match="nosuch://") as error:
        read(place_of("nosuch://a/b.jpg"))
    assert error.value.code == "no-package"


def test_an_address_that_is_none_is_refused(monkeypatch):
    monkeypatch.setattr(storage.time, "sleep", lambda seconds: None)
    with pytest.raises(UnmaskError, match="could not be read"):
        storage.open_file(place_of("s3://buck et?nonsense=1/list.txt"))


def test_a_secret_that_is_not_escaped_is_refused_and_not_told():
    with pytest.raises(UnmaskError) as error:
        read(place_of("s3://id:sec/ret@bucket/a.jpg"))
    assert error.value.code == "bad-address"
    assert "%2F" in error.value.hint
    assert not any(part in f"{error.value.message} {error.value.hint}" for part in ("id:", "sec/", "ret@"))


def test_an_address_of_azure_that_names_no_account_is_refused():
    with pytest.raises(UnmaskError) as error:
        read(place_of("abfs://container/a.jpg"))
    assert error.value.code == "bad-address"
    assert "abfs://container@account.dfs.core.windows.net/path" in error.value.hint


@pytest.mark.parametrize(
    "address",
    [
        "abfs://box@me.dfs.core.windows.net/d/a.jpg",
        "abfss://box:a2V5@me.dfs.core.windows.net/d/a.jpg",
        "abfs://me.blob.core.windows.net/box/d/a.jpg",
        "abfs://me:a2V5@localhost:10000/box/d/a.jpg",
        "abfs://me:a2V5@box/d/a.jpg",
    ],
)
def test_a_path_in_azure_is_that_which_pyarrow_reads_out_of_the_address(address):
    from pyarrow.fs import FileSystem

    place = place_of(address)
    assert place.path == FileSystem.from_uri(address)[1] == "box/d/a.jpg"
    assert storage._system(place.root).type_name == "abfs"
    assert place_of(place.name).path == place.path


def test_a_kind_of_address_that_needs_its_host_is_given_it():
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem

    class Hosted(MemoryFileSystem):
        protocol, store = "hosted", {"/a.jpg": None}

        def __init__(self, host, **options):
            super().__init__(**options)
            self.host = host

        @staticmethod
        def _get_kwargs_from_urls(address):
            return {"host": address.split("/")[2]}

        @classmethod
        def _strip_protocol(cls, address):
            return "/" + address.split("/", 3)[-1]

        def open(self, path, mode="rb", **options):
            return io.BytesIO(f"{path} at {self.host}".encode())

    fsspec.register_implementation("hosted", Hosted, clobber=True)
    assert read(place_of("hosted://host/a.jpg")) == b"/a.jpg at host"


@pytest.fixture
def store_of_files(tmp_path, monkeypatch):
    """Makes an empty file in a store."""
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    monkeypatch.setattr(storage, "_system", lambda root: SubTreeFileSystem(str(tmp_path), LocalFileSystem()))

    def make(name):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    return make


def found(*names):
    return [each and each[0].name for each in storage.listed_places(names, ())]


def test_what_exists_in_a_store_is_no_pattern(store_of_files):
    for name in ("b/p/photo[1].jpg", "b/p/photo1.jpg", "b/[2]/a.jpg", "b/p/.hidden.jpg"):
        store_of_files(name)
    assert found("s3://b/p/photo[1].jpg") == ["s3://b/p/photo[1].jpg"]
    assert found("s3://b/[2]") == ["s3://b/[2]/a.jpg"]
    assert found("s3://b/p/.hidden.jpg") == ["s3://b/p/.hidden.jpg"]
    assert found("s3://b/p/photo[1-9].jpg") == ["s3://b/p/photo1.jpg"]


@pytest.mark.parametrize("pattern", ["s3://b/p/none*.jpg", "s3://b/none/*.jpg"])
def test_a_pattern_of_a_store_that_matches_nothing_is_a_file_that_is_missing(store_of_files, pattern):
    store_of_files("b/p/a.jpg")
    assert found(pattern) == [pattern]
    with pytest.raises(UnmaskError) as error:
        read(place_of(pattern))
    assert error.value.code == "missing"


@pytest.fixture
def web(monkeypatch):
    """The address of a web server: it sends a picture in chunks, after as many failures as the path says, 503 or another."""
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(storage, "FIRST_PAUSE", 0.001)
    left = {}

    def answer(request):
        status, times = map(int, request.path.strip("/").split("/")[:2])
        left[request.path] = left.get(request.path, times) - 1
        if left[request.path] >= 0:
            request.send_response(status)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        if request.command == "GET":
            data = picture(1)
            for piece in (data[:10], data[10:], b""):
                request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    with web_server(answer) as address:
        yield address


@pytest.mark.parametrize("times", [0, storage.TRIES - 1])
def test_a_web_server_is_asked_again_and_may_tell_no_size(web, times):
    assert read(place_of(f"{web}/503/{times}/a.png")) == picture(1)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "unreachable"),
        (429, "unreachable"),
        (404, "missing"),
        (410, "missing"),
        (401, "no-permission"),
        (403, "no-permission"),
    ],
)
@pytest.mark.parametrize("reading", [read, storage.open_file, storage.read_list])
def test_what_a_web_server_says_of_a_failure_is_told(web, status, code, reading):
    with pytest.raises(UnmaskError) as error:
        reading(place_of(f"{web}/{status}/99/a.png"))
    assert error.value.code == code


def test_a_picture_of_a_web_server_is_read_no_further_than_the_limit(web, monkeypatch):
    monkeypatch.setattr(storage, "LIMITS", replace(storage.LIMITS, max_bytes=len(picture(1)) - 1))
    with pytest.raises(UnmaskError) as error:
        read(place_of(f"{web}/503/0/a.png"))
    assert error.value.code == "too-many-bytes"


def test_a_server_that_does_not_listen_is_unreachable(monkeypatch):
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(storage, "FIRST_PAUSE", 0.001)
    with pytest.raises(UnmaskError) as error:
        read(place_of("http://127.0.0.1:9/a.jpg"))
    assert error.value.code == "unreachable"
