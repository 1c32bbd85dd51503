"""The flags of `Intensity`: loudness along a curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from ditto_music.cli.controls.figure import Figure
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.controls import Intensity

GROUP = Group.create_ordered("Intensity")


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True)
class IntensityFlags:
    """A curve in dBFS and how to compare with it."""

    intensity: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            metavar="CURVE",
            help="Loudness over time, -80 (silence) to 0 (full scale) dBFS: start:end (-35:-14 "
            "grows louder), seconds=dB points (0=-35,4=-14), a CSV of such rows, or an audio file "
            "whose loudness to copy.",
        ),
    ] = None
    intensity_loss: Annotated[
        Literal["mse", "correlation"],
        Parameter(help="mse follows the curve's levels in dB, correlation only its shape."),
    ] = "mse"

    def control(self) -> Intensity | None:
        """The control, where a curve was given.

        Raises
        ------
        InputError
            If only how to compare was given, or the curve cannot be understood.
        """
        from ditto_music.controls import Intensity

        if self.intensity is None:
            if self.intensity_loss != IntensityFlags.intensity_loss:
                raise InputError("--intensity-loss does nothing alone: give a curve by --intensity")
            return None
        return Intensity(self.intensity, self.intensity_loss)

    def figure(self) -> Figure:
        """The RMS error in dB, or the correlation."""
        if self.intensity_loss == "mse":
            return Figure(lambda loss: f"{math.sqrt(loss):.1f} dB", "RMS error")
        return Figure(lambda loss: f"{1 - loss:.2f}", "correlation")
