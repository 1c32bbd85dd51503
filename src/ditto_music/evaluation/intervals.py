"""95% intervals by the bootstrap: of means over clips, of their ratios, and of sets' distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap

Floats = npt.NDArray[np.float64]
LEVEL = 0.95
FEWEST = 8  # clips; of three no resample leaves their range, which holds the truth 3 times of 4
RESAMPLES = 2000
HALVES = 200
ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """A value and where it would lie for other clips of the same kind, 95 times of 100.

    Attributes
    ----------
    low, high : NaN where there are too few clips to tell, or groups of them: under 8.
    count : clips.
    """

    value: float
    low: float
    high: float
    count: int

    def text(self, digits: int = 2) -> str:
        """Such as "1.23 [1.10, 1.40]"."""
        if math.isnan(self.low):
            return f"{self.value:.{digits}f}"
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def of_mean(
    values: Sequence[float], rng: np.random.Generator, groups: Sequence[Hashable] = ()
) -> Interval:
    """The mean of clips' figures, with its BCa interval (Efron 1987).

    Figures that are NaN are left out. Of 8 clips it holds the truth about 88 times of 100, of 25
    about 93.

    Parameters
    ----------
    groups : of each clip, where those of one are not independent, as of one prompt: what is drawn
        again are groups, and 8 of them are needed. None given: clips.
    """
    kept = [index for index, value in enumerate(values) if not math.isnan(value)]
    clips = np.array([values[index] for index in kept], np.float64)
    if not len(clips):
        return Interval(math.nan, math.nan, math.nan, 0)
    which = [groups[index] for index in kept] if groups else kept
    found = of_ratio([*clips], [1.0] * len(clips), rng, which)
    return replace(found, value=float(clips.mean()))


def numbered(groups: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    """Of each clip the number of its group, from 0, in the order in which they come."""
    known = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([known[group] for group in groups], np.intp)


def of_ratio(
    tops: Sequence[float],
    bottoms: Sequence[float],
    rng: np.random.Generator,
    groups: Sequence[Hashable] = (),
) -> Interval:
    """One mean over another of the same items, with its BCa interval over items, or over groups.

    The mean of the items' own ratios would be larger, by as much as what they are divided by
    varies. Items where either is NaN are left out; where the lower mean is not above 0, none count.

    Parameters
    ----------
    groups : of each item, as of `of_mean`.
    """
    pairs = np.array([tops, bottoms], np.float64)
    known = ~np.isnan(pairs.sum(0))
    top, bottom = pairs[:, known]
    count = len(top)
    if not count or bottom.mean() <= 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    if groups:
        which = numbered([group for group, kept in zip(groups, known, strict=True) if kept])
        top, bottom = (np.bincount(which, each).astype(np.float64) for each in (top, bottom))

    def ratio(top: Floats, bottom: Floats, axis: int = -1) -> Floats:
        below = bottom.mean(axis)
        return np.where(below > 0, top.mean(axis) / np.where(below > 0, below, 1), math.nan)

    value = float(ratio(top, bottom))
    alike = np.ptp(top - value * bottom) <= ROUNDING * np.abs(top).max()
    if len(top) < FEWEST or alike:
        edge = value if len(top) >= FEWEST else math.nan
        return Interval(value, edge, edge, count)
    found = bootstrap(
        (top, bottom), ratio, paired=True, confidence_level=LEVEL, n_resamples=RESAMPLES,
        method="BCa", rng=rng,
    ).confidence_interval  # fmt: skip
    return Interval(value, float(found.low), float(found.high), count)


def of_distance(
    distance: Callable[[Floats], float],
    made: npt.ArrayLike,
    rng: np.random.Generator,
    halves: int = HALVES,
    groups: Sequence[str] = (),
) -> Interval:
    """A distance of a set of clips to a fixed reference, with its interval by random halves.

    A bootstrap with repetition would show a distance the same clip several times, which it takes
    for a smaller spread. Halves without repetition vary around their mean as much as sets of the
    full size do around theirs (Politis and Romano 1994, at half the size).
    Of 8 to 40 clips the interval holds the truth 89 to 93 times of 100; that of the Frechet
    distance less its bias of 8 clips 98 times.

    Parameters
    ----------
    distance : of a set (n, d); it should have little bias, for that is no part of the interval.
    made : (n, d)
    halves : how many.
    groups : of each clip, as of `of_mean`: a half is of the groups.
    """
    points = np.asarray(made, np.float64)
    value = distance(points)
    which = numbered(groups or range(len(points)))
    count = which.max() + 1
    if count < FEWEST:
        return Interval(value, math.nan, math.nan, len(points))
    size = count // 2
    drawn = [distance(points[np.isin(which, rng.permutation(count)[:size])]) for _ in range(halves)]
    scale = math.sqrt(size / (count - size))  # 1 for an even number
    apart = scale * (np.array(drawn) - np.mean(drawn))
    low, high = np.quantile(apart, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, value - float(high), value - float(low), len(points))
