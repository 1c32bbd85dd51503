"""Plots show the numbers they were given."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ditto_music.audio import plots
from ditto_music.whole import whole

RATE = 16000


def tone(frequency: float, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(RATE * seconds)) / RATE)


def axes():
    return plots.figure(1)[1][0]


def hertz(mel: float) -> float:
    return 700 * (10 ** (mel / 2595) - 1)


@pytest.mark.parametrize("frequency", [60, 200, 1000, 5000])
def test_a_tone_is_brightest_at_its_frequency(frequency: float) -> None:
    image = plots.spectrogram(axes(), tone(frequency), RATE)
    level = np.asarray(image.get_array())
    _, _, _, top = image.get_extent()
    band = level[:, level.shape[1] // 2].argmax()
    edges = hertz(top * (band - 1) / len(level)), hertz(top * (band + 2) / len(level))
    assert edges[0] < frequency < edges[1]
    assert level.max() == pytest.approx(0, abs=1e-9)
    assert image.get_clim() == (-80, 0)
    assert hertz(top) == pytest.approx(RATE / 2)


def test_a_spectrogram_shows_when() -> None:
    audio = np.concatenate([np.zeros(RATE), tone(1000)])
    image = plots.spectrogram(axes(), audio, RATE)
    loudest = np.asarray(image.get_array()).max(axis=0)
    half = len(loudest) // 2
    assert image.get_extent()[:2] == [0, 2]
    assert loudest[: half - 3].max() < -80
    assert loudest[half + 3 : -3].min() > -3


@pytest.mark.parametrize("audio", [np.zeros(5000), np.ones(1), tone(440, 0.01)])
def test_silence_and_short_clips_can_be_drawn(audio: np.ndarray) -> None:
    level = np.asarray(plots.spectrogram(axes(), audio, RATE).get_array())
    assert np.isfinite(level[level > -np.inf]).all()
    assert level.max() <= 0
    plots.waveform(axes(), audio, RATE)


@pytest.mark.parametrize(("gain", "top"), [(1.0, 1.0), (6.0, 3.0)])
def test_a_waveform_reaches_its_peaks(gain: float, top: float) -> None:
    ax = axes()
    plots.waveform(ax, gain * tone(440), RATE)
    (shape,) = ax.collections
    heights = shape.get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(0.5 * gain, rel=1e-3)
    assert heights.min() == pytest.approx(-0.5 * gain, rel=1e-3)
    assert ax.get_ylim() == pytest.approx((-top, top), rel=1e-3)
    assert ax.get_xlim() == (0, 1)


def test_a_curve_is_dashed_over_what_was_achieved() -> None:
    ax = axes()
    times, target, achieved = np.arange(3), np.array([-30, -20, -10]), np.array([-29, -21, -12])
    plots.curve(ax, times, target, achieved, "dBFS", "intensity")
    below, above = ax.get_lines()
    assert (below.get_label(), above.get_label()) == ("achieved", "target")
    assert (below.get_linestyle(), above.get_linestyle()) == ("-", "--")
    np.testing.assert_array_equal(below.get_ydata(), achieved)
    np.testing.assert_array_equal(above.get_ydata(), target)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("intensity (dBFS)", "time (s)")


def test_a_loss_marks_the_best_of_the_last_steps() -> None:
    figure, [ax] = plots.figure(1)
    plots.loss(ax, [9.0, 0.1, 3.0, 2.0], [8, 8, 20, 20])
    assert list(ax.lines[1].get_xdata()) == [3]
    assert [text.get_text() for text in ax.texts] == ["8 steps", "20 steps"]
    assert figure is not None


def test_of_estimates_on_the_way_the_clip_is_marked_at_the_end() -> None:
    _, [ax] = plots.figure(1)
    plots.loss(ax, [9.0, 0.1, 3.0], end=0.01)
    assert (list(ax.lines[1].get_xdata()), list(ax.lines[1].get_ydata())) == ([3], [0.01])
    assert ax.get_legend().get_texts()[0].get_text() == "the clip: 0.01"
    assert ax.get_yscale() == "log"


@pytest.mark.parametrize(
    ("history", "best", "scale"),
    [
        ([5.0, 1.0, 3.0], 1, "linear"),
        ([5.0, 0.1, 0.01], 2, "log"),
        ([100.0, -1.0], 1, "linear"),
        ([float("nan"), 50.0, 2.0], 2, "log"),
    ],
)
def test_a_loss_marks_its_best(history: list[float], best: int, scale: str) -> None:
    ax = axes()
    plots.loss(ax, history)
    line, mark = ax.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), history)
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([best], [history[best]])
    assert ax.get_yscale() == scale


@pytest.mark.parametrize(
    ("history", "labels"),
    [
        ([6.0, 0.5], ["0.5", "1", "2", "5"]),
        ([3.0, 0.21], ["0.2", "0.5", "1", "2"]),
        ([70.0, 0.04], ["0.1", "1", "10", "100"]),
        ([3000.0, 2e-5], ["1e−05", "0.001", "0.1", "10", "1000"]),  # noqa: RUF001
    ],
)
def test_ticks_of_a_loss_do_not_collide(history: list[float], labels: list[str]) -> None:
    figure, [ax] = plots.figure(1)
    plots.loss(ax, history)
    figure.draw_without_rendering()
    low, high = ax.get_ylim()
    ticks = zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    shown = [tick for place, tick in ticks if low <= place <= high]
    assert [tick.get_text() for tick in shown] == labels
    edges = [tick.get_window_extent().extents[1::2] for tick in shown]
    assert all(below[1] < above[0] for below, above in pairwise(edges))
    assert not any(tick.get_text() for tick in ax.get_yticklabels(minor=True))


def test_a_figure_is_saved_whole(tmp_path: Path) -> None:
    picture, rows = plots.figure(3, height=1.5)
    assert len(rows) == 3
    assert picture.get_size_inches()[1] == 4.5
    plots.spectrogram(rows[0], tone(440), RATE)
    plots.waveform(rows[1], tone(440), RATE)
    plots.loss(rows[2], [2.0, 1.0])
    with whole(tmp_path / "a.png") as draft:
        picture.savefig(draft)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_series_are_told_apart_and_named() -> None:
    ax = axes()
    places, values = np.array([1.0, 4.0]), np.array([2.0, 8.0])
    plots.series(ax, places, values, values - 1, np.array([3.0, np.nan]), "one")
    plots.series(ax, places, values / 2, values, values, "two")
    plots.labelled(ax, "x", "y")
    plots.logarithmic(ax, places)
    plots.from_zero(ax)
    first, second = ax.lines
    assert first.get_ydata() == pytest.approx(values)
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()
    assert len(ax.collections[0].get_segments()) == 1  # an interval that is not known is left out
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "4"]
    bottom, top = ax.get_ylim()
    assert bottom == 0
    assert top > 8


def test_nothing_global_is_touched() -> None:
    program = (
        "import sys, matplotlib\n"
        "settings = [name for name in matplotlib.rcParams if name != 'backend']\n"
        "before = [matplotlib.rcParams[name] for name in settings]\n"
        "from ditto_music.audio import plots\n"
        "plots.loss(plots.figure(1)[1][0], [2.0, 1.0])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert [matplotlib.rcParams[name] for name in settings] == before\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
