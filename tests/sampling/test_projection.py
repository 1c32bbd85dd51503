"""Guidance by projection with momentum, held against diffusers' rule."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.sampling import (
    Condition,
    FlowSchedule,
    Guidance,
    Projection,
    clean,
    ddim,
    estimates,
    guided,
    heun,
    joined,
)
from ditto_music.sampling.plans import planned

SCHEDULE = FlowSchedule()
STEPS = 6
RULE = Guidance(5.0, projection=Projection("flow", -0.75, 2.5, 0.0))
LEVELS = [Condition({"level": torch.tensor([a, b])}) for a, b in ((0.3, 2.0), (-0.4, 0.1))]


def noise(seed: int = 0) -> Tensor:
    """(2, 3, 16)"""
    return torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(seed))


def velocity(x: Tensor, t: Tensor, condition: Condition) -> Tensor:
    """Something of the latent, the time and the condition, and of neither linear."""
    level = condition.tensors["level"].to(x)[:, None, None]
    return torch.sin(3 * x + level) * (1 + t) + level * torch.cos(x.roll(1, -1))


def denoise(x: Tensor, t: Tensor, condition: Condition) -> Tensor:
    return clean("flow", velocity(x, t, condition), x, 1 - t, t)


def walked(x_T: Tensor, plan: str = "plain", fitting: int = 0) -> Tensor:
    both = estimates(denoise, *LEVELS, RULE, SCHEDULE)
    predict = joined(planned(both, plan, SCHEDULE.times(STEPS), fitting), RULE, SCHEDULE)
    return ddim(lambda x, t: predict(x, t)[0], x_T, SCHEDULE, STEPS)


@pytest.mark.parametrize(
    ("momentum", "limit", "parallel"), [(-0.75, 2.5, 0.0), (0.5, 0.0, 1.0), (0.0, 1.0, 0.3)]
)
def test_a_walk_is_that_of_diffusers_rule(momentum: float, limit: float, parallel: float) -> None:
    how = Guidance(5.0, projection=Projection("flow", momentum, limit, parallel))
    x_T = noise().double()
    ours = ddim(guided(denoise, *LEVELS, how, SCHEDULE), x_T, SCHEDULE, STEPS)
    x, buffer = x_T, MomentumBuffer(momentum)
    for t, s in pairwise(SCHEDULE.times(STEPS).double()):
        wanted, unwanted = (velocity(x, t, one) for one in LEVELS)
        output = normalized_guidance(
            wanted, unwanted, 4.0, buffer, parallel, limit,
            use_original_formulation=True, norm_dim=(-1,),
        )  # fmt: skip
        x = x + (s - t) * output
    assert (ours - x).norm() < 1e-9 * x.norm()
    plain = ddim(guided(denoise, *LEVELS, 5.0, SCHEDULE), x_T, SCHEDULE, STEPS)
    assert (ours - plain).norm() > 1e-2 * x.norm()


def test_plans_agree_to_the_last_bit_though_a_walk_remembers() -> None:
    """What is made again in backward is the network's answer, not what was summed of it."""

    def gradient(plan: str, fitting: int = 0) -> Tensor:
        x_T = noise().requires_grad_()
        return torch.autograd.grad(walked(x_T, plan, fitting).square().sum(), x_T)[0]

    plain = gradient("plain")
    assert torch.equal(gradient("checkpoint"), plain)
    assert torch.equal(gradient("auto", 2), plain)


def test_the_gradient_is_that_of_finite_differences() -> None:
    x_T = noise()[:, :1, :5].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: walked(x, "checkpoint"), x_T)


def test_where_time_rises_a_walk_begins_and_at_the_same_time_the_past_is_the_same() -> None:
    walk = guided(denoise, *LEVELS, RULE, SCHEDULE)
    first = [ddim(walk, noise(seed), SCHEDULE, STEPS) for seed in (0, 1, 0)]
    assert torch.equal(first[0], first[2])
    x, late, early = noise(), torch.tensor(0.4), torch.tensor(0.8)
    walk(x, early)
    after = [walk(x, late) for _ in range(3)]
    assert torch.equal(after[0], after[2])
    alone = guided(denoise, *LEVELS, RULE, SCHEDULE)(x, late)
    assert not torch.allclose(after[0], alone)
    assert heun(walk, x, SCHEDULE, STEPS).isfinite().all()


def test_no_difference_adds_nothing_and_has_a_gradient() -> None:
    same = guided(denoise, LEVELS[0], LEVELS[0], RULE, SCHEDULE)
    x_T = noise().requires_grad_()
    end = ddim(same, x_T, SCHEDULE, STEPS)
    plain = ddim(guided(denoise, *LEVELS[:1] * 2, 1.0), x_T, SCHEDULE, STEPS)
    assert torch.allclose(end, plain, atol=1e-5)
    (gradient,) = torch.autograd.grad(end.sum(), x_T)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"momentum": 1.0}, "momentum is 1: it must lie between -1 and 1"),
        ({"limit": -1.0}, "limit is -1: it must be 0 or more"),
        ({"parallel": 2.0}, "parallel is 2: it must be 0 to 1"),
    ],
)
def test_a_projection_that_cannot_be_is_one_clear_line(asked: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Projection(**asked)


def test_a_scale_below_one_cannot_be_projected() -> None:
    with pytest.raises(InputError, match=r"guidance is 0\.5: by projection it must be 1 or more"):
        Guidance(0.5, projection=Projection())
