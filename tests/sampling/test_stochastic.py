"""Stochastic DDIM: the deterministic one without noise, the right variance with it."""

import pytest
import torch
from torch import Tensor

from ditto_music.sampling import FlowSchedule, ddim, stochastic_ddim


def gaussian(t: Tensor, spread: float, schedule: FlowSchedule) -> float:
    """How much of x_t the best clean estimate keeps, of data with this standard deviation."""
    alpha, sigma = float(schedule.alpha(t)), float(schedule.sigma(t))
    return alpha * spread**2 / (alpha**2 * spread**2 + sigma**2)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_it_samples_what_the_denoiser_knows(eta: float) -> None:
    schedule = FlowSchedule()
    count = 4000
    x_T = torch.randn(count, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    made = stochastic_ddim(
        lambda x, t: gaussian(t, 0.5, schedule) * x,
        x_T,
        schedule,
        400,
        eta,
        [torch.Generator().manual_seed(i) for i in range(count)],
    )
    assert float(made.std()) == pytest.approx(0.5, rel=0.05)


def test_without_eta_it_is_ddim() -> None:
    schedule, x_T = FlowSchedule(shift=3.0), torch.randn(2, 3, 7)
    denoise = lambda x, t: torch.tanh(x) * (1 - t)  # noqa: E731
    made = stochastic_ddim(denoise, x_T, schedule, 9, 0.0, [torch.Generator() for _ in range(2)])
    assert torch.allclose(made, ddim(denoise, x_T, schedule, 9), atol=1e-6)


def test_items_have_noise_of_their_own() -> None:
    schedule, x_T = FlowSchedule(), torch.ones(2, 3, 7)
    both = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    made = stochastic_ddim(lambda x, t: 0.5 * x, x_T, schedule, 9, 1.0, both)
    alone = stochastic_ddim(
        lambda x, t: 0.5 * x, x_T[1:], schedule, 9, 1.0, [torch.Generator().manual_seed(2)]
    )
    assert not torch.equal(made[0], made[1])
    assert torch.equal(made[1:], alone)


def test_a_guided_run_goes_down() -> None:
    schedule, x_T = FlowSchedule(), torch.randn(3, 2, 8, generator=torch.Generator().manual_seed(0))
    goal = lambda x: (x - 2.0).square().flatten(1).mean(1)  # noqa: E731
    losses = [
        goal(
            stochastic_ddim(
                lambda x, t: 0.9 * x, x_T, schedule, 30, 0.5,
                [torch.Generator().manual_seed(i) for i in range(3)], goal, guide,
            )
        ).mean()
        for guide in (0.0, 0.2, 1.0)
    ]  # fmt: skip
    assert losses[0] > losses[1] > losses[2]
