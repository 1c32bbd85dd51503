"""Parameterisations against one another, EDICT and its inverse, guidance options, and plans."""

import gc
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditto_music import InputError
from ditto_music.sampling import (
    AngleSchedule,
    Condition,
    DiscreteSchedule,
    FlowSchedule,
    KarrasSchedule,
    Schedule,
    clean,
    ddim,
    edict,
    edict_pair,
    edm_clean,
    guided,
    invert_edict,
    mixing,
    predicted,
    reversible,
)
from ditto_music.sampling.edict import _step
from ditto_music.sampling.guidance import Guidance, rescaled, thresholded
from ditto_music.sampling.plans import activation_bytes, planned
from ditto_music.sampling.schedule import linear_betas

SCHEDULES: dict[str, Schedule] = {
    "flow": FlowSchedule(),
    "angle": AngleSchedule(),
    "karras": KarrasSchedule(),
    "discrete": DiscreteSchedule(linear_betas()),
}


@pytest.fixture
def network() -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = (torch.nn.Linear(6, 32), torch.nn.SiLU(), torch.nn.Linear(32, 6))
    return torch.nn.Sequential(*layers).double().requires_grad_(False)


def denoiser(network: torch.nn.Module):
    return lambda x, t: network(x) / (1 + t)


def noise(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 6, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["x0", "eps", "v", "flow"])
@pytest.mark.parametrize("name", SCHEDULES)
@given(share=st.floats(0.01, 0.99))
def test_a_prediction_and_its_clean_estimate_are_one(name: str, kind: str, share: float) -> None:
    schedule = SCHEDULES[name]
    t = schedule.times(1)[0] * share
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    x_0, eps = noise(1), noise(2)
    x_t = alpha * x_0 + sigma * eps
    output = predicted(kind, x_0, x_t, alpha, sigma)  # type: ignore[arg-type]
    expected = {"x0": x_0, "eps": eps, "v": alpha * eps - sigma * x_0, "flow": eps - x_0}[kind]
    assert torch.allclose(output, expected, atol=1e-6)
    back = clean(kind, output, x_t, alpha, sigma)  # type: ignore[arg-type]
    assert torch.allclose(back, x_0, atol=1e-6)


@pytest.mark.parametrize("name", ["angle", "karras", "discrete"])
def test_variance_is_preserved(name: str) -> None:
    schedule = SCHEDULES[name]
    times = schedule.times(9)
    squares = schedule.alpha(times).square() + schedule.sigma(times).square()
    assert torch.allclose(squares, torch.ones_like(squares))
    assert (times.diff() < 0).all()
    assert float(schedule.sigma(times[-1])) == 0
    assert float(schedule.sigma(times[0])) > 0.99


def test_alpha_between_whole_times_lies_between() -> None:
    schedule = DiscreteSchedule(linear_betas())
    whole = schedule.alpha(torch.tensor([500.0, 501.0]).double())
    half = schedule.alpha(torch.tensor(500.5).double())
    assert whole[1] < half < whole[0]


def test_the_edm_denoiser_of_a_perfect_network_is_the_data() -> None:
    x_0, eps, level, data = noise(1), noise(2), torch.tensor(3.0).double(), 0.5
    x = x_0 + level * eps
    skip = data**2 / (level**2 + data**2)
    wanted = (x_0 - skip * x) / (level * data / (level**2 + data**2).sqrt())
    assert torch.allclose(edm_clean(wanted, x, level, data), x_0)


# --- EDICT ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("steps", "mix"), [(20, 0.83), (50, 0.93)])
def test_edict_is_undone_exactly(
    name: str, steps: int, mix: float, network: torch.nn.Module
) -> None:
    denoise, schedule = denoiser(network), SCHEDULES[name]
    pair = edict_pair(denoise, (noise(), noise()), schedule, steps, mix)
    back = invert_edict(denoise, pair, schedule, steps, mix)
    for latent in back:
        assert float((latent - noise()).abs().max()) < 1e-6


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [5, 10, 20, 49, 50, 100])
def test_edict_is_undone_in_single_precision(
    name: str, steps: int, network: torch.nn.Module
) -> None:
    denoise, schedule, x_T = denoiser(network.float()), SCHEDULES[name], noise().float()
    pair = edict_pair(denoise, (x_T, x_T), schedule, steps, mixing(steps))
    back = invert_edict(denoise, pair, schedule, steps, mixing(steps))
    for latent in back:
        assert float((latent - x_T).abs().max()) < 1e-4


