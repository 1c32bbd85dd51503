"""Clips as judges take them: numpy or torch, mono or more channels, checked once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ditto_music.errors import InputError

Samples = npt.NDArray[np.float32]
Clip = npt.NDArray[np.floating] | Tensor


def channels(clip: Clip) -> Samples:
    """The clip (N,) or (channels, N) as (channels, N).

    Raises
    ------
    InputError
        If it has another shape, is empty, or holds samples that are not numbers.
    """
    array = clip.detach().cpu().numpy() if isinstance(clip, Tensor) else np.asarray(clip)
    if array.ndim not in (1, 2) or not array.size:
        raise InputError(
            f"a clip to judge must be (samples,) or (channels, samples), not {array.shape}"
        )
    if not np.isfinite(array).all():
        raise InputError("a clip to judge holds samples that are not numbers (NaN or infinity)")
    return np.atleast_2d(array).astype(np.float32)


def mono(clip: Clip) -> Samples:
    """The mean (N,) of the clip's channels; raises as `channels` does."""
    return channels(clip).mean(0)
