"""Self-similarity of a clip: how alike each two of its moments are (DITTO)."""

from __future__ import annotations

from torch import Tensor

from ditto_music.features.smoothing import smooth


def self_similarity(features: Tensor) -> Tensor:
    """``T^t T`` of features (B, D, F), as (B, F, F); cosines where the features have length one."""
    return features.transpose(-1, -2) @ features


def smooth_both_ways(matrix: Tensor, window: int, order: int = 2) -> Tensor:
    """Savitzky-Golay smoothing of (..., F, F) along both axes; see `smooth` for one.

    The two passes fit a product of polynomials over a square of `window` by `window`.
    """
    return smooth(smooth(matrix, window, order).transpose(-1, -2), window, order).transpose(-1, -2)
