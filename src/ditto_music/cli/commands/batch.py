"""`batch`: many items, each once, whatever happens."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from ditto_music.cli.say import say
from ditto_music.cli.shared import FILES, Whole
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.jobs import Outcome, Tally
    from ditto_music.jobs.batch import Engine

WORK = Group.create_ordered("Work")
EVERY_SECONDS = 10.0
SHOWN = 12  # last items in the table


def batch(
    manifest: Annotated[
        str,
        Parameter(
            name="JOBS",
            help='A file of one job a line, {"command": "control", "prompt": "calm piano", '
            '"intensity": "-38:-16", "seed": 1, "id": "rise"}: a command, its flags by name, and '
            "what its files are called. A path, or an address that fsspec knows.",
        ),
    ],
    /,
    *,
    out: Annotated[
        str,
        Parameter(
            name=("--out", "-o"),
            metavar="FOLDER",
            help="For the audio, results.jsonl and failures.jsonl; a folder or an address.",
        ),
    ],
    engine: Annotated[
        Literal["local", "ray", "dry"],
        Parameter(
            group=WORK, help="Who works: this machine, a Ray cluster, or nobody: only check."
        ),
    ] = "local",
    workers: Annotated[
        Whole | None,
        Parameter(
            group=WORK,
            help="Processes or actors, with a model each. By default: one a core or GPU; on Ray 1.",
        ),
    ] = None,
    most: Annotated[
        Whole, Parameter(name="--batch", group=WORK, help="Items made together at most.")
    ] = 8,
    address: Annotated[
        str | None,
        Parameter(group=WORK, help="Of the Ray cluster. By default: one of this machine's own."),
    ] = None,
    cpus: Annotated[float, Parameter(group=WORK, help="That each Ray worker takes.")] = 1.0,
    gpus: Annotated[
        float, Parameter(group=WORK, help="That each Ray worker takes; 0.5 shares one by two.")
    ] = 0.0,
    retry_failed: Annotated[
        bool, Parameter(group=WORK, show_default=False, help="Try again what failed before.")
    ] = False,
    format: Annotated[
        str, Parameter(group=FILES, help="Of the audio: wav, flac, ogg, mp3 ...")
    ] = "wav",
    plots: Annotated[
        bool, Parameter(group=FILES, show_default=False, help="Draw each item as well.")
    ] = False,
    save_run: Annotated[
        bool,
        Parameter(
            group=FILES,
            show_default=False,
            help="Keep each item's run for `vary` and `resume`, and the state of searches, so that "
            "one that is killed goes on.",
        ),
    ] = False,
    watch: Annotated[
        bool, Parameter(group=FILES, show_default=False, help="Show a table of the last items.")
    ] = False,
    quiet: Annotated[bool, Parameter(group=FILES, show_default=False, help="Say nothing.")] = False,
) -> int:
    """Do many jobs. Stop it at any time; the same command goes on where it was.

    Fifty pieces, two at a time:

        ditto-music batch jobs.jsonl -o pieces --workers 2
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}: it must be 1 or more")
    if most < 1:
        raise InputError(f"batch is {most}: it must be 1 or more")

    from ditto_music.audio import held_subtype
    from ditto_music.cli.manifest import Commands
    from ditto_music.jobs import Tally, read_manifest, run_batch
    from ditto_music.jobs.job import manifest_lines

    held_subtype(f"x.{format}")  # refuses a format that is not written
    tally, total = Tally(), sum(1 for line in manifest_lines(manifest) if line.strip())
    outcomes = run_batch(
        read_manifest(manifest),
        out,
        engine=_engine(engine, workers, address, cpus, gpus),
        performer=Commands(f".{format}", plots, save_run, engine == "dry", quiet),
        most=most,
        retry_failed=retry_failed,
        tally=tally,
    )
    tell = teller(tally, total, watch=watch, quiet=quiet)
    try:
        for outcome in outcomes:
            tell(outcome)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; {tally.done} of {total} done now: the same command goes on"
        ) from None
    finally:
        tell(None)
    verb = "understood" if engine == "dry" else "done"
    before = f"{tally.before} before"
    if tally.failed_before:
        before += f", {tally.failed_before} of them failed: --retry-failed tries them again"
    print(f"{out}: {tally.done} {verb}, {tally.failed} failed, {before}")
    return 1 if tally.failed or tally.failed_before else 0


def _engine(
    engine: str, workers: int | None, address: str | None, cpus: float, gpus: float
) -> Engine | str:
    if engine == "dry":
        return engine
    from ditto_music.jobs.engines import Local, Ray

    if engine == "ray":
        return Ray(address, workers or 1, cpus, gpus)
    flags = {"--address": address is not None, "--cpus": cpus != 1.0, "--gpus": gpus != 0.0}
    if any(flags.values()):
        given = ", ".join(flag for flag, is_given in flags.items() if is_given)
        raise InputError(f"{given}: of Ray workers alone: add --engine ray, or leave it out")
    import torch

    return Local(workers or torch.cuda.device_count() or _cores())


def _cores() -> int:
    """That this process may use, where the system tells, as Linux does and macOS does not."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _line(tally: Tally, total: int) -> str:
    """Done, failed, rate and the time left."""
    left = max(0, total - tally.before - tally.done - tally.failed)
    seconds = round(left / tally.rate) if tally.rate > 0 else 0
    failed = f", {tally.failed} failed" if tally.failed else ""
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return (
        f"{tally.before + tally.done}/{total} done{failed}, {60 * tally.rate:.1f} a minute, "
        f"{clock} left"
    )


def teller(
    tally: Tally, total: int, *, watch: bool, quiet: bool
) -> Callable[[Outcome | None], None]:
    """What is called with each outcome, and with None at the end."""
    if quiet:
        return lambda outcome: None
    if watch:
        return _table(tally, total)
    spoken = 0.0
    live = sys.stderr.isatty()

    def tell(outcome: Outcome | None) -> None:
        nonlocal spoken
        if outcome is None:
            if live and spoken:
                print(file=sys.stderr)
            return
        if not outcome.done:
            if live and spoken:
                print(file=sys.stderr)
            say(f"failed: {outcome.error}")
        if live:
            print(f"\r\033[K{_line(tally, total)}", end="", file=sys.stderr, flush=True)
            spoken = time.monotonic()
        elif time.monotonic() - spoken >= EVERY_SECONDS:
            spoken = time.monotonic()
            say(_line(tally, total))

    return tell


def _table(tally: Tally, total: int) -> Callable[[Outcome | None], None]:
    """The last items, and the line below them."""
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    rows: list[tuple[str, str, str]] = []
    live = Live(console=Console(stderr=True), auto_refresh=False)
    live.start()

    def tell(outcome: Outcome | None) -> None:
        if outcome is None:
            live.stop()
            return
        report = outcome.report or {}
        controls: dict[str, dict[str, float]] = report.get("controls", {})
        met = ", ".join(
            f"{name} {key} {value:.3g}"
            for name, figures in controls.items()
            for key, value in figures.items()
            if key != "loss" and isinstance(value, float)
        )
        rows.append((str(outcome.line), str(report.get("out", "failed")), met or outcome.error))
        del rows[:-SHOWN]
        table = Table("line", "file", "how it went", caption=_line(tally, total))
        for row in rows:
            table.add_row(*map(Text, row))  # a str would be read as markup
        live.update(table, refresh=True)

    return tell
