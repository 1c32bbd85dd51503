"""The flag of `Rhythm`: onsets where a recording has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ditto_music.cli.controls.figure import Figure

if TYPE_CHECKING:
    from ditto_music.controls import Rhythm

GROUP = Group.create_ordered("Rhythm")


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True)
class RhythmFlags:
    """A recording whose rhythm to follow."""

    rhythm: Annotated[
        str | None,
        Parameter(
            metavar="FILE",
            help="Audio file whose rhythm to follow: the music begins notes when it does. At "
            "least as long as the clip; its beginning is followed.",
        ),
    ] = None

    def control(self) -> Rhythm | None:
        """The control, where a recording was given."""
        from ditto_music.controls import Rhythm

        return None if self.rhythm is None else Rhythm(self.rhythm)

    def figure(self) -> Figure:
        """The correlation of the onset strengths."""
        return Figure(lambda loss: f"{1 - loss:.2f}", "correlation")
