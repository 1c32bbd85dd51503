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
from dataclasses import replace
from statistics import median
from typing import Any

import torch

from ditto_music import load_model
from ditto_music.evaluation.studies.memory import STEPS, WAYS, measure, timed
from ditto_music.evaluation.studies.study import Item, Scale
from ditto_music.models import fastest_dtype
from ditto_music.models.small import SmallModel

SIDE = 1024  # of the matrices whose product tells what the machine can do

Row = dict[str, Any]


def row_of(steps: int, way: str, clips: int, repeats: int, compiled: bool, everywhere: bool) -> Row:
    """Seconds, bytes and operations of plain generations and of iterations."""
    asked = {"way": way, "steps": steps, "clips": clips}
    model = load_model(compiled=compiled)
    if everywhere:
        assert isinstance(model, SmallModel)
        model.guidance = replace(model.guidance, interval=(0.0, 1.0))
    (row,) = measure(model, Item(asked | {"repeats": repeats}, Scale()))
    if compiled:  # what is translated cannot be counted
        (counted,) = measure(load_model(), Item(asked | {"repeats": 1}, Scale()))
        row |= {key: counted[key] for key in counted if "operations" in key}
    return row | {"matmul_rate": matmul_rate(fastest_dtype(model.device))}


def matmul_rate(dtype: torch.dtype) -> float:
    """Operations a second of plain matrix products in what the model's are made in, the median."""
    a, b, out = (torch.rand(SIDE, SIDE).to(dtype) for _ in range(3))
    seconds = [timed(lambda: torch.mm(a, b, out=out)) for _ in range(30)]
    return 2 * SIDE**3 / median(seconds)


def line(steps: int, way: str, clips: int, row: Row) -> str:
    """Of the table."""
    samples, iterations = (spread(row[key]) for key in ("samples", "iterations"))
    ratios = [b / a for a, b in zip(row["samples"], row["iterations"], strict=True)]
    rate = row["iteration_operations"] / row["iteration_seconds"]
    return (
        f"| {steps} | {way} | {clips} | {samples} | {iterations} | {spread(ratios)} "
        f"| {row['operations']:.3f} | {100 * rate / row['matmul_rate']:.0f}% "
        f"| {row['added_mb'] or 0:.0f} | {row['peak_mb']:.0f} |"
    )


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Seconds and memory over sampler steps.")
    parser.add_argument("--row", nargs=3, metavar=("STEPS", "WAY", "ITEMS"), help="only this one")
    parser.add_argument("--steps", type=int, action="append", help="default: 5, 10, 20 and 50")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="the network, as load_model can")
    parser.add_argument(
        "--guided-everywhere", action="store_true", help="not within the model's own interval alone"
    )
    args = parser.parse_args()
    if args.row:
        steps, way, clips = args.row
        flags = args.compile, args.guided_everywhere
        print(json.dumps(row_of(int(steps), way, int(clips), args.repeats, *flags)))
        return
    print(
        "| steps | plan | items | sample, s (range) | iteration, s (range) | ratio (range) "
        "| operations, ratio | of the rate of matrix products | it adds, MB | peak, MB |"
    )
    print("|---" * 10 + "|")
    rows = [(steps, way, 1) for way in WAYS for steps in args.steps or STEPS]
    for steps, way, clips in [*rows, (8, "plain", 1), (8, "plain", 8)]:
        command = [sys.executable, "-m", "benchmarks.sampling", "--row", str(steps), way]
        command += [str(clips), "--repeats", str(args.repeats), *["--compile"] * args.compile]
        command += ["--guided-everywhere"] * args.guided_everywhere
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(line(steps, way, clips, json.loads(done.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main()
