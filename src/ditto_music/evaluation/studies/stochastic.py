"""Study 5: fresh noise in the sampler's steps while the initial noise is searched.

With noises that stay the same from iteration to iteration a stochastic sampler is only another
deterministic one; with fresh ones each iteration, its loss is another function each time. Every
item searches x_T by Adam for all of its iterations, on the surrogate's steps from first to last.
What was found, of fresh noises what does best with a draw that no iteration had, is then sampled
with the noises of the search, with others, and without any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ditto_music.audio import plots
from ditto_music.ending import packed
from ditto_music.evaluation.studies.drawing import line_over
from ditto_music.evaluation.studies.making import control_of, judged
from ditto_music.evaluation.studies.searching import searched
from ditto_music.evaluation.studies.study import Asked, Item, Row, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.problem import Problem
from ditto_music.protocols import Model
from ditto_music.result import Settings
from ditto_music.sampling import draw_noises, noisy_ddim

ETAS = (0.0, 0.3, 0.6, 1.0)
NOISES = ("fixed", "fresh")
OTHERS = 4  # draws of other noises
OTHER_SEED, HELD_SEED, FRESH_SEED = 200_000, 250_000, 300_000

COLUMNS = (
    Column("start", "loss before", 2),
    Column("found", "loss, noises of the search", 2),
    Column("others", "loss, other noises", 2),
    Column("still", "loss, no noise", 2),
    Column("heard", "judge's figure, other noises"),
)


def items(size: Size) -> list[Asked]:
    """Every amount of noise, fixed and fresh; no noise is neither."""
    ways = [(0.0, "none")]
    ways += [(eta, noises) for eta in size.sweep(ETAS[1:]) for noises in NOISES]
    return [
        {"prompt": number, "control": control, "eta": eta, "noises": noises}
        for number in range(size.prompts)
        for control in size.controls
        for eta, noises in ways
    ]


def measure(model: Model, item: Item) -> list[Row]:
    """One search."""
    scale, eta, name = item.scale, float(item["eta"]), str(item["control"])
    steps = scale.surrogate_steps
    settings = Settings(scale.duration, steps, sampler="ddim", tolerance=0.0)
    problem = Problem(model, item.words, control_of(name, item), item.seed, settings)
    x_T, denoise = problem.noise(), problem.denoiser([0])

    def drawn(seed: int) -> Tensor:
        """The noises of the later steps (steps - 1, 1, ...)."""
        noises = draw_noises(problem.form.latent_shape, [seed], max(2, steps))
        return noises[:, 1:].movedim(1, 0).to(model.device)

    def walked(x: Tensor, seed: int, eta: float) -> Tensor:
        return noisy_ddim(denoise, x, model.schedule, steps, eta, drawn(seed))

    def make(point: Tensor, number: int) -> Tensor:
        fresh = FRESH_SEED + scale.iterations * item.seed + number
        seed = fresh if item["noises"] == "fresh" else item.seed
        return walked(point.view_as(x_T), seed, eta)

    found = searched(problem, x_T.flatten(), make, scale.iterations, "adam")
    losses, other = found.losses, OTHER_SEED + OTHERS * item.seed
    with torch.no_grad():
        if item["noises"] == "fresh":  # each loss is of another draw: the luckiest is least
            held = [walked(x.view_as(x_T), HELD_SEED + item.seed, eta) for x in found.points]
            losses = [float(problem.measure(problem.clip(each), [0])[0]) for each in held]
        chosen = int(np.nanargmin(losses))
        best = found.points[chosen].view_as(x_T)
        others = [
            packed(problem, "ditto", best, walked(best, seed, eta))
            for seed in range(other, other + OTHERS)
        ]
        still = packed(problem, "ditto", best, walked(best, item.seed, 0.0))
    ears = [judged(one, name, item) for one in others]
    heard = [ear for ear in ears if ear is not None]
    return [
        {
            "start": found.losses[0],
            "found": found.losses[chosen],
            "others": float(np.mean([one.items[0].final["loss"] for one in others])),
            "still": still.items[0].final["loss"],
            "heard": float(np.mean(heard)) if heard else None,
            "losses": found.losses,
        }
    ]


def table(rows: Sequence[Row]) -> Table:
    """A line a control, amount and kind of noise."""
    return summed(rows, {"control": "control", "eta": "eta", "noises": "noises"}, COLUMNS)


def draw(rows: Sequence[Row]) -> Figure:
    """The loss over iterations, a line a kind of noise."""
    controls = grouped(rows, ["control"])
    picture, axes = plots.figure(len(controls), height=3.0)
    for ax, ((control,), some) in zip(axes, controls.items(), strict=True):
        for (eta, noises), ours in grouped(some, ["eta", "noises"]).items():
            label = "no noise" if noises == "none" else f"eta {eta:g}, {noises}"
            points = [
                {"iteration": number, "loss": loss}
                for row in ours
                for number, loss in enumerate(row["losses"], start=1)
            ]
            line_over(ax, points, "iteration", Column("loss", "loss"), label)
        plots.labelled(ax, "iteration", f"{control}: loss")
        ax.set_yscale("log")
    return picture


STUDY = Study(
    name="stochastic",
    paper="Only deterministic samplers are used inside; stochastic ones made the optimisation "
    "considerably harder (appendix I).",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
)
