"""Best of N: draw many, keep the one with the least loss. The honest simple competitor.

An update of DITTO costs three samples of as many steps, forward, again forward and back, so the
same compute draws ``3 iterations surrogate_steps / steps`` samples.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from ditto_music.baselines.walking import Callback, generators, problem_of, starts_of
from ditto_music.item import Row, Stopped
from ditto_music.optimize import Progress, Search
from ditto_music.protocols import Control, Model
from ditto_music.result import Result

PASSES = 3  # of an update, in samples of as many steps
ITERATIONS, SURROGATE_STEPS = 60, 8  # of `optimize`


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
    draws : samples an item at most; None: as many as cost what `iterations` updates would.
    x_T : the first noise; where it is not the seed's own, it is that of all.
    """
    asked: Search = {"iterations": ITERATIONS, "surrogate_steps": SURROGATE_STEPS, **search}
    problem = problem_of(model, prompt, control, seed, duration, asked)
    settings = problem.settings
    share = settings.sampled_steps / settings.steps
    most = draws or max(1, math.ceil(PASSES * settings.iterations * share))
    redraw = starts_of(problem, x_T, generators(problem))
    noise = next(redraw)
    best = noise.clone()
    lowest = [math.inf] * len(problem)
    histories: list[list[Row]] = [[] for _ in range(len(problem))]
    stopped: list[Stopped | None] = [None] * len(problem)
    count, limit = 0, settings.time_limit or math.inf
    try:
        while count < most and (items := [i for i, why in enumerate(stopped) if why is None]):
            with torch.no_grad():
                clip = problem.clip(problem.sample(noise[items], items, settings.steps))
                _, rows = problem.measure(clip, items)
            for i, row in zip(items, rows, strict=True):
                histories[i].append(row | {"steps": float(settings.steps)})
                if row["loss"] < lowest[i]:
                    lowest[i], best[i] = row["loss"], noise[i]
                if problem.met(i, row):
                    stopped[i] = "tolerance"
            count, spent = count + 1, time.monotonic() - problem.started
            if callback and callback(Progress(count, items, rows, noise[items], clip, spent, most)):
                raise KeyboardInterrupt
            if spent * (count + 1) / count > limit:
                stopped = [why or "time" for why in stopped]
            noise = next(redraw)
    except KeyboardInterrupt:
        if not all(histories):
            raise
        stopped = [why or "interrupted" for why in stopped]
    if not all(math.isfinite(loss) for loss in lowest):
        raise FloatingPointError("the loss was never a finite number: lower the guidance")
    ended: list[Stopped] = [why or "iterations" for why in stopped]
    return problem.finish("best-of", best, ended, histories)
