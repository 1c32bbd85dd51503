"""One item's way through a search: its stages, its best noise so far, and why it ended."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ditto_music.descent import Descent
from ditto_music.goal import Goal
from ditto_music.item import Row, Stopped, broken
from ditto_music.result import Settings

COARSE_FROM = 6  # sampler steps of a surrogate that is worth a coarser one before it
COARSE_SLACK = 4.0  # times the tolerance: as near as the coarser one can tell
STALLED_AFTER, LEAST_FALL = 10, 0.02  # iterations in which the loss has not fallen by this share


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
    far: bool = False


def stages(settings: Settings, *, several: bool = False) -> list[Stage]:
    """The parts of a search.

    What is found on few steps holds nearly on more: the coarsest stage goes to a few times the
    tolerance, the surrogate to the tolerance itself, and iterations on all steps, most often a
    single one, make sure of it. A third of iterations and time is kept for these, and a single
    iteration is on all steps.

    Parameters
    ----------
    several : whether it is for several controls, which count in other units at last.
    """
    few, iterations = settings.sampled_steps, settings.iterations
    seconds = settings.time_limit or math.inf
    last = Stage(settings.steps, iterations, seconds)
    most = min(math.ceil(2 * iterations / 3), max(0, iterations - 1))
    before = Stage(few, most, 2 * seconds / 3, far=several)
    if few == settings.steps:
        return [before, last] if several else [last]
    if few < COARSE_FROM:
        return [before, last]
    limit = min(math.ceil(0.4 * iterations), most)
    return [Stage(few // 2, limit, 0.4 * seconds, COARSE_SLACK, several), before, last]


class Clock:
    """How long a search has run, and how long its iterations take.

    Parameters
    ----------
    started : when it began.

    Attributes
    ----------
    count : iterations so far.
    """

    def __init__(self, started: float) -> None:
        self.started, self.count = started, 0
        self._began = self._now = time.monotonic()
        self._steps, self._made, self._each = 0, 0, 0.0

    @property
    def spent(self) -> float:
        """Seconds."""
        return time.monotonic() - self.started

    def tick(self, steps: int) -> None:
        """After an iteration on so many sampler steps, whose pace those on others say little of."""
        if steps != self._steps:
            self._steps, self._made, self._began = steps, 0, self._now
        self._now = time.monotonic()
        self.count, self._made = self.count + 1, self._made + 1
        self._each = (self._now - self._began) / self._made

    def lacks(self, steps: int, seconds: float) -> bool:
        """Whether one more iteration, at the pace of the last ones, would end after so long."""
        return self.spent + self._each * steps / self._steps > seconds


@dataclass
class Track:
    """One item on its way.

    Attributes
    ----------
    noise : to be judged next.
    goal : what is asked.
    stages : the one at hand, and those to come.
    best, lowest : the best noise that this stage has judged, and its loss.
    latent : what that noise grew into, if that was on all steps.
    mark, idle : the loss to fall from, and for how many iterations it has hardly fallen.
    stopped : why the stage at hand ended, and with the last one the search.
    """

    noise: Tensor
    descent: Descent
    goal: Goal
    stages: list[Stage]
    best: Tensor = field(init=False)
    latent: Tensor | None = None
    lowest: float = math.inf
    mark: float = math.inf
    idle: int = 0
    stopped: Stopped | None = None
    history: list[Row] = field(default_factory=list[Row])

    def __post_init__(self) -> None:
        self.best = self.noise
        self.steps = self.stages[-1].steps

    @property
    def moves(self) -> bool:
        """Whether another iteration is to be made in the stage at hand."""
        return self.stopped is None and len(self.history) < self.stages[0].limit

    @property
    def stage(self) -> Stage | None:
        """That of the next iteration; None: there is none."""
        if self.moves:
            return self.stages[0]
        if self.stopped == "diverged":
            return None
        return next((one for one in self.stages[1:] if len(self.history) < one.limit), None)

    @property
    def start(self) -> Row | None:
        """What several controls count by: the row measured first, empty before that; None: by what
        is met.
        """
        if not self.stages[0].far:
            return None
        return self.history[0] if self.history else Row()

    def begin(self) -> Tensor:
        """The noise to judge next: where a stage ended, the best one of it, in the next.

        Losses of another stage are not comparable.
        """
        while not self.moves:
            before = self.stages.pop(0)
            self.noise, self.latent = self.best, None
            self.lowest, self.mark, self.idle, self.stopped = math.inf, math.inf, 0, None
            self.descent.restart(other=before.far != self.stages[0].far)
        return self.noise

    def see(self, row: Row, loss: float, latent: Tensor) -> None:
        """Keep the noise if it is the best yet or meets what is asked, which the lowest sum of
        several losses may not; stop if it does or nothing is gained.

        Raises
        ------
        FloatingPointError
            If the very first loss is no number.
        """
        self.history.append(row)
        stage = self.stages[0]
        few = stage.steps < self.steps
        met = self.goal.met(row, stage.slack, few=few)
        if loss < self.lowest or met:
            self.lowest, self.best = loss, self.noise
            self.latent = None if few else latent
        if not math.isfinite(loss):
            if len(self.history) == 1:
                raise broken(row)
            self.stopped = "diverged"
        elif met:
            self.stopped = "tolerance"
        elif self._stalls(loss):
            self.stopped = "stalled"

    def _stalls(self, loss: float) -> bool:
        """Whether a while has passed in which the loss has hardly fallen."""
        falls = loss < (1 - LEAST_FALL) * self.mark
        self.mark = loss if falls else self.mark
        self.idle = 0 if falls else self.idle + 1
        return self.idle >= STALLED_AFTER

    def move(self, loss: float, gradient: Tensor) -> None:
        """To the next noise to try, unless the numbers break."""
        if bool(torch.isfinite(gradient).all()):
            self.noise = self.descent.step(self.noise, loss, gradient)
        else:
            self.stopped = "diverged"

    def heed(self, clock: Clock) -> None:
        """End the stage at hand where its time is over, and the search where all of it is."""
        now, last = self.stages[0], self.stages[-1]
        if self.stopped is None and clock.lacks(now.steps, now.seconds):
            self.stopped = "time"
        if (stage := self.stage) and clock.lacks(stage.steps, last.seconds):
            self.cut("time")

    def cut(self, why: Stopped) -> None:
        """Stop before the end: what was met or stalled on fewer than all steps does not count."""
        early = self.stopped != "diverged" and self.history[-1]["steps"] < self.steps
        self.stopped = why if early or self.stopped is None else self.stopped
        del self.stages[1:]
