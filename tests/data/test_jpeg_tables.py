"""How a JPEG file was written."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from tests.data.pictures import jpeg, picture

from unmask.data.jpeg_tables import jpeg_tables


def saved(mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture(1)).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def test_equal_settings_give_equal_names_whatever_the_picture() -> None:
    assert jpeg_tables(jpeg(picture(1), 80)) == jpeg_tables(jpeg(picture(2), 80))


def test_another_quality_gives_another_name() -> None:
    assert jpeg_tables(jpeg(picture(1), 80)) != jpeg_tables(jpeg(picture(1), 81))


@pytest.mark.parametrize(("option", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_the_subsampling_is_named(option: int, name: str) -> None:
    assert jpeg_tables(saved(subsampling=option)).endswith(name)


def test_grey_and_progressive_files_are_read() -> None:
    assert jpeg_tables(saved("L")).endswith("grey")
    assert jpeg_tables(saved(progressive=True)) == jpeg_tables(saved())


def test_metadata_changes_nothing() -> None:
    assert jpeg_tables(saved(comment=b"x" * 9000)) == jpeg_tables(saved())


def test_anything_else_has_no_name() -> None:
    data = saved()
    assert jpeg_tables(b"") == jpeg_tables(b"GIF89a") == jpeg_tables(b"\xff\xd8nonsense") == ""
    assert all(jpeg_tables(data[:length]) in ("", jpeg_tables(data)) for length in range(700))
