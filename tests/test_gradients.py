"""The gradient at x_T: there, exact, and the same however it is computed."""

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ditto_music import Guidance, InputError, Intensity, generate, load_model, optimize
from ditto_music.models.small import SmallModel
from ditto_music.problem import Problem
from ditto_music.result import Settings
from ditto_music.sampling import NOISY_SAMPLERS, SAMPLERS, Projection


def problem_of(model: SmallModel, *, gradient: str, steps: int = 4) -> Problem:
    settings = Settings(duration=0.7, steps=steps, guidance=3.0, gradient=gradient)
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
    x_T = problem_of(one, gradient="checkpoint").noise().to(getattr(torch, precision))
    kept = gradient(problem_of(one, gradient="plain"), x_T)
    recomputed = gradient(problem_of(one, gradient="checkpoint"), x_T)
    assert kept.abs().max() > 0
    assert torch.equal(kept, recomputed)


def test_gradient_equals_finite_differences(double_model: SmallModel) -> None:
    """Of the whole chain: guidance, sampler, decoder, feature and loss, along random directions."""
    problem = problem_of(double_model, gradient="checkpoint")
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
    problem = problem_of(double_model, gradient="checkpoint")
    assert (gradient(problem, problem.noise().double()) != 0).all()


def test_checkpointing_keeps_no_activations_of_a_step(model: SmallModel) -> None:
    """Bytes saved for backward grow by a few latents a step, not by a network's activations."""

    def saved(plan: str, steps: int) -> int:
        problem = problem_of(model, gradient=plan, steps=steps)
        seen: dict[int, int] = {}

        def pack(x: Tensor) -> Tensor:
            seen[x.data_ptr()] = x.untyped_storage().nbytes()
            return x

        x_T = problem.noise().requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            latent = problem.sample(x_T, [0], steps)
        assert latent.requires_grad
        return sum(seen.values())

    latent_bytes = problem_of(model, gradient="checkpoint").noise().nbytes
    per_step = (saved("checkpoint", 12) - saved("checkpoint", 4)) / 8
    plain_per_step = (saved("plain", 12) - saved("plain", 4)) / 8
    assert per_step <= 8 * latent_bytes
    assert plain_per_step > 20 * per_step


@pytest.mark.parametrize(("plan", "limit"), [("plain", 2.0), ("checkpoint", 3.0)])
def test_an_iteration_costs_what_it_must(model: SmallModel, plan: str, limit: float) -> None:
    """Forward, again where recomputed, and back with respect to the input alone.

    Gradients of weights, if they were made, would cost another forward pass.
    """
    problem = problem_of(model, gradient=plan, steps=20)
    x_T = problem.noise()
    with FlopCounterMode(display=False) as sampling, torch.no_grad():
        _ = problem.clip(problem.sample(x_T, [0], 20)).audio
    with FlopCounterMode(display=False) as iteration:
        gradient(problem, x_T)
    ratio = iteration.get_total_flops() / sampling.get_total_flops()
    assert limit - 0.9 < ratio <= 1.05 * limit


def test_a_walk_with_momentum_cannot_be_undone(model: SmallModel) -> None:
    ruled, quick = Guidance(3.0, projection=Projection()), {"duration": 0.7, "steps": 2}
    with pytest.raises(InputError, match="momentum cannot: add --plain-guidance"):
        generate(model, "calm", sampler="edict", guidance=ruled, **quick)
    asked = {"control": Intensity([-30, -20]), "iterations": 1, **quick}
    one, two = (
        optimize(model, "calm", guidance=ruled, gradient=plan, **asked)
        for plan in ("plain", "checkpoint")
    )
    assert torch.equal(one.x_T, two.x_T)


def test_what_a_step_keeps_is_reckoned_where_it_is_guided(model: SmallModel) -> None:
    def kept(guidance: Guidance) -> int:
        settings = Settings(duration=0.7, steps=6, guidance=guidance)
        return Problem(model, "calm piano", None, 0, settings).room.bytes_a_step()

    late = kept(Guidance(3.0, interval=(0.0, 0.5)))
    assert late == kept(Guidance(3.0)) > 1.5 * kept(Guidance(1.0))


