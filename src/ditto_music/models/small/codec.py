"""A codec of steady tones and bands of noise: 24 kHz mono audio to a continuous latent and back.

What is coded is not the spectrum but its parts: the amplitudes of tones on a fixed grid, three to a
semitone over seven octaves, and the power of what is left in bands of noise. A harmonic-plus-noise
model (Serra and Smith 1990; DDSP, Engel et al. 2020), with a network between its two halves that
squeezes 664 numbers a latent frame into 32, and equalisers behind it (`equaliser.py`).

Octaves are alike: each is one token of the network, and they share all weights but a place of their
own. An eighth token is the noise. So ordered it learns in minutes what a dense network from spectra
did not (docs/models/ditto-small.md).

One latent frame stands for 512 samples (46.875 Hz) and has 32 channels, four a token: 1,500 values
a second. Shapes: audio ``(B, N)``, latents ``(B, C, T)`` with ``N = 512 T``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ditto_music.models.small.equaliser import Equaliser
from ditto_music.models.small.noise import NoiseBank
from ditto_music.models.small.tones import ToneBank, steady_tones, tone_frequencies


@dataclass(frozen=True)
class CodecConfig:
    """Sizes of the codec."""

    sample_rate: int = 24_000
    hop: int = 256
    fold: int = 2
    tone_window: int = 1024
    lowest_pitch: int = 28
    octaves: int = 7
    tones_an_octave: int = 36
    noise_window: int = 512
    noise_hop: int = 128
    noise_bands: int = 40
    width: int = 96
    encoder_blocks: int = 2
    decoder_blocks: int = 4
    channels_a_token: int = 4
    posterior_std: float = 0.15
    equaliser_windows: tuple[int, ...] = (1024, 512)
    equaliser_widths: tuple[int, ...] = (256, 128)
    equaliser_blocks: tuple[int, ...] = (6, 4)

    @property
    def frame(self) -> int:
        """Samples of audio that one latent frame stands for."""
        return self.hop * self.fold

    @property
    def channels(self) -> int:
        """Of the latent."""
        return (self.octaves + 1) * self.channels_a_token


@dataclass(frozen=True)
class Parts:
    """What audio is made of: amplitudes of `tones` (B, F, K) and `noise` (B, G, bands), mean power
    a bin.
    """

    tones: Tensor
    noise: Tensor


@dataclass(frozen=True)
class Guess:
    """What the decoder thinks of the parts.

    Attributes
    ----------
    presence : (B, F, K) log odds that the tone sounds.
    level : (B, F, K), were it to sound, in nepers above `FAINTEST`.
    noise : (B, G, bands) half the log of the power, in nepers above `HUSH`.
    """

    presence: Tensor
    level: Tensor
    noise: Tensor


FAINTEST = 3e-4  # amplitude of a tone that counts as none, about
HUSH = -4.0  # nepers of power
MASKED = 3e-3  # of the loudest tone within a third of a second: what is fainter is not heard
CERTAINTY = 1.5  # sharpens what is between there and not


def level_of(tones: Tensor) -> Tensor:
    """Nepers above `FAINTEST`, 0 for none."""
    return torch.log(tones / FAINTEST + 1)


def amplitude_of(level: Tensor) -> Tensor:
    """The way back from `level_of`; never above 2."""
    return FAINTEST * torch.expm1(level.clamp(min=0, max=math.log(2 / FAINTEST)))


def is_heard(tones: Tensor) -> Tensor:
    """Which tones (B, F, K) are neither faint nor masked by a much louder one."""
    loudest = F.max_pool1d(tones.amax(-1, keepdim=True).mT, 31, 1, 15).mT
    return (tones > 2 * FAINTEST) & (tones > MASKED * loudest)


def noise_level_of(noise: Tensor) -> Tensor:
    """Half the log of the power, in nepers above `HUSH`, floored at 4 under it."""
    return 0.5 * torch.log(noise.clamp(min=math.exp(4 * HUSH))) - HUSH


class Block(nn.Module):
    """ConvNeXt block over tokens and time, with a word from all tokens to each."""

    def __init__(self, width: int, kernel: int = 7) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, (3, kernel), padding=(1, kernel // 2), groups=width)
        self.hear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 3 * width)
        self.down = nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))
        nn.init.zeros_(self.hear.weight)
        nn.init.zeros_(self.hear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, tokens, T, W) to the same."""
        y = self.mix(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        y = self.norm(y + self.hear(x.mean(1, keepdim=True)))
        return x + self.scale * self.down(F.gelu(self.up(y)))


class Encoder(nn.Module):
    """Parts to the mean of the posterior (B, C, T)."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = c = config
        self.tones = nn.Linear(2 * c.fold * c.tones_an_octave, c.width)
        self.noise = nn.Linear(c.frame // c.noise_hop * c.noise_bands, c.width)
        self.place = nn.Parameter(0.1 * torch.randn(c.octaves + 1, 1, c.width))
        self.blocks = nn.Sequential(*[Block(c.width) for _ in range(c.encoder_blocks)])
        self.norm = nn.LayerNorm(c.width)
        self.leave = nn.Linear(c.width, c.channels_a_token)

    def forward(self, parts: Parts) -> Tensor:
        """Fold what lies in one latent frame into a token an octave and one for the noise."""
        c = self.config
        level = level_of(parts.tones)
        seen = torch.stack([level / 4 - 0.5, is_heard(parts.tones).to(level)], dim=-1)
        seen = seen.unflatten(2, (c.octaves, -1)).unflatten(1, (-1, c.fold))
        octaves = self.tones(seen.permute(0, 3, 1, 2, 4, 5).flatten(3))
        noise = noise_level_of(parts.noise).unflatten(1, (-1, c.frame // c.noise_hop)).flatten(2)
        x = torch.cat([octaves, self.noise(noise / 2)[:, None]], dim=1) + self.place
        return self.leave(self.norm(self.blocks(x))).transpose(2, 3).flatten(1, 2)


class Decoder(nn.Module):
    """Latents (B, C, T) to parts, and these to audio (B, 512 T)."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = c = config
        self.enter = nn.Linear(c.channels_a_token, c.width)
        self.place = nn.Parameter(0.1 * torch.randn(c.octaves + 1, 1, c.width))
        self.blocks = nn.Sequential(*[Block(c.width) for _ in range(c.decoder_blocks)])
        self.norm = nn.LayerNorm(c.width)
        self.tones = nn.Linear(c.width, 2 * c.fold * c.tones_an_octave)
        self.noise = nn.Linear(c.width, c.frame // c.noise_hop * c.noise_bands)
        frequencies = tone_frequencies(c.lowest_pitch, c.octaves, c.tones_an_octave)
        self.tone_bank = ToneBank(frequencies, c.tone_window, c.hop, c.sample_rate)
        self.noise_bank = NoiseBank(
            c.noise_bands, c.noise_window, c.noise_hop, c.sample_rate, frequencies
        )

    def guess(self, latent: Tensor) -> Guess:
        """The parts, with what is uncertain left uncertain: what training looks at."""
        c = self.config
        x = latent.unflatten(1, (c.octaves + 1, -1)).transpose(2, 3)
        x = self.norm(self.blocks(self.enter(x) + self.place))
        tones = self.tones(x[:, :-1]).unflatten(3, (c.fold, c.tones_an_octave, 2))
        tones = tones.permute(0, 2, 3, 1, 4, 5).flatten(3, 4).flatten(1, 2)
        noise = self.noise(x[:, -1]).unflatten(2, (-1, c.noise_bands)).flatten(1, 2)
        return Guess(tones[..., 0], tones[..., 1] + 3.0, noise)

    def parts(self, guess: Guess) -> Parts:
        """Amplitudes as likely as the tones are, and powers."""
        there = torch.sigmoid(CERTAINTY * guess.presence)
        power = torch.exp(2 * (guess.noise.clamp(max=8.0) + HUSH))
        return Parts(there * amplitude_of(guess.level), power)

    def render(self, parts: Parts, start: int = 0) -> Tensor:
        """Audio (B, 512 T) of parts whose first latent frame is number `start` of the clip."""
        tones = self.tone_bank(parts.tones, start * self.config.fold)
        return tones + self.noise_bank(parts.noise)

    def forward(self, latent: Tensor, start: int = 0) -> Tensor:
        """Audio (B, 512 T) of the latent frames from number `start` of the clip."""
        return self.render(self.parts(self.guess(latent)), start)


class Codec(nn.Module):
    """Encoder and decoder with latents standardised to zero mean and unit variance a channel.

    ``shift`` and ``scale`` (C,) are measured on the training set once the encoder is final; before
    that they are 0 and 1. Equalisers that have learnt nothing change nothing.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: CodecConfig | None = None) -> None:
        super().__init__()
        self.config = config or CodecConfig()
        self.encoder = Encoder(self.config)
        self.decoder = Decoder(self.config)
        self.equalisers = nn.ModuleList(equalisers(self.config))
        self.register_buffer("shift", torch.zeros(self.config.channels))
        self.register_buffer("scale", torch.ones(self.config.channels))

    def analyse(self, audio: Tensor) -> Parts:
        """The parts of audio (B, N), N a multiple of 512 and over 2,048."""
        c, banks = self.config, self.decoder
        tones = steady_tones(audio, banks.tone_bank.frequencies, c.hop, c.sample_rate)
        return Parts(tones, banks.noise_bank.measure(audio, tones))

    def encode(self, audio: Tensor) -> Tensor:
        """Audio (B, N), N a multiple of 512 and over 2,048, to standardised latents (B, C, T)."""
        return (self.encoder(self.analyse(audio)) - self.shift[:, None]) / self.scale[:, None]

    def draft(self, latent: Tensor, start: int = 0) -> Tensor:
        """Tones and noise alone, (B, 512 T), of the latent frames from number `start` of a clip."""
        return self.decoder(latent * self.scale[:, None] + self.shift[:, None], start)

    def equalise(self, audio: Tensor, latent: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """What a draft (B, 512 T) of standardised latents becomes; matrix products in `dtype`."""
        for equaliser in self.equalisers:
            audio = equaliser(audio, latent, dtype)
        return audio

    def decode(self, latent: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Standardised latents (B, C, T) to audio (B, 512 T); differentiable.

        The equalisers' matrix products are in `dtype`.
        """
        return self.equalise(self.draft(latent), latent, dtype)


def equalisers(config: CodecConfig) -> list[Equaliser]:
    """One for each window, in the order of their work."""
    shapes = zip(
        config.equaliser_windows, config.equaliser_widths, config.equaliser_blocks, strict=True
    )
    return [
        Equaliser(config.channels, 4 * config.frame // window, window, window // 4, width, blocks)
        for window, width, blocks in shapes
    ]
