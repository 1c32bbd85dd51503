"""How well each control is met: ``python -m benchmarks.controls --task melody``.

Every prompt of a task is run with every target from a seed of its own, with default settings but
for those given, by `optimize` or another method that takes the control. Each answer is measured by
its control and by an independent judge, who hears the written file; the uncontrolled sample of the
same seed is measured and judged for the same targets beside it. Resumable: what is finished with
the same settings is not made again, and ``--table`` only prints it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import soundfile

from benchmarks.kept import keep, kept
from benchmarks.tasks import TASKS, Figure, Task
from ditto_music import Progress, generate, load_model
from ditto_music.baselines import METHODS
from ditto_music.cli.shared import Shared
from ditto_music.descent import DESCENTS
from ditto_music.evaluation.targets import SECONDS, Samples
from ditto_music.models import revision
from ditto_music.optimize import Search
from ditto_music.protocols import Model
from ditto_music.result import Result

Row = dict[str, Any]

#: Methods that need no part of a recording to keep.
ABLE = [name for name, method in METHODS.items() if not method.keeps]


def run_prompt(
    model: Model,
    task: Task,
    number: int,
    folder: Path,
    method: str = "ditto",
    **search: Unpack[Search],
) -> list[Row]:
    """All targets of one prompt as one batch, each beside the uncontrolled sample."""
    prompt = task.prompts[number]
    controls = [ask.control() for ask in task.asks.values()]
    seeds = [number] * len(controls)
    plain = generate(
        model, prompt, controls, seed=seeds, duration=SECONDS,
        steps=search.get("steps"), guidance=search.get("guidance"),
    )  # fmt: skip
    started = time.monotonic()
    seconds: list[list[float]] = [[] for _ in controls]

    def tick(progress: Progress) -> None:
        for item in progress.items:
            seconds[item].append(time.monotonic() - started)

    result = METHODS[method](
        model,
        prompt,
        controls,
        seed=seeds,
        duration=SECONDS,
        callback=tick,
        **search,
    )
    took = time.monotonic() - started
    rows: list[Row] = []
    for (name, ask), one, free, spent in zip(
        task.asks.items(), result, plain, seconds, strict=True
    ):
        item = one.items[0]
        steps = [row["steps"] for row in item.history]
        rows.append(
            {
                "prompt": prompt,
                "target": name,
                "controlled": {
                    "own": own(one),
                    "judge": ask.judge(*written(one, folder / f"{number:02d}-{name}.wav")),
                },
                "uncontrolled": {
                    "own": own(free),
                    "judge": ask.judge(*written(free, folder / f"{number:02d}-plain.wav")),
                },
                "iterations": len(steps),
                "last_stage": steps.count(max(steps, default=0)),
                "batch_seconds": max((each[-1] for each in seconds if each), default=took),
                "seconds": spent,
                "losses": [row["loss"] for row in item.history],
                "stopped": item.stopped,
                "latent_std": float(item.x_T.std()),
            }
        )
    return rows


def own(result: Result) -> dict[str, float]:
    """The controls' metrics of one item as ``control.metric``."""
    metrics = result.items[0].metrics
    return {f"{c}.{key}": value for c, values in metrics.items() for key, value in values.items()}


def written(result: Result, path: Path) -> tuple[Samples, int]:
    """The mean of the channels (N,) of the written file, and its rate: what a judge hears."""
    result.save(path)
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(1), rate


