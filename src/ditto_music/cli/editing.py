"""What the commands that edit a recording share: alternatives, and how an edit is told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ditto_music.cli.run import Run, Unfinished
from ditto_music.cli.say import say, unforeseen
from ditto_music.cli.shared import MUSIC, Shared, Whole
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.audio import Recording
    from ditto_music.editing import Edit, Seam

MOST_ALTERNATIVES = 100

Source = Annotated[Path, Parameter(help="The recording: WAV, FLAC, OGG, MP3 ...")]
Words = Annotated[
    str | None,
    Parameter(
        help="The new part in words, in quotes. Without them the style is read from the "
        'recording; "" follows nothing but its sound.'
    ),
]
Count = Annotated[
    Whole,
    Parameter(
        group=MUSIC,
        metavar="N",
        help="Make N alternatives from the seeds --seed, --seed + 1 ..., written as OUT-1, OUT-2 "
        "and so on.",
    ),
]
Fresh = Annotated[
    float | None,
    Parameter(
        group=MUSIC,
        metavar="SHARE",
        help="How much of what the new music begins with is chance: 0 varies what the recording "
        "has elsewhere, 1 owes it nothing. By default 0.25 without words, 1 with them.",
    ),
]


def checked_edit(shared: Shared, out: Path, count: int, given: Sequence[Path]) -> Shared:
    """As `Shared.checked`, with the number of alternatives.

    Raises
    ------
    InputError
        If so many cannot be made, or one of their files cannot be written.
    """
    if not 1 <= count <= MOST_ALTERNATIVES:
        raise InputError(f"count is {count}: it must be 1 to {MOST_ALTERNATIVES}")
    if shared.save_run and count > 1:
        raise InputError("--save-run keeps one edit: leave --count out")
    return shared.checked(out, count, given)


def original_of(path: Path, out: Path, *, quiet: bool) -> Recording:
    """The recording to edit, checked as `check_kept`.

    Raises
    ------
    InputError
        If it cannot be read, or `out` does not hold its audio.
    """
    from ditto_music.audio import read_recording

    recording = read_recording(path)
    check_kept(recording, out, quiet=quiet)
    return recording


def check_kept(recording: Recording, out: Path, *, quiet: bool) -> None:
    """Check that `out` holds a recording's audio, and say so where it does not bit for bit.

    Raises
    ------
    InputError
        If it does not hold it at all.
    """
    from ditto_music.audio import check_held, holds_exactly

    check_held(out, recording.sample_rate, recording.channels, recording.subtype)
    if not quiet and not holds_exactly(out, recording.subtype):
        say(
            f"note: {out} cannot hold the recording's samples exactly, so what stays changes a "
            "little, too: a .wav keeps it as it is"
        )


def make_all(run: Run, out: Path, shared: Shared, count: int, make: Callable[[int], Edit]) -> int:
    """Make the alternatives, write them, say how they join; returns the exit status.

    Parameters
    ----------
    make : the edit of one seed.

    Raises
    ------
    Unfinished
        If one could not be made; those before it are written, and what of it was finished.
    """
    from ditto_music.editing import Alternatives, BrokenOff
    from ditto_music.runs import run_of

    edits: list[Edit] = []
    broken: BaseException | None = None
    partly = ""
    try:
        for number in range(count):
            edits.append(make(shared.seed + number))
            if edits[-1].results[-1].items[0].stopped == "interrupted":
                break
    except BrokenOff as error:
        edits.append(error.edit)
        broken = error.__cause__
        partly = ", the last as far as it was finished" if count > 1 else " as far as it was made"
    except (Exception, KeyboardInterrupt) as error:
        if not edits:
            raise
        broken = error
    made = Alternatives(edits, count)
    names = made.paths(out)
    lines = [
        line
        for number, (name, edit) in enumerate(zip(names, edits, strict=True))
        for line in told(name, edit, shared.seed + number)
    ]
    pairs = [
        (item, name)
        for name, edit in zip(names, edits, strict=True)
        for result in edit.results
        for item in result.items
    ]
    status = run.deliver(
        *(made, [item for item, _ in pairs], out, shared, lines),
        run=lambda: run_of(edits[0], None, run.argv),
        files=[name for _, name in pairs],
        pieces=[*zip(names, edits, strict=True)],
    )
    several = f"{len(edits)} of {count} alternatives are written"
    written = (several if count > 1 else f"{out} is written") + partly
    if isinstance(broken, Exception):
        foreseen = isinstance(broken, InputError | FloatingPointError)
        why = broken if foreseen else unforeseen(broken)
        raise Unfinished(f"{written}, but: {why}") from broken
    if broken:
        say(f"interrupted; {written}")
        return 130
    return status


def told(out: Path, edit: Edit, seed: int) -> list[str]:
    """What is new, what it was made from, how it joins and how far it has drifted."""
    new = ", ".join(f"{start:.4g} to {stop:.4g} s" for start, stop in edit.regions)
    seconds = sum(result.seconds for result in edit.results)
    lines = [
        f"{out}: {edit.recording.seconds:.2f} s, new from {new}, seed {seed}, "
        f"made in {seconds:.1f} s"
    ]
    if edit.read:
        heard = dict.fromkeys(result.items[0].prompt for result in edit.results)
        lines.append(f"style read from the recording: {'; '.join(heard)}")
    if edit.loops:
        beats = f"{edit.recording.seconds / edit.beat:.0f} beats" if edit.beat else "no tempo found"
        lines.append(f"loop of {edit.recording.seconds:.3f} s, {beats}")
    lines += map(_seam, edit.seams)
    if edit.drift:
        last = edit.drift[-1]
        tempo = f", {last.bpm:.0f} bpm" if last.bpm else ""
        before = f" ({last.bpm_before:.0f} before)" if last.bpm and last.bpm_before else ""
        lines.append(
            f"last window against the recording: {last.level_db:+.1f} dB{tempo}{before}, "
            f"timbre {last.timbre:.2f} alike"
        )
    return lines


def _seam(seam: Seam) -> str:
    share = 100 * max(seam.flux_rank, seam.jump_rank)
    return f"join at {seam.seconds:.4g} s: a larger change than {share:.0f} % of the music's own"
