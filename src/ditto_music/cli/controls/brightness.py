"""The flag of `Brightness`: the spectral centroid along a curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ditto_music.cli.controls.figure import Figure

if TYPE_CHECKING:
    from ditto_music.controls import Brightness

GROUP = Group.create_ordered("Brightness")


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True)
class BrightnessFlags:
    """A curve in Hz."""

    brightness: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            metavar="CURVE",
            help="Spectral centroid over time, 100 Hz (dull) to a quarter of the sample rate "
            "(noise): start:end (800:3000 opens up), seconds=Hz points (0=800,4=3000), a CSV of "
            "such rows, or an audio file whose brightness to copy.",
        ),
    ] = None

    def control(self) -> Brightness | None:
        """The control, where a curve was given."""
        from ditto_music.controls import Brightness

        return None if self.brightness is None else Brightness(self.brightness)

    def figure(self) -> Figure:
        """The RMS error in octaves."""
        return Figure(lambda loss: f"{math.sqrt(loss):.2f}", "octaves RMS error")
