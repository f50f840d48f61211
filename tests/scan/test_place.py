import pytest

from unmask.scan.place import Place, place_of


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("s3://id:secret@bucket/a%20b/c.jpg?region=eu&session_token=secret", "s3://bucket/a%20b/c.jpg"),
        ("https://me:secret@host/a.jpg?id=7&X-Amz-Signature=secret", "https://host/a.jpg?id=7&X-Amz-Signature=..."),
        ("https://me:sec@ret@host/a.jpg", "https://host/a.jpg"),
        ("https://me:sec/ret@host/a.jpg", "https://...@host/a.jpg"),
        ("https://me:12/ret@host/a.jpg", "https://...@host/a.jpg"),
        ("https://me:/ret@127.0.0.1:80/a.jpg?id=7", "https://...@127.0.0.1:80/a.jpg?id=7"),
        ("sftp://me:1?2/ret@host/a.jpg", "sftp://...@host/a.jpg"),
        ("s3://id:sec/ret@bucket/a.jpg", "s3://...@bucket/a.jpg"),
        ("https://host/a.jpg?pwd=secret&password=secret", "https://host/a.jpg?pwd=...&password=..."),
        (
            "https://host:80/pkg@1/a.jpg?author=1&keyword=2&design=3",
            "https://host:80/pkg@1/a.jpg?author=1&keyword=2&design=3",
        ),
        ("https://host:80/pkg@1.2.3/a.jpg", "https://host:80/pkg@1.2.3/a.jpg"),
        ("https://host:80/a@2x.jpg?of=me@host.org", "https://host:80/a@2x.jpg?of=me@host.org"),
        ("http://localhost:80/@me/a.jpg", "http://localhost:80/@me/a.jpg"),
        ("http://127.0.0.1:80/@me/a.jpg", "http://127.0.0.1:80/@me/a.jpg"),
        ("http://12345:67/secret@host/a.jpg", "http://...@host/a.jpg"),
        ("https://[::1]/@me/a.jpg", "https://[::1]/@me/a.jpg"),
        ("https://[::1]:80/@me/a.jpg", "https://[::1]:80/@me/a.jpg"),
        ("github://org:repo@main/a.jpg", "github://org:repo@main/a.jpg"),
        ("gs://bucket/folder/", "gs://bucket/folder"),
        ("abfs://box@me.dfs.core.windows.net/a.jpg?sig=secret", "abfs://box@me.dfs.core.windows.net/a.jpg"),
        ("abfss://box:secret@me.dfs.core.windows.net/", "abfss://box@me.dfs.core.windows.net"),
        ("abfs://me:secret@box/d/a.jpg", "abfs://me@box/d/a.jpg"),
        ("abfs://me:sec/ret@box/a.jpg", "abfs://...@box/a.jpg"),
        ("abfs://me:secret@localhost:10000/box/a.jpg", "abfs://me@localhost:10000/box/a.jpg"),
        ("abfs://me.blob.core.windows.net/box/a.jpg", "abfs://me.blob.core.windows.net/box/a.jpg"),
        ("az://box@me.dfs.core.windows.net/a.jpg", "az://box@me.dfs.core.windows.net/a.jpg"),
        ("az://box:secret@me/a.jpg", "az://box@me/a.jpg"),
        ("oci://bucket@namespace/a.jpg", "oci://bucket@namespace/a.jpg"),
        ("sftp://me:secret@host/a.jpg", "sftp://host/a.jpg"),
        ("ftp://@host/a.jpg", "ftp://host/a.jpg"),
        ("zip://d/a@2x.jpg::https://me:secret@host/b.zip", "zip://d/a@2x.jpg::https://host/b.zip"),
        ("tar://a@2x.jpg::simplecache::ftp://me:secret@host/b", "tar://a@2x.jpg::simplecache::ftp://host/b"),
        ("simplecache::https://me:secret@host/a.jpg", "simplecache::https://host/a.jpg"),
        ("file:///tmp/a.jpg", "/tmp/a.jpg"),
        ("photos/a.jpg", "photos/a.jpg"),
    ],
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


def test_lists_in_a_container_of_azure_name_their_neighbours():
    place = place_of("abfs://box@me.dfs.core.windows.net/lists/a.txt").beside("b.jpg")
    assert place == place_of("abfs://box@me.dfs.core.windows.net/lists/b.jpg")


def test_two_colons_in_a_path_are_no_address():
    assert place_of("a::b/c.jpg") == Place("a::b/c.jpg")
