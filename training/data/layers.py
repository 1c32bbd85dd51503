"""Layers of our own over a chord progression: pads, arpeggios, basses, chords, drum patterns.

Each function gives notes in beats over `chords` (a list of chords for each bar of `beats` beats).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from training.data.harmony import Chord
from training.data.score import Note

Chords = list[list[Chord]]
Rhythm = Sequence[tuple[float, float]]  # (beat in the bar, length in beats) pairs


def spans(chords: Chords, beats: int) -> Iterator[tuple[float, float, Chord]]:
    """(start, length, chord) in beats for each chord in turn."""
    for bar, names in enumerate(chords):
        length = beats / len(names)
        for i, chord in enumerate(names):
            yield bar * beats + i * length, length, chord


def voicing(chord: Chord, low: int, count: int = 0) -> list[int]:
    """Pitches of the chord from MIDI pitch `low` up: each tone once, or `count` tones climbing."""
    tones = sorted((pc - low) % 12 + low for pc in chord.pitch_classes)
    while len(tones) < count:
        tones.append(tones[-len(chord.shape)] + 12)
    return tones[: count or None]


def pad(chords: Chords, beats: int, low: int, velocity: int = 76) -> list[Note]:
    """Held chords."""
    return [
        Note(start, length * 0.99, pitch, velocity)
        for start, length, chord in spans(chords, beats)
        for pitch in voicing(chord, low)
    ]


def arpeggio(
    chords: Chords, beats: int, rng: np.random.Generator, *, low: int, step: float, ring: float = 1
) -> list[Note]:
    """Broken chords: one note each `step` beats, in a shape chosen for the piece.

    `ring` is how many steps each note lasts.
    """
    count = int(rng.integers(3, 7))
    up = list(range(count))
    orders = [
        up, up[::-1], up + up[-2:0:-1], [0, 2, 1, 2], [0, count - 1, 1, count - 1, 2, count - 1],
        [int(i) for i in rng.integers(0, count, 8)],
    ]  # fmt: skip
    order = orders[rng.integers(len(orders))]
    notes = []
    for start, length, chord in spans(chords, beats):
        tones = voicing(chord, low, max(count, max(order) + 1))
        for i in range(round(length / step)):
            accent = 12 if (i * step) % 1 == 0 else 0
            velocity = int(np.clip(68 + accent + rng.normal(0, 5), 30, 120))
            notes.append(
                Note(start + i * step, step * ring, tones[order[i % len(order)]], velocity)
            )
    return notes


def bass(
    chords: Chords, beats: int, rhythm: Rhythm, *, low: int = 30,
    fifths: bool = False, velocity: int = 96,
) -> list[Note]:  # fmt: skip
    """Roots on a rhythm of (beat in the bar, length) pairs; `fifths` alternates root and fifth."""
    notes = []
    for start, length, chord in spans(chords, beats):
        root = (chord.root - low) % 12 + low
        bar = start - start % beats
        for i, (beat, duration) in enumerate(rhythm):
            if start <= bar + beat < start + length:
                pitch = root + (7 if fifths and i % 2 else 0)
                notes.append(Note(bar + beat, duration, pitch, velocity))
    return notes


def comp(
    chords: Chords, beats: int, rhythm: Rhythm, *, low: int, velocity: int = 84,
    power: bool = False, strum: float = 0.0,
) -> list[Note]:  # fmt: skip
    """Chords on a rhythm of (beat in the bar, length) pairs; `power` is root, fifth and octave.

    `strum` is the delay in beats from string to string.
    """
    notes = []
    for start, length, chord in spans(chords, beats):
        root = (chord.root - low) % 12 + low
        tones = [root, root + 7, root + 12] if power else voicing(chord, low)
        bar = start - start % beats
        for beat, duration in rhythm:
            if start <= bar + beat < start + length:
                loud = velocity + (8 if beat % 1 == 0 else 0)
                notes += [
                    Note(bar + beat + i * strum, duration, p, loud) for i, p in enumerate(tones)
                ]
    return notes


KICK, SNARE, CLAP, HAT, OPEN_HAT, RIDE, CRASH, RIM, SHAKER, TOM = (
    36, 38, 39, 42, 46, 51, 49, 37, 70, 45,
)  # fmt: skip


def drums(
    bars: int, beats: int, pattern: dict[int, str], rng: np.random.Generator, *, fills: bool = True
) -> list[Note]:
    """A drum pattern a bar long in sixteenths (`x` hit, `o` soft hit, `.` rest), looped.

    With `fills`, each fourth bar ends in a run on snare and tom and the next opens on a crash.
    """
    notes = []
    for bar in range(bars):
        filling = fills and bar % 4 == 3
        for drum, steps in pattern.items():
            for i in range(beats * 4):
                hit = steps[i % len(steps)]
                if hit == "." or (filling and i >= beats * 4 - 4 and drum not in (KICK, HAT)):
                    continue
                level = (104 if hit == "x" else 64) + rng.normal(0, 5)
                notes.append(Note(bar * beats + i / 4, 0.2, drum, int(np.clip(level, 20, 127))))
        if filling:
            for i, drum in enumerate(rng.choice([SNARE, TOM, 47, 43], 4)):
                notes.append(Note((bar + 1) * beats - 1 + i / 4, 0.2, int(drum), 84 + 8 * i))
        if fills and bar % 4 == 0 and bar:
            notes.append(Note(bar * beats, 1.0, CRASH, 100))
    return notes
