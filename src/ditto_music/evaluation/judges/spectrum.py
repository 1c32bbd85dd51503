"""Brightness and balance by other measures, the judges of `Brightness` and `MatchSpectrum`.

Spectral roll-off (librosa's): the frequency below which most of a moment's summed magnitude lies,
where the control has the mean frequency. Third-octave levels of Welch's long-term spectrum
(scipy's), each band by itself, where the control averages an octave of them.
"""

from __future__ import annotations

import math

import librosa
import numpy as np
import numpy.typing as npt
from scipy.signal import welch

from ditto_music.audio.files import resample
from ditto_music.errors import InputError
from ditto_music.evaluation.judges.clips import Clip, Samples, mono

RATE, WINDOW, HOP = 22_050, 2048, 512
SHARE = 0.85  # of the summed magnitude lies below the roll-off
MOMENT = 1.0  # seconds over which spectra are averaged: single notes are no brightness
LOWEST, HIGHEST = 63.0, 8000.0  # Hz, centres of the bands that are compared
RANGE_DB = 60.0  # bands further below the reference's loudest hold nothing to compare


def brightness_agreement(
    clip: Clip, sample_rate: int, times: npt.ArrayLike, hertz: npt.ArrayLike
) -> float:
    """Pearson correlation of the clip's roll-off with a curve, both in octaves; 0 for no movement.

    Parameters
    ----------
    times, hertz : (M,) seconds, rising, and frequencies; even in octaves between the points.

    Raises
    ------
    InputError
        If the clip is shorter than two moments of a second.
    """
    audio = _at_rate(clip, sample_rate, 2 * MOMENT)
    power = np.square(np.abs(librosa.stft(audio, n_fft=WINDOW, hop_length=HOP)))
    count = round(MOMENT * RATE / HOP)
    total = np.cumsum(np.pad(power, ((0, 0), (1, 0))), axis=1)
    averaged = (total[:, count:] - total[:, :-count]) / count
    heard = librosa.feature.spectral_rolloff(
        S=np.sqrt(averaged), sr=RATE, n_fft=WINDOW, roll_percent=SHARE
    )[0]
    centres = (np.arange(len(heard)) + (count - 1) / 2) * HOP / RATE
    got = np.log2(np.maximum(heard, 1.0))
    wanted = np.interp(centres, np.asarray(times), np.log2(np.asarray(hertz, np.float64)))
    if np.std(got) < 1e-6 or np.std(wanted) < 1e-6:
        return 0.0
    return float(np.corrcoef(got, wanted)[0, 1])


def balance_error(clip: Clip, sample_rate: int, reference: Clip, reference_rate: int) -> float:
    """RMS difference in dB of third-octave levels from a reference, whatever the loudness.

    Bands from 63 Hz to 8 kHz that the reference holds, within 60 dB of its loudest; infinite
    where the clip is silent.

    Raises
    ------
    InputError
        If either is shorter than half a second.
    """
    got, wanted = _bands(clip, sample_rate), _bands(reference, reference_rate)
    held = wanted > wanted.max() - RANGE_DB
    if not np.isfinite(got).any():
        return math.inf
    error = np.maximum(got, got.max() - 2 * RANGE_DB)[held] - wanted[held]
    return float(np.std(error))


def _bands(clip: Clip, sample_rate: int) -> npt.NDArray[np.float64]:
    """Level (K,) in dB of each third of an octave."""
    audio = _at_rate(clip, sample_rate, 0.5)
    hertz, density = welch(audio.astype(np.float64), RATE, nperseg=8192)
    centres = LOWEST * 2 ** (np.arange(round(3 * np.log2(HIGHEST / LOWEST)) + 1) / 3)
    inside = np.abs(np.log2(np.maximum(hertz, 1e-3) / centres[:, None])) < 1 / 6
    with np.errstate(divide="ignore"):
        return 10 * np.log10((inside * density).sum(1))


def _at_rate(clip: Clip, sample_rate: int, seconds: float) -> Samples:
    audio = resample(mono(clip)[None], sample_rate, RATE)[0]
    if len(audio) < seconds * RATE:
        raise InputError(
            f"a clip of {len(audio) / RATE:.2f} s is too short to judge: give {seconds:g} s or more"
        )
    return audio
