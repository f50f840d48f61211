import os

import pytest

from unmask.errors import UnmaskError
from unmask.output.files import STEM_BYTES, file_stem, write_file, writing


def test_a_name_is_limited_in_bytes_and_no_letter_is_cut():
    assert file_stem("a" + 100 * "😀") == "a" + 19 * "😀"
    assert len(file_stem(1000 * "x").encode()) == STEM_BYTES


@pytest.mark.parametrize(("name", "stem"), [("a\x1b\nb", "a__b"), ("a\udce9", "a_"), ("a:b*", "a_b_"), ("..", "_")])
def test_a_name_is_one_that_every_file_system_takes(name, stem):
    assert file_stem(name) == stem


def test_a_file_in_a_new_folder_is_written(tmp_path):
    assert write_file(tmp_path / "new" / "a.png", b"x").read_bytes() == b"x"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_file(pipe, b"x")
    assert (os.read(reader, 9), pipe.is_fifo()) == (b"x", True)
    os.close(reader)


def test_a_file_that_cannot_be_written_is_an_error_with_a_hint(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnmaskError, match="cannot write") as caught:
        write_file(tmp_path / "file" / "a.png", b"x")
    assert caught.value.code == "bad-output"


def test_a_reader_that_is_gone_is_no_error_of_the_file(tmp_path):
    with pytest.raises(BrokenPipeError), writing(tmp_path):
        raise BrokenPipeError
