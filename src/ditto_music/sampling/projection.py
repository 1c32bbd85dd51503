"""Adaptive projected guidance (Sadat et al. 2024, arXiv:2410.02416), as ACE-Step has it.

What guidance adds is a difference of two predictions, under the prompt and without. Here the
differences of a walk are summed with a momentum, mostly against the last ones; the sum is made no
longer than a limit; and of it counts what stands at right angles to the prediction under the
prompt, as what lies along it only makes the music louder and harsher.

The sum is the one thing that a walk remembers from call to call. It lives outside of the denoiser,
on its answers, so that a call can be made again in backward and give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.errors import InputError
from ditto_music.sampling.prediction import Prediction, clean, predicted
from ditto_music.sampling.schedule import Schedule, times_known

TINY = 1e-12  # a difference as short as this is none


@dataclass(frozen=True)
class Projection:
    """How a difference of predictions becomes what is added.

    Parameters
    ----------
    kind : of the predictions.
    momentum : share of the last sum that the next is given; below 0 it is taken away.
    limit : length over time that a channel of the sum may have; 0: any.
    parallel : share of what lies along the prediction under the prompt that stays.

    Raises
    ------
    InputError
        If one is out of range.
    """

    kind: Prediction = "flow"
    momentum: float = -0.75
    limit: float = 2.5
    parallel: float = 0.0

    def __post_init__(self) -> None:
        if not -1 < self.momentum < 1:
            raise InputError(f"momentum is {self.momentum:g}: it must lie between -1 and 1")
        if not 0 <= self.limit < float("inf"):
            raise InputError(f"limit is {self.limit:g}: it must be 0 or more")
        if not 0 <= self.parallel <= 1:
            raise InputError(f"parallel is {self.parallel:g}: it must be 0 to 1")

    def update(self, total: Tensor, along: Tensor) -> Tensor:
        """What of a sum of differences is added to the prediction `along`, all (B, ..., T)."""
        if self.limit:
            length = torch.linalg.vector_norm(total, dim=-1, keepdim=True)
            total = total * (self.limit / length.clamp(min=TINY)).clamp(max=1.0)
        axis = F.normalize(along, dim=-1, eps=TINY)
        parallel = (total * axis).sum(-1, keepdim=True) * axis
        return total - (1 - self.parallel) * parallel


class Projected:
    """The rule along one walk, on which time falls; where it rises a walk begins.

    A call made again at the same time has the same past. Gradients pass through all of it, the sum
    of earlier differences included.
    """

    def __init__(self, how: Projection, schedule: Schedule) -> None:
        self.how, self.schedule = how, schedule
        self.past: Tensor | None = None
        self.total: Tensor | None = None
        self.last = 0.0

    def __call__(
        self, wanted: Tensor, unwanted: Tensor, x_t: Tensor, t: Tensor, scale: float
    ) -> Tensor:
        """The guided clean estimate of two, all (B, ..., T)."""
        how = self.how
        with times_known():
            now = float(t)
        if now != self.last:
            self.past = self.total if now < self.last else None
        alpha, sigma = self.schedule.alpha(t).to(x_t), self.schedule.sigma(t).to(x_t)
        along, other = (predicted(how.kind, x_0, x_t, alpha, sigma) for x_0 in (wanted, unwanted))
        total = along - other
        if self.past is not None:
            total = total + how.momentum * self.past
        self.total, self.last = total, now
        output = along + (scale - 1) * how.update(total, along)
        return clean(how.kind, output, x_t, alpha, sigma)
