"""Guidance Gradients (Levy et al. 2023, arXiv:2311.00613): guidance of a fixed step size.

The reverse diffusion's step (DDPM), then a step down the distance of the clean estimate:

    x_s <- DDPM(x_t) - xi grad_{x_t} d(y, A(x0_hat(x_t)))

and where A is a mask, the known part put in place. The paper puts it there as it is, by
``x <- x + A^t (A A^t)^-1 (y - A x)``, and begins with it too; here it is as noisy as the rest at
every step, as the model knows it, and bare after the last:

    x_s <- M N(alpha_s x_ref, sigma_s^2) + (1 - M) x_s

Their d is a plain L1 distance, whose slope is of size one; a control's loss has units of its own,
so its slope is counted in units of its size at the first step that has any and shrinks from there
as the loss does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
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
from ditto_music.sampling.stochastic import LEAST

XI, STEPS = 3e-2, 50  # the paper's, of its latent model


@own_modes()
def guidance_gradients(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    xi: float = XI,
    project: bool = True,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Guide with a fixed step.

    Arguments and errors as of `optimize`, but for these; within a time limit further walks begin
    from other noise and the best counts.

    Parameters
    ----------
    xi : RMS of the first move in a run of 50 steps; of fewer steps each is larger.
    project : put what a `Match` keeps in place at every step, and at the end exactly.
    """
    check_size("xi", xi)
    problem = problem_of(model, prompt, control, seed, duration, search, sampler="ddim")
    known = problem.known() if project else None
    first: list[Tensor] = []

    def step(walk: Walk, x: Tensor, place: Place) -> Tensor:
        seen = walk.estimate(x, place)
        slope = rms(seen.slope)
        if place.number == 0:
            first[:] = [slope]
        first[0] = torch.where(first[0] > LEAST, first[0], slope)
        x = walk.ddpm(x, seen.x_0, place) - xi * STEPS / place.steps * seen.down / first[0]
        if known is None:
            return x
        reference, mask = known
        return mask * walk.noised(reference, place) + (1 - mask) * x

    return steered("guidance-gradients", problem, step, x_T, callback, calls=lambda place: 1)
