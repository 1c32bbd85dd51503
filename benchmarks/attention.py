"""What attention by plain products saves in bfloat16: ``python -m benchmarks.attention``.

One core, clips of 6 s: a call of the denoiser with the gradient by its input, which is what a
control pays for, and with the gradients by its weights, which is what training pays for. All ways
are timed in turn, so they see the same machine; medians, with the range.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music import load_model
from ditto_music.evaluation.studies.memory import timed
from ditto_music.models.small import SmallModel, denoiser
from ditto_music.models.small.denoiser import Denoiser

SECONDS = 6.0

Step = Callable[[], None]


def fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """As torch has it."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def step(model: SmallModel, clips: int, *, half: bool, plain: bool, train: bool) -> Step:
    """A call on noise and its gradient."""
    network: Denoiser = model.denoiser
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(clips, *model.latent_shape(SECONDS), generator=generator)
    ids, values = model.words.batch(["calm piano ballad, 80 bpm"] * clips)
    with torch.no_grad():
        text = network.text(ids, values)

    def run() -> None:
        network.requires_grad_(train).zero_grad()
        way = nullcontext() if plain else patch.object(denoiser, "attend", fused)
        given = x.clone().requires_grad_(not train)
        with way, torch.autocast("cpu", torch.bfloat16, enabled=half):
            network(given, torch.full((clips,), 0.5), text).float().square().mean().backward()

    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What attention by plain products saves.")
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(dtype="float32")
    assert isinstance(model, SmallModel)
    print("| gradient by | clips | float32 | bfloat16, fused | bfloat16, plain products |")
    print("|---|---|---|---|---|")
    for train, clips in ((False, 1), (False, 2), (False, 8), (True, 8)):
        steps = [
            step(model, clips, half=half, plain=plain, train=train)
            for half, plain in ((False, False), (True, False), (True, True))
        ]
        for run in steps:
            run()
        turns = [[1000 * timed(run) for run in steps] for _ in range(args.repeats)]
        cells = [
            f"{median(ms):.0f} ms ({min(ms):.0f} to {max(ms):.0f})"
            for ms in zip(*turns, strict=True)
        ]
        print(f"| {'weights' if train else 'input'} | {clips} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
