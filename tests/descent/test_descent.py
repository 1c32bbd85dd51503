"""The ways down, on functions whose bottom is known."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingWarmRestarts,
    LambdaLR,
    LRScheduler,
)

from ditto_music.descent import DESCENTS, LBFGS, Adam, Descent, OnShell, octaves
from ditto_music.descent.adam import BETAS, HALF_LIFE, PERIOD

Function = Callable[[Tensor], Tensor]

WAYS = [
    ("lbfgs-free", None),
    ("adam", 0.1),
    ("adam-plain", 0.1),
    ("adam-cosine", 0.1),
    ("ngd", 0.02),
]


def quadratic(x: Tensor) -> Tensor:
    """A bowl a hundred times steeper one way than another."""
    return (torch.logspace(0, 2, x.numel(), dtype=x.dtype) * (x.flatten() - 1).square()).sum()


def rosenbrock(x: Tensor) -> Tensor:
    """A bent valley; its bottom is at one."""
    return (100 * (x[1:] - x[:-1].square()).square() + (1 - x[:-1]).square()).sum()


def walk(descent: Descent, function: Function, x: Tensor, steps: int) -> tuple[Tensor, list[float]]:
    losses: list[float] = []
    for _ in range(steps):
        x = x.detach().requires_grad_()
        loss = function(x)
        (gradient,) = torch.autograd.grad(loss, x)
        losses.append(loss.item())
        x = descent.step(x.detach(), losses[-1], gradient)
    return x.detach(), losses


@pytest.mark.parametrize(("name", "lr"), WAYS)
def test_it_gets_down_a_bowl(name: str, lr: float | None) -> None:
    _, losses = walk(DESCENTS[name](lr), quadratic, torch.zeros(3, 4).double(), 150)
    assert min(losses) < 1e-3 * losses[0]


def test_lbfgs_follows_a_bent_valley() -> None:
    x, losses = walk(LBFGS(), rosenbrock, torch.zeros(6).double(), 120)
    assert losses[-1] < 1e-8
    assert torch.allclose(x, torch.ones(6).double(), atol=1e-3)


def test_the_first_step_of_lbfgs_is_newtons_along_the_gradient() -> None:
    """Of a squared error it lands on the target at once."""
    slope = torch.tensor([0.3, -0.1, 0.2]).double()

    def error(x: Tensor) -> Tensor:
        return (slope @ x - 0.02).square()

    x, _ = walk(LBFGS(longest=10.0), error, torch.zeros(3).double(), 1)
    assert float(error(x)) < 1e-20


def test_no_step_of_lbfgs_is_longer_than_asked() -> None:
    x, descent = torch.full((8,), -3.0).double(), LBFGS(longest=0.05)
    for _ in range(30):
        after, _ = walk(descent, rosenbrock, x, 1)
        anchor = descent.last[0] if descent.last else x
        assert float((after - anchor).square().mean().sqrt()) <= 0.05 * (1 + 1e-9)
        x = after


def test_where_the_loss_rose_lbfgs_tries_less_from_the_point_before() -> None:
    descent = LBFGS()
    x = torch.zeros(4).double()
    first = descent.step(x, 1.0, torch.ones(4).double())
    second = descent.step(first, 5.0, torch.ones(4).double())
    assert descent.last is not None
    assert torch.equal(descent.last[0], x)
    assert float((second - x).norm()) < float((first - x).norm())


def test_a_restart_keeps_the_curvature_and_forgets_the_point() -> None:
    descent = LBFGS()
    x, _ = walk(descent, quadratic, torch.zeros(5).double(), 8)
    known = len(descent.pairs)
    descent.restart()
    assert known > 0
    assert len(descent.pairs) == known
    worse = descent.step(x, 1e9, torch.ones(5).double())
    assert descent.last is not None
    assert torch.equal(descent.last[0], x), "nothing to fall back on: the new point is accepted"
    assert torch.isfinite(worse).all()


@pytest.mark.parametrize("units", [1 / 200, 200.0])
def test_in_other_units_lbfgs_begins_as_with_the_first_step(units: float) -> None:
    """Which of a squared distance is to its least; curvature in the units before is no guide."""
    least, descent = torch.full((4,), 0.05).double(), LBFGS(longest=0.02)
    x, _ = walk(descent, lambda x: (x - least).square().sum(), torch.zeros(4).double(), 2)
    assert torch.allclose(x, torch.full((4,), 0.04).double())
    assert descent.pairs
    descent.restart(other=True)
    x, _ = walk(descent, lambda x: units * (x - least).square().sum(), x, 1)
    assert torch.allclose(x, least)


def test_a_zero_gradient_leaves_the_point_where_it_is() -> None:
    x = torch.randn(5, generator=torch.Generator().manual_seed(0))
    for name in DESCENTS:
        descent = DESCENTS[name](None)
        assert torch.allclose(descent.step(x, 0.0, torch.zeros(5)), x)


def plain_rate(adam: torch.optim.Optimizer) -> LRScheduler:
    return ConstantLR(adam, factor=1.0)


def falling_rate(adam: torch.optim.Optimizer) -> LRScheduler:
    return LambdaLR(adam, lambda age: 0.5 ** (age / HALF_LIFE))


def cosine_rate(adam: torch.optim.Optimizer) -> LRScheduler:
    return CosineAnnealingWarmRestarts(adam, T_0=PERIOD, T_mult=2)


@pytest.mark.parametrize(
    ("name", "betas", "schedule"),
    [
        ("adam", BETAS, falling_rate),
        ("adam-plain", (0.9, 0.999), plain_rate),
        ("adam-cosine", (0.9, 0.999), cosine_rate),
    ],
)
def test_adam_is_torchs(
    name: str,
    betas: tuple[float, float],
    schedule: Callable[[torch.optim.Optimizer], LRScheduler],
) -> None:
    """To the last rounding, over two warm restarts of the cosine."""
    ours, theirs = torch.zeros(6).double(), torch.zeros(6).double().requires_grad_()
    adam = torch.optim.Adam([theirs], lr=0.1, betas=betas)
    rates, descent = schedule(adam), DESCENTS[name](0.1)
    for _ in range(35):
        ours, _ = walk(descent, rosenbrock, ours, 1)
        adam.zero_grad()
        rosenbrock(theirs).backward()
        adam.step()
        rates.step()
        assert torch.allclose(ours, theirs.detach(), atol=1e-12)


def test_the_papers_rate_is_that_of_plain_adam() -> None:
    x = DESCENTS["adam-plain"](None).step(torch.zeros(3), 1.0, torch.tensor([1.0, -2.0, 3.0]))
    assert torch.allclose(x, torch.tensor([-5e-3, 5e-3, -5e-3]))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_normalised_step_is_as_long_as_asked_and_straight_down(scale: float) -> None:
    slope = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)).double()
    moved = DESCENTS["ngd"](0.05).step(torch.zeros(4, 6).double(), 1.0, scale * slope)
    assert float(moved.square().mean().sqrt()) == pytest.approx(0.05)
    assert torch.allclose(moved / moved.norm(), -slope / slope.norm())


@pytest.mark.parametrize(("other", "rate"), [(False, 0.1 * math.sqrt(1 / 4)), (True, 0.1)])
def test_adam_takes_smaller_steps_after_a_restart_nearer_the_bottom(
    other: bool, rate: float
) -> None:
    """Which losses of other units do not tell."""
    descent = Adam(0.1)
    descent.step(torch.zeros(3), 4.0, torch.ones(3))
    descent.restart(other=other)
    moved = descent.step(torch.zeros(3), 1.0, torch.ones(3))
    assert float(moved.abs().max()) == pytest.approx(rate, rel=1e-4)


@pytest.mark.parametrize("name", ["lbfgs", "lbfgs-norm", "lbfgs-free"])
def test_lbfgs_keeps_the_norm_unless_it_is_free(name: str) -> None:
    start = 2 * torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double()
    x, losses = walk(DESCENTS[name](None), quadratic, start, 60)
    kept = abs(float(x.norm() / start.norm()) - 1)
    assert losses[-1] < losses[0] / 2
    assert kept > 0.05 if name == "lbfgs-free" else kept < 1e-6


def test_on_the_shell_it_finds_the_nearest_point_of_the_shell() -> None:
    """Of a distance to a point that is the point's own direction."""
    target = torch.tensor([3.0, -4.0, 12.0]).double()
    x, _ = walk(OnShell(LBFGS()), lambda x: (x - target).square().sum(), torch.ones(3).double(), 60)
    assert torch.allclose(x, target * 3**0.5 / 13, atol=1e-4)


