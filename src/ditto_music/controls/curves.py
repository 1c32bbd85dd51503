"""Curves over time in every form people have them: two ends, break points, a CSV, a recording.

A curve is a list of ``(seconds, value)`` points joined by straight lines and held at its ends.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ditto_music.audio import names_file
from ditto_music.audio.files import names_audio
from ditto_music.controls.base import SLACK
from ditto_music.errors import InputError

_NUMBER = re.compile(r"[-+]?\.?\d")  # what begins so was meant for one

CurveLike = str | Path | Sequence[float] | Sequence[tuple[float, float]] | np.ndarray


@dataclass(frozen=True)
class Points:
    """A curve by its break points; `relative` times run from 0 to 1 over the clip."""

    times: tuple[float, ...]
    values: tuple[float, ...]
    relative: bool = False

    def at(self, times: Tensor, seconds: float) -> Tensor:
        """Values at `times` (F,) in seconds of a clip of `seconds`.

        A point that is up to `SLACK` beyond the end of the clip is one at its end.

        Raises
        ------
        InputError
            If a break point lies outside the clip.
        """
        own = np.array(self.times) * (seconds if self.relative else 1.0)
        outside = own[(own < -1e-6) | (own > seconds + SLACK)]
        if len(outside):
            raise InputError(
                f"curve: the point at {outside[0]:g} s lies outside the clip of {seconds:g} s: "
                "move it or change the duration"
            )
        own = own.clip(0, seconds)
        values = np.interp(times.numpy().astype(np.float64), own, np.array(self.values))
        return torch.from_numpy(values).float()


def points(values: Sequence[float] | Sequence[tuple[float, float]] | np.ndarray) -> Points:
    """Break points from numbers spread evenly over the clip, or from (seconds, value) pairs.

    Raises
    ------
    InputError
        If there are none, one is no finite number or pair of them, or times do not rise (equal
        times make a step).
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            "curve: give numbers spread over the clip, or (seconds, value) pairs, and no mixture"
        ) from None
    if array.size == 0 or array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 2):
        raise InputError(
            "curve: give numbers spread over the clip, or (seconds, value) pairs; "
            f"this has the shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise InputError("curve: every point must be a finite number")
    if array.ndim < 2:
        levels = np.atleast_1d(array)
        return Points(tuple(np.linspace(0, 1, len(levels))), tuple(levels), relative=True)
    times, levels = array.T
    if (np.diff(times) < 0).any():
        where = int(np.flatnonzero(np.diff(times) < 0)[0])
        raise InputError(
            f"curve: times must rise, but {times[where + 1]:g} s comes after {times[where]:g} s: "
            "sort the points"
        )
    return Points(tuple(times), tuple(levels))


def understand(curve: CurveLike, what: str, unit: str) -> Points | Path:
    """Break points, or the path of a recording to copy.

    Parameters
    ----------
    curve : numbers, pairs, text, or the path of a CSV or an audio file.
    what, unit : of the values, for messages, such as "intensity" and "dB".

    Raises
    ------
    InputError
        If it is none of these.
    """
    if not isinstance(curve, str | Path):
        return points(curve)
    path = Path(curve)
    if path.suffix.lower() == ".csv":
        return read_points(path, unit)
    if names_file(path):
        return path
    if isinstance(curve, Path) or names_audio(path):
        raise InputError(f"{curve}: no such file for the {what} curve (or give {forms(unit)})")
    return parse_points(curve, unit)


def forms(unit: str) -> str:
    """How a curve in `unit` can be given, in words."""
    return (
        f"start:end, a list of seconds={unit} points, a CSV of seconds,{unit} rows, "
        "or an audio file"
    )


def parse_points(text: str, unit: str = "dB") -> Points:
    """Break points from ``start:end`` (any number of values) or ``seconds=value`` pairs.

    Pairs are separated by commas or spaces.

    Raises
    ------
    InputError
        If the text is neither.
    """
    try:
        if "=" in text:
            pairs = [pair.split("=") for pair in text.replace(",", " ").split()]
            return points([(float(time), float(value)) for time, value in pairs])
        return points([float(part) for part in text.split(":")])
    except InputError:
        raise
    except ValueError:
        raise InputError(f"curve '{text}' is not understood: give {forms(unit)}") from None


def read_points(path: Path, unit: str = "dB") -> Points:
    """Break points from a CSV of ``seconds,value`` rows; a first row of words is a heading.

    Cells may also be parted by ``;`` or tabs, as spreadsheets do whose numbers have decimal commas.

    Raises
    ------
    InputError
        If a row does not hold two numbers, with its line number, or the file is no text.
    """
    text = _text_of(path)
    mark = next((mark for mark in ";\t" if mark in text), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    rows: list[tuple[float, float]] = []
    for number, row in enumerate(reader):
        cells = [cell.strip().replace(",", ".") for cell in row]
        if not any(cells):
            continue
        try:
            time, value = map(float, cells)
            rows.append((time, value))
        except ValueError:
            if number > 0 or any(map(_NUMBER.match, cells)):
                raise InputError(
                    f"{path}, line {reader.line_num}: expected seconds{mark}{unit} but found "
                    f"'{mark.join(row)[:40]}'"
                ) from None
    if not rows:
        raise InputError(f"{path}: holds no seconds,{unit} rows")
    return points(rows)


def _text_of(path: Path) -> str:
    """A file in UTF-8, or in UTF-16 where it says so."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a CSV curve ({error})") from None
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    with suppress(UnicodeDecodeError):
        text = data.decode("utf-16" if wide else "utf-8-sig")
        if "\0" not in text:
            return text
    raise InputError(f"{path}: is not text in UTF-8 or UTF-16: save it as a CSV in UTF-8")
