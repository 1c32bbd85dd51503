"""`compare`: tasks times methods on one model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from ditto_music.cli.commands.batch import teller
from ditto_music.cli.methods import NAMES
from ditto_music.cli.say import say
from ditto_music.cli.shared import FILES, LARGEST_SEED, MUSIC, Offload, Whole
from ditto_music.errors import InputError

CONTEST = Group.create_ordered("Comparison")
TASKS = (
    *("intensity", "melody", "structure", "intensity-melody"),
    *("outpaint", "inpaint", "loop"),
)


def compare(
    *,
    out: Annotated[
        Path,
        Parameter(
            name=("--out", "-o"),
            metavar="FOLDER",
            help="For table.md, table.csv, figure.png, index.html and the audio; what is there is "
            "not made again.",
        ),
    ],
    task: Annotated[
        list[str] | None,
        Parameter(group=CONTEST, choices=TASKS, help="Once for each. By default: all."),
    ] = None,
    method: Annotated[
        list[str] | None,
        Parameter(
            group=CONTEST,
            choices=NAMES,
            help="Once for each. By default: all that can do the task.",
        ),
    ] = None,
    items: Annotated[Whole, Parameter(group=CONTEST, help="Clips of each task and method.")] = 4,
    seconds_each: Annotated[
        float | None,
        Parameter(
            group=CONTEST,
            metavar="SECONDS",
            help="That each method may take for a clip. By default: what its own settings take.",
        ),
    ] = None,
    recordings: Annotated[
        Path | None,
        Parameter(
            group=CONTEST,
            metavar="FOLDER",
            help="Music to edit. By default the model's own is edited.",
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        Parameter(
            group=CONTEST,
            metavar="FOLDER",
            help="Music that outputs are to be near to. By default: distances are left out.",
        ),
    ] = None,
    clap: Annotated[
        str | None,
        Parameter(
            group=CONTEST,
            metavar="FOLDER",
            help="Weights of CLAP, for its score of clip and prompt and for distances.",
        ),
    ] = None,
    vggish: Annotated[
        Path | None,
        Parameter(
            group=CONTEST,
            metavar="FILE",
            help="Weights of VGGish as safetensors, for distances.",
        ),
    ] = None,
    model: Annotated[str, Parameter(group=MUSIC, help="As of `control`.")] = "ditto-small",
    duration: Annotated[float, Parameter(group=MUSIC, help="Seconds of a clip.")] = 6.0,
    seed: Annotated[
        Whole, Parameter(group=MUSIC, help="Of the first item; the next has the next.")
    ] = 0,
    steps: Annotated[
        Whole | None,
        Parameter(group=MUSIC, help="Sampler steps of all methods. By default each method's own."),
    ] = None,
    iterations: Annotated[
        Whole | None,
        Parameter(group=MUSIC, help="Of all methods that search. By default each method's own."),
    ] = None,
    device: Annotated[str, Parameter(group=FILES, help="Where to compute: cpu, cuda, mps ...")] = (
        "cpu"
    ),
    dtype: Annotated[str, Parameter(group=FILES, help="float32, bfloat16 or auto.")] = "auto",
    offload: Offload = "text",
    quiet: Annotated[bool, Parameter(group=FILES, show_default=False, help="Say nothing.")] = False,
) -> int:
    """Hold methods against one another. Stop it at any time; the same command goes on.

    What half a minute a clip is worth to two methods:

        ditto-music compare --task intensity --method ditto --method dps --seconds-each 30 -o out
    """
    if not 0 <= seed <= LARGEST_SEED // 2:
        raise InputError(f"seed is {seed}: it must be 0 to {LARGEST_SEED // 2}")

    from ditto_music.evaluation.compare import Plan
    from ditto_music.evaluation.compare import compare as hold
    from ditto_music.evaluation.contests import CONTESTS
    from ditto_music.evaluation.embeddings import embedding_named
    from ditto_music.evaluation.tables import markdown, write_all
    from ditto_music.jobs import Tally

    flags: dict[str, Any] = {"device": device, "dtype": dtype, "steps": steps}
    flags["iterations"] = iterations
    flags["offload"] = None if offload == "text" else offload
    plan = Plan(
        model,
        task or TASKS,
        method or NAMES,
        items,
        seed,
        duration,
        seconds_each,
        {name: value for name, value in flags.items() if value is not None},
        recordings,
    )
    given = {"musicnn": True, "clap": clap, "vggish": vggish}
    embeddings = {name: embedding_named(name, clap, vggish) for name in given if given[name]}
    tally = Tally()
    total = sum(plan.items * len(plan.methods_of(CONTESTS[name])) for name in plan.tasks)
    watch = teller(tally, total, watch=False, quiet=quiet)

    def tell(line: str) -> None:
        if not quiet:
            say(line)

    try:
        found = hold(
            plan,
            out,
            embeddings=embeddings,
            reference=reference,
            tally=tally,
            watch=watch,
            tell=tell,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; {tally.done} of {total} done now: the same command goes on"
        ) from None
    finally:
        watch(None)
    write_all(found, out)
    print(markdown(found))
    return 1 if found.failed else 0
