"""How much a join stands out: the change across it against the changes inside the music itself.

The change at a moment compares the 43 ms before it with the 43 ms after: the *flux* is the mean
absolute difference of third-octave band levels in dB, the *jump* that of the overall level. A join
lasts from the edge as far into the new music as it may be faded, 0.2 s, and is as large as the
largest change there or within 40 ms of it; inside the music the maximum over as long a time is
taken everywhere else, so like is compared with like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ditto_music.audio import Recording

Array = npt.NDArray[np.floating[Any]]

FRAME_SECONDS = 1024 / 24_000
HOP_SECONDS = FRAME_SECONDS / 8
REACH_SECONDS = 0.04
JOIN_SECONDS = 0.2  # the longest fade, and where it may begin
LOUD = 0.95  # quantile of the overall level that counts as the music's own
WEAK_DB = -60.0  # under that nothing is heard
AROUND_SECONDS = 15.0


@dataclass(frozen=True)
class Seam:
    """One join, measured.

    Attributes
    ----------
    seconds : where.
    flux, jump : the change across the join, in dB.
    inside_flux, inside_jump : median of the same inside the music that stays.
    flux_rank, jump_rank : share of moments inside the music with a smaller change; at or under
        0.95 the join does not stand out.
    """

    seconds: float
    flux: float
    jump: float
    inside_flux: float
    inside_jump: float
    flux_rank: float
    jump_rank: float


def measure_seam(recording: Recording, seconds: float, new: Sequence[tuple[float, float]]) -> Seam:
    """Measure the join at `seconds`; `new` are the regions that were made.

    The music inside is that within `AROUND_SECONDS` of the join; what was made counts only where
    there is nothing else.
    """
    rate = recording.sample_rate
    first = max(0, round((seconds - AROUND_SECONDS) * rate))
    audio = recording.audio(first, round((seconds + AROUND_SECONDS) * rate))
    flux, jump, times = changes(audio, rate)
    times = times + first / rate
    before, after = (
        REACH_SECONDS + JOIN_SECONDS * any(abs(edge - seconds) < 1e-3 for edge in edges)
        for edges in ([stop for _, stop in new], [start for start, _ in new])
    )
    near = (times >= seconds - before) & (times <= seconds + after)
    half = (before + after) / 2
    inside = np.ones(len(times), dtype=bool)
    for start, stop in new:
        inside &= (times < start - half - REACH_SECONDS) | (times > stop + half + REACH_SECONDS)
    if not inside.any():
        middle = seconds + (after - before) / 2
        inside = np.abs(times - middle) > 2 * half
    if not inside.any() or not near.any():
        nothing = float("nan")
        return Seam(seconds, nothing, nothing, nothing, nothing, nothing, nothing)
    own_flux, own_jump = (_maxima(x, times, half)[inside] for x in (flux, jump))
    here_flux, here_jump = float(flux[near].max()), float(jump[near].max())
    return Seam(
        seconds,
        here_flux,
        here_jump,
        float(np.median(own_flux)),
        float(np.median(own_jump)),
        float((own_flux < here_flux).mean()),
        float((own_jump < here_jump).mean()),
    )


def changes(audio: Array, sample_rate: int) -> tuple[Array, Array, Array]:
    """Flux and jump in dB (F,) and their times in seconds (F,)."""
    frame, hop = round(FRAME_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
    mono = audio.mean(0)
    if len(mono) < 2 * frame:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    bands = band_powers(mono, frame, hop, sample_rate)
    whole = bands.sum(1)
    floor = max(10 ** (WEAK_DB / 10) * float(np.quantile(whole, LOUD)), 1e-12)
    levels, overall = (10 * np.log10(np.maximum(power, floor)) for power in (bands, whole))
    gap = round(frame / hop)
    flux = np.abs(levels[gap:] - levels[:-gap]).mean(1)
    jump = np.abs(overall[gap:] - overall[:-gap])
    return flux, jump, (np.arange(len(flux)) * hop + frame) / sample_rate


def band_powers(mono: Array, frame: int, hop: int, sample_rate: int) -> Array:
    """Power under 80 Hz and of thirds of an octave above, in frames of `mono` (N,): (F, bands)."""
    if len(mono) < frame:
        return np.zeros((0, 1))
    frames = np.lib.stride_tricks.sliding_window_view(mono, frame)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(frame))) ** 2 / (frame / 4) ** 2
    return power @ _third_octaves(frame, sample_rate)


def _third_octaves(frame: int, sample_rate: int) -> Array:
    """Sums of bins (bins, bands): all under 80 Hz, then thirds of an octave."""
    edges = np.append(0.0, 80 * 2 ** (np.arange(0, 30) / 3))
    edges = edges[edges < sample_rate / 2]
    hertz = np.fft.rfftfreq(frame, 1 / sample_rate)
    banks = (hertz[:, None] >= edges[:-1]) & (hertz[:, None] < edges[1:])
    return banks[:, banks.any(0)].astype(np.float64)


def _maxima(values: Array, times: Array, half: float) -> Array:
    """Running maximum over `half` seconds to either side."""
    reach = int(half / (times[1] - times[0])) if len(times) > 1 else 0
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(1)
