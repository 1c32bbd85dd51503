"""Each update rule as its paper writes it, on a Gaussian model and worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from gaussian import (
    MEANS,
    SECONDS,
    Distance,
    Draws,
    Gaussian,
    noise,
    rms,
    share,
    wanted,
)
from torch import Tensor

from ditto_music.baselines import dps, dsg, freedom, guidance_gradients, mpgd
from ditto_music.baselines.dps import WAY
from ditto_music.controls import Match
from ditto_music.result import Result
from ditto_music.sampling import FlowSchedule, ddim, stochastic_ddim

pytestmark = pytest.mark.usefixtures("double_noise")

STEPS, SEED, SCALE = 5, 3, 2.5
MEAN = MEANS[""] + SCALE * (MEANS["high"] - MEANS[""])  # that guidance leads to


def made(method, control, steps: int = STEPS, model: Gaussian | None = None, **more) -> Tensor:
    result: Result = method(
        model or Gaussian(),
        "high",
        control,
        seed=SEED,
        duration=SECONDS,
        steps=steps,
        guidance=SCALE,
        x_T=noise(),
        **more,
    )
    return result.items[0].latent[None]


def squares(steps: int = STEPS) -> list[tuple[float, float, float]]:
    """``abar``, ``abar'`` and the Jacobian of each step, in the papers' letters."""
    schedule = Gaussian().schedule
    return [
        (float(schedule.alpha(t)) ** 2, float(schedule.alpha(s)) ** 2, share(schedule, t))
        for t, s in pairwise(schedule.times(steps))
    ]


def clean(x: Tensor, abar: float, jacobian: float) -> Tensor:
    """The guided clean estimate."""
    means = [MEANS[p] + jacobian * (x - math.sqrt(abar) * MEANS[p]) for p in ("", "high")]
    return means[0] + SCALE * (means[1] - means[0])


def ddpm(x: Tensor, x0: Tensor, abar: float, after: float, z: Tensor) -> Tensor:
    """``c1 x0_hat + c2 x_t + c3 z`` as in FreeDoM's code."""
    c1 = math.sqrt(after) * (1 - abar / after) / (1 - abar)
    c2 = math.sqrt(abar / after) * (1 - after) / (1 - abar)
    c3 = math.sqrt((1 - after) * (1 - abar / after) / (1 - abar))
    return c1 * x0 + c2 * x + c3 * z


def corrected(abar: float, jacobian: float) -> float:
    """``w RMS(E_c - E_u)``: the estimates differ by a constant."""
    apart = (1 - jacobian * math.sqrt(abar)) * (MEANS["high"] - MEANS[""])
    return SCALE * apart * math.sqrt(abar) / math.sqrt(1 - abar)


# --- FreeDoM -------------------------------------------------------------------------------------


def test_freedom_by_hand_with_time_travel_in_every_step() -> None:
    goal, x, fresh = wanted(), noise(), Draws(SEED)
    for abar, after, jacobian in squares():
        for turn in range(3):
            if turn:
                x = math.sqrt(abar / after) * x + math.sqrt(1 - abar / after) * fresh()
            x0 = clean(x, abar, jacobian)
            gradient = jacobian * (x0 - goal) / (x0 - goal).norm()  # of the residual's length
            rho = 0.2 * corrected(abar, jacobian) / rms(gradient)
            x = ddpm(x, x0, abar, after, fresh()) - rho * gradient
    out = made(freedom, Distance(goal), guided=(0, 1), travelled=(0, 1), repeats=3)
    assert torch.allclose(out, x, atol=1e-6)


def test_freedom_guides_and_travels_where_its_code_does() -> None:
    """Of 10 steps, counted down from 9 to 0, it guides 6 to 3 and repeats 6 to 4 thrice."""
    rows: list[int] = []
    model = Gaussian()
    made(freedom, Distance(wanted()), 10, model, callback=lambda p: rows.append(p.total))
    assert rows == [10] * 10  # 3 + 3 + 3 + 1
    assert model.asked_for_gradients == 10


@pytest.mark.parametrize("repeats", [1, 3])
def test_freedom_without_rho_is_plain_sampling(repeats: int) -> None:
    """Of the same noise; repeats only where asked."""
    fresh = Draws(SEED).generator
    model = Gaussian()
    means = model.condition(["high", ""], SECONDS).tensors["mean"]

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        parts = [m + share(model.schedule, t) * (x - model.schedule.alpha(t) * m) for m in means]
        return parts[1] + SCALE * (parts[0] - parts[1])

    plain = stochastic_ddim(denoise, noise(), model.schedule, STEPS, 1.0, [fresh])
    out = made(freedom, Distance(wanted()), rho=0.0, travelled=(0, 0), repeats=repeats)
    assert torch.allclose(out, plain, atol=1e-12)


