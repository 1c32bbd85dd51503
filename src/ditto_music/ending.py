"""The end of a search: what it found, sampled, measured and packed up.

Ctrl-C no longer stops it there, and does not lose what was found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ditto_music.item import Item, Row, Stopped, figures_of
from ditto_music.problem import Problem
from ditto_music.result import Result
from ditto_music.sampling import NOISY_SAMPLERS

T = TypeVar("T")


@torch.no_grad()
def finished(
    problem: Problem,
    method: str,
    noise: Tensor,
    stopped: Sequence[Stopped] | None = None,
    histories: Sequence[list[Row]] | None = None,
    latent: Tensor | None = None,
) -> Result:
    """The noises found, sampled with all steps, and what came out packed up.

    Parameters
    ----------
    latent : (B, ...), what they grew into, where it is known.
    """
    if latent is None:
        latent = problem.sample(noise, range(len(problem)), problem.settings.steps)
    return packed(problem, method, noise, latent, stopped, histories)


@torch.no_grad()
def packed(
    problem: Problem,
    method: str,
    noise: Tensor,
    latent: Tensor,
    stopped: Sequence[Stopped] | None = None,
    histories: Sequence[list[Row]] | None = None,
) -> Result:
    """The clean latents that came of these noises, measured and packed up.

    Raises
    ------
    FloatingPointError
        If they sound like no finite numbers.
    """
    everyone = range(len(problem))
    clip = problem.clip(latent)
    if not bool(torch.isfinite(clip.audio).all()):
        raise FloatingPointError("the audio is not of finite numbers: lower the guidance")
    _, rows = problem.measure(clip, everyone)
    x_T, _ = problem.start.split(noise)
    noisy = problem.settings.sampler in NOISY_SAMPLERS
    later = problem.start.changed(noise) if noisy else None

    def item(i: int) -> Item:
        goal, one = problem.goals[i], clip.item(i)
        return Item(
            prompt=problem.prompts[i],
            seed=problem.seeds[i],
            audio=one.audio[0].float().cpu(),
            x_T=x_T[i].detach().cpu(),
            later=None if later is None else later[i].detach().cpu(),
            latent=latent[i].cpu(),
            stopped=stopped[i] if stopped else "iterations",
            history=histories[i] if histories else [],
            final=rows[i],
            metrics={name: figures_of(rows[i], name) for name in goal.names},
            panels=[panel for each in goal.objectives for panel in each.panels(one)[0]],
        )

    name, revision = problem.named
    return Result(
        name,
        method,
        problem.settings,
        problem.model.sample_rate,
        [item(i) for i in everyone],
        time.monotonic() - problem.started,
        revision=revision,
        estimate=problem.room.estimate,
    )


def concluded(finish: Callable[[], Result], stopped: Sequence[Stopped]) -> Result:
    """The result of a search that is over, and why it was for each item.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, if one had stopped the search.
    """
    before = "interrupted" in stopped
    result, after = once_more(finish, before)
    return result.interrupted() if after and not before else result


def once_more(work: Callable[[], T], interrupted: bool) -> tuple[T, bool]:
    """What some work gives, done again where Ctrl-C cuts it, and whether there was one.

    Parameters
    ----------
    interrupted : whether there had been one before.

    Raises
    ------
    KeyboardInterrupt
        At the second one.
    """
    try:
        return work(), interrupted
    except KeyboardInterrupt:
        if interrupted:
            raise
        return work(), True
