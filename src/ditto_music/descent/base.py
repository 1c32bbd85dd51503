"""What a way down is."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Descent(Protocol):
    """One item's way down."""

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """The next point to try, the shape of `x`; all three are finite."""
        ...

    def restart(self, *, other: bool = False) -> None:
        """What is minimised has changed a little: forget what does not carry over.

        Parameters
        ----------
        other : whether the sum has other units now, so that losses and slopes are no guide.
        """
        ...
