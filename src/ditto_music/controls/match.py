"""Match a reference where a mask says so: the base of every edit (DITTO, sections 3.1 to 3.3)."""

from __future__ import annotations

from torch import Tensor

from ditto_music.controls.base import Control
from ditto_music.errors import InputError
from ditto_music.protocols import Clip, Form


class Match(Control):
    """``|| M (x_0 - x_ref) ||^2`` in the model's own latent domain, per latent value kept.

    Parameters
    ----------
    reference : (..., T), the latent to match.
    mask : (T,), 1 = keep the reference, 0 = make new; values between weigh a frame.

    Raises
    ------
    InputError
        If the mask keeps nothing, or of the reference something is no number; with the clip known,
        if the shapes differ.
    """

    name = "match"
    tolerance = 0.01

    def __init__(self, reference: Tensor, mask: Tensor) -> None:
        if not float(mask.sum()) > 0:
            raise InputError("match: the mask keeps nothing of the reference")
        if not bool(reference.isfinite().all()):
            raise InputError("match: the reference must be finite numbers")
        self.reference = reference
        self.mask = mask

    def target(self, form: Form) -> Tensor:
        """The reference (..., T), checked against the clip."""
        if tuple(self.reference.shape) != tuple(form.latent_shape):
            raise InputError(
                f"match: the reference latent is {tuple(self.reference.shape)}, "
                f"the clip's {tuple(form.latent_shape)}: give both the same duration"
            )
        if self.mask.shape != self.reference.shape[-1:]:
            raise InputError(
                f"match: the mask is {tuple(self.mask.shape)}, the reference's frames are "
                f"{self.reference.shape[-1]}: give a value for each"
            )
        return self.reference.to(form.device, copy=True)

    def feature(self, clip: Clip) -> Tensor:
        """The clean latent itself (B, ..., T)."""
        return clip.latent

    def known(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """The reference and the mask."""
        return target, self.mask.to(target.device)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """Weighted mean squared error (B,)."""
        error = (feature - target).square().flatten(1, -2).mean(1)
        mask = self.mask.to(error, copy=True)
        return (error * mask).sum(-1) / mask.sum()
