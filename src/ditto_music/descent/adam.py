"""Adam (Kingma and Ba 2015): as the papers have it, and with rates that fall."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Adam's usual momentum overshoots again and again: after 22 iterations on a rise of 22 dB a run
# with (0.9, 0.999) stood at 7.1 dB^2, having swung between 1 and 28; less momentum and a falling
# rate went down steadily, to 0.3.
BETAS = (0.5, 0.99)
HALF_LIFE = 40.0  # steps in which the rate halves
PERIOD = 10  # steps of the first cosine; each further one is twice as long


class PlainAdam:
    """Steps of about `lr` in every coordinate, with Adam's own constants: the papers' search."""

    betas = (0.9, 0.999)

    def __init__(self, lr: float = 5e-3) -> None:
        self.lr = lr
        self.restart()

    def restart(self, *, other: bool = False) -> None:
        """Forget the moments, which are those of another function's gradients."""
        self.age = 0
        self.mean, self.square = torch.zeros(()), torch.zeros(())

    @property
    def rate(self) -> float:
        """Of the next step."""
        return self.lr

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """One update of `x`; the loss counts for nothing."""
        rate, (slow, slower) = self.rate, self.betas
        self.age += 1
        self.mean = slow * self.mean.to(x) + (1 - slow) * gradient
        self.square = slower * self.square.to(x) + (1 - slower) * gradient.square()
        mean = self.mean / (1 - slow**self.age)
        square = self.square / (1 - slower**self.age)
        return x - rate * mean / (square.sqrt() + 1e-8)


class CosineAdam(PlainAdam):
    """The rate falls to 0 along a cosine and starts again (SGDR, Loshchilov and Hutter 2017)."""

    def __init__(self, lr: float = 3e-2) -> None:
        super().__init__(lr)

    @property
    def rate(self) -> float:
        """By where in its cosine the next step is."""
        at, period = self.age, PERIOD
        while at >= period:
            at, period = at - period, 2 * period
        return self.lr * (1 + math.cos(math.pi * at / period)) / 2


class Adam(PlainAdam):
    """Less momentum and a rate that halves again and again.

    After a restart the rate is as much smaller as the way to go: that shrinks like the square root
    of a squared error, and a fresh second moment would make the first steps full ones.
    """

    betas = BETAS

    def __init__(self, lr: float = 3e-2) -> None:
        self.first: float | None = None
        super().__init__(lr)

    def restart(self, *, other: bool = False) -> None:
        """Forget the moments, how near the bottom is, and what losses were in other units."""
        super().restart()
        self.boldness = 1.0
        if other:
            self.first = None

    @property
    def rate(self) -> float:
        """By the steps made and the loss at the restart."""
        return self.lr * self.boldness * 0.5 ** (self.age / HALF_LIFE)

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """One update of `x`; the loss only sets how bold a restart is."""
        if self.first is None:
            self.first = loss
        if self.age == 0 and self.first > 0:
            self.boldness = math.sqrt(min(1.0, max(loss / self.first, 0.01)))
        return super().step(x, loss, gradient)
