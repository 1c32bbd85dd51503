"""How near each sampler comes to the model's own path: ``python -m benchmarks.samplers``.

The reference is the same noise walked by many small steps. What matters to an optimisation is also
how far a run of few steps lies from the full one, for that is what a search on a surrogate loses.
"""

from __future__ import annotations

import argparse

import torch

from ditto_music import load_model
from ditto_music.cli.shared import Shared
from ditto_music.problem import Problem
from ditto_music.result import Settings
from ditto_music.sampling import SAMPLERS

PROMPTS = (
    "calm piano ballad, 80 bpm",
    "energetic rock band, 140 bpm",
    "dark ambient pads",
    "swing jazz trio with walking bass",
)
STEPS = (4, 5, 6, 8, 10, 15, 20, 50)


@torch.no_grad()
def main() -> None:
    """Print both distances, relative to the norm of what is compared with."""
    parser = argparse.ArgumentParser(description="Samplers against the path of many small steps.")
    parser.add_argument("--model", default="ditto-small")
    parser.add_argument("--reference", type=int, default=400, help="steps of the reference")
    parser.add_argument("--full", type=int, choices=STEPS, help="steps that fewer stand for")
    parser.add_argument("--guidance", type=float, help="default: the model's own, as of the next")
    parser.add_argument("--guidance-interval", metavar="FROM:TO", help="as the command's")
    args = parser.parse_args()
    model = load_model(args.model)
    full = args.full or model.steps
    guided = Shared(guidance=args.guidance, guidance_interval=args.guidance_interval)
    settings = Settings(guidance=guided.guiding(model.guidance))
    problem = Problem(model, PROMPTS, None, list(range(len(PROMPTS))), settings)
    denoise, x_T = problem.denoiser(range(len(PROMPTS))), problem.noise()
    made = {
        (name, steps): sampler(denoise, x_T, model.schedule, steps)
        for name, sampler in SAMPLERS.items()
        for steps in STEPS
    }
    exact = SAMPLERS["adams"](denoise, x_T, model.schedule, args.reference)
    names = list(SAMPLERS)
    heads = [f"{n}, from the path" for n in names] + [f"{n}, from {full} steps" for n in names]
    print(f"| steps | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    for steps in STEPS:
        far = [distance(made[name, steps], exact) for name in names]
        lost = [distance(made[name, steps], made[name, full]) for name in names]
        print(f"| {steps} | {' | '.join(f'{100 * x:.1f}%' for x in far + lost)} |")


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Of `a` from `b`, over the norm of `b`."""
    return float((a - b).norm() / b.norm())


if __name__ == "__main__":
    main()
