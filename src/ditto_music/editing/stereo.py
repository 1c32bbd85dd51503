"""Mono music for a stereo recording: as it is panned and as wide as what stands beside it.

The new music is taken as the middle of the two channels, so that their mean is the new music
itself. To the sides go, in each third of an octave, as much of it as the recording's sides have of
its own middle (panning), and as much of a version of it with other phases as the rest of the
recording's sides is strong (width).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ditto_music.editing.joins import Audio, rms
from ditto_music.editing.spectra import filtered, spectra, thirds

SMEAR_SECONDS = 0.02  # of the version with other phases
WIDEST = 1.5  # sides over middle, amplitudes


def spread(new: Audio, like: Audio, sample_rate: int) -> Audio:
    """Bring `new` (channels, N) to the channels of `like` (C, M).

    As many channels as there stay as they are. Otherwise the new music becomes mono, and that two
    channels by the panning and width of `like`, or more by the level of each of its channels.
    """
    if len(new) == len(like):
        return new
    mono = new.mean(0)
    if len(like) != 2:
        middle = rms(like.mean(0))
        gains = np.array([rms(channel) / middle for channel in like])
        return np.clip(gains, 0, 4)[:, None] * mono
    panning, width = _sides(like)
    if width.max() < 1e-3:
        side = filtered(mono, panning)
    else:
        other = np.convolve(mono, _other_phases(sample_rate))[: len(mono)]
        side = filtered(mono, panning) + filtered(other, width)
    return np.stack([mono + side, mono - side])


def _sides(stereo: Audio) -> tuple[Audio, Audio]:
    """Of a recording (2, N): share of the middle in its sides, and the rest, a bin (BINS + 1,)."""
    middle, side = (stereo[0] + stereo[1]) / 2, (stereo[0] - stereo[1]) / 2
    a, b = spectra(middle), spectra(side)
    power, cross, rest = (
        thirds(x.sum(0)) for x in (np.abs(a) ** 2, (b * a.conj()).real, np.abs(b) ** 2)
    )
    floor = 1e-8 * power.max() + 1e-12
    panning = np.clip(cross / (power + floor), -WIDEST, WIDEST)
    width = np.sqrt(np.clip(rest / (power + floor) - panning**2, 0, WIDEST**2))
    return panning, width


@cache
def _other_phases(sample_rate: int) -> npt.NDArray[np.floating[Any]]:
    """An impulse response (n,) that keeps every magnitude and makes the phases random."""
    size = round(SMEAR_SECONDS * sample_rate)
    noise = np.random.default_rng(0).standard_normal(size) * np.hanning(size)
    spectrum = np.fft.rfft(noise)
    return np.fft.irfft(spectrum / np.maximum(np.abs(spectrum), 1e-12), size)
