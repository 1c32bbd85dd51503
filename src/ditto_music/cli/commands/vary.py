"""`vary` and `resume`: from a saved run on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ditto_music.cli.editing import check_kept, told
from ditto_music.cli.progress import watching
from ditto_music.cli.run import Injected, Out, Run, telling
from ditto_music.cli.say import say
from ditto_music.cli.shared import FILES, LARGEST_SEED, MUSIC, Offload, Shared, Whole
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.optimize import Search
    from ditto_music.result import Result
    from ditto_music.vary import Variations

#: What `resume` cannot change: the noise found means another thing with another of these.
OF_THE_RUN = (
    *("model", "duration", "seed", "steps", "sampler", "later_noises", "negative", "method"),
    *("guidance", "guidance_interval", "guidance_rescale", "guidance_threshold", "plain_guidance"),
)

SavedRun = Annotated[Path, Parameter(name="RUN", help="The folder that --save-run wrote.")]


def vary(
    saved: SavedRun,
    /,
    *,
    out: Annotated[
        Path,
        Parameter(
            name=("--out", "-o"),
            metavar="FOLDER",
            help="Folder for 1.wav, 2.wav ... and report.json.",
        ),
    ],
    count: Annotated[
        Whole | None,
        Parameter(
            group=MUSIC,
            help="How many variations. By default 4, or with --eta 0 and --walk 0 the only one.",
        ),
    ] = None,
    eta: Annotated[
        float,
        Parameter(group=MUSIC, help="Fresh noise on the way: 0 none, 1 as much as there can be."),
    ] = 0.5,
    walk: Annotated[
        float,
        Parameter(group=MUSIC, help="How far from the noise found towards other noise, 0 to 1."),
    ] = 0.0,
    prompt: Annotated[
        str | None, Parameter(group=MUSIC, help="Other words in place of the run's.")
    ] = None,
    guide: Annotated[
        float,
        Parameter(
            group=MUSIC,
            help="Steer each sampler step by what was asked, by this share of the step; slower.",
        ),
    ] = 0.0,
    seed: Annotated[Whole, Parameter(group=MUSIC, help="Number the fresh noise grows from.")] = 0,
    device: Annotated[str, Parameter(group=FILES, help="Where to compute: cpu, cuda, mps ...")] = (
        "cpu"
    ),
    dtype: Annotated[str, Parameter(group=FILES, help="float32, bfloat16 or auto.")] = "auto",
    offload: Offload = "text",
    quiet: Annotated[bool, Parameter(group=FILES, show_default=False, help="Say nothing.")] = False,
    run: Injected,
) -> int:
    """Make variations of a saved run that keep what was asked of it.

    Four other takes of a controlled clip:

        ditto-music control "calm piano" --intensity -35:-14 -o rise.wav --save-run rise
        ditto-music vary rise --eta 0.5 --guide 0.2 -o takes
    """
    from ditto_music.models import load_model, pinned
    from ditto_music.runs import load_run
    from ditto_music.vary import check_variation
    from ditto_music.vary import vary as sample
    from ditto_music.whole import check_room

    number = check_variation(count, eta, walk, guide)
    if not 0 <= seed <= LARGEST_SEED - number:
        raise InputError(f"seed is {seed}: it must be 0 to {LARGEST_SEED - number}")
    check_room(out)
    old = load_run(saved)
    if not quiet:
        if number == 1 and count is None:
            say("note: with --eta 0 and --walk 0 all variations are the same: one is made")
        say(f"loading {old.model}")
    model = load_model(
        pinned(old.model, old.revision),
        device=device,
        dtype=dtype,
        offload=offload,
        notice=None if quiet else say,
    )
    made = sample(
        model, old, count=number, eta=eta, walk=walk, prompt=prompt, guide=guide, seed=seed
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror}); choose another") from None
    for line in _write(made, out, run, quiet):
        print(line)
    if len(made.results) < number:
        say(f"interrupted; {len(made.results)} of {number} variations are written")
        return 130
    return 0


def _write(made: Variations, out: Path, run: Run, quiet: bool) -> list[str]:
    """Write every variation and the report; what to say of them."""
    from ditto_music.pictures import figures
    from ditto_music.result import write_report

    pieces = made.edits or made.results
    lines: list[str] = []
    clipped: list[int] = []
    with telling() as done:
        for number, (piece, result) in enumerate(zip(pieces, made.results, strict=True), start=1):
            path = out / f"{number}.wav"
            clipped.append(piece.save(path))
            done.append(path)
            kept = figures(result.items[0])
            lines.append(f"{path}: {kept}" if kept else str(path))
        report = {
            "command": "vary",
            "argv": run.argv,
            "diversity": made.diversity,
            "clipped": sum(clipped),
            "items": [
                piece.report(clipped=count) for piece, count in zip(pieces, clipped, strict=True)
            ],
        }
        write_report(out / "report.json", report)
    if any(clipped) and not quiet:
        run.warn_of_clipping(sum(clipped), done)
    if len(pieces) > 1:
        lines.append(f"diversity {made.diversity:.2f} (0 is the same music, 1 unrelated)")
    return lines


def resume(
    saved: SavedRun,
    /,
    *,
    out: Out,
    shared: Shared = Shared(),  # noqa: B008 - frozen
    run: Injected,
) -> int:
    """Go on with the search of a saved run where it ended, as it was searched unless told here.

    Sixty more iterations:

        ditto-music resume rise --iterations 60 -o better.wav
    """
    shared.without("resume", "takes these from the run", OF_THE_RUN)

    from ditto_music.cli.files import check_files
    from ditto_music.models import pinned
    from ditto_music.result import Result
    from ditto_music.runs import load_run
    from ditto_music.vary import resume as go_on
    from ditto_music.vary import resumed, varied_takes

    check_files(shared, out)
    old = load_run(saved)
    if old.edit:
        check_kept(old.edit.recording, out, quiet=shared.quiet)
    search = _search(shared, run)
    settings = replace(old.settings, **search)  # checks them
    shared = replace(
        shared,
        iterations=settings.iterations or Shared.iterations,
        time_limit=settings.time_limit,
    )
    with watching(shared, parts=len(varied_takes(old))) as watch:
        watch.stage(f"loading {old.model}")
        model = shared.load(pinned(old.model, old.revision), out=None if old.edit else out)
        watch.stage("first iteration")
        made = go_on(model, old, callback=watch, **search)
    if isinstance(made, Result):
        lines = [_resumed(out, made)]
        items = made.items
    else:
        items = [item for result in made.results for item in result.items]
        lines = told(out, made, items[0].seed)
    return run.deliver(made, items, out, shared, lines, lambda: resumed(old, made, run.argv))


def _search(shared: Shared, run: Run) -> Search:
    """What was given of the settings of a search; the others are the run's own."""
    search: Search = {}
    if run.gave("--iterations"):
        search["iterations"] = shared.iterations
    if run.gave("--optimizer"):
        search |= {"optimizer": shared.optimizer, "lr": shared.lr}
    if shared.lr is not None:
        search["lr"] = shared.lr
    if shared.tolerance is not None:
        search["tolerance"] = shared.tolerance
    if shared.time_limit is not None:
        search["time_limit"] = shared.time_limit
    if shared.surrogate_steps is not None:
        search["surrogate_steps"] = shared.surrogate_steps
    if shared.memory_budget is not None:
        search["memory_budget"] = shared.memory_budget
    if run.gave("--gradient"):
        search["gradient"] = shared.gradient
    if run.gave("--ceiling"):
        search["ceiling"] = shared.ceiling
    return search


def _resumed(out: Path, result: Result) -> str:
    from ditto_music.pictures import figures

    item = result.items[0]
    return f"{out}: {figures(item)}, {len(item.history)} more iterations, {result.seconds:.1f} s"
