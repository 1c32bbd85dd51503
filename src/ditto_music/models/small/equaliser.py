"""What tones and noise leave wrong, put right: an equaliser with a slider for every bin and frame.

Steady tones and bands of noise are a coarse picture: strokes blur over the windows that tones are
sought in, noise is as rough as the one stretch of noise it is filtered from, and between an
octave's tones there is nothing. Here the rendered sound is taken apart into short-time spectra
twice, in long frames and then in short ones, and a network that sees the spectrum and the latent
says by how much each bin is to be louder or softer. Phases stay, so what was in tune is in tune.

With gains made of the true spectra, long frames then short, the codec's sound is nearly as near to
held-out music as that is to itself (docs/models/ditto-small.md): it is the network, not the form,
that bounds what is heard.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ditto_music.models.small.frames import framed, synthesized

MOST = 3.0  # nepers, louder or softer: 26 dB
HUSH = 1e-9  # power of a bin under which all is alike


def bin_levels(audio: Tensor, length: int, hop: int) -> tuple[Tensor, Tensor]:
    """Spectra (B, N / hop, length / 2 + 1) of audio (B, N) and the level of each bin in nepers.

    White noise of unit power has level 0.
    """
    window = torch.hann_window(length, dtype=audio.dtype, device=audio.device)
    spectrum = torch.fft.rfft(framed(audio, length, hop) * window)
    power = spectrum.real.square() + spectrum.imag.square()
    return spectrum, 0.5 * torch.log(power / (3 / 8 * length) + HUSH)


class Block(nn.Module):
    """ConvNeXt block over time."""

    def __init__(self, width: int, kernel: int = 7) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 3 * width)
        self.down = nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, W) to the same."""
        y = self.norm(self.mix(x.mT).mT)
        return x + self.scale * self.down(F.gelu(self.up(y)))


class Equaliser(nn.Module):
    """Gains of every bin of frames of one length.

    Parameters
    ----------
    channels : of the latent.
    fold : frames in a latent frame.
    length, hop : of the frames, in samples.
    """

    def __init__(
        self, channels: int, fold: int, length: int, hop: int, width: int, blocks: int
    ) -> None:
        super().__init__()
        self.fold, self.length, self.hop = fold, length, hop
        bins = length // 2 + 1
        self.sound = nn.Linear(bins, width)
        self.latent = nn.Linear(channels, fold * width)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, bins)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, audio: Tensor, latent: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Audio (B, N) of audio (B, N) and standardised latents (B, C, N / hop / fold).

        Matrix products are in `dtype`.
        """
        spectrum, level = bin_levels(audio, self.length, self.hop)
        with torch.autocast(audio.device.type, dtype, enabled=dtype != torch.float32):
            told = self.latent(latent.mT).unflatten(2, (self.fold, -1)).flatten(1, 2)
            x = self.sound(level / 2.5 + 2) + told
            gain = self.leave(self.norm(self.blocks(x)))
        gain = MOST * torch.tanh(gain.to(level) / MOST)
        return synthesized(spectrum * gain.exp(), self.length, self.hop)
