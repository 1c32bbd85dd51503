"""EDICT (Wallace et al. 2023, arXiv:2211.12446): two coupled latents, exactly invertible.

Each step moves either latent by the noise estimate of the other and then mixes them; every part can
be solved for what went in. So backward needs nothing kept: it rebuilds the inputs of each step from
its outputs (`reversible`), where DOODL as released checkpoints (see `checkpointed`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ditto_music.errors import InputError
from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.schedule import Schedule

MIX = 0.93  # of 50 steps (EDICT)
PAPERS = {50: MIX, 20: 0.83}  # DITTO, table 5
LEAST_SIGNAL = 1e-4  # alpha; below, float32 has no digits left for the model's own part
CONTRACTION = 6.5e-4  # of the gap between the latents over a run, by either: 7.1e-4, 5.8e-4

Pair = tuple[Tensor, Tensor]


def mixing(steps: int) -> float:
    """The share of its own that a latent keeps in a step of such a run.

    Mixing shrinks the gap between the latents by the share's square and undoing it enlarges that,
    rounding too. The papers' shares, of 20 and 50 steps, come to about the same over a run, and
    others follow: by theirs an inversion of 49 steps would enlarge rounding 85 million times, one
    of 100 steps two million.
    """
    return PAPERS.get(steps) or CONTRACTION ** (1 / (2 * steps))


def edict(denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int) -> Tensor:
    """The first of the two latents, which begin alike; arguments as `ddim`."""
    return edict_pair(denoise, (x_T, x_T), schedule, steps, mixing(steps))[0]


def edict_pair(
    denoise: Denoise, pair: Pair, schedule: Schedule, steps: int, mix: float = MIX
) -> Pair:
    """Walk both latents (B, ...) from noise to clean; they take turns to go first.

    Raises
    ------
    InputError
        If the schedule begins at noise alone: a step divides by ``alpha``.
    """
    for number, (t, s) in enumerate(_stretches(schedule, steps)):
        pair = _step(denoise, pair, schedule, t, s, mix, turned=number % 2 == 1)
    return pair


def invert_edict(
    denoise: Denoise, pair: Pair, schedule: Schedule, steps: int, mix: float = MIX
) -> Pair:
    """Walk both clean latents back to the noise they came from, exactly but for rounding."""
    for number, (t, s) in reversed(list(enumerate(_stretches(schedule, steps)))):
        pair = _step_back(denoise, pair, schedule, t, s, mix, turned=number % 2 == 1)
    return pair


def reversible(denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int) -> Tensor:
    """`edict` whose backward keeps two latents however many steps there are."""
    return reversible_pair(denoise, (x_T, x_T), schedule, steps, mixing(steps))[0]


def reversible_pair(
    denoise: Denoise, pair: Pair, schedule: Schedule, steps: int, mix: float = MIX
) -> Pair:
    """`edict_pair` whose backward keeps its two results and rebuilds the rest from them."""
    out: Pair = _Reversible.apply(*pair, denoise, schedule, steps, mix)  # type: ignore[assignment]
    return out


def _stretches(schedule: Schedule, steps: int) -> list[tuple[Tensor, Tensor]]:
    """From and to which time each step goes."""
    times = schedule.times(steps)
    if float(schedule.alpha(times[0])) < LEAST_SIGNAL:
        raise InputError(
            "sampler 'edict', and with it method 'doodl', divides by the share of music at the "
            "start, and this model begins at noise alone: take another"
        )
    return list(pairwise(times))


def _noise(denoise: Denoise, x: Tensor, schedule: Schedule, t: Tensor) -> Tensor:
    alpha, sigma = schedule.alpha(t).to(x), schedule.sigma(t).to(x)
    return (x - alpha * denoise(x, t.to(x))) / sigma


def _factors(x: Tensor, schedule: Schedule, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """``x_s = a x_t + b eps``."""
    a = schedule.alpha(s) / schedule.alpha(t)
    return a.to(x), (schedule.sigma(s) - a * schedule.sigma(t)).to(x)


def _step(
    denoise: Denoise, pair: Pair, schedule: Schedule, t: Tensor, s: Tensor, mix: float, turned: bool
) -> Pair:
    x, y = pair[::-1] if turned else pair
    a, b = _factors(x, schedule, t, s)
    x = a * x + b * _noise(denoise, y, schedule, t)
    y = a * y + b * _noise(denoise, x, schedule, t)
    x = mix * x + (1 - mix) * y
    y = mix * y + (1 - mix) * x
    return (y, x) if turned else (x, y)


def _step_back(
    denoise: Denoise, pair: Pair, schedule: Schedule, t: Tensor, s: Tensor, mix: float, turned: bool
) -> Pair:
    x, y = pair[::-1] if turned else pair
    a, b = _factors(x, schedule, t, s)
    y = (y - (1 - mix) * x) / mix
    x = (x - (1 - mix) * y) / mix
    y = (y - b * _noise(denoise, x, schedule, t)) / a
    x = (x - b * _noise(denoise, y, schedule, t)) / a
    return (y, x) if turned else (x, y)


class _Reversible(torch.autograd.Function):
    """The whole walk; its inputs are rebuilt step by step in backward."""

    @staticmethod
    def forward(
        ctx: Any,
        first: Tensor,
        second: Tensor,
        denoise: Denoise,
        schedule: Schedule,
        steps: int,
        mix: float,
    ) -> Pair:
        """Both latents, without a graph."""
        out = edict_pair(denoise, (first, second), schedule, steps, mix)
        ctx.save_for_backward(*out)
        ctx.walk = denoise, schedule, steps, mix
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None, None]:
        """Undo each step, make it again with a graph, and go back through it."""
        denoise, schedule, steps, mix = ctx.walk
        pair: Pair = ctx.saved_tensors
        along: Pair = (grads[0], grads[1])
        for number, (t, s) in reversed(list(enumerate(_stretches(schedule, steps)))):
            place = (schedule, t, s, mix)
            turned = number % 2 == 1
            pair = _step_back(denoise, pair, *place, turned=turned)
            with torch.enable_grad():
                inputs = tuple(each.detach().requires_grad_() for each in pair)
                outputs = _step(denoise, (inputs[0], inputs[1]), *place, turned=turned)
            first, second = torch.autograd.grad(outputs, inputs, along)
            along = first, second
        return *along, None, None, None, None
