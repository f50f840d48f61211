"""What a person does on the page with clips, in Chromium."""

import re
import threading
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.video import clips
from tests.waiting import PATIENCE, until
from tests.web.conftest import LOOKS, Open, Picture
from tests.web.test_accessibility import violations
from tests.web.test_page import answers, card_named, drop, tab_to
from unmask.checking.looking import Looking
from unmask.demo import draw_face
from unmask.serve import Server
from unmask.serve.schema import ClipCheckReply

pytestmark = [pytest.mark.browser, pytest.mark.video]

SIZE = (400, 240)
FRAMES, RATE = 24, 10
STEP = 6  # pixels from one frame to the next, to the right
BOX_X = "Number(document.querySelector('.boxes .halo').getAttribute('x'))"


@cache
def drawn(seed: int) -> Image.Image:
    return Image.fromarray(draw_face(seed)).resize((160, 160), Image.Resampling.BOX)


def moving_faces(count: int, number: int, width: int, height: int) -> NDArray[np.uint8]:
    """One frame: so many drawn faces, side by side, that move to the right."""
    page = Image.new("RGB", (width, height), (90, 90, 90))
    for at in range(count):
        page.paste(drawn(7 - at), (10 + 200 * at + STEP * number // count, 40))
    return np.asarray(page, dtype=np.uint8)


@pytest.fixture(scope="module")
def films() -> dict[str, Picture]:
    make = partial(clips.video, frames=FRAMES, rate=RATE, size=SIZE)
    one, two = partial(moving_faces, 1), partial(moving_faces, 2)
    still = [Image.fromarray(one(4 * number, *SIZE)) for number in range(4)]
    return {
        "one": Picture("one.webm", make("webm", "libvpx", draw=one), "video/webm"),
        "two": Picture("two.webm", make("webm", "libvpx", draw=two), "video/webm"),
        "old": Picture("old.mp4", make("mp4", "mpeg4", draw=one), "video/mp4"),
        "moving": Picture("moving.gif", clips.animation("GIF", pictures=still), "image/gif"),
        "broken": Picture("broken.mp4", b"\0\0\0\x20ftypmp42" + bytes(1000), "video/mp4"),
    }


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Clips stand still after their first frame, until this is called or the test is over."""
    go, take, seen = threading.Event(), Looking.take, []

    def wait(self: Looking, frame: Any) -> None:
        assert not seen or go.wait(PATIENCE)
        seen.append(frame.number)
        take(self, frame)

    monkeypatch.setattr(Looking, "take", wait)
    yield go.set
    go.set()


def clip_card(page: Any, film: Picture) -> Any:
    """The card of its answer, once the clip can be played."""
    drop(page, film)
    card = answers(page, 1)
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    return card


def at(page: Any, seconds: float) -> None:
    """Waits until the player stands at a moment."""
    page.wait_for_function(
        "s => { const v = document.querySelector('video'); return !v.seeking && Math.abs(v.currentTime - s) < 0.01 }",
        arg=seconds,
    )


def times(card: Any) -> list[float]:
    return [float(dot.get_attribute("data-time")) for dot in card.locator(".dot").all()]


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_a_dropped_clip_gets_its_answer_and_plays_from_the_disk(
    visit: Open, films: dict[str, Picture], size: str, scheme: str
) -> None:
    page = visit(size=size, scheme=scheme).page
    card = clip_card(page, films["two"])
    assert card.locator(".verdict").inner_text().split()[1] in ("Real", "Unsure", "Fake")
    assert card.locator("video").get_attribute("src").startswith("blob:")
    assert card.locator(".timeline").count() == 2
    assert card.locator(".moments svg.frame").count() == card.locator(".moments svg.closeup").count() == 6
    shown, boxes = card.evaluate(
        "card => ['video', '.boxes'].map(part => card.querySelector(part).getBoundingClientRect().toJSON())"
    )
    assert shown == boxes
    assert shown["width"] / shown["height"] == pytest.approx(SIZE[0] / SIZE[1], rel=0.01)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert violations(page) == []


def test_a_click_on_the_timeline_jumps_there_and_the_box_is_where_the_face_is(
    visit: Open, films: dict[str, Picture]
) -> None:
    page = visit().page
    card = clip_card(page, films["one"])
    chart, moments = card.locator(".timeline-chart"), times(card)
    assert len(moments) == FRAMES
    left = {}
    for number in (3, 20):
        dot, area = card.locator(".dot").nth(number).bounding_box(), chart.bounding_box()
        chart.click(position={"x": dot["x"] + dot["width"] / 2 - area["x"], "y": 10})
        at(page, moments[number] + 0.004)
        left[number] = page.evaluate(BOX_X)
        box = [float(part) for part in card.locator(".dot").nth(number).get_attribute("data-box").split()]
        assert left[number] == pytest.approx(box[0], abs=1)
        assert card.locator(".readout").inner_text() == card.locator(".dot title").nth(number).text_content()
    assert left[20] - left[3] == pytest.approx(17 * STEP, abs=STEP)


def test_the_box_follows_the_face_between_samples_and_while_it_plays(visit: Open, films: dict[str, Picture]) -> None:
    page = visit().page
    card = clip_card(page, films["one"])
    box = [float(card.locator(".dot").nth(at).get_attribute("data-box").split()[0]) for at in (8, 9)]
    middle = sum(times(card)[8:10]) / 2
    page.evaluate("s => { document.querySelector('video').currentTime = s }", middle)
    at(page, middle)
    page.wait_for_function(f"() => Math.abs({BOX_X} - {sum(box) / 2}) < 1")
    page.evaluate("document.querySelector('video').play()")
    page.wait_for_function(f"() => {BOX_X} > {box[1] + 5 * STEP}")


def test_the_timeline_is_a_slider_by_keyboard(visit: Open, films: dict[str, Picture]) -> None:
    page = visit().page
    card = clip_card(page, films["one"])
    tab_to(page, ".timeline-chart")
    slider, moments = card.get_by_role("slider").first, times(card)
    assert re.match(r"P\(fake\) of person 1 over time, 24 samples: ", slider.get_attribute("aria-label"))
    page.keyboard.press("End")
    at(page, moments[-1] + 0.004)
    assert slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax") == str(FRAMES)
    page.keyboard.press("ArrowLeft")
    at(page, moments[-2] + 0.004)
    assert re.match(r"0:02\.2: \w+, P\(fake\) ", slider.get_attribute("aria-valuetext"))
    page.keyboard.press("Home")
    at(page, moments[0] + 0.004)
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.3")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('video').paused")
    tab_to(page, ".jump")
    page.keyboard.press("Enter")
    chosen = card.locator(".moments li.chosen")
    chosen.wait_for()
    at(page, float(chosen.get_attribute("data-time")) + 0.004)


def test_a_screen_reader_is_told_what_is_done_and_the_verdict(
    visit: Open, films: dict[str, Picture], standing: Callable[[], None]
) -> None:
    page = visit().page
    drop(page, films["one"])
    assert page.get_by_role("status").inner_text() == "Checking one.webm"
    page.get_by_text("Looking at its frames, 4 %").wait_for()
    assert violations(page) == []
    standing()
    answers(page, 1)
    assert re.match(r"one\.webm: (Real|Unsure|Fake) P\(fake\) ", page.get_by_role("status").inner_text())


def test_a_clip_is_cancelled_and_the_server_stops(
    visit: Open, films: dict[str, Picture], server: Server, standing: Callable[[], None]
) -> None:
    page = visit().page
    drop(page, films["one"], films["two"])
    page.get_by_text("Looking at its frames").wait_for()
    jobs = server.services.clips._jobs
    assert len(jobs) == 1
    card_named(page, "one.webm").get_by_role("button", name="Cancel").click()
    assert page.get_by_role("status").inner_text() == "one.webm: cancelled"
    assert card_named(page, "one.webm").count() == 0
    standing()
    answers(page, 1)
    assert card_named(page, "two.webm").locator(".verdict").count() == 1


@pytest.mark.parametrize("button", ["Cancel", "Clear"])
def test_where_nothing_waits_for_the_token_any_more_none_is_asked_for(
    visit: Open, films: dict[str, Picture], guarded_server: Server, button: str
) -> None:
    page = visit(at=guarded_server).page
    drop(page, films["moving"], films["one"])
    note = page.locator("#token-note")
    page.get_by_text("Waiting for the access token").nth(1).wait_for()
    card_named(page, "one.webm").get_by_role("button", name="Cancel").click()
    assert "Give the token" in note.inner_text()  # the picture still waits
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("() => !document.getElementById('token-note').textContent")
    drop(page, films["one"])
    page.get_by_text("Waiting for the access token").wait_for()
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_function("() => !document.getElementById('token-note').textContent")
    page.get_by_label("Access token").fill("secret")
    drop(page, films["one"])
    answers(page, 1).locator(".verdict").wait_for()


def test_the_print_of_a_clip_takes_the_page_s_whole_width(visit: Open, films: dict[str, Picture]) -> None:
    page = visit().page
    card = clip_card(page, films["one"])
    page.emulate_media(media="print")
    for part in (".head", ".people", ".body"):
        assert card.locator(part).bounding_box()["width"] > 0.9 * card.bounding_box()["width"]


def test_clips_beyond_a_rate_limit_wait_for_as_long_as_it_takes(visit: Open, films: dict[str, Picture]) -> None:
    page = visit().page
    tries: list[bool] = []

    def refuse(route: Any) -> None:
        if route.request.method != "POST" or len(tries) == 20:
            route.fallback()
            return
        tries.append(b"one.webm" in route.request.post_data_buffer)
        headers = {"Content-Type": "application/problem+json", "Retry-After": "0.05"}
        route.fulfill(status=429, headers=headers, body='{"code": "too-often", "title": "So", "detail": "It is."}')

    page.route("**/api/v1/clips", refuse)
    drop(page, films["one"], films["moving"], films["two"])
    answers(page, 3).locator(".verdict").nth(2).wait_for()
    assert all(tries)


@pytest.mark.parametrize("leave", ["goto", "clear"])
def test_a_page_that_is_left_or_cleared_frees_the_clip(
    visit: Open, films: dict[str, Picture], server: Server, standing: Callable[[], None], leave: str
) -> None:
    page = visit().page
    drop(page, films["one"])
    page.get_by_text("Looking at its frames").wait_for()
    jobs = server.services.clips._jobs
    assert jobs
    if leave == "goto":
        page.goto(server.address + "/api/v1/docs")
    else:
        page.click("#clear")
    until(lambda: not jobs)


def test_the_server_forgets_an_answer_as_soon_as_the_page_has_it(
    visit: Open, films: dict[str, Picture], server: Server
) -> None:
    clip_card(visit().page, films["one"])
    until(lambda: not server.services.clips._jobs)


def test_clips_and_pictures_are_dropped_together(
    visit: Open, films: dict[str, Picture], pictures: dict[str, Picture]
) -> None:
    page = visit().page
    drop(page, films["one"], pictures["drawn"], films["broken"], films["moving"])
    answers(page, 4)
    assert page.locator("article.clip").count() == 3
    assert "cannot be" in card_named(page, "broken.mp4").text_content()
    moving = card_named(page, "moving.gif")
    assert moving.locator("video").count() == 0
    assert "cannot be stopped at a moment" in moving.text_content()  # it may be out of view
    moving.locator(".jump").first.click()
    assert moving.locator(".moments li.chosen").count() == 1
    ids = page.locator("[id]").evaluate_all("all => all.map(each => each.id)")
    assert len(ids) == len(set(ids))
    assert sum(int(number) for number in re.findall(r"\d+", page.locator("#tally").inner_text())) == 4


def test_a_clip_that_the_browser_cannot_play_says_so_and_shows_its_key_frames(
    visit: Open, films: dict[str, Picture]
) -> None:
    page = visit().page
    drop(page, films["old"])
    card = answers(page, 1)
    card.get_by_text("This browser cannot play this clip (mp4, mpeg4)").wait_for()
    assert not card.locator(".player").is_visible()
    assert card.locator("svg.frame").first.is_visible()
    card.locator(".timeline-chart").focus()
    page.keyboard.press("End")
    assert card.locator(".readout").inner_text().startswith("0:02.3: ")
    assert violations(page) == []


def test_a_clip_that_is_too_large_is_not_even_sent(visit: Open) -> None:
    page = visit().page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    drop(page, Picture("huge.mp4", kind="video/mp4", size=100_000_001))
    assert "too large: 100.0 MB, at most 100 MB" in answers(page, 1).inner_text()
    assert not sent


def test_a_busy_server_is_asked_again(visit: Open, films: dict[str, Picture], server: Server) -> None:
    page = visit().page
    page.route(
        "**/api/v1/clips",
        lambda route: route.fulfill(
            status=429,
            headers={"Content-Type": "application/problem+json", "Retry-After": "1"},
            body='{"code": "busy", "title": "The server is busy", "detail": "So it is.", "hint": "Wait."}',
        ),
    )
    drop(page, films["one"])
    page.get_by_text("The server is busy; trying again in 1 s").wait_for()
    page.unroute("**/api/v1/clips")
    answers(page, 1).locator(".verdict").wait_for()


def test_a_server_that_is_busy_while_it_is_asked_for_an_answer_is_asked_again(
    visit: Open, films: dict[str, Picture]
) -> None:
    page = visit().page
    sent: list[str] = []
    refused: set[str] = set()

    def refuse_once(route: Any) -> None:
        kind = re.sub("[^/]{20,}", "ID", route.request.url)
        if route.request.method == "DELETE" or kind in refused:
            route.fallback()
            return
        refused.add(kind)
        route.fulfill(status=429, headers={"Retry-After": "1"}, body="Busy")

    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.route(re.compile(r"/clips/\w"), refuse_once)
    drop(page, films["one"])
    answers(page, 1).locator(".verdict").wait_for()
    assert len(refused) == 2
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (413, ["too large for what stands before the server", "Cut out the part"]),
        (502, ["The server gave no answer", "Check the network"]),
    ],
)
def test_a_refusal_by_what_stands_before_the_server_says_why(
    visit: Open, films: dict[str, Picture], status: int, words: list[str]
) -> None:
    opened = visit()
    opened.complaints_are_meant = True
    opened.page.route("**/api/v1/clips", lambda route: route.fulfill(status=status, body="<html>No.</html>"))
    drop(opened.page, films["one"])
    text = answers(opened.page, 1).inner_text()
    assert all(each in text for each in words)


def test_a_connection_that_breaks_once_loses_no_finished_answer(visit: Open, films: dict[str, Picture]) -> None:
    opened = visit()
    opened.complaints_are_meant = True
    tries: list[str] = []

    def break_once(route: Any) -> None:
        tries.append(route.request.url)
        if len(tries) == 1:
            route.abort()
        else:
            route.fallback()

    opened.page.route("**/card?**", break_once)
    drop(opened.page, films["one"])
    answers(opened.page, 1).locator(".verdict").wait_for()
    assert len(tries) == 2


def test_a_picture_that_moves_and_is_too_large_for_a_picture_is_sent_as_a_clip(visit: Open) -> None:
    page = visit().page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    drop(page, Picture("large.gif", kind="image/gif", size=25_000_001))
    assert answers(page, 1).get_attribute("data-verdict") == "unreadable"  # it is empty
    assert [url.rpartition("/")[2] for url in sent] == ["clips"]
    drop(page, Picture("huge.gif", kind="image/gif", size=100_000_001))
    assert "too large" in answers(page, 2).nth(1).inner_text()
    assert len(sent) == 1


def test_a_clip_waits_for_the_right_token(visit: Open, guarded_server: Server, films: dict[str, Picture]) -> None:
    page = visit(at=guarded_server).page
    field = page.get_by_label("Access token")
    field.fill("wrong")
    drop(page, films["one"])
    page.get_by_text("refused this token").wait_for()
    page.get_by_text("Waiting for the access token").wait_for()
    field.fill("secret")
    field.press("Enter")
    answers(page, 1).locator(".verdict").wait_for()


def test_a_clip_that_the_server_forgot_can_be_sent_again(
    visit: Open, films: dict[str, Picture], server: Server, standing: Callable[[], None]
) -> None:
    page = visit().page
    drop(page, films["one"])
    page.get_by_text("Looking at its frames").wait_for()
    jobs = server.services.clips
    jobs.end(next(iter(jobs._jobs)), "127.0.0.1")
    assert "There is no such clip." in answers(page, 1).inner_text()
    page.get_by_role("button", name="Try again").press("Enter")
    page.locator("article.pending h3:focus").wait_for()
    standing()
    page.locator("article.answer h3:focus").wait_for()


def test_the_token_goes_with_every_request(visit: Open, guarded_server: Server, films: dict[str, Picture]) -> None:
    page = visit(at=guarded_server).page
    page.get_by_label("Access token").fill("secret")
    drop(page, films["one"])
    assert answers(page, 1).locator(".verdict").count() == 1


def test_answers_of_clips_are_copied_and_saved_like_others(
    visit: Open, films: dict[str, Picture], tmp_path: Any
) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"]).page
    card = clip_card(page, films["one"])
    page.click("#copy-all")
    page.get_by_text("Copied").first.wait_for()
    text = page.evaluate("navigator.clipboard.readText()")
    assert re.match(r"Clip: one\.webm\nVerdict: ", text)
    with page.expect_download() as download:
        card.get_by_text("Download JSON").click()
    assert download.value.suggested_filename == "one-unmask.json"
    download.value.save_as(tmp_path / "one.json")
    (found,) = ClipCheckReply.model_validate_json((tmp_path / "one.json").read_bytes()).findings
    assert found.path == "one.webm"


def test_the_slider_changes_the_opacity_of_all_heatmaps(visit: Open, films: dict[str, Picture]) -> None:
    card = clip_card(visit().page, films["one"])
    card.get_by_role("slider", name="Heatmap").fill("0")
    assert {heat.get_attribute("opacity") for heat in card.locator("g.heat").all()} == {"0"}


def test_without_script_a_clip_gets_its_answer_with_key_frames(visit: Open, films: dict[str, Picture]) -> None:
    page = visit(script=False, size="phone").page
    page.set_input_files("#files", films["one"].payload)
    page.get_by_role("button", name="Check", exact=True).click()
    card = page.locator("article.clip")
    card.wait_for()  # the page asks by itself
    assert card.locator(".verdict").is_visible()
    assert card.locator("svg.frame").count() == 3
    for hidden in (".player", ".jump", ".readout", ".slider"):
        card.locator(hidden).first.wait_for(state="hidden")


def test_without_script_clips_and_pictures_go_together(
    visit: Open, films: dict[str, Picture], pictures: dict[str, Picture]
) -> None:
    # axe itself needs a browser with script, so it is the page's that is kept away.
    opened = visit(without="**/app.js")
    opened.complaints_are_meant = True
    page = opened.page
    page.set_input_files("#files", [pictures["drawn"].payload, films["one"].payload])
    page.get_by_role("button", name="Check", exact=True).click()
    page.locator("article.answer").wait_for()
    assert violations(page) == []
    page.get_by_role("link", name="See its answer").click()
    page.locator("article.clip").wait_for()
    assert violations(page) == []
