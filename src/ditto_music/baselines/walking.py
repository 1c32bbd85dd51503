"""What the compared systems share: a walk from noise to music that is looked at on the way.

Guidance methods ask at each sampler step how the loss of the *clean estimate* falls, decode it for
that, and move the latent a little; `Walk.estimate` gives them all their papers' rules are written
in. What each does with it is its own file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ditto_music.ending import concluded, once_more, packed
from ditto_music.errors import InputError
from ditto_music.item import Row, Stopped, broken
from ditto_music.memory import Weighed
from ditto_music.optimize import Progress, Search
from ditto_music.problem import Problem
from ditto_music.protocols import Clip, Control, Model
from ditto_music.result import Result, Settings
from ditto_music.sampling import Schedule, fresh_noise, noised, normal, stochastic_step
from ditto_music.sampling.stochastic import LEAST

Callback = Callable[[Progress], bool | None]


@dataclass(frozen=True)
class Place:
    """One sampler step, from the time t to the time s, and how many come after it."""

    schedule: Schedule
    t: Tensor
    s: Tensor
    number: int
    steps: int

    @property
    def share(self) -> float:
        """Steps still to come over all steps: FreeDoM's index, which counts down."""
        return (self.steps - 1 - self.number) / self.steps

    def within(self, low: float, high: float) -> bool:
        """Whether the share of steps to come is in ``[low, high)``."""
        return low <= self.share < high

    @property
    def levels(self) -> tuple[float, float, float, float]:
        """``alpha_t, sigma_t, alpha_s, sigma_s``."""
        schedule = self.schedule
        return (
            float(schedule.alpha(self.t)),
            float(schedule.sigma(self.t)),
            float(schedule.alpha(self.s)),
            float(schedule.sigma(self.s)),
        )


@dataclass(frozen=True)
class Estimate:
    """What the model expects of a latent, and how what is asked of that would fall.

    Attributes
    ----------
    x_0 : (B, ...) clean estimate.
    added : (B, ...) what classifier-free guidance added to it, where it acts.
    slope : (B, ...) the gradient of the loss with respect to the clean estimate.
    down : (B, ...) with respect to the latent, through the network.
    """

    x_0: Tensor
    added: Tensor | None
    slope: Tensor
    down: Tensor


class Walk:
    """One batch on its way.

    Parameters
    ----------
    problem : what is asked.
    callback, total : as of `optimize`; iterations that it is to expect.
    """

    def __init__(
        self, problem: Problem, callback: Callback | None = None, total: int | None = None
    ) -> None:
        self.problem = problem
        self.callback, self.total = callback, total
        self.items = range(len(problem))
        self.parts = problem.parts(self.items)
        self.generators = generators(problem)
        self.start = problem.noise()
        self.histories: list[list[Row]] = [[] for _ in self.items]

    @cached_property
    def spares(self) -> bool:
        """Whether the network keeps one block at a time for the way back: asked for, or memory has
        no room for all of a step. Of models that are not `Weighed` that is not measured.
        """
        settings = self.problem.settings
        if settings.gradient == "auto" and not isinstance(self.problem.model, Weighed):
            return False
        return self.problem.room.plan(self.items, 1, self.start.dtype)[0] == "blocks"

    @torch.no_grad()
    def clean(self, x_t: Tensor, place: Place) -> Tensor:
        """The clean estimate alone."""
        return self.parts(x_t, place.t.to(x_t))[0]

    def estimate(self, x_t: Tensor, place: Place, *, through: bool = True) -> Estimate:
        """The clean estimate and the gradients of its loss.

        Several controls count as they do for a search that is far off, each in units of what it
        was at the first look.

        Parameters
        ----------
        through : whether to go back through the network; else `down` is the slope.
        """
        memory = self.problem.model.sparing() if through and self.spares else nullcontext()
        with memory, torch.set_grad_enabled(through):
            x_t = x_t.detach().requires_grad_(through)
            x_0, added = self.parts(x_t, place.t.to(x_t))
        inner = x_0.detach().requires_grad_()
        with torch.enable_grad():
            clip = self.problem.clip(inner)
            losses, rows = asked_of(self.problem, clip, self.items, self.histories)
            (slope,) = torch.autograd.grad(losses.sum(), inner)
        slope = torch.nan_to_num(slope, posinf=0.0, neginf=0.0)
        down = torch.autograd.grad(x_0, x_t, slope)[0] if through else slope
        for history, row in zip(self.histories, rows, strict=True):
            history.append(row)
        count = len(self.histories[0])
        spent = time.monotonic() - self.problem.started
        at = Progress(count, [*self.items], rows, self.start, clip.apart(), spent, self.total)
        if self.callback and self.callback(at):
            raise KeyboardInterrupt
        kept = None if added is None else added.detach()
        return Estimate(x_0.detach(), kept, slope, down)

    def fresh(self, x: Tensor) -> Tensor:
        """Noise like `x` (B, ...), from each item's own generator."""
        return fresh_noise(x, self.generators)

    def ddim(self, x_t: Tensor, x_0: Tensor, place: Place) -> Tensor:
        """The deterministic step."""
        return stochastic_step(
            x_t, x_0, place.schedule, place.t, place.s, 0.0, torch.zeros_like(x_t)
        )

    def ddpm(self, x_t: Tensor, x_0: Tensor, place: Place, z: Tensor | None = None) -> Tensor:
        """The step with all the noise of the reverse diffusion, fresh or given as z (B, ...)."""
        z = self.fresh(x_t) if z is None else z
        return stochastic_step(x_t, x_0, place.schedule, place.t, place.s, 1.0, z)

    def back(self, x_s: Tensor, place: Place) -> Tensor:
        """The way back: as much fresh noise as leads from s to t again."""
        return noised(x_s, place.schedule, place.t, self.fresh(x_s), place.s)

    def noised(self, x_0: Tensor, place: Place) -> Tensor:
        """A clean latent with fresh noise as after the step; after the last it is the result.

        Some schedules end with a little noise that counts for none.
        """
        if place.number == place.steps - 1:
            return x_0
        return noised(x_0, place.schedule, place.s, self.fresh(x_0))


