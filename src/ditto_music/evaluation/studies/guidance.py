"""Study 4: searching the noise against guiding the steps: control, quality and cost.

Each system is run at several costs: searches and best-of with more iterations, guided walks with
more steps. Cost is counted in operations, in units of one plain sample, so that it means the same
on any machine; seconds are not told, for counting inflates them. Quality is what is left of the
prompt's tags and, of the systems that keep to the seed's noise, how far the clip is from the
uncontrolled one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ditto_music.audio import plots
from ditto_music.evaluation.contests import CONTESTS
from ditto_music.evaluation.studies.drawing import line_through
from ditto_music.evaluation.studies.making import (
    control_of,
    counted,
    from_uncontrolled,
    judged,
    own_of,
    plain,
    solved,
    tags_of,
)
from ditto_music.evaluation.studies.study import Asked, Item, Row, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.protocols import Model

#: What makes a system dearer, and the values it takes; guided walks end with their papers' steps.
COSTS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "best-of": ("iterations", (5, 15, 40)),
    "freedom": ("steps", (20, 50, 100)),
    "guidance-gradients": ("steps", (10, 20, 50)),
    "dps": ("steps", (20, 50, 100)),
    "mpgd": ("steps", (20, 50, 100)),
    "dsg": ("steps", (20, 50, 100)),
    "doodl": ("iterations", (5, 20, 70)),
    "ditto": ("iterations", (5, 10, 20, 40)),
}

COLUMNS = (
    Column("own", "own figure"),
    Column("heard", "judge's figure"),
    Column("tags", "prompt's tags, probability"),
    Column("apart", "distance from the uncontrolled"),
    Column("samples", "operations, in samples", 1),
)


def items(size: Size) -> list[Asked]:
    """Every system at every cost, no dearer than the scale's iterations."""
    ways = [("plain", "steps", size.scale.steps)]
    ways += [
        (system, what, cost)
        for system, (what, costs) in COSTS.items()
        for cost in affordable(what, costs, size)
    ]
    return [
        {"prompt": number, "control": control, "system": system, "what": what, "cost": cost}
        for number in range(size.prompts)
        for control in size.controls
        for system, what, cost in ways
    ]


def affordable(what: str, costs: Sequence[int], size: Size) -> Sequence[int]:
    """Of searches those within the scale's iterations, the cheapest always; quickly, the cheapest
    of walks too.
    """
    if what == "iterations":
        kept = [cost for cost in costs if cost <= size.scale.iterations]
        return size.sweep(kept or costs[:1])
    return size.first(costs)


def measure(model: Model, item: Item) -> list[Row]:
    """One clip by one system."""
    name, system = str(item["control"]), str(item["system"])
    control = control_of(name, item)
    free, one = counted(lambda: plain(model, item, control))
    own: dict[str, Any] = {str(item["what"]): int(item["cost"])}
    made, took = (
        (free, one)
        if system == "plain"
        else counted(lambda: solved(model, item, control, system, **own))
    )
    if system == "doodl":  # its clips are EDICT's
        free = plain(model, item, control, sampler="edict")
    return [
        {
            "own": own_of(made, name),
            "heard": judged(made, name, item),
            "tags": tags_of(made, item.words),
            "apart": from_uncontrolled(system, made, free),
            "samples": took / one,
        }
    ]


def table(rows: Sequence[Row]) -> Table:
    """A line a control, system and cost."""
    heads = {"control": "control", "system": "system", "what": "dearer by", "cost": "cost"}
    notes = [
        f"{name}: own figure is {CONTESTS[name].own.label}, the judge's "
        f"{CONTESTS[name].heard.label}."
        for (name,) in grouped(rows, ["control"])
    ]
    return summed(rows, heads, COLUMNS, notes)


def draw(rows: Sequence[Row]) -> Figure:
    """Control over cost, a line a system."""
    controls = grouped(rows, ["control"])
    picture, axes = plots.figure(2 * len(controls), height=2.8)
    samples = COLUMNS[4]
    places = [(control, column) for (control,) in controls for column in COLUMNS[:2]]
    for ax, (control, column) in zip(axes, places, strict=True):
        for (system,), some in grouped(controls[(control,)], ["system"]).items():
            line_through(ax, some, "cost", samples, column, str(system))
        contest = CONTESTS[control]
        figure = contest.own if column.key == "own" else contest.heard
        aim = "less is better" if figure.less else "more is better"
        plots.labelled(ax, "cost, in plain samples", f"{control}: {figure.label}\n({aim})")
        ax.set_xscale("log")
        if figure.less:
            ax.set_yscale("log")
    return picture


STUDY = Study(
    name="guidance",
    paper="On intensity DITTO reaches 4.8 dB^2 in 82 s, FreeDoM 23.3 in 2.9 s, DOODL 4.8 in 207 s; "
    "on melody 83%, 32% and 82%; FreeDoM is the better one on structure (0.018 against 0.024).",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
)
