"""MultiDiffusion (Bar-Tal et al. 2023, arXiv:2302.08113): one canvas, many views, their average.

At each step every window of the canvas is denoised by itself; the canvas after the step is the
closed-form minimiser of ``sum_i |W_i (J - F_i)|^2``, the mean of all windows that see a frame. In
DITTO's comparison the known part is one more view: its noised reference. "MD-50"
stops that half-way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Unpack

import torch
from torch import Tensor

from ditto_music.baselines.keeping import kept_share, named, reference_of
from ditto_music.baselines.walking import Callback, Place, Walk, problem_of, steered
from ditto_music.errors import InputError
from ditto_music.modes import own_modes
from ditto_music.optimize import Search
from ditto_music.problem import Problem, form_of
from ditto_music.protocols import Control, Model
from ditto_music.result import Result
from ditto_music.sampling import Denoise


class View(NamedTuple):
    """The frames that a window sees, and the model along its own walk."""

    frames: slice
    denoise: Denoise


@own_modes()
def multidiffusion(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    until: float = 1.0,
    window: float | None = None,
    stride: float | None = None,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Sample with the reference averaged in at every step, by DDIM.

    Arguments and errors as of `optimize`, but for these:

    Parameters
    ----------
    control : with a `Match`, whose reference and mask are used; any other is only measured.
    until : share of the steps after which the model goes on by itself: 0.5 is half-way.
    window : seconds that the model sees at once; None: the whole clip.
    stride : seconds from one window to the next; None: half a window.
    """
    kept_share(until)
    problem = problem_of(model, prompt, control, seed, duration, search, sampler="ddim")
    reference, mask = reference_of(problem, "multidiffusion")
    views = windows_of(problem, window, stride)

    def step(walk: Walk, x: Tensor, place: Place) -> Tensor:
        x = averaged(walk, x, place, views)
        if place.number >= until * place.steps:
            return x
        return x + mask * (walk.noised(reference, place) - x) / 2

    return steered(named("multidiffusion", until), problem, step, x_T, callback)


def averaged(walk: Walk, x: Tensor, place: Place, views: Sequence[View]) -> Tensor:
    """The canvas (B, ..., T) after a step: of each frame, the mean of the windows that see it."""
    total, count = torch.zeros_like(x), x.new_zeros(x.shape[-1])
    for view, denoise in views:
        part = x[..., view]
        with torch.no_grad():
            x_0 = denoise(part, place.t.to(x))
        total[..., view] += walk.ddim(part, x_0, place)
        count[view] += 1
    return total / count


def windows_of(problem: Problem, window: float | None, stride: float | None) -> list[View]:
    """Windows that cover all frames.

    Raises
    ------
    InputError
        If windows leave gaps, or the model makes no clips of their length.
    """
    frames = problem.form.latent_shape[-1]
    seconds = problem.form.seconds if window is None else min(window, problem.form.seconds)
    size = min(frames, form_of(problem.model, seconds).latent_shape[-1])
    hop = seconds / 2 if stride is None else stride
    if not 0 < hop <= seconds:
        raise InputError(f"stride is {hop:g} s: it must be above 0 and no more than the window")
    step = max(1, round(hop / problem.model.seconds_per_frame))
    starts = [*range(0, frames - size, step), frames - size]
    both = problem.estimates(range(len(problem)), seconds)
    return [View(slice(a, a + size), problem.guide(both)) for a in starts]
