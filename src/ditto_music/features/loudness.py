"""Intensity: frame-wise RMS in dBFS, smoothed over about a second (DITTO, after Music ControlNet).

Conventions: 0 dBFS is a full-scale square wave, so a sine of amplitude A reads
``20 log10(A / sqrt 2)``. Frames last 2048 samples at 24 kHz and step by 512; both scale with the
sample rate, so a curve means the same at any rate. Every frame lies inside the audio.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.errors import InputError
from ditto_music.features.smoothing import smooth

WINDOW_SECONDS = 2048 / 24_000
HOP_SECONDS = 512 / 24_000
SMOOTHING_SECONDS = 1.0
PEAK_SECONDS = 0.02
TINY = 1e-12  # dB^2
FLOOR = 1e-10  # mean square added under the root: -100 dBFS, and a finite gradient at silence


def intensity(audio: Tensor, sample_rate: int, smoothing: float = SMOOTHING_SECONDS) -> Tensor:
    """Intensity curve of audio.

    Parameters
    ----------
    audio : (B, N), or (B, channels, N), whose mean power over the channels counts.
    sample_rate : Hz
    smoothing : seconds of Savitzky-Golay context (order 2); 0 leaves the frames as they are.

    Returns
    -------
    (B, F) in dBFS at the times `intensity_times` gives; differentiable everywhere.

    Raises
    ------
    InputError
        If the audio is shorter than one frame (85 ms).
    """
    window, hop = _window_and_hop(sample_rate)
    if audio.shape[-1] < window:
        raise InputError(
            f"audio of {audio.shape[-1] / sample_rate:.3f} s is shorter than one intensity frame "
            f"({WINDOW_SECONDS:.3f} s): give at least that much"
        )
    energy = F.avg_pool1d(_power(audio), window, hop)[:, 0]
    level = 10 * torch.log10(energy + FLOOR)
    return smooth_curve(level, smoothing)


def smooth_curve(curve: Tensor, seconds: float = SMOOTHING_SECONDS) -> Tensor:
    """Smooth a curve (..., F) on intensity frames over `seconds` of context; 0 leaves it alone."""
    return smooth(curve, 2 * round(seconds / HOP_SECONDS / 2) + 1) if seconds else curve


def levelled(audio: Tensor, decibels: float = -20.0) -> Tensor:
    """Mono audio (B, N) at an RMS of so many dBFS, which silence below -80 dBFS does not reach."""
    power = audio.square().mean(-1, keepdim=True)
    return audio * 10 ** (decibels / 20) / (power + 1e-8).sqrt()


def loudness_over(audio: Tensor, sample_rate: int, ceiling: float) -> Tensor:
    """How far music is over a level: root mean square over its half seconds of the dB beyond.

    They overlap by half; where these do not come out even, one more ends with the audio.

    Parameters
    ----------
    audio : (B, N) or (B, channels, N), N of a frame or more.
    ceiling : dBFS.

    Returns
    -------
    (B,) in dB; 0, without a gradient, where no half second is louder.
    """
    window = min(round(sample_rate / 2), audio.shape[-1])
    power, hop = _power(audio), max(1, window // 2)
    heard = F.avg_pool1d(power, window, hop)[:, 0]
    if (audio.shape[-1] - window) % hop:
        heard = torch.cat([heard, power[..., -window:].mean(-1)], dim=-1)
    beyond = F.relu(10 * torch.log10(heard + FLOOR) - ceiling)
    return (beyond.square().mean(-1) + TINY).sqrt() - TINY**0.5


def peaks_over(audio: Tensor, sample_rate: int, ceiling: float) -> Tensor:
    """How far peaks are over a level: about the dB of the largest sample beyond it.

    It is the 8-norm over stretches of 20 ms, the last maybe shorter, each by its largest sample, so
    that all peaks that are nearly as large come down together.

    Parameters
    ----------
    audio : (B, N) or (B, channels, N), N of a stretch or more.
    ceiling : dBFS; 0 is full scale.

    Returns
    -------
    (B,) in dB: the largest sample's, or where many are as large more, up to the eighth root of the
    number of stretches times that (2 in 5 s, 3 in two minutes); 0, without a gradient, where no
    sample is larger.
    """
    stretch = round(PEAK_SECONDS * sample_rate)
    size = audio.abs().reshape(len(audio), -1, audio.shape[-1])
    peaks = F.max_pool1d(size, stretch, ceil_mode=True)
    beyond = F.relu(20 * torch.log10(peaks + FLOOR) - ceiling).flatten(1)
    largest = beyond.detach().amax(1, keepdim=True).clamp(min=TINY)
    return (largest * (beyond / largest).norm(8, dim=1, keepdim=True))[:, 0]


def intensity_times(samples: int, sample_rate: int) -> Tensor:
    """Centres (F,) in seconds of the frames of `samples` samples of audio."""
    window, hop = _window_and_hop(sample_rate)
    count = max(0, (samples - window) // hop + 1)
    return (torch.arange(count) * hop + window / 2) / sample_rate


def _power(audio: Tensor) -> Tensor:
    """Squares (B, 1, N) of audio (B, N), or of (B, channels, N) their mean over the channels."""
    squares = audio.square()
    return squares[:, None] if squares.ndim == 2 else squares.mean(1, keepdim=True)


def _window_and_hop(sample_rate: int) -> tuple[int, int]:
    return round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
