"""How strongly a clip pulses at each tempo: the autocorrelation of its onset strength.

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
SOFTNESS = 0.1  # of the minimum
FLOOR = 1e-4  # dB^2 added to the variance of the onsets, so that silence has a finite gradient


def tempo_strength(onsets: Tensor, beats: int = 1) -> Tensor:
    """The least of the autocorrelations of onset strength at the first `beats` beats.

    Trackers look at one. Two pairs of onsets that happen to be a beat apart are no pulse, though:
    four tell.

    Parameters
    ----------
    onsets : (B, F), of `onset_strength`.

    Returns
    -------
    (B, 233) for `TEMPI`, from -1 to 1. Of D seconds of a perfect pulse with the period p it is
    ``1 - p / D`` at its own tempo and at whole fractions of it; 0 is no relation. Lags over half
    the clip do not count, apart from one beat. Differentiable everywhere: the minimum is soft.
    """
    seconds = onsets.shape[-1] * HOP_SECONDS
    beat = torch.arange(1, beats + 1, device=onsets.device)[:, None]
    lags = beat * (60 / TEMPI.to(onsets))
    overlap = 1 - lags / seconds  # what a perfect pulse would have
    counts = (overlap >= 0.5) | (beat == 1)
    fair = overlap[:1].clamp(min=0.5) / overlap.clamp(min=0.5)
    values = autocorrelation(onsets, lags.flatten()).unflatten(-1, lags.shape) * fair
    weights = counts / counts.sum(0)
    return -SOFTNESS * (weights.log() - values / SOFTNESS).logsumexp(-2)


def autocorrelation(onsets: Tensor, lags: Tensor) -> Tensor:
    """Autocorrelation (B, L) of onset strength (B, F) at `lags` (L,) in seconds; 1 at 0."""
    frames = onsets.shape[-1]
    size = 2 * ((frames + round(float(lags.max()) / HOP_SECONDS)) // 2 + 1)  # nothing wraps around
    spectrum = torch.fft.rfft(onsets - onsets.mean(-1, keepdim=True), size)
    power = spectrum.real.square() + spectrum.imag.square()
    power = torch.cat([power[:, :1], 2 * power[:, 1:-1], power[:, -1:]], dim=-1)
    turns = torch.arange(size // 2 + 1).to(onsets) * (2 * math.pi / size / HOP_SECONDS)
    total = power.sum(-1, keepdim=True) + FLOOR * frames * size
    return power @ torch.cos(turns[:, None] * lags) / total


def preference(bpm: Tensor) -> Tensor:
    """How much a tempo is preferred, from 0 to 1: 1 at 120 bpm, 0.61 at its half and double."""
    return torch.exp(-0.5 * torch.log2(bpm / 120).square())


def tempo(strength: Tensor) -> Tensor:
    """The preferred of `TEMPI` (B,) in bpm, from `tempo_strength` (B, 233)."""
    tempi = TEMPI.to(strength)
    return tempi[(strength * preference(tempi)).argmax(-1)]
