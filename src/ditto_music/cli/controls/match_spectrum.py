"""The flag of `MatchSpectrum`: the balance of a recording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ditto_music.cli.controls.figure import Figure

if TYPE_CHECKING:
    from ditto_music.controls import MatchSpectrum

GROUP = Group.create_ordered("Spectrum")


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True)
class MatchSpectrumFlags:
    """A recording whose balance of low, middle and high to match."""

    match_spectrum: Annotated[
        str | None,
        Parameter(
            metavar="FILE",
            help="Audio file whose balance of low, middle and high to match, whatever its "
            "loudness; of half a second or more.",
        ),
    ] = None

    def control(self) -> MatchSpectrum | None:
        """The control, where a recording was given."""
        from ditto_music.controls import MatchSpectrum

        return None if self.match_spectrum is None else MatchSpectrum(self.match_spectrum)

    def figure(self) -> Figure:
        """The RMS error over the bands, in dB."""
        return Figure(lambda loss: f"{math.sqrt(loss):.1f}", "dB RMS error")
