"""The flag of `Structure`: a form, or a recording whose form to copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ditto_music.cli.controls.figure import Figure

if TYPE_CHECKING:
    from ditto_music.controls import Structure

GROUP = Group.create_ordered("Structure")


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True)
class StructureFlags:
    """Which parts sound alike."""

    structure: Annotated[
        str | None,
        Parameter(
            metavar="FORM",
            help="Sections as letters, equal ones to sound alike and others apart: AABA shares "
            "the clip equally, 'A:1.5 B:1 A' gives seconds (a section without takes what is "
            "left). Or an audio file whose structure to copy.",
        ),
    ] = None

    def control(self) -> Structure | None:
        """The control, where a form was given."""
        from ditto_music.controls import Structure

        return None if self.structure is None else Structure(self.structure)

    def figure(self) -> Figure:
        """The mean squared error."""
        return Figure(lambda loss: f"{loss:.2f}", "MSE")
