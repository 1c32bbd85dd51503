"""A studio on a free port, a browser to open it in, and the accessibility rules of axe."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
import torch

from ditto_music.cli.pieces import Pieces
from ditto_music.studio.desk import Desk
from ditto_music.studio.limits import Limits

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from ditto_music.studio.server import Studio

AXE = "axe-core@4.14.1"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
LIMITS = Limits(upload_seconds=20, upload_bytes=3_000_000, waiting=4, waiting_each=3, grace=2.0)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pieces() -> Pieces:
    return Pieces()


@pytest.fixture
def desk(pieces: Pieces) -> Iterator[Desk]:
    desk = Desk(pieces, ["debug"], LIMITS)
    yield desk
    desk.close()


@pytest.fixture(scope="session")
def studio(pieces: Pieces) -> Iterator[Studio]:
    pytest.importorskip("gradio", reason="the studio needs Gradio: the extra 'studio'")
    from ditto_music.studio.server import open_studio

    running = open_studio(pieces, ["debug", "ditto-small"], port=0, limits=LIMITS)
    yield running
    running.close()


@pytest.fixture(scope="session")
def sung(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's microphone hears, again and again: A3 and C4, 0.8 s each."""
    times = np.arange(round(0.8 * 48_000)) / 48_000
    swell = np.minimum(1, np.minimum(times, times[::-1]) / 0.02)
    notes = [
        swell * sum(np.sin(2 * np.pi * k * hertz * times) / k for k in range(1, 6))
        for hertz in (220.0, 261.63)
    ]
    path = tmp_path_factory.mktemp("voice") / "sung.wav"
    soundfile.write(path, 0.3 * np.concatenate(notes), 48_000, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def browser(sung: Path) -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next((found for name in CHROMIUMS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    options += [f"--use-file-for-fake-audio-capture={sung}"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=options)
        yield browser
        browser.close()


OpenPage = Callable[..., "Page"]


@pytest.fixture
def open_page(studio: Studio, browser: Browser) -> Iterator[OpenPage]:
    """Opens pages of the studio; none may ask anyone else for anything or break."""
    asked: list[str] = []
    broken: list[str] = []
    contexts: list[Any] = []

    def opened(where: str = "", before: str = "", **options: Any) -> Page:
        """`before`: a script that runs before those of the page."""
        context = browser.new_context(**options)
        contexts.append(context)
        context.add_init_script(before)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(studio.url + where)
        page.wait_for_selector("#studio[data-ready]")
        page.wait_for_selector("#studio-place #studio")  # Gradio's own scripts have run
        return page

    yield opened
    for context in contexts:
        context.close()
    ours = urlsplit(studio.url).netloc
    others = [url for url in asked if url.startswith("http") and urlsplit(url).netloc != ours]
    assert asked
    assert others == []
    assert broken == []


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> Path:
    """The script of axe-core, fetched from npm once and kept in pytest's cache."""
    folder = pytestconfig.cache.mkdir("axe-core")  # type: ignore[union-attr]
    script = folder / "package" / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("axe-core is fetched by npm, which is not here")
        try:
            told = subprocess.run(
                [npm, "pack", AXE, "--silent"], cwd=folder, capture_output=True, timeout=120
            )
            archive = told.stdout.decode().split()[-1]
            shutil.unpack_archive(folder / archive, folder)
        except (subprocess.TimeoutExpired, IndexError, OSError, shutil.ReadError):
            pytest.skip(f"{AXE} could not be fetched from npm")
    return script
