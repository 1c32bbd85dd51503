"""Study 1: what the way back through the sampler costs, stored, made again or undone.

Memory is told twice: as a ledger of what torch allocates in one iteration, the same on every
machine, and as the peak of the process, less what it held after sampling. Operations are counted,
seconds are medians of samples and iterations in turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from matplotlib.figure import Figure

from ditto_music.audio import plots
from ditto_music.baselines.doodl import tied_gradient
from ditto_music.controls import Intensity
from ditto_music.evaluation.studies.drawing import line_over
from ditto_music.evaluation.studies.making import counted
from ditto_music.evaluation.studies.study import Asked, Item, Row, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.memory import Ledger
from ditto_music.problem import Problem
from ditto_music.protocols import Model
from ditto_music.result import Settings, forget_peak, peak_memory

DOODL = "DOODL as released"  # EDICT under ordinary checkpointing; both results are decoded

#: Sampler and gradient plan.
WAYS = {
    "plain": ("ddim", "plain"),
    "checkpoint": ("ddim", "checkpoint"),
    "EDICT, checkpoint": ("edict", "checkpoint"),
    "EDICT, reversible": ("edict", "reversible"),
    DOODL: ("edict", "checkpoint"),
}
STEPS = (5, 10, 20, 50)
REPEATS = 3
RISE = (-35.0, -14.0)

COLUMNS = (
    Column("counted_mb", "counted, MB", 1),
    Column("added_mb", "process adds, MB", 0),
    Column("operations", "operations, in samples", 2),
    Column("sample_seconds", "sample, s"),
    Column("iteration_seconds", "iteration, s"),
)


def items(size: Size) -> list[Asked]:
    """Every way at every number of steps; quickly, at two."""
    repeats = 1 if size.quick else REPEATS
    return [
        {"way": way, "steps": steps, "clips": 1, "repeats": repeats}
        for way in WAYS
        for steps in (STEPS[::2] if size.quick else STEPS)
    ]


def measure(model: Model, item: Item) -> list[Row]:
    """One iteration of intensity against one plain sample."""
    sampler, plan = WAYS[item["way"]]
    steps, everyone = int(item["steps"]), range(int(item["clips"]))
    seeds = [item.seed + i for i in everyone]
    duration = item.scale.duration
    settings = Settings(duration, steps, sampler=sampler, gradient=plan)
    problem = Problem(model, item.words, Intensity(RISE), seeds, settings)
    base = Problem(model, item.words, None, seeds, Settings(duration, steps, sampler="ddim"))
    noise = problem.noise()

    def sample() -> None:
        with torch.no_grad():
            _ = base.clip(base.sample(noise, everyone, steps)).audio

    def iteration() -> None:
        if item["way"] == DOODL:
            tied_gradient(problem, noise, everyone)
            return
        x_T = noise.clone().requires_grad_()
        losses, _ = problem.measure(problem.clip(problem.sample(x_T, everyone, steps)), everyone)
        _ = torch.autograd.grad(losses.sum(), x_T)

    sample()
    known = forget_peak()
    before = peak_memory()
    iteration()
    after = peak_memory()
    samples, iterations = list[float](), list[float]()
    for _ in range(int(item["repeats"])):
        samples.append(timed(sample))
        iterations.append(timed(iteration))
    sample_flops, iteration_flops = counted(sample)[1], counted(iteration)[1]
    ledger = Ledger()
    with ledger:
        iteration()
    return [
        {
            "samples": samples,
            "iterations": iterations,
            "sample_seconds": median(samples),
            "iteration_seconds": median(iterations),
            "added_mb": (after - before) / 1e6 if known else None,
            "peak_mb": after / 1e6,
            "counted_mb": ledger.peak / 1e6,
            "sample_operations": sample_flops,
            "iteration_operations": iteration_flops,
            "operations": iteration_flops / sample_flops,
        }
    ]


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def table(rows: Sequence[Row]) -> Table:
    """A line a way and number of steps."""
    return summed(rows, {"way": "plan", "steps": "steps"}, COLUMNS)


def draw(rows: Sequence[Row]) -> Figure:
    """Counted memory and operations over steps."""
    picture, axes = plots.figure(2, height=2.8)
    for ax, column in zip(axes, (COLUMNS[0], COLUMNS[2]), strict=True):
        for (way,), some in grouped(rows, ["way"]).items():
            line_over(ax, some, "steps", column, str(way))
        plots.labelled(ax, "sampler steps", column.label)
        plots.from_zero(ax)
    return picture


STUDY = Study(
    name="memory",
    paper="Checkpointing keeps memory flat (1.8% more at 50 steps than at 20) for one more forward "
    "pass; DOODL as released takes 2.25 times the time and 1.65 times the memory of DITTO.",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
    fresh=True,
)
