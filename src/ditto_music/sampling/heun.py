"""Heun's method: two denoiser calls a step, second order (Karras et al. 2022, algorithm 1)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.schedule import Schedule


def heun(denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int) -> Tensor:
    """Walk with the mean of the estimates at both ends of a step; arguments as `ddim`.

    ``x_s = x_t + (alpha_s - alpha_t) x0 + (sigma_s - sigma_t) eps``: where alpha is 1 that is the
    paper's rule, for straight flows the classic one on the velocity. The last step is DDIM's.
    """
    x = x_T
    for t, s in pairwise(schedule.times(steps)):
        x0 = denoise(x, t.to(x))
        eps = (x - schedule.alpha(t).to(x) * x0) / schedule.sigma(t).to(x)
        alpha_s, sigma_s = schedule.alpha(s).to(x), schedule.sigma(s).to(x)
        towards, onwards = alpha_s - schedule.alpha(t).to(x), sigma_s - schedule.sigma(t).to(x)
        there = x + towards * x0 + onwards * eps
        if float(schedule.sigma(s)) > 0:
            other_x0 = denoise(there, s.to(x))
            other_eps = (there - alpha_s * other_x0) / sigma_s
            there = x + towards * (x0 + other_x0) / 2 + onwards * (eps + other_eps) / 2
        x = there
    return x
