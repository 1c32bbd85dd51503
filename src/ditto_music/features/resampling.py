"""Resampling as a convolution, differentiable in the audio (Smith 1984: windowed-sinc polyphase).

The filter is flat to 0.91 of the lower Nyquist frequency and 80 dB down at 1.0 of it; its length
grows with the ratio as it must. Output sample n stands at the time of input sample
``n from_rate / to_rate``: nothing is delayed, and the ends see silence outside.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.modes import apart

ZEROS = 64  # zero crossings of the sinc on each side
CUTOFF = 0.955  # middle of the transition, of the lower Nyquist frequency
BETA = 8.0  # of the Kaiser window: 80 dB
LARGEST_TERM = 1000


def resample(audio: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Audio (..., N) at `from_rate` Hz to (..., ceil(N to_rate / from_rate)) at `to_rate` Hz.

    A ratio whose lowest terms are above a thousand, as of 44,101 Hz, is replaced by the nearest
    with smaller ones, less than one part in a million away.
    """
    if from_rate == to_rate:
        return audio
    samples = math.ceil(audio.shape[-1] * to_rate / from_rate)
    ratio = Fraction(to_rate, from_rate).limit_denominator(LARGEST_TERM)
    kernels = polyphase(ratio.numerator, ratio.denominator).to(audio)
    frames = math.ceil(samples / len(kernels))
    half = (kernels.shape[-1] - ratio.denominator) // 2
    needed = (frames - 1) * ratio.denominator + kernels.shape[-1]
    rows = audio.reshape(-1, 1, audio.shape[-1])
    padded = F.pad(rows, (half, max(0, needed - half - audio.shape[-1])))
    phases = F.conv1d(padded, kernels[:, None], stride=ratio.denominator)[..., :frames]
    return phases.transpose(1, 2).reshape(*audio.shape[:-1], -1)[..., :samples]


@cache
@apart()
def polyphase(up: int, down: int) -> Tensor:
    """One filter for each of the `up` output phases, (up, 2 half + down), float32.

    Row p is the filter at the time ``p down / up`` after input sample `half`; each sums to one.
    """
    cutoff = CUTOFF * min(1.0, up / down)
    half = math.ceil(ZEROS / cutoff)
    times = (
        torch.arange(2 * half + down, dtype=torch.float64)
        - half
        - torch.arange(up, dtype=torch.float64)[:, None] * (down / up)
    )
    inside = (1 - (times * cutoff / ZEROS).square()).clamp(min=0)
    window = torch.special.i0(BETA * inside.sqrt()) * (inside > 0)
    kernels = torch.sinc(cutoff * times) * window
    return (kernels / kernels.sum(-1, keepdim=True)).float()
