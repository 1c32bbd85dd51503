"""The gradient at x_T: there, exact, and the same however it is computed."""

import pytest
import torch
from torch import Tensor

from ditto_music import Intensity
from ditto_music.models.small import SmallModel
from ditto_music.problem import Problem
from ditto_music.result import Settings


def problem_of(model: SmallModel, *, checkpoint: bool, steps: int = 4) -> Problem:
    settings = Settings(duration=0.7, steps=steps, guidance=3.0, checkpoint=checkpoint)
    return Problem(model, "calm piano", Intensity([-35, -14]), 0, settings)


def loss_at(problem: Problem, x_T: Tensor) -> Tensor:
    latent = problem.sample(x_T, range(len(problem)), problem.settings.steps)
    losses, _ = problem.measure(problem.clip(latent), range(len(problem)))
    return losses.sum()


def gradient(problem: Problem, x_T: Tensor) -> Tensor:
    x_T = x_T.clone().requires_grad_()
    return torch.autograd.grad(loss_at(problem, x_T), x_T)[0]


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_checkpointed_gradient_equals_plain(
    model: SmallModel, double_model: SmallModel, precision: str
) -> None:
    one = double_model if precision == "float64" else model
    x_T = problem_of(one, checkpoint=True).noise().to(getattr(torch, precision))
    kept = gradient(problem_of(one, checkpoint=False), x_T)
    recomputed = gradient(problem_of(one, checkpoint=True), x_T)
    assert kept.abs().max() > 0
    tolerance = 1e-8 if precision == "float64" else 1e-5
    assert (kept - recomputed).norm() <= tolerance * kept.norm()


def test_gradient_equals_finite_differences(double_model: SmallModel) -> None:
    """Of the whole chain: guidance, sampler, decoder, feature and loss, along random directions."""
    problem = problem_of(double_model, checkpoint=True)
    x_T = problem.noise().double()
    exact = gradient(problem, x_T)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        direction = torch.randn(x_T.shape, generator=generator, dtype=torch.float64)
        h = 1e-5
        with torch.no_grad():
            rise = loss_at(problem, x_T + h * direction) - loss_at(problem, x_T - h * direction)
        assert float(rise / (2 * h)) == pytest.approx(float((exact * direction).sum()), rel=1e-5)


def test_every_noise_value_matters(double_model: SmallModel) -> None:
    """A sampler that detaches on the way would leave zeros."""
    problem = problem_of(double_model, checkpoint=True)
    assert (gradient(problem, problem.noise().double()) != 0).all()


def test_checkpointing_keeps_no_activations_of_a_step(model: SmallModel) -> None:
    """Bytes saved for backward grow by a few latents a step, not by a network's activations."""

    def saved(checkpoint: bool, steps: int) -> int:
        problem = problem_of(model, checkpoint=checkpoint, steps=steps)
        seen: dict[int, int] = {}

        def pack(x: Tensor) -> Tensor:
            seen[x.data_ptr()] = x.untyped_storage().nbytes()
            return x

        x_T = problem.noise().requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            latent = problem.sample(x_T, [0], steps)
        assert latent.requires_grad
        return sum(seen.values())

    latent_bytes = problem_of(model, checkpoint=True).noise().nbytes
    per_step = (saved(True, 12) - saved(True, 4)) / 8
    plain_per_step = (saved(False, 12) - saved(False, 4)) / 8
    assert per_step <= 8 * latent_bytes
    assert plain_per_step > 20 * per_step
