"""What searches share: the best noise of each item, its losses, and why its search ended."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from torch import Tensor

from ditto_music.baselines.walking import Callback
from ditto_music.ending import concluded, finished
from ditto_music.item import Row, Stopped, broken
from ditto_music.optimize import Progress
from ditto_music.problem import Problem
from ditto_music.protocols import Clip
from ditto_music.result import Result


class Keeper:
    """Sees every candidate and keeps the best.

    Parameters
    ----------
    noise : (B, ...), what is given back where nothing is ever seen.
    total : candidates at most.
    """

    def __init__(
        self, problem: Problem, noise: Tensor, total: int, callback: Callback | None
    ) -> None:
        self.problem, self.total, self.callback = problem, total, callback
        self.began = time.monotonic()
        self.best = noise.clone()
        self.lowest = [math.inf] * len(problem)
        self.histories: list[list[Row]] = [[] for _ in range(len(problem))]
        self.stopped: list[Stopped | None] = [None] * len(problem)
        self.count = 0

    @property
    def going(self) -> list[int]:
        """Items that go on; none once all candidates are seen."""
        if self.count >= self.total:
            return []
        return [item for item, why in enumerate(self.stopped) if why is None]

    def see(
        self,
        items: Sequence[int],
        losses: Tensor,
        rows: Sequence[Row],
        noise: Tensor,
        clip: Clip,
    ) -> None:
        """Candidates (n, ...) of these items, what is to fall (n,), their rows and clips.

        Raises
        ------
        KeyboardInterrupt
            If the callback wants to stop.
        """
        problem = self.problem
        for item, loss, row, one in zip(items, losses.tolist(), rows, noise, strict=True):
            self.histories[item].append(row | {"steps": float(problem.settings.steps)})
            met = problem.goals[item].met(row)
            if loss < self.lowest[item] or met:
                self.lowest[item], self.best[item] = loss, one
            if met:
                self.stopped[item] = "tolerance"
        self.count += 1
        now = time.monotonic()
        spent, each = now - problem.started, (now - self.began) / self.count
        at = Progress(self.count, [*items], [*rows], noise, clip.apart(), spent, self.total)
        if self.callback and self.callback(at):
            raise KeyboardInterrupt
        if spent + each > (problem.settings.time_limit or math.inf):
            self.end("time")

    def end(self, why: Stopped) -> None:
        """Stop what still goes on."""
        self.stopped = [each or why for each in self.stopped]

    def interrupted(self) -> None:
        """Stop by Ctrl-C, in the handler of it: raised again where nothing has been seen."""
        if not all(self.histories):
            raise KeyboardInterrupt
        self.end("interrupted")

    def finish(self, method: str) -> Result:
        """Sample the best.

        Raises
        ------
        FloatingPointError
            If an item was seen and never had a finite loss.
        KeyboardInterrupt
            On Ctrl-C, if one had stopped the search.
        """
        for loss, seen in zip(self.lowest, self.histories, strict=True):
            if seen and not math.isfinite(loss):
                raise broken(seen[0])
        ended: list[Stopped] = [why or "iterations" for why in self.stopped]
        return concluded(
            lambda: finished(self.problem, method, self.best, ended, self.histories), ended
        )
