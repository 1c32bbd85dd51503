"""A seed and a number become a piece: a score, its dynamics, its sound settings and its labels."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from training.data import dynamics, labels
from training.data.casting import swap_programs
from training.data.players import play
from training.data.render import SOUNDFONTS
from training.data.score import Note, Score
from training.data.sketch import Sketch, draw_sketch

#: dB on pieces of few players, who sit nearer to the microphone.
CLOSENESS = {"band": 1.0, "solo": 8.0, "sparse": 9.0, "drums": 4.0}


@dataclass
class Piece:
    """All that makes a piece sound, and its labels."""

    score: Score
    plan: dynamics.Plan
    soundfont: str
    level: float  # dB on the rendered audio
    treble: float  # dB of the shelf above 2.5 kHz
    bass: float  # dB of the shelf below 200 Hz
    room: float  # seconds the reverberation takes to die away by 60 dB
    wet: float  # share of reverberation, 0 to 1
    drive: float | None  # dB of saturation, none for a clean mix
    labels: dict[str, Any]


def compose(seed: int, number: int) -> Piece:
    """Piece `number` of the data made from `seed`."""
    rng = np.random.default_rng([seed, number])
    sketch = draw_sketch(rng)
    parts, tune = play(sketch, rng)
    if sketch.ensemble in ("band", "drums") and rng.random() < 0.4:
        swap_programs(parts, rng)
    score = Score(sketch.bpm, sketch.beats, sketch.bars, [p for p in parts if p.notes])
    plan = dynamics.plan(score, rng)
    score.parts = [p for p in score.parts if p.notes]
    kept = {id(note) for part in score.parts for note in part.notes}
    tune = sorted((note for note in tune if id(note) in kept), key=lambda note: note.start)
    dynamics.carry(score, plan)
    mood = sketch.mood
    level = mood.level + CLOSENESS[sketch.ensemble]
    soundfont = str(rng.choice(list(SOUNDFONTS)))
    return Piece(
        score=score,
        plan=plan,
        soundfont=soundfont,
        level=float(np.clip(level + rng.normal(0, 6), -24, 11)),
        treble=mood.treble + float(rng.normal(0, 1.5)),
        bass=mood.bass + float(rng.normal(0, 1.5)),
        room=float(rng.uniform(0.4, 1.0) if rng.random() > mood.wet else rng.uniform(1.2, 2.8)),
        wet=float(rng.uniform(0.1, 0.6)) * float(rng.random() < 0.35 + 0.5 * mood.wet),
        drive=float(rng.uniform(-3, 12)) if rng.random() < 0.2 else None,
        labels={
            "id": f"{seed}-{number:06d}",
            "seed": seed,
            "split": "held-out" if is_held_out(seed, number, sketch) else "train",
            "soundfont": soundfont,
            **_labels(sketch, score, plan, tune),
        },
    )


def is_held_out(seed: int, number: int, sketch: Sketch) -> bool:
    """Whether a piece is kept from training: its groove is, or it is one in twenty."""
    by_groove = sketch.groove is not None and sketch.groove.held_out
    return by_groove or sha256(f"{seed} {number}".encode()).digest()[0] % 20 == 0


def _labels(sketch: Sketch, score: Score, plan: dynamics.Plan, tune: list[Note]) -> dict[str, Any]:
    """The labels that follow from the music; times in seconds."""
    beat = 60 / sketch.bpm
    pitched = sketch.ensemble != "drums"
    return {
        "groove": sketch.groove.name if sketch.groove else f"own:{sketch.family}",
        "family": sketch.family,
        "ensemble": sketch.ensemble,
        "mood": sketch.mood_name,
        "bpm": sketch.bpm,
        "beats_per_bar": sketch.beats,
        "bar_seconds": round(sketch.beats * beat, 6),
        "key": sketch.key.name if pitched else None,
        "mode": sketch.key.mode if pitched else None,
        "instruments": labels.tags(score),
        "playing": labels.playing(score),
        "density": labels.density(score),
        "dynamics": sorted(plan.events, key=lambda event: event["start"]),
        "lead": labels.lead(score, tune),
        "melody": [[round(n.start * beat, 3), round(n.duration * beat, 3), n.pitch] for n in tune],
    }
