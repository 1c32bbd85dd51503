"""Pictures of audio, curves and losses, drawn on axes the caller owns.

Pure drawing: no pyplot and no global settings, so that it is safe in threads and servers. Times
are in seconds, frequencies in Hz, levels in dB. Colours are those of Okabe and Ito, told apart by
colour-blind readers; targets are also dashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import LogLocator, NullFormatter

Floats = npt.NDArray[np.floating[Any]]

BLUE, ORANGE, INK, GRID = "#0072B2", "#D55E00", "#333333", "#E3E3E3"
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", INK)
MARKS = "os^Dv<>P"  # one more than colours, so that no two of 56 lines look alike
LINES = ("-", "--", ":")
RANGE_DB = 80.0
_WIDTH = 10.0  # inches
_COLUMNS = 1200  # about as many as a figure has pixels to show
_WINDOW = 2048
_BANDS = 128
_TICKS = (200, 500, 1000, 2000, 4000, 8000, 16000, 32000)


def figure(rows: int, height: float = 2.2) -> tuple[Figure, list[Axes]]:
    """A figure with `rows` axes below one another.

    Parameters
    ----------
    rows : number of axes, at least 1
    height : height of each, inches

    Returns
    -------
    figure, axes
        Save it with `figure.savefig(path)`.
    """
    picture = Figure(figsize=(_WIDTH, rows * height), layout="constrained", facecolor="white")
    return picture, [picture.add_subplot(rows, 1, row + 1) for row in range(rows)]


def spectrogram(ax: Axes, audio: Floats, sample_rate: int) -> AxesImage:
    """Draw the power of mel bands up to half the sample rate, in dB below the loudest.

    Parameters
    ----------
    ax : where to draw
    audio : array, shape (N,)
    sample_rate : Hz

    Returns
    -------
    AxesImage
        For a colour bar, if one is wanted.
    """
    power = _band_power(audio, sample_rate)
    floor = np.finfo(np.float64).tiny
    level = 10 * np.log10(np.maximum(power, floor) / max(float(power.max()), floor))
    image = ax.imshow(
        level,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0,
        extent=(0, len(audio) / sample_rate, 0, float(_mel(sample_rate / 2))),
    )
    ticks = [hertz for hertz in _TICKS if hertz <= sample_rate / 2]
    ax.set_yticks([float(_mel(hertz)) for hertz in ticks])
    ax.set_yticklabels([f"{hertz // 1000}k" if hertz >= 1000 else str(hertz) for hertz in ticks])
    _dress(ax, "time (s)", "frequency (Hz)")
    ax.grid(False)
    return image


def waveform(ax: Axes, audio: Floats, sample_rate: int) -> None:
    """Draw the lowest and highest sample of each moment; the scale is [-1, 1], or more if needed.

    Parameters
    ----------
    ax : where to draw
    audio : array, shape (N,)
    sample_rate : Hz
    """
    starts = np.unique(np.linspace(0, len(audio), _COLUMNS, endpoint=False, dtype=np.int64))
    low, high = np.minimum.reduceat(audio, starts), np.maximum.reduceat(audio, starts)
    ax.fill_between(starts / sample_rate, low, high, color=BLUE, linewidth=0.6)
    top = max(1.0, float(np.abs(audio).max()))
    ax.set_ylim(-top, top)
    ax.set_xlim(0, len(audio) / sample_rate)
    _dress(ax, "time (s)", "amplitude")


def curve(
    ax: Axes,
    times: Floats,
    target: Floats,
    achieved: Floats,
    unit: str,
    label: str,
    axis: str = "time (s)",
) -> None:
    """Draw what was asked for, dashed, over what was achieved.

    Parameters
    ----------
    ax : where to draw
    times : array, shape (T,), seconds, or what `axis` says
    target, achieved : arrays, shape (T,), in `unit`; NaN leaves a gap
    unit : such as "dBFS"; may be empty
    label : what is drawn, such as "intensity"
    axis : what `times` are; frequencies in Hz are drawn on a logarithmic scale
    """
    ax.plot(times, achieved, color=BLUE, linewidth=1.6, label="achieved")
    ax.plot(times, target, color=ORANGE, linewidth=1.6, linestyle="--", label="target")
    ax.margins(x=0)
    ax.legend(frameon=False, fontsize="small", ncols=2)
    _dress(ax, axis, f"{label} ({unit})" if unit else label)
    if axis.endswith("(Hz)"):
        ax.set_xscale("log")


def roll(
    ax: Axes, rows: Sequence[str], times: Floats, target: Floats, achieved: Floats, label: str
) -> None:
    """Draw how strongly each of a few rows is there, and a line through the row asked for.

    Parameters
    ----------
    ax : where to draw
    rows : their names, lowest first
    times : array, shape (T,), seconds, evenly spaced
    target : array, shape (T,), the row asked for, -1 where none is
    achieved : array, shape (rows, T)
    label : what is drawn, such as "melody"
    """
    half = (times[1] - times[0]) / 2 if len(times) > 1 else 0.5
    ax.imshow(
        achieved,
        origin="lower",
        aspect="auto",
        cmap="Blues",
        interpolation="nearest",
        extent=(times[0] - half, times[-1] + half, -0.5, len(rows) - 0.5),
    )
    line = np.where(target >= 0, target, np.nan).astype(np.float64)
    line[1:][np.diff(target) != 0] = np.nan  # a break between notes
    ax.plot(times, line, color=ORANGE, linewidth=2.2, label="target")
    ax.set_yticks(range(len(rows)), rows)
    ax.legend(frameon=False, fontsize="small", loc="upper right")
    _dress(ax, "time (s)", label)
    ax.grid(False)


def matrices(ax: Axes, seconds: float, target: Floats, achieved: Floats, label: str) -> None:
    """Draw two square matrices (T, T) side by side in place of `ax`: asked and achieved.

    Both have the same colours for the same values. The room above is left to the title of `ax`.
    """
    both = np.stack([target, achieved])
    ax.set_axis_off()
    for place, matrix, title in ((0.0, target, "target"), (0.5, achieved, "achieved")):
        part = ax.inset_axes((place + 0.05, 0, 0.4, 1))
        part.imshow(
            matrix,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=both.min(),
            vmax=both.max(),
            extent=(0, seconds, 0, seconds),
        )
        _dress(part, "time (s)", f"{label}, {title}")
        part.grid(False)


def bars(
    ax: Axes, labels: Sequence[str], target: Floats, achieved: Floats, unit: str, label: str
) -> None:
    """Draw a pair of bars a label: achieved, and a mark where the target is.

    Parameters
    ----------
    ax : where to draw
    labels : one a value
    target, achieved : arrays, shape (L,), in `unit`; NaN leaves a target out
    unit : such as "probability"; may be empty
    label : what is drawn, such as "style"
    """
    places = np.arange(len(labels))
    ax.bar(places, achieved, color=BLUE, width=0.6, label="achieved")
    ax.hlines(target, places - 0.4, places + 0.4, color=ORANGE, linewidth=2.2, label="target")
    ax.set_xticks(places, labels)
    ax.legend(frameon=False, fontsize="small", ncols=2)
    _dress(ax, "", f"{label} ({unit})" if unit else label)


def compared(
    ax: Axes, labels: Sequence[str], values: Floats, low: Floats, high: Floats, label: str
) -> None:
    """Draw a point a label with its interval.

    Parameters
    ----------
    ax : where to draw
    labels : one a value
    values, low, high : arrays, shape (L,); NaN leaves a point or an interval out
    label : what is drawn
    """
    places = np.arange(len(labels))
    known = np.isfinite(low) & np.isfinite(high)
    ax.vlines(places[known], low[known], high[known], color=BLUE, linewidth=3, alpha=0.4)
    ax.plot(places, values, "o", color=BLUE)
    ax.set_xticks(places, labels, rotation=20, ha="right")
    ax.set_xlim(-0.5, max(0.5, len(labels) - 0.5))
    _dress(ax, "", label)


def series(ax: Axes, places: Floats, values: Floats, low: Floats, high: Floats, label: str) -> None:
    """Draw a line through points with their intervals, unlike all others on the axes.

    Parameters
    ----------
    ax : where to draw
    places, values, low, high : arrays, shape (P,); NaN leaves a point or an interval out
    label : of the line
    """
    number = len(ax.lines)
    colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
    known = np.isfinite(low) & np.isfinite(high)
    ax.vlines(places[known], low[known], high[known], color=colour, linewidth=3, alpha=0.3)
    line = LINES[number // len(COLOURS) % len(LINES)]
    ax.plot(places, values, line, color=colour, marker=mark, ms=4, linewidth=1.4, label=label)


def labelled(ax: Axes, x: str, y: str) -> None:
    """Name both axes, and the lines where there are several."""
    if len(ax.lines) > 1:
        ax.legend(frameon=False, fontsize="x-small")
    _dress(ax, x, y)


def from_zero(ax: Axes) -> None:
    """Let the vertical axis begin at 0, with room above what is drawn."""
    ax.set_ylim(0, 1.1 * ax.get_ylim()[1])


def logarithmic(ax: Axes, places: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with these values marked and no others."""
    ax.set_xscale("log")
    ax.set_xticks(places, [f"{place:g}" for place in places])
    ax.minorticks_off()


