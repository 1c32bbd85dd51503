"""`evaluate`: measure a folder of audio from any system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ditto_music.cli.say import say
from ditto_music.cli.shared import Whole
from ditto_music.errors import InputError


def evaluate(
    folder: Annotated[
        Path, Parameter(name="FOLDER", help="Audio files to measure; subfolders are left out.")
    ],
    /,
    *,
    reference: Annotated[
        Path | None,
        Parameter(
            metavar="FOLDER",
            help="Music to be near to, the more the better. By default: no distances are measured.",
        ),
    ] = None,
    embedding: Annotated[
        list[Literal["musicnn", "musicnn-mtt", "clap", "vggish"]] | None,
        Parameter(
            help="Networks that distances are measured with, once for each. By default: musicnn, "
            "and clap and vggish where their weights are given."
        ),
    ] = None,
    clap: Annotated[
        str | None,
        Parameter(
            metavar="FOLDER",
            help="Weights of CLAP, as for the control of that name; its score of clip and prompt "
            "is told where prompts are known.",
        ),
    ] = None,
    vggish: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="Weights of VGGish as safetensors, named as in torchvggish.",
        ),
    ] = None,
    seed: Annotated[Whole, Parameter(help="Number that intervals are drawn from.")] = 0,
    json: Annotated[
        Path | None, Parameter(metavar="FILE", help="Write all figures and files, as JSON.")
    ] = None,
    quiet: Annotated[
        bool, Parameter(show_default=False, help="Nothing on standard error.")
    ] = False,
) -> int:
    """Measure a folder of audio, whatever made it; prints a Markdown table.

    How far outputs are from held-out music, with 95 % intervals:

        ditto-music evaluate pieces --reference music --json figures.json
    """
    if seed < 0:
        raise InputError(f"seed is {seed}: it must be 0 or more")

    from ditto_music.evaluation.embeddings import embedding_named
    from ditto_music.evaluation.folder import evaluate as measure
    from ditto_music.whole import check_target

    if json:
        check_target(json)
    given = {"clap": clap, "vggish": vggish}
    names = dict.fromkeys(embedding or ["musicnn", *(name for name in given if given[name])])
    embeddings = {name: embedding_named(name, clap, vggish) for name in names}

    def tell(line: str) -> None:
        if not quiet:
            say(line)

    found = measure(folder, reference, embeddings=embeddings, seed=seed, tell=tell)
    if json:
        from ditto_music.result import write_report

        write_report(json, found.plain())
    print(found.markdown())
    if not clap:
        tell("CLAP was not measured: give the folder of its weights with --clap")
    return 0
