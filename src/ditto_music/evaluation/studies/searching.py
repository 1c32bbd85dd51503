"""A search over anything that a clip is made of, not x_T alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ditto_music.descent import DESCENTS
from ditto_music.problem import Problem

#: From what is searched (n,) and the number of the iteration, from 0, to a clean latent (1, ...).
Make = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes
    ----------
    best : (n,), that of the least loss.
    losses, points : of each iteration.
    """

    best: Tensor
    losses: list[float]
    points: list[Tensor]


def searched(
    problem: Problem, start: Tensor, make: Make, iterations: int, optimizer: str = "lbfgs"
) -> Found:
    """Go down the problem's loss, a single item's, from a point (n,) whose values are of size one.

    As `ditto_music.optimize.optimize` does on one stage: the best point is kept, and the search
    ends early where the problem is met.

    Raises
    ------
    FloatingPointError
        If the loss was never a finite number.
    """
    descent = DESCENTS[optimizer](None)
    point, best, lowest = start, start, math.inf
    losses: list[float] = []
    points: list[Tensor] = []
    for number in range(iterations):
        at = point.detach().requires_grad_()
        loss, rows = problem.measure(problem.clip(make(at, number)), [0])
        (slope,) = torch.autograd.grad(loss.sum(), at)
        value = rows[0]["loss"]
        losses.append(value)
        points.append(at.detach())
        if value < lowest:
            lowest, best = value, at.detach()
        whole = math.isfinite(value) and bool(torch.isfinite(slope).all())
        if not whole or problem.goals[0].met(rows[0]):
            break
        point = descent.step(at.detach(), value, slope)
    if not math.isfinite(lowest):
        raise FloatingPointError("the loss was never a finite number")
    return Found(best, losses, points)


def packed(parts: list[Tensor]) -> Tensor:
    """Tensors as one point (n,)."""
    return torch.cat([part.flatten() for part in parts])


def unpacked(point: Tensor, like: list[Tensor]) -> Iterator[Tensor]:
    """The tensors of a point, of these shapes."""
    sizes = [part.numel() for part in like]
    for piece, part in zip(point.split(sizes), like, strict=True):
        yield piece.view(part.shape)
