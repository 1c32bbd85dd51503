"""Form as a timbre that is no MFCC tells it, the judge of `Structure`.

Spectral contrast (Jiang et al. 2002, Music type classification by spectral contrast feature;
librosa's): how far, in each octave band, the peaks stand above the valleys, in dB. It tells tones
from noise where MFCC tell where the energy is, and a gain leaves it unchanged. The mean over the
clip is taken out before moments are compared: without that all are alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np
import numpy.typing as npt

from ditto_music.audio.files import resample
from ditto_music.errors import InputError
from ditto_music.evaluation.judges.clips import Clip, mono

RATE, WINDOW, HOP = 16_000, 2048, 320
OCTAVES, HIGHEST = 5, 7000  # bands above 200 Hz; Hz, below where a resampler leaves nothing
MOMENT = 0.25  # seconds of each row of a self-similarity
NEAR = 0.5  # seconds; moments nearer than this are alike in any music and are not compared

Floats = npt.NDArray[np.float64]
Block = tuple[float, float, str]


@dataclass(frozen=True)
class FormAgreement:
    """How a clip's form follows the one wanted, over pairs of moments half a second apart or more.

    Attributes
    ----------
    correlation : of the clip's self-similarity with the target; about 0 for any other music.
    contrast : mean similarity where the target is 1, minus where it is 0; from -2 to 2.

    Both are NaN where the target is the same everywhere.
    """

    correlation: float
    contrast: float


def self_similarity(clip: Clip, sample_rate: int) -> Floats:
    """Likeness (F, F) from -1 to 1 of moments of a quarter of a second.

    Cosine between their spectral contrasts, each less its mean over the clip.

    Raises
    ------
    InputError
        If the clip is shorter than one second.
    """
    audio = resample(mono(clip)[None], sample_rate, RATE)[0]
    count = round(len(audio) / RATE / MOMENT)
    if count < 4:
        raise InputError(f"a clip of {len(audio) / RATE:.2f} s has no form: give a second or more")
    hertz = librosa.fft_frequencies(sr=RATE, n_fft=WINDOW)
    spectra = np.abs(librosa.stft(audio, n_fft=WINDOW, hop_length=HOP))[hertz <= HIGHEST]
    frames = librosa.feature.spectral_contrast(
        S=spectra, sr=RATE, freq=hertz[hertz <= HIGHEST], n_bands=OCTAVES
    )
    moments = np.array([part.mean(1) for part in np.array_split(frames, count, axis=1)])
    centred = moments - moments.mean(0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    return unit @ unit.T


def form_agreement(
    clip: Clip, sample_rate: int, form: npt.NDArray[np.floating] | Sequence[Block]
) -> FormAgreement:
    """How a clip's self-similarity follows a form.

    Parameters
    ----------
    form
        A square matrix over the clip's length, 1 where moments should be alike and 0 where not; or
        blocks ``(start, end, letter)`` in seconds, alike where letters are equal.

    Raises
    ------
    InputError
        If the form is neither, blocks leave a part of the clip out, or the clip is shorter than one
        second.
    """
    heard = self_similarity(clip, sample_rate)
    seconds = mono(clip).size / sample_rate
    times = (np.arange(len(heard)) + 0.5) * seconds / len(heard)
    if isinstance(form, np.ndarray):
        target = _at(form, times / seconds)
    else:
        letters = np.array([_letter(form, time) for time in times])
        target = (letters[:, None] == letters).astype(np.float64)
    first, second = np.nonzero(times - times[:, None] >= NEAR)
    got, wanted = heard[first, second], target[first, second]
    if np.ptp(wanted) < 1e-6:
        return FormAgreement(math.nan, math.nan)
    alike = np.average(got, weights=np.clip(wanted, 0, 1) + 1e-9)
    different = np.average(got, weights=1 - np.clip(wanted, 0, 1) + 1e-9)
    moves = np.std(got) > 1e-6
    correlation = float(np.corrcoef(got, wanted)[0, 1]) if moves else 0.0
    return FormAgreement(correlation, float(alike - different))


def _at(matrix: npt.NDArray[np.floating], places: Floats) -> Floats:
    """Values (F, F) of a square matrix at places from 0 to 1."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise InputError(
            f"a form must be a square matrix or (start, end, letter) blocks, not {matrix.shape}"
        )
    rows = (places * len(matrix)).astype(int)
    return matrix[np.ix_(rows, rows)].astype(np.float64)


def _letter(form: Sequence[Block], time: float) -> str:
    for start, end, letter in form:
        if start <= time < end:
            return letter
    raise InputError(f"the form has no block at {time:.2f} s: cover the clip from 0 to its end")
