"""What the page says and does when something is not as it should be, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ditto_music.editing import extend
from tests.studio.conftest import OpenPage
from tests.studio.test_page import finished, settle
from tests.studio.test_page_recording import edited, linked, take

pytestmark = pytest.mark.slow

ASKED = """() => {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  window.given = [];
  navigator.mediaDevices.getUserMedia = async (what) => {
    const stream = await ask(what);
    given.push(...stream.getTracks());
    await new Promise((go) => setTimeout(go, 500));
    return stream;
  };
}"""


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
    news = re.compile(r"/studio/tabs/[^/]+$")
    page.route(news, lambda route: route.abort("connectionrefused"))
    page.locator("#error", has_text="does not answer").wait_for(timeout=15_000)
    page.unroute(news)
    page.locator("#error").wait_for(state="hidden")


def test_an_edit_that_broke_off_is_not_called_finished(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = extend.fill

    def once(*args: Any, seed: int, **kwargs: Any) -> Any:
        if seed == 1:
            raise FloatingPointError("the loss was never a finite number")
        return fill(*args, seed=seed, **kwargs)

    monkeypatch.setattr(extend, "fill", once)
    page = open_page()
    edited(page, take(tmp_path, 2))
    settle(page, iterations=5)
    page.locator("input[value=continue]").check()
    page.locator("#seconds").fill("12")
    page.locator("#make").click()
    finished(page)
    told = page.locator("#said")
    told.filter(has_text="never a finite number").wait_for(state="attached")
    assert told.inner_text().startswith("Not whole: ")
    assert "not whole" in page.locator("#history").inner_text()


def test_the_microphone_is_asked_for_once(open_page: OpenPage) -> None:
    page = open_page(permissions=["microphone"])
    page.evaluate(ASKED)
    page.locator("#on-melody").check()
    page.get_by_role("button", name="Hum it").dblclick()
    page.get_by_role("button", name="Stop humming").wait_for()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Stop humming").click()
    assert page.evaluate("given.map((track) => track.readyState)") == ["ended"]


def test_a_microphone_that_cannot_be_heard_is_given_back(open_page: OpenPage) -> None:
    page = open_page(permissions=["microphone"])
    page.evaluate(ASKED)
    page.evaluate("() => { AudioWorklet.prototype.addModule = () => Promise.reject(Error('no')); }")
    page.locator("#on-melody").check()
    page.get_by_role("button", name="Hum it").click()
    page.locator("#error:not(:empty)").wait_for()
    assert page.evaluate("given.map((track) => track.readyState)") == ["ended"]
