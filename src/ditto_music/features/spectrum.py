"""Where in frequency the sound is: spectral centroid over time, balance of bands over all time.

Frames of the centroid last 2048 samples at 24 kHz and step by 512, those of the bands 8192 and
4096; all scale with the sample rate, and every frame lies inside the audio. Levels are in dBFS,
0 being a full-scale square wave.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.features.smoothing import mean_under_hann
from ditto_music.features.spectrogram import frame_times, power_spectrogram
from ditto_music.modes import apart

WINDOW_SECONDS = 2048 / 24_000
HOP_SECONDS = 512 / 24_000
MARGIN = 2  # frames at either end that reach over it
SMOOTHING_SECONDS = 1.0
NEUTRAL_HZ = 1000.0  # what silence reads
THRESHOLD_DB = -70.0  # the level at which a sine and `NEUTRAL_HZ` count alike
FLOOR = 1e-12  # power added under the root, so that silence has a finite gradient

BAND_WINDOW_SECONDS = 8192 / 24_000
LOWEST_BAND_HZ = 50.0
REACH = 2  # bands
BAND_FLOOR = 1e-10  # mean square: -100 dBFS

SHORTEST_SECONDS = 0.5


def centroid(audio: Tensor, sample_rate: int, smoothing: float = SMOOTHING_SECONDS) -> Tensor:
    """Spectral centroid of mono audio: the mean frequency, weighted by magnitude.

    Parameters
    ----------
    audio : (B, N)
    sample_rate : Hz
    smoothing : seconds of a Hann window under which magnitudes are averaged, so that loud moments
        count for more and pauses not at all; 0 takes each frame by itself.

    Returns
    -------
    (B, F) in Hz at the times `centroid_times` gives; differentiable everywhere. The further the
    sound is below -70 dBFS, the nearer it reads to 1 kHz.

    Raises
    ------
    InputError
        If the audio is shorter than half a second.
    """
    check_length(audio.shape[-1], sample_rate)
    window, hop = _window_and_hop(sample_rate)
    power = power_spectrogram(audio, window, hop)[..., MARGIN:-MARGIN]
    magnitude = (power + FLOOR).sqrt()
    frequencies = torch.linspace(0, sample_rate / 2, window // 2 + 1).to(audio)
    weight = smooth_frames(magnitude.sum(1), smoothing)
    moment = smooth_frames((frequencies[:, None] * magnitude).sum(1), smoothing)
    quiet = 10 ** (THRESHOLD_DB / 20) * math.sqrt(2) * window / 2
    return (moment + quiet * NEUTRAL_HZ) / (weight + quiet)


def centroid_times(samples: int, sample_rate: int) -> Tensor:
    """Centres (F,) in seconds of the frames of `samples` samples of audio."""
    return frame_times(samples, _window_and_hop(sample_rate)[1], sample_rate)[MARGIN:-MARGIN]


def smooth_frames(curve: Tensor, seconds: float = SMOOTHING_SECONDS) -> Tensor:
    """Mean of a curve (..., F) on centroid frames under a Hann window; 0 leaves it alone."""
    window = 2 * round(seconds / HOP_SECONDS / 2)
    return mean_under_hann(curve, window) if window else curve


def third_octaves(audio: Tensor, sample_rate: int) -> Tensor:
    """Long-term level of mono audio in bands a third of an octave wide.

    Parameters
    ----------
    audio : (B, N)
    sample_rate : Hz

    Returns
    -------
    (B, K) in dBFS of the bands around `band_centres`: the mean power over the whole clip;
    differentiable everywhere.

    Raises
    ------
    InputError
        If the audio is shorter than half a second.
    """
    check_length(audio.shape[-1], sample_rate)
    window = round(BAND_WINDOW_SECONDS * sample_rate)
    power = power_spectrogram(audio, window, window // 2)[..., 1:-1].mean(-1)
    energy = float(torch.hann_window(window, dtype=torch.float64).square().sum())
    bands = power @ _band_filters(sample_rate, window).to(audio) * (2 / (window * energy))
    return 10 * torch.log10(bands + BAND_FLOOR)


def spectral_balance(audio: Tensor, sample_rate: int) -> Tensor:
    """`third_octaves` averaged in power over the octave around each, (B, K) in dBFS.

    The balance of low, middle and high without the single notes that thirds of an octave show: the
    halves of one piece differ half as much. The weights of the bands are a Hann window's,
    `REACH` to either side.
    """
    power = 10 ** (third_octaves(audio, sample_rate) / 10)
    return 10 * torch.log10(mean_under_hann(power, 2 * REACH + 2))


def band_centres(sample_rate: int) -> Tensor:
    """Centres (K,) in Hz of the bands, 50 Hz and up, that lie whole below half the sample rate."""
    count = int(3 * math.log2(sample_rate / 2 / LOWEST_BAND_HZ) + 0.5)
    return LOWEST_BAND_HZ * 2 ** (torch.arange(count) / 3)


def check_length(samples: int, sample_rate: int, what: str = "audio") -> None:
    """Whether so many samples have a spectrum.

    Raises
    ------
    InputError
        If they, `what` in the message, last less than half a second.
    """
    if samples < SHORTEST_SECONDS * sample_rate:
        raise InputError(
            f"{what} of {samples / sample_rate:.3f} s is too short for a spectrum: "
            f"give at least {SHORTEST_SECONDS:g} s"
        )


@cache
@apart()
def _band_filters(sample_rate: int, window: int) -> Tensor:
    """How much of each bin lies in each band, (window // 2 + 1, K)."""
    width = sample_rate / window
    bins = torch.arange(window // 2 + 1)[:, None] * width
    centres = band_centres(sample_rate)
    low, high = centres * 2 ** (-1 / 6), centres * 2 ** (1 / 6)
    overlap = torch.minimum(high, bins + width / 2) - torch.maximum(low, bins - width / 2)
    return overlap.clamp(min=0) / width


def _window_and_hop(sample_rate: int) -> tuple[int, int]:
    return round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
