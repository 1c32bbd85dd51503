"""Notes in the forms people have them: typed, listed, in MIDI, sung or played in a recording.

A note begins and ends at a second and has a MIDI pitch (60 is middle C). Where several sound at
once the highest is the melody: the skyline.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.audio import read_audio
from ditto_music.errors import InputError
from ditto_music.features import crepe
from ditto_music.features.crepe.network import SAMPLE_RATE, WINDOW

LOOKS = "a note is a letter, # or b, and an octave, such as C4, F#5 or Bb3; a dot is a rest"
LONGEST_RECORDING = 60.0  # seconds
FAINT = 1e-4  # of the loudest frame's power, -40 dB: no note, but the room
MAJORITY = 9  # frames of 10 ms among which the pitch most often found wins

_NOTE = re.compile(r"([A-Ga-g])([#♯b♭]*)(-?[0-9])?")
_SEMITONES = dict(zip("cdefgab", (0, 2, 4, 5, 7, 9, 11), strict=True))


class Note(NamedTuple):
    """One note, in seconds."""

    start: float
    end: float
    pitch: int


@dataclass(frozen=True)
class Tune:
    """Notes and how long they last.

    Attributes
    ----------
    seconds : with the rests before and after; 1 where `relative`.
    relative : times run from 0 to 1 over the clip, whatever its length.
    """

    notes: Sequence[Note]
    seconds: float
    relative: bool = False

    def at(self, times: Tensor, scale: float = 1.0) -> Tensor:
        """The highest pitch sounding at each of `times` (F,), int64, -1 where none is.

        Times of the notes are multiplied by `scale` first.
        """
        starts, ends, pitches = np.array(self.notes).T
        now = times.numpy().astype(np.float64)[:, None] / scale + 1e-9  # a note has its first frame
        sounding = (starts <= now) & (now < ends)
        return torch.from_numpy(np.where(sounding, pitches, -1).max(1)).long()


def parse_notes(text: str) -> Tune:
    """Notes from text: ``C4:1 .:0.5 Eb4:0.5`` (note:seconds) or ``C4 E4 G4``, evenly spread.

    Spaces or commas separate; a dot is a rest; the octave is 4 where it is left out.

    Raises
    ------
    InputError
        If a note or a length is not understood, only some have lengths, or all are rests.
    """
    words = text.replace(",", " ").split()
    if not words:
        raise InputError(f"melody: there are no notes: {LOOKS}")
    timed = [":" in word for word in words]
    if any(timed) and not all(timed):
        raise InputError(
            f"melody: '{words[timed.index(False)]}' has no length but others have: write "
            "note:seconds for all, or for none and they share the clip evenly"
        )
    names, _, lengths = zip(*(word.partition(":") for word in words), strict=True)
    pitches = [None if name == "." else _pitch(name) for name in names]
    seconds = [_length(word, length) for word, length in zip(words, lengths, strict=True)]
    edges = np.cumsum([0.0, *seconds])
    if not all(timed):
        edges /= edges[-1]
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), pitches, strict=True)
    notes = [Note(start, end, pitch) for start, end, pitch in spans if pitch is not None]
    if not notes:
        raise InputError("melody: there are only rests: add a note, such as C4:1")
    return Tune(notes, float(edges[-1]), relative=not all(timed))


def listed_notes(values: Sequence[Sequence[float]] | np.ndarray) -> Tune:
    """Notes from (start seconds, end seconds, MIDI pitch) rows; they may overlap.

    Raises
    ------
    InputError
        If there are none, or a row is not such a note, with its number.
    """
    try:
        rows = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            "melody: give rows of three numbers (start seconds, end seconds, MIDI pitch); names of "
            "notes go into one text, as 'C4 E4 G4'"
        ) from None
    if rows.ndim != 2 or rows.shape[1] != 3 or not len(rows):
        raise InputError(
            "melody: give rows of (start seconds, end seconds, MIDI pitch); "
            f"this has the shape {rows.shape}"
        )
    for number, (start, end, pitch) in enumerate(rows.tolist(), start=1):
        if not np.isfinite([start, end, pitch]).all() or start < 0 or end <= start:
            raise InputError(
                f"melody: note {number} lasts from {start:g} to {end:g} s at pitch {pitch:g}: "
                "it must begin at 0 or later, end after it begins, and hold finite numbers"
            )
        if not 0 <= pitch <= 127 or pitch != round(pitch):
            raise InputError(
                f"melody: note {number} has the pitch {pitch:g}: "
                "give a whole MIDI number from 0 to 127, 60 being middle C"
            )
    return Tune([Note(start, end, int(pitch)) for start, end, pitch in rows], rows[:, 1].max())


def read_voice(path: Path) -> Tune:
    """Notes sung, hummed, whistled or played one at a time in a recording, by CREPE.

    The pitch is rounded to the nearest semitone of the recording's own tuning, the pitch most often
    found within 90 ms wins, and frames without a pitch or 40 dB under the loudest are rests. Of a
    longer recording the first minute is read. Time begins with the first note.

    Raises
    ------
    InputError
        If the recording cannot be read, is shorter than a frame (64 ms), or has no pitch.
    """
    audio = torch.from_numpy(read_audio(path, SAMPLE_RATE, mono=True, what="melody"))
    audio = audio[:, : round(LONGEST_RECORDING * SAMPLE_RATE)]
    if audio.shape[-1] < WINDOW:
        raise InputError(
            f"melody {path}: {audio.shape[-1] / SAMPLE_RATE:.3f} s of audio is too short to have a "
            f"pitch: give at least {WINDOW / SAMPLE_RATE:.3f} s"
        )
    hertz, periodicity = crepe.pitch(audio, SAMPLE_RATE)
    times = crepe.pitch_times(audio.shape[-1], SAMPLE_RATE)
    hop = float(times[1])
    step = round(hop * SAMPLE_RATE)
    energy = F.avg_pool1d(audio.square()[:, None], WINDOW, step, WINDOW // 2)[0, 0]
    voiced = (periodicity[0] >= crepe.VOICED) & (energy >= FAINT * energy.max())
    pitches = _settled(_in_tune(69 + 12 * torch.log2(hertz[0] / 440), voiced), voiced)
    notes, frame = list[Note](), 0
    for pitch, run in groupby(pitches.tolist()):
        first, frame = frame, frame + len(list(run))
        if pitch >= 0:
            notes.append(Note(first * hop, frame * hop, pitch))
    if not notes:
        raise InputError(
            f"melody {path}: no pitch was found in it: record one voice or instrument, "
            "louder and without accompaniment"
        )
    return begun(notes)


def begun(notes: Sequence[Note]) -> Tune:
    """The tune that begins with the first of its notes and ends with the last."""
    first = min(note.start for note in notes)
    moved = [Note(note.start - first, note.end - first, note.pitch) for note in notes]
    return Tune(moved, max(note.end for note in moved))


def _pitch(name: str) -> int:
    match = _NOTE.fullmatch(name)
    if not match:
        raise InputError(f"melody: '{name}' is not a note: {LOOKS}")
    letter, accidentals, octave = match.groups()
    sharps = sum(1 if sign in "#♯" else -1 for sign in accidentals)
    return 12 * (int(octave or 4) + 1) + _SEMITONES[letter.lower()] + sharps


def _length(word: str, length: str) -> float:
    """Seconds of a note; notes without a length last alike."""
    if ":" not in word:
        return 1.0
    try:
        seconds = float(length)
    except ValueError:
        seconds = float("nan")
    if not 0 < seconds < float("inf"):
        raise InputError(
            f"melody: '{word}' has no length that can be used: write seconds above 0, as in C4:0.5"
        )
    return seconds


def _in_tune(semitones: Tensor, voiced: Tensor) -> Tensor:
    """Pitches (F,) moved by what the voiced ones are off the semitones, on (circular) average."""
    turns = torch.exp(2j * torch.pi * semitones[voiced])
    return semitones - torch.angle(turns.sum()) / (2 * torch.pi)


def _settled(semitones: Tensor, voiced: Tensor) -> Tensor:
    """Whole pitches (F,), -1 where unvoiced: of each `MAJORITY` frames the one most often found."""
    pitches = torch.where(voiced, semitones.round().clamp(0, 127), -1).long()
    votes = F.one_hot(pitches + 1, 129).T.float()
    return F.avg_pool1d(votes, MAJORITY, 1, MAJORITY // 2).argmax(0) - 1
