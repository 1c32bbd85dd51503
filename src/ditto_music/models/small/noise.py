"""Noise in bands: what is left of audio beside its steady tones, and how it is played again.

Hits, breath, hiss and everything else that is no tone is told by its power in bands, four times a
latent frame. It is played by filtering one fixed stretch of white noise, the same for everyone,
so the same powers give the same sound and gradients through `NoiseBank` are exact.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from ditto_music.models.small.frames import framed, synthesized
from ditto_music.sampling import normal

SEED = 0  # of the noise
LEAST = 0.01  # of a band's power: what tones explain is never known better than that


def noise_bands(count: int, length: int, sample_rate: int) -> Tensor:
    """Triangles (count, length / 2 + 1), evenly spaced in mel, that sum to one in every bin."""
    bins = np.arange(length // 2 + 1) * sample_rate / length
    mel, top = _mel(bins), _mel(np.array([sample_rate / length, sample_rate / 2]))
    centres = np.linspace(top[0], top[1], count)
    inside = np.clip(mel, centres[0], centres[-1])
    bands = np.clip(1 - np.abs(inside - centres[:, None]) / (centres[1] - centres[0]), 0, 1)
    return torch.from_numpy(bands).float()


def _mel(hertz: np.ndarray) -> np.ndarray:
    return 2595 * np.log10(1 + hertz / 700)


class NoiseBank(nn.Module):
    """Bands of noise of a given power.

    Parameters
    ----------
    bands : how many, at least one a bin being heard.
    length, hop : of the frames, in samples.
    frequencies : (K,) in Hz, of the tones whose share `measure` leaves out.
    """

    bands: Tensor
    tones: Tensor

    def __init__(
        self, bands: int, length: int, hop: int, sample_rate: int, frequencies: Tensor
    ) -> None:
        super().__init__()
        self.length, self.hop = length, hop
        filters = noise_bands(bands, length, sample_rate)
        window = torch.hann_window(length, dtype=torch.float64)
        turns = torch.outer(frequencies.double() / sample_rate, torch.arange(length).double())
        waves = torch.polar(window.expand_as(turns).contiguous(), 2 * math.pi * turns)
        power = torch.fft.fft(waves)[:, : length // 2 + 1].abs().square() / 4
        self.register_buffer("bands", filters, persistent=False)
        self.register_buffer("tones", power.float() @ filters.T, persistent=False)

    def measure(self, audio: Tensor, tones: Tensor) -> Tensor:
        """Mean power a bin (B, N / hop, bands) of audio (B, N) that its tones do not explain.

        At least a hundredth of what is there, so that its logarithm does not fall off a cliff.

        `tones` (B, F, K) are amplitudes at a multiple of the hop; white noise of unit power has
        the window's energy, ``3/8 length``, in each bin.
        """
        window = torch.hann_window(self.length, dtype=audio.dtype, device=audio.device)
        frames = framed(audio, self.length, self.hop) * window
        power = torch.fft.rfft(frames).abs().square() @ self.bands.T.to(audio)
        explained = tones.square() @ self.tones.to(audio)
        explained = explained.repeat_interleave(power.shape[1] // explained.shape[1], 1)
        left = torch.maximum(power - explained, LEAST * power)
        return left / self.bands.sum(1).clamp(min=1e-6).to(audio)

    def forward(self, power: Tensor) -> Tensor:
        """Audio (B, F hop) of mean powers a bin (B, F, bands)."""
        frames = power.shape[1]
        generator = torch.Generator().manual_seed(SEED)
        noise = normal((1, frames * self.hop), generator).to(power)
        window = torch.hann_window(self.length, dtype=power.dtype, device=power.device)
        white = torch.fft.rfft(framed(noise, self.length, self.hop) * window)
        size = (power.clamp(min=1e-14) @ self.bands.to(power)).sqrt()
        return synthesized(white * size / window.square().sum().sqrt(), self.length, self.hop)
