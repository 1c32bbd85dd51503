"""Time, memory and arithmetic of an iteration by gradient plan: ``python -m benchmarks.sampling``.

The rows of `ditto-music study memory` with more of what a machine can do beside them. Each row runs
in a fresh process, so its peak memory is its own: the most the process held less what it held with
the model loaded and one sample drawn. Seconds are medians, with the range; samples and iterations
are timed in turn, so both see the same machine. Operations are counted by torch, not timed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from statistics import median
from typing import Any

import torch

from ditto_music import load_model
from ditto_music.evaluation.studies.memory import STEPS, WAYS, measure, timed
from ditto_music.evaluation.studies.study import Item, Scale

SIDE = 1024  # of the matrices whose product tells what the machine can do

Row = dict[str, Any]


def row_of(steps: int, way: str, clips: int, repeats: int) -> Row:
    """Seconds, bytes and operations of plain generations and of iterations."""
    asked = {"way": way, "steps": steps, "clips": clips, "repeats": repeats}
    (row,) = measure(load_model(), Item(asked, Scale()))
    return row | {"matmul_rate": matmul_rate()}


def matmul_rate() -> float:
    """Operations a second of plain matrix products, the median of several."""
    a, b = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    seconds = [timed(lambda: torch.mm(a, b, out=torch.empty(SIDE, SIDE))) for _ in range(30)]
    return 2 * SIDE**3 / median(seconds)


def line(steps: int, way: str, clips: int, row: Row) -> str:
    """Of the table."""
    sample, iteration = row["sample_seconds"], row["iteration_seconds"]
    ratios = [b / a for a, b in zip(row["samples"], row["iterations"], strict=True)]
    rate = row["iteration_operations"] / iteration
    return (
        f"| {steps} | {way} | {clips} | {sample:.2f} | {iteration:.2f} "
        f"| {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) "
        f"| {row['operations']:.3f} | {100 * rate / row['matmul_rate']:.0f}% "
        f"| {row['added_mb'] or 0:.0f} | {row['peak_mb']:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Seconds and memory over sampler steps.")
    parser.add_argument("--row", nargs=3, metavar=("STEPS", "WAY", "ITEMS"), help="only this one")
    parser.add_argument("--steps", type=int, action="append", help="default: 5, 10, 20 and 50")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    if args.row:
        steps, way, clips = args.row
        print(json.dumps(row_of(int(steps), way, int(clips), args.repeats)))
        return
    print(
        "| steps | plan | items | sample, s | iteration, s | ratio (range) | operations, ratio "
        "| of the rate of matrix products | it adds, MB | peak, MB |"
    )
    print("|---" * 10 + "|")
    rows = [(steps, way, 1) for way in WAYS for steps in args.steps or STEPS]
    for steps, way, clips in [*rows, (8, "plain", 1), (8, "plain", 8)]:
        command = [sys.executable, "-m", "benchmarks.sampling", "--row", str(steps), way]
        command += [str(clips), "--repeats", str(args.repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(line(steps, way, clips, json.loads(done.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main()