def test_the_shell_hides_the_gradient_along_the_radius() -> None:
    seen: list[Tensor] = []
    told: list[bool] = []

    class Still:
        def restart(self, *, other: bool = False) -> None:
            told.append(other)

        def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
            seen.append(gradient)
            return 5 * x

    x, shell = torch.tensor([3.0, 4.0]), OnShell(Still())
    assert torch.allclose(shell.step(x, 1.0, torch.tensor([1.0, 1.0])), x)
    assert torch.allclose(seen[0], torch.tensor([0.16, -0.12]))
    shell.restart()
    shell.restart(other=True)
    assert told == [False, True]


@pytest.mark.parametrize("length", [1, 2, 7, 64, 281])
def test_octaves_are_at_right_angles_and_sum_up(length: int) -> None:
    x = torch.randn(2, 3, length, generator=torch.Generator().manual_seed(0))
    parts = octaves(x)
    assert torch.allclose(torch.stack(parts).sum(0), x, atol=1e-5)
    flat = torch.stack(parts).flatten(1)
    products = flat @ flat.T
    assert torch.allclose(products, products.diag().diag(), atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_octaves_are_as_exact_as_the_noise(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 281, generator=torch.Generator().manual_seed(0)).to(dtype)
    parts = octaves(x)
    assert {part.dtype for part in parts} == {dtype}
    assert torch.allclose(torch.stack(parts).sum(0), x, rtol=0, atol=100 * torch.finfo(dtype).eps)


def test_octaves_part_what_is_slow_from_what_is_fast() -> None:
    turns = torch.arange(64) / 64 * 2 * torch.pi
    waves = [torch.ones(64), turns.cos(), (3 * turns).sin(), (17 * turns).cos()]
    parts = octaves(torch.stack(waves))
    loud = [[i for i, part in enumerate(parts) if part[wave].norm() > 1e-3] for wave in range(4)]
    assert loud == [[0], [1], [2], [5]]


def test_a_white_search_keeps_every_octave_and_a_free_one_turns_slow() -> None:
    """A target that stands still draws a free search, and one of a single norm, to slow noise."""
    start = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))

    def far(x: Tensor) -> Tensor:
        return (x.mean(-1) - 1.5).square().sum()

    def kept(name: str) -> list[float]:
        x, _ = walk(DESCENTS[name](None), far, start, 30)
        pairs = zip(octaves(x), octaves(start), strict=True)
        return [float(part.norm() / first.norm()) for part, first in pairs]

    assert all(abs(ratio - 1) < 1e-3 for ratio in kept("lbfgs"))
    assert kept("lbfgs-norm")[0] > 3


