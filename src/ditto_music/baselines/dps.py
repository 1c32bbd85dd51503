"""DPS, diffusion posterior sampling (Chung et al. 2023, arXiv:2209.14687).

The reverse diffusion's step (DDPM), then a step down the residual of the clean estimate, its size
over the residual's own:

    x_s <- DDPM(x_t) - zeta / |y - A(x0_hat)| grad_{x_t} |y - A(x0_hat)|^2 / 2

For an A that keeps lengths this is ``zeta J^t u`` with J the denoiser's Jacobian and u, of length
one, the slope at the clean estimate. A control's loss has units of its own, so u is taken as that
for all of them. The paper takes 1000 steps of ``zeta = 1`` in 3 x 256 x 256 values, a way of 2.26
RMS, which is spread over as many steps as there are here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor

from ditto_music.baselines.walking import (
    Callback,
    Place,
    Walk,
    check_size,
    problem_of,
    steered,
)
from ditto_music.modes import own_modes
from ditto_music.optimize import Search
from ditto_music.protocols import Control, Model
from ditto_music.result import Result
from ditto_music.sampling import rms

WAY = 1000 / (3 * 256 * 256) ** 0.5  # RMS over a whole run


@own_modes()
def dps(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    zeta: float = 1.0,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Sample the posterior, approximately.

    Arguments and errors as of `optimize`, but for these; within a time limit further walks begin
    from other noise and the best counts.

    Parameters
    ----------
    zeta : size of the steps, 1 is the paper's.
    """
    check_size("zeta", zeta)
    problem = problem_of(model, prompt, control, seed, duration, search, sampler="ddim")

    def step(walk: Walk, x: Tensor, place: Place) -> Tensor:
        seen = walk.estimate(x, place)
        move = zeta * WAY / place.steps * seen.down / rms(seen.slope)
        return walk.ddpm(x, seen.x_0, place) - move

    return steered("dps", problem, step, x_T, callback, calls=lambda place: 1)
