"""Study 7: which movements of x_T along time carry what is asked of the music.

A noise found for a control is cut along time into what moves slower and faster than so many hertz.
Three figures at each cut: how much of the update's energy is below it, against white noise; how
much of the control is lost where only the slow (or only the fast) part of the found noise is kept
and the rest is drawn anew; and, as in the paper's appendix J, by how much features of clips of many
prompts agree more when they share the slow part of one noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ditto_music.audio import plots
from ditto_music.evaluation.studies.bands import energy_below, joined, white_below
from ditto_music.evaluation.studies.drawing import line_over
from ditto_music.evaluation.studies.making import control_of, plain, solved
from ditto_music.evaluation.studies.study import Asked, Item, Row, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.evaluation.targets import PROMPTS
from ditto_music.features import intensity
from ditto_music.features.chroma import chroma
from ditto_music.features.similarity import self_similarity
from ditto_music.features.timbre import timbre
from ditto_music.protocols import Model
from ditto_music.sampling import draw_noise

CUTS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 1000.0)  # Hz; the last is all there is
REDRAWN, BATCH = 3, 6  # draws of what is not kept; clips that share
REDRAWN_SEED, BATCH_SEED = 400_000, 500_000

COLUMNS = (
    Column("energy", "update's energy below", 3),
    Column("white", "white noise's", 3),
    Column("gone_below", "control lost, slow part kept", over="won"),
    Column("gone_above", "control lost, fast part kept", over="won"),
    Column("variance", "variance left, slow part shared", over="alone"),
)


def items(size: Size) -> list[Asked]:
    """A search of each control on each prompt, and as many batches that share."""
    cuts = [*size.sweep(CUTS)]
    searches = [
        {"prompt": number, "control": control, "cuts": cuts}
        for number in range(size.prompts)
        for control in size.controls
    ]
    controls = [*size.controls]
    shared = [
        {"prompt": number, "control": "shared", "controls": controls, "cuts": cuts}
        for number in range(size.prompts)
    ]
    return [*searches, *shared]


def measure(model: Model, item: Item) -> list[Row]:
    """Of a search or of a batch, a row a cut."""
    return _shared(model, item) if item["control"] == "shared" else _searched(model, item)


def cuts_of(model: Model, item: Item) -> list[float]:
    """In Hz, none beyond what the latent can move by, in tenths."""
    fastest = math.ceil(5 / model.seconds_per_frame) / 10
    return sorted({min(float(cut), fastest) for cut in item["cuts"]})


def _searched(model: Model, item: Item) -> list[Row]:
    name, rate = str(item["control"]), 1 / model.seconds_per_frame
    control = control_of(name, item)
    found = solved(model, item, control)
    shape = model.latent_shape(item.scale.duration)
    start = draw_noise(shape, [item.seed])
    others = draw_noise(shape, [REDRAWN_SEED + REDRAWN * item.seed + i for i in range(REDRAWN)])
    best = found.x_T.expand_as(others)

    def loss(x_T: Tensor) -> float:
        made = plain(model, item, control, seed=[item.seed] * len(x_T), x_T=x_T)
        return float(np.mean([one.final[name] for one in made.items]))

    reached, free = found.items[0].final[name], loss(others)

    return [
        {
            "cut": cut,
            "energy": energy_below(found.x_T - start, cut, rate),
            "white": white_below(shape[-1], cut, rate),
            "won": free - reached,
            "gone_below": loss(joined(best, others, cut, rate)) - reached,
            "gone_above": loss(joined(others, best, cut, rate)) - reached,
        }
        for cut in cuts_of(model, item)
    ]


def _shared(model: Model, item: Item) -> list[Row]:
    """Variances of features in a batch of unlike prompts, and those with nothing shared."""
    rate = 1 / model.seconds_per_frame
    words = [PROMPTS[(BATCH * item.number + i) % len(PROMPTS)] for i in range(BATCH)]
    seeds = [BATCH_SEED + (BATCH + 1) * item.seed + i for i in range(BATCH + 1)]
    drawn = draw_noise(model.latent_shape(item.scale.duration), seeds)
    common, own = drawn[:1].expand(BATCH, *drawn.shape[1:]), drawn[1:]

    def variances(x_T: Tensor) -> Mapping[str, float]:
        made = plain(model, item, x_T=x_T, seed=seeds[1:], prompts=words)
        heard = features(made.audio.mean(1), made.sample_rate)
        return {name: float(heard[name].var(0).mean()) for name in item["controls"]}

    alone = variances(own)
    return [
        {"control": name, "cut": cut, "variance": value, "alone": alone[name]}
        for cut in cuts_of(model, item)
        for name, value in variances(joined(common, own, cut, rate)).items()
    ]


@torch.no_grad()
def features(mono: Tensor, rate: int) -> dict[str, Tensor]:
    """What the paper's controls look at, of clips (B, N): (B, ...)."""
    return {
        "intensity": intensity(mono, rate),
        "melody": chroma(mono, rate).exp(),
        "structure": self_similarity(timbre(mono, rate)),
    }


def table(rows: Sequence[Row]) -> Table:
    """A line a control and cut."""
    return summed(_sorted(rows), {"control": "control", "cut": "cut, Hz"}, COLUMNS)


def _sorted(rows: Sequence[Row]) -> list[Row]:
    """Rows of searches and of batches by their control and cut."""
    order = list(dict.fromkeys(row["control"] for row in rows))
    return sorted(rows, key=lambda row: (order.index(row["control"]), row["cut"]))


def draw(rows: Sequence[Row]) -> Figure:
    """The three figures over the cut, a line a control."""
    energy, white, lost, _, variance = COLUMNS
    panels = (
        (energy, "share of the update's energy\nthat is slower"),
        (lost, "control lost,\nslower part kept"),
        (variance, "variance left,\nslower part shared"),
    )
    picture, axes = plots.figure(len(panels), height=2.4)
    for ax, (column, label) in zip(axes, panels, strict=True):
        for (control,), some in grouped(rows, ["control"]).items():
            known = [row for row in some if row.get(column.key) is not None]
            line_over(ax, known, "cut", column, control)
        if column is energy:
            known = [row for row in rows if row.get(white.key) is not None]
            line_over(ax, known, "cut", white, "white noise")
        plots.labelled(ax, "cut (Hz)", label)
        plots.logarithmic(ax, sorted({row["cut"] for row in rows}))
    return picture


STUDY = Study(
    name="spectrum",
    paper="Intensity, melody and structure are low-frequency patterns, settled early; clips of "
    "different prompts that share x_T have features of less variance (appendix J).",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
)
