"""The codec of ditto-small: 24 kHz mono audio to a continuous latent and back.

One latent frame stands for 512 samples (46.875 Hz) and has 32 channels: 1,500 values a second.
The encoder reads log-magnitude spectra at two window lengths (a long one for pitch, a short one
for the detail in time that a pooled spectrum loses) and *folds* neighbouring frames into channels
instead of averaging them. The decoder is a stack of ConvNeXt blocks with an inverse-STFT head
(Vocos, Siuzdak 2023): no transposed convolutions, so it is light enough to sit inside a gradient
loop. Phase is the decoder's own: spectra carry none, and the losses ask for none.

Shapes: audio ``(B, N)``, latents ``(B, C, T)`` with ``N = 512 T``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ditto_music.models.small.frames import overlap_add


@dataclass(frozen=True)
class CodecConfig:
    """Sizes of the codec; the defaults are those of the shipped weights."""

    sample_rate: int = 24_000
    hop: int = 256
    fold: int = 2
    channels: int = 32
    n_fft: int = 1024
    short_n_fft: int = 256
    encoder_width: int = 256
    encoder_blocks: tuple[int, int] = (2, 3)
    decoder_width: int = 320
    decoder_blocks: tuple[int, int] = (2, 6)
    posterior_std: float = 0.15

    @property
    def frame(self) -> int:
        """Samples of audio that one latent frame stands for."""
        return self.hop * self.fold

    def to_dict(self) -> dict[str, object]:
        """Plain values, for the JSON beside the weights."""
        return asdict(self)


def log_spectrum(audio: Tensor, n_fft: int, hop: int) -> Tensor:
    """Log-magnitude spectrum with exactly ``N / hop`` frames.

    Parameters
    ----------
    audio : (B, N), with N a multiple of `hop`.
    n_fft, hop : window length and step in samples.

    Returns
    -------
    (B, N / hop, n_fft / 2 + 1), about -1 (silence) to 1 (full scale).
    """
    window = torch.hann_window(n_fft, dtype=audio.dtype, device=audio.device)
    padded = F.pad(audio[:, None], [(n_fft - hop) // 2] * 2, mode="reflect")[:, 0]
    spectrum = torch.stft(padded, n_fft, hop, window=window, center=False, return_complex=True)
    magnitude = spectrum.abs() / (n_fft / 4)  # a full-scale sine has magnitude 1
    return 1.0 + 0.4 * torch.log10(magnitude.clamp(min=1e-5)).mT


class Block(nn.Module):
    """ConvNeXt block over time: depthwise convolution, then an inverted bottleneck."""

    def __init__(self, width: int, kernel: int = 7) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 3 * width)
        self.down = nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, W) to the same."""
        y = self.norm(self.mix(x.mT).mT)
        return x + self.scale * self.down(F.gelu(self.up(y)))


class Encoder(nn.Module):
    """Audio (B, N) to the mean of the posterior (B, C, T)."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        c, width = config, config.encoder_width
        bins = c.n_fft // 2 + 1 + 2 * (c.short_n_fft // 2 + 1)
        self.enter = nn.Linear(bins, width)
        self.fine = nn.Sequential(*[Block(width) for _ in range(c.encoder_blocks[0])])
        self.fold = nn.Linear(c.fold * width, width)
        self.coarse = nn.Sequential(*[Block(width) for _ in range(c.encoder_blocks[1])])
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, c.channels)

    def forward(self, audio: Tensor) -> Tensor:
        """Log spectra at two lengths, folded into one latent frame."""
        c = self.config
        long = log_spectrum(audio, c.n_fft, c.hop)
        short = log_spectrum(audio, c.short_n_fft, c.hop // 2).unflatten(1, (-1, 2)).flatten(2)
        x = self.fine(self.enter(torch.cat([long, short], dim=-1)))
        x = self.coarse(self.fold(x.unflatten(1, (-1, c.fold)).flatten(2)))
        return self.leave(self.norm(x)).mT


class Decoder(nn.Module):
    """Latents (B, C, T) to audio (B, 512 T)."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        c, width = config, config.decoder_width
        self.enter = nn.Conv1d(c.channels, width, 7, padding=3)
        self.coarse = nn.Sequential(*[Block(width) for _ in range(c.decoder_blocks[0])])
        self.unfold = nn.Linear(width, c.fold * width)
        self.fine = nn.Sequential(*[Block(width) for _ in range(c.decoder_blocks[1])])
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, c.n_fft + 2)

    def forward(self, latent: Tensor) -> Tensor:
        """Blocks, then the inverse-STFT head."""
        c = self.config
        x = self.coarse(self.enter(latent).mT)
        x = self.fine(self.unfold(x).unflatten(2, (c.fold, -1)).flatten(1, 2))
        return self.synthesize(self.leave(self.norm(x)))

    def synthesize(self, head: Tensor) -> Tensor:
        """Inverse STFT of log-magnitude and phase (B, F, n_fft + 2)."""
        c = self.config
        log_magnitude, phase = head.chunk(2, dim=-1)
        magnitude = torch.exp(log_magnitude.clamp(max=6.0))
        spectrum = torch.complex(magnitude * torch.cos(phase), magnitude * torch.sin(phase))
        window = torch.hann_window(c.n_fft, dtype=head.dtype, device=head.device)
        frames = torch.fft.irfft(spectrum, n=c.n_fft, dim=-1) * window
        envelope = overlap_add(window.square().expand(1, frames.shape[1], -1), c.hop)
        return overlap_add(frames, c.hop) / envelope.clamp(min=1e-4)


class Codec(nn.Module):
    """Encoder and decoder with latents standardised to zero mean and unit variance a channel.

    ``shift`` and ``scale`` (C,) are measured on the training set once the encoder is final; before
    that they are 0 and 1.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: CodecConfig | None = None) -> None:
        super().__init__()
        self.config = config or CodecConfig()
        self.encoder = Encoder(self.config)
        self.decoder = Decoder(self.config)
        self.register_buffer("shift", torch.zeros(self.config.channels))
        self.register_buffer("scale", torch.ones(self.config.channels))

    def encode(self, audio: Tensor) -> Tensor:
        """Audio (B, N), N a multiple of 512, to standardised latents (B, C, T)."""
        return (self.encoder(audio) - self.shift[:, None]) / self.scale[:, None]

    def decode(self, latent: Tensor) -> Tensor:
        """Standardised latents (B, C, T) to audio (B, 512 T); differentiable."""
        return self.decoder(latent * self.scale[:, None] + self.shift[:, None])
