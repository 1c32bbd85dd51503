"""Means of rows with their intervals, on axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ditto_music.audio import plots
from ditto_music.evaluation.intervals import Interval
from ditto_music.evaluation.studies.tables import Column, grouped, mean

Rows = Sequence[Mapping[str, Any]]


def line_over(ax: Axes, rows: Rows, place: str, key: str, label: str) -> None:
    """The mean of one figure over the values of another that is the same in many rows."""
    groups = sorted(grouped(rows, [place]).items())
    values = [mean(key, some) for _, some in groups]
    plots.series(ax, np.array([float(at) for (at,), _ in groups]), *_arrays(values), label)


def line_through(ax: Axes, rows: Rows, by: str, across: str, up: str, label: str) -> None:
    """Two figures' means against one another, a point for each value of a third, in their order."""
    groups = [some for _, some in sorted(grouped(rows, [by]).items())]
    values = [mean(up, some) for some in groups]
    places = np.array([mean(across, some).value for some in groups])
    plots.series(ax, places, *_arrays(values), label)


def points(ax: Axes, groups: Mapping[str, Rows], column: Column) -> None:
    """A point a group."""
    values = [mean(column.key, some) for some in groups.values()]
    plots.compared(ax, [*groups], *_arrays(values), column.label)


def _arrays(values: Sequence[Interval]) -> tuple[plots.Floats, plots.Floats, plots.Floats]:
    return (
        np.array([value.value for value in values]),
        np.array([value.low for value in values]),
        np.array([value.high for value in values]),
    )
