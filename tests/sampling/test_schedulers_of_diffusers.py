"""Samplers and schedules against the schedulers of diffusers, step by step on the same network."""

from collections.abc import Callable
from itertools import pairwise

import diffusers
import pytest
import torch
from torch import Tensor

from ditto_music.sampling import (
    Denoise,
    DiscreteSchedule,
    FlowSchedule,
    KarrasSchedule,
    clean,
    ddim,
    dpm,
    heun,
    invert_ddim,
    ping_pong,
    stochastic_ddim,
    stochastic_dpm,
)
from ditto_music.sampling.prediction import Prediction
from ditto_music.sampling.schedule import (
    cosine_betas,
    linear_betas,
    scaled_linear_betas,
    without_terminal_signal,
)

STEPS = 10  # divides 1000: their DDIM steps by whole parts of it
NETWORK = torch.nn.Sequential(torch.nn.Linear(7, 64), torch.nn.SiLU(), torch.nn.Linear(64, 6))


@pytest.fixture(autouse=True, scope="module")
def network() -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in NETWORK.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3


def predict(x: Tensor, time: float) -> Tensor:
    """A network's output at a timestep of 0 to 1000."""
    clock = torch.full_like(x[..., :1], time / 1000)
    return NETWORK(torch.cat([x, clock], dim=-1)).detach()


def noise(seed: int = 3) -> Tensor:
    return torch.randn(4, 6, generator=torch.Generator().manual_seed(seed))


def path(sampler: Callable[..., Tensor], denoise: Denoise, *rest: object) -> Tensor:
    """What the denoiser is shown on the way, and the end: (calls + 1, 4, 6)."""
    seen: list[Tensor] = []

    def call(x: Tensor, t: Tensor) -> Tensor:
        seen.append(x)
        return denoise(x, t)

    end = sampler(call, *rest)
    return torch.stack([*seen, end])


