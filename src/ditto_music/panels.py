"""What a control has to show of one clip: what was asked beside what was achieved.

Plain values, drawn by `ditto_music.pictures`; every tensor is on the CPU and without gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Curve:
    """Two lines against time in seconds or another axis, all (F,); NaN leaves a gap."""

    name: str
    unit: str
    times: Tensor
    target: Tensor
    achieved: Tensor
    axis: str = "time (s)"


@dataclass(frozen=True)
class Roll:
    """One row of many at each time, such as a pitch class.

    Attributes
    ----------
    rows : their names, the lowest first.
    times : (F,) seconds.
    target : (F,) integer, the row asked for, or -1 where none is.
    achieved : (rows, F), how strongly each row is there.
    """

    name: str
    rows: Sequence[str]
    times: Tensor
    target: Tensor
    achieved: Tensor


@dataclass(frozen=True)
class Matrices:
    """Two square matrices (F, F) of likeness between moments, from 0 to `seconds`."""

    name: str
    seconds: float
    target: Tensor
    achieved: Tensor


@dataclass(frozen=True)
class Bars:
    """Two values a label, (L,)."""

    name: str
    unit: str
    labels: Sequence[str]
    target: Tensor
    achieved: Tensor


Panel = Curve | Roll | Matrices | Bars
