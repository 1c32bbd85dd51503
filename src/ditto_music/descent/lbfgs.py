"""Limited-memory BFGS (Liu and Nocedal 1989) without a line search.

A loss on finished audio costs a whole sampling and its way back, so no evaluation is spent on
finding the best length of a step: the quasi-Newton step is taken as it is, and where the loss rose
it is tried again, shorter, from the point before. D-Flow (Ben-Hamu et al. 2024) searches noise by
L-BFGS too.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MEMORY = 12  # pairs of steps and changes of the gradient
SHORTER, LONGER = 0.4, 2.0  # times the step that failed, or held: what the next may be
WORSE = 1.1  # times the loss before: as much as may be lost in passing


class LBFGS:
    """Quasi-Newton steps within a radius of trust, `longest` at most (root mean squares).

    The first step is Newton's for a squared error whose least value is zero, along the gradient:
    ``2 L / |g|^2``.
    """

    def __init__(self, longest: float = 0.15) -> None:
        self.longest = self.radius = longest
        self.pairs: list[tuple[Tensor, Tensor]] = []
        self.restart()

    def restart(self) -> None:
        """Forget the last point; what is known of curvature and radius carries over."""
        self.last: tuple[Tensor, float, Tensor] | None = None

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """A step from `x`, or a shorter one from the point before where `x` is worse."""
        if self.last is not None:
            before, lower, slope = self.last
            self._learn((x - before).flatten(), (gradient - slope).flatten())
            if loss > WORSE * lower:
                self.radius = SHORTER * size(x - before)
                x, loss, gradient = self.last
            else:
                self.radius = min(self.longest, max(self.radius, LONGER * size(x - before)))
        self.last = x, loss, gradient
        way = self._newton(gradient.flatten(), loss).view_as(x)
        length = size(way)
        return x - min(1.0, self.radius / length) * way if length > 0 else x

    def _learn(self, moved: Tensor, change: Tensor) -> None:
        """Remember a pair if the loss is convex along it."""
        if float(moved @ change) > 1e-3 * float(moved.norm() * change.norm()):
            self.pairs = [*self.pairs, (moved, change)][-MEMORY:]

    def _newton(self, gradient: Tensor, loss: float) -> Tensor:
        """The inverse Hessian, as far as known, times the gradient: the two-loop recursion."""
        if not self.pairs:
            return 2 * loss / gradient.square().sum().clamp(min=1e-30) * gradient
        way, shares = gradient, list[Tensor]()
        for moved, change in reversed(self.pairs):
            shares.append((moved @ way) / (moved @ change))
            way = way - shares[-1] * change
        # Between the two usual guesses of the curvature in directions not yet tried.
        moved, change = self.pairs[-1]
        way = way * torch.sqrt(moved.square().sum() / change.square().sum())
        for (moved, change), share in zip(self.pairs, reversed(shares), strict=True):
            way = way + moved * (share - (change @ way) / (moved @ change))
        return way


def size(x: Tensor) -> float:
    """Root mean square."""
    return float(x.norm()) / math.sqrt(x.numel())
