"""One picture of what was made: what was asked and achieved, how it looks as sound, how it went."""

from __future__ import annotations

import os
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from ditto_music.audio import Recording, plots
from ditto_music.errors import InputError
from ditto_music.item import Item
from ditto_music.panels import Bars, Curve, Matrices, Panel, Roll
from ditto_music.whole import check_target, whole

SUFFIXES = (".png", ".svg", ".pdf")
DPI = 150
MOST_PANELS = 6
LONGEST_TITLE = 100  # characters
NEW = "#009E73"  # Okabe and Ito's green, beside the blue and orange of `plots`
WIDEST = 130  # characters of a line of figures
WORDS = {"db": "dB", "rms": "RMS", "mse": "MSE"}
DIGITS = {"dB": 1, "octaves": 1, "bpm": 0}  # after the point, by unit


def check_picture(path: str | os.PathLike[str]) -> None:
    """Check that a picture can be written at `path`, before any long work. Nothing is written.

    Raises
    ------
    InputError
        If the suffix is not one of PNG, SVG and PDF, or the place cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        ending = f"the suffix {path.suffix} is unknown" if path.suffix else "there is no suffix"
        raise InputError(f"{path}: {ending}; end the name in one of {', '.join(SUFFIXES)}")
    check_target(path)


def draw_item(path: str | os.PathLike[str], item: Item, sample_rate: int) -> None:
    """Draw one clip: what each control asked and got, the spectrogram, the loss of each iteration.

    Parameters
    ----------
    path : PNG, SVG or PDF, by its suffix.
    sample_rate : of the clip's audio, in Hz.

    Raises
    ------
    InputError
        As `check_picture`.
    """
    check_picture(path)
    losses = [row["loss"] for row in item.history]
    searched = bool(np.isfinite(losses).any())
    picture, axes = plots.figure(len(item.panels) + 1 + searched)
    seconds = item.audio.shape[-1] / sample_rate
    for ax, panel in zip(axes, item.panels, strict=False):
        _draw_panel(ax, panel, seconds)
    plots.spectrogram(axes[len(item.panels)], item.audio.mean(0).numpy(), sample_rate)
    if searched:
        steps = [row["steps"] for row in item.history if "steps" in row]
        plots.loss(axes[-1], losses, steps, None if steps else item.final.get("loss"))
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    _save(picture, path, item.prompt, figures(item))


def _draw_panel(ax: Axes, panel: Panel, seconds: float) -> None:
    """Draw what one control asked and got of a clip of `seconds`."""
    target, achieved = panel.target.numpy(), panel.achieved.numpy()
    match panel:
        case Curve():
            times = panel.times.numpy()
            plots.curve(ax, times, target, achieved, panel.unit, panel.name, panel.axis)
            if panel.axis == Curve.axis:
                ax.set_xlim(0, seconds)
        case Roll():
            plots.roll(ax, panel.rows, panel.times.numpy(), target, achieved, panel.name)
            ax.set_xlim(0, seconds)
        case Matrices():
            plots.matrices(ax, panel.seconds, target, achieved, panel.name)
        case Bars():
            plots.bars(ax, panel.labels, target, achieved, panel.unit, panel.name)


def draw_edit(
    path: str | os.PathLike[str],
    recording: Recording,
    regions: Sequence[tuple[float, float]],
    panels: Sequence[tuple[float, Panel]] = (),
) -> None:
    """Draw a recording as waveform and spectrogram, its new regions marked.

    Parameters
    ----------
    path : PNG, SVG or PDF, by its suffix.
    regions : the (start, stop) seconds that are new.
    panels : what controls asked of regions and got, each with the second at which it begins; parts
        of one curve are drawn as one, of all the first `MOST_PANELS`.

    Raises
    ------
    InputError
        As `check_picture`.
    """
    check_picture(path)
    in_turn = sorted(panels, key=lambda each: each[0])
    shown = _joined([_later(panel, start) for start, panel in in_turn])[:MOST_PANELS]
    picture, (wave, sound, *others) = plots.figure(2 + len(shown))
    mono = recording.audio().mean(0)
    plots.waveform(wave, mono, recording.sample_rate)
    plots.spectrogram(sound, mono, recording.sample_rate)
    for start, stop in regions:
        wave.axvspan(start, stop, color=NEW, alpha=0.25, linewidth=0)
        _edges(wave, start, stop)
        _edges(sound, start, stop)
    for ax, panel in zip(others, shown, strict=True):
        _draw_panel(ax, panel, recording.seconds)
    spans = ", ".join(f"{start:.2f} to {stop:.2f} s" for start, stop in regions)
    _save(picture, path, f"new: {spans}", "")


def figures(item: Item) -> str:
    """The clip's final figures in words, such as "intensity 0.8 dB RMS error, 0.97 correlation"."""
    return "; ".join(
        f"{name} " + ", ".join(_figure(key, value) for key, value in metrics.items())
        for name, metrics in item.metrics.items()
        if metrics
    )


def _figure(key: str, value: float) -> str:
    """``rms_error_db, 0.8`` as "0.8 dB RMS error"."""
    words = [WORDS.get(word, word) for word in key.split("_")]
    if words[-1] in DIGITS:
        words.insert(0, words.pop())
    return f"{value:.{DIGITS.get(words[0], 2)}f} {' '.join(words)}"


def _later(panel: Panel, seconds: float) -> Panel:
    """A panel whose time begins at `seconds`, where it is over time."""
    if isinstance(panel, Roll) or (isinstance(panel, Curve) and panel.axis == Curve.axis):
        return replace(panel, times=panel.times + seconds)
    return panel


def _joined(panels: Sequence[Panel]) -> list[Panel]:
    """Curves over time that begin where one of their name has ended, as one with gaps."""
    joined: list[Panel] = []
    for panel in panels:
        for place, one in enumerate(joined):
            if isinstance(one, Curve) and isinstance(panel, Curve) and _goes_on(one, panel):
                joined[place] = _with_gap(one, panel)
                break
        else:
            joined.append(panel)
    return joined


def _goes_on(one: Curve, other: Curve) -> bool:
    alike = (one.name, one.unit, one.axis) == (other.name, other.unit, other.axis)
    return alike and one.axis == Curve.axis and bool(one.times[-1] < other.times[0])


def _with_gap(one: Curve, other: Curve) -> Curve:
    def both(a: Tensor, b: Tensor) -> Tensor:
        return torch.cat([a, torch.full((1,), torch.nan), b])

    return replace(
        one,
        times=both(one.times, other.times),
        target=both(one.target, other.target),
        achieved=both(one.achieved, other.achieved),
    )


def _edges(ax: Axes, *times: float) -> None:
    for time in times:
        ax.axvline(time, color=NEW, linewidth=1.2, linestyle="--")


def _save(picture: Figure, path: str | os.PathLike[str], title: str, subtitle: str) -> None:
    """Title the picture and write it whole."""
    title = title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
    picture.suptitle(title, color=plots.INK, fontsize="large", fontweight="bold", parse_math=False)
    subtitle = textwrap.fill(subtitle, WIDEST)
    picture.axes[0].set_title(
        subtitle, color=plots.INK, fontsize="small", loc="left", parse_math=False
    )
    with whole(path) as draft, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a prompt may be in any script
        picture.savefig(draft, dpi=DPI)