def table(task: Task, rows: Sequence[Row]) -> str:
    """One line a target in Markdown: controlled, and uncontrolled in brackets."""
    heads = [f"{f.label} ({f.by})" for f in task.figures]
    lines = [
        f"| target | {' | '.join(heads)} | iterations | on all steps |",
        "|---" * (len(heads) + 3) + "|",
    ]
    for name in [*task.asks, "all"]:
        some = [row for row in rows if name in (row["target"], "all")]
        cells = [cell(figure, some) for figure in task.figures]
        counts = [f"{np.median([row[key] for row in some]):.0f}" for key in COUNTS]
        lines.append(f"| {name} | {' | '.join([*cells, *counts])} |")
    reached = [reach for row in rows if (reach := first_under(row, task.good)) is not None]
    if task.good is not None and reached:
        iterations, waited = (np.median(some) for some in zip(*reached, strict=True))
        lines += [
            "",
            f"Loss {task.good:g} was reached by {len(reached)} of {len(rows)}, in a median of "
            f"{iterations:.0f} iterations and {waited:.0f} s of the batch of {len(task.asks)}.",
        ]
    met = sum(row["stopped"] == "tolerance" for row in rows)
    spread = [row["latent_std"] for row in rows]
    each = sum(row["batch_seconds"] / len(task.asks) for row in rows) / len(rows)
    return "\n".join(
        [
            *lines,
            "",
            f"{len(rows)} items, {met} within tolerance; standard deviation of x_T "
            f"{min(spread):.3f} to {max(spread):.3f}; {each:.0f} s an item.",
        ]
    )


def first_under(row: Row, good: float | None) -> tuple[int, float] | None:
    """Iterations and seconds until the loss was first at most `good`, on whatever steps."""
    if good is None:
        return None
    pairs = enumerate(zip(row["losses"], row["seconds"], strict=True), 1)
    return next(((number, spent) for number, (loss, spent) in pairs if loss <= good), None)


COUNTS = ("iterations", "last_stage")


def cell(figure: Figure, rows: Sequence[Row]) -> str:
    """A figure over some items, and in brackets what it is uncontrolled."""
    over = np.median if figure.by == "median" else np.mean
    values = [
        float(over([row[kind][figure.source][figure.key] for row in rows]))
        for kind in ("controlled", "uncontrolled")
    ]
    one, other = (f"{value:.{figure.digits}f}" for value in values)
    return f"{one} ({other})"


def main() -> None:
    """Run what is not done yet and print the tables."""
    parser = argparse.ArgumentParser(description="Controls over prompts, seeds and targets.")
    parser.add_argument("--task", choices=list(TASKS), action="append", help="default: all")
    parser.add_argument("--out", type=Path, default=Path("out/controls"))
    parser.add_argument("--model", default="ditto-small")
    parser.add_argument("--prompts", type=int, help="the first so many of each task")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--steps", type=int, help="default: the model's own, as of the next two")
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--guidance-interval", metavar="FROM:TO", help="as the command's")
    parser.add_argument("--method", choices=ABLE, default="ditto")
    parser.add_argument("--optimizer", choices=list(DESCENTS), default="lbfgs")
    parser.add_argument("--compile", action="store_true", help="as the command's: pays from 10 on")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the prompts")
    parser.add_argument("--worker", type=int, default=0, help="which of them this one is, from 0")
    parser.add_argument("--table", action="store_true", help="only print what is done")
    args = parser.parse_args()
    model = None if args.table else load_model(args.model, compiled=args.compile)
    guided = Shared(guidance=args.guidance, guidance_interval=args.guidance_interval)
    named = ("model", "method", "iterations", "steps", "guidance", "guidance_interval")
    named += ("optimizer", "compile")
    settings = {name: getattr(args, name) for name in named} | {"revision": revision(args.model)}
    for name in args.task or TASKS:
        task, rows = TASKS[name], list[Row]()
        folder = args.out / name.replace(" ", "-")
        if args.method != "ditto":
            folder /= args.method
        if args.optimizer != "lbfgs":
            folder /= args.optimizer
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(min(args.prompts or len(task.prompts), len(task.prompts))):
            done = folder / f"{number:02d}.json"
            made = kept(done, settings)
            if made is None:
                if model is None or number % args.workers != args.worker:
                    continue
                made = run_prompt(
                    model, task, number, folder, args.method,
                    iterations=args.iterations, optimizer=args.optimizer,
                    steps=args.steps, guidance=guided.guiding(model.guidance),
                )  # fmt: skip
                keep(done, settings, made)
                print(f"{name}: {number + 1}/{len(task.prompts)} prompts", flush=True)
            rows += made
        print(f"\n### {name}\n\n{table(task, rows) if rows else 'nothing is done yet'}\n")


if __name__ == "__main__":
    main()
