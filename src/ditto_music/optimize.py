"""DITTO (Novack et al., ICML 2024): optimise the initial noise through the sampler.

    x_T* = argmin over x_T of  L( f( decode( Sampler(denoiser, x_T, prompt) ) ), y )

The model is frozen and the sampler deterministic, so the gradient of any differentiable loss on the
finished audio is exact at ``x_T``. Denoiser calls that memory has no room for are made again on the
way back, so it need not grow with the number of steps. Most iterations run on fewer sampler steps,
DITTO-2's surrogate; the last ones run on all of them, so that what comes out is what was optimised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor

from ditto_music.descent import DESCENTS
from ditto_music.ending import concluded, finished
from ditto_music.item import Row, Stopped
from ditto_music.modes import own_modes
from ditto_music.problem import Problem
from ditto_music.protocols import Clip, Control, Model
from ditto_music.result import CEILING, Result, Settings, fewer
from ditto_music.sampling.guidance import Guidance
from ditto_music.track import Clock, Track, stages


class Search(TypedDict, total=False):
    """The settings of `optimize` that everything built on it hands on as they are."""

    steps: int | None
    surrogate_steps: int | None
    guidance: float | Guidance | None
    negative_prompt: str
    iterations: int
    tolerance: float | None
    optimizer: str
    lr: float | None
    time_limit: float | None
    sampler: str
    gradient: str
    memory_budget: float | None
    later_noises: bool
    ceiling: float


@dataclass(frozen=True)
class Progress:
    """What a callback sees after each iteration.

    Attributes
    ----------
    iteration : counted from 1.
    items : indices of the items that this iteration moved.
    rows : of each of them the total ``loss``, each control's own, metrics as ``name.metric``, and
        the sampler ``steps`` they were measured on.
    noise : (n, ...), theirs, that this iteration judged; with later noises (n, steps, ...).
    clip : their clips, out of the graph; ``clip.audio`` decodes on demand.
    seconds : since prompts were read.
    total : iterations there will be, where that is known and not what was asked.
    """

    iteration: int
    items: list[int]
    rows: list[Row]
    noise: Tensor
    clip: Clip
    seconds: float
    total: int | None = None


@own_modes()
def optimize(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    steps: int | None = None,
    surrogate_steps: int | None = None,
    guidance: float | Guidance | None = None,
    negative_prompt: str = "",
    iterations: int = 60,
    tolerance: float | None = None,
    optimizer: str = "lbfgs",
    lr: float | None = None,
    time_limit: float | None = None,
    gradient: str = "auto",
    memory_budget: float | None = None,
    sampler: str = "adams",
    later_noises: bool = False,
    ceiling: float = CEILING,
    x_T: Tensor | None = None,
    callback: Callable[[Progress], bool | None] | None = None,
) -> Result:
    """Find the noise from which the model makes music that meets the control.

    Algorithm 1 of the paper. Items are independent: each keeps its best, stops and reports on its
    own.

    Parameters
    ----------
    model : of `ditto_music.load_model`, or your own: a `ditto_music.protocols.Model`, as
        docs/own-model.md shows.
    prompt, control, seed : the music in words, what is asked of it, and the number its noise is
        drawn from; one for all, or one an item.
    duration : seconds of audio.
    steps : sampler steps of the result and of the last iterations; None: the model's own.
    surrogate_steps : sampler steps of the first iterations; where these are 6 or more, the very
        first run on half of them. None: half of `steps`, 8 at most. No fewer than `steps`:
        all iterations run on all steps.
    guidance : classifier-free guidance scale, 1 is off, at half the cost; or all of a `Guidance`;
        None: the model's own. A number guides every step, also where the model's own acts within
        an interval; of a rule of projection (ACE-Step base) it is the scale, where it is above 1:
        for plain guidance there give a `Guidance`.
    negative_prompt : what guidance moves away from.
    iterations : at most this many noises are judged, with those that stages begin with: of 1 or 2
        that may be none but the seed's own. A stage, and with the last one the search, ends early
        where ten of them gain less than 2%.
    tolerance : an item stops when its total loss is this small; None: when each of its controls
        counts as met.
    optimizer : a name of `ditto_music.descent.DESCENTS`: "lbfgs" keeps the norm of each octave
        along time of the noise it starts from, which in many dimensions is that of any white
        Gaussian noise; "lbfgs-norm" that of the whole alone; all others neither: "lbfgs-free",
        "adam" with little momentum and a rate that halves every 40 iterations, "adam-plain", the
        papers', "adam-cosine" with warm restarts, and "ngd", normalised gradient descent.
    lr : size of a step in units of the noise: Adam's rate, or the (of L-BFGS the longest) step's
        root mean square. None: 0.15 for L-BFGS, 0.005 for "adam-plain", 0.03 for the others.
    time_limit : seconds, once prompts are read, after which no new iteration starts.
    gradient : a plan of `ditto_music.sampling.plans`: "auto" makes denoiser calls again in backward
        for the steps whose activations memory has no room for, "checkpoint" for all, "plain" for
        none, with the same result; "reversible" keeps nothing, with the sampler "edict"; "last-K"
        takes the denoiser as constant before the last K steps, an approximation.
    memory_budget : for "auto", gigabytes that activations may take; None: half of what is free.
    sampler : a name of `ditto_music.sampling.SAMPLERS` or `NOISY_SAMPLERS`.
    later_noises : search the noises that a noisy sampler adds on the way too, not x_T alone.
    ceiling : level in dBFS that no half second is to exceed, nor a peak full scale where it is
        lower, where nothing that is asked for says how loud the music is to be: most losses know
        no level, and a search may drift up for ever.
    x_T : (B, ...) noise to start from, instead of the seeds' own, of one item for all or of each;
        or (B, n, ...) with later noises.
    callback : called after each iteration; returning True stops and keeps the best so far, as
        Ctrl-C does. One that has a method `expect` is first given the `Estimate` of the memory
        needed, where the model is a large one.

    Returns
    -------
    Result, whose `audio` is (B, channels, N) and whose `x_T` is the noise found.

    Raises
    ------
    InputError
        If a setting or a target cannot be used, or memory has no room; before any work is done.
    FloatingPointError
        If the loss of an item's own noise is not finite.
    KeyboardInterrupt
        On Ctrl-C before the first iteration is over.
    """
    steps = model.steps if steps is None else steps
    settings = Settings(
        duration,
        steps,
        guidance,
        iterations,
        tolerance,
        optimizer,
        lr,
        fewer(steps) if surrogate_steps is None else surrogate_steps,
        time_limit,
        gradient,
        memory_budget,
        sampler,
        negative_prompt,
        later_noises,
        ceiling,
    )
    problem = Problem(model, prompt, control, seed, settings, x_T)
    problem.room.expect(getattr(callback, "expect", None))
    tracks = [
        Track(noise, DESCENTS[optimizer](lr), goal, stages(settings, several=goal.several))
        for noise, goal in zip(problem.variable, problem.goals, strict=True)
    ]
    clock = Clock(problem.started)
    try:
        while going := {i: track.stage.steps for i, track in enumerate(tracks) if track.stage}:
            coarsest = min(going.values())
            items = [i for i in going if going[i] == coarsest]
            here = [tracks[i] for i in items]
            noise = torch.stack([track.begin() for track in here]).requires_grad_()
            clip = problem.clip(problem.sample(noise, items, coarsest))
            losses, rows = problem.measure(clip, items, [track.start for track in here], ceiling)
            rows = [row | {"steps": float(coarsest)} for row in rows]
            seen = zip(here, rows, losses.tolist(), clip.latent.detach(), strict=True)
            for track, row, loss, latent in seen:
                track.see(row, loss, latent)
            if any(track.moves for track in here):
                (slopes,) = torch.autograd.grad(losses.sum(), noise)
                for track, loss, slope in zip(here, losses.tolist(), slopes, strict=True):
                    if track.moves:
                        track.move(loss, slope)

            clock.tick(coarsest)
            if callback and callback(
                Progress(clock.count, items, rows, noise.detach(), clip.apart(), clock.spent)
            ):
                raise KeyboardInterrupt
            del clip, losses  # or the next stage's graph would be built beside this one's
            for track in tracks:
                track.heed(clock)
    except KeyboardInterrupt:
        if not all(track.history for track in tracks):
            raise
        for track in tracks:
            track.cut("interrupted")
    best = torch.stack([track.best for track in tracks])
    stopped: list[Stopped] = [track.stopped or "iterations" for track in tracks]
    histories = [track.history for track in tracks]
    latents = [track.latent for track in tracks if track.latent is not None]
    grown = torch.stack(latents) if len(latents) == len(tracks) else None
    return concluded(lambda: finished(problem, "ditto", best, stopped, histories, grown), stopped)
