"""Savitzky-Golay smoothing (1964): a least-squares polynomial over a sliding window; and means."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.modes import apart


@cache
@apart()
def savgol_kernel(window: int, order: int = 2) -> Tensor:
    """Smoothing weights (window,), float64: first row of the pseudo-inverse of ``A_ij = i^j``.

    Parameters
    ----------
    window : odd number of frames, greater than `order`.
    order : degree of the polynomial; 2 and 3 give the same weights.
    """
    if window % 2 == 0 or window <= order:
        raise ValueError(f"window must be odd and above the order {order}, not {window}")
    half = window // 2
    offsets = torch.arange(-half, half + 1, dtype=torch.float64)
    return torch.linalg.pinv(offsets[:, None] ** torch.arange(order + 1))[0]


def smooth(x: Tensor, window: int, order: int = 2) -> Tensor:
    """Smooth along the last axis, (..., F) to (..., F); borders repeat their outermost value.

    Constants pass unchanged, and straight lines away from the borders. A window longer than the
    curve is shortened to the longest odd one that fits.
    """
    frames = x.shape[-1]
    window = min(window, frames - 1 + frames % 2)
    if window <= order:
        return x
    kernel = savgol_kernel(window, order).to(x)
    rows = x.reshape(-1, 1, frames)
    padded = F.pad(rows, (window // 2, window // 2), mode="replicate")
    return F.conv1d(padded, kernel[None, None]).reshape(x.shape)


def mean_under_hann(x: Tensor, window: int) -> Tensor:
    """Weighted mean along the last axis, (..., F) to (..., F); borders repeat their last value.

    The weights, a Hann window `window` frames wide from zero to zero (even), are never negative:
    unlike `smooth`, a mean of positive values is positive.
    """
    rows = x.reshape(-1, 1, x.shape[-1])
    kernel = torch.hann_window(window + 1, periodic=False).to(x)[1:-1]
    padded = F.pad(rows, (window // 2 - 1, window // 2 - 1), mode="replicate")
    return F.conv1d(padded, (kernel / kernel.sum())[None, None]).reshape(x.shape)
