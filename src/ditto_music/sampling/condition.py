"""The condition of a denoiser: named tensors, batch first, that can be joined and picked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Condition:
    """What a model made of the prompts. Every tensor is (B, ...); only the model reads them."""

    tensors: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, items: Sequence[int]) -> Condition:
        """The condition of the items picked, in that order."""
        picked = list(items)
        return Condition({name: value[picked] for name, value in self.tensors.items()})

    def __add__(self, other: Condition) -> Condition:
        """Both batches, one after the other."""
        return Condition(
            {name: torch.cat([value, other.tensors[name]]) for name, value in self.tensors.items()}
        )