def apart(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference of two paths, relative to a step's largest value where that is above one.

    Parameters
    ----------
    ours, theirs : (steps, 4, 6), every latent on the way.
    """
    assert ours.shape == theirs.shape
    largest = theirs.abs().flatten(1).amax(1).clamp(min=1)
    return float(((ours - theirs).abs().flatten(1).amax(1) / largest).max())


def denoiser(schedule: DiscreteSchedule, kind: Prediction):
    def denoise(x: Tensor, t: Tensor) -> Tensor:
        output = predict(x, float(t) - 1)
        t = t.double()
        return clean(kind, output, x, schedule.alpha(t).to(x), schedule.sigma(t).to(x))

    return denoise


def walked(scheduler, steps: int = STEPS, *, start: Tensor | None = None, **kwargs) -> Tensor:
    """Their path, (calls + 1, 4, 6)."""
    scheduler.set_timesteps(steps)
    x = noise() * scheduler.init_noise_sigma if start is None else start
    seen = [x]
    for t in scheduler.timesteps:
        output = predict(scheduler.scale_model_input(x, t), float(t))
        x = scheduler.step(output, t, x, **kwargs).prev_sample
        seen.append(x)
    return torch.stack(seen)


KINDS = {"eps": "epsilon", "v": "v_prediction", "x0": "sample"}
BETAS = {
    "linear": (linear_betas(), {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}),
    "scaled_linear": (
        scaled_linear_betas(),
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    ),
    "cosine": (cosine_betas(), {"beta_schedule": "squaredcos_cap_v2"}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize("end", [0, 1])
def test_ddim_equals_ddim(kind: Prediction, betas: str, spacing: str, end: int) -> None:
    ours, theirs = BETAS[betas]
    if betas == "cosine" and kind == "eps" and spacing == "trailing":
        pytest.skip("an alpha of 5e-5 at the first step: float32 leaves no digits")
    scheduler = diffusers.DDIMScheduler(
        **theirs,
        clip_sample=False,
        prediction_type=KINDS[kind],
        timestep_spacing=spacing,
        steps_offset=1,
        set_alpha_to_one=end == 0,
    )
    schedule = DiscreteSchedule(ours, spacing, end=end)  # type: ignore[arg-type]
    made = path(ddim, denoiser(schedule, kind), noise(), schedule, STEPS)
    if end:  # a variance down to 4e-5, of which 1 - alpha^2 in float32 leaves three digits
        scheduler.alphas_cumprod = torch.cumprod(1 - torch.tensor(ours).double(), 0)
        scheduler.final_alpha_cumprod = scheduler.alphas_cumprod[0]
    assert apart(made, walked(scheduler)) < 1e-5


@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_ddim_inversion_equals_the_inverse_scheduler(spacing: str) -> None:
    """Of a network that predicts noise: of others theirs takes it for the time it comes from."""
    betas, theirs = BETAS["scaled_linear"]
    scheduler = diffusers.DDIMInverseScheduler(
        **theirs, clip_sample=False, timestep_spacing=spacing, steps_offset=1
    )
    schedule = DiscreteSchedule(betas, spacing)  # type: ignore[arg-type]
    made = path(invert_ddim, denoiser(schedule, "eps"), noise(), schedule, STEPS)
    assert apart(made, walked(scheduler, start=noise())) < 1e-5


def test_ddim_without_terminal_signal() -> None:
    betas, theirs = BETAS["scaled_linear"]
    scheduler = diffusers.DDIMScheduler(
        **theirs,
        clip_sample=False,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )
    schedule = DiscreteSchedule(without_terminal_signal(betas))
    assert float(schedule.alpha(torch.tensor(1000.0))) < 1e-7
    made = path(ddim, denoiser(schedule, "v"), noise(), schedule, STEPS)
    assert apart(made, walked(scheduler)) < 1e-5
    assert dpm(denoiser(schedule, "v"), noise(), schedule, STEPS).isfinite().all()


@pytest.mark.parametrize("eta", [0.4, 1.0])
def test_stochastic_ddim_equals_ddim_with_the_same_noise(eta: float) -> None:
    betas, theirs = BETAS["scaled_linear"]
    scheduler = diffusers.DDIMScheduler(
        **theirs, clip_sample=False, timestep_spacing="trailing", set_alpha_to_one=True
    )
    schedule = DiscreteSchedule(betas)
    generators = [torch.Generator().manual_seed(10 + i) for i in range(4)]
    draws = [
        torch.randn(6, generator=torch.Generator().manual_seed(10 + i)) for i in range(4)
    ]  # the first step's noise
    scheduler.set_timesteps(1)
    x = noise()
    t = scheduler.timesteps[0]
    one = scheduler.step(
        predict(x, float(t)), t, x, eta=eta, variance_noise=torch.stack(draws)
    ).prev_sample
    ours = stochastic_ddim(denoiser(schedule, "eps"), x, schedule, 1, eta, generators)
    assert apart(ours[None], one[None]) < 1e-5
    generators = [torch.Generator().manual_seed(10 + i) for i in range(4)]
    denoise = denoiser(schedule, "eps")
    ours = path(stochastic_ddim, denoise, x, schedule, STEPS, eta, generators)
    generators = [torch.Generator().manual_seed(10 + i) for i in range(4)]
    scheduler.set_timesteps(STEPS)
    seen = [x]
    for t in scheduler.timesteps:
        z = torch.stack([torch.randn(6, generator=each) for each in generators])
        x = scheduler.step(predict(x, float(t)), t, x, eta=eta, variance_noise=z).prev_sample
        seen.append(x)
    assert apart(ours, torch.stack(seen)) < 1e-5


@pytest.mark.parametrize("kind", ["eps", "v"])
def test_dpm_equals_the_multistep_solver(kind: Prediction) -> None:
    betas, theirs = BETAS["scaled_linear"]
    scheduler = diffusers.DPMSolverMultistepScheduler(
        **theirs,
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        prediction_type=KINDS[kind],
        timestep_spacing="trailing",
        final_sigmas_type="zero",
    )
    schedule = DiscreteSchedule(betas)
    made = path(dpm, denoiser(schedule, kind), noise(), schedule, STEPS)
    assert apart(made, walked(scheduler)) < 1e-5


@pytest.mark.parametrize("kind", ["eps", "v"])
def test_the_first_order_solver_is_ddim_over_a_run(kind: Prediction) -> None:
    """Theirs of order 1, and ours two steps at a time, neither of which it extrapolates."""
    betas, theirs = BETAS["scaled_linear"]
    scheduler = diffusers.DPMSolverMultistepScheduler(
        **theirs,
        algorithm_type="dpmsolver++",
        solver_order=1,
        prediction_type=KINDS[kind],
        timestep_spacing="trailing",
        final_sigmas_type="zero",
    )
    schedule = DiscreteSchedule(betas)
    made = path(ddim, denoiser(schedule, kind), noise(), schedule, STEPS)
    assert apart(made, walked(scheduler)) < 1e-5

    times, x = schedule.times(STEPS), noise()
    for first in range(0, STEPS, 2):
        short = stretch(betas, times[first : first + 3])
        x = dpm(denoiser(schedule, kind), x, short, 2)
        assert apart(made[first + 2][None], x[None]) < 1e-5


def test_stochastic_dpm_equals_the_sde_solver() -> None:
    betas, theirs = BETAS["scaled_linear"]
    scheduler = diffusers.DPMSolverMultistepScheduler(
        **theirs,
        algorithm_type="sde-dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        timestep_spacing="trailing",
        final_sigmas_type="zero",
    )
    schedule = DiscreteSchedule(betas)
    noises = torch.randn(STEPS, 4, 6, generator=torch.Generator().manual_seed(5))
    scheduler.set_timesteps(STEPS)
    seen = [noise()]
    for t, z in zip(scheduler.timesteps, noises, strict=True):
        output = predict(seen[-1], float(t))
        seen.append(scheduler.step(output, t, seen[-1], variance_noise=z).prev_sample)
    made = path(stochastic_dpm, denoiser(schedule, "eps"), noise(), schedule, STEPS, noises)
    assert apart(made, torch.stack(seen)) < 1e-5


def stretch(betas: tuple[float, ...], part: Tensor) -> DiscreteSchedule:
    """One that only walks a part of a run."""

    class Short(DiscreteSchedule):
        def times(self, steps: int) -> Tensor:
            return part

    return Short(betas)


class Unscaled(KarrasSchedule):
    """Noise levels as they are: ``x_0 + t eps``."""

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        return t


def levels(scheduler) -> Unscaled:
    """Their own noise levels as a schedule."""
    sigmas = scheduler.sigmas.double()
    distinct = torch.cat([sigmas[:1], sigmas[1::2]]) if len(sigmas) > STEPS + 1 else sigmas

    class Theirs(Unscaled):
        def times(self, steps: int) -> Tensor:
            return distinct

    return Theirs()


@pytest.mark.parametrize("which", ["euler", "heun"])
def test_euler_and_heun_on_noise_levels(which: str) -> None:
    _, theirs = BETAS["scaled_linear"]
    made_of = {"euler": diffusers.EulerDiscreteScheduler, "heun": diffusers.HeunDiscreteScheduler}
    scheduler = made_of[which](**theirs, timestep_spacing="trailing", use_karras_sigmas=True)
    scheduler.set_timesteps(STEPS)
    schedule = levels(scheduler)
    clock = {
        round(float(sigma), 4): float(t)
        for sigma, t in zip(scheduler.sigmas[:-1], scheduler.timesteps, strict=True)
    }

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        scaled = x / (t.square() + 1).sqrt()
        return x - t * predict(scaled, clock[round(float(t), 4)])

    start = noise() * scheduler.init_noise_sigma
    sampler = {"euler": ddim, "heun": heun}[which]
    made = path(sampler, denoise, start, schedule, STEPS)
    assert apart(made, walked(scheduler)) < 1e-5


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_samplers_equal_flow_matching(shift: float) -> None:
    schedule = FlowSchedule(start=1.0, shift=shift)
    sigmas = schedule.times(STEPS)

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        return clean("flow", predict(x, 1000 * float(t)), x, 1 - t, t)

    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=[float(s) for s in sigmas[:-1]])
    seen = [noise()]
    for t, sigma in zip(scheduler.timesteps, sigmas[:-1], strict=True):
        output = predict(seen[-1], 1000 * float(sigma))
        seen.append(scheduler.step(output, t, seen[-1]).prev_sample)
    assert apart(path(ddim, denoise, noise(), schedule, STEPS), torch.stack(seen)) < 1e-5

    x, seen = noise(), []
    for t, s in pairwise(sigmas.float()):
        first = predict(x, 1000 * float(t))
        ahead = x + (s - t) * first
        seen += [x, ahead] if s > 0 else [x]
        second = predict(ahead, 1000 * float(s)) if s > 0 else first
        x = x + (s - t) * (first + second) / 2
    assert apart(path(heun, denoise, noise(), schedule, STEPS), torch.stack([*seen, x])) < 1e-5


def test_ping_pong_equals_stochastic_flow_matching() -> None:
    schedule = FlowSchedule(start=1.0)
    sigmas = schedule.times(STEPS)

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        return clean("flow", predict(x, 1000 * float(t)), x, 1 - t, t)

    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(stochastic_sampling=True)
    scheduler.set_timesteps(sigmas=[float(s) for s in sigmas[:-1]])
    seen = [noise()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        noises = torch.stack([torch.randn(4, 6) for _ in range(STEPS)])
        torch.manual_seed(8)
        for t, sigma in zip(scheduler.timesteps, sigmas[:-1], strict=True):
            output = predict(seen[-1], 1000 * float(sigma))
            seen.append(scheduler.step(output, t, seen[-1]).prev_sample)
    made = path(ping_pong, denoise, noise(), schedule, STEPS, noises[:-1])
    assert apart(made, torch.stack(seen)) < 1e-5


def test_karras_levels_are_those_of_diffusers_and_ddim_on_them_is_euler_unscaled() -> None:
    scheduler = diffusers.EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, rho=7.0)
    scheduler.set_timesteps(STEPS)
    schedule = KarrasSchedule()
    assert torch.allclose(schedule.times(STEPS), scheduler.sigmas.double(), rtol=1e-5)

    def unscaled(x: Tensor, t: Tensor) -> Tensor:
        return x - t * predict(x * (1 + t.square()).rsqrt(), float(t))

    def scaled(x: Tensor, t: Tensor) -> Tensor:
        return unscaled(x * (1 + t.square()).sqrt(), t)

    first = schedule.times(STEPS)[0]
    start = noise().double() * first
    wide = ddim(lambda x, t: unscaled(x.float(), t.float()).double(), start, Unscaled(), STEPS)
    narrow = ddim(
        lambda x, t: scaled(x.float(), t.float()).double(),
        start * (1 + first.square()).rsqrt(),
        schedule,
        STEPS,
    )
    assert torch.allclose(wide, narrow, atol=1e-4)
