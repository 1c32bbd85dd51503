"""`inpaint`: redo regions of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ditto_music.cli.controls import Asked
from ditto_music.cli.editing import Count, Fresh, Source, Words, checked_edit, make_all, original_of
from ditto_music.cli.progress import watching
from ditto_music.cli.run import Injected, Out
from ditto_music.cli.shared import Shared
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.editing import Edit


def inpaint(
    recording: Source,
    prompt: Words = None,
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
    count: Count = 1,
    fresh: Fresh = None,
    asked: Asked = Asked(),  # noqa: B008 - frozen
    shared: Shared = Shared(),  # noqa: B008 - frozen
    run: Injected,
) -> int:
    """Redo parts of a recording; every sample outside them stays as it is.

    Two bad seconds made new:

        ditto-music inpaint take.wav --from 12.5 --to 14.5 -o mended.wav
    """
    shared.without("inpaint", "keeps the length of the recording", ["duration"])
    shared = checked_edit(shared, out, count, [recording, *asked.files()])
    if len(starts) != len(ends):
        raise InputError(
            f"{len(starts)} times --from but {len(ends)} times --to: give one --to for each --from"
        )
    regions = list(zip(starts, ends, strict=True))
    control = asked.any_control()

    from ditto_music.editing import inpaint as redo
    from ditto_music.editing.inpaint import check_regions

    original = original_of(recording, out, quiet=shared.quiet)
    with watching(shared, asked.figures(), parts=count * len(regions)) as watch:
        watch.stage(f"loading {shared.model}")
        model = shared.load()
        check_regions(original, regions, model.seconds_range[1])
        watch.stage("listening to what is around the new part")

        def make(seed: int) -> Edit:
            return redo(
                model,
                original,
                regions,
                prompt,
                control=control,
                fresh=fresh,
                seed=seed,
                method=shared.method,
                callback=watch,
                **shared.search(model),
            )

        return make_all(run, out, shared, count, make)
