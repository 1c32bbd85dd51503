"""What is drawn on the page is what is asked for, by mouse, finger and keys, in a real browser."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.studio.conftest import OpenPage
from tests.studio.test_page import PHONE

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 20  # pixels around a curve
STEPS = 12  # of a pointer between two places


def box(page: Page, selector: str) -> tuple[float, float, float, float]:
    page.locator(selector).scroll_into_view_if_needed()
    found = page.locator(selector).bounding_box()
    assert found
    return found["x"], found["y"], found["width"], found["height"]


def drag(page: Page, *places: tuple[float, float]) -> None:
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=STEPS)
    page.mouse.up()


def centre(page: Page, index: int) -> tuple[float, float]:
    x, y, width, height = box(page, f"#intensity [data-index='{index}']")
    return x + width / 2, y + height / 2


def points(page: Page) -> list[tuple[float, float]]:
    """Seconds and decibels, as told to those who listen."""
    told = page.locator("#intensity .handle").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-valuetext'))"
    )
    words = [text.split() for text in told]
    return [(float(one[3]), float(one[0])) for one in words]


@pytest.mark.parametrize("begins", ["on the first handle", "beside it", "at the other end"])
def test_an_arch_that_is_drawn_is_the_curve(open_page: OpenPage, begins: str) -> None:
    page = open_page()
    left, top, width, height = box(page, "#intensity svg")
    middle = (left + LEFT + (width - LEFT - RIGHT) / 2, top + TOP + 20)
    first = {
        "on the first handle": centre(page, 0),
        "beside it": (left + LEFT + 14, top + height - BOTTOM - 30),
        "at the other end": centre(page, 1),
    }[begins]
    beyond = width - RIGHT - 14 if begins != "at the other end" else LEFT + 14
    last = (left + beyond, top + height - BOTTOM - 30)
    drag(page, first, middle, last)
    path = sorted([first, middle, last])
    times = np.array([x - left - LEFT for x, _ in path]) / (width - LEFT - RIGHT) * 6
    levels = -60 + 60 * (top + height - BOTTOM - np.array([y for _, y in path])) / 160
    drawn = points(page)
    assert [drawn[0][0], drawn[-1][0]] == [0, 6]
    for at in np.linspace(0.05, 5.95, 20):
        got = np.interp(at, *zip(*drawn, strict=True))
        assert got == pytest.approx(np.interp(at, times, levels), abs=3), drawn


def test_the_ends_of_a_curve_keep_their_time(open_page: OpenPage) -> None:
    page = open_page()
    x, y = centre(page, 0)
    drag(page, (x, y), (x + 10, y - 40))
    assert len(points(page)) == 2
    assert points(page)[0][0] == 0
    assert points(page)[0][1] == pytest.approx(-21, abs=1)
    page.locator("#intensity .handle").last.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    assert points(page)[1] == (6, -15)


SOUNDS = """window.sounds = 0;
const start = AudioScheduledSourceNode.prototype.start;
AudioScheduledSourceNode.prototype.start = function (...when) {
  window.sounds += 1;
  return start.apply(this, when);
};
"""


def swipe(page: Page, *places: tuple[float, float]) -> None:
    """A finger that goes from place to place."""
    line = page.context.new_cdp_session(page)

    def touch(kind: str, *at: tuple[float, float]) -> None:
        told = [{"x": x, "y": y} for x, y in at]
        line.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    touch("touchStart", places[0])
    for a, b in pairwise(places):
        for share in np.linspace(0, 1, STEPS):
            touch("touchMove", (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
            page.wait_for_timeout(10)
    touch("touchEnd")


def test_a_finger_that_scrolls_draws_nothing_and_sounds_nothing(open_page: OpenPage) -> None:
    page = open_page(before=SOUNDS, **PHONE)
    page.locator("#on-melody").check()
    before = points(page)
    for place in ("#intensity svg", "#melody svg"):
        x, y, width, height = box(page, place)
        scrolled = page.evaluate("scrollY")
        middle = x + width / 2
        swipe(page, (middle, y + height / 2), (middle, y + height / 2 - 120))
        page.wait_for_timeout(500)
        assert abs(page.evaluate("scrollY") - scrolled) > 50
    assert points(page) == before
    assert page.locator("#melody .note").count() == 0
    assert page.evaluate("sounds") == 0
    page.locator("#melody svg").tap()
    assert page.evaluate("sounds") > 0


def test_a_finger_draws_and_undo_takes_it_back(open_page: OpenPage) -> None:
    page = open_page(**PHONE)
    before = points(page)
    x, y, width, height = box(page, "#intensity svg")
    across = [(x + 60, y + height - 40), (x + width / 2, y + 40), (x + width - 15, y + height - 40)]
    swipe(page, *across)
    assert len(points(page)) > 2
    page.locator("#intensity").get_by_role("button", name="Undo").tap()
    assert points(page) == before


def test_each_step_of_a_curve_and_of_notes_is_undone(open_page: OpenPage) -> None:
    page = open_page()
    steps = [points(page)]
    page.locator("#intensity .handle").first.focus()
    page.keyboard.press("ArrowUp")
    steps.append(points(page))
    page.locator("#intensity").get_by_role("button", name="Arch").click()
    steps.append(points(page))
    x, y = centre(page, 1)
    drag(page, (x, y), (x + 30, y + 30))
    undo = page.locator("#intensity").get_by_role("button", name="Undo")
    for step in reversed(steps):
        undo.click()
        assert points(page) == step
    assert undo.get_attribute("aria-disabled") == "true"
    page.locator("#on-melody").check()
    page.locator("#melody svg").focus()
    for key in ("Space", "Shift+ArrowRight"):
        page.keyboard.press(key)
    page.locator("#melody").get_by_role("button", name="Clear").click()
    undo = page.locator("#melody").get_by_role("button", name="Undo")
    undo.click()
    wide = box(page, "#melody .note")[2]
    undo.click()
    assert box(page, "#melody .note")[2] == pytest.approx(wide / 2, rel=0.1)
    undo.click()
    assert page.locator("#melody .note").count() == 0


def test_two_clicks_or_delete_take_a_point_away_but_no_end(open_page: OpenPage) -> None:
    page = open_page()
    arch = page.locator("#intensity").get_by_role("button", name="Arch")
    arch.click()
    page.mouse.dblclick(*centre(page, 1))
    assert [time for time, _ in points(page)] == [0, 6]
    page.mouse.dblclick(*centre(page, 0))
    assert len(points(page)) == 2
    arch.click()
    page.locator("#intensity .handle").nth(1).focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    assert [time for time, _ in points(page)] == [0, 6]
    x, y = centre(page, 1)
    drag(page, (x, y), (x, y - 20))
    drag(page, (x, y - 20), (x, y - 30))  # at once, and yet no double click
    assert points(page)[1][1] == pytest.approx(-25, abs=1)


def lengths(page: Page) -> list[float]:
    told = page.locator("#form .blocks small").all_inner_texts()
    return [float(one.removesuffix(" s")) for one in told]


def test_an_edge_of_short_parts_goes_the_way_it_is_dragged(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#duration").fill("2.5")
    page.locator("#on-form").check()
    x, y, width, height = box(page, "#form .edge >> nth=0")
    drag(page, (x + width / 2, y + height / 2), (x + width / 2 + 60, y + height / 2))
    assert lengths(page)[0] == pytest.approx(0.75, abs=0.06)  # the other at its least
    x, y, width, height = box(page, "#form .edge >> nth=0")
    drag(page, (x + width / 2, y + height / 2), (x - 300, y + height / 2))
    assert lengths(page)[0] == 0.5


@pytest.mark.parametrize("width", [360, 1280])
def test_twenty_parts_fit_into_their_card(open_page: OpenPage, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    page.locator("#duration").fill("24")
    page.locator("#on-form").check()
    for _ in range(16):
        page.get_by_role("button", name="One part more").click()
    card = page.locator("#c-form").bounding_box()
    assert card
    for button in page.locator("#form button").all():
        place = button.bounding_box()
        assert place
        assert place["width"] > 24
        assert card["x"] < place["x"]
        assert place["x"] + place["width"] < card["x"] + card["width"]