def loss(
    ax: Axes, history: Sequence[float], steps: Sequence[float] = (), end: float | None = None
) -> None:
    """Draw the loss of each iteration, its best marked; logarithmic over more than a decade.

    Parameters
    ----------
    ax : where to draw
    history : the loss of each iteration, at least one; NaN leaves a gap
    steps : sampler steps of each iteration, where they differ: a line is drawn where they change,
        and the best is that of the last, for losses on different steps do not compare
    end : of the clip, where `history` is of estimates on the way to it: marked in place of the best
    """
    values, used = np.asarray(history, float), np.asarray(steps or [0.0] * len(history))
    last = values[used == used[-1]]
    if not np.isfinite(last).any():
        used, last = np.zeros(len(values)), values
    best = int(np.nanargmin(last)) + int(np.argmax(used == used[-1]))
    at, marked, name = best, float(values[best]), "best"
    if end is not None:
        at, marked, name = len(values), end, "the clip"
    ax.plot(range(len(values)), values, color=BLUE, linewidth=1.6)
    ax.plot([at], [marked], "o", color=ORANGE, label=f"{name}: {marked:.4g}")
    changes = [int(place) + 1 for place in np.flatnonzero(np.diff(used))]
    for place in [0, *changes] if changes else []:
        ax.axvline(place, color=GRID, linewidth=1.6, zorder=0)
        ax.annotate(
            f"{used[place]:.0f} steps", (place, 1), (3, -3), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=INK, fontsize="x-small", va="top",
        )  # fmt: skip
    least = min(marked, float(values[best]))
    if least > 0 and np.nanmax(values) > 10 * least:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        few = high < 100 * low  # tens alone would be one or two labels
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.legend(frameon=False, fontsize="small")
    _dress(ax, "iteration", "loss")


def _dress(ax: Axes, x: str, y: str) -> None:
    ax.set_xlabel(x, color=INK, fontsize="small")
    ax.set_ylabel(y, color=INK, fontsize="small")
    ax.tick_params(colors=INK, labelsize="small", length=2)
    ax.grid(True, color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)


def _mel(hertz: npt.ArrayLike) -> Floats:
    return 2595 * np.log10(1 + np.asarray(hertz, dtype=np.float64) / 700)


def _band_power(audio: Floats, sample_rate: int) -> Floats:
    """Mean power of `_BANDS` bands of equal width in mel, shape (_BANDS, frames)."""
    hop = max(_WINDOW // 4, len(audio) // _COLUMNS)
    padded = np.pad(audio, _WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::hop] * np.hanning(_WINDOW)
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / sample_rate)
    power = np.abs(np.fft.rfft(frames)).T ** 2
    edges = np.linspace(0, float(_mel(sample_rate / 2)), _BANDS + 2)[:, None]
    place = _mel(frequencies)[None, :]
    reach = np.maximum(edges[1] - edges[0], np.gradient(place[0])[None, :])
    weights = np.maximum(0, 1 - np.abs(place - edges[1:-1]) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ power
