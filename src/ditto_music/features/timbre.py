"""Timbre: mel-frequency cepstral coefficients without the first (DITTO).

Conventions: 40 mel bands up to 8 kHz (or half the sample rate) of frames of 85 ms, stepping by
43 ms, all scaled with the sample rate. The spectrum is taken relative to the clip's mean, with a
floor 60 dB below it, so neither a gain nor what is too quiet to be heard counts.

A moment of music is the mean of eight frames (0.3 s), one every 0.13 s, and its timbre is how it
differs from the clip's mean, as a vector of length one: the paper's "normalised across the time
axis". Were the mean left in, any two moments of music would be much alike. Silence differs from the
mean as well, and always in one way, so it would be a sound like any other: a vector is the shorter
the less of its moment is heard, by half 40 dB below the clip's mean.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.errors import InputError
from ditto_music.features.spectrogram import mel_filters, power_spectrogram
from ditto_music.modes import apart

HOP_SECONDS = 1024 / 24_000  # half a window
BANDS, HIGHEST = 40, 8000.0  # Hz
COEFFICIENTS = 20  # of which the first is dropped
FLOOR = 1e-6  # of the clip's mean band
SILENCE = 1e-10  # power: a mean band under this, about -110 dBFS, counts as silence
HEARD = 1e-4  # of the clip's mean power: half of a moment as soft is heard
FRAMES, STEP = 8, 3  # frames averaged into a moment, and from one moment to the next
MOMENT_SECONDS = (FRAMES - 1) * HOP_SECONDS
STEP_SECONDS = STEP * HOP_SECONDS
SLIGHT = 1.0  # dB in every band: what differs less than about this has no timbre of its own


def mfcc(audio: Tensor, sample_rate: int) -> Tensor:
    """Mel-frequency cepstral coefficients of mono audio, in dB, without the first.

    Parameters
    ----------
    audio : (B, N)
    sample_rate : Hz

    Returns
    -------
    (B, 19, frames); a gain leaves them unchanged. Differentiable everywhere.

    Raises
    ------
    InputError
        If the audio is shorter than half a frame (43 ms).
    """
    return _cepstrum(_bands(audio, sample_rate))


def timbre(audio: Tensor, sample_rate: int, weights: Tensor | None = None) -> Tensor:
    """Timbre of each moment of mono audio, relative to the clip's mean.

    Parameters
    ----------
    audio : (B, N)
    sample_rate : Hz
    weights : (F,) of each moment in that mean, their sum one; all alike where not given.

    Returns
    -------
    (B, 19, F) of length one, or less where a moment differs little from the mean or is hardly
    heard, at the times `timbre_times` gives. Differentiable everywhere.

    Raises
    ------
    InputError
        If the audio is shorter than one moment (0.3 s).
    """
    if not len(timbre_times(audio.shape[-1], sample_rate)):
        raise InputError(
            f"audio of {audio.shape[-1] / sample_rate:.2f} s is shorter than one moment of timbre "
            f"({MOMENT_SECONDS:.2g} s): give at least that much"
        )
    bands = _bands(audio, sample_rate)
    moments = F.avg_pool1d(_cepstrum(bands), FRAMES, STEP)
    if weights is None:
        mean = moments.mean(-1, keepdim=True)
    else:
        mean = (moments * weights).sum(-1, keepdim=True)
    own = moments - mean
    power = F.avg_pool1d(bands.mean(1, keepdim=True), FRAMES, STEP)
    heard = power / (power + HEARD)
    return heard * own / (own.square().sum(1, keepdim=True) + BANDS * SLIGHT**2).sqrt()


def timbre_times(samples: int, sample_rate: int) -> Tensor:
    """Centres (F,) in seconds of the moments of `samples` samples of audio."""
    hop = _hop(sample_rate)
    count = max(0, (samples // hop + 1 - FRAMES) // STEP + 1)
    return (torch.arange(count) * STEP + (FRAMES - 1) / 2) * (hop / sample_rate)


def _bands(audio: Tensor, sample_rate: int) -> Tensor:
    """Power of the mel bands over the clip's mean band, (B, 40, frames), of mono audio (B, N)."""
    hop = _hop(sample_rate)
    bank = mel_filters(sample_rate, 2 * hop, BANDS, high=min(HIGHEST, sample_rate / 2))
    bands = bank.to(audio) @ power_spectrogram(audio, 2 * hop, hop)
    return bands / (bands.mean((1, 2), keepdim=True) + SILENCE)


def _cepstrum(bands: Tensor) -> Tensor:
    """Coefficients (B, 19, frames), in dB, of such bands (B, 40, frames)."""
    return _cosines(BANDS, COEFFICIENTS)[1:].to(bands) @ (10 * torch.log10(bands + FLOOR))


@cache
@apart()
def _cosines(size: int, count: int) -> Tensor:
    """The first rows (count, size) of the orthonormal discrete cosine transform, DCT-II."""
    places = (torch.arange(size, dtype=torch.float64) + 0.5) * math.pi / size
    rows = torch.cos(torch.arange(count, dtype=torch.float64)[:, None] * places)
    rows[0] /= math.sqrt(2)
    return rows * math.sqrt(2 / size)


def _hop(sample_rate: int) -> int:
    """In samples; a window is two."""
    return round(HOP_SECONDS * sample_rate)
