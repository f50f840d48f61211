import os

import pytest

from unmask.cli.paths import refuse_overwriting
from unmask.errors import UnmaskError


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["list.txt"], ["./list.txt"]),  # named
        (["d"], ["d/a.png"]),  # a picture in a folder
        ([], ["link.png"]),  # a link to one
        ([], ["o.html", "./o.html"]),  # each other
    ],
)
def test_a_report_over_something_else_is_refused(in_folder, names, files):
    make(in_folder, "list.txt", "d/b.txt")
    (in_folder / "d" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (in_folder / "link.png").symlink_to("d/a.png")
    with pytest.raises(UnmaskError) as caught:
        refuse_overwriting(names, files)
    assert caught.value.code == "bad-output"


def test_a_report_over_an_earlier_one_is_refused_unless_wanted(in_folder):
    make(in_folder, "d/out.csv")
    files = ["d/out.csv", "d/out.html", os.devnull]
    with pytest.raises(UnmaskError, match=r"out\.csv is there already"):
        refuse_overwriting(["d"], files)
    refuse_overwriting(["d"], files, overwrite=True)


def test_an_empty_file_is_no_report_that_could_be_lost(in_folder):
    (in_folder / "out.csv").touch()
    refuse_overwriting(["d"], ["out.csv"])
