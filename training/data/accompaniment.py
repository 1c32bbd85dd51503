"""Accompaniment by the `mma` command: a groove and chords in, parts out."""

import os
import subprocess
import tempfile
from pathlib import Path

import mido

from training.data.harmony import Chord
from training.data.score import Part, read_parts
from training.data.styles import Groove


def accompany(groove: Groove, chords: list[list[Chord]], bpm: int, seed: int) -> list[Part]:
    """Play `groove` over `chords`; the same seed gives the same notes.

    A bar has one chord, or, in 4/4, two: the second comes on the third beat.
    """
    lines = [f"RndSeed {seed}", f"Tempo {bpm}", f"Groove {groove.name}"]
    for number, bar in enumerate(chords, 1):
        lines.append(f"{number} {' / '.join(chord.symbol for chord in bar)}")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "piece.mma"), Path(folder, "piece.mid")
        source.write_text("\n".join(lines) + "\n")
        run = subprocess.run(
            ["mma", "-w", "-f", str(target), str(source)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        if run.returncode or not target.exists():
            raise RuntimeError(f"mma failed on {groove.name}: {run.stdout.strip()[-300:]}")
        return read_parts(mido.MidiFile(target), limit=len(chords) * groove.beats)
