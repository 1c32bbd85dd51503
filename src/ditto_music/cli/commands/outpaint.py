"""`outpaint`: make a recording go on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ditto_music.cli.controls import Asked
from ditto_music.cli.editing import Count, Fresh, Source, checked_edit, make_all, original_of
from ditto_music.cli.progress import watching
from ditto_music.cli.run import Injected, Out
from ditto_music.cli.shared import Shared
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.editing import Edit

_PLAN = re.compile(r"\s*(\d+(?:\.\d*)?)\s*:(.*)")


def outpaint(
    recording: Source,
    prompt: Annotated[
        str | None,
        Parameter(
            help="The new music in words, in quotes; it may change on the way: "
            '"0:calm piano; 20:full band". Without words the style is read from the recording; "" '
            "follows nothing but its sound."
        ),
    ] = None,
    /,
    *,
    seconds: Annotated[float, Parameter(metavar="SECONDS", help="How much new music to add.")],
    overlap: Annotated[
        float,
        Parameter(metavar="SECONDS", help="How much of what is there each new stretch continues."),
    ] = 3.0,
    before: Annotated[
        bool,
        Parameter(
            show_default=False, help="Lead to the recording's beginning instead of on from its end."
        ),
    ] = False,
    out: Out,
    count: Count = 1,
    fresh: Fresh = None,
    asked: Asked = Asked(),  # noqa: B008 - frozen
    shared: Shared = Shared(),  # noqa: B008 - frozen
    run: Injected,
) -> int:
    """Make a recording go on; its own samples stay as they are.

    Twenty more seconds that grow louder:

        ditto-music outpaint idea.wav --seconds 20 --intensity -24:-12 -o longer.wav
    """
    shared.without("outpaint", "adds --seconds to the recording", ["duration"])
    shared = checked_edit(shared, out, count, [recording, *asked.files()])
    control = asked.any_control()

    from ditto_music.editing import outpaint as extend
    from ditto_music.editing.extend import check_end, check_prompts, windows_of
    from ditto_music.editing.inpaint import check_sound

    plan = parse_plan(prompt) if prompt else prompt
    if plan is not None:
        check_prompts(plan)
    original = original_of(recording, out, quiet=shared.quiet)
    check_sound(original)
    check_end(original, overlap, before)
    with watching(shared, asked.figures()) as watch:
        watch.stage(f"loading {shared.model}")
        model = shared.load()
        longest = model.seconds_range[1]
        watch.parts = count * (len(windows_of(original, seconds, overlap, longest)) - 1)
        watch.stage("listening to what goes on")

        def make(seed: int) -> Edit:
            return extend(
                model,
                original,
                seconds,
                plan,
                overlap=overlap,
                before=before,
                control=control,
                fresh=fresh,
                seed=seed,
                method=shared.method,
                callback=watch,
                **shared.search(model),
            )

        return make_all(run, out, shared, count, make)


def parse_plan(text: str) -> str | list[tuple[float, str]]:
    """A prompt, or (seconds, prompt) pairs of ``0:calm piano;20:full band``."""
    pairs = [_PLAN.fullmatch(part) for part in text.split(";")]
    if not pairs[0]:
        return text
    found = [pair for pair in pairs if pair]
    if len(found) < len(pairs):
        part = text.split(";")[pairs.index(None)].strip()
        raise InputError(f"prompt '{part}': give its seconds first, as in 0:calm;20:full band")
    return [(float(pair[1]), pair[2].strip()) for pair in found]
