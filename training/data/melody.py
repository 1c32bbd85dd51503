"""A melody voice: motifs that are repeated, moved and answered over the chords."""

import numpy as np

from training.data.harmony import Chord, Key
from training.data.score import Note


def melody(
    key: Key,
    chords: list[list[Chord]],
    beats: int,
    rng: np.random.Generator,
    *,
    low: int,
    high: int,
    activity: float,
    swing: bool,
) -> list[Note]:
    """One voice between MIDI pitches `low` and `high` over `chords` (a list a bar).

    `activity` from 0 (long notes) to 1 (runs). Strong beats land on chord tones; phrases of four
    bars breathe at their end; the last note is a long chord tone.
    """
    ladder = [p for p in range(low, high + 1) if p % 12 in key.scale]
    step = len(ladder) // 2 + int(rng.integers(-2, 3))
    length = int(rng.choice([1, 2], p=[0.4, 0.6]))
    motif, answer = (_motif(beats * length, rng, activity) for _ in range(2))
    staccato = rng.random() < 0.25
    notes: list[Note] = []
    bar = 0
    while bar < len(chords):
        current = answer if (bar // length) % 4 == 3 and rng.random() < 0.7 else motif
        draw = rng.random()
        if draw < 0.12:
            current = answer = _motif(beats * length, rng, activity)
        shift = int(rng.integers(-2, 3)) if 0.12 <= draw < 0.5 else 0
        flip = -1 if draw > 0.9 else 1
        if draw > 0.94 and bar:  # a rest
            bar += length
            continue
        here = float(np.clip(step + shift, 2, len(ladder) - 3))
        for beat, duration, move in current:
            at_bar = bar + int(beat // beats)
            if at_bar >= len(chords):
                break
            here = float(np.clip(here + flip * move, 0, len(ladder) - 1))
            if here in (0, len(ladder) - 1):
                flip = -flip
            pitch = ladder[int(here)]
            if beat % beats in (0, beats / 2) or duration >= 1.5:
                pitch = _nearest_chord_tone(pitch, _chord_at(chords, beats, bar * beats + beat))
            start = bar * beats + beat
            if swing and start % 1 == 0.5:
                start, duration = start + 1 / 6, max(duration - 1 / 6, 0.2)
            held = duration * (0.5 if staccato and duration <= 1 else 0.94)
            accent = 8 if beat % beats == 0 else 0
            arch = 10 * np.sin(np.pi * ((bar % 4) * beats + beat % beats) / (4 * beats))
            velocity = int(np.clip(84 + accent + arch + rng.normal(0, 4), 40, 124))
            notes.append(Note(start, held, pitch, velocity))
        step = int(np.clip(step + rng.integers(-1, 2), 2, len(ladder) - 3))
        bar += length
    return _close(notes, chords, beats)


def _motif(
    span: float, rng: np.random.Generator, activity: float
) -> list[tuple[float, float, int]]:
    """(beat, duration, move in scale steps) triples that fill `span` beats, some of them rests."""
    values = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 3.0])
    liking = np.exp(-((np.log2(values) - (1.2 - 2.4 * activity)) ** 2) / 0.9)
    out, beat = [], float(rng.choice([0, 0, 0, 0.5, 1]))
    while beat < span - 0.2:
        allowed = (values <= span - beat) & ((beat % 0.5 == 0) | (values == 0.25))
        if not allowed.any():
            break
        weights = liking * allowed
        duration = float(rng.choice(values, p=weights / weights.sum()))
        move = int(rng.choice([-4, -2, -1, 0, 1, 2, 3], p=[0.05, 0.14, 0.3, 0.12, 0.24, 0.1, 0.05]))
        count = 2 if duration == 0.25 and beat % 0.5 == 0 else 1
        for _ in range(count):
            if rng.random() > 0.1:
                out.append((beat, duration, move))
            beat += duration
    return out


def _chord_at(chords: list[list[Chord]], beats: int, beat: float) -> Chord:
    bar = chords[min(int(beat // beats), len(chords) - 1)]
    return bar[int((beat % beats) / beats * len(bar))]


def _nearest_chord_tone(pitch: int, chord: Chord) -> int:
    return min(
        (pitch + d for d in (0, -1, 1, -2, 2, -3, 3)),
        key=lambda p: (p % 12 not in chord.pitch_classes, abs(p - pitch)),
    )


def _close(notes: list[Note], chords: list[list[Chord]], beats: int) -> list[Note]:
    """End on a long chord tone in the last bar."""
    last = (len(chords) - 1) * beats
    kept = [n for n in notes if n.start < last + beats / 2]
    if kept:
        final = kept[-1]
        final.pitch = _nearest_chord_tone(final.pitch, _chord_at(chords, beats, final.start))
        final.duration = max(len(chords) * beats - final.start - 0.1, 0.3)
    return kept