@pytest.mark.parametrize(("steps", "mix"), [(10, 0.69), (20, 0.83), (50, 0.93), (100, 0.96)])
def test_a_run_of_any_length_closes_the_gap_alike(steps: int, mix: float) -> None:
    assert mixing(steps) == pytest.approx(mix, abs=0.005)
    assert 5e-4 < mixing(steps) ** (2 * steps) < 8e-4


@pytest.mark.parametrize("mix", [0.69, 0.83, 0.93])
def test_mixing_closes_the_gap_by_its_square(mix: float) -> None:
    """Of latents that the model moves alike, in each step and so over a run."""
    schedule = SCHEDULES["flow"]
    times = schedule.times(6)

    def denoise(x: Tensor, t: Tensor) -> Tensor:  # no noise in it: a step scales both latents
        return x / schedule.alpha(t)

    pair = noise(1), noise(2)
    for t, s in pairwise(times):
        scale = schedule.alpha(s) / schedule.alpha(t)
        gap = scale * (pair[0] - pair[1])
        pair = _step(denoise, pair, schedule, t, s, mix, turned=False)
        assert torch.allclose(pair[0] - pair[1], mix**2 * gap, rtol=1e-10)
    whole = edict_pair(denoise, (noise(1), noise(2)), schedule, 6, mix)
    shrunk = mix**12 * schedule.alpha(times[-1]) / schedule.alpha(times[0])
    assert torch.allclose(whole[0] - whole[1], shrunk * (noise(1) - noise(2)), rtol=1e-9)


def test_edict_with_equal_estimates_is_ddim() -> None:
    """Where the noise estimate does not depend on the latent, both are walked alike."""
    schedule, eps = FlowSchedule(), noise(4)

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        return (x - schedule.sigma(t) * eps) / schedule.alpha(t)

    assert torch.allclose(
        edict(denoise, noise(), schedule, 20), ddim(denoise, noise(), schedule, 20)
    )


def test_the_reversible_gradient_is_the_plain_one(network: torch.nn.Module) -> None:
    denoise, schedule = denoiser(network), SCHEDULES["angle"]
    x_T = noise().requires_grad_()
    outs = [walk(denoise, x_T, schedule, 12) for walk in (edict, reversible)]
    assert torch.equal(*outs)
    plain, rebuilt = (torch.autograd.grad(out.square().sum(), x_T)[0] for out in outs)
    assert (plain - rebuilt).norm() < 1e-7 * plain.norm()


# --- guidance ------------------------------------------------------------------------------------


