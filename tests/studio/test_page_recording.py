"""The page with a recording in it, in a real browser: dropped, heard, marked, moved through."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mido
import pytest

from ditto_music.audio import write_recording
from tests.editing.sounds import music
from tests.studio.conftest import OpenPage
from tests.studio.test_page import finished, settle

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

DROPPED = """([place, name, bytes]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
  const told = { dataTransfer, bubbles: true, cancelable: true };
  const by = (kind) => document.querySelector(place).dispatchEvent(new DragEvent(kind, told));
  return ["dragover", "drop"].every((kind) => !by(kind));
}"""


SOUNDING = """() => {
  window.sounding = new Set();
  for (const kind of [OscillatorNode, AudioBufferSourceNode]) {
    const { start } = kind.prototype;
    kind.prototype.start = function (...when) {
      sounding.add(this);
      this.addEventListener("ended", () => sounding.delete(this));
      return start.apply(this, when);
    };
  }
}"""


def drop(page: Page, place: str, file: Path) -> None:
    """Let a file fall somewhere; the browser is kept from opening it in the page's stead."""
    assert page.evaluate(DROPPED, [place, file.name, list(file.read_bytes())])


def take(folder: Path, seconds: float, name: str = "take.wav") -> Path:
    path = folder / name
    write_recording(path, music(seconds, 8_000, 1))
    return path


def tune_file(path: Path) -> None:
    file, track = mido.MidiFile(), mido.MidiTrack()
    track.append(mido.Message("note_on", note=60, velocity=64, time=0))
    track.append(mido.Message("note_off", note=60, velocity=0, time=480))
    file.tracks.append(track)
    file.save(path)


def here(page: Page, name: str = "take.wav") -> None:
    page.locator("#said", has_text=f"{name} is here").wait_for(state="attached")


def edited(page: Page, file: Path) -> None:
    page.locator(".top button", has_text="Edit").click()
    page.set_input_files("#file", file)
    here(page)


def linked(settings: dict[str, Any]) -> str:
    return "#settings=" + base64.urlsafe_b64encode(json.dumps(settings).encode()).decode()


