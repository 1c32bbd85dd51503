"""What the compared methods are said to do, seen where the right answer is known.

The Gaussian model's posterior of a measurement ``y = x_0 + noise`` is closed: the mean goes a share
of the way from the prior's to y, and the variance is the prior's times what is left of the way.
"""

from __future__ import annotations

import pytest
import torch
from gaussian import MEANS, SECONDS, VARIANCE, Distance, Gaussian, wanted
from torch import Tensor

from ditto_music.baselines import dps, freedom, guidance_gradients, mpgd
from ditto_music.controls import Match
from ditto_music.sampling import Condition

COUNT = 200
SCALE = 2.5  # of guidance, where there is any
GUIDED = MEANS[""] + SCALE * (MEANS["high"] - MEANS[""])  # the mean that it leads to


def samples(method, control, steps: int = 100, model: Gaussian | None = None, **more) -> Tensor:
    """Clean latents (COUNT, 2, 8) of as many seeds."""
    result = method(
        model or Gaussian(), "high", control, seed=[*range(COUNT)], duration=SECONDS, steps=steps,
        tolerance=0.0, **more,
    )  # fmt: skip
    return torch.stack([item.latent for item in result.items])


def told(made: Tensor, prior: float) -> tuple[float, float]:
    """How far the mean has gone from the prior's to y, as a share, and the variance."""
    way = wanted() - prior
    share = ((made.mean(0) - prior) * way).sum() / way.square().sum()
    return float(share), float(made.var(0).mean())


@pytest.mark.parametrize("zeta", [0.1, 0.2])
def test_dps_nearly_samples_the_posterior_of_a_weak_measurement(zeta: float) -> None:
    share, variance = told(samples(dps, Distance(wanted()), guidance=1.0, zeta=zeta), MEANS["high"])
    assert 0.05 < share < 0.2
    assert variance == pytest.approx(VARIANCE * (1 - share), rel=0.1)


def test_dps_with_the_paper_s_step_is_too_sure() -> None:
    """The posterior whose mean goes as far has half as much variance again."""
    share, variance = told(samples(dps, Distance(wanted()), guidance=1.0), MEANS["high"])
    assert share == pytest.approx(0.63, abs=0.05)
    assert 0.55 < variance / (VARIANCE * (1 - share)) < 0.8


def test_mpgd_meets_a_measurement_on_the_mean_and_samples_no_posterior() -> None:
    """One whose mean is y has no variance; without guidance its moves are next to nothing."""
    share, variance = told(samples(mpgd, Distance(wanted()), guidance=SCALE), GUIDED)
    assert share == pytest.approx(1, abs=0.05)
    assert variance > 0.5 * VARIANCE
    share, variance = told(samples(mpgd, Distance(wanted()), guidance=1.0), MEANS["high"])
    assert share < 0.05
    assert variance == pytest.approx(VARIANCE, rel=0.1)


def test_time_travel_brings_freedom_nearer() -> None:
    """By steps that are too small for one pass."""
    once, thrice = (
        samples(freedom, Distance(wanted()), guidance=SCALE, rho=0.02, repeats=repeats)
        for repeats in (1, 3)
    )
    errors = [float((made - wanted()).square().mean()) for made in (once, thrice)]
    assert errors[1] < 0.9 * errors[0]


class Smooth(Gaussian):
    """Neighbours along time correlate by 0.9."""

    def denoise(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        alpha, sigma = float(self.schedule.alpha(t)), float(self.schedule.sigma(t))
        mean, at = condition.tensors["mean"].to(x_t), torch.arange(x_t.shape[-1])
        prior = VARIANCE * 0.9 ** (at[:, None] - at).abs().to(x_t)
        seen = alpha**2 * prior + sigma**2 * torch.eye(len(at)).to(x_t)
        return mean + (x_t - alpha * mean) @ torch.linalg.solve(seen, alpha * prior)


def test_guidance_gradients_fit_what_is_new_to_what_stays() -> None:
    """The jump at a seam, without its gradient, with the paper's step and a larger one.

    The posterior's own is 0.34.
    """
    match = Match(torch.full((2, 8), 2.5), torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 0]))
    jumps: list[float] = []
    for xi in (0.0, 0.03, 0.1):
        made = samples(guidance_gradients, match, 20, Smooth(), guidance=1.0, xi=xi)
        jumps.append(float((made[..., 4] - made[..., 3]).square().mean().sqrt()))
    assert jumps[0] > 1.1 * jumps[1] > 1.3 * jumps[2] > 1.3 * 0.34
