"""How a control's loss, or one of its metrics, reads to people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """How well a control is met, in the units people know.

    Attributes
    ----------
    read : from the loss, or the metric, to a number with its unit, such as "0.8 dB".
    noun : what that number is, such as "RMS error".
    metric : the one of the control's metrics that is read; None: its loss.
    """

    read: Callable[[float], str]
    noun: str
    metric: str | None = None

    def value(self, name: str, row: Mapping[str, float]) -> float | None:
        """What is read of the control `name` in a row of a search; None where it is not there."""
        return row.get(f"{name}.{self.metric}" if self.metric else name)

    def text(self, value: float) -> str:
        """Such as "0.8 dB RMS error"."""
        return f"{self.read(value)} {self.noun}"

    def change(self, before: float, after: float) -> str:
        """Such as "9.3 dB -> 0.8 dB RMS error"."""
        return f"{self.read(before)} -> {self.text(after)}"
