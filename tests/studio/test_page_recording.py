"""The page with a recording in it, in a real browser: dropped, heard, marked, moved through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ditto_music.audio import write_recording
from tests.editing.sounds import music
from tests.studio.conftest import OpenPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def take(folder: Path, seconds: float) -> Path:
    path = folder / "take.wav"
    write_recording(path, music(seconds, 8_000, 1))
    return path


def here(page: Page) -> None:
    page.locator("#said", has_text="take.wav is here").wait_for(state="attached")


def edited(page: Page, file: Path) -> None:
    page.locator(".top button", has_text="Edit").click()
    page.set_input_files("#file", file)
    here(page)


def test_a_recording_that_was_brought_is_heard(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    edited(page, take(tmp_path, 3))
    page.locator("#hear-source").click()
    page.locator("#hear-source", has_text="Stop").wait_for()
    page.wait_for_function("+document.querySelector('#source-wave canvas').dataset.head > 0")
