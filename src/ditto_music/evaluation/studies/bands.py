"""A latent's slow and fast parts: its spectrum along time, latents being (..., T)."""

from __future__ import annotations

import torch
from torch import Tensor


def split(x: Tensor, cut: float, rate: float) -> tuple[Tensor, Tensor]:
    """What moves no faster than `cut` Hz and what moves faster; their sum is `x` (..., T).

    The two are orthogonal, and of white noise they are independent.

    Parameters
    ----------
    rate : of frames, in Hz.
    """
    spectrum = torch.fft.rfft(x, dim=-1)
    slow = _frequencies(x, rate) <= cut
    low = torch.fft.irfft(spectrum * slow, n=x.shape[-1], dim=-1)
    return low, x - low


def energy_below(x: Tensor, cut: float, rate: float) -> float:
    """Share of the energy of `x` (..., T) that moves no faster than `cut` Hz."""
    low, _ = split(x, cut, rate)
    return float(low.square().sum() / x.square().sum().clamp(min=1e-30))


def white_below(frames: int, cut: float, rate: float) -> float:
    """The same of white noise of so many frames, as expected."""
    frequencies = torch.fft.rfftfreq(frames, 1 / rate)
    weights = torch.full_like(frequencies, 2.0)
    weights[0] = 1.0
    if frames % 2 == 0:
        weights[-1] = 1.0
    return float((weights * (frequencies <= cut)).sum() / frames)


def joined(slow: Tensor, fast: Tensor, cut: float, rate: float) -> Tensor:
    """The slow part of one (..., T) with the fast part of another; of two noises, a noise."""
    return split(slow, cut, rate)[0] + split(fast, cut, rate)[1]


def _frequencies(x: Tensor, rate: float) -> Tensor:
    return torch.fft.rfftfreq(x.shape[-1], 1 / rate, device=x.device)
