"""Study 10: the sampler inside the optimisation, at equal denoiser calls.

Each item searches on one sampler with few steps from first to last, without the surrogate's stages,
and then the noise found is sampled with many: by how much the control is lost on the way. How far
the few steps' run lies from the model's own path, a hundred small steps, is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ditto_music.audio import plots
from ditto_music.evaluation.studies.drawing import line_over
from ditto_music.evaluation.studies.making import (
    apart,
    control_of,
    counted,
    judged,
    own_of,
    plain,
    solved,
)
from ditto_music.evaluation.studies.study import Asked, Item, Row, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.problem import Problem
from ditto_music.protocols import Model
from ditto_music.result import Settings
from ditto_music.sampling import CALLS_A_STEP, SAMPLERS, Denoise

NAMES = ("ddim", "dpm", "heun", "adams")
CALLS = (5, 9, 21)  # odd: of Heun's steps all but the last make two
MANY = CALLS[-1]
PATH_STEPS, PATH_SAMPLER = 100, "adams"

COLUMNS = (
    Column("start", "loss before", 3),
    Column("found", "loss found", 3),
    Column("kept", "loss at many calls", 3),
    Column("own", "own figure"),
    Column("heard", "judge's figure"),
    Column("iterations", "iterations", 0),
    Column("path", "distance from the path", 3),
    Column("apart", "distance from the uncontrolled"),
    Column("operations", "operations, in samples", 1),
)


def items(size: Size) -> list[Asked]:
    """Every sampler at every number of calls."""
    return [
        {"prompt": number, "control": control, "calls": calls, "sampler": sampler}
        for number in range(size.prompts)
        for control in size.controls
        for calls in (CALLS[1:2] if size.quick else CALLS)
        for sampler in NAMES
    ]


def measure(model: Model, item: Item) -> list[Row]:
    """One search, and its noise sampled with many calls, as its uncontrolled clip is."""
    name, sampler = str(item["control"]), str(item["sampler"])
    steps = steps_of(sampler, int(item["calls"]))
    control = control_of(name, item)
    one = counted(lambda: plain(model, item))[1]
    made, took = counted(
        lambda: solved(model, item, control, sampler=sampler, steps=steps, surrogate_steps=steps)
    )
    clip = made.items[0]
    many: dict[str, Any] = {"sampler": sampler, "steps": steps_of(sampler, MANY)}
    start = plain(model, item, **many)
    kept = plain(model, item, control, x_T=made.x_T, **many)
    return [
        {
            "start": clip.history[0]["loss"] if clip.history else None,
            "found": clip.final["loss"],
            "kept": kept.items[0].final["loss"],
            "own": own_of(kept, name),
            "heard": judged(kept, name, item),
            "iterations": len(clip.history),
            "path": from_path(model, item, sampler, steps),
            "apart": apart(kept, start),
            "operations": took / one,
        }
    ]


def steps_of(sampler: str, calls: int) -> int:
    """Of a run of so many calls; the last step, to clean music, makes one."""
    a_step = CALLS_A_STEP.get(sampler, 1)
    return 1 + (calls - 1) // a_step


@torch.no_grad()
def from_path(model: Model, item: Item, sampler: str, steps: int) -> float:
    """How far a run of few steps ends from the model's own path, over the norm of its end."""
    denoise, x_T, exact = _path(model, item.words, item.seed, item.scale.duration)
    return distance(SAMPLERS[sampler](denoise, x_T, model.schedule, steps), exact)


@lru_cache(maxsize=1)
def _path(model: Model, words: str, seed: int, seconds: float) -> tuple[Denoise, Tensor, Tensor]:
    """The guided model, the noise, and where its path ends; a prompt's items share it."""
    problem = Problem(model, words, None, seed, Settings(seconds))
    denoise, x_T = problem.denoiser([0]), problem.noise()
    return denoise, x_T, SAMPLERS[PATH_SAMPLER](denoise, x_T, model.schedule, PATH_STEPS)


def distance(a: Tensor, b: Tensor) -> float:
    """Of `a` from `b`, over the norm of `b`."""
    return float((a - b).norm() / b.norm())


def table(rows: Sequence[Row]) -> Table:
    """A line a control, sampler and number of calls."""
    heads = {"control": "control", "calls": "calls", "sampler": "sampler"}
    return summed(rows, heads, COLUMNS)


def draw(rows: Sequence[Row]) -> Figure:
    """What of the control is left at many calls, over the calls of the search."""
    controls = grouped(rows, ["control"])
    picture, axes = plots.figure(len(controls), height=2.8)
    for ax, ((control,), some) in zip(axes, controls.items(), strict=True):
        for (sampler,), ours in grouped(some, ["sampler"]).items():
            line_over(ax, ours, "calls", COLUMNS[2], str(sampler))
        plots.labelled(
            ax, "denoiser calls of a run in the search", f"{control}: loss at {MANY} calls"
        )
        ax.set_yscale("log")
    return picture


STUDY = Study(
    name="samplers",
    paper="DPM-Solver++ in place of DDIM was worse for intensity (6.30 against 4.77 dB^2) and "
    "slightly better for outpainting (FAD 9.12 against 9.19); theory is left open.",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
)
