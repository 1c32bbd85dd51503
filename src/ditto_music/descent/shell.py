"""Staying where Gaussian noise lies while descending.

The norm of Gaussian noise in many dimensions hardly varies: noise lies in a thin shell, and a model
was shown no other. A loss on the finished audio knows nothing of that. DOODL (Wallace et al. 2023)
brings the noise back to its norm after every update; here what is descended knows it too.

One norm for all leaves room for noise that is none: slow and large, fast and faint. White noise has
a shell in every band of frequencies, so the norm of each octave may be kept as well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ditto_music.descent.base import Descent
from ditto_music.descent.parts import Split, as_one

TINY = 1e-30


class OnShell:
    """Another way down, kept on the sphere through the point it starts from.

    The other sees the gradient without its part along the radius, and each of its steps is drawn
    back to the sphere. With the gradient along the sphere alone, what L-BFGS learns of curvature is
    that of the loss on the sphere, up to second order in the step.

    Parameters
    ----------
    split : into parts; each keeps to its own sphere.
    """

    def __init__(self, way: Descent, split: Split = as_one) -> None:
        self.way, self.split = way, split
        self.radii: list[Tensor] = []

    def restart(self, *, other: bool = False) -> None:
        """The spheres stay the first ones."""
        self.way.restart(other=other)

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """The next point to try, each part as far from zero as the first point's was."""
        parts = self.split(x)
        self.radii = self.radii or [torch.linalg.vector_norm(part) for part in parts]
        along = gradient
        for part in parts:
            along = along - (gradient * part).sum() / part.square().sum().clamp(min=TINY) * part
        ahead = self.split(self.way.step(x, loss, along))
        scaled = [
            part * (radius / torch.linalg.vector_norm(part).clamp(min=TINY))
            for part, radius in zip(ahead, self.radii, strict=True)
        ]
        return torch.stack(scaled).sum(0)
