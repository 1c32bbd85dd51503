"""Noise schedules: ``x_t = alpha(t) x_0 + sigma(t) eps``, t from ``start`` (noise) to 0 (clean).

What a network predicts is no part of a schedule; `ditto_music.sampling.prediction` turns any of it
into the clean estimate that samplers walk by.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from ditto_music.errors import InputError

Spacing = Literal["trailing", "leading", "linspace"]


class Schedule(Protocol):
    """What a sampler needs to know of a diffusion process."""

    def alpha(self, t: Tensor) -> Tensor:
        """Scale of the clean signal at times `t`, any shape."""
        ...

    def sigma(self, t: Tensor) -> Tensor:
        """Standard deviation of the noise at times `t`, any shape."""
        ...

    def times(self, steps: int) -> Tensor:
        """Times of a run of `steps` steps: (steps + 1,) in float64, falling from noise to clean."""
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


@dataclass(frozen=True)
class AngleSchedule:
    """Cosine path of a variance-preserving process: ``alpha = cos(pi t / 2)``, ``sigma = sin``.

    Parameters
    ----------
    start : time of the initial noise, under 1.
    """

    start: float = 0.9987

    def alpha(self, t: Tensor) -> Tensor:
        """``cos(pi t / 2)``."""
        return (math.pi / 2 * t).cos()

    def sigma(self, t: Tensor) -> Tensor:
        """``sin(pi t / 2)``."""
        return (math.pi / 2 * t).sin()

    def times(self, steps: int) -> Tensor:
        """Uniform times, (steps + 1,)."""
        return torch.linspace(self.start, 0, steps + 1, dtype=torch.float64)


@dataclass(frozen=True)
class KarrasSchedule:
    """The noise levels of EDM (Karras et al. 2022) for latents of unit variance.

    Time is the noise level ``t`` of ``x_0 + t eps``; divided by ``sqrt(1 + t^2)`` that is
    variance-preserving, so noise begins at a deviation of one here as everywhere, and DDIM takes
    the very steps that Euler takes unscaled.

    Parameters
    ----------
    lowest, highest, rho : sigma_min, sigma_max and the curvature of the levels between.
    """

    lowest: float = 0.002
    highest: float = 80.0
    rho: float = 7.0

    def alpha(self, t: Tensor) -> Tensor:
        """``1 / sqrt(1 + t^2)``."""
        return (1 + t.square()).rsqrt()

    def sigma(self, t: Tensor) -> Tensor:
        """``t / sqrt(1 + t^2)``."""
        return t * (1 + t.square()).rsqrt()

    def times(self, steps: int) -> Tensor:
        """Equation 5, then 0: (steps + 1,)."""
        ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
        low, high = self.lowest ** (1 / self.rho), self.highest ** (1 / self.rho)
        return torch.cat([(high + ramp * (low - high)) ** self.rho, torch.zeros(1).double()])


@dataclass(frozen=True)
class DiscreteSchedule:
    """A variance-preserving process trained on whole steps (DDPM, Ho et al. 2020).

    The network's timestep n is the time n + 1 here, so that 0 is clean; between whole times
    ``alpha^2`` is interpolated in its logarithm.

    Parameters
    ----------
    betas : (T,) variances of the steps' noise, as a tuple; see `linear_betas` and its kin.
    spacing : how a run's steps lie among them, by the names of diffusers.
    offset : added to leading steps, ``steps_offset`` of diffusers.
    end
        Time a run ends at: 0, or 1, which keeps the first step's noise (``set_alpha_to_one=False``
        of diffusers).
    """

    betas: tuple[float, ...]
    spacing: Spacing = "trailing"
    offset: int = 1
    end: Literal[0, 1] = 0

    @cached_property
    def _alphas(self) -> Tensor:
        """Of the times 0 to T, (T + 1,)."""
        kept = torch.cat([torch.ones(1).double(), 1 - torch.tensor(self.betas).double()])
        return kept.cumprod(0).sqrt()

    def alpha(self, t: Tensor) -> Tensor:
        """Square root of the product of ``1 - beta``."""
        return self._exact(t).to(t if t.is_floating_point() else torch.float64)

    def sigma(self, t: Tensor) -> Tensor:
        """``sqrt(1 - alpha^2)``."""
        return (1 - self._exact(t).square()).sqrt().to(t)

    def _exact(self, t: Tensor) -> Tensor:
        """`alpha` in float64, on the CPU: not every device knows numbers so long."""
        table, at = self._alphas, t.cpu().double()
        below = at.floor().long().clamp(0, len(table) - 2)
        part = at - below
        low, high = table[below], table[below + 1]
        between = low.clamp(min=1e-30) ** (1 - part) * high.clamp(min=1e-30) ** part
        return torch.where(part == 0, low, torch.where(part == 1, high, between))

    def times(self, steps: int) -> Tensor:
        """Whole times, (steps + 1,).

        Raises
        ------
        InputError
            If there are not so many.
        """
        count = len(self.betas)
        if steps > count:
            raise InputError(f"steps is {steps}: this model was trained on {count}: take fewer")
        if self.spacing == "trailing":
            times = torch.arange(steps, 0, -1, dtype=torch.float64).mul(count / steps).round()
        elif self.spacing == "leading":
            times = torch.arange(steps - 1, -1, -1, dtype=torch.float64) * (count // steps)
            times = times + self.offset + 1
        else:
            times = torch.linspace(count - 1, 0, steps, dtype=torch.float64).round() + 1
        return torch.cat([times, torch.tensor([self.end]).double()])


@contextmanager
def times_known() -> Generator[None]:
    """Inside, times are numbers, also where all else is rehearsed on tensors without contents."""
    from torch._subclasses.fake_tensor import unset_fake_temporarily  # slow to import

    with unset_fake_temporarily():
        yield


def linear_betas(first: float = 1e-4, last: float = 0.02, steps: int = 1000) -> tuple[float, ...]:
    """Evenly rising variances (Ho et al. 2020)."""
    return tuple(torch.linspace(first, last, steps, dtype=torch.float64).tolist())


def scaled_linear_betas(
    first: float = 0.00085, last: float = 0.012, steps: int = 1000
) -> tuple[float, ...]:
    """Evenly rising deviations, as of latent diffusion (Rombach et al. 2022)."""
    roots = torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64)
    return tuple(roots.square().tolist())


def cosine_betas(steps: int = 1000, most: float = 0.999) -> tuple[float, ...]:
    """``alpha^2`` along a squared cosine (Nichol and Dhariwal 2021)."""

    def kept(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    return tuple(min(1 - kept((i + 1) / steps) / kept(i / steps), most) for i in range(steps))


def without_terminal_signal(betas: tuple[float, ...]) -> tuple[float, ...]:
    """The same, rescaled so that the last step is pure noise (Lin et al. 2024, algorithm 1)."""
    roots = (1 - torch.tensor(betas).double()).cumprod(0).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    squared = ((roots - last) * first / (first - last)).square()
    kept = torch.cat([squared[:1], squared[1:] / squared[:-1]])
    return tuple((1 - kept).tolist())
