"""Dynamics inside a piece: who plays when, and how loud the whole is over time.

A plan changes the score (notes left out), gives one loudness curve, and says in its events what
it did, where. The curve reaches the sound by one of three carriers: note velocities, the MIDI
expression controller, or a gain on the rendered audio.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.data.score import Note, Part, Score

RATE = 100  # points of the loudness curve a second

KINDS: dict[str, float] = {
    "crescendo": 2.2,
    "decrescendo": 1.6,
    "step up": 1.4,
    "step down": 1.2,
    "break": 1.6,
    "swells": 1.2,
    "build": 2.0,
    "breakdown": 1.2,
    "section": 1.4,
    "fade in": 1.1,
    "fade out": 1.3,
    "silent start": 0.5,
    "silent end": 0.6,
}
#: Kinds that would undo or blur one another.
CLASHES = [
    {"fade in", "silent start", "build"},
    {"fade out", "silent end", "breakdown"},
    {"crescendo", "decrescendo", "swells", "fade in"},
    {"crescendo", "decrescendo", "swells", "fade out"},
    {"build", "breakdown", "section"},
    {"step up", "step down"},
]


@dataclass
class Plan:
    """`curve`: dB at RATE points a second; `events`: {kind, start, end} in seconds; `silences`:
    (start, end) in seconds where the audio itself is closed; `carrier`: how the curve is heard.
    """

    curve: np.ndarray
    carrier: str
    events: list[dict[str, Any]] = field(default_factory=list)
    silences: list[tuple[float, float]] = field(default_factory=list)


def plan(score: Score, rng: np.random.Generator, *, chance: float = 0.72) -> Plan:
    """Draw dynamics for `score` and take out the notes they silence (in place)."""
    carrier = str(rng.choice(["velocity", "expression", "gain"]))
    onsets = {round(note.start, 1) for part in score.parts for note in part.notes}
    if carrier == "velocity" and len(onsets) < 2.5 * score.seconds:
        carrier = "expression"  # held notes do not hear velocities change
    out = Plan(np.zeros(round(score.seconds * RATE) + 1), carrier)
    if rng.random() > chance:
        return out
    count = int(rng.choice([1, 2, 3], p=[0.5, 0.36, 0.14]))
    names, weights = list(KINDS), np.array(list(KINDS.values()))
    chosen: list[str] = []
    for kind in rng.choice(names, 8, p=weights / weights.sum()):
        clash = any({str(kind), other} <= group for group in CLASHES for other in chosen)
        if len(chosen) < count and kind not in chosen and not clash:
            chosen.append(str(kind))
    for kind in sorted(chosen):
        if kind in ("build", "breakdown", "section"):
            _sections(kind, score, rng, out)
        elif kind == "break":
            _break(score, rng, out)
        elif kind in ("silent start", "silent end"):
            _silent_edge(kind, score, rng, out)
        else:
            _shape(kind, score, rng, out)
    return out


def _note(out: Plan, kind: str, start: float, end: float) -> None:
    out.events.append({"kind": kind, "start": round(float(start), 3), "end": round(float(end), 3)})


def _shape(kind: str, score: Score, rng: np.random.Generator, out: Plan) -> None:
    """Add a crescendo, decrescendo, step, swell or fade to the curve."""
    total, bar = score.seconds, score.beats * 60 / score.bpm
    time = np.arange(len(out.curve)) / RATE
    depth = float(rng.uniform(10, 30))
    if kind in ("crescendo", "decrescendo"):
        length = float(min(rng.uniform(1.5, 10), total * 0.8))
        start = float(rng.uniform(0, total - length))
        rise = np.clip((time - start) / length, 0, 1)
        out.curve += depth * (rise - 1) if kind == "crescendo" else -depth * rise
        _note(out, kind, start, start + length)
    elif kind in ("step up", "step down"):
        start = bar * int(rng.integers(1, score.bars)) if score.bars > 1 else total / 2
        size = float(rng.uniform(6, 25))
        after = np.clip((time - start) / 0.03 + 1, 0, 1)
        out.curve += size * (after - 1) if kind == "step up" else -size * after
        _note(out, kind, start, start)
    elif kind == "swells":
        period = bar * float(rng.choice([0.5, 1, 1, 2]))
        phase = rng.choice([0, np.pi])
        out.curve += -0.5 * min(depth, 22) * (1 + np.cos(2 * np.pi * time / period + phase))
        _note(out, kind, 0, total)
    else:
        length = float(min(rng.uniform(1.5, 7), total * 0.6))
        edge = time if kind == "fade in" else total - time
        out.curve += 60 * (np.clip(edge / length, 0, 1) ** 0.6 - 1)
        start = 0 if kind == "fade in" else total - length
        _note(out, kind, start, start + length)
        out.carrier = "gain"


def _break(score: Score, rng: np.random.Generator, out: Plan) -> None:
    """All, or all but one part, stop for 0.5 to 3 s; often to true silence."""
    beat = 60 / score.bpm
    length = float(rng.uniform(0.5, 3))
    bar = int(rng.integers(1, max(2, score.bars - 1)))
    # either up to a bar line, or from one
    start = bar * score.beats * beat - (length if rng.random() < 0.5 else 0)
    start = float(np.clip(start, beat, max(beat, score.seconds - length - beat)))
    keep = score.parts[rng.integers(len(score.parts))] if len(score.parts) > 2 else None
    if rng.random() < 0.55:
        keep = None
    for part in score.parts:
        if part is not keep:
            part.notes = _cut(part.notes, start / beat, (start + length) / beat)
    if keep is None and rng.random() < 0.7:
        out.silences.append((start + 0.02, start + length - 0.02))
    _note(out, "break", start, start + length)


def _silent_edge(kind: str, score: Score, rng: np.random.Generator, out: Plan) -> None:
    """The first or last 0.5 to 2.5 s hold no note."""
    beat = 60 / score.bpm
    beats = max(1, round(float(rng.uniform(0.5, 2.5)) / beat))
    start, end = (0, beats) if kind == "silent start" else (score.length - beats, score.length)
    for part in score.parts:
        part.notes = _cut(part.notes, start, end)
    if kind == "silent end":
        out.silences.append((start * beat + 0.4, score.seconds + 1))
    _note(out, kind, start * beat, end * beat)


def _sections(kind: str, score: Score, rng: np.random.Generator, out: Plan) -> None:
    """Parts enter one by one, leave one by one, or some rest for a few bars."""
    if len(score.parts) < 2 or score.bars < 4:
        return
    beats, bar = score.beats, score.beats * 60 / score.bpm
    order = [score.parts[i] for i in rng.permutation(len(score.parts))]
    if kind == "section":
        first = int(rng.integers(1, score.bars - 1))
        last = int(rng.integers(first + 1, score.bars + 1))
        for part in order[: int(rng.integers(1, len(order)))]:
            part.notes = _cut(part.notes, first * beats, last * beats)
        _note(out, "section", first * bar, last * bar)
        return
    reach = int(rng.integers(2, max(3, round(score.bars * 0.75))))
    moments = np.linspace(0, reach, len(order)).round().astype(int)
    for part, moment in zip(order, moments, strict=True):
        if kind == "build":
            part.notes = _cut(part.notes, 0, moment * beats)
        else:
            part.notes = _cut(part.notes, (score.bars - moment) * beats, score.length)
    start = 0 if kind == "build" else score.bars - reach
    _note(out, kind, start * bar, (start + reach) * bar)


def _cut(notes: list[Note], start: float, end: float) -> list[Note]:
    """Leave out the notes that start in [start, end) beats; end those that ring into it."""
    kept = []
    for note in notes:
        if start <= note.start < end - 0.02:
            continue
        if note.start < start < note.end:
            note.duration = max(start - note.start, 0.05)
        kept.append(note)
    return kept


def curve_at(out: Plan, seconds: np.ndarray) -> np.ndarray:
    """The loudness curve in dB at the given times."""
    return np.interp(seconds, np.arange(len(out.curve)) / RATE, out.curve)


def carry(score: Score, out: Plan) -> None:
    """Write the curve into velocities or expression (in place), unless it is left to the audio.

    General MIDI loudness follows 40 log10(value / 127) dB for velocity and expression alike.
    """
    beat = 60 / score.bpm
    if out.carrier == "velocity":
        for part in score.parts:
            _scale_velocities(part, out, beat)
    elif out.carrier == "expression":
        times = np.arange(0, score.seconds, 0.04)
        values = np.clip(np.round(127 * 10 ** (curve_at(out, times) / 40)), 1, 127).astype(int)
        previous = None
        for time, value in zip(times, values, strict=True):
            if value != previous:
                score.expression.append((float(time / beat), int(value)))
            previous = value


def _scale_velocities(part: Part, out: Plan, beat: float) -> None:
    starts = np.array([note.start for note in part.notes]) * beat
    gains = 10 ** (curve_at(out, starts) / 40) if len(starts) else []
    for note, gain in zip(part.notes, gains, strict=True):
        note.velocity = int(np.clip(round(note.velocity * gain), 5, 127))


def apply_gain(audio: np.ndarray, sample_rate: int, out: Plan) -> np.ndarray:
    """The part of the plan that works on the audio: the curve, if carried so, and true silences
    with edges of 20 ms.
    """
    time = np.arange(len(audio)) / sample_rate
    gain = np.ones(len(audio))
    if out.carrier == "gain":
        curve = curve_at(out, time)
        gain = np.where(curve > -59, 10 ** (curve / 20), 0)
    for start, end in out.silences:
        gain *= np.clip(np.maximum(start - time, time - end) / 0.02 + 1, 0, 1)
    return audio * gain
