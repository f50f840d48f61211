"""A picture whose file says itself that AI made it, in Chromium."""

import os

import pytest

from tests.marked_pictures import SETTINGS, app1, exif, iptc_segment, source_type, wide, xmp, xmp_segment
from tests.web.conftest import LOOKS, Open, Picture
from tests.web.test_accessibility import violations
from tests.web.test_page import answers, drop

pytestmark = pytest.mark.browser

SENTENCE = "The file itself says that it was made by AI: Stable Diffusion (EXIF UserComment), XMP DigitalSourceType."


@pytest.fixture(scope="module")
def marked(pictures: dict[str, Picture]) -> Picture:
    whole = pictures["drawn"].data
    said = app1(exif(Make="Canon", Model="Canon EOS R5", comment=wide(SETTINGS), lens="RF24-105mm F4 L IS USM"))
    said += xmp_segment(xmp(attributes=source_type("trainedAlgorithmicMedia"))) + iptc_segment(
        (110, "Edited with Google AI")
    )
    return Picture("marked.jpg", whole[:2] + said + whole[2:])


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_the_mark_is_seen_above_the_verdict_and_breaks_nothing(
    visit: Open, marked: Picture, size: str, scheme: str
) -> None:
    page = visit(size=size, scheme=scheme).page
    drop(page, marked)
    card = answers(page, 1)
    mark = card.locator(".mark")
    assert SENTENCE in mark.inner_text()
    assert "The file itself says that it was edited with AI: Google AI (IPTC Credit)." in mark.inner_text()
    # Of one moment: the page scrolls to its answers.
    mark_ends, verdict_begins = card.evaluate("""card => {
      const place = part => card.querySelector(part).getBoundingClientRect();
      return [place(".mark").bottom, place(".verdict").top];
    }""")
    assert mark_ends <= verdict_begins
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert SENTENCE in page.get_by_role("status").inner_text()
    assert violations(page) == []
    if folder := os.environ.get("UNMASK_SCREENSHOTS"):
        card.screenshot(path=f"{folder}/marked-{size}-{scheme}.png")


def test_the_print_tells_mark_file_and_time(visit: Open, marked: Picture) -> None:
    page = visit().page
    drop(page, marked)
    card = answers(page, 1)
    page.emulate_media(media="print")
    assert card.locator(".mark").is_visible()
    for name in ("SHA-256", "Checked", "Detector", "Bundle", "Lens"):
        assert card.get_by_text(name, exact=True).is_visible()
