"""How far an extension has wandered from the recording it began with, window by window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.audio import Recording
from ditto_music.controls.references import mono
from ditto_music.editing.beats import beat_seconds
from ditto_music.editing.joins import rms
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import SAMPLE_RATE, embedding
from ditto_music.panels import Curve, Panel


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


def drift_panels(lines: Sequence[Drift], *, level: bool = True) -> list[Panel]:
    """Level, tempo and timbre of the windows, at their middles, over the recording's end.

    Of fewer than two windows nothing: a point is no curve; nor of a tempo that was not found.

    Parameters
    ----------
    level : whether it was to stay; it was not where a control asked for one.
    """
    if len(lines) < 2:
        return []
    lines = sorted(lines, key=lambda line: line.start)

    def over(values: Sequence[float | None]) -> Tensor:
        return torch.tensor([math.nan if value is None else value for value in values])

    times = over([(line.start + line.stop) / 2 for line in lines])
    panels = [
        Curve("drift of level", "dB", times, 0 * times, over([line.level_db for line in lines])),
        Curve(
            "drift of tempo",
            "bpm",
            times,
            over([line.bpm_before for line in lines]),
            over([line.bpm for line in lines]),
        ),
        Curve(
            "drift of timbre",
            "cosine",
            times,
            0 * times + 1,
            over([line.timbre for line in lines]),
        ),
    ]
    return [panel for panel in panels[not level :] if not panel.achieved.isnan().all()]


def _part(recording: Recording, seconds: tuple[float, float]) -> Recording:
    start, stop = (round(edge * recording.sample_rate) for edge in seconds)
    return recording.part(start, stop)


def _embedding(part: Recording) -> Tensor:
    return embedding(levelled(mono(part, SAMPLE_RATE)), SAMPLE_RATE)[0]


def _bpm(part: Recording) -> float | None:
    beat = beat_seconds(part)
    return 60 / beat if beat else None
