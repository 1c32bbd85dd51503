"""Ways down: from a point, its loss and its gradient to the next point to try.

Each is one small class, made anew for every item of a batch, with the same two methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from ditto_music.descent.adam import Adam
from ditto_music.descent.lbfgs import LBFGS

__all__ = ["DESCENTS", "LBFGS", "Adam", "Descent"]


class Descent(Protocol):
    """One item's way down."""

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """The next point to try, the shape of `x`; all three are finite."""
        ...

    def restart(self) -> None:
        """What is minimised has changed a little: forget what does not carry over."""
        ...


#: Made with the size of a step, or with its own where that is None.
DESCENTS: dict[str, Callable[[float | None], Descent]] = {
    "lbfgs": lambda lr: LBFGS() if lr is None else LBFGS(lr),
    "adam": lambda lr: Adam() if lr is None else Adam(lr),
}
