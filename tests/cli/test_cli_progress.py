"""What is told while it goes on."""

from __future__ import annotations

import io
from typing import cast

import pytest
import torch

from ditto_music.cli import progress
from ditto_music.cli.controls import Figure
from ditto_music.cli.progress import Lines, Silent, Watch, watching
from ditto_music.cli.shared import Shared
from ditto_music.optimize import Progress
from ditto_music.protocols import Clip

DB = {"intensity": Figure(lambda loss: f"{loss**0.5:.1f} dB", "RMS error")}


class Heard(Silent):
    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []

    def step(self, text: str, done: int, total: int) -> None:
        self.steps.append((text, done, total))


def at(iteration: int, seconds: float, loss: float = 4.0) -> Progress:
    rows = [{"loss": loss, "intensity": loss}]
    return Progress(iteration, [0], rows, torch.zeros(1), cast("Clip", None), seconds)


def test_one_line_has_iteration_loss_figure_and_time_left() -> None:
    heard = Heard()
    watch = Watch(heard, iterations=50, figures=DB)
    watch(at(1, 2.0))
    watch(at(2, 4.0, loss=1.0))
    assert heard.steps == [
        ("iteration 1/50: loss 4, intensity 2.0 dB RMS error, 1 min 38 s left", 1, 50),
        ("iteration 2/50: loss 1, intensity 1.0 dB RMS error, 1 min 36 s left", 2, 50),
    ]


def test_a_figure_may_read_a_metric() -> None:
    heard = Heard()
    share = Figure(lambda accuracy: f"{100 * accuracy:.0f}%", "of frames", "accuracy")
    rows = [{"loss": 2.4, "melody": 2.4, "melody.accuracy": 0.113}]
    watch = Watch(heard, iterations=2, figures={"melody": share})
    watch(Progress(1, [0], rows, torch.zeros(1), cast("Clip", None), 1.0))
    assert heard.steps[0][0] == "iteration 1/2: loss 2.4, melody 11% of frames, 1 s left"
    assert share.value("melody", {"loss": 2.4, "melody": 2.4}) is None


def test_a_time_limit_bounds_the_time_left() -> None:
    heard = Heard()
    Watch(heard, iterations=50, time_limit=10)(at(1, 2.0))
    assert heard.steps[0][0].endswith("8 s left")


def test_regions_are_counted_and_add_up() -> None:
    heard = Heard()
    watch = Watch(heard, iterations=2, parts=3)
    for iteration in (1, 2, 1):
        watch(at(iteration, float(iteration)))
    assert [(text.split(":")[0], done, total) for text, done, total in heard.steps] == [
        ("region 1/3, iteration 1/2", 1, 6),
        ("region 1/3, iteration 2/2", 2, 6),
        ("region 2/3, iteration 1/2", 3, 6),
    ]
    assert heard.steps[2][0].endswith("3 s left")


def test_lines_are_the_first_one_each_ten_seconds_and_the_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    lines = Lines()
    lines.stage("loading")
    for step in range(1, 13):
        now += 4.0
        lines.step(f"step {step}", step, 12)
    lines.close()
    told = [line.removeprefix("ditto-music: ") for line in capsys.readouterr().err.splitlines()]
    assert told == ["loading", "step 1", "step 4", "step 7", "step 10", "step 12"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    with watching(Shared(), DB) as watch:
        watch.stage("loading [bold]model")
        watch(at(1, 2.0))
    told = terminal.getvalue()
    assert "iteration 1/60: loss 4, intensity 2.0 dB RMS error, 1 min 58 s left" in told
    assert told.endswith("\x1b[1A\x1b[2K")  # taken away again


def test_quiet_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with watching(Shared(quiet=True)) as watch:
        watch.stage("loading")
        watch(at(1, 2.0))
    assert terminal.getvalue() == ""
