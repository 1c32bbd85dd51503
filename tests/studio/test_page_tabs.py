"""Pages that are loaded again, left, many, or forgotten by the studio, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.studio.conftest import OpenPage
from tests.studio.test_page import downloaded, finished, levels, settle, tab_of
from tests.studio.test_page_recording import edited, take

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from ditto_music.studio.server import Studio

pytestmark = pytest.mark.slow


TOLD = "(all, name) => all.map((one) => one.getAttribute(name))"


def ready(page: Page) -> None:
    page.wait_for_selector("#studio[data-ready]")
    page.wait_for_selector("#studio-place #studio")


def test_what_is_drawn_for_controls_that_are_off_outlives_a_reload(open_page: OpenPage) -> None:
    page = open_page()

    def drawn() -> list[str]:
        told = dict.fromkeys(("#intensity .handle", "#brightness .handle"), "aria-valuetext")
        told |= {"#melody .note": "y"}
        shown = [str(page.locator(part).evaluate_all(TOLD, name)) for part, name in told.items()]
        shown += [page.locator(name).input_value() for name in ("#style", "#tempo")]
        return [*shown, page.locator("#form .blocks").inner_text()]

    settle(page, iterations=5, seconds=4)
    names = ("intensity", "brightness", "melody", "form", "style", "tempo")
    for name in names:
        page.locator(f"#on-{name}").check()
    page.locator("#melody svg").click(position={"x": 150, "y": 100})
    page.locator("#intensity button", has_text="Arch").click()
    page.locator("#brightness button", has_text="Closes").click()
    page.locator("#form button", has_text="ABAB").click()
    page.locator("#style").fill("strings")
    page.locator("#tempo").fill("133")
    for name in names:
        if name != "form":
            page.locator(f"#on-{name}").uncheck()
    before = drawn()
    assert "[]" not in before
    page.reload()
    ready(page)
    assert drawn() == before
    on = [name for name in names if page.locator(f"#on-{name}").is_checked()]
    assert on == ["form"]


def test_a_reload_and_the_way_back_lose_nothing(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    edited(page, take(tmp_path, 3))
    page.locator("#add-region").click()
    page.locator(".top button", has_text="Make").click()
    settle(page, iterations=5, seconds=2)
    page.locator("#make").click()
    finished(page)
    page.locator("#prompt").fill("my own words")
    page.locator("#on-tempo").check()
    page.locator("#tempo").fill("150")
    page.locator("#iterations").fill("150")
    page.locator("#make").click()
    page.wait_for_selector('[data-version="draft"]')
    page.reload()
    ready(page)
    assert page.locator("#prompt").input_value() == "my own words"
    assert page.locator("#tempo").input_value() == "150"
    assert page.locator("#on-tempo").is_checked()
    assert page.locator("#duration").input_value() == "2"
    page.wait_for_selector('[data-version="draft"]')
    assert page.locator("#history li").count() == 2
    page.locator("#stop").click()
    finished(page)
    page.goto("about:blank")
    page.go_back()
    ready(page)
    finished(page)
    assert len(levels(downloaded(page, "audio"))) > 0
    assert page.locator("#history button", has_text="Hear").count() == 2
    page.locator(".top button", has_text="Edit").click()
    assert page.locator("#regions li").count() == 1
    page.locator("#hear-source").click()
    page.locator("#hear-source", has_text="Stop").wait_for()


def test_who_is_forgotten_keeps_what_is_loaded_and_goes_on(
    open_page: OpenPage, studio: Studio
) -> None:
    page = open_page()
    settle(page, iterations=5, seconds=2)
    page.locator("#make").click()
    finished(page)
    studio.desk.leave(tab_of(page, studio))
    page.locator("#error", has_text="downloads are gone").wait_for()
    assert page.locator("#downloads a").count() == 0
    assert "no longer in the studio" in page.locator("#history").inner_text()
    page.locator("#play").click()
    page.wait_for_selector("#play[aria-label=Pause]")
    page.locator("#play").click()
    page.locator("#make").click()
    finished(page)
    assert page.locator("#history li").count() == 2


def test_many_pages_of_one_browser_are_served(open_page: OpenPage) -> None:
    first = open_page()
    pages = [first]
    for _ in range(7):
        page = first.context.new_page()
        page.goto(first.url)
        ready(page)
        pages.append(page)
    for page in (first, pages[-1]):
        settle(page, iterations=2, seconds=2)
        page.locator("#make").click()
    for page in (first, pages[-1]):
        finished(page)
