"""`loop`: music without an end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ditto_music.cli.controls import Asked
from ditto_music.cli.editing import Count, Fresh, Words, checked_edit, make_all, original_of
from ditto_music.cli.progress import watching
from ditto_music.cli.run import Injected, Out
from ditto_music.cli.shared import Shared
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.editing import Edit

DEFAULT_SECONDS = 6.0


def loop(
    source: Annotated[
        str,
        Parameter(help="The recording (WAV, FLAC, MP3 ...), or the music in words, in quotes."),
    ],
    prompt: Words = None,
    /,
    *,
    seconds: Annotated[
        float | None,
        Parameter(
            metavar="SECONDS",
            help="Length of the loop, moved to a whole number of beats where there is a tempo. By "
            "default the recording and some 2 s that lead back to its beginning; from words, "
            f"{DEFAULT_SECONDS:g} s. Shorter than the recording, or less than half a second "
            "longer: the loop's last 2 s are new, or its second half if that is less.",
        ),
    ] = None,
    out: Out,
    count: Count = 1,
    fresh: Fresh = None,
    asked: Asked = Asked(),  # noqa: B008 - frozen
    shared: Shared = Shared(),  # noqa: B008 - frozen
    run: Injected,
) -> int:
    """Make a loop of a recording, or from words; a WAV gets loop points.

    A groove that can go on for ever:

        ditto-music loop groove.wav -o loop.wav
    """
    shared.without("loop", "has its length from --seconds", ["duration"])

    from ditto_music.audio import names_file
    from ditto_music.audio.files import names_audio
    from ditto_music.editing import loop as bend
    from ditto_music.editing import loop_from_prompt

    from_file = names_file(source) or names_audio(source)
    given = [Path(source)] if from_file else []
    shared = checked_edit(shared, out, count, [*given, *asked.files()])
    control = asked.any_control()
    if prompt is not None and not from_file:
        raise InputError(
            f"{source}: there is no such file; put a prompt of several words in quotes"
        )
    if fresh is not None and not from_file:
        raise InputError("--fresh is for loops of a recording: leave it out")
    original = original_of(Path(source), out, quiet=shared.quiet) if from_file else None
    with watching(shared, asked.figures(), parts=count) as watch:
        watch.stage(f"loading {shared.model}")
        model = shared.load(out=out if original is None else None)
        watch.stage("first iteration")

        def make(seed: int) -> Edit:
            if original is None:
                return loop_from_prompt(
                    model,
                    source,
                    seconds=DEFAULT_SECONDS if seconds is None else seconds,
                    control=control,
                    seed=seed,
                    method=shared.method,
                    callback=watch,
                    **shared.search(model),
                )
            return bend(
                model,
                original,
                prompt,
                seconds=seconds,
                control=control,
                fresh=fresh,
                seed=seed,
                method=shared.method,
                callback=watch,
                **shared.search(model),
            )

        return make_all(run, out, shared, count, make)
