"""Several pieces of one page: which is told of, which is heard, what was wrong with one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.studio.conftest import OpenPage
from tests.studio.test_page import finished, settle

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow


def press(page: Page, pieces: int) -> None:
    """Make one, which is that many then."""
    page.locator("#make").click()
    page.locator(f"#history li:nth-child({pieces})").wait_for()


def test_the_oldest_is_followed_once_the_newest_is_taken_back(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=150, seconds=2)
    for pieces in (1, 2, 3):
        press(page, pieces)
    page.locator("#make").click()
    page.locator("#error", has_text="3 of your pieces wait already").wait_for()
    stop = page.locator("#stop")
    stop.filter(has_text="Do not make it").click()
    stop.filter(has_text="keep the best").wait_for()
    page.locator("#error").wait_for(state="hidden")  # there is room now
    page.wait_for_selector('[data-version="draft"]')
    assert page.locator("#told").inner_text()
    stop.click()
    finished(page)
    page.locator("#stop", has_text="keep the best").click()
    page.locator("#history button", has_text="Hear").nth(1).wait_for()


def test_what_is_heard_goes_on_while_another_is_made(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=5, seconds=2)
    page.locator("#make").click()
    finished(page)
    page.locator("#repeat").check()
    page.locator("#play").click()
    page.locator("#seed").fill("7")
    press(page, 2)
    page.locator("#history button", has_text="Hear").nth(1).wait_for()
    page.wait_for_timeout(1000)
    assert page.locator("#play").get_attribute("aria-label") == "Pause"
    assert "--seed" not in page.locator("#command").inner_text()
    page.locator("#play").click()
    page.locator("#command", has_text="--seed=7").wait_for()
    page.locator("#history button", has_text="Hear").nth(1).click()
    page.wait_for_selector("#play[aria-label=Pause]")
    assert "--seed" not in page.locator("#command").inner_text()


def test_what_was_wrong_with_a_piece_is_told_until_the_next_is_done(open_page: OpenPage) -> None:
    def late(route: Route) -> None:
        answer = route.fetch()
        time.sleep(2)
        route.fulfill(response=answer)

    page = open_page()
    settle(page, iterations=5, seconds=2)
    page.locator("#on-tempo").check()
    page.locator("#tempo").fill("60")
    page.locator("#make").click()
    page.locator("#error", has_text="tempo: 4 beats").wait_for()
    page.locator("#on-tempo").uncheck()
    page.route("**/pieces", late)  # its news arrives before the answer
    page.locator("#make").click()
    finished(page)
    page.wait_for_timeout(1000)
    assert page.locator("#error").inner_text() == ""
    assert "did not work, tempo: 4 beats" in page.locator("#history").inner_text()
