"""Time, memory and arithmetic of an iteration by gradient plan: ``python -m benchmarks.sampling``.

Each row runs in a fresh process, so its peak memory is its own: the most the process held less what
it held with the model loaded and one sample drawn. Seconds are medians, with the range; samples and
iterations are timed in turn, so both see the same machine. Operations are counted by torch, not
timed. DOODL as released is EDICT under ordinary checkpointing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ditto_music import Intensity, load_model
from ditto_music.problem import Problem
from ditto_music.result import Settings, peak_memory

WAYS = {  # sampler and gradient plan
    "plain": ("ddim", "plain"),
    "checkpoint": ("ddim", "checkpoint"),
    "EDICT, checkpoint": ("edict", "checkpoint"),
    "EDICT, reversible": ("edict", "reversible"),
}
STEPS = (5, 10, 20, 50)
SIDE = 1024  # of the matrices whose product tells what the machine can do

Row = dict[str, Any]


def measure(steps: int, way: str, items: int, repeats: int) -> Row:
    """Seconds, bytes and operations of plain generations and of iterations."""
    model = load_model()
    sampler, plan = WAYS[way]
    settings = Settings(steps=steps, sampler=sampler, gradient=plan)
    problem = Problem(model, "calm piano", Intensity([-35, -14]), list(range(items)), settings)
    base = Problem(model, "calm piano", None, list(range(items)), Settings(steps=steps))
    noise, everyone = problem.noise(), range(items)

    def generation() -> None:
        with torch.no_grad():
            _ = base.clip(base.sample(noise, everyone, steps)).audio

    def iteration() -> None:
        x_T = noise.clone().requires_grad_()
        losses, _ = problem.measure(problem.clip(problem.sample(x_T, everyone, steps)), everyone)
        losses.sum().backward()

    generation()
    before = peak_memory()
    iteration()
    after = peak_memory()
    samples, iterations = list[float](), list[float]()
    for _ in range(repeats):
        samples.append(timed(generation))
        iterations.append(timed(iteration))
    return {
        "sample": samples,
        "iteration": iterations,
        "bytes": after - before,
        "peak": after,
        "sample_flops": counted(generation),
        "iteration_flops": counted(iteration),
        "matmul_rate": matmul_rate(),
    }


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def counted(work: Callable[[], None]) -> int:
    """Floating-point operations of matrix products, convolutions and attention."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def matmul_rate() -> float:
    """Operations a second of plain matrix products, the median of several."""
    a, b = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    seconds = [timed(lambda: torch.mm(a, b, out=torch.empty(SIDE, SIDE))) for _ in range(30)]
    return 2 * SIDE**3 / median(seconds)


def line(steps: int, way: str, items: int, row: Row) -> str:
    """Of the table."""
    sample, iteration = median(row["sample"]), median(row["iteration"])
    ratios = [b / a for a, b in zip(row["sample"], row["iteration"], strict=True)]
    rate = row["iteration_flops"] / iteration
    return (
        f"| {steps} | {way} | {items} | {sample:.2f} | {iteration:.2f} "
        f"| {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) "
        f"| {row['iteration_flops'] / row['sample_flops']:.3f} "
        f"| {100 * rate / row['matmul_rate']:.0f}% "
        f"| {row['bytes'] / 1e6:.0f} | {row['peak'] / 1e6:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Seconds and memory over sampler steps.")
    parser.add_argument("--row", nargs=3, metavar=("STEPS", "WAY", "ITEMS"), help="only this one")
    parser.add_argument("--steps", type=int, action="append", help="default: 5, 10, 20 and 50")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    if args.row:
        steps, way, items = args.row
        print(json.dumps(measure(int(steps), way, int(items), args.repeats)))
        return
    print(
        "| steps | plan | items | sample, s | iteration, s | ratio (range) | operations, ratio "
        "| of the rate of matrix products | it adds, MB | peak, MB |"
    )
    print("|---" * 10 + "|")
    rows = [(steps, way, 1) for way in WAYS for steps in args.steps or STEPS]
    for steps, way, items in [*rows, (8, "plain", 1), (8, "plain", 8)]:
        command = [sys.executable, "-m", "benchmarks.sampling", "--row", str(steps), way]
        command += [str(items), "--repeats", str(args.repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(line(steps, way, items, json.loads(done.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main()
