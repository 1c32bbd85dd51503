"""Throughput of batches: ``python -m benchmarks.batch``.

The same items are made one command at a time, as one after the other calls of a loaded model, and
by ``ditto-music batch`` with one process, with one a core, and with one and two Ray workers of one
core each. Every search makes the same number of iterations, so the work is equal. The audio of each
way is held against that of the single commands.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.tasks import PROMPTS

CURVES = ("-38:-16", "-16:-38", "-30:-18", "-18:-30")
SURROGATE = 4

Fields = dict[str, Any]


def jobs(count: int, iterations: int, steps: int, duration: float) -> list[Fields]:
    """Controls of as many prompts and curves, that all take as many iterations."""
    return [
        {
            "command": "control",
            "id": f"item-{i:03d}",
            "prompt": PROMPTS[i % len(PROMPTS)],
            "intensity": CURVES[i % len(CURVES)],
            "seed": i,
            "duration": duration,
            "steps": steps,
            "surrogate-steps": min(SURROGATE, steps),
            "iterations": iterations,
            "tolerance": 0.0,
        }
        for i in range(count)
    ]


def run(command: Sequence[str], threads: int | None = None) -> None:
    """A process, in its own words if it fails."""
    own = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    environment: Mapping[str, str] = os.environ | own
    subprocess.run(
        [sys.executable, "-m", "ditto_music", *command],
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment,
    )


def singly(items: Sequence[Fields], out: Path) -> None:
    """Each item as a command of its own."""
    out.mkdir()
    for fields in items:
        flags = [
            f"--{name}={value}"
            for name, value in fields.items()
            if name not in ("command", "id", "prompt")
        ]
        audio = str(out / f"{fields['id']}.wav")
        run([fields["command"], fields["prompt"], *flags, "--quiet", "-o", audio])


def called(items: Sequence[Fields], out: Path) -> None:
    """Each item as a call, in one process that has loaded the model."""
    from ditto_music import Intensity, load_model, optimize

    out.mkdir()
    model = load_model()
    for fields in items:
        result = optimize(
            model,
            fields["prompt"],
            Intensity(fields["intensity"]),
            seed=fields["seed"],
            duration=fields["duration"],
            steps=fields["steps"],
            surrogate_steps=fields["surrogate-steps"],
            iterations=fields["iterations"],
            tolerance=0.0,
        )
        result.save(out / f"{fields['id']}.wav")


def batched(*flags: str, threads: int | None = None) -> Callable[[Sequence[Fields], Path], None]:
    """``ditto-music batch`` with these flags."""

    def make(items: Sequence[Fields], out: Path) -> None:
        manifest = out.with_suffix(".jsonl")
        manifest.write_text("".join(json.dumps(fields) + "\n" for fields in items))
        run(["batch", str(manifest), "-o", str(out), "--quiet", *flags], threads)

    return make


WAYS: dict[str, Callable[[Sequence[Fields], Path], None]] = {
    "single commands": singly,
    "single calls": called,
    "batch, 1 process": batched("--workers", "1"),
    "batch, 2 processes": batched("--workers", "2"),
    "Ray, 1 worker of 1 core": batched("--engine", "ray", "--workers", "1", threads=1),
    "Ray, 2 workers of 1 core": batched("--engine", "ray", "--workers", "2", threads=1),
}


def farthest(out: Path, reference: Path) -> float:
    """The largest difference of a sample, in full scale."""
    differences = [
        np.abs(soundfile.read(path)[0] - soundfile.read(out / path.name)[0]).max()
        for path in sorted(reference.glob("*.wav"))
    ]
    return float(max(differences))


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description="Throughput of batches.")
    parser.add_argument("--items", type=int, default=32)
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--duration", type=float, default=6.0)
    parser.add_argument("--way", choices=list(WAYS), action="append", help="default: all")
    args = parser.parse_args()
    items = jobs(args.items, args.iterations, args.steps, args.duration)
    print("| way | s | items a minute | times the single commands | largest difference |")
    print("|---" * 5 + "|")
    with tempfile.TemporaryDirectory() as folder:
        reference, first = Path(folder) / "0", 0.0
        for number, name in enumerate(name for name in WAYS if not args.way or name in args.way):
            out = Path(folder) / str(number)
            started = time.monotonic()
            WAYS[name](items, out)
            seconds = time.monotonic() - started
            first = first or seconds
            print(
                f"| {name} | {seconds:.0f} | {60 * len(items) / seconds:.1f} "
                f"| {first / seconds:.2f} | {farthest(out, reference):.1e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
