"""Shards: 64 pieces each, composed, rendered and written aside, then renamed into place."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from training.data.compose import Piece, compose
from training.data.dynamics import apply_gain
from training.data.render import SAMPLE_RATE, Synth, limit, reverb, saturate, shelf, to_int16

PIECES = 64  # in a shard
MEAN_SECONDS = 16.0  # of a piece


@cache
def _synth(soundfont: str) -> Synth:
    return Synth(soundfont)


def count_for(hours: float) -> int:
    """How many shards hold about so many hours."""
    return max(1, round(hours * 3600 / MEAN_SECONDS / PIECES))


def paths(out: Path, shard: int) -> tuple[Path, Path]:
    """The samples and the labels of a shard."""
    return out / f"shard-{shard:05d}.npy", out / f"shard-{shard:05d}.jsonl"


def seed_of(out: Path) -> int | None:
    """The seed of the shards that are there; `None` where there are none."""
    first = next(out.glob("shard-*.jsonl"), None)
    if first is None:
        return None
    with first.open() as lines:
        return json.loads(next(lines))["seed"]


def render(piece: Piece) -> np.ndarray:
    """(seconds * 24000,) int16: the piece as sound, its level its own."""
    audio = _synth(piece.soundfont).play(piece.score.midi(), piece.score.seconds)
    audio = shelf(audio, 2500, piece.treble, high=True)
    audio = shelf(audio, 200, piece.bass, high=False)
    if piece.drive is not None:
        audio = saturate(audio, piece.drive)
    if piece.wet:
        audio = reverb(audio, piece.room, piece.wet)
    audio = apply_gain(audio * 10 ** (piece.level / 20), SAMPLE_RATE, piece.plan)
    return to_int16(limit(audio))


def loudness(samples: np.ndarray) -> list[float]:
    """The RMS of each half second in dBFS, never under -90."""
    frame = SAMPLE_RATE // 2
    frames = [samples[i : i + frame] / 32767 for i in range(0, len(samples) - frame // 2, frame)]
    return [round(float(10 * np.log10(max(np.mean(f**2), 1e-9))), 1) for f in frames]


def make(out: Path, seed: int, shard: int) -> float:
    """Write one shard; the seconds of music in it."""
    audio, lines, offset = [], [], 0
    for number in range(shard * PIECES, (shard + 1) * PIECES):
        piece = compose(seed, number)
        samples = render(piece)
        place = {"offset": offset, "samples": len(samples), "sample_rate": SAMPLE_RATE}
        lines.append({**piece.labels, **place, "loudness": loudness(samples)})
        audio.append(samples)
        offset += len(samples)
    sound, labels = paths(out, shard)
    aside = sound.with_suffix(".part")
    with aside.open("wb") as file:
        np.save(file, np.concatenate(audio))
    aside.replace(sound)
    aside.write_text("".join(json.dumps(line) + "\n" for line in lines))
    aside.replace(labels)  # the labels come last: a shard that has them is whole
    return offset / SAMPLE_RATE
