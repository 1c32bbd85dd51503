"""Basic Pitch: which piano keys sound at each moment, by a polyphonic transcriber.

Bittner et al. 2022 (arXiv:2203.09893), the published network run by ONNX Runtime; windows, trimming
and notes as in the package `basic-pitch` 0.4.0 (Apache-2.0, Copyright 2022 Spotify AB).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession
from scipy.signal import argrelmax

from ditto_music.audio.files import resample
from ditto_music.errors import InputError
from ditto_music.evaluation.judges.clips import Clip, mono

RATE, HOP = 22_050, 256
WINDOW = 2 * RATE - HOP  # samples the network takes at once
OVERLAP = 30  # frames that two windows share; half are dropped at each end
STRIDE = WINDOW - OVERLAP * HOP
FRAMES_PER_SECOND = RATE // HOP
LOWEST, KEYS = 21, 88  # MIDI pitch of the first key, their number

ONSET, QUIET = 0.5, 0.3  # least probability of an onset, and of a key that goes on sounding
PATIENCE, SHORTEST = 11, 11  # frames: of quiet that end a note; a note lasts longer than this

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Transcription:
    """What the network hears.

    Attributes
    ----------
    times : (F,) seconds, about 86 a second.
    notes : (F, 88), probability from 0 to 1 that a key sounds, A0 first.
    onsets : (F, 88), that it begins to.
    """

    times: Floats
    notes: Floats
    onsets: Floats


@dataclass(frozen=True)
class Note:
    """A note heard: its start and end in seconds and its MIDI pitch."""

    start: float
    end: float
    pitch: int


def transcribe(clip: Clip, sample_rate: int) -> Transcription:
    """What keys sound in a clip of any length.

    The package stamps frames by its frame rate and corrects the drift, for a window of 142 frames
    lasts 141.27 hops, by up to 10 ms a window; here they have the times of their windows.

    Raises
    ------
    InputError
        If the clip is shorter than a frame (12 ms).
    """
    audio = resample(mono(clip)[None], sample_rate, RATE)[0]
    count, half = len(audio) * FRAMES_PER_SECOND // RATE, OVERLAP // 2
    if not count:
        raise InputError(
            f"a clip of {len(audio) / RATE:.3f} s is shorter than one frame of Basic Pitch (12 ms)"
        )
    padded = np.concatenate([np.zeros(half * HOP, np.float32), audio])
    starts = range(0, len(padded), STRIDE)
    windows = np.zeros((len(starts), WINDOW, 1), np.float32)
    for window, start in zip(windows, starts, strict=True):
        part = padded[start : start + WINDOW]
        window[: len(part), 0] = part
    notes, onsets = (
        output[:, half:-half].reshape(-1, KEYS)[:count] for output in _network(windows)
    )
    number, frame = np.divmod(np.arange(count), WINDOW // HOP + 1 - OVERLAP)
    return Transcription((number * STRIDE + frame * HOP) / RATE, notes, onsets)


def notes_of(heard: Transcription) -> list[Note]:
    """The notes in a transcription, by start.

    The package's own rule with its defaults: from each onset of at least 0.5, and then from the
    strongest frame left over, a note lasts while no 11 frames in a row are under 0.3; it takes the
    keys beside it along, and counts if it lasts more than 11 frames.
    """
    energy = heard.notes.astype(np.float64)
    last = len(energy) - 1
    spans: list[tuple[int, int, int]] = []

    def take(start: int, end: int, key: int) -> None:
        energy[start:end, max(key - 1, 0) : key + 2] = 0

    onsets = _sharpened(heard)
    peaks = np.zeros_like(onsets)
    peaks[argrelmax(onsets)] = onsets[argrelmax(onsets)]
    for start, key in np.argwhere(peaks >= ONSET)[::-1]:
        end, quiet = _walk(energy[:, key], start, last, 1)
        if end - quiet - start > SHORTEST:
            take(start, end - quiet, key)
            spans.append((start, end - quiet, key))
    while energy.max() > QUIET:
        middle, key = divmod(int(energy.argmax()), KEYS)
        end, quiet_after = _walk(energy[:, key], middle, last, 1)
        start, quiet_before = _walk(energy[:, key], middle, 0, -1)
        energy[middle, key] = 0
        take(start + 1, middle, key)
        take(middle + 1, end, key)
        start, end = start + 1 + quiet_before, end - 1 - quiet_after
        if end - start > SHORTEST:
            spans.append((start, end, key))
    return [
        Note(float(heard.times[start]), float(heard.times[end]), int(key) + LOWEST)
        for start, end, key in sorted(spans)
    ]


def _walk(row: Floats, frame: int, stop: int, step: int) -> tuple[int, int]:
    """Where a note ends from `frame` on, and how many quiet frames the walk there ended with."""
    quiet = 0
    frame += step
    while frame * step < stop * step and quiet < PATIENCE:
        quiet = quiet + 1 if row[frame] < QUIET else 0
        frame += step
    return frame, quiet


def _sharpened(heard: Transcription) -> Floats:
    """Onsets (F, 88), or where it is more, how fast a key's probability rises over two frames."""
    lagged = [np.pad(heard.notes, [(lag, 0), (0, 0)])[: len(heard.notes)] for lag in (1, 2)]
    rise = np.maximum(heard.notes - np.maximum(*lagged), 0)
    rise[:2] = 0
    return np.maximum(heard.onsets, rise * (heard.onsets.max() / (rise.max() or 1)))


@cache
def _session() -> InferenceSession:
    path = Path(__file__).with_name("nmp.onnx")
    return InferenceSession(path, providers=["CPUExecutionProvider"])


def _network(windows: Floats) -> tuple[Floats, Floats]:
    """Notes and onsets, each (W, 172, 88), of windows (W, 43844, 1)."""
    names = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]
    notes, onsets = _session().run(names, {"serving_default_input_2:0": windows})
    return np.asarray(notes), np.asarray(onsets)
