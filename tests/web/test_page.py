"""What a person does on the page, in Chromium."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serve.conftest import serving
from tests.toy_bundle import toy_graph, toy_info
from tests.web.conftest import LOOKS, Open, Picture
from unmask.bundle import Metric, write_bundle
from unmask.checking import Examined, examine_image
from unmask.detector import Detector
from unmask.serve import Server
from unmask.serve.pool import Pool
from unmask.serve.problem import MEDIA_TYPE, Problem
from unmask.serve.schema import CheckReply
from unmask.verdict import by_suspicion

pytestmark = pytest.mark.browser

DROP = """files => {
  const transfer = new DataTransfer();
  for (const file of files) {
    const bytes = file.size ? new Uint8Array(file.size) : Uint8Array.from(atob(file.data), letter => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], file.name, { type: file.type }));
  }
  for (const kind of ["dragenter", "dragover", "drop"])
    document.querySelector("h1").dispatchEvent(
      new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""

PUT_ON_CLIPBOARD = """async () => {
  const canvas = new OffscreenCanvas(512, 512);
  const picture = await createImageBitmap(await (await fetch("/samples/portrait.jpg")).blob());
  canvas.getContext("2d").drawImage(picture, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}"""


def drop(page: Any, *pictures: Picture) -> None:
    page.evaluate(DROP, [picture.encoded for picture in pictures])


def answers(page: Any, count: int) -> Any:
    """The cards, once there are so many."""
    found = page.locator("article.card:not(.pending)")
    found.nth(count - 1).wait_for()
    assert found.count() == count
    return found


def card_named(page: Any, name: str) -> Any:
    return page.locator("article.card", has=page.locator("h3", has_text=re.compile(f"^{re.escape(name)}$")))


def tab_to(page: Any, selector: str, limit: int = 40) -> None:
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with the Tab key")


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_dropped_pictures_get_their_answers(visit: Open, pictures: dict[str, Picture], size: str, scheme: str) -> None:
    page = visit(size=size, scheme=scheme).page
    drop(page, pictures["drawn"], pictures["blended"], pictures["broken"])
    answers(page, 3)
    for name in ("drawn.jpg", "blended.jpg"):
        card = card_named(page, name)
        assert card.locator(".verdict").inner_text().split()[1] in ("Real", "Unsure", "Fake")
        assert card.locator("svg.picture").bounding_box()["width"] <= page.viewport_size["width"]
        assert card.locator("a.face").count() == 1
    assert "cut off" in card_named(page, "broken.jpg").inner_text()
    # Nothing is wider than the window.
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_a_picture_is_pasted_with_ctrl_v(visit: Open) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"]).page
    page.evaluate(PUT_ON_CLIPBOARD)
    page.keyboard.press("Control+V")
    answers(page, 1)
    assert card_named(page, "pasted-1.png").locator(".verdict").count() == 1


def test_several_pictures_are_chosen_at_once_and_answered_in_their_order(
    visit: Open, pictures: dict[str, Picture]
) -> None:
    page = visit().page
    many = [Picture(f"{number}.jpg", pictures["drawn"].data) for number in range(7)]
    page.set_input_files("#files", [picture.payload for picture in many])
    cards = answers(page, 7)
    assert cards.locator("h3").all_text_contents() == [picture.name for picture in many]
    assert page.locator("#tally").inner_text().strip().endswith(("7 real", "7 unsure", "7 fake"))


def test_the_slider_changes_the_heatmap_s_opacity(visit: Open) -> None:
    page = visit().page
    page.click("button[value=portrait]")
    card = answers(page, 1)
    slider, heat = card.get_by_label("Heatmap"), card.locator("g.heat")
    assert heat.get_attribute("opacity") == "0.55"
    slider.fill("0")
    assert heat.get_attribute("opacity") == "0"
    assert card.locator(".opacity-text").inner_text() == "0 %"


def test_a_face_is_enlarged_with_its_own_heatmap(visit: Open) -> None:
    page = visit().page
    page.click("button[value=two-faces]")
    card = answers(page, 1)
    first = re.search(r"face (\d)", card.locator(".because").inner_text())
    assert first
    assert card.locator(".faces li").first.get_attribute("data-face") == first[1]
    whole = card.locator("svg.picture").get_attribute("viewBox")
    heats = card.locator(".heat image:visible")
    for number in ("1", "2"):
        card.locator(f"a.face[data-face='{number}']").click()
        assert card.locator(".faces li.chosen .number").inner_text() == f"Face {number}"
        assert card.locator("svg.picture").get_attribute("viewBox") != whole
        assert [heat.get_attribute("data-face") for heat in heats.all()] == [number]
        page.keyboard.press("Escape")
        assert card.locator("svg.picture").get_attribute("viewBox") == whole
    card.locator(".faces a").nth(1).click()
    card.get_by_role("button", name="Whole picture").click()
    assert [heat.get_attribute("data-face") for heat in heats.all()] == [first[1]]


def test_of_a_face_with_an_empty_heatmap_that_is_said(visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_an_empty_one(*args: Any, **more: Any) -> Examined:
        examined = examine_image(*args, **more)
        faces = list(examined.finding.faces)
        at = by_suspicion(faces)[0][0] - 1
        faces[at] = replace(faces[at], heatmap=np.zeros((7, 7), np.float32))
        return replace(examined, finding=replace(examined.finding, faces=tuple(faces)))

    monkeypatch.setattr("unmask.serve.answering.examine_image", with_an_empty_one)
    page = visit().page
    page.click("button[value=two-faces]")
    card = answers(page, 1)
    first, other = (link.get_attribute("data-face") for link in card.locator(".faces a").all())
    whole = card.get_by_role("button", name="Whole picture")
    for number, empty in ((None, True), (other, False), (None, True), (first, True)):
        if number:
            card.locator(f".faces a[data-face='{number}']").click()
        elif whole.is_visible():
            whole.click()
        assert card.locator(".heat-of").inner_text() == (number or first)
        assert card.get_by_text("Nothing in this face raised the score").is_visible() == empty
        assert card.locator(".heat image:visible").count() == (not empty)


def test_many_answers_are_an_overview_to_filter_and_to_jump_from(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    drop(page, pictures["broken"], pictures["drawn"], pictures["blended"])
    answers(page, 3)
    assert not page.locator("#overview").is_visible()
    drop(page, pictures["drawn"])
    cards = answers(page, 4)
    page.wait_for_function("scrollY > 600")  # what was just dropped comes into view
    entries = page.locator("#overview li")
    order = [float(entry.get_attribute("data-order") or "") for entry in entries.all()]
    assert order == sorted(order, reverse=True)
    assert entries.last.get_attribute("data-verdict") == "unreadable"
    page.get_by_label("1 not readable").check()
    assert (entries.locator("visible=true").count(), cards.locator("visible=true").count()) == (1, 1)
    page.get_by_label("all", exact=True).check()
    entries.last.locator("a").click()
    assert page.evaluate("document.activeElement.textContent") == "broken.jpg"
    assert page.evaluate("Math.abs(document.activeElement.closest('article').getBoundingClientRect().top) < 40")


def test_of_many_answers_those_out_of_view_are_not_laid_out(visit: Open, pictures: dict[str, Picture]) -> None:
    """Choosing a kind, with hundreds of them, would take long otherwise."""
    page = visit().page
    drop(page, *[pictures["drawn"]] * 6)
    answers(page, 6)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function(
        "() => !document.querySelector('.answer:last-child h3').checkVisibility({ contentVisibilityAuto: true })"
    )


@pytest.mark.parametrize(
    ("way", "address", "hint"),
    [
        ("drop", "https://example.org/a.jpg", "Save the picture"),
        ("paste", "https://example.org/a.jpg", "Save the picture"),
        ("drop", "file:///home/a.jpg", "Choose it with the button"),
    ],
)
def test_an_address_is_not_fetched_and_that_is_said(visit: Open, way: str, address: str, hint: str) -> None:
    page = visit().page
    page.evaluate(
        """([way, address]) => {
          const data = new DataTransfer();
          data.setData(way === "drop" ? "text/uri-list" : "text/plain", address);
          const more = { bubbles: true, cancelable: true };
          document.querySelector("h1").dispatchEvent(
            way === "drop"
              ? new DragEvent("drop", { dataTransfer: data, ...more })
              : new ClipboardEvent("paste", { clipboardData: data, ...more }));
        }""",
        [way, address],
    )
    assert "This page fetches nothing" in answers(page, 1).inner_text()
    assert hint in answers(page, 1).inner_text()


def test_all_of_it_works_by_keyboard_alone(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    page.on("filechooser", lambda _: None)  # choosers are caught from here on, not only from when one is expected
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    tab_to(page, "#files")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(pictures["drawn"].payload)
    answers(page, 1)
    tab_to(page, "button[value=two-faces]")
    page.keyboard.press("Enter")
    card = answers(page, 2).nth(1)
    tab_to(page, "article:nth-child(2) a.face[data-face='2']")
    page.keyboard.press("Enter")
    assert card.locator(".faces li.chosen .number").inner_text() == "Face 2"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('article:nth-child(2) .opacity')")
    page.keyboard.press("ArrowRight")
    assert card.locator("g.heat").get_attribute("opacity") == "0.6"
    tab_to(page, "article:nth-child(2) .copy")
    page.keyboard.press("Enter")
    card.get_by_text("Copied").wait_for()


def test_a_screen_reader_is_told_each_answer(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    drop(page, pictures["drawn"])
    answers(page, 1)
    assert re.match(r"drawn\.jpg: (Real|Unsure|Fake) P\(fake\) 0\.\d\d", page.get_by_role("status").inner_text())


def test_the_answers_are_copied_as_text(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"]).page
    drop(page, pictures["drawn"], pictures["broken"], Picture("huge.jpg", size=25_100_001))
    answers(page, 3)
    page.click("#copy-all")
    page.get_by_text("Copied").first.wait_for()
    text = page.evaluate("navigator.clipboard.readText()")
    assert "Picture: drawn.jpg\nVerdict: " in text
    assert "Picture: broken.jpg\nNo answer: " in text
    assert "A verdict is a hint, not proof." in text
    assert "huge.jpg: This file is too large" in text


def test_nothing_is_copied_where_there_is_no_answer_yet(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    page.route("**/card", lambda _: None)
    drop(page, pictures["drawn"])
    page.click("#copy-all")
    assert page.locator("#copy-all").inner_text() == "There is no answer yet"
    page.click("#clear")
    page.unroute_all()


def test_nothing_can_be_saved_where_there_is_no_answer_yet(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    drop(page, Picture("huge.jpg", size=25_100_001))
    answers(page, 1)  # it was refused
    page.locator("#download-all").wait_for(state="hidden")
    drop(page, pictures["drawn"])
    page.locator("#download-all").wait_for(state="visible")
    page.click("#clear")
    page.route("**/card", lambda _: None)
    drop(page, pictures["drawn"])
    page.locator("#results").wait_for(state="visible")
    page.locator("#download-all").wait_for(state="hidden")
    page.click("#clear")
    page.unroute_all()


def test_all_answers_are_saved_as_one_json_document(visit: Open, pictures: dict[str, Picture], tmp_path: Path) -> None:
    page = visit().page
    drop(page, pictures["drawn"], pictures["broken"])
    answers(page, 2)
    with page.expect_download() as download:
        page.click("#download-all")
    download.value.save_as(tmp_path / "all.json")
    document = CheckReply.model_validate_json((tmp_path / "all.json").read_bytes())
    assert [finding.path for finding in document.findings] == ["drawn.jpg", "broken.jpg"]
    assert (document.summary.pictures, document.summary.unreadable) == (2, 1)


def test_one_answer_is_saved_as_json(visit: Open, pictures: dict[str, Picture], tmp_path: Path) -> None:
    page = visit().page
    drop(page, pictures["drawn"])
    with page.expect_download() as download:
        answers(page, 1).get_by_text("Download JSON").click()
    assert download.value.suggested_filename == "drawn-unmask.json"
    download.value.save_as(tmp_path / "one.json")
    assert json.loads((tmp_path / "one.json").read_text())["findings"][0]["path"] == "drawn.jpg"


def test_the_print_shows_the_answers_and_leaves_out_the_form(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    drop(page, pictures["drawn"])
    answers(page, 1)
    page.emulate_media(media="print")
    assert page.locator(".print-only").is_visible()
    assert page.locator(".verdict").is_visible()
    for selector in ("#form", ".slider", ".tools >> nth=0", ".about"):
        assert not page.locator(selector).first.is_visible()
    assert page.pdf()[:4] == b"%PDF"


def test_from_a_dark_screen_the_print_is_as_light_as_ever_and_asks_for_no_click(visit: Open) -> None:
    page = visit(scheme="dark").page
    page.click("button[value=two-faces]")
    answers(page, 1)
    page.emulate_media(media="print")
    style = "getComputedStyle(document.documentElement).getPropertyValue"
    assert page.evaluate(f"{style}('--accent')") == "#1f4e79"
    assert page.get_by_text("The heatmap is that of face").is_visible()
    assert not page.get_by_text("Choose a face").is_visible()


def test_with_colours_of_the_system_the_button_and_the_scale_are_seen(visit: Open) -> None:
    page = visit(forced_colors="active").page
    page.click("button[value=portrait]")
    answers(page, 1)
    assert page.locator(".choose label").evaluate("label => getComputedStyle(label).borderTopStyle") == "solid"
    assert "gradient" in page.locator(".scale").evaluate("scale => getComputedStyle(scale).backgroundImage")


def test_a_chosen_base_rate_says_what_it_assumes_in_print_too(
    visit: Open, pictures: dict[str, Picture], tmp_path: Path
) -> None:
    metric = Metric(name="brier", split="Validation", value=0.1, low=None, high=None, n=9)
    folder = write_bundle(tmp_path / "measured", toy_info(metrics=[metric]), toy_graph(), "# toy\n")
    with serving(Detector.load(folder, threads=1)) as measured:
        page = visit(at=measured).page
        drop(page, pictures["drawn"])
        answers(page, 1)
        sentence, assumed = page.locator(".means[data-one-in='20']"), page.locator(".means-what")
        assert not sentence.is_visible()
        page.select_option("#one-in", "20")
        page.emulate_media(media="print")
        assert sentence.is_visible()
        assert assumed.is_visible()
        assert not page.locator("#one-in").is_visible()
        page.emulate_media(media="screen")
        page.goto(f"{measured.address}/api/v1/docs")
        page.go_back()
        drop(page, pictures["drawn"])
        answers(page, 1)
        assert page.locator("#one-in").input_value() == ""  # nor is there a sentence


def test_a_file_that_is_too_large_is_not_even_sent(visit: Open) -> None:
    page = visit().page
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    drop(page, Picture("huge.jpg", size=25_100_001))
    assert "too large: 25.1 MB, at most 25 MB" in answers(page, 1).inner_text()
    assert not sent


def test_a_file_that_is_no_picture_says_so(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    drop(page, pictures["text"])
    assert "not a picture" in answers(page, 1).inner_text()


def test_a_busy_server_is_asked_again(
    visit: Open, pictures: dict[str, Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit().page
    with monkeypatch.context() as busy:
        busy.setattr(Pool, "is_full", True)
        drop(page, pictures["drawn"])
        page.get_by_text("The server is busy; trying again in 1 s").wait_for()
    answers(page, 1).locator(".verdict").wait_for()


def refuse(page: Any, code: str, tries: list[str], wait: str = "1", most: int = 1000) -> None:
    """Has checks refused, at most so many, as the server does before the page sees a request."""
    problem = Problem(code, "So it is.", retry_after=1)

    def answer(route: Any) -> None:
        if len(tries) == most:
            route.fallback()
            return
        tries.append(re.findall(rb'filename="(.+?)"', route.request.post_data_buffer)[0].decode())
        route.fulfill(
            status=problem.kind.status,
            headers={"Content-Type": MEDIA_TYPE, "Retry-After": wait},
            body=problem.to_json("x", ""),
        )

    page.route("**/card", answer)


def test_a_check_that_took_too_long_is_not_repeated_unasked(visit: Open, pictures: dict[str, Picture]) -> None:
    opened = visit()
    page = opened.page
    tries: list[str] = []
    refuse(page, "too-slow", tries)
    drop(page, pictures["drawn"])
    assert "The check took too long. So it is." in answers(page, 1).inner_text()
    page.unroute("**/card")
    page.get_by_role("button", name="Try again").click()
    page.locator("article.answer").wait_for()
    assert tries == ["drawn.jpg"]
    opened.complaints_are_meant = True  # of the 503


def test_pictures_beyond_a_rate_limit_wait_for_as_long_as_it_takes(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    tries: list[str] = []
    refuse(page, "too-often", tries, wait="0.05", most=30)
    drop(page, *[Picture(f"{number}.jpg", pictures["drawn"].data) for number in range(5)])
    answers(page, 5).locator(".verdict").nth(4).wait_for()
    assert set(tries) <= {"0.jpg", "1.jpg"}  # those behind were not even sent


def test_a_refusal_tells_people_what_people_can_do(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    refuse(page, "unauthorized", [])
    drop(page, pictures["drawn"])
    assert "Give the access token above." in answers(page, 1).inner_text()


def test_a_picture_that_a_proxy_refuses_as_too_large_says_so(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    page.route("**/card", lambda route: route.fulfill(status=413, body="<html>No.</html>"))
    drop(page, pictures["drawn"])
    assert "too large for what stands before the server. Save the" in " ".join(answers(page, 1).inner_text().split())


@pytest.mark.parametrize("code", ["busy", "too-many-tokens"])
def test_a_server_that_takes_nothing_for_a_time_is_asked_again(
    visit: Open, pictures: dict[str, Picture], code: str
) -> None:
    page = visit().page
    refuse(page, code, [])
    drop(page, pictures["drawn"])
    page.get_by_text("The server is busy; trying again in 1 s").wait_for()
    page.unroute("**/card")
    answers(page, 1).locator(".verdict").wait_for()


def test_a_server_that_does_not_answer_is_not_waited_for_without_end(visit: Open, pictures: dict[str, Picture]) -> None:
    opened = visit()
    page = opened.page
    assert page.locator("#form").get_attribute("data-seconds") == "120"
    # The page reads it when its script starts.
    page.route("**/", lambda route: route.fulfill(body=route.fetch().text().replace('seconds="120"', 'seconds="1"')))
    page.route("**/card", lambda _: None)
    page.reload()
    drop(page, pictures["drawn"])
    assert "The server did not answer in time." in answers(page, 1).inner_text()
    assert page.get_by_role("button", name="Try again").is_visible()
    page.unroute_all()
    opened.complaints_are_meant = True


def test_a_server_that_is_gone_leaves_a_way_to_try_again(visit: Open, pictures: dict[str, Picture]) -> None:
    opened = visit()
    page = opened.page
    page.route("**/card", lambda route: route.abort())
    drop(page, pictures["drawn"])
    assert "The server could not be reached" in answers(page, 1).inner_text()
    page.unroute("**/card")
    page.get_by_role("button", name="Try again").press("Enter")
    page.locator("article.answer h3:focus").wait_for()  # where the keyboard was
    opened.complaints_are_meant = True  # of the aborted request


def test_clear_begins_anew(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    drop(page, pictures["drawn"])
    answers(page, 1)
    page.click("#clear")
    assert page.locator("article.card").count() == 0
    assert not page.locator("#results").is_visible()
    drop(page, pictures["drawn"])
    answers(page, 1)


@pytest.mark.parametrize(
    ("first", "words", "most_sent"),
    [("", "Give the token", 0), ("secret\u2013", "plain letters", 0), ("wrong", "refused this token", 2)],
    ids=["none", "none that can be sent", "a wrong one"],
)
def test_all_waits_for_the_right_token_which_is_asked_for_once(
    visit: Open, guarded_server: Server, pictures: dict[str, Picture], first: str, words: str, most_sent: int
) -> None:
    page = visit(at=guarded_server).page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    field = page.get_by_label("Access token")
    field.fill(first)
    drop(page, *[pictures["drawn"]] * 4)
    page.get_by_text(words).wait_for()
    assert page.locator("#token").evaluate("field => field === document.activeElement")
    page.get_by_text("Waiting for the access token").nth(1).wait_for()
    assert page.locator("article.card.pending").count() == 4
    assert len(sent) == most_sent
    field.fill("secret")
    field.press("Enter")
    answers(page, 4).locator(".verdict").nth(3).wait_for()
    assert page.locator("#token-note").inner_text() == ""


def test_names_and_words_of_a_stranger_stay_text(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit().page
    name = '<img src=x onerror="document.title=1">.jpg'
    drop(page, Picture(name, pictures["drawn"].data))
    assert answers(page, 1).locator("h3").inner_text() == name
    assert page.title() == "Unmask: is this face real?"


def test_without_script_a_picture_gets_its_answer(visit: Open, pictures: dict[str, Picture]) -> None:
    page = visit(script=False).page
    page.set_input_files("#files", pictures["drawn"].payload)
    page.get_by_role("button", name="Check", exact=True).click()
    card = page.locator("article.answer")
    card.wait_for()
    assert card.locator(".verdict").is_visible()
    page.locator("#copy-all").wait_for(state="hidden")  # by the style sheet, which may come after the answer
    page.click("button[value=two-faces]")
    page.get_by_text("two-faces.jpg").first.wait_for()
    page.locator("a.face").nth(1).click()
    assert page.url.endswith("#picture-1-face-2")


def test_motion_is_left_out_where_that_is_asked_for(visit: Open) -> None:
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert visit(reduced_motion="no-preference").page.evaluate(behaviour) == "smooth"
    page = visit(reduced_motion="reduce").page
    assert page.evaluate(behaviour) == "auto"
    assert page.evaluate("getComputedStyle(document.querySelector('#drop')).transitionProperty") in ("none", "all")
