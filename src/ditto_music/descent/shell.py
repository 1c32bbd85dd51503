"""Staying where Gaussian noise lies while descending.

The norm of Gaussian noise in many dimensions hardly varies: noise lies in a thin shell, and a model
was shown no other. A loss on the finished audio knows nothing of that. DOODL (Wallace et al. 2023)
brings the noise back to its norm after every update; here what is descended knows it too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ditto_music.descent.base import Descent


class OnShell:
    """Another way down, kept on the sphere through the point it starts from.

    The other sees the gradient without its part along the radius, and each of its steps is drawn
    back to the sphere. With the gradient along the sphere alone, what L-BFGS learns of curvature is
    that of the loss on the sphere, up to second order in the step.
    """

    def __init__(self, way: Descent) -> None:
        self.way = way
        self.radius: Tensor | None = None

    def restart(self) -> None:
        """The sphere stays the first one."""
        self.way.restart()

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """The next point to try, as far from zero as the first was."""
        if self.radius is None:
            self.radius = torch.linalg.vector_norm(x)
        along = gradient - (gradient * x).sum() / x.square().sum().clamp(min=1e-30) * x
        ahead = self.way.step(x, loss, along)
        return ahead * (self.radius / torch.linalg.vector_norm(ahead).clamp(min=1e-30))
