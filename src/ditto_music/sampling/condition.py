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
        """Both batches, one after the other; sequences (B, L, ...) are brought to one length."""
        return Condition(
            {name: _joined(value, other.tensors[name]) for name, value in self.tensors.items()}
        )


def _joined(a: Tensor, b: Tensor) -> Tensor:
    """One batch; a single token is repeated, a shorter sequence filled up with zeros."""
    if a.ndim > 1 and a.shape[1] != b.shape[1]:
        length = max(a.shape[1], b.shape[1])
        a, b = (_of_length(x, length) for x in (a, b))
    return torch.cat([a, b])


def _of_length(x: Tensor, length: int) -> Tensor:
    if x.shape[1] == 1:
        return x.expand(-1, length, *x.shape[2:])
    return torch.cat([x, x.new_zeros(len(x), length - x.shape[1], *x.shape[2:])], dim=1)
