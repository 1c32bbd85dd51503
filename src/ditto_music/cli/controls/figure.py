"""How the loss of a control reads to people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A loss in the units people know.

    Attributes
    ----------
    read : from the loss to a number with its unit, such as "0.8 dB".
    noun : what that number is, such as "RMS error".
    """

    read: Callable[[float], str]
    noun: str

    def text(self, loss: float) -> str:
        """Such as "0.8 dB RMS error"."""
        return f"{self.read(loss)} {self.noun}"

    def change(self, before: float, after: float) -> str:
        """Such as "9.3 dB -> 0.8 dB RMS error"."""
        return f"{self.read(before)} -> {self.text(after)}"
