"""Spectral distances between waveforms, and the multi-resolution STFT discriminators.

Short hops matter here: what a small codec loses first is detail in time inside a latent frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RESOLUTIONS = (2048, 1024, 512, 256, 128)
PHASE_RESOLUTIONS = (2048, 1024, 512)


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


def phase_distance(a: Tensor, b: Tensor) -> Tensor:
    """How far the phase of `a` moves otherwise than that of `b`, both (B, N): a scalar, 0 to 2.

    ``1 - cos`` of the difference of the phase's steps, over time (instantaneous frequency) and over
    frequency (group delay), weighted by the square root of the bins' power in `b`. Unlike phase
    itself these steps can be told from a spectrogram, so they teach a decoder to keep tones
    coherent from frame to frame (after APNet, Ai and Ling 2023).
    """
    total = a.new_zeros(())
    for n_fft in PHASE_RESOLUTIONS:
        window = torch.hann_window(n_fft, device=a.device)
        x, y = (
            torch.stft(w, n_fft, n_fft // 4, window=window, return_complex=True) for w in (a, b)
        )
        for axis in (-1, -2):
            made, true = _steps(x, axis), _steps(y, axis)
            weight = true.abs().sqrt()
            alike = (made * true.conj()).real / (made.abs() * true.abs() + 1e-8)
            total = total + (weight * (1 - alike)).sum() / weight.sum().clamp(min=1e-3)
    return total / (2 * len(PHASE_RESOLUTIONS))


def _steps(spectrum: Tensor, axis: int) -> Tensor:
    """Each bin against the one before it: products whose angle is the step of the phase."""
    count = spectrum.shape[axis] - 1
    return spectrum.narrow(axis, 1, count) * spectrum.narrow(axis, 0, count).conj()


class SpectrumDiscriminator(nn.Module):
    """Judges patches of one complex spectrogram (as in EnCodec, Défossez et al. 2022)."""

    def __init__(self, n_fft: int, width: int = 16) -> None:
        super().__init__()
        self.n_fft = n_fft
        norm = nn.utils.parametrizations.weight_norm
        shapes = [(3, width, (1, 2)), (width, width, (2, 2)), (width, width, (1, 2))]
        self.layers = nn.ModuleList(
            norm(nn.Conv2d(i, o, (3, 7), stride=stride, padding=(1, 3))) for i, o, stride in shapes
        )
        self.layers.append(norm(nn.Conv2d(width, width, 3, padding=1)))
        self.leave = norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, audio: Tensor) -> list[Tensor]:
        """Waveform (B, N) to the activations of every layer, the verdict last."""
        window = torch.hann_window(self.n_fft, device=audio.device)
        spectrum = torch.stft(
            audio, self.n_fft, self.n_fft // 4, window=window, return_complex=True
        ) / (self.n_fft / 4)
        size = spectrum.abs().clamp(min=1e-5)
        shape = torch.view_as_real(spectrum / size).permute(0, 3, 2, 1)
        level = (0.2 * torch.log(size) + 1.0).mT[:, None]
        x = torch.cat([level, shape * (level + 1.3)], dim=1)  # quiet bins carry little phase
        features: list[Tensor] = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return [*features, self.leave(x)]


class Discriminators(nn.Module):
    """One discriminator a resolution."""

    def __init__(self, sizes: tuple[int, ...] = (1024, 512, 256)) -> None:
        super().__init__()
        self.each = nn.ModuleList(SpectrumDiscriminator(n) for n in sizes)

    def forward(self, audio: Tensor) -> list[list[Tensor]]:
        """What each of them makes of a waveform (B, N)."""
        return [one(audio) for one in self.each]


def judge_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Hinge loss of the discriminators."""
    pairs = zip(real, fake, strict=True)
    losses = [F.relu(1 - r[-1]).mean() + F.relu(1 + f[-1]).mean() for r, f in pairs]
    return torch.stack(losses).mean()


def fool_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> tuple[Tensor, Tensor]:
    """Generator's hinge loss and the feature matching distance (relative L1)."""
    verdicts = torch.stack([-f[-1].mean() for f in fake]).mean()
    matches = [
        (a.detach() - b).abs().mean() / a.detach().abs().mean()
        for r, f in zip(real, fake, strict=True)
        for a, b in zip(r[:-1], f[:-1], strict=True)
    ]
    return verdicts, torch.stack(matches).mean()
