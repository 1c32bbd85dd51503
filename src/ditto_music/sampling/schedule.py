"""Noise schedules: ``x_t = alpha(t) x_0 + sigma(t) eps``, t from ``start`` (noise) to 0 (clean)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Schedule(Protocol):
    """What a sampler needs to know of a diffusion process."""

    def alpha(self, t: Tensor) -> Tensor:
        """Scale of the clean signal at times `t`, any shape."""
        ...

    def sigma(self, t: Tensor) -> Tensor:
        """Standard deviation of the noise at times `t`, any shape."""
        ...

    def times(self, steps: int) -> Tensor:
        """Times of a run of `steps` steps: (steps + 1,) in float64, falling from ``start`` to 0."""
        ...


@dataclass(frozen=True)
class FlowSchedule:
    """Straight paths of flow matching (Lipman et al. 2023): ``alpha = 1 - t``, ``sigma = t``.

    Parameters
    ----------
    start
        Time of the initial noise. Just under 1, so that ``alpha`` is never 0 and samplers that
        divide by it, or take the logarithm of the signal-to-noise ratio, are defined everywhere.
    shift
        Time shift of Esser et al. (2024), ``t -> shift t / (1 + (shift - 1) t)``: above 1 more
        steps are spent near the noise.
    """

    start: float = 0.995
    shift: float = 1.0

    def alpha(self, t: Tensor) -> Tensor:
        """``1 - t``."""
        return 1 - t

    def sigma(self, t: Tensor) -> Tensor:
        """``t``."""
        return t

    def times(self, steps: int) -> Tensor:
        """Shifted uniform times, (steps + 1,)."""
        t = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        return self.start * self.shift * t / (1 + (self.shift - 1) * t)
