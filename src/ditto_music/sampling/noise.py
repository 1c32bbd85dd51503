"""The initial noise: a generator an item, on the CPU in float32, so devices and batches agree."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ditto_music.errors import InputError


def draw_noise(shape: Sequence[int], seeds: Sequence[int]) -> Tensor:
    """Standard normal noise (B, *shape), item ``i`` from ``seeds[i]``, alone or in a batch."""
    return draw_noises(shape, seeds, 1)[:, 0]


def draw_noises(shape: Sequence[int], seeds: Sequence[int], count: int) -> Tensor:
    """The initial noise and what the same generator draws next, (B, count, *shape)."""

    def drawn(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.stack([normal(shape, generator) for _ in range(count)])

    return torch.stack([drawn(seed) for seed in seeds_of(seeds)])


def normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """What a generator draws next, of this shape, whatever type or device is torch's default."""
    return torch.randn(*shape, generator=generator, dtype=torch.float32, device="cpu")


def seeds_of(given: Any) -> list[int]:
    """One seed or several, whole numbers of any type.

    Raises
    ------
    InputError
        If a generator of torch takes none so large.
    """
    try:
        seeds = [operator.index(given)]
    except TypeError:
        seeds = [operator.index(each) for each in given]
    for seed in seeds:
        if not -(2**63) <= seed < 2**64:
            raise InputError(f"seed is {seed}: it must be from -2**63 to 2**64 - 1")
    return seeds
