import pytest

from unmask.errors import UnmaskError
from unmask.scan import storage
from unmask.scan.storage import Place, place_of, read

pytestmark = pytest.mark.scan


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("s3://id:secret@bucket/a%20b/c.jpg?region=eu&session_token=secret", "s3://bucket/a%20b/c.jpg"),
        ("https://me:secret@host/a.jpg?id=7&X-Amz-Signature=secret", "https://host/a.jpg?id=7&X-Amz-Signature=..."),
        ("gs://bucket/folder/", "gs://bucket/folder"),
        ("file:///tmp/a.jpg", "/tmp/a.jpg"),
        ("photos/a.jpg", "photos/a.jpg"),
    ],
        ("https://me:sec@ret@host/a.jpg", "https://host/a.jpg"),
        ("https://me:sec/ret@host/a.jpg", "https://...@host/a.jpg"),
        ("s3://id:sec/ret@bucket/a.jpg", "s3://...@bucket/a.jpg"),
        ("https://host/a.jpg?pwd=secret&password=secret", "https://host/a.jpg?pwd=...&password=..."),
        (
            "https://host:80/pkg@1/a.jpg?author=1&keyword=2&design=3",
            "https://host:80/pkg@1/a.jpg?author=1&keyword=2&design=3",
        ),
        ("https://[::1]/@me/a.jpg", "https://[::1]/@me/a.jpg"),
        ("github://org:repo@main/a.jpg", "github://org:repo@main/a.jpg"),
)
def test_a_name_holds_no_secret(address, name):
    assert place_of(address).name == name


@pytest.mark.parametrize("parameter", ["token", "jwt", "hmac", "bearer", "api_key", "Authorization"])
def test_files_that_differ_by_what_is_hidden_have_names_that_differ(parameter):
    one, other = (place_of(f"https://host/get?{parameter}={value}").name for value in ("hush1", "hush2"))
    assert one != other
    assert "hush" not in one + other


def test_a_file_that_is_signed_anew_keeps_its_name():
    names = {
        place_of(f"https://host/a.jpg?X-Amz-Date={day}&X-Amz-Credential=id%2F{day}&X-Amz-Signature={day}0").name
        for day in ("20260101", "20260102")
    }
    assert len(names) == 1


@pytest.mark.parametrize("start", ["", "https://host/", "s3://bucket/"])
def test_a_name_that_is_no_unicode_becomes_text(start):
    assert place_of(f"{start}a\udcff.jpg").name == f"{start}a\\xff.jpg"


def test_a_list_in_a_store_names_its_neighbours():
    place = place_of("s3://bucket/lists/a.txt?region=eu")
    assert place.beside("b.jpg") == Place("bucket/lists/b.jpg", "s3://bucket?region=eu")
    assert place.beside("https://host/b.jpg") == place_of("https://host/b.jpg")


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
