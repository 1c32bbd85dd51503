"""The flags of each control: one file each, and one line in `Asked`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cyclopts import Parameter

from ditto_music.cli.controls.brightness import BrightnessFlags
from ditto_music.cli.controls.clap import ClapFlags
from ditto_music.cli.controls.figure import Figure
from ditto_music.cli.controls.intensity import IntensityFlags
from ditto_music.cli.controls.match_spectrum import MatchSpectrumFlags
from ditto_music.cli.controls.melody import MelodyFlags
from ditto_music.cli.controls.rhythm import RhythmFlags
from ditto_music.cli.controls.structure import StructureFlags
from ditto_music.cli.controls.style import StyleFlags
from ditto_music.cli.controls.tempo import TempoFlags
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.controls.base import Term


class Flags(Protocol):
    """The flags of one control."""

    def control(self) -> Term | None:
        """The control asked for, or None.

        Raises
        ------
        InputError
            If it cannot be understood.
        """
        ...

    def figure(self) -> Figure:
        """How its loss, or one of its metrics, reads."""
        ...


@Parameter(name="*")
@dataclass(frozen=True)
class Asked:
    """Everything a command line can ask; the names are those of the controls, with hyphens."""

    intensity: IntensityFlags = field(default_factory=IntensityFlags)
    melody: MelodyFlags = field(default_factory=MelodyFlags)
    structure: StructureFlags = field(default_factory=StructureFlags)
    rhythm: RhythmFlags = field(default_factory=RhythmFlags)
    tempo: TempoFlags = field(default_factory=TempoFlags)
    brightness: BrightnessFlags = field(default_factory=BrightnessFlags)
    match_spectrum: MatchSpectrumFlags = field(default_factory=MatchSpectrumFlags)
    style: StyleFlags = field(default_factory=StyleFlags)
    clap: ClapFlags = field(default_factory=ClapFlags)

    def control(self) -> Term:
        """All that is asked for, added up.

        Raises
        ------
        InputError
            If it is nothing, or one cannot be understood.
        """
        asked = self.any_control()
        if asked is None:
            choices = ", ".join(f"--{name}" for name in self._flags())
            raise InputError(f"nothing is asked of the music: give {choices}, or use generate")
        return asked

    def any_control(self) -> Term | None:
        """All that is asked for, added up, or None.

        Raises
        ------
        InputError
            If one cannot be understood.
        """
        terms = [term for flags in self._flags().values() if (term := flags.control())]
        return reduce(add, terms) if terms else None

    def files(self) -> list[Path]:
        """Those that controls were given."""
        from ditto_music.audio import names_file

        given = [value for flags in self._flags().values() for value in vars(flags).values()]
        return [Path(value) for value in given if isinstance(value, str) and names_file(value)]

    def figures(self) -> dict[str, Figure]:
        """How well each control is met reads so, by the control's name."""
        return {name: flags.figure() for name, flags in self._flags().items()}

    def _flags(self) -> dict[str, Flags]:
        return {each.name.replace("_", "-"): getattr(self, each.name) for each in fields(self)}


__all__ = ["Asked", "Figure", "Flags"]