def test_guidance_acts_within_its_interval_only() -> None:
    calls: list[int] = []

    def denoise(x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        calls.append(len(x))
        return x

    one = Condition({"level": torch.ones(3)})
    schedule = FlowSchedule()
    walk = guided(denoise, one, one, Guidance(3.0, interval=(0.25, 0.75)), schedule)
    ddim(walk, noise(), schedule, 10)
    guided_calls = [bool(0.25 <= float(t) <= 0.75) for t in schedule.times(10)[:-1]]
    assert calls == [6 if acts else 3 for acts in guided_calls]
    assert set(calls) == {3, 6}


def test_scale_zero_is_the_unconditional_model() -> None:
    def denoise(x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return condition.tensors["level"][:, None] * torch.ones_like(x)

    wanted, unwanted = (Condition({"level": torch.full((3,), x)}) for x in (2.0, 5.0))
    out = guided(denoise, wanted, unwanted, 0.0)(noise(), torch.tensor(0.5))
    assert torch.equal(out, torch.full_like(out, 5.0))


def test_rescaling_brings_the_deviation_back_and_has_a_gradient() -> None:
    x_0, wanted = 3 * noise(1), noise(2)
    whole = rescaled(x_0, wanted, 1.0)
    assert torch.allclose(whole.std(1), wanted.std(1))
    assert torch.equal(rescaled(x_0, wanted, 0.0), x_0)
    leaf = x_0.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: rescaled(x, wanted, 0.7), leaf)


def test_thresholding_cuts_scales_and_kills_the_gradient_of_what_it_cuts() -> None:
    x_0 = torch.cat([torch.linspace(-1, 0.97, 99).double(), torch.tensor([50.0]).double()])[None]
    assert torch.equal(thresholded(x_0, 0.95), x_0)  # the quantile is under 3: as it was
    x_0 = (10 * x_0).requires_grad_()
    cut = thresholded(x_0, 0.905)
    assert float(cut.detach().abs().max()) == pytest.approx(3)
    (gradient,) = torch.autograd.grad(cut.sum(), x_0)
    edge = float(torch.quantile(x_0.detach().abs(), 0.905))
    beyond = x_0.detach().abs() > edge
    assert (gradient[beyond] == 0).all()
    assert torch.allclose(gradient[~beyond], torch.tensor(3 / edge).double())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"scale": -1.0}, "guidance is -1"),
        ({"interval": (0.8, 0.2)}, r"guidance-interval is 0\.8 to 0\.2: it must rise"),
        ({"rescale": 2.0}, "guidance-rescale is 2"),
        ({"threshold": 0.1}, r"threshold is 0\.1: it must be a quantile"),
    ],
)
def test_guidance_that_cannot_be_is_one_clear_line(asked: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Guidance(**asked)


# --- plans ---------------------------------------------------------------------------------------


def gradient_by(plan: str, network: torch.nn.Module, stored: int = 0) -> Tensor:
    schedule, x_T = SCHEDULES["angle"], noise().requires_grad_()
    denoise = planned(denoiser(network), plan, schedule.times(10), stored)
    out = ddim(denoise, x_T, schedule, 10)
    return torch.autograd.grad(out.square().sum(), x_T)[0]


@pytest.mark.parametrize("stored", [0, 3, 10, 99])
def test_exact_plans_give_the_same_gradient(network: torch.nn.Module, stored: int) -> None:
    plain = gradient_by("plain", network)
    assert torch.equal(gradient_by("checkpoint", network), plain)
    assert torch.equal(gradient_by("auto", network, stored), plain)


def test_the_last_steps_approximate_and_all_of_them_are_exact(network: torch.nn.Module) -> None:
    plain = gradient_by("plain", network)
    assert torch.equal(gradient_by("last-10", network), plain)
    errors = [
        float((gradient_by(f"last-{k}", network) - plain).norm() / plain.norm()) for k in (2, 8)
    ]
    assert 0 < errors[1] < errors[0]
    assert gradient_by("last-2", network).abs().min() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_as_many_last_steps_are_kept_as_were_asked_for(dtype: torch.dtype, shift: float) -> None:
    """Whatever the times are rounded to, each step is on its side."""
    schedule, steps = FlowSchedule(shift=shift), 20
    x_T = noise().to(dtype).requires_grad_()
    kept: list[bool] = []

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        kept.append(torch.is_grad_enabled())
        return x / (1 + t)

    for last in range(1, steps + 1):
        for plan, fitting in ((f"last-{last}", 0), ("auto", last)):
            kept.clear()
            ddim(planned(denoise, plan, schedule.times(steps), fitting), x_T, schedule, steps)
            assert kept == [False] * (steps - last) + [True] * last


def test_the_bytes_of_a_call_are_its_activations(network: torch.nn.Module) -> None:
    denoise = denoiser(network)
    one = activation_bytes(denoise, noise()[:1], torch.tensor(0.5))
    three = activation_bytes(denoise, noise(), torch.tensor(0.5))
    # What SiLU reads, 32 values an item; the scale of time, 4 bytes, is new in each call.
    assert one - 4 == 32 * 8
    assert three - 4 == 3 * (one - 4)


def test_what_was_counted_is_let_go() -> None:
    """Also outputs that their own operation keeps, as that of exp."""

    def alive() -> int:
        gc.collect()
        # Not isinstance: it asks what a dead weak reference stood for.
        return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())

    activation_bytes(lambda x, t: x.exp() * t, noise(), torch.tensor(0.5))
    before = alive()
    for _ in range(3):
        activation_bytes(lambda x, t: x.exp() * t, noise(), torch.tensor(0.5))
    assert alive() == before


@pytest.mark.parametrize("plan", ["last-0", "last", "checkpoints", ""])
def test_unknown_plans_are_one_clear_line(plan: str) -> None:
    with pytest.raises(
        InputError, match="take auto, plain, checkpoint, blocks, reversible or last-K"
    ):
        planned(lambda x, t: x, plan, FlowSchedule().times(4))
