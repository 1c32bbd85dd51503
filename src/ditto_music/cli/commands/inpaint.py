"""`inpaint`: redo regions of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ditto_music.cli.progress import watching
from ditto_music.cli.run import Injected, Out
from ditto_music.cli.shared import Shared
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.editing import Seam


def inpaint(
    recording: Annotated[Path, Parameter(help="The recording: WAV, FLAC, OGG, MP3 ...")],
    prompt: Annotated[
        str, Parameter(help="The new part in words, in quotes; empty follows what is around it.")
    ] = "",
    /,
    *,
    starts: Annotated[
        list[float],
        Parameter(
            name="--from",
            metavar="SECONDS",
            help="Where a part to redo begins; once for each part.",
        ),
    ],
    ends: Annotated[
        list[float],
        Parameter(name="--to", metavar="SECONDS", help="Where it ends; once for each --from."),
    ],
    out: Out,
    shared: Shared = Shared(),  # noqa: B008 - frozen
    run: Injected,
) -> int:
    """Redo parts of a recording; every sample outside them stays as it is.

    Two bad seconds made new:

        ditto-music inpaint take.wav --from 12.5 --to 14.5 -o mended.wav
    """
    shared.without("inpaint", "keeps the length of the recording", ["duration"])
    shared = shared.checked(out)
    if len(starts) != len(ends):
        raise InputError(
            f"{len(starts)} times --from but {len(ends)} times --to: give one --to for each --from"
        )
    regions = list(zip(starts, ends, strict=True))

    from ditto_music.audio import read_recording
    from ditto_music.editing import inpaint as redo

    original = read_recording(recording)
    with watching(shared, parts=len(regions)) as watch:
        watch.stage(f"loading {shared.model}")
        model = shared.load()
        watch.stage("listening to what is around the new part")
        edit = redo(model, original, regions, prompt, callback=watch, **shared.search())
    new = ", ".join(f"{start:g} to {stop:g} s" for start, stop in edit.regions)
    seconds = sum(result.seconds for result in edit.results)
    lines = [
        f"{out}: {edit.recording.seconds:.2f} s, new from {new}, seed {shared.seed}, "
        f"made in {seconds:.1f} s",
        *map(_seam, edit.seams),
    ]
    items = [item for result in edit.results for item in result.items]
    return run.deliver(edit, items, out, shared, lines)


def _seam(seam: Seam) -> str:
    share = 100 * max(seam.flux_rank, seam.jump_rank)
    return f"join at {seam.seconds:g} s: a larger change than {share:.0f} % of the music's own"
