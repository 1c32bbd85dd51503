"""Shapes of the denoiser at matched compute: ``python -m training.diffusion.shapes --data DIR
--latents DIR --out DIR``.

Each begins from nothing under the shipped text encoder and learns from the same crops for as many
floating-point operations as ``--steps`` of the shipped shape take, counted by torch; what it then
loses on held-out crops is comparable, since these, their times and noise are the same for all.
Resumable: the same command goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from ditto_music.models.small.denoiser import Denoiser, DenoiserConfig
from ditto_music.models.small.model import load_denoiser, shipped_weights
from ditto_music.models.small.words import vocabulary_to_tensor
from ditto_music.whole import whole
from training.diffusion.latents import FRAME_RATE
from training.diffusion.train import SHAPE, flags, flow_loss, train


@dataclass(frozen=True)
class Shape:
    """What differs from the shipped denoiser: its sizes, and how it learns."""

    sizes: dict[str, int] = field(default_factory=dict[str, int])
    recipe: dict[str, Any] = field(default_factory=dict[str, Any])


SHAPES = {
    "as shipped": Shape(),
    "deep": Shape({"width": 256, "depth": 12, "heads": 4}),
    "wide": Shape({"width": 448, "depth": 4, "heads": 7}),
    "small": Shape({"width": 224, "depth": 8, "heads": 4}),
    "large": Shape({"width": 448, "depth": 8, "heads": 7}),
    "one frame a token": Shape({"patch": 1}),
    "four frames a token": Shape({"patch": 4}),
    "AdamW": Shape(recipe={"optimizer": "adamw", "lr": 1e-3}),
    "times in the middle": Shape(recipe={"lean": 0.0, "spread": 1.0}),
}


def cost(config: DenoiserConfig) -> int:
    """Floating-point operations of a step, forward and back, a second of music."""
    model, seconds, count = Denoiser(config), 6, 4
    model.text.requires_grad_(False)
    x_0 = torch.zeros(count, config.channels, int(seconds * FRAME_RATE) // 4 * 4)
    ids = torch.ones(count, 16, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        flow_loss(model, x_0, ids, torch.zeros(count, 16), torch.Generator()).backward()
    return counter.get_total_flops() // (seconds * count)


def main() -> None:
    """Train all, one after another, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--latents", type=Path, required=True)
    start = shipped_weights() / "denoiser.safetensors"
    parser.add_argument("--start", type=Path, default=start, help="whose text encoder they get")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=700, help="of the shipped shape")
    parser.add_argument("--tokens", type=int, default=8 * 282, help="latent frames a batch")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="once for each; all")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    known, pieces = load_denoiser(args.start)
    words, text = args.out / "words.safetensors", args.out / "text.safetensors"
    args.out.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous() for name, value in known.text.state_dict().items()}
    table = {"vocabulary": vocabulary_to_tensor(pieces.pieces), "vectors": state["vectors"].half()}
    for path, tensors in ((words, table), (text, state)):
        with whole(path) as temporary:
            save_file(tensors, temporary)
    base = cost(known.config)
    print("| shape | weights, M | operations a step | steps | own | another's | none |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in args.shape or SHAPES:
        shape = SHAPES[name]
        config = replace(known.config, **shape.sizes)
        ratio = cost(config) / base
        steps = round(args.steps / ratio)
        sizes = {key: getattr(config, key) for key in SHAPE}
        options = [f"--{key}={value}" for key, value in (sizes | shape.recipe).items()]
        run = flags().parse_args(
            [
                *(f"--data={args.data}", f"--latents={args.latents}", f"--out={args.out / name}"),
                *(f"--words={words}", f"--text={text}", f"--tokens={args.tokens}"),
                *(f"--steps={steps}", "--workers=1", *options),
                "--compile" if args.compile else "--no-compile",
            ]
        )
        losses = train(0, run)
        learnt = sum(p.numel() for k, p in Denoiser(config).named_parameters() if "text." not in k)
        figures = " | ".join(f"{losses[key]:.4f}" for key in ("own", "another's", "no"))
        print(f"| {name} | {learnt / 1e6:.1f} | {ratio:.2f} | {steps} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
