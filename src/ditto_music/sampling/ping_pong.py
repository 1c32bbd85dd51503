"""Ping-pong sampling of few-step models: jump to the clean estimate, add noise, jump again.

Multistep consistency sampling (Song et al. 2023, algorithm 1), which Stable Audio 3 calls
ping-pong. The noises are arguments, so a run repeats and they too can be optimised.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.schedule import Schedule


def ping_pong(
    denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int, noises: Tensor
) -> Tensor:
    """``x_s = alpha_s x0_hat + sigma_s z`` with z from `noises` (steps - 1, B, ...)."""
    x = x_T
    for number, (t, s) in enumerate(pairwise(schedule.times(steps))):
        x = denoise(x, t.to(x))
        if number < steps - 1:
            x = schedule.alpha(s).to(x) * x + schedule.sigma(s).to(x) * noises[number]
    return x
