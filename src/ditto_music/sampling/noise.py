"""The initial noise: a generator an item, on the CPU in float32, so devices and batches agree."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def draw_noise(shape: Sequence[int], seeds: Sequence[int]) -> Tensor:
    """Standard normal noise (B, *shape), item ``i`` from ``seeds[i]``, alone or in a batch."""
    return torch.stack(
        [torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    )
