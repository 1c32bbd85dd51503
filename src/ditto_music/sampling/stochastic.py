"""DDIM with fresh noise in every step (Song et al. 2021, equation 16), for any schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.noise import normal
from ditto_music.sampling.schedule import Schedule

#: Clean estimates (B, ...) to losses (B,), differentiable: what a guided run goes down on.
Objective = Callable[[Tensor], Tensor]

LEAST = 1e-12  # that is divided by


def stochastic_ddim(
    denoise: Denoise,
    x_T: Tensor,
    schedule: Schedule,
    steps: int,
    eta: float,
    generators: list[torch.Generator],
    objective: Objective | None = None,
    guide: float = 0.0,
) -> Tensor:
    """Walk noise to a clean latent by another way each time.

    ``x_s = alpha_s x0 + sqrt(sigma_s^2 - eta^2 tau^2) eps + eta tau z`` with
    ``tau^2 = (sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2) sigma_s^2 / sigma_t^2`` and fresh z.

    Parameters
    ----------
    denoise, x_T, schedule, steps : as `ddim`.
    eta : 0 is `ddim`; 1 has all the noise of the reverse diffusion (DDPM).
    generators : of the fresh noise, one an item, on the CPU.
    objective, guide : after each step x moves down the gradient of the objective of the clean
        estimate (as in FreeDoM, Yu et al. 2023), so far that its RMS is `guide` times that of what
        the step itself changed in x_t.

    Returns
    -------
    (B, ...), the clean latent, without gradient.
    """
    x = x_T.detach()
    for t, s in pairwise(schedule.times(steps)):
        leads = objective is not None and guide > 0
        with torch.set_grad_enabled(leads):
            x = x.requires_grad_(leads)
            x0 = denoise(x, t.to(x))
            (down,) = (
                torch.autograd.grad(objective(x0).sum(), x) if leads and objective else (None,)
            )
        x, x0 = x.detach(), x0.detach()
        z = fresh_noise(x, generators)
        stepped = stochastic_step(x, x0, schedule, t, s, eta, z)
        if down is not None:
            stepped = stepped - guide * rms(stepped - x) / rms(down) * down
        x = stepped
    return x


def noisy_ddim(
    denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int, eta: float, noises: Tensor
) -> Tensor:
    """The same with its noises given, (steps - 1, B, ...): deterministic and differentiable in them
    as in `x_T`. The last step adds none.
    """
    x = x_T
    for number, (t, s) in enumerate(pairwise(schedule.times(steps))):
        z = noises[number] if number < steps - 1 else torch.zeros_like(x)
        x = stochastic_step(x, denoise(x, t.to(x)), schedule, t, s, eta, z)
    return x


def stochastic_step(
    x_t: Tensor, x_0: Tensor, schedule: Schedule, t: Tensor, s: Tensor, eta: float, z: Tensor
) -> Tensor:
    """From a latent (B, ...) at t and its clean estimate to the next, at s; z is fresh noise."""
    alpha_t, sigma_t = schedule.alpha(t).to(x_t), schedule.sigma(t).to(x_t)
    alpha_s, sigma_s = schedule.alpha(s).to(x_t), schedule.sigma(s).to(x_t)
    eps = (x_t - alpha_t * x_0) / sigma_t
    tau = ((sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2).clamp(min=0)).sqrt()
    fresh = eta * tau * sigma_s / sigma_t
    kept = (sigma_s**2 - fresh**2).clamp(min=0).sqrt()
    return alpha_s * x_0 + kept * eps + fresh * z


def noised(x: Tensor, schedule: Schedule, t: Tensor, z: Tensor, s: Tensor | None = None) -> Tensor:
    """A latent (B, ...) at s, by default a clean one, with as much more noise as it has at t."""
    alpha_s, sigma_s = (1.0, 0.0) if s is None else (schedule.alpha(s), schedule.sigma(s))
    part = schedule.alpha(t) / alpha_s
    added = (schedule.sigma(t).square() - (part * sigma_s) ** 2).clamp(min=0).sqrt()
    return part.to(x) * x + added.to(x) * z


def fresh_noise(x: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Standard normal noise like `x` (B, ...), a generator an item, drawn on the CPU."""
    return torch.stack([normal(x.shape[1:], each) for each in generators]).to(x)


def rms(x: Tensor) -> Tensor:
    """Of each item, (B, 1, ...), never so small that it could not divide."""
    return x.square().flatten(1).mean(1).sqrt().reshape(-1, *[1] * (x.ndim - 1)).clamp(min=LEAST)
