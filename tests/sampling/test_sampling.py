"""Samplers on models whose answer is known in closed form."""

import pytest
import torch
from torch import Tensor

from ditto_music import InputError
from ditto_music.sampling import (
    SAMPLERS,
    Condition,
    DiscreteSchedule,
    FlowSchedule,
    adams,
    checkpointed,
    ddim,
    draw_noise,
    guided,
    invert_ddim,
)
from ditto_music.sampling.schedule import Spacing, linear_betas

SCHEDULE = FlowSchedule()


def gaussian_denoiser(mean: float, std: float):
    """The exact posterior mean of ``x_0 ~ N(mean, std^2)`` given ``x_t``."""

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
        gain = alpha * std**2 / (alpha**2 * std**2 + sigma**2)
        return mean + gain * (x - alpha * mean)

    return denoise


def exact_flow(x_T: Tensor, mean: float, std: float) -> Tensor:
    """Where the probability-flow ODE of that Gaussian takes `x_T`: deviations keep their rank."""
    t = torch.tensor(SCHEDULE.start, dtype=x_T.dtype)
    alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
    return mean + std * (x_T - alpha * mean) / (alpha**2 * std**2 + sigma**2).sqrt()


def test_times_fall_from_start_to_zero() -> None:
    for schedule in (FlowSchedule(), FlowSchedule(shift=3.0)):
        times = schedule.times(7)
        assert len(times) == 8
        assert float(times[0]) == pytest.approx(schedule.start)
        assert float(times[-1]) == 0
        assert (times.diff() < 0).all()
        assert float(schedule.alpha(times[0])) > 0


@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
def test_no_more_steps_than_a_process_was_trained_on(spacing: Spacing) -> None:
    schedule = DiscreteSchedule(linear_betas(steps=50), spacing)
    assert (schedule.times(50).diff() < 0).all()
    with pytest.raises(InputError, match="steps is 60: this model was trained on 50"):
        schedule.times(60)


def test_shift_spends_more_steps_near_the_noise() -> None:
    plain, shifted = FlowSchedule().times(10), FlowSchedule(shift=3.0).times(10)
    assert (shifted[1:-1] > plain[1:-1]).all()


def test_ddim_converges_to_the_exact_flow(generator: torch.Generator) -> None:
    x_T = torch.randn(4, 3, 5, generator=generator, dtype=torch.float64)
    exact = exact_flow(x_T, 1.5, 0.3)
    errors = [
        float((ddim(gaussian_denoiser(1.5, 0.3), x_T, SCHEDULE, steps) - exact).abs().max())
        for steps in (50, 100, 200)
    ]
    assert errors[0] < 0.1
    assert errors[1] < 0.7 * errors[0]
    assert errors[2] < 0.7 * errors[1]


def test_adams_is_of_second_order(generator: torch.Generator) -> None:
    x_T = torch.randn(4, 3, 5, generator=generator, dtype=torch.float64)
    exact = exact_flow(x_T, 1.5, 0.3)
    few, many = (
        float((adams(gaussian_denoiser(1.5, 0.3), x_T, SCHEDULE, steps) - exact).abs().max())
        for steps in (100, 200)
    )
    assert many < 0.3 * few
    assert many < 0.1 * float(
        (ddim(gaussian_denoiser(1.5, 0.3), x_T, SCHEDULE, 200) - exact).abs().max()
    )


def test_adams_is_the_classic_rule_on_the_velocity(generator: torch.Generator) -> None:
    schedule = FlowSchedule(shift=3.0)
    x_T = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    denoise = gaussian_denoiser(0.5, 0.7)
    x, times, last = x_T, schedule.times(9), None
    for i in range(9):
        velocity = (x - denoise(x, times[i])) / times[i]
        step, ahead = times[i + 1] - times[i], velocity
        if last is not None:
            ahead = velocity + step / (times[i] - times[i - 1]) / 2 * (velocity - last)
        x, last = x + step * ahead, velocity
    assert torch.allclose(x, adams(denoise, x_T, schedule, 9), atol=1e-12)


