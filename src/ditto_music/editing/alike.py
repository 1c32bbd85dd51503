"""A recording's own music for a hole in it: what follows where it sounds most like here.

New music begins its search from this and some chance (`filling.initial_noise`), and so has the
sound, the density and the beat of what it joins. The levels of thirds of an octave beside the hole
are looked for in all that stays; a stretch that fits both sides is taken where one is long enough,
else several in a row, each where it goes on best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ditto_music.audio import Recording
from ditto_music.editing.joins import MOST_GAIN_DB, Audio, crossfade, mirror_between
from ditto_music.editing.seams import WEAK_DB, band_powers
from ditto_music.editing.windows import Window, outside

AROUND_SECONDS = 30.0  # looked through on either side of the hole
HOP_SECONDS = 0.01
FRAME, FADE = 4, 2  # hops
BESIDE, LEAST = 150, 25  # hops compared on either side, and at least
SHORTEST, LONGEST = 50, 600  # hops of one of several stretches
PLACES, APART = 8, 20  # chosen from, and hops between them
ALIKE_DB2 = 2.0  # that much worse is hardly told from the best

Array = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.integer[Any]]


def filled_alike(
    recording: Recording, window: Window, seed: int, source: tuple[int, int] | None = None
) -> Audio:
    """The window (C, N), its hole filled with the recording's own music from elsewhere.

    Where too little stays to choose from, the hole gets what is beside it, mirrored, as holes that
    are still to come always do.

    Parameters
    ----------
    seed : draws one of the places that fit about as well as the best.
    source : frames of the recording that may be taken; None: what stays within 30 s of the hole.
    """
    rate = recording.sample_rate
    reach = round(AROUND_SECONDS * rate)
    around = max(0, window.start - reach), min(recording.frames, window.stop + reach)
    holes = [(window.start, window.stop), *window.coming]
    spans = outside(around, holes) if source is None else [source]
    pieces = [recording.audio(*span).astype(np.float64) for span in spans]
    clip = mirror_between(recording.audio(window.begin, window.end), window.stays)
    filled = _grown(pieces, clip, window.hole, rate, seed)
    if filled is None:  # too little before it: from its end to its beginning
        turned = slice(window.end - window.stop, window.end - window.start)
        pieces = [piece[:, ::-1] for piece in pieces]
        backwards = _grown(pieces, clip[:, ::-1], turned, rate, seed)
        filled = None if backwards is None else backwards[:, ::-1]
    return clip if filled is None else filled


def _grown(pieces: Sequence[Audio], clip: Audio, hole: slice, rate: int, seed: int) -> Audio | None:
    """`clip` (C, N) with the hole filled from its beginning on; None where no piece fits."""
    hop = round(HOP_SECONDS * rate)
    audio = np.concatenate(pieces, axis=1)
    ends = np.cumsum([piece.shape[1] for piece in pieces])
    levels = Levels(audio, rate, hop)
    there = levels(audio)
    rows = np.arange(len(there)) * hop
    owners = np.searchsorted(ends, rows, side="right")
    chance = np.random.default_rng(seed)
    finder = Finder(there, levels.floor, owners, (ends[owners] - rows) // hop, chance)
    after = levels(clip[:, hole.stop :][:, : (BESIDE + FRAME) * hop])
    out, place = clip.copy(), hole.start
    while place < hole.stop:
        before = levels(out[:, max(0, place - (BESIDE + FRAME) * hop) : place])
        found = finder.best(before, after, -(-(hole.stop - place) // hop))
        if found is None:
            return None
        start, count = found.start * hop, min(found.hops * hop, hole.stop - place)
        fade = min(FADE * hop, place, start)
        taken = audio[:, start - fade : start + count]
        taken = taken * 10 ** (np.linspace(*found.gains, taken.shape[1]) / 20)
        out[:, place - fade : place] = crossfade(out[:, place - fade : place], taken[:, :fade])
        out[:, place : place + count] = taken[:, fade:]
        place += count
    return out


class Levels:
    """Levels in dB, a row each hop: (T, 1 + B), overall and in thirds of an octave."""

    def __init__(self, audio: Audio, rate: int, hop: int) -> None:
        self.rate, self.hop = rate, hop
        power = band_powers(audio.mean(0), FRAME * hop, hop, rate)
        self.floor = 10 * np.log10(float(power.sum(1).max(initial=1e-4))) + WEAK_DB

    def __call__(self, audio: Audio) -> Array:
        """Of audio (C, N); row t is of the four hops from hop t on."""
        power = band_powers(audio.mean(0), FRAME * self.hop, self.hop, self.rate)
        overall = 10 * np.log10(power.sum(1, keepdims=True) + 1e-12)
        return np.hstack([overall, np.maximum(10 * np.log10(power + 1e-12), self.floor)])


class Stretch(NamedTuple):
    """Hops to take: the first, how many, and the gain in dB at either end."""

    start: int
    hops: int
    gains: tuple[float, float]


@dataclass(frozen=True)
class Finder:
    """Where in a recording music goes on as it should here.

    Attributes
    ----------
    levels, floor : of the pieces there are (T, 1 + B), and under which nothing is heard, in dB.
    owners, runs : the piece of each hop, and how many hops of it are left (T,).
    chance : chooses among places.
    """

    levels: Array
    floor: float
    owners: Counts
    runs: Counts
    chance: np.random.Generator

    def best(self, before: Array, after: Array, wanted: int) -> Stretch | None:
        """The stretch that fits best, or None.

        It should come after what is like `before` and last `wanted` hops, to what is like `after`;
        else it is as long as it may be. Without an end to meet it goes back to its own loudness.
        """
        here, first = self.mismatch(before, 1 - FRAME - len(before))
        there, last = self.mismatch(after, wanted)
        met = np.isfinite(there).any()
        both = np.where(self.runs >= wanted, here + there if met else here, np.inf)
        if np.isfinite(both).any():
            start = self.one_of(both)
            return Stretch(start, wanted, (first[start], last[start] if met else 0.0))
        some = np.where(self.runs >= SHORTEST, here, np.inf)
        if not np.isfinite(some).any():
            return None
        start = self.one_of(some)
        gains = first[start], first[start] if met else 0.0
        return Stretch(start, min(int(self.runs[start]), LONGEST), gains)

    def one_of(self, cost: Array) -> int:
        """One of the least costly places (T,), none within `APART` of a better one.

        The worse, the less likely, by the measure of the best.
        """
        left, places = cost.copy(), list[int]()
        while len(places) < PLACES and np.isfinite(left).any():
            places.append(int(left.argmin()))
            left[max(0, places[-1] - APART) : places[-1] + APART + 1] = np.inf
        costs = cost[places]
        likely = np.exp((costs[0] - costs) / (costs[0] / 4 + ALIKE_DB2))
        return places[int(self.chance.choice(len(places), p=likely / likely.sum()))]

    def mismatch(self, rows: Array, offset: int) -> tuple[Array, Array]:
        """Of `rows` (K, 1 + B) against those from each hop + offset on, in any loudness.

        Returns the mean squared difference in dB² (T,) of bands that are heard in either, infinite
        where too few rows are known, and the gain in dB (T,) that makes both as loud.
        """
        size = len(self.levels)
        square, apart, louder, bands, count = np.zeros((5, size))
        for number, row in enumerate(rows):
            place = np.arange(size) + offset + number
            inside = (place >= 0) & (place < size)
            there = place[inside]
            mine = self.owners[there] == self.owners[inside]
            inside[inside] = mine & (self.runs[there] >= FRAME)
            there = self.levels[place[inside]]
            louder[inside] += row[0] - there[:, 0]
            square[inside] += np.square(row - there).sum(1)
            apart[inside] += (row - there).sum(1)
            bands[inside] += (np.maximum(row, there) > self.floor).sum(1)
            count += inside
        bands = np.maximum(bands, 1)
        gain = np.clip(louder / np.maximum(count, 1), -MOST_GAIN_DB, MOST_GAIN_DB)
        cost = square / bands - 2 * gain * apart / bands + gain**2
        return np.where(count >= LEAST, cost, np.inf), gain
