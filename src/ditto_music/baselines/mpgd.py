"""MPGD, manifold preserving guided diffusion (He et al. 2024, arXiv:2311.16424), its latent form.

The clean estimate is moved down its loss and the step made from there; the gradient goes through
the decoder but not through the network, which makes it quick:

    x0_hat <- x0_hat - c grad_{x0_hat} L(x0_hat)

with the scale and the range of its code for latent diffusion,
``c = 15 w RMS(E_c - E_u) / RMS(grad)`` in the middle of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor

from ditto_music.baselines.freedom import GUIDED, UNGUIDED, moved
from ditto_music.baselines.freedom import RHO as FREEDOM
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

RHO = 15.0


@own_modes()
def mpgd(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    rho: float = RHO,
    guided: tuple[float, float] = GUIDED,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Guide the clean estimate itself.

    Arguments and errors as of `optimize`, but for these; within a time limit further walks begin
    from other noise and the best counts.

    Parameters
    ----------
    rho : size of a move, in what classifier-free guidance moves.
    guided : shares of the steps to come between which steps are guided.
    """
    check_size("rho", rho)
    problem = problem_of(model, prompt, control, seed, duration, search, sampler="ddim")

    def step(walk: Walk, x: Tensor, place: Place) -> Tensor:
        if not calls(place):
            return walk.ddpm(x, walk.clean(x, place), place)
        seen = walk.estimate(x, place, through=False)
        size = moved(seen, x, place, UNGUIDED * FREEDOM / RHO)  # unguided as large as FreeDoM's
        x_0 = seen.x_0 - rho * size / rms(seen.slope) * seen.slope
        return walk.ddpm(x, x_0, place)

    def calls(place: Place) -> int:
        return int(rho > 0 and place.within(*guided))

    return steered("mpgd", problem, step, x_T, callback, calls=calls)
