"""Normalised gradient descent (Nesterov 1984): the direction counts, the slope's size does not."""

from __future__ import annotations

from torch import Tensor


class Normalised:
    """Steps of `lr` (root mean square over the coordinates) straight down."""

    def __init__(self, lr: float = 3e-2) -> None:
        self.lr = lr

    def restart(self, *, other: bool = False) -> None:
        """Nothing is remembered."""

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """One update of `x`; where the gradient is zero, `x` itself."""
        size = gradient.square().mean().sqrt()
        return x - self.lr * gradient / size if float(size) > 0 else x
