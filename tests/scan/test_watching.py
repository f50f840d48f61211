import threading

import pytest

from tests.scan.pictures import picture
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
    rows = watch_folder(incoming, Asked(toy_detector, face_search=False), workers=1, stop=stop)

    def land():
        (incoming / ".hidden").write_bytes(picture(2))
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


def test_a_file_that_goes_again_is_forgotten(tmp_path):
    landing = {str(tmp_path / "gone.png"): ((-1, -1), 0.0)}
    assert watching._settled(landing) == []
    assert landing == {}
