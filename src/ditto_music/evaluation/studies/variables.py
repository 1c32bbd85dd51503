"""Study 2: how much control sits in x_T, in the prompt's embedding, and in later noises.

All are searched on one sampler that has all of them: DDIM with noise in every step (eta 1), its
noises fixed, so that later ones exist; beside it stands the deterministic sampler, where x_T is all
the noise there is. Each search has the same iterations, steps (the surrogate's) and descent, and is
in units of what it searches; norms are free, since an embedding is no noise. How far the clip is
from the start tells what else was changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ditto_music import ending
from ditto_music.audio import plots
from ditto_music.evaluation.studies.drawing import points
from ditto_music.evaluation.studies.making import (
    apart,
    control_of,
    judged,
    own_of,
    tags_of,
)
from ditto_music.evaluation.studies.searching import packed, searched, unpacked
from ditto_music.evaluation.studies.study import Asked, Item, Row, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.problem import Problem
from ditto_music.protocols import Model
from ditto_music.result import Settings
from ditto_music.sampling import Condition, draw_noises, guided, noisy_ddim

#: What is searched, by its parts, and eta of the sampler.
WAYS = (
    (("x_T",), 1.0),
    (("prompt",), 1.0),
    (("later",), 1.0),
    (("x_T", "prompt"), 1.0),
    (("x_T", "later"), 1.0),
    (("x_T", "later", "prompt"), 1.0),
    (("x_T",), 0.0),
    (("prompt",), 0.0),
    (("x_T", "prompt"), 0.0),
)

COLUMNS = (
    Column("values", "values", 0),
    Column("start", "loss before", 2),
    Column("found", "loss found", 2),
    Column("left", "of the loss, left", 3, over="start"),
    Column("own", "own figure"),
    Column("heard", "judge's figure"),
    Column("apart", "distance from the start"),
    Column("tags_before", "prompt's tags before, probability"),
    Column("tags", "prompt's tags, probability"),
    Column("moved", "moved, in deviations"),
)


def items(size: Size) -> list[Asked]:
    """Every set of variables."""
    return [
        {"prompt": number, "control": control, "variables": " + ".join(names), "eta": eta}
        for number in range(size.prompts)
        for control in size.controls
        for names, eta in WAYS
    ]


def measure(model: Model, item: Item) -> list[Row]:
    """One search."""
    name, names = str(item["control"]), str(item["variables"]).split(" + ")
    steps, eta = item.scale.surrogate_steps, float(item["eta"])
    settings = Settings(item.scale.duration, steps, sampler="ddim")
    problem = Problem(model, item.words, control_of(name, item), item.seed, settings)
    noises = draw_noises(problem.form.latent_shape, [item.seed], max(2, steps)).to(model.device)
    guidance = problem.settings.guiding
    known = {"x_T": noises[:, 0], "later": noises[:, 1:]} | embedding(problem.condition)
    sizes = {key: value.std().clamp(min=1e-6) for key, value in known.items()}
    chosen = [key for key in known if (key if key in ("x_T", "later") else "prompt") in names]
    start = [known[key] / sizes[key] for key in chosen]

    def make(point: Tensor, number: int) -> Tensor:
        parts = dict(zip(chosen, unpacked(point, start), strict=True))
        now = known | {key: part * sizes[key] for key, part in parts.items()}
        tensors = {key: now.get(key, value) for key, value in problem.condition.tensors.items()}
        denoise = guided(
            model.denoise, Condition(tensors), problem.negative, guidance, model.schedule
        )
        later = now["later"].movedim(1, 0)
        return noisy_ddim(denoise, now["x_T"], model.schedule, steps, eta, later)

    first = packed(start)
    found = searched(problem, first, make, item.scale.iterations, "lbfgs-free")
    with torch.no_grad():
        before = ending.packed(problem, "plain", noises[:, 0], make(first, 0))
        after = ending.packed(problem, "ditto", noises[:, 0], make(found.best, 0))
    loss = after.items[0].final["loss"]
    return [
        {
            "values": first.numel(),
            "start": found.losses[0],
            "found": loss,
            "left": loss,
            "own": own_of(after, name),
            "heard": judged(after, name, item),
            "apart": apart(before, after),
            "tags_before": tags_of(before, item.words),
            "tags": tags_of(after, item.words),
            "moved": float((found.best - first).square().mean().sqrt()),
            "losses": found.losses,
        }
    ]


def embedding(condition: Condition) -> dict[str, Tensor]:
    """What of a condition can be searched: numbers that are no masks."""
    return {
        key: value
        for key, value in condition.tensors.items()
        if value.is_floating_point() and "mask" not in key and value.numel() > 1
    }


def table(rows: Sequence[Row]) -> Table:
    """A line a control and set of variables."""
    heads = {"control": "control", "eta": "eta", "variables": "searched"}
    return summed(rows, heads, COLUMNS)


def draw(rows: Sequence[Row]) -> Figure:
    """What is left of the loss, and how far the clip went, a point a set of variables."""
    controls = grouped(rows, ["control"])
    picture, axes = plots.figure(2 * len(controls), height=2.6)
    for number, ((control,), some) in enumerate(controls.items()):
        groups = {
            f"{names}, eta {eta:g}": ours
            for (names, eta), ours in grouped(some, ["variables", "eta"]).items()
        }
        for ax, column in zip(axes[2 * number :], (COLUMNS[3], COLUMNS[6]), strict=False):
            points(ax, groups, column)
            ax.set_title(str(control), color=plots.INK, fontsize="small", loc="left")
    return picture


STUDY = Study(
    name="variables",
    paper="Only x_T is searched; it is said to encode low-frequency structure that prompts leave "
    "open. Later work (NoisEasier, DNO) finds that all noises reach more than the first alone.",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
)
