"""The command line as the studio's maker: its flags, its commands, its words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ditto_music.cli.manifest import WORDS, Parsed, parse
from ditto_music.cli.progress import LISTENER
from ditto_music.cli.run import Made, Run, Unfinished
from ditto_music.cli.say import say
from ditto_music.cli.shared import LOADER, Shared
from ditto_music.editing import Alternatives, Edit
from ditto_music.item import Item, Row
from ditto_music.jobs.job import Job
from ditto_music.models import REGISTRY, SmallModel, load_model
from ditto_music.result import Result
from ditto_music.runs import Run as SavedRun
from ditto_music.studio.maker import Listen

if TYPE_CHECKING:
    from ditto_music.protocols import Model

Saved = Callable[[], SavedRun]


class Pieces:
    """Commands of this command line, all on one model at a time that stays loaded.

    Parameters
    ----------
    device, dtype, offload : as `load_model`.
    """

    def __init__(self, device: str = "cpu", dtype: str = "auto", offload: str = "text") -> None:
        self.how: dict[str, Any] = {"device": device, "dtype": dtype, "offload": offload}
        self._parsing, self._loading = Lock(), Lock()
        self._loaded: tuple[str, Model] | None = None

    @property
    def machine(self) -> dict[str, str]:
        """How models are loaded here, where that is not as usual."""
        usual = Shared()
        return {name: how for name, how in self.how.items() if how != getattr(usual, name)}

    def longest(self, model: str) -> float:
        """Seconds of a clip of a model; of public ones only their weights tell."""
        ours = any(entry.name == model for entry in REGISTRY)
        return SmallModel.seconds_range[1] if ours else math.inf

    def words(self, command: str) -> Sequence[str]:
        """The fields of a command that have no flag."""
        return WORDS[command]

    def piece(self, fields: Mapping[str, Any], folder: Path) -> Piece:
        """A command, read as a line of a manifest is."""
        with self._parsing:
            return Piece(parse(Job(1, fields), folder / "music.wav"), self.load)

    def load(self, name: str, **_: str) -> Model:
        """The model, loaded once."""
        with self._loading:
            if self._loaded is None or self._loaded[0] != name:
                self._loaded = None  # not two at once
                self._loaded = name, load_model(name, **self.how, notice=say)
            return self._loaded[1]


@dataclass(frozen=True)
class Piece:
    """One command with its flags."""

    parsed: Parsed
    load: Callable[..., Model]

    @property
    def iterations(self) -> int:
        """Of each search, at most."""
        return self.parsed.shared.iterations

    def figures(self, row: Row) -> dict[str, str]:
        """How well each control is met."""
        return {
            name: figure.text(value)
            for name, figure in self._figures.items()
            if (value := figure.value(name, row)) is not None
        }

    @cached_property
    def _figures(self) -> Mapping[str, Any]:
        return self.parsed.asked.figures()

    def make(self, listen: Listen) -> tuple[Result | Edit, Saved, str]:
        """Run the command as it runs by itself, but for what it writes."""
        kept = _Kept(self.parsed.job.command, self.parsed.argv)
        loader, listener = LOADER.set(self.load), LISTENER.set(listen)
        broken = ""
        try:
            self.parsed.command(*self.parsed.bound.args, **self.parsed.bound.kwargs, run=kept)
        except Unfinished as error:
            broken = str(error.__cause__ or error)
        finally:
            LOADER.reset(loader)
            LISTENER.reset(listener)
        return *kept.made[0], broken


@dataclass(frozen=True)
class _Kept(Run):
    """Keeps what a command has made instead of writing it."""

    made: list[tuple[Result | Edit, Saved]] = field(default_factory=list[Any])

    def deliver(
        self,
        made: Made,
        items: Sequence[Item],
        out: Path,
        shared: Shared,
        lines: Sequence[str],
        run: Callable[[], SavedRun] | None = None,
        files: Sequence[Path] = (),
        pieces: Sequence[tuple[Path, Made]] = (),
    ) -> int:
        """Keep it."""
        one = made.edits[0] if isinstance(made, Alternatives) else made
        assert isinstance(one, Result | Edit)
        assert run is not None
        self.made.append((one, run))
        return 0
