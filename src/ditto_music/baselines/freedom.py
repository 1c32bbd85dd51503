"""FreeDoM (Yu et al. 2023, arXiv:2303.09833): guidance by energy, with time travel.

Each step is the reverse diffusion's (DDPM) and then moves down the gradient of the energy of the
clean estimate; in the middle of the run steps are taken back by fresh noise and made again:

    x_s <- DDPM(x_t) - rho grad_{x_t} E(x0_hat(x_t))        x_t <- q(x_t | x_s), and once more

with the scale, the range and the repeats of its code for latent diffusion:
``rho = 0.2 w RMS(E_c - E_u) / RMS(grad)``, so only the energy's direction counts and its root or
square is one and the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from ditto_music.baselines.walking import (
    Callback,
    Estimate,
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

RHO = 0.2
GUIDED = (0.3, 0.7)  # of the steps to come
TRAVELLED = (0.4, 0.7)
REPEATS = 3
UNGUIDED = 0.02 / RHO  # where there is no classifier-free guidance
SAME = 1e-6  # RMS by which two estimates under the same words may differ


@own_modes()
def freedom(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    rho: float = RHO,
    guided: tuple[float, float] = GUIDED,
    travelled: tuple[float, float] = TRAVELLED,
    repeats: int = REPEATS,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Guide by energy on the way.

    Arguments and errors as of `optimize`, but for these; within a time limit further walks begin
    from other noise and the best counts.

    Parameters
    ----------
    rho : size of a move, as a share of what classifier-free guidance moves.
    guided, travelled : shares of the steps to come between which steps are guided and repeated.
    repeats : of a travelled step; 1 is none.
    """
    check_size("rho", rho)
    check_size("repeats", repeats, 1)
    problem = problem_of(model, prompt, control, seed, duration, search, sampler="ddim")

    def turns(place: Place) -> int:
        return repeats if place.within(*travelled) else 1

    def calls(place: Place) -> int:
        return turns(place) if rho > 0 and place.within(*guided) else 0

    def step(walk: Walk, x: Tensor, place: Place) -> Tensor:
        after = x
        for turn in range(turns(place)):
            if turn:
                x = walk.back(after, place)
            if not calls(place):
                after = walk.ddpm(x, walk.clean(x, place), place)
                continue
            seen = walk.estimate(x, place)
            after = walk.ddpm(x, seen.x_0, place)
            after = after - rho * size(seen, x, place) / rms(seen.down) * seen.down
        return after

    return steered("freedom", problem, step, x_T, callback, calls=calls)


def size(seen: Estimate, x: Tensor, place: Place) -> Tensor:
    """RMS of what classifier-free guidance moves the noise estimate by, (B, 1, ...).

    Of items where there is none, so much that rho makes it what the same code takes for
    unconditional models, ``0.02 RMS(eps) sigma_t / alpha_t c_1``, c_1 the step's factor of the
    clean estimate. Of noise alone, where alpha_t is 0, both are 0.
    """
    alpha_t, sigma_t, alpha_s, sigma_s = place.levels
    part = alpha_s * (1 - (alpha_t * sigma_s / (alpha_s * sigma_t)) ** 2)
    return moved(seen, x, place, UNGUIDED * part)


def moved(seen: Estimate, x: Tensor, place: Place, unguided: float) -> Tensor:
    """RMS of what guidance moves the noise estimate by, (B, 1, ...).

    Parameters
    ----------
    unguided : size where there is none, in ``RMS(eps) sigma_t / alpha_t``.
    """
    alpha_t, sigma_t, *_ = place.levels
    eps = (x - alpha_t * seen.x_0) / sigma_t
    alone = unguided * sigma_t / alpha_t * rms(eps) if alpha_t else torch.zeros_like(rms(eps))
    if seen.added is None:
        return alone
    added = rms(seen.added)
    return torch.where(added > SAME, alpha_t / sigma_t * added, alone)