def test_what_is_not_tried_yet_is_guessed_by_parts() -> None:
    """A bowl that is stiff where the point stands still along time is walked sooner."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(32, 64, generator=generator)
    octave = torch.logspace(1, -1, len(octaves(start)))
    within = torch.logspace(-0.3, 0.3, 32)[:, None]

    def bowl(x: Tensor) -> Tensor:
        parts = zip(octaves(x), octave, strict=True)
        return sum((k * (within * part.square()).sum() for part, k in parts), torch.zeros(()))

    _, whole = walk(LBFGS(longest=10.0), bowl, start, 8)
    _, parted = walk(LBFGS(longest=10.0, split=octaves), bowl, start, 8)
    assert parted[-1] < 0.3 * whole[-1]


def test_a_part_that_hardly_moved_is_guessed_as_the_whole_is() -> None:
    descent = LBFGS(longest=10.0, split=octaves)
    x = torch.zeros(1, 16)
    slow = torch.ones(1, 16)
    descent.step(x, 1.0, slow)
    descent.step(-0.5 * slow, 0.5, 0.5 * slow)  # it only ever stood still
    fast = torch.tensor([1.0, -1.0]).repeat(8)[None]
    assert torch.allclose(descent._untried(fast), fast, atol=1e-5)


def test_no_step_is_foretold_to_fall_far_below_zero() -> None:
    """Where the curvature was of a flatter place, the loss itself tells that it is steeper here."""
    descent = LBFGS(longest=10.0)
    descent.step(torch.zeros(1), 1.0, torch.ones(1))
    x = torch.full((1,), -0.1)
    moved = descent.step(x, 0.9, torch.full((1,), 0.99)) - x  # Newton's goes to -9.9: falls by 4.9
    assert float(-moved * 0.99 / 2) == pytest.approx(2 * 0.9)
