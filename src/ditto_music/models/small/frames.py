"""Short-time frames that agree on where they lie: frame j is centred on ``(j + 1/2) hop``."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def framed(audio: Tensor, length: int, hop: int) -> Tensor:
    """Frames (B, N / hop, length) of audio (B, N), mirrored at its ends.

    N is a multiple of `hop` and longer than half a frame.
    """
    edge = (length - hop) // 2
    return F.pad(audio[:, None], (edge, edge), mode="reflect")[:, 0].unfold(1, length, hop)


def overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Sum frames (B, F, length) where `framed` took them: (B, F hop); `hop` divides the length."""
    batch, count, length = frames.shape
    ways = length // hop
    pieces = frames.reshape(batch, count, ways, hop)
    out = frames.new_zeros(batch, count + ways - 1, hop)
    for way in range(ways):
        out = out + F.pad(pieces[:, :, way], (0, 0, way, ways - 1 - way))
    edge = (length - hop) // 2
    return out.reshape(batch, -1)[:, edge : edge + count * hop]


def synthesized(spectrum: Tensor, length: int, hop: int) -> Tensor:
    """Audio (B, F hop) of one-sided spectra (B, F, length / 2 + 1) of Hann-windowed frames.

    The least-squares inverse of the short-time Fourier transform (Griffin and Lim 1984).
    """
    window = torch.hann_window(length, dtype=spectrum.real.dtype, device=spectrum.device)
    frames = torch.fft.irfft(spectrum, n=length, dim=-1) * window
    weight = overlap_add(window.square().expand(1, frames.shape[1], -1), hop)
    return overlap_add(frames, hop) / weight.clamp(min=1e-4)
