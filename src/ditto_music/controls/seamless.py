"""Seamless: the end of a clip goes on at its beginning (DITTO, appendix E)."""

from __future__ import annotations

import torch
from torch import Tensor

from ditto_music.controls.base import Control
from ditto_music.errors import InputError
from ditto_music.protocols import Clip, Form


class Seamless(Control):
    """What would come after the end of the loop is what it begins with, in the latent.

    Both sides follow the other. Cut to the loop's length, the clip then goes on at its beginning.

    Parameters
    ----------
    length : frames of the latent in the loop.
    overlap : frames after it that are to equal its first.
    """

    name = "seamless"
    tolerance = 0.02

    def __init__(self, length: int, overlap: int) -> None:
        if not 0 < overlap <= length:
            raise InputError("seamless: the overlap must be 1 frame or more and fit into the loop")
        self.length, self.overlap = length, overlap

    def target(self, form: Form) -> Tensor:
        """Zero (), the difference wanted."""
        if form.latent_shape[-1] < self.length + self.overlap:
            raise InputError(
                f"seamless: a clip of {form.seconds:g} s is shorter than loop and overlap together"
            )
        return torch.zeros((), device=form.device)

    def feature(self, clip: Clip) -> Tensor:
        """Differences (B, ..., overlap) of the latent's first frames and those after the loop."""
        after = clip.latent[..., self.length : self.length + self.overlap]
        return clip.latent[..., : self.overlap] - after

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """Mean squared difference (B,), of latents of unit variance."""
        return (feature - target).square().flatten(1).mean(1)
