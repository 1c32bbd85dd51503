"""What every command shares but no flag sets: its own name, its files, its last words."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

from cyclopts import Parameter

from ditto_music.cli.say import say
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.cli.shared import Shared
    from ditto_music.item import Item
    from ditto_music.runs import Run as SavedRun

#: What makes the music of a command quieter.
QUIETER = {
    "generate": "control with --intensity=-20:-20",
    "control": "--ceiling=-16 or --intensity=-20:-20",
    "resume": "--ceiling=-16",
    **dict.fromkeys(("inpaint", "outpaint", "loop"), "--intensity=-20:-20"),
}

Out = Annotated[
    Path,
    Parameter(
        name=("--out", "-o"),
        help="Audio file to write; the suffix is the format: .wav, .flac, .ogg, .mp3, .aiff ... "
        "Of an edited recording, .wav keeps what stays bit for bit; .mp3 and .ogg do not.",
    ),
]


class Unfinished(Exception):
    """Music is written but not all that was asked; the message says both in one line."""


class Made(Protocol):
    """What a command has made: a `Result` or an `Edit`."""

    def save(self, path: Path) -> int:
        """Write the audio; returns how many samples were clipped."""
        ...

    def plot(self, path: Path) -> None:
        """Write the picture."""
        ...

    def save_report(self, path: Path, **more: object) -> None:
        """Write the report."""
        ...


@dataclass(frozen=True)
class Run:
    """One call of a command.

    Attributes
    ----------
    command : its name.
    argv : the arguments as they were given, the command's name first.
    """

    command: str
    argv: list[str]

    def gave(self, flag: str) -> bool:
        """Whether a flag such as "--lr" was given, be it with what it is without."""
        return any(given == flag or given.startswith(f"{flag}=") for given in self.argv)

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
        """Write the audio, the picture and the report; print the result lines.

        Parameters
        ----------
        made : what to write.
        items : every clip behind it.
        lines : what to print once all is written.
        run : gives what ``--save-run`` writes.
        files : the file of each clip, where that is not `out`.
        pieces : every audio file and what is in it, where that is not `out` and all of `made`.

        Returns
        -------
        The exit status: 0, or 130 where an item was interrupted.

        Raises
        ------
        Unfinished, KeyboardInterrupt
            As `telling`.
        """
        files = files or [out] * len(items)
        with telling() as done:
            clipped = 0
            for path, piece in pieces or [(out, made)]:
                clipped += piece.save(path)
                done.append(path)
            if shared.plot:
                made.plot(shared.plot)
            if shared.report:
                more = {"command": self.command, "out": str(out), "argv": self.argv}
                made.save_report(shared.report, **more, clipped=clipped)
            if shared.save_run and run:
                from ditto_music.runs import save_run

                save_run(shared.save_run, run())
        for line in lines:
            print(line)
        if clipped and not shared.quiet:
            self.warn_of_clipping(clipped, done)
        return self._outcome(items, files, shared)

    def warn_of_clipping(self, clipped: int, files: Sequence[Path]) -> None:
        """Say that so many samples of the files were, and what makes the music quieter."""
        mend = f": quieter by {QUIETER[self.command]}" if self.command in QUIETER else ""
        loud = "samples were too loud for the file and were clipped"
        say(f"warning: {_these(files)}: {clipped} {loud}{mend}")

    def _outcome(self, items: Sequence[Item], files: Sequence[Path], shared: Shared) -> int:
        """Say which item broke and how the last ended, if not as planned; the exit status."""
        last = items[-1]
        pairs = zip(items, files, strict=True)
        broken = next((pair for pair in pairs if pair[0].stopped == "diverged"), None)
        if broken and not shared.quiet:
            item, file = broken
            say(
                f"warning: the numbers broke after {len(item.history)} iterations; {file} is the "
                "best before that: try a smaller --lr"
            )
        if last.stopped == "stalled" and not shared.quiet:
            say(
                f"note: nothing was gained in the last of {len(last.history)} iterations; another "
                "--seed or prompt may do better"
            )
        if last.stopped == "interrupted":
            say(f"interrupted after {len(last.history)} iterations; {files[-1]} is the best so far")
            return 130
        return 0


@contextmanager
def telling() -> Generator[list[Path]]:
    """Tell of what is there when something comes between while several files are written.

    Yields a list for the body to add each piece of music to once it is written.

    Raises
    ------
    Unfinished
        If there was music and the rest could not be written.
    KeyboardInterrupt
        On Ctrl-C, with a message that says what is there.
    """
    done: list[Path] = []
    try:
        yield done
    except KeyboardInterrupt:
        if not done:
            raise
        raise KeyboardInterrupt(f"interrupted while writing; {_these_are(done)} complete") from None
    except InputError as error:
        if not done:
            raise
        raise Unfinished(f"{_these_are(done)} written, but: {error}") from error


def _these(files: Sequence[Path]) -> str:
    return f"{files[0]} to {files[-1]}" if files[1:] else str(files[0])


def _these_are(files: Sequence[Path]) -> str:
    return f"{_these(files)} {'are' if files[1:] else 'is'}"


Injected = Annotated[Run, Parameter(parse=False)]
