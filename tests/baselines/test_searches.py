"""Best of N and DOODL: what they keep, what they count, and DOODL's exact gradient."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from gaussian import SECONDS, Distance, Draws, Gaussian, noise, wanted

from ditto_music import Intensity, Settings
from ditto_music.baselines import best_of, doodl, plain
from ditto_music.baselines.doodl import tied_gradient
from ditto_music.controls import Match
from ditto_music.models.small import SmallModel
from ditto_music.problem import Problem
from ditto_music.sampling import edict_pair


class Near(Distance):
    """A distance of which any is near enough."""

    tolerance = 1e9


FAST = {"duration": 0.7, "steps": 6}


# --- best of N -----------------------------------------------------------------------------------


def test_it_is_the_least_of_n(model: SmallModel) -> None:
    control = Intensity([-35, -14])
    result = best_of(model, "calm", control, seed=2, draws=7, **FAST)
    item = result.items[0]
    generator = torch.Generator().manual_seed(2)
    noises = torch.stack(
        [torch.randn(*model.latent_shape(0.7), generator=generator) for _ in range(7)]
    )
    each = [
        plain(model, "calm", control, x_T=one[None], **FAST).items[0].final["loss"]
        for one in noises
    ]
    assert [row["loss"] for row in item.history] == pytest.approx(each)
    assert item.final["loss"] == pytest.approx(min(each))
    assert torch.equal(item.x_T, noises[each.index(min(each))])
    assert min(each) < each[0]


@pytest.mark.parametrize(
    ("steps", "few", "iterations", "draws"),
    [
        (10, 5, 60, 3 * (40 * 5 + 20 * 10) // 10),
        (12, 6, 30, 3 * (12 * 3 + 8 * 6 + 10 * 12) // 12),
        (10, None, 60, 3 * (40 * 5 + 20 * 10) // 10),
        (4, 4, 5, 3 * 5),
    ],
)
def test_equal_compute_is_three_samples_an_update(
    steps: int, few: int | None, iterations: int, draws: int
) -> None:
    """Of as many steps: few ones first, all of them in the last third."""
    result = best_of(
        Gaussian(), "high", Distance(wanted()), duration=SECONDS, tolerance=0.0, steps=steps,
        surrogate_steps=few, iterations=iterations,
    )  # fmt: skip
    assert len(result.items[0].history) == draws


def test_noise_that_was_given_is_drawn_again_as_well() -> None:
    seen: list[float] = []
    best_of(
        Gaussian(), "high", Distance(wanted()), seed=5, duration=SECONDS, steps=2, draws=4,
        x_T=noise(), callback=lambda progress: seen.append(progress.rows[0]["loss"]),
    )  # fmt: skip
    assert len(set(seen)) == 4


@pytest.mark.usefixtures("double_noise")
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_what_an_edit_keeps_is_part_of_every_draw(share: float) -> None:
    """Beside it the seed's own noise is drawn again, at its share of what the edit begins with."""
    fresh, mask = Draws(5), torch.tensor([1.0, 0.5, 1, 0, 0, 0, 0, 0])
    own = torch.randn(2, 8, generator=torch.Generator().manual_seed(5)).double()[None]
    other = noise() * (mask == 0)
    other = other - (other * own).sum() / (own * (mask == 0)).square().sum() * own
    start = torch.where(mask > 0, noise(7), (1 - share**2) ** 0.5 * other + share * own)
    seen: list[torch.Tensor] = []
    best_of(
        Gaussian(), "high", Match(wanted(), mask), seed=5, duration=SECONDS, steps=2, draws=4,
        x_T=start, callback=lambda progress: seen.append(progress.noise),
    )  # fmt: skip
    assert torch.equal(seen[0], start)
    for x in seen[1:]:
        drawn = torch.where(mask > 0, start, start + share * (fresh() - own))
        assert torch.allclose(x, drawn, atol=1e-12)
        assert torch.equal(x[..., mask > 0], start[..., mask > 0])


