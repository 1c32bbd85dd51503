"""Limited-memory BFGS (Liu and Nocedal 1989) without a line search.

A loss on finished audio costs a whole sampling and its way back, so no evaluation is spent on
finding the best length of a step: the quasi-Newton step is taken as it is, and where the loss rose
it is tried again, shorter, from the point before. D-Flow (Ben-Hamu et al. 2024) searches noise by
L-BFGS too.

A search of finished audio ends after a dozen or two of steps, so most directions are never tried
and all hangs on what is guessed of the curvature there. That is told apart by octaves of the noise
along time: what stands still there moves the whole clip alike and is several times as stiff as what
comes and goes within it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ditto_music.descent.parts import Split, as_one

MEMORY = 12  # pairs of steps and changes of the gradient
SHORTER, LONGER = 0.4, 2.0  # times the step that failed, or held: what the next may be
WORSE = 1.1  # times the loss before: as much as may be lost in passing
HOPED = 2.0  # times the loss: as far as a step may be foretold to fall, though none falls below 0
APART = 4.0  # times the whole's: what a part's guess is held within
FAINT = 0.02  # of all, added to each part: one that hardly moved is taken as the whole is


class Pair(NamedTuple):
    """A step and the change of the gradient over it, flat, and what they are by parts (n,).

    Attributes
    ----------
    squares, products : of the step with itself, and with the change.
    """

    moved: Tensor
    change: Tensor
    squares: Tensor
    products: Tensor


class LBFGS:
    """Quasi-Newton steps within a radius of trust, `longest` at most (root mean squares).

    The first step is Newton's for a squared error whose least value is zero, along the gradient:
    ``2 L / |g|^2``. Any that is foretold to fall far below zero, where no loss goes, is cut short.

    Parameters
    ----------
    split : into parts; of each by itself the curvature is guessed in directions not yet tried.
    """

    def __init__(self, longest: float = 0.15, split: Split = as_one) -> None:
        self.longest = self.radius = longest
        self.split = split
        self.pairs: list[Pair] = []
        self.restart()

    def restart(self, *, other: bool = False) -> None:
        """Forget the last point; the radius carries over, and curvature unless units are others."""
        self.last: tuple[Tensor, float, Tensor] | None = None
        if other:
            self.pairs = []

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """A step from `x`, or a shorter one from the point before where `x` is worse."""
        if self.last is not None:
            before, lower, slope = self.last
            self._learn(x - before, gradient - slope)
            if loss > WORSE * lower:
                self.radius = SHORTER * size(x - before)
                x, loss, gradient = self.last
            else:
                self.radius = min(self.longest, max(self.radius, LONGER * size(x - before)))
        self.last = x, loss, gradient
        way = self._newton(gradient, loss)
        length, fall = size(way), float((gradient * way).sum()) / 2
        if length == 0:
            return x
        share = min(1.0, self.radius / length)
        if 0 < loss < share * fall / HOPED:
            share = HOPED * loss / fall
        return x - share * way

    def _learn(self, moved: Tensor, change: Tensor) -> None:
        """Remember a pair if the loss is convex along it."""
        flat, turned = moved.flatten(), change.flatten()
        if float(flat @ turned) <= 1e-3 * float(flat.norm() * turned.norm()):
            return
        parts = list(zip(self.split(moved), self.split(change), strict=True))
        squares = torch.stack([part.square().sum() for part, _ in parts])
        products = torch.stack([(part * other).sum() for part, other in parts])
        self.pairs = [*self.pairs, Pair(flat, turned, squares, products)][-MEMORY:]

    def _newton(self, gradient: Tensor, loss: float) -> Tensor:
        """The inverse Hessian, as far as known, times the gradient: the two-loop recursion."""
        if not self.pairs:
            return 2 * loss / gradient.square().sum().clamp(min=1e-30) * gradient
        way, shares = gradient.flatten(), list[Tensor]()
        for moved, change, *_ in reversed(self.pairs):
            shares.append((moved @ way) / (moved @ change))
            way = way - shares[-1] * change
        way = self._untried(way.view_as(gradient)).flatten()
        for (moved, change, *_), share in zip(self.pairs, reversed(shares), strict=True):
            way = way + moved * (share - (change @ way) / (moved @ change))
        return way.view_as(gradient)

    def _untried(self, way: Tensor) -> Tensor:
        """The inverse Hessian times `way` in directions not yet tried.

        Of the whole it is between the two usual guesses, at the last step; a part differs from it
        as its Rayleigh quotient over the steps remembered does from that of all.
        """
        moved, change, *_ = self.pairs[-1]
        whole = torch.sqrt(moved.square().sum() / change.square().sum())
        squares = torch.stack([pair.squares for pair in self.pairs]).sum(0)
        products = torch.stack([pair.products for pair in self.pairs]).sum(0)
        softness = (squares + FAINT * squares.sum()) / squares.sum()
        stiffness = (products.clamp(min=0) + FAINT * products.sum()) / products.sum()
        times = (softness / stiffness).clamp(1 / APART, APART)
        parts = zip(self.split(way), times, strict=True)
        return whole * torch.stack([one * part for part, one in parts]).sum(0)


def size(x: Tensor) -> float:
    """Root mean square."""
    return float(x.norm()) / math.sqrt(x.numel())
