"""DITTO (Novack et al., ICML 2024): optimise the initial noise through the sampler.

    x_T* = argmin over x_T of  L( f( decode( Sampler(denoiser, x_T, prompt) ) ), y )

The model is frozen and the sampler deterministic, so the gradient of any differentiable loss on the
finished audio is exact at ``x_T``. Denoiser calls that memory has no room for are made again on the
way back, so it need not grow with the number of steps. Most iterations run on fewer sampler steps,
DITTO-2's surrogate; the last ones run on all of them, so that what comes out is what was optimised.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict

import torch
from torch import Tensor

from ditto_music.descent import DESCENTS, Descent
from ditto_music.ending import concluded
from ditto_music.item import Row, Stopped, broken
from ditto_music.modes import own_modes
from ditto_music.problem import Problem
from ditto_music.protocols import Clip, Control, Model
from ditto_music.result import CEILING, Result, Settings, fewer
from ditto_music.sampling.guidance import Guidance

COARSE_FROM = 6  # sampler steps of a surrogate that is worth a coarser one before it
COARSE_SLACK = 4.0  # times the tolerance: as near as the coarser one can tell
STALLED_AFTER, LEAST_FALL = 10, 0.02  # iterations in which the loss has not fallen by this share


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


@dataclass
class Track:
    """One item on its way: its noise, the best noise so far, and why it stopped.

    Attributes
    ----------
    latent : what the best noise grew into, if that was on all steps.
    """

    noise: Tensor
    descent: Descent
    best: Tensor = field(init=False)
    latent: Tensor | None = None
    lowest: float = math.inf
    mark: float = math.inf
    idle: int = 0
    limit: int = 0
    stopped: Stopped | None = None
    history: list[Row] = field(default_factory=list[Row])

    def __post_init__(self) -> None:
        self.best = self.noise

    def enter(self, limit: int, *, anew: bool, other: bool) -> None:
        """Begin a stage that ends at `limit` iterations: anew from the best noise of the one
        before, whose losses are not comparable, and may be of `other` units, or as if there were
        none before.
        """
        self.limit = limit
        if self.stopped == "diverged":
            return
        if not anew:
            self.stopped = None if self.stopped == "time" else self.stopped
            return
        self.noise, self.lowest, self.stopped = self.best, math.inf, None
        self.latent = None
        self.mark, self.idle = math.inf, 0
        self.descent.restart(other=other)

    @property
    def goes_on(self) -> bool:
        """Whether another iteration is to be made in this stage."""
        return self.stopped is None and len(self.history) < self.limit

    def cut(self, why: Stopped, steps: int) -> None:
        """Stop before the end: what was met or stalled on fewer than all `steps` does not count."""
        early = self.stopped != "diverged" and self.history[-1]["steps"] < steps
        self.stopped = why if early or self.stopped is None else self.stopped

    def stalls(self, loss: float) -> bool:
        """Whether a while has passed in which the loss has hardly fallen."""
        falls = loss < (1 - LEAST_FALL) * self.mark
        self.mark = loss if falls else self.mark
        self.idle = 0 if falls else self.idle + 1
        return self.idle >= STALLED_AFTER

    @property
    def start(self) -> Row:
        """What was measured first; nothing yet before that."""
        return self.history[0] if self.history else Row()

    def see(self, row: Row, loss: float, latent: Tensor | None, met: bool) -> None:
        """Keep the noise if it is the best yet or meets what is asked, which the lowest sum of
        several losses may not; stop if it does or nothing is gained.

        Raises
        ------
        FloatingPointError
            If the very first loss is no number.
        """
        self.history.append(row)
        if loss < self.lowest or met:
            self.lowest, self.best, self.latent = loss, self.noise, latent
        if not math.isfinite(loss):
            if len(self.history) == 1:
                raise broken(row)
            self.stopped = "diverged"
        elif met:
            self.stopped = "tolerance"
        elif self.stalls(loss):
            self.stopped = "stalled"

    def move(self, loss: float, gradient: Tensor) -> None:
        """To the next noise to try, unless the numbers break."""
        if bool(torch.isfinite(gradient).all()):
            self.noise = self.descent.step(self.noise, loss, gradient)
        else:
            self.stopped = "diverged"


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
    problem = Problem(model, prompt, control, seed, settings)
    start = problem.start(x_T)
    problem.expect(getattr(callback, "expect", None))
    tracks = [Track(noise, DESCENTS[optimizer](lr)) for noise in start]
    count, pace = 0, 0.0  # seconds of an iteration for each of its sampler steps
    try:
        parts = stages(settings, several=problem.several)
        for before, stage in zip([None, *parts[:-1]], parts, strict=True):
            made, began = 0, time.monotonic()
            ahead = began - problem.started + pace * stage.steps
            if count and ahead > (time_limit or math.inf):
                for track in tracks:
                    track.cut("time", steps)
                break
            for track, objectives in zip(tracks, problem.objectives, strict=True):
                # One control alone is judged alike in both stages on all steps: they are one to it.
                alike = stage.steps == steps and len(objectives) < 2
                anew = not (alike and before and before.steps == steps)
                other = len(objectives) > 1 and before is not None and before.far != stage.far
                track.enter(iterations if alike else stage.limit, anew=anew, other=other)
            while items := [i for i, track in enumerate(tracks) if track.goes_on]:
                noise = torch.stack([tracks[i].noise for i in items]).requires_grad_()
                clip = problem.clip(problem.sample(noise, items, stage.steps))
                starts = [tracks[i].start for i in items] if stage.far else None
                losses, measured = problem.measure(clip, items, starts, ceiling=ceiling)
                rows = [row | {"steps": float(stage.steps)} for row in measured]
                latents = clip.latent.detach() if stage.steps == steps else [None] * len(items)
                for i, row, loss, latent in zip(items, rows, losses.tolist(), latents, strict=True):
                    met = problem.met(i, row, stage.slack, few=stage.steps < steps)
                    tracks[i].see(row, loss, latent, met)
                if any(tracks[i].goes_on for i in items):
                    (slopes,) = torch.autograd.grad(losses.sum(), noise)
                    for i, loss, slope in zip(items, losses.tolist(), slopes, strict=True):
                        if tracks[i].goes_on:
                            tracks[i].move(loss, slope)

                count, made, now = count + 1, made + 1, time.monotonic()
                spent, each = now - problem.started, (now - began) / made
                pace = each / stage.steps
                if callback and callback(
                    Progress(count, items, rows, noise.detach(), clip.apart(), spent)
                ):
                    raise KeyboardInterrupt
                del clip, losses  # or the next stage's graph would be built beside this one's
                if spent + each > stage.seconds:
                    for track in tracks:
                        track.stopped = track.stopped or "time"
    except KeyboardInterrupt:
        if not all(track.history for track in tracks):
            raise
        for track in tracks:
            track.cut("interrupted", steps)
    best = torch.stack([track.best for track in tracks])
    stopped: list[Stopped] = [track.stopped or "iterations" for track in tracks]
    histories = [track.history for track in tracks]
    latents = [track.latent for track in tracks if track.latent is not None]
    grown = torch.stack(latents) if len(latents) == len(tracks) else None
    return concluded(lambda: problem.finish("ditto", best, stopped, histories, grown), stopped)


class Stage(NamedTuple):
    """A part of a search.

    Attributes
    ----------
    steps : of the sampler.
    limit, seconds : iterations and time at its end, counted from the start of the search.
    slack : times the tolerance, at which it ends early.
    far : of several controls each counts by what it was at the start, not by what is met.
    """

    steps: int
    limit: int
    seconds: float
    slack: float = 1.0
    far: bool = True


def stages(settings: Settings, several: bool = False) -> list[Stage]:
    """The parts of a search.

    What is found on few steps holds nearly on more: the coarsest stage goes to a few times the
    tolerance, the surrogate to the tolerance itself, and iterations on all steps, most often a
    single one, make sure of it. A third of iterations and time is kept for these, and a single
    iteration is on all steps.
    """
    few, iterations = settings.sampled_steps, settings.iterations
    seconds = settings.time_limit or math.inf
    last = Stage(settings.steps, iterations, seconds, far=False)
    most = min(math.ceil(2 * iterations / 3), max(0, iterations - 1))
    before = Stage(few, most, 2 * seconds / 3)
    if few == settings.steps:
        return [before, last] if several else [last]
    if few < COARSE_FROM:
        return [before, last]
    coarse = Stage(few // 2, min(math.ceil(0.4 * iterations), most), 0.4 * seconds, COARSE_SLACK)
    return [coarse, before, last]
