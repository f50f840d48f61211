"""axe-core (Deque) on every page and state: no violation."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.web.conftest import LOOKS, Open, Picture
from tests.web.test_page import answers, drop
from unmask.serve import Server

pytestmark = pytest.mark.browser


@cache
def axe() -> str:
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Any) -> list[str]:
    page.evaluate(axe())
    found = page.evaluate("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations")
    return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_the_empty_page_has_no_violation(visit: Open, size: str, scheme: str) -> None:
    assert violations(visit(size=size, scheme=scheme).page) == []


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_the_page_with_every_kind_of_answer_has_no_violation(
    visit: Open, pictures: dict[str, Picture], size: str, scheme: str
) -> None:
    page = visit(size=size, scheme=scheme).page
    drop(page, pictures["drawn"], pictures["broken"], pictures["text"], Picture("huge.jpg", size=25_100_001))
    page.click("button[value=two-faces]")
    answers(page, 5)
    page.locator("details summary").first.click()
    page.locator("a.face").first.click()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_verdict_s_colours_have_contrast(visit: Open, scheme: str) -> None:
    page = visit(scheme=scheme).page
    page.click("button[value=portrait]")
    answers(page, 1)
    for verdict in ("real", "unsure", "fake"):
        page.evaluate(
            """verdict => {
              for (const mark of document.querySelectorAll(".answer .real, .answer .unsure, .answer .fake"))
                if (!mark.closest(".zones, .gauge"))
                  for (const word of ["real", "unsure", "fake"]) mark.classList.toggle(word, word === verdict);
            }""",
            verdict,
        )
        assert (verdict, violations(page)) == (verdict, [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_at_work_has_no_violation(visit: Open, pictures: dict[str, Picture], scheme: str) -> None:
    opened = visit(scheme=scheme)
    page = opened.page
    waiting: list[Any] = []
    page.route("**/card", lambda route: waiting.append(route))
    drop(page, pictures["drawn"], pictures["blended"], pictures["broken"])
    page.locator("article.pending").nth(2).wait_for()
    assert violations(page) == []
    for route in waiting:
        route.abort()
    page.unroute("**/card")
    opened.complaints_are_meant = True


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_the_docs_page_has_no_violation(visit: Open, size: str, scheme: str) -> None:
    assert violations(visit("/api/v1/docs", size=size, scheme=scheme).page) == []


def test_the_page_without_script_has_no_violation(visit: Open, pictures: dict[str, Picture]) -> None:
    # axe itself needs a browser with script, so it is the page's that is kept away.
    opened = visit(without="**/app.js")
    opened.complaints_are_meant = True
    opened.page.click("button[value=two-faces]")
    opened.page.locator("article.answer").wait_for()
    opened.page.locator("#copy-all").wait_for(state="hidden")  # by the style sheet, which may come after the answer
    assert violations(opened.page) == []


def test_the_page_that_asks_for_a_token_has_no_violation(visit: Open, guarded_server: Server) -> None:
    page = visit(at=guarded_server).page
    page.click("button[value=portrait]")
    page.get_by_text("Give the token").wait_for()
    assert violations(page) == []


def test_a_wrong_address_has_no_violation(visit: Open) -> None:
    assert violations(visit("/nothing").page) == []
