"""Targets that systems are compared on, and the independent ears that judge the answers.

`ditto-music compare` and the benchmarks ask the same: curves of loudness, tunes and forms, each
over 6 s, with the same prompts. A judge hears the finished clip and is never optimised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.signal import savgol_filter

from ditto_music.evaluation.judges.loudness import SHORT_TERM, curve_agreement
from ditto_music.evaluation.judges.notes import (
    classes_at,
    melody_accuracy,
    melody_accuracy_crepe,
)
from ditto_music.evaluation.judges.timbre import form_agreement

SECONDS = 6.0
RATE_OF_TARGETS = 50  # moments a second at which melodies are judged

Samples = npt.NDArray[np.float32]
Judge = Callable[[Samples, int], dict[str, float]]
Curve = Sequence[tuple[float, float]]
Tune = Sequence[tuple[float, float, int]]

PROMPTS = (
    "calm piano ballad, 80 bpm",
    "upbeat bossa nova with nylon guitar",
    "dark ambient pads",
    "energetic rock band, 140 bpm",
    "sad slow waltz in D minor",
    "funky bass and drums",
    "swing jazz trio with walking bass",
    "epic cinematic strings and timpani",
    "happy bluegrass banjo and fiddle",
    "disco with strings, 120 bpm",
    "reggae, relaxed",
    "solo flute, dreamy",
    "heavy metal guitars",
    "country ballad with steel guitar",
    "techno beat, 128 bpm",
    "gospel organ, joyful",
    "tango with accordion",
    "lullaby on a music box",
    "salsa with brass, fast",
    "classical string quartet in G major",
)

CURVES: dict[str, Curve] = {
    "rise": [(0, -40), (6, -12)],
    "fall": [(0, -12), (6, -40)],
    "arch": [(0, -36), (3, -14), (6, -36)],
    "step": [(0, -34), (3, -34), (3, -16), (6, -16)],
    "pulse": [(0, -30), (2, -30), (2, -14), (4, -14), (4, -30), (6, -30)],
}

#: Note:seconds; public domain.
TUNES: dict[str, str] = {
    "ode": "E4:.5 E4:.5 F4:.5 G4:.5 G4:.5 F4:.5 E4:.5 D4:.5 C4:.5 C4:.5 D4:.5 E4:.5",
    "arpeggio": "A3:.75 C4:.75 E4:.75 A4:.75 F4:.75 D4:.75 B3:.75 G4:.75",
    "long notes": "D4:1.5 F#4:1.5 A4:1.5 G4:1.5",
}

FORMS = ("AB", "ABA", "AABA")


def intensity_error(clip: Samples, rate: int, curve: Curve) -> float:
    """RMS error in dB between the clip's smoothed level and the curve, by numpy and scipy alone.

    Frames are as long at any rate, those of 2048 samples at 24 kHz.
    """
    window, hop = round(2048 * rate / 24_000), round(512 * rate / 24_000)
    starts = np.arange(0, len(clip) - window + 1, hop)
    levels = np.array([np.mean(clip[s : s + window].astype(np.float64) ** 2) for s in starts])
    seconds, wanted = zip(*curve, strict=True)
    target = np.interp((starts + window / 2) / rate, seconds, wanted)
    achieved, target = (
        np.asarray(savgol_filter(x, 47, 2, mode="nearest"))
        for x in (10 * np.log10(levels + 1e-10), target)
    )
    return float(np.sqrt(np.mean((achieved - target) ** 2)))


def loudness_judge(curve: Curve) -> Judge:
    """The level in dB, and loudness as broadcasters measure it, the short-term one NaN where the
    clip is shorter than its window.
    """

    def judge(clip: Samples, rate: int) -> dict[str, float]:
        seconds, levels = zip(*curve, strict=True)
        momentary = curve_agreement(clip, rate, seconds, levels)
        short_term = math.nan
        if len(clip) >= round(SHORT_TERM * rate):
            short_term = curve_agreement(clip, rate, seconds, levels, SHORT_TERM).correlation
        return {
            "error_db": intensity_error(clip, rate, curve),
            "momentary": momentary.correlation,
            "short_term": short_term,
        }

    return judge


def notes_judge(text: str, whole: float = SECONDS) -> Judge:
    """Basic Pitch and CREPE, over so many seconds."""
    tune = notes_of(text)
    times = (np.arange(round(whole * RATE_OF_TARGETS)) + 0.5) / RATE_OF_TARGETS
    classes = classes_at(tune, times)

    def judge(clip: Samples, rate: int) -> dict[str, float]:
        heard = melody_accuracy(clip, rate, times, classes)
        crepe = melody_accuracy_crepe(clip, rate, times, classes)
        return {
            "top": heard.top.found,
            "top_chance": heard.top.transposed,
            "heard": heard.heard.found,
            "crepe": crepe.found,
        }

    return judge


def timbre_judge(form: str, whole: float = SECONDS) -> Judge:
    """Spectral contrast's self-similarity, over so many seconds."""
    length = whole / len(form)
    blocks = [(i * length, (i + 1) * length, letter) for i, letter in enumerate(form)]

    def judge(clip: Samples, rate: int) -> dict[str, float]:
        agreement = form_agreement(clip, rate, blocks)
        return {"correlation": agreement.correlation, "timbre_contrast": agreement.contrast}

    return judge


def notes_of(text: str) -> Tune:
    """(start, seconds, MIDI pitch) of each note."""
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    tune: list[tuple[float, float, int]] = []
    at = 0.0
    for word in text.split():
        name, length = word.split(":")
        pitch = 12 * (int(name[-1]) + 1) + steps[name[0]] + name.count("#")
        tune.append((at, float(length), pitch))
        at += float(length)
    return tune
