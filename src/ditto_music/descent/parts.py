"""Noise in parts at right angles, by how fast they move along time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

#: Into parts at right angles to one another that sum up to the whole.
Split = Callable[[Tensor], list[Tensor]]


def as_one(x: Tensor) -> list[Tensor]:
    """All of `x`."""
    return [x]


def octaves(x: Tensor) -> list[Tensor]:
    """What of `x` (..., T) stands still, and moves once, 2 to 3 times, 4 to 7 times ... over T."""
    spectrum = torch.fft.rfft(x.to(torch.promote_types(x.dtype, torch.float32)))
    count = spectrum.shape[-1]
    turns = torch.arange(count, device=x.device)
    edges = [0, *(2**k for k in range((count - 1).bit_length())), count]
    return [
        torch.fft.irfft(spectrum * ((low <= turns) & (turns < high)), n=x.shape[-1]).to(x)
        for low, high in pairwise(edges)
    ]
