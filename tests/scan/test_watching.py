import itertools
import os
import shutil
import sys
import threading

import pytest

from tests.scan.pictures import picture
from tests.waiting import PATIENCE
from unmask.errors import UnmaskError
from unmask.scan import watching
from unmask.scan.judging import Asked
from unmask.scan.watching import watch_folder

pytestmark = pytest.mark.scan


def test_what_lands_is_judged_once_it_is_whole(tmp_path, toy_detector, monkeypatch):
    monkeypatch.setattr(watching, "SETTLED", 0.2)
    stop = threading.Event()
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "before.png").write_bytes(picture(1))
    (tmp_path / "album" / "below").mkdir(parents=True)
    (tmp_path / "album" / "below" / "moved.png").write_bytes(picture(4))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "linked.png").write_bytes(picture(5))
    rows = watch_folder(incoming, Asked(toy_detector, face_search=False), workers=1, stop=stop)

    def land():
        (incoming / ".hidden").write_bytes(picture(2))
        (incoming / "link").symlink_to(tmp_path / "elsewhere")
        (incoming / "text.txt").write_text("no picture")
        (tmp_path / "album").rename(incoming / "album")
        with (incoming / "slow.png").open("wb") as file:
            file.write(picture(3)[:50])
            file.flush()
            stop.wait(0.1)
            file.write(picture(3)[50:])

    landing = threading.Timer(1.0, land)
    landing.start()
    found = {row["path"].rpartition("/")[2]: row["status"] for row in (next(rows) for _ in range(3))}
    stop.set()
    landing.join()
    assert found == {"slow.png": "answered", "moved.png": "answered", "text.txt": "unreadable"}
    assert list(rows) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path, toy_detector):
    with pytest.raises(UnmaskError, match="there is no folder"):
        next(watch_folder(tmp_path / "gone", Asked(toy_detector), workers=1))


def test_a_folder_that_cannot_be_watched_is_an_error_and_one_below_it_that_may_not_be_listed_is_none(
    tmp_path, toy_detector, monkeypatch
):
    asked = {}

    def watch(*_, **options):
        asked.update(options)
        raise OSError(28, "OS file watch limit reached")
        yield

    monkeypatch.setattr("watchfiles.watch", watch)
    with pytest.raises(UnmaskError, match="OS file watch limit reached"):
        watch_folder(tmp_path, Asked(toy_detector), workers=1)
    assert asked["ignore_permission_denied"]


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 here")
@pytest.mark.parametrize("folder_lies_there", [False, True])
def test_a_name_that_is_no_utf_8_does_not_end_the_watch(tmp_path, toy_detector, monkeypatch, folder_lies_there):
    monkeypatch.setattr(watching, "SETTLED", 0.2)
    stop = threading.Event()
    limit = threading.Timer(PATIENCE, stop.set)
    limit.start()
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "moved.png").write_bytes(picture(1))
    (incoming / "before.png").write_bytes(picture(2))
    if folder_lies_there:
        os.mkdir(os.path.join(os.fsencode(incoming), b"\xfe"))
    stop.wait(0.1)  # what lies there already is older than the watch
    rows = watch_folder(incoming, Asked(toy_detector, face_search=False), workers=1, stop=stop)
    odd = os.path.join(os.fsencode(incoming), b"\xff.png")
    with open(odd, "wb") as file:
        file.write(picture(3))
    (tmp_path / "album").rename(incoming / "album")
    found = [row["path"].rpartition("/")[2] for row in itertools.islice(rows, 2)]
    (incoming / "later.png").write_bytes(picture(4))
    found += [row["path"].rpartition("/")[2] for row in itertools.islice(rows, 1)]
    assert sorted(found[:2]) == ["\\xff.png", "moved.png"]
    assert found[2:] == ["later.png"]
    stop.set()
    assert list(rows) == []
    limit.cancel()


def test_what_lands_at_once_is_judged(tmp_path, toy_detector):
    stop = threading.Event()
    limit = threading.Timer(PATIENCE, stop.set)
    limit.start()
    rows = watch_folder(tmp_path, Asked(toy_detector, face_search=False), workers=1, stop=stop)
    (tmp_path / "first.png").write_bytes(picture(1))
    assert [row["path"] for row in itertools.islice(rows, 1)] == [str(tmp_path / "first.png")]
    rows.close()
    limit.cancel()


def test_what_lies_behind_a_link_to_a_folder_is_left_out(tmp_path):
    from watchfiles import Change

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in" / "below").mkdir(parents=True)
    for folder in ("elsewhere", "in/below"):
        (tmp_path / folder / "x.png").touch()
    for link in ("hot", "in/link", "in/below/link"):
        (tmp_path / link).symlink_to(tmp_path / ("in" if link == "hot" else "elsewhere"))
    changes = {
        (Change.added, str(tmp_path / "hot" / path)) for path in ("link", "link/x.png", "below/link/x.png", "below")
    }
    assert list(watching._landed(changes, tmp_path / "hot")) == [str(tmp_path / "hot" / "below" / "x.png")]


@pytest.mark.parametrize("same_number", [False, True])
def test_a_folder_that_is_replaced_ends_the_watch(tmp_path, toy_detector, monkeypatch, same_number):
    stop = threading.Event()
    limit = threading.Timer(PATIENCE, stop.set)
    limit.start()
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    if same_number:
        monkeypatch.setattr(watching, "_identity", lambda folder: (1, 1))
    rows = watch_folder(incoming, Asked(toy_detector), workers=1, stop=stop)
    if same_number:
        shutil.rmtree(incoming)
    else:
        incoming.rename(tmp_path / "moved")
    incoming.mkdir()
    with pytest.raises(UnmaskError, match="taken away or replaced"):
        list(rows)
    limit.cancel()


def test_a_file_that_goes_again_is_forgotten(tmp_path):
    landing = {str(tmp_path / "gone.png"): ((-1, -1), 0.0)}
    assert watching._settled(landing) == []
    assert landing == {}