def test_a_budget_stores_the_last_steps_and_finds_the_same_gradient(model: SmallModel) -> None:
    def problem(budget: float | None) -> Problem:
        settings = Settings(duration=0.7, steps=6, memory_budget=budget)
        return Problem(model, "calm piano", Intensity([-35, -14]), 0, settings)

    def stored(budget: float | None) -> int:
        seen: dict[int, int] = {}

        def pack(x: Tensor) -> Tensor:
            seen[x.data_ptr()] = x.untyped_storage().nbytes()
            return x

        one = problem(budget)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            _ = one.sample(one.noise().requires_grad_(), [0], 6)
        return sum(seen.values())

    x_T = problem(None).noise()
    nothing, everything = stored(0), stored(None)
    some = (nothing + everything) // 2
    assert nothing < 0.2 * everything
    assert 2 * nothing < stored((some - nothing) / 1e9) < 0.7 * everything  # weights come on top
    wanted = gradient(problem(None), x_T)
    for budget in (0.0, (some - nothing) / 1e9):
        assert torch.equal(gradient(problem(budget), x_T), wanted)


def test_the_reversible_gradient_is_that_of_edict(double_model: SmallModel) -> None:
    def problem(plan: str) -> Problem:
        settings = Settings(duration=0.7, steps=4, sampler="edict", gradient=plan)
        return Problem(double_model, "calm piano", Intensity([-35, -14]), 0, settings)

    x_T = problem("plain").noise().double()
    plain, rebuilt = (gradient(problem(plan), x_T) for plan in ("plain", "reversible"))
    assert (plain - rebuilt).norm() <= 1e-5 * plain.norm()


@pytest.mark.parametrize(
    ("dtype", "steps", "error"),
    [
        (torch.float32, 8, 1e-5),
        (torch.float32, 20, 1e-5),
        (torch.float32, 40, 1e-5),
        (torch.bfloat16, 8, 0.01),
        (torch.bfloat16, 20, 0.01),
        (torch.bfloat16, 40, 0.01),
    ],
)
def test_what_is_rebuilt_in_low_precision_is_near(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, steps: int, error: float
) -> None:
    monkeypatch.setattr(model, "dtype", dtype)

    def problem(plan: str) -> Problem:
        settings = Settings(duration=0.7, steps=steps, sampler="edict", gradient=plan)
        return Problem(model, "calm piano", Intensity([-35, -14]), 0, settings)

    x_T = problem("plain").noise()
    plain, rebuilt = (gradient(problem(plan), x_T) for plan in ("plain", "reversible"))
    assert 0 < (plain - rebuilt).norm() <= error * plain.norm()


@pytest.mark.slow
def test_rebuilding_in_bfloat16_holds_on_the_shipped_model() -> None:
    model = load_model(dtype="bfloat16")

    def problem(plan: str) -> Problem:
        settings = Settings(duration=3.0, steps=40, sampler="edict", gradient=plan)
        return Problem(model, "calm piano", Intensity([-35, -14]), 0, settings)

    x_T = problem("plain").noise()
    plain, rebuilt = (gradient(problem(plan), x_T) for plan in ("plain", "reversible"))
    assert (plain - rebuilt).norm() <= 0.02 * plain.norm()


def test_a_plan_that_does_not_fit_the_sampler_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="take that sampler, or gradient 'auto'"):
        Settings(gradient="reversible")


@pytest.mark.parametrize("sampler", [*SAMPLERS, *NOISY_SAMPLERS])
def test_the_last_steps_alone_move_the_noise_of_every_sampler_with_a_path(
    model: SmallModel, sampler: str
) -> None:
    """Through ping-pong none leads past a step: only what the last ones begin with moves there."""

    def slope(**more: bool) -> Tensor:
        settings = Settings(0.7, 4, sampler=sampler, gradient="last-2", **more)
        problem = Problem(model, "calm piano", Intensity([-35, -14]), 0, settings)
        return gradient(problem, problem.variable)

    if sampler in SAMPLERS:
        assert bool((slope() != 0).all())
        return
    with pytest.raises(InputError, match="take gradient 'auto', another sampler, or later-noises"):
        slope()
    assert Settings(steps=2, sampler=sampler, gradient="last-2").gradient == "last-2"  # all of them
    reached = [bool(each.any()) for each in slope(later_noises=True)[0]]
    assert reached == [False, False, True, True]
