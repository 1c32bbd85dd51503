"""The spectral distance between waveforms.

Short hops matter here: what a small codec loses first is detail in time inside a latent frame.
"""

from __future__ import annotations

import torch
from torch import Tensor

RESOLUTIONS = (2048, 1024, 512, 256, 128)


def magnitudes(audio: Tensor, n_fft: int) -> Tensor:
    """Magnitudes (B, bins, frames) at hop ``n_fft / 4``; a full-scale sine has magnitude 1."""
    window = torch.hann_window(n_fft, device=audio.device)
    spectrum = torch.stft(audio, n_fft, n_fft // 4, window=window, return_complex=True)
    return spectrum.abs() / (n_fft / 4)


def spectral_distance(a: Tensor, b: Tensor) -> Tensor:
    """Multi-resolution STFT distance of two waveforms (B, N): a scalar.

    At each resolution the L1 of the log magnitudes (in nepers, floored at -90 dB) plus the
    spectral convergence of Arik et al. (2018) an item.
    """
    total = a.new_zeros(())
    for n_fft in RESOLUTIONS:
        x, y = magnitudes(a, n_fft), magnitudes(b, n_fft)
        floor = 3e-5
        logs = (torch.log(x + floor) - torch.log(y + floor)).abs().mean()
        norm = y.square().sum((1, 2)).sqrt().clamp(min=1.0)
        convergence = ((x - y).square().sum((1, 2)) + 1e-12).sqrt() / norm
        total = total + logs + convergence.mean()
    return total / len(RESOLUTIONS)
