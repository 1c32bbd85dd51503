"""The players of a piece: bands with or without a melody voice, soloists, single notes."""

import numpy as np

from training.data import layers
from training.data.accompaniment import accompany
from training.data.casting import KITS, LEAD_GROUP, LEADS, RANGES, SOLO_CHORDS, SOLO_LINES
from training.data.engines import ENGINES, rhythm_section
from training.data.melody import melody
from training.data.score import Note, Part
from training.data.sketch import Sketch
from training.data.styles import SWINGING

#: The parts of an ensemble, and those of their notes that make its melody (perhaps none).
Players = tuple[list[Part], list[Note]]


def play(sketch: Sketch, rng: np.random.Generator) -> Players:
    """The parts a sketch asks for."""
    return {"band": band, "solo": solo, "sparse": single_notes, "drums": drums}[sketch.ensemble](
        sketch, rng
    )


def band(sketch: Sketch, rng: np.random.Generator) -> Players:
    """A groove or an engine of our own; in most bands a lead instrument with a melody."""
    family, groove = sketch.family, sketch.groove
    if groove is None:
        parts = ENGINES[family](sketch.chords, sketch.beats, rng)
    else:
        parts = _groove(sketch, rng)
        if groove.drums_only:
            parts += rhythm_section(sketch.chords, sketch.beats, rng)
    for part in parts:
        if part.role == "drums" and family in KITS and part.program == 0:
            part.program = KITS[family]
    if rng.random() > 0.62:
        return parts, []
    program = int(rng.choice(LEADS[LEAD_GROUP.get(family)]))
    notes = _tune(program, sketch, rng)
    for part in parts:
        part.volume = round(part.volume * 0.85)
    return [*parts, Part("melody", program, notes, 118)], notes


def drums(sketch: Sketch, rng: np.random.Generator) -> Players:
    """A groove that is drums only."""
    return [part for part in _groove(sketch, rng) if part.role == "drums"], []


def solo(sketch: Sketch, rng: np.random.Generator) -> Players:
    """One instrument alone: the chords of a groove, hands of our own, or a single line."""
    if sketch.groove is not None:
        chordal = [
            part
            for part in _groove(sketch, rng)
            if part.role in ("chords", "arpeggio") and part.program < 32
        ]
        if chordal:
            return [max(chordal, key=lambda part: len(part.notes))], []
    if rng.random() < 0.42:
        program = int(rng.choice(SOLO_LINES))
        notes = _tune(program, sketch, rng)
        return [Part("melody", program, notes, 112)], notes
    program = int(rng.choice(SOLO_CHORDS))
    lift = 12 if program in (8, 10, 11, 15, 107, 108) else 0
    notes = _hands(sketch, 45 + lift + int(rng.integers(-4, 5)), rng)
    tune: list[Note] = []
    if rng.random() < 0.65:
        tune = _tune(program, sketch, rng)
        for note in tune:
            note.velocity = min(note.velocity + 12, 124)
    return [Part("solo", program, notes + tune, 112)], tune


def single_notes(sketch: Sketch, rng: np.random.Generator) -> Players:
    """A few notes of one instrument far apart, or one note struck again and again."""
    program = int(rng.choice(SOLO_CHORDS + SOLO_LINES))
    low, high = RANGES.get(program, (48, 84))
    ladder = [p for p in range(low, high) if p % 12 in sketch.key.scale]
    every = float(rng.choice([1, 2, 4, 4, 8]))
    single = int(rng.choice(ladder)) if rng.random() < 0.5 else None
    ring = float(rng.choice([0.5, 1, 0.9 * every]))
    notes = [
        Note(start, ring, single or int(rng.choice(ladder)), int(rng.integers(50, 115)))
        for start in np.arange(0, len(sketch.chords) * sketch.beats, every)
        if start == 0 or rng.random() < 0.85
    ]
    return [Part("melody", program, notes, 112)], notes


def _groove(sketch: Sketch, rng: np.random.Generator) -> list[Part]:
    if sketch.groove is None:
        raise ValueError(f"a {sketch.ensemble} piece needs a groove")
    return accompany(sketch.groove, sketch.chords, sketch.bpm, int(rng.integers(1 << 30)))


def _tune(program: int, sketch: Sketch, rng: np.random.Generator) -> list[Note]:
    """A melody in the range of the instrument and the mood's register and liveliness."""
    low, high = RANGES.get(program, (57, 84))
    width = int(rng.integers(12, 20))
    middle = (low + high) / 2 + sketch.mood.register * 0.6 + rng.normal(0, 3)
    start = int(np.clip(middle - width / 2, low, high - 12))
    return melody(
        sketch.key,
        sketch.chords,
        sketch.beats,
        rng,
        low=start,
        high=start + width,
        activity=float(np.clip(rng.normal(sketch.mood.activity, 0.15), 0, 1)),
        swing=sketch.family in SWINGING,
    )


def _hands(sketch: Sketch, low: int, rng: np.random.Generator) -> list[Note]:
    """The accompanying hand of a soloist: arpeggio, held or beaten chords, or bass and chord."""
    chords, beats = sketch.chords, sketch.beats
    draw = rng.random()
    if draw < 0.45:
        step = float(rng.choice([0.25, 0.5, 0.5, 1]))
        return layers.arpeggio(
            chords, beats, rng, low=low, step=step, ring=float(rng.choice([1, 2, 3]))
        )
    if draw < 0.6:
        return layers.pad(chords, beats, low, 70)
    if draw < 0.75:
        rhythm = [(b, 0.9) for b in range(beats)]
        return layers.comp(chords, beats, rhythm, low=low, velocity=68)
    feet = [(b, 0.9) for b in range(0, beats, 2 if beats == 4 else 3)]
    rest = [(b, 0.5) for b in range(beats) if (b, 0.9) not in feet]
    down = layers.bass(chords, beats, feet, low=low - 12, velocity=80)
    return down + layers.comp(chords, beats, rest, low=low + 5, velocity=66)
