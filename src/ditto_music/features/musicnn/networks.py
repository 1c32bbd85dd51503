"""The taggers of Pons and Serra (2019, arXiv:1909.06654) as they stand after training.

Batch normalisation is an `Affine` with its running statistics folded in, dropout is gone, and what
TensorFlow lays out as (time, band, channel) is (channel, time, band) here. Shapes: a patch is
(B, 187, 96), frames by mel bands; logits are (B, 50), one a tag.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TIMBRAL_FILTERS, TIMBRAL_BANDS = 204, (38, 67)
TEMPORAL_FILTERS, TEMPORAL_FRAMES = 51, (128, 64, 32)
MIDDLE, DENSE, TAGS = 64, 200, 50
FRONT = len(TIMBRAL_BANDS) * TIMBRAL_FILTERS + len(TEMPORAL_FRAMES) * TEMPORAL_FILTERS
POOLED = FRONT + 3 * MIDDLE


class Affine(nn.Module):
    """``scale x + shift`` along `dim`: batch normalisation after training."""

    def __init__(self, size: int, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim
        self.scale, self.shift = (nn.Parameter(torch.empty(size)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape whose axis `dim` has the size."""
        shape = [-1 if i == self.dim else 1 for i in range(x.ndim)]
        return x * self.scale.view(shape) + self.shift.view(shape)


class Block(nn.Module):
    """A convolution, its rectifier and its normalisation."""

    def __init__(self, convolution: nn.Conv1d | nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = Affine(convolution.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """As the convolution."""
        return self.norm(F.relu(self.convolution(x)))


class MusiCNN(nn.Module):
    """Musically motivated filters in front, three dense layers over time, pooling over all of it.

    Timbral filters are seven frames wide and see 38 or 67 of the 96 bands, temporal ones see one
    band over 128, 64 or 32 frames (2, 1 and 0.5 s); of each the best position in frequency counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.input = Affine(1)
        self.timbral = nn.ModuleList(
            Block(nn.Conv2d(1, TIMBRAL_FILTERS, (7, bands), padding=(3, 0)))
            for bands in TIMBRAL_BANDS
        )
        self.temporal = nn.ModuleList(
            Block(nn.Conv2d(1, TEMPORAL_FILTERS, (frames, 1))) for frames in TEMPORAL_FRAMES
        )
        self.middle = nn.ModuleList(
            Block(nn.Conv1d(size, MIDDLE, 7, padding=3)) for size in (FRONT, MIDDLE, MIDDLE)
        )
        self.pooled = Affine(2 * POOLED)
        self.dense = nn.Linear(2 * POOLED, DENSE)
        self.dense_norm = Affine(DENSE)
        self.output = nn.Linear(DENSE, TAGS)

    def forward(self, patch: Tensor) -> Tensor:
        """Logits (B, 50) of patches (B, 187, 96)."""
        return self.output(self.embed(patch))

    def embed(self, patch: Tensor) -> Tensor:
        """The penultimate layer (B, 200) of patches (B, 187, 96)."""
        x = self.input(patch[:, None])
        timbral = [block(x).amax(-1) for block in self.timbral]
        temporal = [
            block(F.pad(x, (0, 0, (frames - 1) // 2, frames // 2))).amax(-1)
            for block, frames in zip(self.temporal, TEMPORAL_FRAMES, strict=True)
        ]
        front = torch.cat([*timbral, *temporal], dim=1)
        first, second, third = self.middle
        one = first(front)
        two = one + second(one)
        three = two + third(two)
        features = torch.cat([front, one, two, three], dim=1)
        pooled = torch.cat([features.amax(-1), features.mean(-1)], dim=1)
        return self.dense_norm(F.relu(self.dense(self.pooled(pooled))))


class VGG(nn.Module):
    """Five layers of 3 by 3 filters: the plain network that MusiCNN was compared with.

    The pools are those of the graph it was trained as, which are not those of the package's code.
    """

    POOLS = ((4, 1), (1, 4), (2, 2), (2, 2), (4, 4))

    def __init__(self, channels: int = 128) -> None:
        super().__init__()
        self.input = Affine(1)
        self.blocks = nn.ModuleList(
            Block(nn.Conv2d(size, channels, 3, padding=1)) for size in (1, *[channels] * 4)
        )
        self.output = nn.Linear(2 * channels, TAGS)

    def forward(self, patch: Tensor) -> Tensor:
        """Logits (B, 50) of patches (B, 187, 96)."""
        x = self.input(patch[:, None])
        for block, window in zip(self.blocks, self.POOLS, strict=True):
            x = F.max_pool2d(block(x), window)
        return self.output(x.flatten(1))
