"""Loudness as broadcasters measure it, the judge of `Intensity`.

ITU-R BS.1770-5 and EBU Tech 3341: K-weighting, mean square over a window, and the sum over
channels; LUFS. A 1 kHz sine of -23 dBFS peak reads -23.0 LUFS in stereo and -26.0 in mono. The
integrated loudness is gated and comes from `pyloudnorm`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyloudnorm import Meter
from scipy.signal import lfilter

from ditto_music.errors import InputError
from ditto_music.evaluation.judges.clips import Clip, Samples, channels

MOMENTARY, SHORT_TERM = 0.4, 3.0  # seconds of window (EBU Tech 3341)
STEP = 0.1  # seconds between windows
SILENCE = -70.0  # LUFS; below it nothing counts (the standard's absolute gate)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CurveAgreement:
    """How a clip's loudness follows a curve.

    Attributes
    ----------
    correlation : Pearson's; 0 where the clip's loudness never moves, NaN where the curve does not.
    rms_error_db : what is left when the mean difference is taken out, for LUFS and dBFS differ by
        an offset that depends on the spectrum.
    """

    correlation: float
    rms_error_db: float


def integrated_loudness(clip: Clip, sample_rate: int) -> float:
    """Gated loudness of the whole clip in LUFS; minus infinity for silence.

    Raises
    ------
    InputError
        If the clip is shorter than one gating block (0.4 s).
    """
    audio = channels(clip)
    _check_length(audio, sample_rate, MOMENTARY)
    # "DeMan" has the standard's own coefficients at 48 kHz; pyloudnorm's default only comes near.
    meter = Meter(sample_rate, filter_class="DeMan")
    return float(meter.integrated_loudness(audio.T.astype(np.float64)))


def loudness_curve(
    clip: Clip, sample_rate: int, window: float = MOMENTARY
) -> tuple[Floats, Floats]:
    """Loudness over time, ungated.

    Parameters
    ----------
    window : seconds; 0.4 is momentary loudness, 3 short-term loudness.

    Returns
    -------
    times : (F,) centres of the windows in seconds, 0.1 s apart, every window inside the clip.
    loudness : (F,) LUFS, never below -70.

    Raises
    ------
    InputError
        If the clip is shorter than one window.
    """
    audio = channels(clip)
    _check_length(audio, sample_rate, window)
    power = np.square(k_weighted(audio.astype(np.float64), sample_rate)).sum(0)
    starts, length = _windows(audio.shape[1], sample_rate, window)
    total = np.concatenate([[0.0], np.cumsum(power)])
    mean = np.maximum(total[starts + length] - total[starts], 0) / length
    floor = 10 ** ((SILENCE + 0.691) / 10)
    return (starts + length / 2) / sample_rate, -0.691 + 10 * np.log10(np.maximum(mean, floor))


def curve_agreement(
    clip: Clip,
    sample_rate: int,
    times: npt.ArrayLike,
    target: npt.ArrayLike,
    window: float = MOMENTARY,
) -> CurveAgreement:
    """How the clip's loudness follows a target curve.

    The curve's power is averaged over the same windows as the clip's, so a clip that follows it
    exactly agrees exactly whatever the window. The default is momentary loudness: a clip of 6 s
    has 57 such windows, 15 of them apart from one another; of 3 s windows it has two.

    Parameters
    ----------
    times, target : (M,) seconds, rising, and dB of any reference, held at its ends.
    window : seconds.

    Raises
    ------
    InputError
        If the clip is shorter than one window, or times and target do not go together.
    """
    times, target = np.asarray(times, np.float64), np.asarray(target, np.float64)
    if times.ndim != 1 or times.shape != target.shape or not times.size:
        raise InputError(
            f"a loudness curve needs as many times as levels, not {times.shape} and {target.shape}"
        )
    centres, heard = loudness_curve(clip, sample_rate, window)
    offsets = (np.arange(64) + 0.5) / 64 * window - window / 2
    levels = np.maximum(np.interp(centres[:, None] + offsets, times, target), SILENCE)
    wanted = 10 * np.log10(np.mean(10 ** (levels / 10), axis=1))
    heard, wanted = heard - heard.mean(), wanted - wanted.mean()
    spread = heard.std() * wanted.std()
    correlation = float(np.mean(heard * wanted) / spread) if spread > 1e-9 else 0.0
    return CurveAgreement(
        correlation if wanted.std() > 1e-6 else math.nan,
        float(np.sqrt(np.mean(np.square(heard - wanted)))),
    )


def k_weighted(audio: Floats, sample_rate: int) -> Floats:
    """Audio (channels, N) through the two filters of BS.1770, at any rate.

    The standard gives coefficients for 48 kHz; these are its analogue prototypes (De Man 2014,
    Evaluation of implementations of the EBU R128 loudness measurement) warped to the rate.
    """
    gain = 10 ** (3.999843853973347 / 20)
    edge = gain**0.4996667741545416
    k, q = math.tan(math.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    shelf = [gain + edge * k / q + k * k, 2 * (k * k - gain), gain - edge * k / q + k * k]
    shelved = lfilter(shelf, [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k], audio)
    k, q = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    poles = np.array([1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    return np.asarray(lfilter([1, -2, 1], poles / poles[0], shelved))


def _windows(samples: int, sample_rate: int, window: float) -> tuple[npt.NDArray[np.int64], int]:
    """First samples (F,) of the windows, and their length."""
    length = round(window * sample_rate)
    count = int((samples - length) / (STEP * sample_rate)) + 1
    return np.round(np.arange(count) * STEP * sample_rate).astype(np.int64), length


def _check_length(audio: Samples, sample_rate: int, window: float) -> None:
    if audio.shape[1] < round(window * sample_rate):
        raise InputError(
            f"a clip of {audio.shape[1] / sample_rate:.2f} s is shorter than one loudness window "
            f"of {window:g} s: give at least that much"
        )