# --- DOODL ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", ["auto", "reversible", "checkpoint"])
def test_its_gradient_is_plain_backpropagation_through_edict(
    double_model: SmallModel, plan: str
) -> None:
    """Rebuilt by inversion; both results decoded, their losses summed, the chains' mean taken."""
    settings = Settings(0.7, 5, sampler="edict", gradient=plan)
    problem = Problem(double_model, ["calm", "jazz"], Intensity([-35, -14]), [0, 1], settings)
    x = problem.noise().double()
    gradient = tied_gradient(problem, x, [0, 1]).gradient

    pair = (x.clone().requires_grad_(), x.clone().requires_grad_())
    ends = edict_pair(problem.denoiser([0, 1]), pair, double_model.schedule, 5, 6.5e-4**0.1)
    losses = [problem.measure(problem.clip(end), [0, 1])[0].sum() for end in ends]
    chains = torch.autograd.grad(losses[0] + losses[1], pair)
    by_hand = (chains[0] + chains[1]) / 2
    assert by_hand.abs().min() > 0
    assert torch.allclose(gradient, by_hand, rtol=1e-6, atol=1e-9 * float(by_hand.abs().max()))


@pytest.mark.usefixtures("double_noise")
def test_the_update_by_hand() -> None:
    """One latent of both chains, momentum, clipping, jitter, and the length it began with."""
    model, goal, clip = Gaussian(), wanted(), 0.02
    seen: list[torch.Tensor] = []
    doodl(
        model, "high", Distance(goal), seed=7, duration=SECONDS, steps=4, iterations=3, lr=clip,
        guidance=1.0, x_T=noise(), callback=lambda progress: seen.append(progress.noise),
    )  # fmt: skip
    settings = Settings(SECONDS, 4, 1.0, sampler="edict")
    problem = Problem(model, "high", Distance(goal), 7, settings)
    x, fresh, momentum, scale = noise(), Draws(7), torch.zeros(1, 2, 8), None
    length = x.norm()
    for there in seen:
        assert torch.allclose(there, x, atol=1e-6)
        gradient = tied_gradient(problem, x, [0]).gradient
        scale = scale or clip / gradient.square().mean().sqrt()
        momentum = 0.9 * momentum + (-scale * gradient).clamp(-clip, clip)
        x = x + momentum + 1e-4 * fresh()
        x = x * length / x.norm()
    assert len(seen) == 3


def test_items_that_are_done_are_no_longer_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is met at once; the second goes on as it would alone."""
    model, rows = Gaussian(), list[int]()
    denoise, goals = model.denoise, [Near(wanted()), Distance(wanted())]
    more = {"duration": SECONDS, "steps": 2, "iterations": 3, "guidance": 1.0, "lr": 0.02}
    more |= {"gradient": "plain"}  # or a call is made to see what activations take
    alone = doodl(model, "high", goals[1], seed=8, x_T=noise(2), **more)

    def counted(x_t: torch.Tensor, *rest: Any) -> torch.Tensor:
        if not rows or rows[-1] != len(x_t):
            rows.append(len(x_t))
        return denoise(x_t, *rest)

    monkeypatch.setattr(model, "denoise", counted)
    both = doodl(model, "high", goals, seed=[7, 8], x_T=torch.cat([noise(1), noise(2)]), **more)
    assert [len(item.history) for item in both.items] == [1, 3]
    assert rows == [2, 1, 2]  # first both, then the one that goes on, and both for the result
    assert torch.allclose(both.items[1].x_T, alone.items[0].x_T, atol=1e-12)


def test_the_length_of_the_noise_stays(model: SmallModel) -> None:
    seen: list[torch.Tensor] = []
    result = doodl(
        model, "calm", Intensity([-35, -14]), seed=[0, 1], iterations=5, lr=0.05,
        callback=lambda progress: seen.append(progress.noise), **FAST,
    )  # fmt: skip
    lengths = torch.stack([x.flatten(1).norm(dim=1) for x in seen])
    assert torch.allclose(lengths, lengths[:1].expand_as(lengths), rtol=1e-5)
    assert not torch.equal(seen[0], seen[-1])
    assert result.settings.sampler == "edict"


def test_the_best_is_kept_and_is_what_its_noise_gives(model: SmallModel) -> None:
    result = doodl(model, "calm", Intensity([-35, -14]), iterations=12, lr=0.05, **FAST)
    item = result.items[0]
    losses = [row["loss"] for row in item.history]
    assert item.final["loss"] == pytest.approx(min(losses), rel=1e-3)
    assert min(losses) < losses[0]
    assert math.isfinite(item.final["loss"])
