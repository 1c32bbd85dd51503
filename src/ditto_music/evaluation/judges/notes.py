"""Which notes are heard, the judge of `Melody`: a polyphonic transcriber and a pitch tracker.

Conventions: pitch classes are 0 to 11 from C; a target has one for each of its moments, or -1 where
it has none, and is compared with what is heard at those moments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mir_eval
import numpy as np
import numpy.typing as npt
import torch

from ditto_music.errors import InputError
from ditto_music.evaluation.judges.basic_pitch import LOWEST, notes_of, transcribe
from ditto_music.evaluation.judges.clips import Clip, mono
from ditto_music.features.crepe import pitch, pitch_times

MIDDLE_C = 60  # MIDI pitch
HEARD = 0.3  # probability from which a key sounds: Basic Pitch's own for notes
CLASSES = 12

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Share:
    """A share of a target's moments, from 0 to 1, beside what two wrong targets get.

    Attributes
    ----------
    found : of the target.
    transposed : chance: the mean over the target moved by 1 to 11 semitones. Where a moment has
        just one class, as in `top`, this is (1 - found) / 11.
    shuffled : the mean over the target's notes in any order: what an ear gets that knows which
        notes they are but not when, so what the key alone does.
    """

    found: float
    transposed: float
    shuffled: float


@dataclass(frozen=True)
class MelodyAccuracy:
    """How much of a melody is heard.

    Attributes
    ----------
    top : moments at which the target's is the strongest pitch class above middle C, however faint.
    heard : moments at which it is among those that sound, with a probability of 0.3 and more.
    """

    top: Share
    heard: Share


def pitch_classes(clip: Clip, sample_rate: int) -> tuple[Floats, Floats]:
    """How sure Basic Pitch is of each pitch class from middle C up.

    Returns
    -------
    classes : (12, F), from 0 to 1, the most over the octaves; C first.
    times : (F,) seconds.
    """
    heard = transcribe(clip, sample_rate)
    above = heard.notes[:, MIDDLE_C - LOWEST :]
    classes = np.stack([above[:, note::CLASSES].max(1) for note in range(CLASSES)])
    return classes, heard.times


def melody_accuracy(
    clip: Clip, sample_rate: int, times: npt.ArrayLike, target: npt.ArrayLike
) -> MelodyAccuracy:
    """How much of a melody Basic Pitch hears, at the frames nearest to the target's moments.

    `heard` is mir_eval's chroma recall of multiple pitches.

    Parameters
    ----------
    times, target : (M,) seconds, and pitch classes or -1.

    Raises
    ------
    InputError
        If times and target do not go together, or every moment is a rest.
    """
    times, target = _voiced(times, target)
    classes, frames = pitch_classes(clip, sample_rate)
    there = classes[:, np.abs(frames[:, None] - times).argmin(0)]
    strongest, sounding = there.argmax(0), there >= HEARD
    moments = np.arange(len(times))
    return MelodyAccuracy(
        _share(lambda notes: float((strongest == notes).mean()), target),
        _share(lambda notes: float(sounding[notes, moments].mean()), target),
    )


def melody_accuracy_crepe(
    clip: Clip, sample_rate: int, times: npt.ArrayLike, target: npt.ArrayLike
) -> Share:
    """How much of a melody CREPE hears: mir_eval's raw chroma accuracy.

    CREPE follows one voice, in a band most often the loudest or the lowest, and is asked at every
    moment, sure of itself or not: a moment counts within a quarter tone, in any octave.

    Parameters and errors are those of `melody_accuracy`.
    """
    times, target = _voiced(times, target)
    audio = torch.from_numpy(mono(clip))[None]
    frames = pitch_times(audio.shape[-1], sample_rate).numpy()
    hertz = pitch(audio, sample_rate)[0][0].double().numpy()
    nearest = hertz[np.abs(frames[:, None] - times).argmin(0)]
    heard, always = mir_eval.melody.hz2cents(nearest), np.ones(len(times))

    def accuracy(notes: Integers) -> float:
        wanted = mir_eval.melody.hz2cents(mir_eval.util.midi_to_hz(MIDDLE_C + notes))
        return float(mir_eval.melody.raw_chroma_accuracy(always, wanted, always, heard))

    return _share(accuracy, target)


def note_recall(
    clip: Clip, sample_rate: int, notes: Sequence[tuple[float, float, int]]
) -> tuple[float, float]:
    """Recall and precision of whole notes: onset within 50 ms, pitch within a quarter tone.

    Ends are not compared, and octaves are not folded. Precision says little of a melody with an
    accompaniment, whose notes count as wrong.

    Parameters
    ----------
    notes : (start, duration, MIDI pitch) each, in seconds.

    Returns
    -------
    recall, precision : from 0 to 1, by mir_eval.transcription.
    """
    heard = notes_of(transcribe(clip, sample_rate))
    if not heard or not notes:
        return 0.0, 0.0
    wanted = np.array([(start, start + length) for start, length, _ in notes])
    found = np.array([(note.start, note.end) for note in heard])
    scores = mir_eval.transcription.evaluate(
        wanted,
        mir_eval.util.midi_to_hz(np.array([key for *_, key in notes])),
        found,
        mir_eval.util.midi_to_hz(np.array([note.pitch for note in heard])),
    )
    return float(scores["Recall_no_offset"]), float(scores["Precision_no_offset"])


def classes_at(notes: Sequence[tuple[float, float, int]], times: npt.ArrayLike) -> Integers:
    """Pitch classes (M,) of (start, duration, MIDI pitch) notes at `times`, -1 where none sounds.

    Of several at once the highest counts.
    """
    times = np.asarray(times, np.float64)
    pitches = np.full(times.shape, -1)
    for start, length, key in notes:
        sounds = (times >= start) & (times < start + length)
        pitches[sounds] = np.maximum(pitches[sounds], key)
    return np.where(pitches < 0, -1, pitches % CLASSES)


def _voiced(times: npt.ArrayLike, target: npt.ArrayLike) -> tuple[Floats, Integers]:
    """The moments that have a note."""
    times, target = np.asarray(times, np.float64), np.asarray(target)
    if times.ndim != 1 or times.shape != target.shape:
        raise InputError(
            f"a melody needs as many times as pitch classes, not {times.shape} and {target.shape}"
        )
    voiced = target >= 0
    if not voiced.any() or (target >= CLASSES).any():
        raise InputError("a melody to judge needs pitch classes from 0 to 11; -1 is a rest")
    return times[voiced], target[voiced].astype(int)


def _share(accuracy: Callable[[Integers], float], target: Integers) -> Share:
    """The accuracy of a target (M,) and of wrong ones."""
    rows = [accuracy((target + shift) % CLASSES) for shift in range(CLASSES)]
    held = [accuracy(np.full(len(target), note)) for note in range(CLASSES)]
    counts = np.bincount(target, minlength=CLASSES)
    return Share(rows[0], float(np.mean(rows[1:])), float(np.dot(counts, held) / len(target)))
