"""Ways down compared: ``python -m benchmarks.optimizers``.

The five intensity curves of `benchmarks.controls` are asked of a few prompts, one after the other
in one batch, by each optimiser, from the same noise and with the same stages. What counts is how
many iterations and seconds pass until the loss is good (2 dB^2) and met, and how far the noise
found is from the Gaussian shell.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from ditto_music import Intensity, Progress, load_model, optimize
from ditto_music.evaluation.targets import CURVES, PROMPTS, SECONDS
from ditto_music.protocols import Model
from ditto_music.result import Result

GOOD = 2.0  # dB^2


@dataclass(frozen=True)
class Way:
    """An optimiser, its size of a step, and the sampler steps of its surrogate (None: no other)."""

    name: str
    optimizer: str
    lr: float | None
    surrogate_steps: int | None


WAYS = (
    Way("lbfgs", "lbfgs", None, 8),
    Way("lbfgs, all steps", "lbfgs", None, None),
    Way("adam", "adam", None, 8),
    Way("adam, paper's 5e-3, all steps", "adam", 5e-3, None),
)


@dataclass(frozen=True)
class Outcome:
    """One curve's way down: loss and seconds of each iteration, and what was found."""

    losses: list[float]
    seconds: list[float]
    final: float
    deviation: float

    def reached(self, loss: float) -> tuple[int, float] | None:
        """Iterations and seconds to a loss, or None."""
        pairs = enumerate(zip(self.losses, self.seconds, strict=True), 1)
        return next(((number, spent) for number, (it, spent) in pairs if it <= loss), None)


def run(model: Model, way: Way, prompt: str, seed: int, iterations: int) -> list[Outcome]:
    """All curves of one prompt, a run each, so that seconds are those of one clip."""
    outcomes: list[Outcome] = []
    for curve in CURVES.values():
        seconds: list[float] = []
        started = time.monotonic()

        def tick(
            progress: Progress, seconds: list[float] = seconds, started: float = started
        ) -> None:
            seconds.append(time.monotonic() - started)

        result: Result = optimize(
            model,
            prompt,
            Intensity(curve),
            seed=seed,
            duration=SECONDS,
            iterations=iterations,
            optimizer=way.optimizer,
            lr=way.lr,
            surrogate_steps=way.surrogate_steps,
            callback=tick,
        )
        item = result.items[0]
        losses = [row["loss"] for row in item.history]
        outcomes.append(Outcome(losses, seconds, item.final["loss"], float(item.x_T.std())))
    return outcomes


def row(way: Way, outcomes: list[Outcome]) -> str:
    """Medians over the runs, in Markdown; a loss not reached counts as never."""
    hits = [outcome.reached(GOOD) for outcome in outcomes]
    counts = [hit[0] if hit else np.inf for hit in hits]
    waits = [hit[1] if hit else np.inf for hit in hits]
    finals = [outcome.final for outcome in outcomes]
    spread = [outcome.deviation for outcome in outcomes]
    total = [outcome.seconds[-1] for outcome in outcomes]
    return (
        f"| {way.name} | {sum(hit is not None for hit in hits)} of {len(hits)} "
        f"| {np.median(counts):.0f} | {np.median(waits):.1f} "
        f"| {np.median([len(o.losses) for o in outcomes]):.0f} | {np.median(total):.1f} "
        f"| {np.median(finals):.2f} ({max(finals):.2f}) | {min(spread):.3f} to {max(spread):.3f} |"
    )


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description="Optimisers on the five intensity curves.")
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument(
        "--way", choices=[way.name for way in WAYS], action="append", help="default: all"
    )
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--model", default="ditto-small")
    args = parser.parse_args()
    model = load_model(args.model)
    print(
        f"| way | loss {GOOD:g} reached | iterations to it | seconds to it | iterations in all "
        "| seconds in all | loss at the end (worst) | deviation of x_T |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for way in WAYS:
        if args.way and way.name not in args.way:
            continue
        prompts = PROMPTS[5 : 5 + args.prompts]
        outcomes = [
            outcome
            for seed, prompt in enumerate(prompts)
            for outcome in run(model, way, prompt, seed, args.iterations)
        ]
        print(row(way, outcomes), flush=True)


if __name__ == "__main__":
    main()
