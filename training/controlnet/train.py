"""Training of the branch: the loss and the times of `training.diffusion`, the base frozen.

Which controls are asked for, and where, is drawn anew for each crop (`training.controlnet.pairs`),
and one caption in ten is dropped.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor, nn

from ditto_music.models.small.control_net import CONTROLS, FILE, ControlNet, masked
from ditto_music.models.small.denoiser import Denoiser
from ditto_music.models.small.model import load_denoiser
from training.controlnet.pairs import Pairs, draw, thinned
from training.data.dataset import Music
from training.diffusion.latents import load_latents
from training.diffusion.train import Batches, flow_error
from training.loop import Average, Run, fast_products, inputs_of, trapezoid
from training.weights import save_weights

DROP = 0.1  # chance of a caption to be dropped
HELD_OUT = 4  # batches


def branch_loss(
    branch: ControlNet, base: Denoiser, pairs: Pairs, asked: Tensor, noise: torch.Generator
) -> Tensor:
    """Mean squared error of the velocity, a scalar, where `asked` (B, T, 18) is asked for."""
    with torch.no_grad():
        text = base.text(pairs.ids, pairs.numbers)
    return flow_error(lambda x_t, t: branch(base, x_t, t, text, asked), pairs.x_0, noise)


@torch.no_grad()
def held_out_losses(
    branch: ControlNet, base: Denoiser, batches: Batches, tokens: int
) -> dict[str, float]:
    """The same loss on fixed held-out crops, times and noise, with their own captions: by all of
    their own controls, by those of other crops, by one of their own alone, and by none.

    A branch that heeds what it is told gains by its own and loses by others'.
    """
    rng = np.random.default_rng(7)
    losses: dict[str, list[float]] = {}
    for seed in range(HELD_OUT):
        pairs = draw(batches, "held-out", tokens, rng, drop=0.0)
        heard = pairs.heard
        asks = {"own": heard, "another's": heard.roll(1, 0)}
        asks |= {name: only(heard, name) for name in CONTROLS} | {"no": 0 * heard}
        for name, asked in asks.items():
            noise = torch.Generator().manual_seed(seed)
            loss = branch_loss(branch, base, pairs, asked, noise)
            losses.setdefault(name, []).append(float(loss))
    return {name: float(np.mean(values)) for name, values in losses.items()}


def only(heard: Tensor, name: str) -> Tensor:
    """What is heard (B, T, 18), of one control alone."""
    given = torch.tensor([float(name == each) for each in CONTROLS])
    return masked(heard, given.expand(*heard.shape[:-1], -1))


def train(args: argparse.Namespace) -> None:
    """One run."""
    torch.manual_seed(args.seed)
    base, words = load_denoiser(args.denoiser)
    base.eval().requires_grad_(False)
    branch, judge = ControlNet.beside(base), ControlNet.beside(base)
    batches = Batches(Music(args.data), load_latents(args.latents), words)
    optimizer = torch.optim.AdamW(branch.parameters(), lr=args.lr, betas=(0.9, 0.97), fused=True)
    average = Average(branch, 0.998)
    run = Run(
        args.out / "control_net",
        args.steps,
        {"branch": branch, "optimizer": optimizer, "average": average},
        inputs_of(args),
        log_every=25,
        save_every=100,
    )
    for step in run:
        rng = np.random.default_rng([args.seed, 11, step])
        noise = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        pairs = draw(batches, "train", args.tokens, rng, DROP)
        with fast_products():
            loss = branch_loss(branch, base, pairs, thinned(pairs.heard, rng), noise)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(branch.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * trapezoid(step, args.steps, warm=100)
        optimizer.step()
        optimizer.zero_grad()
        average.update(branch)
        run.log(loss=loss.detach(), norm=norm)
        if (step + 1) % args.judge_every == 0 or step + 1 == args.steps:
            judge.load_state_dict(average.values)
            losses = held_out_losses(judge, base, batches, args.tokens)
            told = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
            print(f"held-out loss at step {step + 1} by controls: {told}", flush=True)
            save_weights(args.out / FILE, average.values, branch.config)
