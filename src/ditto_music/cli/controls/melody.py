"""The flags of `Melody`: a tune to follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from ditto_music.cli.controls.figure import Figure
from ditto_music.cli.shared import Whole
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.controls import Melody

GROUP = Group.create_ordered("Melody")


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True)
class MelodyFlags:
    """A tune and how to lay it over the clip."""

    melody: Annotated[
        str | None,
        Parameter(
            metavar="TUNE",
            help="The tune, in any octave: notes with seconds, a dot rests ('C4:1 .:0.5 Eb4:0.5'), "
            "notes spread evenly over the clip ('C D E'), a MIDI file, or a recording of one voice "
            "(sung, hummed, whistled, played). Files begin with their first note; what is longer "
            "than the clip is left out.",
        ),
    ] = None
    melody_transpose: Annotated[
        Whole, Parameter(metavar="SEMITONES", help="Move the tune up, or down below 0.")
    ] = 0
    melody_stretch: Annotated[
        float | Literal["fit"],
        Parameter(metavar="FACTOR", help="2 is twice as slow; fit lets it last the whole clip."),
    ] = 1.0
    melody_part: Annotated[
        Whole | None,
        Parameter(
            metavar="NUMBER",
            help="Of a MIDI file, which channel of a track, from 1. By default: one named melody, "
            "lead or voice, else the highest single line.",
        ),
    ] = None

    def control(self) -> Melody | None:
        """The control, where a tune was given.

        Raises
        ------
        InputError
            If only how to lay one over the clip was given, or the tune cannot be understood.
        """
        from ditto_music.controls import Melody

        if self.melody is None:
            if self != MelodyFlags():
                raise InputError(
                    "--melody-transpose, --melody-stretch and --melody-part do nothing alone: "
                    "give a tune by --melody"
                )
            return None
        return Melody(self.melody, self.melody_transpose, self.melody_stretch, self.melody_part)

    def figure(self) -> Figure:
        """The share of frames that are right."""
        return Figure(lambda share: f"{100 * share:.0f}%", "of frames", "accuracy")