def test_ddim_is_the_euler_step_of_the_flow(generator: torch.Generator) -> None:
    x_T = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    denoise = gaussian_denoiser(0.5, 0.7)
    x, times = x_T, SCHEDULE.times(9)
    for i in range(9):
        velocity = (x - denoise(x, times[i])) / times[i]
        x = x + (times[i + 1] - times[i]) * velocity
    assert torch.allclose(x, ddim(denoise, x_T, SCHEDULE, 9), atol=1e-12)


def test_one_step_returns_the_clean_estimate(generator: torch.Generator) -> None:
    x_T = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    denoise = gaussian_denoiser(0.5, 0.7)
    estimate = denoise(x_T, SCHEDULE.times(1)[0])
    for name, sampler in SAMPLERS.items():
        if name == "edict":  # mixes with the second latent
            continue
        assert torch.allclose(sampler(denoise, x_T, SCHEDULE, 1), estimate)


def test_inversion_undoes_sampling(generator: torch.Generator) -> None:
    x_T = torch.randn(4, 8, generator=generator, dtype=torch.float64)
    denoise = gaussian_denoiser(1.5, 0.3)
    errors = [
        float(
            (invert_ddim(denoise, ddim(denoise, x_T, SCHEDULE, n), SCHEDULE, n) - x_T).abs().max()
        )
        for n in (50, 200)
    ]
    assert errors[1] < 0.5 * errors[0]
    assert errors[1] < 0.2


def test_checkpointing_gives_the_same_bits_and_gradients(generator: torch.Generator) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(6, 32), torch.nn.SiLU(), torch.nn.Linear(32, 6))
    network.double().requires_grad_(False)
    x_T = torch.randn(3, 6, generator=generator, dtype=torch.float64, requires_grad=True)

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        return network(x * (1 + t))

    plain = ddim(denoise, x_T, SCHEDULE, 6)
    again = ddim(checkpointed(denoise), x_T, SCHEDULE, 6)
    assert torch.equal(plain, again)
    wanted, got = (torch.autograd.grad(y.square().sum(), x_T)[0] for y in (plain, again))
    assert torch.equal(wanted, got)
    assert torch.autograd.gradcheck(lambda x: ddim(checkpointed(denoise), x, SCHEDULE, 3), x_T)


def test_guidance_extrapolates_and_scale_one_is_free() -> None:
    calls: list[int] = []

    def denoise(x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        calls.append(len(x))
        return condition.tensors["level"][:, None] * torch.ones_like(x)

    wanted = Condition({"level": torch.tensor([2.0, 3.0])})
    unwanted = Condition({"level": torch.tensor([1.0, 1.0])})
    x, t = torch.zeros(2, 4), torch.tensor(0.5)
    out = guided(denoise, wanted, unwanted, 3.0)(x, t)
    assert torch.equal(out[:, 0], torch.tensor([4.0, 7.0]))
    assert torch.equal(guided(denoise, wanted, unwanted, 1.0)(x, t)[:, 0], wanted.tensors["level"])
    assert calls == [4, 2]


def test_conditions_are_joined_and_picked() -> None:
    a = Condition({"x": torch.arange(3), "y": torch.zeros(3, 2)})
    assert len(a + a) == 6
    assert (a + a)[[4, 0]].tensors["x"].tolist() == [1, 0]


def test_noise_of_an_item_does_not_depend_on_its_batch() -> None:
    batch = draw_noise((3, 5), [7, 8, 9])
    assert torch.equal(batch[1], draw_noise((3, 5), [8])[0])
    assert not torch.equal(batch[0], batch[1])
    state = torch.random.get_rng_state()
    draw_noise((2,), [0])
    assert torch.equal(state, torch.random.get_rng_state())