Rule = Callable[[Walk, Tensor, Place], Tensor]
Calls = Callable[[Place], int]
Redraw = Iterator[Tensor]

FEWEST = 8  # steps that a time limit may leave


def problem_of(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    seed: int | Sequence[int],
    duration: float,
    search: Search,
    x_T: Tensor | None = None,
    **own: Any,
) -> Problem:
    """The problem, with settings as `optimize` takes them.

    Parameters
    ----------
    x_T : noise to begin with, for a method that takes any as `optimize` does.
    own : settings that the method has of its own, whatever was asked.

    Raises
    ------
    InputError
        As `optimize`.
    """
    asked: dict[str, Any] = {**search, **own}
    if asked.get("steps") is None:
        asked["steps"] = model.steps
    return Problem(model, prompt, control, seed, Settings(duration=duration, **asked), x_T)


def check_size(name: str, value: float, least: float = 0.0, most: float = math.inf) -> None:
    """Refuse a number that is too small, too large or none."""
    if not (least <= value <= most and value < math.inf):
        span = f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
        raise InputError(f"{name} is {value:g}: it must be {span}")


def generators(problem: Problem) -> list[torch.Generator]:
    """An item's generator after its initial noise."""
    made = [torch.Generator().manual_seed(seed) for seed in problem.seeds]
    for generator in made:
        normal(problem.form.latent_shape, generator)
    return made


def places_of(problem: Problem) -> list[Place]:
    """The steps of a run."""
    schedule, steps = problem.model.schedule, problem.settings.steps
    pairs = pairwise(schedule.times(steps))
    return [Place(schedule, t, s, number, steps) for number, (t, s) in enumerate(pairs)]


def starts_of(problem: Problem, noise: Tensor, made: Sequence[torch.Generator]) -> Redraw:
    """The first noise (B, ...), and then ever other ones.

    An edit gives noise of the recording's own music: what stays of the recording is part of all of
    them, and of the rest what is not the seed's own noise, which is drawn again at its share.
    """
    yield noise
    known = problem.known()
    if known is None:
        while True:
            yield fresh_noise(noise, made)
    hole = (known[1] == 0).to(noise)
    own = hole * problem.noise().to(noise)
    share = dot(noise, own) / dot(own, own).clamp(min=LEAST)
    others = noise - share * own
    while True:
        yield others + share * hole * fresh_noise(noise, made)


