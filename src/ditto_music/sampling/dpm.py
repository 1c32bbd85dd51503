"""DPM-Solver++(2M) and its stochastic form (Lu et al. 2022, arXiv:2211.01095)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.schedule import Schedule


def dpm(denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int) -> Tensor:
    """Second-order multistep on the clean estimate, deterministic; arguments as `ddim`.

    ``x_s = (sigma_s / sigma_t) x_t - alpha_s (e^-h - 1) D`` with h the step in
    ``log(alpha / sigma)`` and D extrapolated to the middle of the step from this estimate and the
    last one. The first and the last step are of first order.
    """
    return _walk(denoise, x_T, schedule, steps, None)


def stochastic_dpm(
    denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int, noises: Tensor
) -> Tensor:
    """SDE-DPM-Solver++(2M) along given noises (steps, B, ...); the last step adds none."""
    return _walk(denoise, x_T, schedule, steps, noises)


def _walk(
    denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int, noises: Tensor | None
) -> Tensor:
    x, before, h_before = x_T, x_T, torch.zeros(()).double()
    pairs = list(pairwise(schedule.times(steps)))
    for number, (t, s) in enumerate(pairs):
        x0 = denoise(x, t.to(x))
        alpha_t, sigma_t = schedule.alpha(t), schedule.sigma(t)
        alpha_s, sigma_s = schedule.alpha(s), schedule.sigma(s)
        decay = alpha_t * sigma_s / (alpha_s * sigma_t)  # e^-h, also where h is infinite
        h = -decay.log()
        middle = x0
        if 0 < number < len(pairs) - 1:
            middle = x0 + (h / h_before / 2).to(x) * (x0 - before)
        if noises is None:
            x = (sigma_s / sigma_t).to(x) * x + (alpha_s * (1 - decay)).to(x) * middle
        else:
            fresh = sigma_s * (1 - decay.square()).sqrt()
            x = (
                (sigma_s / sigma_t * decay).to(x) * x
                + (alpha_s * (1 - decay.square())).to(x) * middle
                + fresh.to(x) * noises[number]
            )
        before, h_before = x0, h
    return x
