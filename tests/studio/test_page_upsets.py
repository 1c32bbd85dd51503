"""What the page says and does when something is not as it should be, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ditto_music.editing import extend
from tests.studio.conftest import OpenPage
from tests.studio.test_page import finished, settle
from tests.studio.test_page_recording import edited, linked, take, tune_file

pytestmark = pytest.mark.slow

BLOCKED = """for (const name of ["localStorage", "sessionStorage"]) {
  const get = () => { throw new DOMException("denied", "SecurityError"); };
  Object.defineProperty(window, name, { get });
}"""

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


def test_a_browser_that_keeps_nothing_for_pages_has_a_page_that_works(open_page: OpenPage) -> None:
    """As with site data blocked: even to ask for the storage is refused."""
    page = open_page(before=BLOCKED)
    page.locator("#theme").click()
    page.locator("#prompt").fill("piano")
    settle(page, iterations=5, seconds=2)
    page.locator("#make").click()
    finished(page)
    page.reload()
    page.wait_for_selector("#studio[data-ready]")


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


def test_a_bad_tune_is_told_in_view_and_in_red_until_a_good_one_comes(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(viewport={"width": 768, "height": 1024})
    page.locator("#on-melody").check()
    (tmp_path / "bad.mid").write_bytes(b"MThd and no more")
    tune_file(tmp_path / "good.mid")
    page.set_input_files("#tune-file", tmp_path / "bad.mid")
    told = page.locator("#error")
    told.filter(has_text="bad.mid").wait_for()
    place = told.bounding_box()
    assert place
    assert place["y"] + place["height"] <= 1024
    red = "getComputedStyle(document.documentElement).getPropertyValue('--bad')"
    assert page.evaluate(red) == "#a81e1e"
    assert told.evaluate("(one) => getComputedStyle(one).color") == "rgb(168, 30, 30)"
    page.set_input_files("#tune-file", tmp_path / "good.mid")
    page.wait_for_selector("#melody .note")
    assert told.inner_text() == ""


@pytest.mark.parametrize(("name", "lacks"), [("melody", "no notes"), ("style", "no words")])
def test_a_control_that_is_on_but_empty_is_told_and_nothing_is_sent(
    open_page: OpenPage, name: str, lacks: str
) -> None:
    page = open_page()
    page.locator(f"#on-{name}").check()
    page.locator("#make").click()
    assert page.locator("#error").inner_text() == f"{name.capitalize()} is on but has {lacks}"
    assert page.evaluate(f"document.querySelector('#c-{name}').contains(document.activeElement)")
    assert page.locator("#history li").count() == 0


def test_a_prompt_of_two_lines_is_one(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=2, seconds=2)
    page.locator("#prompt").fill("calm piano\n  and a flute")
    page.locator("#make").click()
    finished(page)
    assert "'calm piano and a flute'" in page.locator("#command").inner_text()


def test_a_damaged_settings_file_changes_nothing(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    kept = {"prompt": "a flute", "seed": 5, "notes": [[0, 1]]}
    (tmp_path / "kept.json").write_text(json.dumps(kept))
    page.set_input_files("#load", tmp_path / "kept.json")
    page.locator("#error", has_text="These are no settings").wait_for()
    assert page.locator("#prompt").input_value() == "calm piano ballad, 80 bpm"
    (tmp_path / "kept.json").write_text(json.dumps(kept | {"notes": [[0, 1, 60]]}))
    page.set_input_files("#load", tmp_path / "kept.json")
    page.wait_for_selector("#melody .note")
    assert page.locator("#prompt").input_value() == "a flute"
    assert page.locator("#error").inner_text() == ""


def test_numbers_that_are_too_large_are_seen_to_be_less(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    for given, taken in (("-5", "0"), ("1.7", "1"), ("12", "12")):
        page.locator("#seed").fill(given)
        page.locator("#prompt").focus()
        assert page.locator("#seed").input_value() == taken
    edited(page, take(tmp_path, 2))
    page.locator("input[value=continue]").check()
    page.locator("#seconds").fill("500")
    page.locator("#prompt").focus()
    most = page.locator("#seconds").get_attribute("max")
    assert page.locator("#seconds").input_value() == most
