"""Best of N: draw many, keep the one with the least loss. The honest simple competitor.

A checkpointed update of DITTO costs three samples of as many steps, forward, again forward and
back, so the same compute draws ``3 sum(iterations x steps) / steps`` samples, the sum over a
search's stages. Where memory has room for all activations an update costs about two: there N errs
in favour of drawing, by half as many again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Unpack

import torch
from torch import Tensor

from ditto_music.baselines.keeper import Keeper
from ditto_music.baselines.walking import (
    Callback,
    asked_of,
    check_size,
    generators,
    problem_of,
    starts_of,
)
from ditto_music.modes import own_modes
from ditto_music.optimize import Search
from ditto_music.problem import Problem
from ditto_music.protocols import Control, Model
from ditto_music.result import Result, fewer
from ditto_music.track import stages

PASSES = 3  # of a checkpointed update, in samples of as many steps
ITERATIONS = 60  # of `optimize`


@own_modes()
def best_of(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    draws: int | None = None,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Keep the best of many samples; the first is the seed's own.

    Arguments and errors as of `optimize`, but for these:

    Parameters
    ----------
    draws : samples an item at most; None: as many as cost what `iterations` checkpointed
        updates would.
    x_T : the first noise; of an edit, what of it is not the seed's own is that of all.
    """
    if draws is not None:
        check_size("draws", draws, 1)
    problem = problem_of(
        model, prompt, control, seed, duration, {"iterations": ITERATIONS, **search}
    )
    settings = problem.settings
    most = draws or max(1, math.ceil(PASSES * steps_searched(problem) / settings.steps))
    start = problem.start.fitted(x_T, later=problem.known() is None)
    redraw = starts_of(problem, start, generators(problem))
    noise = next(redraw)
    keeper = Keeper(problem, noise, most, callback)
    try:
        while items := keeper.going:
            with torch.no_grad():
                clip = problem.clip(problem.sample(noise[items], items, settings.steps))
                losses, rows = asked_of(problem, clip, items)
            keeper.see(items, losses, rows, noise[items], clip)
            noise = next(redraw)
    except KeyboardInterrupt:
        keeper.interrupted()
    return keeper.finish("best-of")


def steps_searched(problem: Problem) -> int:
    """Sampler steps of all the iterations that DITTO would make of it."""
    settings = problem.settings
    few = settings.surrogate_steps or fewer(settings.steps)
    parts = stages(replace(settings, surrogate_steps=few))
    limits = [0, *(part.limit for part in parts)]
    return sum(
        part.steps * (end - begin)
        for part, (begin, end) in zip(parts, pairwise(limits), strict=True)
    )
