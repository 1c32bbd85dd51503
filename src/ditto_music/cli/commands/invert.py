"""`invert`: a recording as the model's own noise."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ditto_music.cli.editing import Source
from ditto_music.cli.progress import watching
from ditto_music.cli.run import Injected, Out
from ditto_music.cli.shared import Shared


def invert(
    recording: Source,
    prompt: Annotated[
        str | None,
        Parameter(help="What the recording is, in quotes. Without it, what taggers hear in it."),
    ] = None,
    /,
    *,
    out: Out,
    shared: Shared = Shared(),  # noqa: B008 - frozen
    run: Injected,
) -> int:
    """Find the noise from which the model makes a recording, to change it with `vary`.

    A piano piece played on a guitar:

        ditto-music invert piano.wav "calm piano" -o again.wav --save-run piano-run
        ditto-music vary piano-run --prompt "calm guitar" --eta 0 -o guitars
    """
    shared.without("invert", "takes the recording's length", ["duration", "method"])
    shared = shared.checked(out, given=[recording])

    from ditto_music.audio import read_recording
    from ditto_music.editing.invert import invert as find
    from ditto_music.runs import run_of

    original = read_recording(recording)
    with watching(shared) as watch:
        watch.stage(f"loading {shared.model}")
        model = shared.load(out=out)
        watch.stage("DDIM inversion")
        found = find(
            model, original, prompt, seed=shared.seed, callback=watch, **shared.search(model)
        )
    result = found.result
    read = ", read from the recording" if found.read else ""
    lines = [
        f"{out}: {original.seconds:.2f} s as '{result.items[0].prompt}'{read}, "
        f"made in {result.seconds:.1f} s",
        f"error {found.error:.4f} of the latent's variance; DDIM inversion {found.inverted:.4f}, "
        f"noised {found.noised:.4f}",
    ]
    control = found.control
    return run.deliver(
        result, result.items, out, shared, lines, lambda: run_of(result, control, run.argv)
    )
