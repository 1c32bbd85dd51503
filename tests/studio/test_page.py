"""The page in a real browser: what a musician does, and what must not happen meanwhile."""

from __future__ import annotations

import io
import json
import re
import shlex
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch

from ditto_music.audio import Recording, read_recording, write_recording
from ditto_music.cli.app import app
from ditto_music.features import intensity
from ditto_music.studio.desk import _Listener
from tests.editing.sounds import music
from tests.studio.conftest import LIMITS, OpenPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from ditto_music.studio.desk import Tab
    from ditto_music.studio.server import Studio

pytestmark = pytest.mark.slow

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SERIOUS = ("serious", "critical")


def draw(page: Page, selector: str, path: list[tuple[float, float]]) -> None:
    """Press, move along (x, y) shares of an element, let go."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in path]
    page.mouse.move(*places[0])
    page.mouse.down()
    for x, y in places[1:]:
        page.mouse.move(x, y, steps=8)
    page.mouse.up()


def settle(page: Page, *, iterations: int, seconds: float | None = None) -> None:
    """Short work for a test."""
    page.locator("summary", has_text="Finer settings").click()
    page.locator("#iterations").fill(str(iterations))
    if seconds:
        page.locator("#duration").fill(str(seconds))


def finished(page: Page, seconds: float = 120) -> None:
    page.wait_for_selector('[data-kind="audio"]', timeout=1000 * seconds)


def tab_of(page: Page, studio: Studio) -> Tab:
    """What the studio has of a page."""
    tab = studio.desk.tab(page.evaluate("JSON.parse(sessionStorage['ditto-page']).tab"))
    assert tab
    return tab


def downloaded(page: Page, kind: str) -> bytes:
    with page.expect_download() as download:
        page.locator(f'[data-kind="{kind}"]').click()
    return Path(download.value.path()).read_bytes()


def levels(wav: bytes) -> torch.Tensor:
    """Intensity (F,) in dBFS."""
    audio, rate = soundfile.read(io.BytesIO(wav), dtype="float32", always_2d=True)
    return intensity(torch.from_numpy(audio.T.mean(0, keepdims=True)), rate)[0]


def correlation(a: torch.Tensor) -> float:
    """With a straight rise."""
    return float(torch.corrcoef(torch.stack([a, torch.linspace(0, 1, len(a))]))[0, 1])


def test_a_drawn_rise_is_in_the_file_that_is_downloaded(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, shown = _Listener.__call__, threading.Event()

    def lingering(self: _Listener, *iteration: Any) -> bool:
        ends = told(self, *iteration)
        if self.ticket.draft:  # a fast machine would be done before the page shows the draft
            shown.wait(60)
        return ends

    monkeypatch.setattr(_Listener, "__call__", lingering)
    page = open_page()
    settle(page, iterations=20, seconds=2)
    draw(page, "#intensity svg", [(0.12, 0.75), (0.95, 0.35)])
    page.locator("#shape-only").check()
    page.locator("#make").click()
    page.wait_for_selector('[data-version="draft"]')  # something to hear before it is done
    shown.set()
    finished(page)
    music = levels(downloaded(page, "audio"))
    page.locator('[data-version="plain"]').click()
    plain = page.request.get(
        page.evaluate("document.querySelector('[data-kind=audio]').href").replace(
            "/audio?download", "/plain"
        )
    )
    rise, alone = correlation(music), correlation(levels(plain.body()))
    assert rise > 0.8
    assert rise > alone + 0.2
    assert page.locator('[data-panel="intensity"] canvas').count() == 1
    assert json.loads(downloaded(page, "report"))["controls"]["intensity"]["correlation"] > 0.8
    assert downloaded(page, "plot").startswith(b"\x89PNG")
    assert downloaded(page, "run").startswith(b"PK")


def test_the_embedded_model_follows_a_drawn_rise(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=25, seconds=3)
    page.locator("#model").select_option("ditto-small")
    draw(page, "#intensity svg", [(0.12, 0.6), (0.95, 0.25)])
    page.locator("#make").click()
    finished(page, 1200)
    heard = levels(downloaded(page, "audio"))
    third = len(heard) // 3
    assert float(heard[-third:].mean() - heard[:third].mean()) > 8


def test_stopped_midway_it_keeps_what_it_has(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=150, seconds=2)
    page.locator("#make").click()
    page.wait_for_selector('[data-version="draft"]')
    page.locator("#stop").click()
    finished(page)
    report = json.loads(downloaded(page, "report"))
    assert report["stopped"] == "interrupted"
    assert 1 <= report["iterations"] < 150
    assert len(levels(downloaded(page, "audio"))) > 0
    assert "stopped" in page.locator("#figures").inner_text()


def test_redoing_a_part_leaves_the_rest_bit_for_bit(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = music(4, 22_050, 2)
    write_recording(tmp_path / "take.wav", source)
    page = open_page()
    page.locator(".top button", has_text="Edit").click()
    page.set_input_files("#file", tmp_path / "take.wav")
    page.wait_for_function("document.querySelector('#dropped').textContent.includes('4 s')")
    settle(page, iterations=5)
    told = _Listener.__call__
    monkeypatch.setattr(_Listener, "__call__", lambda *a: (time.sleep(0.5), told(*a))[1])
    draw(page, "#source-wave canvas", [(0.4, 0.5), (0.6, 0.5)])
    start = float(page.get_by_label("Part 1 begins").input_value())
    stop = float(page.get_by_label("Part 1 ends").input_value())
    assert start == pytest.approx(1.6, abs=0.05)
    assert stop == pytest.approx(2.4, abs=0.05)
    page.locator("#make").click()
    page.wait_for_selector('[data-version="plain"]')
    assert page.locator("#figures li").count() == 0  # it is still being made
    draft = page.locator('[data-version="draft"]')
    assert draft.inner_text() == f"So far, around {start:.1f} s"
    assert page.locator('[data-version="plain"]').inner_text() == "Before"
    finished(page)
    (tmp_path / "made.wav").write_bytes(downloaded(page, "audio"))
    made = read_recording(tmp_path / "made.wav")
    first, last = round(start * 22_050), round(stop * 22_050)
    assert made.samples.shape == source.samples.shape
    assert np.array_equal(made.samples[:first], source.samples[:first])
    assert np.array_equal(made.samples[last:], source.samples[last:])
    assert not np.array_equal(made.samples[first:last], source.samples[first:last])
    page.locator("#seams button").first.click()
    page.wait_for_selector("#play[aria-label=Pause]")


def test_what_the_browser_cannot_play_is_downloaded_all_the_same(
    open_page: OpenPage, tmp_path: Path
) -> None:
    source = Recording.of(music(3, 22_050, 1).audio(), 22_050, "DOUBLE")
    write_recording(tmp_path / "take.wav", source)
    page = open_page()
    page.locator(".top button", has_text="Edit").click()
    page.set_input_files("#file", tmp_path / "take.wav")
    page.wait_for_function("document.querySelector('#dropped').textContent.includes('3 s')")
    assert "cannot play" in page.locator("#said").inner_text()
    settle(page, iterations=2)
    page.locator("#add-region").click()
    page.locator("#make").click()
    finished(page)
    assert "cannot play" in page.locator("#unheard").inner_text()
    assert page.locator("#figures li").count()
    assert not page.locator("#play").is_visible()
    (tmp_path / "made.wav").write_bytes(downloaded(page, "audio"))
    made = read_recording(tmp_path / "made.wav")
    assert made.subtype == "DOUBLE"
    assert np.array_equal(made.samples[:22_050], source.samples[:22_050])


def test_a_broken_file_and_a_long_one_are_told_in_one_line(
    open_page: OpenPage, tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF" + bytes(100))
    write_recording(
        tmp_path / "long.flac",
        Recording(np.zeros((8000 * 21, 1), np.int32), 8000, "FLAC", "PCM_16"),
    )
    page = open_page()
    page.locator(".top button", has_text="Edit").click()
    for name, words in (("broken.wav", "not an audio file"), ("long.flac", "more than 20 s")):
        page.set_input_files("#file", tmp_path / name)
        page.wait_for_function(f"document.querySelector('#error').textContent.includes('{words}')")
        told = page.locator("#error").inner_text()
        assert told.startswith(name)
        assert "\n" not in told
        assert "/" not in told.replace("WAV", "")
    (tmp_path / "huge.wav").write_bytes(bytes(3_000_001))
    page.set_input_files("#file", tmp_path / "huge.wav")
    page.wait_for_function(
        "document.querySelector('#error').textContent.includes('more than 3 MB')"
    )


def test_two_tabs_are_served_and_see_only_their_own(open_page: OpenPage) -> None:
    pages = [open_page(), open_page()]
    for number, page in enumerate(pages):
        settle(page, iterations=5, seconds=2)
        page.locator("#prompt").fill(f"piece {number}")
        page.locator("#make").click()
    for number, page in enumerate(pages):
        finished(page)
        assert page.locator("#history li").count() == 1
        assert f"piece {number}" in page.locator("#history").inner_text()


def test_a_closed_tab_frees_the_machine(
    open_page: OpenPage, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio.desk, "limits", replace(LIMITS, keep=3))
    page = open_page()
    settle(page, iterations=150, seconds=6)
    page.locator("#make").click()
    page.wait_for_selector('[data-version="draft"]')
    tab = tab_of(page, studio)
    (ticket,) = tab.tickets.values()
    page.close(run_before_unload=True)
    until = time.monotonic() + 60
    while tab.folder.exists() and time.monotonic() < until:
        time.sleep(0.2)
    assert not tab.open
    assert not tab.folder.exists()
    assert ticket.status == "done"
    assert ticket.result
    assert ticket.result["stopped"] == "interrupted"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("options", [{"viewport": {"width": 1440, "height": 900}}, PHONE])
def test_axe_finds_no_serious_fault(
    open_page: OpenPage, axe: Path, scheme: str, options: dict[str, Any], tmp_path: Path
) -> None:
    page = open_page(color_scheme=scheme, **options)
    for name in ("melody", "form", "tempo", "style", "brightness"):
        page.locator(f"#on-{name}").check()
    page.locator("#on-style").uncheck()
    for summary in page.locator("summary").all():
        summary.click()
    page.locator("#iterations").fill("5")
    page.locator("#duration").fill("3")
    page.locator("#melody svg").focus()
    page.keyboard.press("Space")
    page.locator("#make").click()
    finished(page)
    page.add_script_tag(path=axe)
    faults(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.locator(".top button", has_text="Edit").click()
    write_recording(tmp_path / "take.wav", music(2, 22_050, 1))
    page.set_input_files("#file", tmp_path / "take.wav")
    page.wait_for_function("document.querySelector('#dropped').textContent.includes('2 s')")
    page.locator("#add-region").click()
    faults(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def faults(page: Page) -> None:
    found = page.evaluate("axe.run()")["violations"]
    told = [
        (one["id"], node["html"], node["failureSummary"])
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]
    assert told == []


@pytest.mark.parametrize(("width", "height"), [(360, 740), (768, 1024), (1280, 800)])
def test_make_it_is_in_view_wherever_one_is_and_over_no_field(
    open_page: OpenPage, width: int, height: int
) -> None:
    phone = {"has_touch": True, "is_mobile": True} if width < 700 else {}
    page = open_page(viewport={"width": width, "height": height}, **phone)
    for name in ("melody", "form", "tempo", "style", "brightness"):
        page.locator(f"#on-{name}").check()
    for place in ("#prompt", "#style", "#brightness .handle >> nth=0", "#tempo"):
        page.locator(place).focus()
        make, field = page.locator("#make").bounding_box(), page.locator(place).bounding_box()
        assert make
        assert field
        assert make["y"] >= 0
        assert make["y"] + make["height"] <= height
        apart = field["x"] + field["width"] < make["x"]
        assert apart or field["y"] + field["height"] < make["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_everything_is_reached_by_keys(open_page: OpenPage) -> None:
    page = open_page()
    handle = page.locator("#intensity .handle").first
    handle.focus()
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.getAttribute('aria-valuenow')") == "-35"
    page.locator("#on-melody").check()
    page.locator("#melody svg").focus()
    for key in ("ArrowUp", "ArrowUp", "Space", "ArrowRight", "Space", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert page.locator("#melody .note").count() == 2
    page.locator("#on-form").check()
    page.locator("#form .blocks button").nth(1).focus()
    page.keyboard.press("ArrowUp")
    assert page.locator("#form .blocks button").nth(1).inner_text().split()[2] == "B"
    reached = set()
    page.locator("h1").click()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"prompt", "duration", "seed", "on-style", "make", "theme"} <= reached
    page.locator("#shape-only").focus()
    width = "(one) => getComputedStyle(one).outlineWidth"
    assert page.locator("#shape-only").evaluate(width) == "3px"


def test_what_is_hummed_becomes_notes(open_page: OpenPage) -> None:
    page = open_page(permissions=["microphone"])
    settle(page, iterations=2, seconds=3)
    page.locator("#on-melody").check()
    page.get_by_role("button", name="Hum it").click()
    page.get_by_role("button", name="Stop humming").wait_for()
    page.wait_for_timeout(4000)
    page.get_by_role("button", name="Stop humming").click()
    page.wait_for_selector("#melody .note")
    page.locator("#make").click()
    finished(page)
    assert "melody" in json.loads(downloaded(page, "report"))["controls"]
    heard = set(re.findall(r"([A-G]#?\d):", page.locator("#command").inner_text()))
    assert heard == {"A3", "C4"}


def test_a_link_brings_the_settings_back(open_page: OpenPage, studio: Studio) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.locator("#prompt").fill("späte Zugabe, 90 bpm")
    page.locator("#on-tempo").check()
    page.locator("#tempo").fill("90")
    page.locator("#on-form").check()
    page.locator("#form button", has_text="ABA").first.click()
    page.locator("summary", has_text="Keep or share").click()
    page.locator("#link").click()
    page.wait_for_function("document.querySelector('#said').textContent === 'Link copied'")
    assert page.locator("#link").inner_text() == "✓ Copied"
    page.locator("#link", has_text="Copy a link").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(studio.url + "#")
    with page.expect_download() as download:
        page.locator("#save").click()
    saved = json.loads(Path(download.value.path()).read_text())
    other = open_page(link.removeprefix(studio.url))
    assert other.locator("#prompt").input_value() == "späte Zugabe, 90 bpm"
    assert other.locator("#tempo").input_value() == "90"
    assert other.locator("#on-form").is_checked()
    assert saved["form"] == "AABA"
    assert saved["intensity"] == [[0, -36], [6, -16]]


def test_the_command_shown_is_one_the_command_line_takes(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=5, seconds=2)
    page.locator("#make").click()
    finished(page)
    words = shlex.split(page.locator("#command").inner_text())
    assert words[:2] == ["ditto-music", "control"]
    _, bound, _ = app.parse_args(words[1:], print_error=False, exit_on_error=False)
    assert bound.arguments["prompt"] == "calm piano ballad, 80 bpm"
    assert bound.arguments["shared"].iterations == 5


def test_notes_beyond_the_end_are_there_again_once_it_is_longer(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=2)
    page.locator("#on-melody").check()
    page.locator("#melody svg").focus()
    for key in ("Space", *["ArrowRight"] * 4, "Space", "Shift+ArrowRight", *["ArrowRight"] * 4):
        page.keyboard.press(key)
    page.keyboard.press("Space")  # at 0, 2 and 4 s; the second lasts a second
    notes = page.locator("#melody .note")
    assert notes.count() == 3
    page.locator("#duration").fill("2.5")
    assert notes.count() == 2
    page.locator("#melody svg").focus()
    for key in (*["ArrowLeft"] * 9, "ArrowUp", "Space"):  # a note in place of the first
        page.keyboard.press(key)
    page.locator("#make").click()
    finished(page)
    assert "--melody=C#4:0.5 .:1.5 C4:0.5" in shlex.split(page.locator("#command").inner_text())
    page.locator("#duration").fill("6")
    assert notes.count() == 3
    page.locator("#make").click()
    page.locator("#command", has_text="C#4:0.5 .:1.5 C4:1 .:1 C4:0.5").wait_for()


def test_a_piece_keeps_its_settings_when_the_drawing_goes_on(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=5, seconds=2)
    page.locator("#make").click()
    finished(page)
    page.locator("#intensity .handle").first.focus()
    page.keyboard.press("ArrowUp")
    handle = page.locator("#intensity .handle").first
    assert handle.get_attribute("aria-valuenow") == "-35"
    page.locator("#history button", has_text="Settings").click()
    page.locator("#history button", has_text="Back").wait_for()
    assert handle.get_attribute("aria-valuenow") == "-36"


def test_a_running_piece_is_watched_and_stopped_after_another_was_heard(
    open_page: OpenPage,
) -> None:
    page = open_page()
    settle(page, iterations=5, seconds=2)
    page.locator("#make").click()
    finished(page)
    page.locator("#iterations").fill("150")
    page.locator("#make").click()
    page.locator("#stop").wait_for()
    page.locator("#history button", has_text="Hear").click()
    page.wait_for_selector("#play[aria-label=Pause]")
    assert page.locator("#stop").is_visible()
    assert page.locator("#progress").is_visible()
    page.locator("#history button", has_text="Watch").click()
    page.wait_for_selector('[data-version="draft"]')
    page.locator("#stop").click()
    finished(page)
    assert page.locator("#history button", has_text="Hear").count() == 2
    assert "stopped" in page.locator("#figures").inner_text()


def test_news_of_a_piece_takes_no_focus_and_a_new_one_no_repeat(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=5, seconds=2)
    page.locator("#make").click()
    finished(page)
    page.locator("#repeat").check()
    page.locator("#iterations").fill("150")
    page.locator("#make").click()
    page.wait_for_selector('[data-version="draft"]')
    told = page.locator("#told").inner_text()
    page.locator("#history button", has_text="Hear").focus()
    page.wait_for_function(f"document.querySelector('#told').textContent !== {json.dumps(told)}")
    assert page.evaluate("document.activeElement.textContent") == "Hear"
    page.locator("#play").click()
    page.wait_for_timeout(3000)  # the draft lasts two seconds
    assert page.locator("#repeat").is_checked()
    assert page.locator("#play").get_attribute("aria-label") == "Pause"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("-41, -6, 5", [-40, -30, -20, -10]),
        ("0, 1, 5", [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ("30, 300, 6", [50, 100, 150, 200, 250, 300]),
        ("503, 1847, 5", [1000, 1500]),
        ("503, 3000, 5, true", [600, 1000, 1500, 2000, 3000]),
        ("40, 16000, 5, true", [50, 100, 200, 500, 1000, 2000, 5000, 10000]),
        ("2, 2, 5", [2]),
    ],
)
def test_axes_have_round_numbers(open_page: OpenPage, asked: str, told: list[float]) -> None:
    found = open_page().evaluate(f"import('/studio/page/dom.js').then((it) => it.rounds({asked}))")
    assert found == told


def test_what_is_heard_is_seen_in_the_pictures_over_time(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=2)
    page.locator("#on-tempo").check()
    page.locator("#make").click()
    finished(page)
    assert page.locator("#panels .head").count() == 1  # the pulse is over tempi
    page.locator("#result-wave canvas").focus()
    for _ in range(6):  # to the middle of six seconds
        page.keyboard.press("ArrowRight")
    head, picture = (
        page.locator(f"[data-panel=intensity] {one}").bounding_box() for one in (".head", "canvas")
    )
    assert head
    assert picture
    left, right = picture["x"] + 48, picture["x"] + picture["width"] - 14
    assert head["x"] == pytest.approx((left + right) / 2, abs=2)


def test_the_words_are_followed_as_suits_the_model_unless_asked(open_page: OpenPage) -> None:
    page = open_page()
    settle(page, iterations=5, seconds=2)
    assert page.locator("#guidance-out").inner_text() == "auto"
    page.locator("#make").click()
    finished(page)
    assert "--guidance" not in page.locator("#command").inner_text()
    page.locator("#guidance").fill("3")
    assert page.locator("#guidance-out").inner_text() == "3"
    page.locator("#make").click()
    page.locator("#command", has_text="--guidance=3").wait_for()


def test_lengths_go_as_far_as_the_studio_lets_them(
    open_page: OpenPage, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_page().locator("#duration").get_attribute("max") == "24"  # as the model makes
    monkeypatch.setattr(studio.desk, "limits", replace(LIMITS, duration=4.5))
    page = open_page()
    assert page.locator("#duration-out").inner_text() == "4.5 s"
    assert page.locator("#seconds").get_attribute("max") == "4.5"
    assert page.locator("#seconds").input_value() == "4.5"
    settle(page, iterations=2)
    page.locator("#make").click()
    finished(page)
    assert "--duration=4.5" in page.locator("#command").inner_text()


def test_the_first_paint_comes_within_two_seconds(open_page: OpenPage) -> None:
    page = open_page()
    (first, *_) = page.evaluate("performance.getEntriesByType('paint').map(e => e.startTime)")
    assert first < 2000


def test_something_is_heard_within_fifteen_seconds(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#model").evaluate("(select) => { select.value = 'ditto-small' }")
    begun = time.monotonic()
    page.locator("#make").click()
    page.wait_for_selector('[data-version="draft"]', timeout=120_000)
    assert time.monotonic() - begun < 15
