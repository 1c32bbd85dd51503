"""How strongly a clip repeats at each tempo: the autocorrelation of its onset strength.

Listeners, and beat trackers, prefer tempi near 120 bpm where several explain the same onsets; the
preference is log-normal, an octave wide, as in Ellis (2007), "Beat tracking by dynamic
programming".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ditto_music.features.onset import HOP_SECONDS

SLOWEST, FASTEST = 30.0, 300.0  # bpm
TEMPI = torch.logspace(math.log10(SLOWEST), math.log10(FASTEST), 233)  # 1% apart
FLOOR = 1e-4  # dB^2 added to the variance of the onsets, so that silence has a finite gradient


def tempo_strength(onsets: Tensor) -> Tensor:
    """Autocorrelation of onset strength at the beat of each of `TEMPI`.

    Parameters
    ----------
    onsets : (B, F), of `onset_strength`.

    Returns
    -------
    (B, 233), from -1 to 1. Of D seconds of a perfect pulse with the period p it is ``1 - p / D``
    at its own tempo and at whole fractions of it; 0 is no relation; differentiable everywhere.
    """
    frames = onsets.shape[-1]
    lags = 60 / TEMPI.double() / HOP_SECONDS
    size = 2 * ((frames + int(lags.max())) // 2 + 1)  # so that nothing wraps around
    spectrum = torch.fft.rfft(onsets - onsets.mean(-1, keepdim=True), size)
    power = spectrum.real.square() + spectrum.imag.square()
    turns = torch.arange(size // 2 + 1, dtype=torch.float64) / size
    waves = 2 * torch.cos(2 * math.pi * turns[:, None] * lags)
    waves[[0, -1]] /= 2
    variance = (2 * power.sum(-1) - power[:, 0] - power[:, -1]) / size
    return power @ waves.to(power) / size / (variance + FLOOR * frames)[:, None]


def preference(bpm: Tensor) -> Tensor:
    """How much a tempo is preferred, from 0 to 1: 1 at 120 bpm, 0.61 at its half and double."""
    return torch.exp(-0.5 * torch.log2(bpm / 120).square())


def tempo(strength: Tensor) -> Tensor:
    """The preferred of `TEMPI` (B,) in bpm, from `tempo_strength` (B, 233)."""
    tempi = TEMPI.to(strength)
    return tempi[(strength * preference(tempi)).argmax(-1)]
