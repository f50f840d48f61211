"""Small files that were answered wrongly once, each standing for a kind; the set lies beside the checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from unmask.checking import check
from unmask.errors import UnmaskError
from unmask.finding import Status
from unmask.image.read import read_image, read_whole_image

pytestmark = pytest.mark.cases


@dataclass(frozen=True)
class Case:
    """A file, and what must become of it.

    Attributes:
        name: In the folder of cases.
        size: Width and height of the upright picture; None where it is refused.
        note: A note that it gets.
        refusal: The code of the refusal.
        like: A file that shows the same picture, and by how many grey levels they may differ on average.
        damaged: Whether pixels are missing.
    """

    name: str
    size: tuple[int, int] | None = (256, 256)
    note: str | None = None
    refusal: str | None = None
    like: tuple[str, float] | None = None
    damaged: bool = False


WHOLE = "jpeg_whole_but_no_EOI.jpg"
CASES = (
    Case("avif_clap_ignored.avif", (320, 280)),  # its aperture does not begin in the corner: shown whole, as by Chrome
    Case("avif_second_half_zeroed.avif", note="damaged", damaged=True),
    Case("avif_xmp_orientation_applied.avif", (256, 200)),
    Case("bmp_rgb32bf_called_damaged.bmp", None, refusal="unsupported-format"),
    Case("jpeg_half_of_scan_then_EOI.jpg", note="damaged", damaged=True),
    Case("jpeg_restart_intervals_missing.jpg", note="damaged", damaged=True),
    Case("jpeg_third_of_scan_zeroed.jpg", note="damaged", damaged=True),
    Case("jpeg_whole_but_no_EOI.jpg", note="no-end-marker"),
    Case("jpg_app0_jfif_short.jpg", like=(WHOLE, 0)),
    Case("jpg_app14_short.jpg", like=(WHOLE, 0)),
    Case("orientation_lost_ex_desc_beyond.jpg", (200, 256)),
    Case("orientation_lost_ex_huge_count.jpg", (200, 256)),
    Case("orientation_lost_face.jpg"),
    Case("png_bad_crc_text.png", like=(WHOLE, 0)),
    Case("png_cicp_pq.png", note="colour-uncertain", like=(WHOLE, 1)),
    Case("png_gama_linear.png", like=(WHOLE, 1)),
    Case("png_itxt_2.5MB.png", (256, 200)),
    Case("png_linear_profile_named_sRGB.png", like=(WHOLE, 1)),
    Case("pq10.avif", note="colour-uncertain", like=(WHOLE, 3)),
    Case("progressive_first_scan_only_EOI.jpg", note="damaged", damaged=True),
    Case("tiff_16bit_planar_uncompressed_garbled.tif", None, refusal="unsupported-format"),
    Case("tiff_8bit_colormap_black.tiff", (2550, 3300)),
    Case("tiff_float32_rgb_called_damaged.tif", None, refusal="unsupported-format"),
)
READ = [case for case in CASES if not case.refusal]
DAMAGED = [case for case in CASES if case.damaged]


def name_of(case: Case) -> str:
    return case.name


def test_every_picture_among_the_cases_is_in_the_table(cases: Path) -> None:
    pictures = {path.name for path in cases.iterdir() if path.suffix not in (".md", ".h5")}
    assert pictures == {case.name for case in CASES}


@pytest.mark.parametrize("case", READ, ids=name_of)
def test_a_case_is_read_with_its_size_note_and_pixels(case: Case, cases: Path) -> None:
    image = read_image(cases / case.name)
    assert (image.facts.width, image.facts.height) == case.size
    codes = {note.code for note in image.notes} - {"small-file", "transparent"}
    assert codes == ({case.note} if case.note else set())
    if case.like:
        other = read_image(cases / case.like[0]).pixels
        assert np.abs(image.pixels.astype(int) - other).mean() <= case.like[1]


@pytest.mark.parametrize("case", [case for case in CASES if case.refusal], ids=name_of)
def test_a_case_that_cannot_be_read_is_refused_for_what_it_is(case: Case, cases: Path) -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image(cases / case.name)
    assert caught.value.code == case.refusal
    assert "save it as PNG" in caught.value.hint


@pytest.mark.parametrize("case", DAMAGED, ids=name_of)
def test_a_face_with_missing_pixels_gets_no_verdict(case: Case, cases: Path) -> None:
    finding = check(cases / case.name)
    assert (finding.status, finding.verdict, finding.score) == (Status.UNREADABLE, None, None)
    assert finding.failure is not None
    assert finding.failure.code == "damaged"


@pytest.mark.parametrize("case", DAMAGED, ids=name_of)
def test_a_damaged_picture_has_no_place_in_a_data_set(case: Case, cases: Path) -> None:
    with pytest.raises(UnmaskError) as caught:
        read_whole_image(cases / case.name)
    assert caught.value.code == "damaged"


def test_the_palette_of_eight_bits_is_not_black(cases: Path) -> None:
    assert read_image(cases / "tiff_8bit_colormap_black.tiff").pixels.mean() > 200
