"""What the studio asks of whoever knows the commands; the command line hands one in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ditto_music.editing import Edit
from ditto_music.item import Row
from ditto_music.optimize import Progress
from ditto_music.result import Result
from ditto_music.runs import Run

#: Called with each iteration, the number of its search and how many there are; True ends it.
Listen = Callable[[Progress, int, int], bool | None]


class Piece(Protocol):
    """One command, understood and ready to run."""

    @property
    def iterations(self) -> int:
        """Of each search, at most."""
        ...

    def figures(self, row: Row) -> dict[str, str]:
        """How well each control is met in a row of a search, for people."""
        ...

    def make(self, listen: Listen) -> tuple[Result | Edit, Callable[[], Run], str]:
        """Do it; gives what was made, what gives its run to save, and why it is not whole, if so.

        Raises
        ------
        InputError
            If something cannot be done: one line.
        """
        ...


class Maker(Protocol):
    """Understands commands."""

    @property
    def machine(self) -> dict[str, str]:
        """The flags, by name, that say where and how all commands compute here."""
        ...

    def longest(self, model: str) -> float:
        """Seconds of a clip of a model; infinity where that is not known before it is loaded."""
        ...

    def words(self, command: str) -> Sequence[str]:
        """The fields of a command that have no flag, in their order."""
        ...

    def piece(self, fields: Mapping[str, Any], folder: Path) -> Piece:
        """A command with its flags by name, as in a manifest; what it writes goes to `folder`.

        Raises
        ------
        InputError
            If a value cannot be understood: one line.
        """
        ...
