"""How it goes, on standard error: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ditto_music.cli.controls import Figure
from ditto_music.cli.say import say, warned

if TYPE_CHECKING:
    from ditto_music.cli.shared import Shared
    from ditto_music.memory import Estimate
    from ditto_music.optimize import Progress

EVERY_SECONDS = 10.0

#: Hears each iteration, of which search it is and of how many; returning True ends it.
LISTENER: ContextVar[Callable[[Progress, int, int], bool | None] | None] = ContextVar(
    "LISTENER", default=None
)


class Silent:
    """Tells nothing; the base of what tells something."""

    def stage(self, text: str) -> None:
        """Work of unknown length begins."""

    def step(self, text: str, done: int, total: int) -> None:
        """So much of a work of known length is done."""

    def note(self, text: str) -> None:
        """Something to be read at leisure."""

    def close(self) -> None:
        """Nothing more will come."""


class Lines(Silent):
    """Plain lines: every stage, the first and the last step, and one each `EVERY_SECONDS`."""

    def __init__(self) -> None:
        self.pending = ""
        self.spoken = float("-inf")

    def stage(self, text: str) -> None:
        """At once."""
        self.close()
        say(text)
        self.spoken = float("-inf")

    def note(self, text: str) -> None:
        """At once."""
        say(text)

    def step(self, text: str, done: int, total: int) -> None:
        """If the last line is old enough, else it waits."""
        self.pending = text
        if time.monotonic() - self.spoken >= EVERY_SECONDS:
            self.spoken = time.monotonic()
            self.close()

    def close(self) -> None:
        """What still waits."""
        if self.pending:
            say(self.pending)
        self.pending = ""


class Bar(Silent):
    """One live line that leaves no trace."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        text = TextColumn("{task.description}", markup=False)
        columns = (SpinnerColumn(), BarColumn(bar_width=16), text)
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("", total=None)
        self.bar.start()

    def stage(self, text: str) -> None:
        """With a bar that only moves."""
        self.bar.update(self.task, description=text, total=None)

    def step(self, text: str, done: int, total: int) -> None:
        """With a bar that fills."""
        self.bar.update(self.task, description=text, completed=done, total=total)

    def note(self, text: str) -> None:
        """Above the line, to stay."""
        self.bar.console.print(f"ditto-music: {text}", markup=False, highlight=False)

    def close(self) -> None:
        """Take the line away."""
        self.bar.stop()


class Watch:
    """The callback of an optimisation.

    Parameters
    ----------
    screen : where to tell.
    iterations, time_limit : of each part, as `optimize` takes them.
    figures : how the controls' losses or metrics read, by name.
    parts : optimisations to come one after another, such as the regions of an edit.
    """

    def __init__(
        self,
        screen: Silent,
        iterations: int,
        time_limit: float | None = None,
        figures: Mapping[str, Figure] | None = None,
        parts: int = 1,
    ) -> None:
        self.stage = screen.stage
        self.expected: Estimate | None = None
        self.screen = screen
        self.iterations = iterations
        self.time_limit = time_limit
        self.figures = figures or {}
        self.parts = parts
        self.part = 0

    def __call__(self, progress: Progress) -> bool | None:
        """Tell one iteration."""
        self.part += progress.iteration == 1
        part = f"region {self.part}/{self.parts}, " if self.parts > 1 else ""
        row = progress.rows[0]
        figures = [
            f"{name} {figure.text(value)}"
            for name, figure in self.figures.items()
            if (value := figure.value(name, row)) is not None
        ]
        told = ", ".join([f"loss {row['loss']:.4g}", *figures, self._left(progress)])
        total = progress.total or self.iterations
        done = (self.part - 1) * total + progress.iteration
        self.screen.step(
            f"{part}iteration {progress.iteration}/{total}: {told}", done, self.parts * total
        )
        listen = LISTENER.get()
        return listen(progress, self.part, self.parts) if listen else None

    def expect(self, estimate: Estimate) -> None:
        """What the work will take, once for all windows that take the same."""
        if estimate != self.expected:
            self.expected = estimate
            self.screen.note(str(estimate))

    def _left(self, progress: Progress) -> str:
        """The time that all iterations allowed would still take."""
        each = progress.seconds / progress.iteration
        total = progress.total or self.iterations
        here = (total - progress.iteration) * each
        whole = total * each
        if self.time_limit:
            here = min(here, max(0.0, self.time_limit - progress.seconds))
            whole = min(whole, self.time_limit)
        minutes, seconds = divmod(round(here + (self.parts - self.part) * whole), 60)
        return f"{minutes} min {seconds} s left" if minutes else f"{seconds} s left"


@contextmanager
def watching(
    shared: Shared, figures: Mapping[str, Figure] | None = None, parts: int = 1
) -> Generator[Watch]:
    """Something to tell the progress of a command to, closed however the command ends.

    Python's warnings are told to the same screen; where that is quiet, whoever called says how.
    """
    live = sys.stderr.isatty()
    screen = Silent() if shared.quiet else Bar() if live else Lines()
    try:
        with nullcontext() if shared.quiet else warned(screen.note):
            yield Watch(screen, shared.iterations, shared.time_limit, figures, parts)
    finally:
        screen.close()
