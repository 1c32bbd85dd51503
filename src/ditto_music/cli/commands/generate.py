"""`generate`: plain text-to-music."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ditto_music.cli.progress import watching
from ditto_music.cli.run import Injected, Out
from ditto_music.cli.shared import Shared

SEARCH_FLAGS = (
    "iterations",
    "tolerance",
    "optimizer",
    "lr",
    "time_limit",
    "method",
    "surrogate_steps",
    "later_noises",
    "ceiling",
    "gradient",
    "memory_budget",
)


def generate(
    prompt: Annotated[str, Parameter(help="The music in words, in quotes.")],
    /,
    *,
    out: Out,
    shared: Shared = Shared(),  # noqa: B008 - frozen
    run: Injected,
) -> int:
    """Make music from words.

    Six seconds of piano:

        ditto-music generate "calm piano ballad, 80 bpm" -o piano.wav
    """
    shared.without("generate", "does not search", SEARCH_FLAGS)
    shared = shared.checked(out)

    from ditto_music.generate import generate as sample
    from ditto_music.problem import form_of
    from ditto_music.runs import run_of

    with watching(shared) as watch:
        watch.stage(f"loading {shared.model}")
        model = shared.load(out=out)
        form_of(model, shared.duration)
        watch.stage(f"making {shared.duration:g} s of music")
        result = sample(
            model, prompt, duration=shared.duration, expect=watch.expect, **shared.sampling(model)
        )
    line = f"{out}: {shared.duration:.2f} s, seed {shared.seed}, made in {result.seconds:.1f} s"
    return run.deliver(
        result, result.items, out, shared, [line], lambda: run_of(result, None, run.argv)
    )