def steered(
    method: str,
    problem: Problem,
    rule: Rule,
    x_T: Tensor | None,
    callback: Callback | None,
    *,
    calls: Calls | None = None,
) -> Result:
    """Walk by a rule, and within a time limit again from other noise; the best walk counts.

    Of an item that counts as met the first walk that did is kept, while others are still walked.
    Where the limit has no room for one walk it is made with fewer steps. An interrupted walk ends
    without the rule, and what comes after the walks is made nevertheless, unless interrupted twice.

    Parameters
    ----------
    rule : the latent after a step, of the walk, the latent before it and the step.
    x_T : (B, ...), or one for all; a guided walk draws its later noises itself.
    calls : of `Walk.estimate` at a step; None: the rule does not go down the loss, so that a second
        walk would be no better.

    Raises
    ------
    InputError
        If what is given is not noise of these items.
    FloatingPointError
        If no walk of an item had a finite loss.
    """
    start = problem.start.fitted(x_T, later=False)
    limit = problem.settings.time_limit if calls else None
    end = 0.0
    if limit is not None and calls:
        problem, end = fit(problem, rule, calls, limit)
    total = sum(map(calls, places_of(problem))) if calls else None
    walk = Walk(problem, callback, total)
    redraw = starts_of(problem, start, walk.generators)
    noise = next(redraw)
    best, lowest = noise, torch.full((len(problem),), math.inf)
    met = torch.zeros(len(problem), dtype=torch.bool)
    ended: Stopped = "iterations"
    starts, runs, longest = noise, 0, 0.0
    while True:
        began = time.monotonic()
        walk.start, walk.total = noise, total and total * (runs + 1)
        x, interrupted = walked(walk, rule, noise)
        (losses, rows), interrupted = once_more(lambda x=x: measured(problem, x), interrupted)
        losses = torch.nan_to_num(losses, nan=math.inf).cpu()
        meets = torch.tensor([problem.goals[i].met(row) for i, row in enumerate(rows)])
        better = ~met & (meets | (losses < lowest))
        lowest = torch.where(better, losses, lowest)
        chosen = better.reshape(-1, *[1] * (x.ndim - 1)).to(x.device)
        best = torch.where(chosen, x, best if runs else x)
        starts = torch.where(chosen, noise, starts)
        runs += 1
        if interrupted:
            ended = "interrupted"
            break
        met |= meets
        if limit is None or bool(met.all()):
            break
        now = time.monotonic()
        longest = max(longest, now - began)
        if now - problem.started + longest + end > limit:
            ended = "time"
            break
        noise = next(redraw)
    for loss, row in zip(lowest.tolist(), rows, strict=True):
        if not math.isfinite(loss):
            raise broken(row)
    stopped: list[Stopped] = ["tolerance" if each else ended for each in met.tolist()]
    histories = walk.histories
    return concluded(lambda: packed(problem, method, starts, best, stopped, histories), stopped)


@torch.no_grad()
def measured(problem: Problem, latent: Tensor) -> tuple[Tensor, list[Row]]:
    """The losses (B,) of clean latents (B, ...) of all items, and their rows."""
    return asked_of(problem, problem.clip(latent), range(len(problem)))


def asked_of(
    problem: Problem,
    clip: Clip,
    items: Sequence[int],
    histories: Sequence[Sequence[Row]] | None = None,
) -> tuple[Tensor, list[Row]]:
    """What to descend (n,), and rows: as `optimize` measures, under the same ceiling.

    Parameters
    ----------
    histories : rows of each item so far; with them several controls each count in units of what
        they were at first.
    """
    starts = [(histories[item] or [Row()])[0] for item in items] if histories else None
    return problem.measure(clip, items, starts, problem.settings.ceiling)


def fit(problem: Problem, rule: Rule, calls: Calls, limit: float) -> tuple[Problem, float]:
    """On fewer steps where one walk would last longer than `limit` seconds.

    One step of each kind is made twice, since a first is slower, and timed: with or without a look
    at the loss, and with or without the second pass of classifier-free guidance. So is the end, a
    decode and what is measured of it.

    Returns
    -------
    The problem, and seconds that packing the result takes.
    """
    places, probe, x = places_of(problem), Walk(problem), problem.noise()
    guidance, schedule = problem.settings.guiding, problem.model.schedule

    def kind(place: Place) -> tuple[bool, bool]:
        return guidance.acts_at(place.t, schedule), calls(place) > 0

    kinds = {kind(place): place for place in sorted(places, key=calls, reverse=True)}
    rule(probe, x, places[0])  # a rule may keep something of a walk's first step
    each = {
        name: seconds_of(lambda place=place: rule(probe, x, place)) / max(1, calls(place))
        for name, place in kinds.items()
    }
    end = seconds_of(lambda: packed(problem, "", x, x))
    cost = sum(each[kind(place)] * max(1, calls(place)) for place in places)
    left = limit - (time.monotonic() - problem.started) - 2 * end  # a walk is measured, then packed
    return shortened(problem, cost, left), end


def shortened(problem: Problem, cost: float, left: float) -> Problem:
    """On fewer steps, `FEWEST` at least, where all of them cost more seconds than are left."""
    if cost <= left:
        return problem
    asked = problem.settings.steps
    share = max(0.0, left) / max(cost, LEAST)  # a step may be too short to be timed
    return problem.on(min(asked, max(FEWEST, math.floor(asked * share))))


def seconds_of(work: Callable[[], object]) -> float:
    """Of the second of two calls."""
    work()
    began = time.monotonic()
    work()
    return time.monotonic() - began


def walked(walk: Walk, rule: Rule, noise: Tensor) -> tuple[Tensor, bool]:
    """The clean latent, and whether the walk was interrupted and so ended without the rule."""
    x, interrupted = noise, False
    for place in places_of(walk.problem):
        if not interrupted:
            try:
                x = rule(walk, x, place)
                continue
            except KeyboardInterrupt:
                interrupted = True
        x = walk.ddim(x, walk.clean(x, place), place)
    return x, interrupted


def dot(x: Tensor, y: Tensor) -> Tensor:
    """Of each item's values, (B, 1, ...)."""
    return (x * y).flatten(1).sum(1).reshape(-1, *[1] * (x.ndim - 1))
