"""DDIM (Song et al. 2021) for any schedule; for straight flows it is the Euler step."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.schedule import Schedule


def ddim(denoise: Denoise, x_T: Tensor, schedule: Schedule, steps: int) -> Tensor:
    """Walk the initial noise to a clean latent, deterministically.

    Parameters
    ----------
    denoise : ``(x_t, t) -> x0_hat`` with t a scalar tensor.
    x_T : (B, ...) standard normal noise.
    schedule : gives ``alpha``, ``sigma`` and the times.
    steps : number of denoiser calls.

    Returns
    -------
    (B, ...), the clean latent; differentiable in `x_T`.
    """
    times = schedule.times(steps)
    x = x_T
    for t, s in pairwise(times):
        x0 = denoise(x, t.to(x))
        eps = (x - schedule.alpha(t).to(x) * x0) / schedule.sigma(t).to(x)
        x = schedule.alpha(s).to(x) * x0 + schedule.sigma(s).to(x) * eps
    return x
