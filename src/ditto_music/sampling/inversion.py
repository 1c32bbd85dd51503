"""DDIM inversion (Song et al. 2021, section 4.3): the noise that a deterministic run would undo."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.schedule import Schedule


def invert_ddim(denoise: Denoise, x_0: Tensor, schedule: Schedule, steps: int) -> Tensor:
    """Walk a clean latent back to noise: `ddim` in reverse, approximate by its step size.

    Each step takes the noise estimate at the point it leaves and the time it goes to, which keeps
    the first step, from no noise at all, defined.

    Parameters
    ----------
    denoise : ``(x_t, t) -> x0_hat``; a guidance scale of 1 inverts best.
    x_0 : (B, ...) clean latents.
    """
    x = x_0
    for t, s in pairwise(schedule.times(steps).flip(0)):
        x0 = denoise(x, s.to(x))
        eps = (x - schedule.alpha(s).to(x) * x0) / schedule.sigma(s).to(x)
        clean = (x - schedule.sigma(t).to(x) * eps) / schedule.alpha(t).to(x)
        x = schedule.alpha(s).to(x) * clean + schedule.sigma(s).to(x) * eps
    return x
