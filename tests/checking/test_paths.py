import os

import pytest

from unmask.checking.paths import Candidate, expand, listed
from unmask.errors import UnmaskError


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def paths(names):
    return [candidate.path for candidate in expand(names) if not candidate.left_out]


def test_files_come_back_as_they_were_named(in_folder):
    make(in_folder, "a.jpg")
    assert paths(["./a.jpg", "missing.jpg"]) == ["./a.jpg", "missing.jpg"]


def test_a_folder_is_searched_recursively_in_order(in_folder):
    make(in_folder, "d/z.jpg", "d/b/y.png", "d/a/x.txt", "d/c.jpg")
    assert paths(["d"]) == [
        os.path.join("d", *parts) for parts in (["c.jpg"], ["z.jpg"], ["a", "x.txt"], ["b", "y.png"])
    ]


def test_hidden_and_desktop_files_in_folders_are_marked_not_dropped(in_folder):
    make(in_folder, "d/.hidden", "d/Thumbs.db", "d/a.jpg")
    assert list(expand(["d"])) == [
        Candidate(os.path.join("d", ".hidden"), True),
        Candidate(os.path.join("d", "Thumbs.db"), True),
        Candidate(os.path.join("d", "a.jpg"), False),
    ]


def test_a_file_that_several_names_lead_to_is_looked_at_once(in_folder):
    make(in_folder, "d/a.jpg", "d/b.jpg")
    (in_folder / "again").symlink_to("d")
    (in_folder / "d" / "link.jpg").symlink_to("a.jpg")
    first, second, link = (os.path.join("d", name) for name in ("a.jpg", "b.jpg", "link.jpg"))
    assert paths([second, "d", "./d/*.jpg", "again/a.jpg", str(in_folder / second)]) == [second, first, link]


def test_a_hidden_file_that_is_named_is_looked_at(in_folder):
    make(in_folder, ".hidden.jpg")
    assert paths([".hidden.jpg"]) == [".hidden.jpg"]
    assert paths([".", ".hidden.jpg"]) == [".hidden.jpg"]


def test_patterns_are_expanded_also_across_folders(in_folder):
    make(in_folder, "a.jpg", "b.jpg", "c.png", "d/e.jpg")
    assert paths(["*.jpg"]) == ["a.jpg", "b.jpg"]
    assert paths(["**/*.jpg"]) == ["a.jpg", "b.jpg", os.path.join("d", "e.jpg")]


def test_a_file_that_a_pattern_matches_several_times_is_looked_at_once(in_folder):
    make(in_folder, "a.jpg", "d/e/b.jpg")
    assert paths(["**/**/*.jpg"]) == ["a.jpg", os.path.join("d", "e", "b.jpg")]


def test_a_folder_that_a_pattern_matches_is_left_out_with_what_is_in_it(in_folder):
    make(in_folder, "d/a.jpg", "d/e/b.jpg")
    folder, first, second = os.path.join("d", "e"), os.path.join("d", "a.jpg"), os.path.join("d", "e", "b.jpg")
    assert list(expand(["d/*"])) == [Candidate(first, named=True), Candidate(folder, left_out=True)]
    assert list(expand(["d/**"])) == [Candidate(first, named=True), Candidate(second, named=True)]


def test_a_pattern_that_matches_nothing_is_reported_as_missing(in_folder):
    assert paths(["*.webp"]) == ["*.webp"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(in_folder):
    make(in_folder, "photo[1].jpg", "photo1.jpg")
    assert paths(["photo[1].jpg"]) == ["photo[1].jpg"]


def test_a_broken_link_is_looked_at_and_a_linked_folder_is_not_followed(in_folder):
    make(in_folder, "d/a.jpg")
    (in_folder / "d" / "broken.jpg").symlink_to("nowhere.jpg")
    (in_folder / "d" / "loop").symlink_to(in_folder / "d")
    assert paths(["d"]) == [os.path.join("d", "a.jpg"), os.path.join("d", "broken.jpg")]
    assert Candidate(os.path.join("d", "loop"), True) in list(expand(["d"]))


def test_what_this_run_writes_is_not_looked_at(in_folder):
    make(in_folder, "d/a.jpg", "d/out.csv", "d/maps/b.png")
    found = list(expand(["d"], outputs=[os.path.join("d", "out.csv"), in_folder / "d" / "maps"]))
    assert found == [Candidate(os.path.join("d", "a.jpg")), Candidate(os.path.join("d", "out.csv"), True)]
    by_name = [Candidate("d/a.jpg", named=True), Candidate("d/out.csv", True, named=True)]
    assert list(expand(["d/*.*"], outputs=["d/out.csv"])) == by_name


def test_what_this_run_writes_is_not_looked_at_even_if_named(in_folder):
    make(in_folder, "out.csv")
    assert list(expand(["out.csv"], outputs=["./out.csv"])) == [Candidate("out.csv", True, named=True)]


def test_a_folder_that_is_written_to_can_be_searched_itself(in_folder):
    make(in_folder, "d/a.jpg")
    assert list(expand(["d"], outputs=["d"])) == [Candidate(os.path.join("d", "a.jpg"))]


def test_a_folder_that_cannot_be_listed_is_given_back(in_folder, monkeypatch):
    make(in_folder, "d/a.jpg", "d/locked/b.jpg")
    scan = os.scandir

    def refuse(place):
        if os.path.basename(place) == "locked":
            raise PermissionError(13, "Permission denied", place)
        return scan(place)

    monkeypatch.setattr(os, "scandir", refuse)
    assert paths(["d"]) == [os.path.join("d", "a.jpg"), os.path.join("d", "locked")]
    assert paths([os.path.join("d", "locked")]) == [os.path.join("d", "locked")]


@pytest.mark.parametrize(
    "data",
    [
        b"a.jpg\n\nb c.jpg\n",
        b"a.jpg\r\nb c.jpg\r\n",
        b"a.jpg\0b c.jpg\0",
        b"\xef\xbb\xbfa.jpg\nb c.jpg",
        "a.jpg\r\nb c.jpg\r\n".encode("utf-16"),
        "a.jpg\r\nb c.jpg\r\n".encode("utf-16-le"),
    ],
)
def test_a_list_is_read_however_it_was_printed(data):
    assert listed(data) == ["a.jpg", "b c.jpg"]


def test_a_name_with_a_line_break_is_one_name_where_names_end_with_zero_bytes():
    assert listed(b"./a\nb.jpg\0./c.jpg\0") == ["./a\nb.jpg", "./c.jpg"]


def test_a_picture_is_no_list(face_file):
    with pytest.raises(UnmaskError, match="a picture") as caught:
        listed(face_file.read_bytes())
    assert "file" in caught.value.hint


def test_a_list_in_a_code_page_of_windows_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(os, "fsdecode", lambda name: name.decode("utf-8", "surrogatepass"))
    with pytest.raises(UnmaskError, match="UTF-8") as caught:
        listed(b"a.jpg\r\nM\x81ller.jpg\r\n")
    assert "chcp 65001" in caught.value.hint