def test_one_repeat_is_no_time_travel() -> None:
    once = made(freedom, Distance(wanted()), 10, repeats=1)
    never = made(freedom, Distance(wanted()), 10, travelled=(0, 0), repeats=3)
    assert torch.equal(once, never)
    assert not torch.equal(once, made(freedom, Distance(wanted()), 10, repeats=2))


def test_freedom_without_guidance_takes_the_rule_for_unconditional_models() -> None:
    goal, x, fresh = wanted(), noise(), Draws(SEED)
    for abar, after, jacobian in squares():
        x0 = MEANS["high"] + jacobian * (x - math.sqrt(abar) * MEANS["high"])
        eps = (x - math.sqrt(abar) * x0) / math.sqrt(1 - abar)
        c1 = math.sqrt(after) * (1 - abar / after) / (1 - abar)
        unit = (x0 - goal) / rms(x0 - goal)
        rho = 0.02 * rms(eps) * math.sqrt(1 - abar) / math.sqrt(abar) * c1
        x = ddpm(x, x0, abar, after, fresh()) - rho * unit
    out = freedom(
        Gaussian(), "high", Distance(goal), seed=SEED, duration=SECONDS, steps=STEPS,
        guidance=1.0, x_T=noise(), guided=(0, 1), travelled=(0, 0),
    )  # fmt: skip
    assert torch.allclose(out.items[0].latent[None], x, atol=1e-6)


@pytest.mark.parametrize("method", [freedom, mpgd])
@pytest.mark.parametrize("guidance", [1.0, SCALE])
def test_noise_alone_is_not_moved(method, guidance: float) -> None:
    """Models that begin there have alpha = 0 at the first step, which no size is over."""
    more = {
        "seed": SEED, "duration": SECONDS, "guidance": guidance, "x_T": noise(), "guided": (0, 1),
    }  # fmt: skip
    model = Gaussian(FlowSchedule(1.0))
    once = [
        method(model, "high", Distance(wanted()), steps=1, rho=rho, **more).items[0].latent
        for rho in (0.0, 0.2)
    ]
    assert torch.equal(*once)
    later = method(model, "high", Distance(wanted()), steps=10, **more).items[0].latent
    assert bool(torch.isfinite(later).all())


# --- DPS -----------------------------------------------------------------------------------------


def test_dps_by_hand() -> None:
    """``zeta`` times the gradient of the residual's length, in the paper's share of the way."""
    goal, x, fresh = wanted(), noise(), Draws(SEED)
    for abar, after, jacobian in squares():
        x0 = clean(x, abar, jacobian)
        residual = x0 - goal
        gradient = jacobian * residual / residual.norm()
        zeta = 0.7 * WAY / STEPS * math.sqrt(residual.numel())
        x = ddpm(x, x0, abar, after, fresh()) - zeta * gradient
    assert torch.allclose(made(dps, Distance(goal), zeta=0.7), x, atol=1e-6)


def test_the_paper_s_own_run_has_zeta_one() -> None:
    """In 1000 steps of 3 x 256 x 256 values a step has length one."""
    assert WAY / 1000 * math.sqrt(3 * 256 * 256) == pytest.approx(1)


def test_dps_ends_nearer_to_a_measurement_than_the_prior() -> None:
    goal = wanted()
    losses = [(made(dps, Distance(goal), 50, zeta=z) - goal).square().mean() for z in (0.0, 1.0)]
    assert losses[1] < 0.3 * losses[0]


# --- Guidance Gradients --------------------------------------------------------------------------


def test_guidance_gradients_by_hand_with_an_l1_distance() -> None:
    """The paper's d: a gradient of ones, so the move is xi in every value."""
    goal, x, fresh = wanted(), noise(), Draws(SEED)
    for abar, after, jacobian in squares():
        x0 = clean(x, abar, jacobian)
        xi = 0.03 * 50 / STEPS
        x = ddpm(x, x0, abar, after, fresh()) - xi * jacobian * (x0 - goal).sign()
    out = made(guidance_gradients, Distance(goal, power=1))
    assert torch.allclose(out, x, atol=1e-6)


