"""Onset strength: how much the sound rises from one moment to the next.

Spectral flux of a log-mel spectrogram, as in Boeck and Widmer (2013) and librosa's
`onset_strength`, with a soft rectification in place of the hard one: bands that fall still have a
gradient. Frames last 1024 samples at 24 kHz and step by 256; both scale with the sample rate, and
every frame lies inside the audio.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.errors import InputError
from ditto_music.features.smoothing import mean_under_hann
from ditto_music.features.spectrogram import frame_times, mel_filters, power_spectrogram

WINDOW_SECONDS = 1024 / 24_000
HOP_SECONDS = 256 / 24_000
MARGIN = 2  # frames at either end that reach over it
BANDS = 64
RANGE_DB = 70.0  # what is further below the loudest band of the clip is not heard
SOFTNESS_DB = 1.0
SMOOTHING_SECONDS = 0.08  # of a Hann window: an onset is a bump half as wide
FLOOR = 1e-9  # power of a mel band, about -100 dBFS of noise: silence has a finite gradient
SHORTEST_SECONDS = 0.1


def onset_strength(audio: Tensor, sample_rate: int) -> Tensor:
    """Onset strength of mono audio: the mean rise of the mel bands.

    Parameters
    ----------
    audio : (B, N)
    sample_rate : Hz

    Returns
    -------
    (B, F) in dB a frame at the times `onset_times` gives, near 0 where nothing rises;
    differentiable everywhere. A sharp onset peaks about 15 ms before it begins, where the frames
    first reach it; what sounds from the very start has none.

    Raises
    ------
    InputError
        If the audio is shorter than 0.1 s.
    """
    if audio.shape[-1] < SHORTEST_SECONDS * sample_rate:
        raise InputError(
            f"audio of {audio.shape[-1] / sample_rate:.3f} s is too short to have onsets: "
            f"give at least {SHORTEST_SECONDS:g} s"
        )
    window, hop = _window_and_hop(sample_rate)
    power = power_spectrogram(audio, window, hop)[..., MARGIN:-MARGIN]
    bands = mel_filters(sample_rate, window, BANDS).to(audio) @ power
    floor = bands.amax((-2, -1), keepdim=True) * 10 ** (-RANGE_DB / 10) + FLOOR
    rise = 10 * torch.log10(bands + floor).diff(dim=-1)
    rise = SOFTNESS_DB * (F.softplus(rise / SOFTNESS_DB) - math.log(2))
    return mean_under_hann(rise.mean(1), 2 * round(SMOOTHING_SECONDS / HOP_SECONDS / 2))


def onset_times(samples: int, sample_rate: int) -> Tensor:
    """Times (F,) in seconds of the rises in `samples` samples of audio."""
    hop = _window_and_hop(sample_rate)[1]
    inside = frame_times(samples, hop, sample_rate)[MARGIN:-MARGIN]
    return (inside[1:] + inside[:-1]) / 2


def _window_and_hop(sample_rate: int) -> tuple[int, int]:
    return round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
