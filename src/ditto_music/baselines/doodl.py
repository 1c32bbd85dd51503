"""DOODL (Wallace et al. 2023, arXiv:2303.13703): optimise the noise through an invertible walk.

EDICT's two coupled latents begin alike; both results are decoded and their losses summed. Backward
may rebuild each step's input by inversion, so that nothing is stored, but need not. Then, with the
constants of its code:

    g = clip(-grad, c)    b = 0.9 b + g    x_T <- x_T + b + 1e-4 z    x_T <- x_T |x_T^0| / |x_T|

the latents of both chains averaged ("tied") and brought back to the length they began with.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Unpack

import torch
from torch import Tensor

from ditto_music.baselines.keeper import Keeper
from ditto_music.baselines.walking import (
    FEWEST,
    Callback,
    asked_of,
    generators,
    problem_of,
    seconds_of,
    shortened,
)
from ditto_music.item import Row
from ditto_music.modes import own_modes
from ditto_music.optimize import Search
from ditto_music.problem import Problem
from ditto_music.protocols import Control, Model
from ditto_music.result import Result
from ditto_music.sampling import edict_pair, fresh_noise, mixing, reversible_pair, rms
from ditto_music.sampling.edict import Pair
from ditto_music.sampling.plans import planned

CLIP = 5e-3  # DITTO's comparison gave it its own rate
MOMENTUM, JITTER = 0.9, 1e-4
LOOKS = 20  # iterations that a time limit is to have room for, or its steps are fewer


@own_modes()
def doodl(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Optimise the noise through EDICT.

    Arguments and errors as of `optimize`, but for these:

    Parameters
    ----------
    lr : the largest step of a value before momentum; None: 5e-3. The loss is scaled so that the
        first gradient has this RMS; its code leaves the scale to the user.
    gradient : "reversible" rebuilds activations by inversion, the paper's promise; "checkpoint" is
        what the released code does.
    steps : of every iteration; there is no surrogate. Where a time limit has no room for twenty
        iterations of so many, or for those asked, they are fewer, 8 at least.
    """
    asked: Search = {"iterations": 50, **search}
    problem = problem_of(
        model, prompt, control, seed, duration, asked, sampler="edict", surrogate_steps=None
    )
    x = problem.start.fitted(x_T, later=False).clone()
    limit = problem.settings.time_limit
    if limit is not None and problem.settings.steps > FEWEST:
        problem = fit(problem, x, limit)
    length, fresh, clip = rms(x), generators(problem), problem.settings.lr or CLIP
    momentum, scale = torch.zeros_like(x), None
    keeper = Keeper(problem, x, problem.settings.iterations, callback)
    try:
        while items := keeper.going:
            seen = tied_gradient(problem, x[items], items, keeper.histories)
            gradient = torch.nan_to_num(seen.gradient, posinf=0.0, neginf=0.0)
            keeper.see(items, seen.losses, seen.rows, x[items], problem.clip(seen.latent))
            scale = clip / rms(gradient) if scale is None else scale
            push = (scale[items] * gradient).clamp(-clip, clip)
            momentum[items] = MOMENTUM * momentum[items] - push
            jitter = JITTER * fresh_noise(push, [fresh[i] for i in items])
            moved = x[items] + momentum[items] + jitter
            x[items] = moved * length[items] / rms(moved)
    except KeyboardInterrupt:
        keeper.interrupted()
    return keeper.finish("doodl")


def fit(problem: Problem, x: Tensor, limit: float) -> Problem:
    """On fewer steps where `limit` seconds have room for few iterations.

    Iterations of one step and of two are timed: what they differ by is a step, and the rest is to
    decode and to measure, whatever the steps.
    """
    asked, items = problem.settings, range(len(problem))
    one, two = (seconds_of(partial(tied_gradient, problem.on(steps), x, items)) for steps in (1, 2))
    step = max(0.0, two - one)
    rest, looks = max(0.0, one - step), min(LOOKS, asked.iterations)
    left = limit - (time.monotonic() - problem.started)
    return shortened(problem, looks * asked.steps * step, left - looks * rest)


class Look(NamedTuple):
    """What an iteration sees, of n items.

    Attributes
    ----------
    latent, losses, rows : the first chain's clean latents (n, ...), and what is measured of them.
    gradient : (n, ...), half of that of both chains' summed losses, with respect to the noise that
        they share.
    """

    latent: Tensor
    losses: Tensor
    rows: list[Row]
    gradient: Tensor


def tied_gradient(
    problem: Problem,
    x_T: Tensor,
    items: Sequence[int],
    histories: Sequence[Sequence[Row]] | None = None,
) -> Look:
    """Both chains from the noise (n, ...) of these items; `histories` as of `asked_of`."""
    items, size = [*items], len(items)
    noise = x_T.detach().requires_grad_()
    first, second = chains(problem, noise, items)
    clip = problem.clip(torch.cat([first, second]))
    losses, rows = asked_of(problem, clip, items + items, histories)
    (gradient,) = torch.autograd.grad(losses.sum(), noise)
    return Look(first.detach(), losses[:size].detach(), rows[:size], gradient / 2)


def chains(problem: Problem, noise: Tensor, items: Sequence[int]) -> Pair:
    """Both clean latents (n, ...) of these items' noise, by the plan of the settings."""
    schedule, steps = problem.model.schedule, problem.settings.steps
    plan, kept = problem.room.plan(items, steps, noise.dtype)
    denoise = problem.denoiser(items, sparing=plan == "blocks")
    walk = edict_pair
    if plan == "reversible":
        walk = reversible_pair
    else:
        denoise = planned(denoise, plan, schedule.times(steps), kept)
    return walk(denoise, (noise, noise), schedule, steps, mixing(steps))