def test_the_step_of_guidance_gradients_is_fixed() -> None:
    """A squared distance counts in units of the first slope and so falls with the residual."""
    goal, x, fresh, first = wanted(), noise(), Draws(SEED), 0.0
    for abar, after, jacobian in squares():
        x0 = clean(x, abar, jacobian)
        first = first or rms(x0 - goal)
        x = ddpm(x, x0, abar, after, fresh()) - 0.1 * 50 / STEPS * jacobian * (x0 - goal) / first
    assert torch.allclose(made(guidance_gradients, Distance(goal), xi=0.1), x, atol=1e-6)


class Beyond(Distance):
    """A distance that counts from an edge on."""

    def __init__(self, wanted: Tensor, edge: float) -> None:
        super().__init__(wanted)
        self.edge = edge

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return (super().loss(feature, target) - self.edge).clamp(min=0)


def test_guidance_gradients_counts_in_the_first_slope_that_there_is() -> None:
    """Where the first estimate has none, as of a wish that is met there and later is not."""
    seen: list[list[float]] = []
    controls = [Beyond(wanted(), 0.6), Beyond(wanted(), 0.0)]
    result = guidance_gradients(
        Gaussian(), "high", controls, seed=[1, 1], duration=SECONDS, steps=20, guidance=SCALE,
        x_T=noise().expand(2, -1, -1), xi=0.01,
        callback=lambda progress: seen.append([row["loss"] for row in progress.rows]),
    )  # fmt: skip
    assert seen[0][0] == 0 < max(losses[0] for losses in seen)
    assert all(rms(item.latent) < 5 for item in result.items)


def test_projection_returns_the_context_exactly() -> None:
    reference, mask = wanted(), torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 1])
    out = made(guidance_gradients, Match(reference, mask))
    assert torch.equal(out[0, :, mask == 1], reference[:, mask == 1])
    free = made(guidance_gradients, Match(reference, mask), project=False)
    assert not torch.allclose(free[0, :, mask == 1], reference[:, mask == 1], atol=1e-3)


# --- MPGD ----------------------------------------------------------------------------------------


def test_mpgd_by_hand() -> None:
    goal, x, fresh = wanted(), noise(), Draws(SEED)
    for abar, after, jacobian in squares():
        x0 = clean(x, abar, jacobian)
        gradient = (x0 - goal) / (x0 - goal).norm()
        rho = 15 * corrected(abar, jacobian) / rms(gradient)
        x = ddpm(x, x0 - rho * gradient, abar, after, fresh())
    assert torch.allclose(made(mpgd, Distance(goal), guided=(0, 1)), x, atol=1e-5)


def test_mpgd_never_goes_back_through_the_network() -> None:
    model = Gaussian()
    made(mpgd, Distance(wanted()), 10, model)
    assert model.asked_for_gradients == 0
    assert len(squares()) == STEPS
    made(dps, Distance(wanted()), 10, model)
    assert model.asked_for_gradients == 10


# --- DSG -----------------------------------------------------------------------------------------


def test_dsg_by_hand() -> None:
    """As in the paper: each step but the last ends on the sphere around DDPM's mean."""
    goal, x, fresh = wanted(), noise(), Draws(SEED)
    for abar, after, jacobian in squares():
        x0 = clean(x, abar, jacobian)
        gradient = jacobian * (x0 - goal)
        s = math.sqrt((1 - after) / (1 - abar) * (1 - abar / after))
        r = s * math.sqrt(x.numel())
        own, best = s * fresh(), -r * gradient / gradient.norm()
        mixed = own + 0.3 * (best - own)
        mean = ddpm(x, x0, abar, after, torch.zeros_like(x))
        x = mean + (r * mixed / mixed.norm() if s else 0)
    assert torch.allclose(made(dsg, Distance(goal), rate=0.3), x, atol=1e-6)


def test_the_size_of_a_loss_is_nothing_to_dsg() -> None:
    """Of a gradient only the direction counts: a distance and its square lead the same way."""
    ways = [made(dsg, 0.001 * Distance(wanted())), made(dsg, 1000 * Distance(wanted()))]
    assert torch.allclose(*ways, atol=1e-9)
    assert not torch.allclose(ways[0], made(dsg, Distance(wanted()), rate=0.0), atol=0.01)


def test_the_model_s_own_mean_is_where_plain_guided_sampling_ends() -> None:
    """A check of the hand's model: DDIM in small steps keeps the order and leads to the mean."""
    model = Gaussian()
    out = ddim(
        lambda x, t: clean(x, float(model.schedule.alpha(t)) ** 2, share(model.schedule, t)),
        noise(1, 4000),
        model.schedule,
        200,
    )
    assert float(out.mean()) == pytest.approx(MEAN, abs=0.02)
