"""How far an extension has wandered from the recording it began with, window by window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ditto_music.audio import Recording
from ditto_music.controls.references import mono
from ditto_music.editing.beats import beat_seconds
from ditto_music.editing.joins import rms
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import SAMPLE_RATE, embedding


@dataclass(frozen=True)
class Drift:
    """One window of new music against the end of the recording that it extends.

    Attributes
    ----------
    start, stop : seconds in the finished recording.
    level_db : louder than there, in dB.
    bpm : the tempo found in the window, or None; `bpm_before` of the recording's end.
    timbre : cosine of the taggers' embeddings; recordings of one kind have 0.7 to 0.9.
    """

    start: float
    stop: float
    level_db: float
    bpm: float | None
    bpm_before: float | None
    timbre: float


@torch.no_grad()
def measure_drift(
    recording: Recording, windows: list[tuple[float, float]], original: tuple[float, float]
) -> list[Drift]:
    """A line a window; all arguments in seconds of `recording`."""
    before = _part(recording, original)
    level, heard, bpm = rms(before.audio()), _embedding(before), _bpm(before)
    lines: list[Drift] = []
    for start, stop in windows:
        part = _part(recording, (start, stop))
        cosine = float(F.cosine_similarity(_embedding(part), heard, dim=-1))
        change = 20 * math.log10(rms(part.audio()) / level)
        lines.append(Drift(start, stop, change, _bpm(part), bpm, cosine))
    return lines


def _part(recording: Recording, seconds: tuple[float, float]) -> Recording:
    start, stop = (round(edge * recording.sample_rate) for edge in seconds)
    return recording.part(start, stop)


def _embedding(part: Recording) -> torch.Tensor:
    return embedding(levelled(mono(part, SAMPLE_RATE)), SAMPLE_RATE)[0]


def _bpm(part: Recording) -> float | None:
    beat = beat_seconds(part)
    return 60 / beat if beat else None
