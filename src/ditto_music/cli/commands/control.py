"""`control`: text-to-music that meets one or several requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ditto_music.cli.controls import Asked, Figure
from ditto_music.cli.methods import method_named
from ditto_music.cli.progress import watching
from ditto_music.cli.run import Injected, Out
from ditto_music.cli.shared import Shared

if TYPE_CHECKING:
    from ditto_music.item import Item


def control(
    prompt: Annotated[str, Parameter(help="The music in words, in quotes.")],
    /,
    *,
    out: Out,
    asked: Asked = Asked(),  # noqa: B008 - frozen
    shared: Shared = Shared(),  # noqa: B008 - frozen
    run: Injected,
) -> int:
    """Make music from words that follows what you ask of it.

    A ballad that grows from quiet to loud:

        ditto-music control "calm piano ballad" --intensity -35:-14 -o rise.wav
    """
    shared = shared.checked(out, given=asked.files())

    from ditto_music.problem import form_of
    from ditto_music.runs import run_of

    wanted = asked.control()
    solve = method_named(shared.method)
    figures = asked.figures()
    with watching(shared, figures) as watch:
        watch.stage(f"loading {shared.model}")
        model = shared.load(out=out)
        form_of(model, shared.duration)
        watch.stage("first iteration")
        result = solve(
            model,
            prompt,
            wanted,
            seed=shared.seed,
            duration=shared.duration,
            callback=watch,
            **shared.search(model),
        )
    item = result.items[0]
    changes = _changes(item, figures, solve.finds)
    lines = [
        f"{out}: {shared.duration:.2f} s, seed {shared.seed}",
        f"{changes}, {len(item.history)} iterations, {result.seconds:.1f} s",
    ]
    return run.deliver(
        result, result.items, out, shared, lines, lambda: run_of(result, wanted, run.argv)
    )


def _changes(item: Item, figures: Mapping[str, Figure], finds: bool) -> str:
    """What was asked for, after and before: a search begins with the seed's own sample."""
    first = item.history[0] if item.history and finds else {}
    return "; ".join(
        f"{name}: {figure.text(after) if before is None else figure.change(before, after)}"
        for name, figure in figures.items()
        if (after := figure.value(name, item.final)) is not None
        for before in [figure.value(name, first)]
    )
