"""Naive masking: after each step what is known is put in place, as noisy as the rest.

The simplest of DITTO's baselines for edits: RePaint (Lugmayr et al. 2022,
arXiv:2201.09865) without its resampling,

    x_s <- M N(alpha_s x_ref, sigma_s^2) + (1 - M) x_s
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor

from ditto_music.baselines.keeping import kept_share, named, reference_of
from ditto_music.baselines.walking import Callback, Place, Walk, problem_of, steered
from ditto_music.modes import own_modes
from ditto_music.optimize import Search
from ditto_music.protocols import Control, Model
from ditto_music.result import Result


@own_modes()
def naive_masking(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    until: float = 1.0,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Sample with the reference put in place at every step, by DDIM.

    Arguments and errors as of `optimize`, but for these:

    Parameters
    ----------
    control : with a `Match`, whose reference and mask are used; any other is only measured.
    until : share of the steps after which the model goes on by itself: 0.5 is half-way.
    """
    kept_share(until)
    problem = problem_of(model, prompt, control, seed, duration, search, sampler="ddim")
    reference, mask = reference_of(problem, "naive-masking")

    def step(walk: Walk, x: Tensor, place: Place) -> Tensor:
        x = walk.ddim(x, walk.clean(x, place), place)
        if place.number >= until * place.steps:
            return x
        return mask * walk.noised(reference, place) + (1 - mask) * x

    return steered(named("naive-masking", until), problem, step, x_T, callback)
