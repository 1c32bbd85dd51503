"""Classifier-free guidance (Ho and Salimans 2022) on clean estimates, and what tames it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.condition import Condition
from ditto_music.sampling.projection import Projected, Projection
from ditto_music.sampling.schedule import Schedule, times_known

#: ``(x_t, t)`` to the guided clean estimate (B, ...) and what guidance added to it, if it acts.
Parts = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]

LARGEST = 3.0  # of a latent of unit variance, where no threshold works yet


@dataclass(frozen=True)
class Guidance:
    """How strongly, where and how to guide.

    Parameters
    ----------
    scale : 1 is the conditional model alone, at half the cost; 0 the unconditional one.
    interval
        Guide only while the share of noise, ``sigma / (alpha + sigma)``, is within it (Kynkaanniemi
        et al. 2024); elsewhere the conditional model runs alone, at half the cost.
    rescale
        0 to 1, how far to bring each item's standard deviation back to that of the conditional
        estimate (Lin et al. 2024, section 3.4, here on clean estimates). Gradients pass.
    threshold
        A quantile such as 0.995: values beyond it are cut off and the item is scaled so that it
        becomes 3, if it is larger (dynamic thresholding, Saharia et al. 2022). What is cut off has
        no gradient; the quantile counts as a constant. None: off.
    projection
        The rule of models that are guided by projection and momentum, ACE-Step's; it has no scale
        below 1. None: plain guidance.

    Raises
    ------
    InputError
        If one is out of range.
    """

    scale: float = 3.0
    interval: tuple[float, float] = (0.0, 1.0)
    rescale: float = 0.0
    threshold: float | None = None
    projection: Projection | None = None

    def __post_init__(self) -> None:
        low, high = self.interval
        if not 0 <= self.scale < float("inf"):
            raise InputError(f"guidance is {self.scale:g}: it must be 0 or more")
        if not 0 <= low < high <= 1:
            raise InputError(
                f"guidance-interval is {low:g} to {high:g}: it must rise, within 0 to 1"
            )
        if not 0 <= self.rescale <= 1:
            raise InputError(f"guidance-rescale is {self.rescale:g}: it must be 0 to 1")
        if self.threshold is not None and not 0.5 <= self.threshold <= 1:
            raise InputError(f"threshold is {self.threshold:g}: it must be a quantile, 0.5 to 1")
        if self.projection and self.scale < 1:
            raise InputError(
                f"guidance is {self.scale:g}: by projection it must be 1 or more (or plain)"
            )

    def acts_at(self, t: Tensor, schedule: Schedule) -> bool:
        """Whether a step at time t () is guided."""
        if self.scale == 1:
            return False
        if self.interval == (0.0, 1.0):
            return True
        with times_known():
            alpha, sigma = float(schedule.alpha(t)), float(schedule.sigma(t))
        return self.interval[0] <= sigma / (alpha + sigma) <= self.interval[1]


def guided(
    denoise: Callable[[Tensor, Tensor, Condition], Tensor],
    condition: Condition,
    negative: Condition,
    guidance: Guidance | float,
    schedule: Schedule | None = None,
) -> Denoise:
    """Bind the conditions: ``x0_n + scale (x0_c - x0_n)``, both halves in one batch.

    Parameters
    ----------
    denoise : the model's ``(x_t, t, condition) -> x0_hat``.
    condition, negative : of the prompts and of what to move away from, B items each.
    guidance : or its scale alone.
    schedule : the model's, for a guidance with an interval or a projection.
    """
    how = Guidance(guidance) if isinstance(guidance, int | float) else guidance
    predict = joined(estimates(denoise, condition, negative, how, schedule), how, schedule)
    return lambda x_t, t: predict(x_t, t)[0]


def estimates(
    denoise: Callable[[Tensor, Tensor, Condition], Tensor],
    condition: Condition,
    negative: Condition,
    guidance: Guidance,
    schedule: Schedule | None = None,
) -> Denoise:
    """What guidance is made of: estimates (B, ...) under the prompts, at a guided step with those
    under what to move away from behind them (2B, ...). A pure function; arguments as `guided`.
    """
    if guidance.scale == 0:
        condition = negative
    both = condition + negative

    def predict(x_t: Tensor, t: Tensor) -> Tensor:
        if guidance.scale in (0, 1) or (schedule and not guidance.acts_at(t, schedule)):
            return denoise(x_t, t, condition).to(x_t.dtype)
        return denoise(torch.cat([x_t, x_t]), t, both).to(x_t.dtype)

    return predict


def joined(both: Denoise, guidance: Guidance, schedule: Schedule | None = None) -> Parts:
    """The guided estimate of what `estimates` gives, and what guidance added beside it.

    A projection remembers what was added before, so this is for one walk at a time.
    """
    how = guidance
    projected = None
    if how.projection is not None:
        assert schedule is not None
        projected = Projected(how.projection, schedule)

    def predict(x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        x_0, added = both(x_t, t), None
        if len(x_0) > len(x_t):
            wanted, unwanted = x_0.chunk(2)
            if projected is None:
                added = how.scale * (wanted - unwanted)
                x_0 = unwanted + added
            else:
                x_0 = projected(wanted, unwanted, x_t, t, how.scale)
                added = x_0 - unwanted
            if how.rescale:
                x_0 = rescaled(x_0, wanted, how.rescale)
        return x_0 if how.threshold is None else thresholded(x_0, how.threshold), added

    return predict


def rescaled(x_0: Tensor, wanted: Tensor, share: float) -> Tensor:
    """`x_0` (B, ...) brought by `share` to the standard deviation of `wanted`, item by item."""
    deviations = [x.flatten(1).std(1) for x in (wanted, x_0)]
    factor = share * deviations[0] / deviations[1].clamp(min=1e-12) + (1 - share)
    return x_0 * factor.reshape(-1, *[1] * (x_0.ndim - 1))


def thresholded(x_0: Tensor, quantile: float, largest: float = LARGEST) -> Tensor:
    """`x_0` (B, ...) cut off at a quantile of its size and scaled so that this is `largest`.

    Items whose quantile is no larger are left as they are.
    """
    size = torch.quantile(x_0.detach().abs().flatten(1).float(), quantile, dim=1).to(x_0)
    edge = size.clamp(min=largest).reshape(-1, *[1] * (x_0.ndim - 1))
    cut = torch.minimum(torch.maximum(x_0, -edge), edge) * (largest / edge)
    return torch.where(edge > largest, cut, x_0)
