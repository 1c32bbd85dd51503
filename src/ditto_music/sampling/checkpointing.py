"""Checkpoint each denoiser call: keep its input, drop its activations, run it again in backward.

Peak memory is then the activations of one call plus one latent a step, whatever the number of
steps; the price is one more forward pass a step (DITTO, Novack et al. 2024, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import Tensor
from torch.utils.checkpoint import checkpoint

Denoise = Callable[[Tensor, Tensor], Tensor]


def checkpointed(denoise: Denoise) -> Denoise:
    """The same denoiser ``(x_t, t) -> x0_hat``, recomputed in backward instead of stored.

    `denoise` must be a pure function of its arguments: it runs twice and has to give the same bits.
    """

    def recomputed(x_t: Tensor, t: Tensor) -> Tensor:
        return cast(
            "Tensor",
            checkpoint(denoise, x_t, t, use_reentrant=False, preserve_rng_state=False),
        )

    return recomputed
