"""What the page says and does when something is not as it should be, in a real browser."""

from __future__ import annotations

import pytest

from tests.studio.conftest import OpenPage
from tests.studio.test_page import finished, settle
from tests.studio.test_page_recording import linked

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "link",
    [
        linked({"notes": 5}),
        linked({"task": "sing"}),
        linked({"intensity": []}),
        linked({"brightness": [[0, "low"], [6, "high"]]}),
        "#settings=none",
    ],
)
def test_a_damaged_link_is_told_and_the_page_works(open_page: OpenPage, link: str) -> None:
    page = open_page(link)
    assert page.locator("#error").inner_text() == "The link is damaged"
    page.locator("#prompt").fill("piano")
    settle(page, iterations=5, seconds=2)
    page.locator("#make").click()
    finished(page)


def test_a_silent_studio_is_told_until_it_answers_again(open_page: OpenPage) -> None:
    page = open_page()
    page.route("**/events", lambda route: route.abort("connectionrefused"))
    page.reload()
    page.wait_for_selector("#studio[data-ready]")
    page.locator("#error", has_text="does not answer").wait_for(timeout=15_000)
    page.unroute("**/events")
    page.locator("#error").wait_for(state="hidden")
