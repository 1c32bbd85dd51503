"""Time and memory of sampling and of one iteration: ``python -m benchmarks.sampling``.

Each row runs in a fresh process, so its peak memory is its own: the most the process held less what
it held with the model loaded and one sample drawn. Times are medians over repeats.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from statistics import median

import torch

from ditto_music import Intensity, load_model
from ditto_music.problem import Problem
from ditto_music.result import Settings, peak_memory


def measure(steps: int, plan: str, repeats: int) -> dict[str, float]:
    """Seconds of a plain generation and of an iteration, and bytes the iteration adds."""
    model = load_model()
    settings = Settings(steps=steps, checkpoint=plan == "checkpoint")
    problem = Problem(model, "calm piano", Intensity([-35, -14]), 0, settings)
    noise = problem.noise()

    def generation() -> None:
        with torch.no_grad():
            _ = problem.clip(problem.sample(noise, [0], steps)).audio

    def iteration() -> None:
        x_T = noise.clone().requires_grad_()
        losses, _ = problem.measure(problem.clip(problem.sample(x_T, [0], steps)), [0])
        losses.sum().backward()

    def timed(work: object, times: int) -> float:
        seconds: list[float] = []
        for _ in range(times):
            started = time.monotonic()
            work()  # type: ignore[operator]
            seconds.append(time.monotonic() - started)
        return median(seconds)

    generation()
    forward = timed(generation, repeats)
    before = peak_memory()
    iteration()
    after = peak_memory()
    return {
        "forward": forward,
        "iteration": timed(iteration, max(1, repeats // 2)),
        "bytes": float(after - before),
        "peak": float(after),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Seconds and memory over sampler steps.")
    parser.add_argument("--row", nargs=2, metavar=("STEPS", "PLAN"), help="measure one row")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(int(args.row[0]), args.row[1], args.repeats)))
        return
    print("| steps | plan | sample, s | iteration, s | ratio | it adds, MB | peak, MB |")
    print("|---|---|---|---|---|---|---|")
    for plan in ("checkpoint", "plain"):
        for steps in (5, 10, 20, 50):
            command = [sys.executable, "-m", "benchmarks.sampling", "--row", str(steps), plan]
            command += ["--repeats", str(args.repeats)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {steps} | {plan} | {row['forward']:.2f} | {row['iteration']:.2f} "
                f"| {row['iteration'] / row['forward']:.2f} | {row['bytes'] / 1e6:.0f} "
                f"| {row['peak'] / 1e6:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
