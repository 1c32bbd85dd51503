"""Spectra and filter banks that features share.

Conventions: frames are Hann-windowed and centred, frame f at ``f hop / sample_rate`` seconds; power
is of the windowed frame without scaling. The mel bank is Slaney's, the area of each band one,
as librosa's default (`librosa.filters.mel`).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.errors import InputError
from ditto_music.modes import apart


def power_spectrogram(audio: Tensor, window: int, hop: int) -> Tensor:
    """Power of the short-time Fourier transform of mono audio.

    Parameters
    ----------
    audio : (B, N)
    window, hop : samples.

    Returns
    -------
    (B, window // 2 + 1, 1 + N // hop); differentiable everywhere.

    Raises
    ------
    InputError
        If the audio is shorter than half a window.
    """
    half = (window + 1) // 2
    if audio.shape[-1] <= half:
        raise InputError(
            f"audio of {audio.shape[-1]} samples is shorter than half a frame of {window} samples: "
            "give at least that much"
        )
    shape = torch.hann_window(window, device=audio.device, dtype=audio.dtype)
    padded = F.pad(audio[:, None], (window // 2, half), mode="reflect")[:, 0]
    transform = torch.stft(padded, window, hop, window=shape, center=False, return_complex=True)
    return transform.real.square() + transform.imag.square()


def frame_times(samples: int, hop: int, sample_rate: int) -> Tensor:
    """Centres (F,) in seconds of the frames of `samples` samples of audio."""
    return torch.arange(1 + samples // hop) * (hop / sample_rate)


@cache
@apart()
def mel_filters(
    sample_rate: int, window: int, bands: int, low: float = 0.0, high: float | None = None
) -> Tensor:
    """Triangular mel filters (bands, window // 2 + 1), float32, from `low` to `high` Hz.

    `high` is half the sample rate where it is not given.
    """
    frequencies = np.linspace(0, sample_rate / 2, window // 2 + 1)
    edges = mel_to_hz(np.linspace(hz_to_mel(low), hz_to_mel(high or sample_rate / 2), bands + 2))
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    triangles = np.clip(np.minimum(rising, falling), 0, None)
    areas = 2 / (edges[2:] - edges[:-2])
    return torch.from_numpy((triangles * areas[:, None]).astype(np.float32))


def hz_to_mel(hertz: float) -> float:
    """Slaney's mel: linear to 1 kHz (15 mel), logarithmic above."""
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def mel_to_hz(mels: np.ndarray) -> np.ndarray:
    """The inverse of `hz_to_mel`, of an array."""
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * math.log(6.4) / 27))
