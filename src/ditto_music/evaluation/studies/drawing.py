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


def line_over(ax: Axes, rows: Rows, place: str, column: Column, label: str) -> None:
    """One figure over the values of another that is the same in many rows."""
    groups = sorted(grouped(rows, [place]).items())
    values = [mean(column.key, some, column.over) for _, some in groups]
    plots.series(ax, np.array([float(at) for (at,), _ in groups]), *_arrays(values), label)


def line_through(ax: Axes, rows: Rows, by: str, across: Column, up: Column, label: str) -> None:
    """Two figures against one another, a point for each value of a third, in their order."""
    groups = [some for _, some in sorted(grouped(rows, [by]).items())]
    values = [mean(up.key, some, up.over) for some in groups]
    places = np.array([mean(across.key, some, across.over).value for some in groups])
    plots.series(ax, places, *_arrays(values), label)


def points(ax: Axes, groups: Mapping[str, Rows], column: Column) -> None:
    """A point a group."""
    values = [mean(column.key, some, column.over) for some in groups.values()]
    plots.compared(ax, [*groups], *_arrays(values), column.label)


def _arrays(values: Sequence[Interval]) -> tuple[plots.Floats, plots.Floats, plots.Floats]:
    return (
        np.array([value.value for value in values]),
        np.array([value.low for value in values]),
        np.array([value.high for value in values]),
    )
