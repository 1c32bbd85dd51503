"""Classifier-free guidance (Ho and Salimans 2022) on clean estimates."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ditto_music.sampling.checkpointing import Denoise
from ditto_music.sampling.condition import Condition


def guided(
    denoise: Callable[[Tensor, Tensor, Condition], Tensor],
    condition: Condition,
    negative: Condition,
    scale: float,
) -> Denoise:
    """Bind the conditions: ``x0_n + scale (x0_c - x0_n)``, both halves in one batch.

    Parameters
    ----------
    denoise : the model's ``(x_t, t, condition) -> x0_hat``.
    condition, negative : of the prompts and of what to move away from, B items each.
    scale : guidance scale; 1 is the conditional model alone, at half the cost.
    """
    if scale == 1:
        return lambda x_t, t: denoise(x_t, t, condition)
    both = condition + negative

    def predict(x_t: Tensor, t: Tensor) -> Tensor:
        wanted, unwanted = denoise(torch.cat([x_t, x_t]), t, both).chunk(2)
        return unwanted + scale * (wanted - unwanted)

    return predict
