"""The flag of `Tempo`: beats a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ditto_music.cli.controls.figure import Figure

if TYPE_CHECKING:
    from ditto_music.controls import Tempo

GROUP = Group.create_ordered("Tempo")


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True)
class TempoFlags:
    """A tempo."""

    tempo: Annotated[
        float | None,
        Parameter(
            metavar="BPM",
            help="Beats a minute, 30 to 300; the clip must have room for four. Trackers often hear "
            "half of more than 160.",
        ),
    ] = None

    def control(self) -> Tempo | None:
        """The control, where a tempo was given."""
        from ditto_music.controls import Tempo

        return None if self.tempo is None else Tempo(self.tempo)

    def figure(self) -> Figure:
        """The tempo heard."""
        return Figure(lambda bpm: f"{bpm:.0f}", "bpm", "bpm")