def test_a_recording_that_was_brought_is_heard(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    edited(page, take(tmp_path, 3))
    page.locator("#hear-source").click()
    page.locator("#hear-source", has_text="Stop").wait_for()
    page.wait_for_function("+document.querySelector('#source-wave canvas').dataset.head > 0")


def test_what_was_made_is_edited(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=2, seconds=3)
    page.locator("#make").click()
    finished(page)
    page.get_by_role("button", name="Edit this").click()
    page.locator("#said", has_text="is here").wait_for(state="attached")
    name = "calm-piano-ballad-80-bpm-seed-0.wav"
    assert page.locator("#dropped").inner_text() == f"{name}: 3 s"
    page.locator("#add-region").click()
    page.locator("#make").click()
    page.locator("#command", has_text="ditto-music inpaint").wait_for()
    assert page.locator("#command").inner_text().endswith(f"-- {name}")
    page.locator("#hear-source").click()
    page.locator("#hear-source", has_text="Stop").wait_for()


def test_one_thing_is_heard_at_a_time(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    page.evaluate(SOUNDING)
    settle(page, iterations=2, seconds=6)
    page.locator("#make").click()
    finished(page)
    page.locator("#on-melody").check()
    page.locator("#melody svg").focus()
    for key in ("ArrowRight",) * 6:
        page.keyboard.press(key)
    page.keyboard.press("Space")
    page.wait_for_function("sounding.size === 0")  # the note has faded
    notes = page.get_by_role("button", name="Hear the notes")
    notes.click()
    page.wait_for_function("sounding.size === 1")
    notes.click()
    page.wait_for_function("sounding.size === 0")
    notes.click()
    page.locator("#play").click()
    page.wait_for_selector("#play[aria-label=Pause]")
    page.wait_for_function("sounding.size === 1")
    edited(page, take(tmp_path, 6))
    page.locator("#hear-source").click()
    page.locator("#hear-source", has_text="Stop").wait_for()
    assert page.locator("#play").get_attribute("aria-label") == "Play"
    page.wait_for_function("sounding.size === 1")
    page.locator(".top button", has_text="Make").click()
    page.wait_for_function("sounding.size === 0")


def test_a_file_dropped_anywhere_is_taken_in_and_never_opened(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    drop(page, "h1", take(tmp_path, 2))
    tune_file(tmp_path / "tune.mid")
    page.locator("#on-melody").check()
    drop(page, "#melody svg", tmp_path / "tune.mid")
    page.wait_for_selector("#melody .note")
    page.locator(".top button", has_text="Edit").click()
    assert page.locator("#dropped").inner_text().startswith("WAV")
    drop(page, "h1", take(tmp_path, 2))
    here(page)


def test_parts_that_a_link_marks_wait_for_the_recording(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(linked({"task": "redo", "regions": [[0.5, 1.25], [2.5, 9]]}))
    edited(page, take(tmp_path, 3))
    assert page.locator("#regions li").count() == 1  # the other lies beyond its end
    assert page.get_by_label("Part 1 begins").input_value() == "0.5"
    assert page.get_by_label("Part 1 ends").input_value() == "1.25"
    page.set_input_files("#file", take(tmp_path, 2))
    page.wait_for_function("document.querySelector('#dropped').textContent.includes('2 s')")
    assert page.locator("#regions li").count() == 0


def test_settings_of_an_edit_bring_their_recording_back(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    edited(page, take(tmp_path, 3))
    page.locator("#add-region").click()
    settle(page, iterations=2)
    page.locator("#make").click()
    finished(page)
    assert "take.wav" in page.locator("#history").inner_text()
    page.set_input_files("#file", take(tmp_path, 4, "drums.wav"))
    here(page, "drums.wav")
    assert page.locator("#regions li").count() == 0
    page.locator("#history button", has_text="Settings").click()
    here(page)
    assert page.locator("#dropped").inner_text() == "take.wav: 3 s"
    assert page.get_by_label("Part 1 begins").input_value() == "1.2"


def test_settings_of_a_recording_that_is_not_here_mark_no_other(
    open_page: OpenPage, tmp_path: Path
) -> None:
    marked = {"task": "redo", "recording_name": "take.wav", "regions": [[0.5, 1.25]]}
    page = open_page(linked(marked))
    told = page.locator("#error", has_text="These settings are of take.wav: drop it here")
    told.wait_for()
    page.set_input_files("#file", take(tmp_path, 4, "drums.wav"))
    here(page, "drums.wav")
    told.wait_for()
    assert page.locator("#regions li").count() == 0
    page.set_input_files("#file", take(tmp_path, 3))
    here(page)
    told.wait_for(state="hidden")
    assert page.get_by_label("Part 1 begins").input_value() == "0.5"


def test_the_place_that_is_heard_is_moved_by_keys(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    edited(page, take(tmp_path, 3))
    place = page.get_by_role("slider", name="recording")
    place.focus()
    for key, seconds in (("ArrowRight", 0.5), ("ArrowUp", 1), ("ArrowLeft", 0.5), ("End", 3)):
        page.keyboard.press(key)
        assert float(place.get_attribute("aria-valuenow") or "nan") == seconds
    assert place.get_attribute("aria-valuemax") == "3"
    assert place.get_attribute("aria-valuetext") == "3 of 3 seconds"
    page.keyboard.press("Home")
    assert place.get_attribute("aria-valuenow") == "0"


def test_a_bad_file_leaves_the_recording_and_its_name(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    edited(page, take(tmp_path, 3))
    (tmp_path / "bad.wav").write_bytes(b"RIFF" + bytes(100))
    page.set_input_files("#file", tmp_path / "bad.wav")
    page.locator("#error", has_text="bad.wav").wait_for()
    assert page.locator("#dropped").inner_text() == "take.wav: 3 s"


def marked(page: Page) -> list[list[float]]:
    numbers = page.locator("#regions input").evaluate_all("all => all.map((one) => +one.value)")
    return [numbers[i : i + 2] for i in range(0, len(numbers), 2)]


def test_parts_that_are_added_lie_where_none_is(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    edited(page, take(tmp_path, 3))
    for _ in range(4):
        page.locator("#add-region").click()
    parts = sorted(marked(page))
    assert len(parts) == 4
    assert all(start < stop for start, stop in parts)
    assert all(a[1] < b[0] for a, b in pairwise(parts))
    while page.locator("#error").inner_text() == "":
        page.locator("#add-region").click()
    assert "no room" in page.locator("#error").inner_text()


def test_numbers_of_a_part_are_put_in_order_and_within_the_recording(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    edited(page, take(tmp_path, 3))
    page.locator("#add-region").click()
    page.get_by_label("Part 1 begins").fill("2.5")
    page.get_by_label("Part 1 ends").focus()
    assert marked(page) == [[2.5, 1.8]]  # the other number may be on its way
    page.locator("#seed").focus()
    assert marked(page) == [[1.8, 2.5]]
    page.get_by_label("Part 1 ends").fill("999")
    page.locator("#seed").focus()
    assert marked(page) == [[1.8, 3]]
