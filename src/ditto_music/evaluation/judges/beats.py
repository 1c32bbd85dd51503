"""Tempo and beats as a beat tracker hears them, the judge of `Tempo` and `Rhythm`.

librosa: onset strength, its autocorrelation for the tempo of the whole clip, and dynamic
programming for the beats (Ellis 2007, Beat tracking by dynamic programming).
"""

from __future__ import annotations

from dataclasses import dataclass

import librosa
import mir_eval
import numpy as np
import numpy.typing as npt

from ditto_music.audio.files import resample
from ditto_music.errors import InputError
from ditto_music.evaluation.judges.clips import Clip, mono

RATE, HOP = 22_050, 256
OCTAVES = (0.5, 1.0, 2.0)
ONSET_SECONDS = 0.05  # how far apart two onsets may be that count as one (MIREX)


@dataclass(frozen=True)
class Pulse:
    """What a beat tracker hears.

    Attributes
    ----------
    bpm : of the whole clip, by autocorrelation; 0 where nothing pulses.
    beat_bpm : by the median interval between beats; 0 with fewer than two beats.
    beats : (n,) seconds.
    """

    bpm: float
    beat_bpm: float
    beats: npt.NDArray[np.float64]


def pulse(clip: Clip, sample_rate: int) -> Pulse:
    """Tempo and beats of a clip; tempi near 120 bpm are the likeliest to the tracker.

    Raises
    ------
    InputError
        If the clip is shorter than one second.
    """
    audio = resample(mono(clip)[None], sample_rate, RATE)[0]
    if len(audio) < RATE:
        raise InputError(f"a clip of {len(audio) / RATE:.2f} s has no pulse: give a second or more")
    onsets = librosa.onset.onset_strength(y=audio, sr=RATE, hop_length=HOP)
    if not onsets.any():
        return Pulse(0.0, 0.0, np.zeros(0))
    bpm = float(librosa.feature.tempo(onset_envelope=onsets, sr=RATE, hop_length=HOP)[0])
    _, beats = librosa.beat.beat_track(
        onset_envelope=onsets, sr=RATE, hop_length=HOP, bpm=bpm, units="time"
    )
    beat_bpm = 60 / float(np.median(np.diff(beats))) if len(beats) > 1 else 0.0
    return Pulse(bpm, beat_bpm, np.asarray(beats, np.float64))


def same_tempo(
    found: float, wanted: float, *, octaves: bool = False, tolerance: float = 0.04
) -> bool:
    """Whether a tempo is the one wanted, in bpm, within 4%; with `octaves` half or double too."""
    allowed = OCTAVES if octaves else (1.0,)
    return any(abs(found / (wanted * octave) - 1) <= tolerance for octave in allowed)


def beat_f_measure(clip: Clip, sample_rate: int, beats: npt.ArrayLike) -> float:
    """F-measure from 0 to 1 of the beats heard against `beats` (n,) in seconds, within 70 ms.

    mir_eval's, but with the first five seconds, which its usual trimming would drop.
    """
    heard = pulse(clip, sample_rate).beats
    wanted = np.asarray(beats, np.float64)
    if not len(heard) or not len(wanted):
        return 0.0
    return float(mir_eval.beat.f_measure(wanted, heard))


def onset_f_measure(clip: Clip, sample_rate: int, reference: Clip, reference_rate: int) -> float:
    """F-measure from 0 to 1 of when notes begin in a clip against a reference, within 50 ms.

    Onsets are librosa's: single moments, picked at the peaks of its onset strength.
    """
    heard, wanted = onsets(clip, sample_rate), onsets(reference, reference_rate)
    if not len(heard) or not len(wanted):
        return 0.0
    return float(mir_eval.onset.f_measure(wanted, heard, window=ONSET_SECONDS)[0])


def onsets(clip: Clip, sample_rate: int) -> npt.NDArray[np.float64]:
    """Seconds (n,) at which notes begin."""
    audio = resample(mono(clip)[None], sample_rate, RATE)[0]
    found = librosa.onset.onset_detect(y=audio, sr=RATE, hop_length=HOP, units="time")
    return np.asarray(found, np.float64)
