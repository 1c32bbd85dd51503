"""`study`: the research questions, a command each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from ditto_music.cli.commands.batch import teller
from ditto_music.cli.say import say
from ditto_music.cli.shared import FILES, LARGEST_SEED, MUSIC, Offload, Whole
from ditto_music.errors import InputError
from ditto_music.evaluation.studies import QUESTIONS, study_named

STUDY = Group.create_ordered("Study")
CONTROLS = ("intensity", "melody", "structure")
QUICK_PROMPTS, QUICK_ITERATIONS, QUICK_STEPS = 2, 10, 8


def study(
    name: Annotated[
        str | None,
        Parameter(
            name="NAME",
            help=f"Of the study: {', '.join(QUESTIONS)}. Without one, their questions are listed.",
        ),
    ] = None,
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            metavar="FOLDER",
            help="For table.md, table.csv, figure.png and what was measured, which is not measured "
            "again. By default out/studies/NAME.",
        ),
    ] = None,
    prompts: Annotated[
        Whole | None,
        Parameter(
            group=STUDY,
            help="How many, each with a target and seed of its own. By default 8, quickly 2.",
        ),
    ] = None,
    control: Annotated[
        list[str] | None,
        Parameter(
            group=STUDY,
            choices=CONTROLS,
            help="Once for each, of the studies that ask for several. By default all, quickly "
            "intensity.",
        ),
    ] = None,
    quick: Annotated[
        bool,
        Parameter(
            group=STUDY,
            show_default=False,
            help="The ends of each sweep, 8 steps and 10 iterations: a first look.",
        ),
    ] = False,
    model: Annotated[str, Parameter(group=MUSIC, help="As of `control`.")] = "ditto-small",
    duration: Annotated[float, Parameter(group=MUSIC, help="Seconds of a clip.")] = 6.0,
    seed: Annotated[
        Whole, Parameter(group=MUSIC, help="Of the first prompt; the next has the next.")
    ] = 0,
    steps: Annotated[
        Whole | None, Parameter(group=MUSIC, help="Sampler steps. By default 10, quickly 8.")
    ] = None,
    surrogate_steps: Annotated[
        Whole, Parameter(group=MUSIC, help="Sampler steps of most iterations.")
    ] = 5,
    iterations: Annotated[
        Whole | None, Parameter(group=MUSIC, help="Of searches. By default 40, quickly 10.")
    ] = None,
    device: Annotated[str, Parameter(group=FILES, help="Where to compute: cpu, cuda, mps ...")] = (
        "cpu"
    ),
    dtype: Annotated[str, Parameter(group=FILES, help="float32, bfloat16 or auto.")] = "auto",
    offload: Offload = "text",
    quiet: Annotated[bool, Parameter(group=FILES, show_default=False, help="Say nothing.")] = False,
) -> int:
    """Answer a research question with a table and a figure. Stop it at any time; it goes on.

    Where in its spectrum the initial noise carries a control:

        ditto-music study spectrum --prompts 4
    """
    if not 0 <= seed <= LARGEST_SEED // 2:
        raise InputError(f"seed is {seed}: it must be 0 to {LARGEST_SEED // 2}")

    if name is None:
        width = max(map(len, QUESTIONS))
        for each, question in QUESTIONS.items():
            print(f"{each:{width}}  {question}")
        return 0
    asked = study_named(name)

    from ditto_music.evaluation.studies.running import run_study, write_all
    from ditto_music.evaluation.studies.study import Scale, Size
    from ditto_music.jobs import Tally

    scale = Scale(
        duration,
        steps if steps is not None else (QUICK_STEPS if quick else Scale.steps),
        surrogate_steps,
        iterations if iterations is not None else (QUICK_ITERATIONS if quick else Scale.iterations),
        seed,
    )
    size = Size(
        prompts if prompts is not None else (QUICK_PROMPTS if quick else Size.prompts),
        control or (CONTROLS[:1] if quick else CONTROLS),
        quick,
        scale,
    )
    folder = Path("out", "studies", name) if out is None else out
    tally, total = Tally(), len(asked.planned(size))
    if not quiet:
        say(f"{name}: {total} items to measure or to find measured in {folder}")
    watch = teller(tally, total, watch=False, quiet=quiet)
    try:
        found = run_study(
            asked,
            size,
            folder,
            model=model,
            device=device,
            dtype=dtype,
            offload=offload,
            tally=tally,
            watch=watch,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; {tally.done} of {total} done now: the same command goes on"
        ) from None
    finally:
        watch(None)
    write_all(found, folder)
    print(found.markdown())
    return 1 if found.failed else 0
