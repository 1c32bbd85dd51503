"""Tables of studies: means with intervals, in Markdown and as rows of a spreadsheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ditto_music.evaluation.intervals import Interval, of_mean, of_ratio
from ditto_music.evaluation.targets import PROMPTS


@dataclass(frozen=True)
class Column:
    """A figure of the rows.

    Attributes
    ----------
    key : in the rows.
    label : with its unit.
    digits : after the point.
    over : key of what its mean is divided by the mean of; None: the mean itself is told.
    """

    key: str
    label: str
    digits: int = 2
    over: str | None = None


@dataclass(frozen=True)
class Line:
    """What tells a line from others, and its figures by the columns' keys."""

    heads: tuple[str, ...]
    figures: Mapping[str, Interval]


@dataclass(frozen=True)
class Table:
    """Lines and how to read them.

    Attributes
    ----------
    heads : names of what tells lines apart.
    notes : sentences below it.
    """

    heads: Sequence[str]
    columns: Sequence[Column]
    lines: Sequence[Line]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Brackets are 95% intervals."""
        labels = [*self.heads, *(column.label for column in self.columns)]
        out = [f"| {' | '.join(labels)} |", "|---" * len(labels) + "|"]
        for line in self.lines:
            cells = [_text(line.figures.get(each.key), each.digits) for each in self.columns]
            out.append(f"| {' | '.join([*line.heads, *cells])} |")
        return "\n".join([*out, *(f"\n{note}" for note in self.notes)])

    def rows(self) -> Iterator[list[str | float | int]]:
        """A line a number."""
        yield [*self.heads, "figure", "value", "low", "high", "items"]
        for line in self.lines:
            for column in self.columns:
                found = line.figures.get(column.key)
                if found is not None and found.count:
                    numbers = (found.value, found.low, found.high)
                    known = ["" if math.isnan(x) else x for x in numbers]
                    yield [*line.heads, column.label, *known, found.count]

    def line(self, *heads: str) -> Mapping[str, Interval]:
        """The figures of the line with these heads."""
        return next(line.figures for line in self.lines if line.heads == heads)


def summed(
    rows: Sequence[Mapping[str, Any]],
    heads: Mapping[str, str],
    columns: Sequence[Column],
    notes: Sequence[str] = (),
) -> Table:
    """A line for each combination that occurs, in the order in which they do.

    Parameters
    ----------
    rows : of all items.
    heads : names of the table by the rows' keys that tell lines apart.
    columns : of which the mean is taken; what is None or missing in a row is left out.
    """
    lines = [
        Line(
            tuple(told(value) for value in which),
            {column.key: mean(column.key, some, column.over) for column in columns},
        )
        for which, some in grouped(rows, heads).items()
    ]
    return Table([*heads.values()], columns, lines, notes)


def grouped(
    rows: Iterable[Mapping[str, Any]], keys: Iterable[str]
) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    """Rows by their values of some keys."""
    keys = [*keys]
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def mean(key: str, rows: Sequence[Mapping[str, Any]], over: str | None = None) -> Interval:
    """Of one figure over rows, or of its mean over that of another, with its interval.

    Rows of one prompt are not independent.
    """
    rng = np.random.default_rng(0)
    prompts = [int(row["prompt"]) % len(PROMPTS) for row in rows if "prompt" in row]
    groups = prompts if len(prompts) == len(rows) else ()
    if over is None:
        return of_mean(_values(key, rows), rng, groups)
    return of_ratio(_values(key, rows), _values(over, rows), rng, groups)


def _values(key: str, rows: Sequence[Mapping[str, Any]]) -> list[float]:
    return [math.nan if row.get(key) is None else float(row[key]) for row in rows]


def told(value: object) -> str:
    """A number as short as it goes; anything else as it is."""
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def _text(value: Interval | None, digits: int) -> str:
    return "" if value is None or math.isnan(value.value) else value.text(digits)
