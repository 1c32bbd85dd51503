"""DDIM with a two-step Adams-Bashforth rule: second order at one denoiser call a step.

The multistep idea of PNDM (Liu et al. 2022, arXiv:2202.09778) and DEIS (Zhang and Chen 2023,
arXiv:2204.13902) with clean estimate and noise estimate extrapolated alike, so that it holds for
any schedule; for straight flows it is the classic rule on the velocity.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.schedule import Schedule


def adams(denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int) -> Tensor:
    """Walk the initial noise to a clean latent, deterministically; arguments as `ddim`.

    Each step takes both estimates at its middle, extrapolated from this step's and the last one's:
    ``x_s = x_t + (alpha_s - alpha_t) x0 + (sigma_s - sigma_t) eps``. The first step is DDIM's.
    """
    x = x_T
    before: tuple[Tensor, Tensor, Tensor] | None = None
    for t, s in pairwise(schedule.times(steps)):
        x0 = denoise(x, t.to(x))
        eps = (x - schedule.alpha(t).to(x) * x0) / schedule.sigma(t).to(x)
        clean, noise = x0, eps
        if before is not None:
            past, past_x0, past_eps = before
            half = ((s - t) / (t - past) / 2).to(x)
            clean = x0 + half * (x0 - past_x0)
            noise = eps + half * (eps - past_eps)
        x = (
            x
            + (schedule.alpha(s) - schedule.alpha(t)).to(x) * clean
            + (schedule.sigma(s) - schedule.sigma(t)).to(x) * noise
        )
        before = t, x0, eps
    return x
