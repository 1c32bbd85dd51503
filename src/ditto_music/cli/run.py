"""What every command shares but no flag sets: its own name, its files, its last words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        help="Audio file to write; the suffix is the format: .wav, .flac, .ogg, .mp3, .aiff ...",
    ),
]


class Unfinished(Exception):
    """The music is written but something after it failed; the message says both in one line."""


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
    ) -> int:
        """Write the audio, the picture and the report; print the result lines.

        Parameters
        ----------
        made : what to write.
        items : every clip behind it.
        lines : what to print once all is written.
        run : gives what ``--save-run`` writes.
        files : the file of each clip, where that is not `out`.

        Returns
        -------
        The exit status: 0, or 130 where an item was interrupted.

        Raises
        ------
        Unfinished
            If the audio was written and the rest could not be.
        KeyboardInterrupt
            On Ctrl-C while writing, with a message that says what is there.
        """
        files = files or [out] * len(items)
        several = files[0] != files[-1]
        these = f"{files[0]} to {files[-1]}" if several else str(files[0])
        are = "are" if several else "is"
        clipped = made.save(out)
        try:
            if shared.plot:
                made.plot(shared.plot)
            if shared.report:
                more = {"command": self.command, "out": str(out), "argv": self.argv}
                made.save_report(shared.report, **more, clipped=clipped)
            if shared.save_run and run:
                from ditto_music.runs import save_run

                save_run(shared.save_run, run())
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted while writing; {these} {are} complete") from None
        except InputError as error:
            raise Unfinished(f"{these} {are} written, but: {error}") from error
        for line in lines:
            print(line)
        if clipped and not shared.quiet:
            mend = f": quieter by {QUIETER[self.command]}" if self.command in QUIETER else ""
            loud = "samples were too loud for the file and were clipped"
            say(f"warning: {these}: {clipped} {loud}{mend}")
        return self._outcome(items, files, shared)

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


Injected = Annotated[Run, Parameter(parse=False)]
