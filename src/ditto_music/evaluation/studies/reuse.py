"""Study 6: a noise found once, sampled again with fresh noise: what stays and how much is new.

The noise found is walked by DDIM with more and more fresh noise (eta), under its own prompt and
another, with and without a step down the control's gradient in each sampler step (DITTO, appendix
I). The loss is told as a share of what the control had won under these words: 0 keeps all, 1 is as
if it had never been asked for. Diversity is told over that of samples from unrelated noises.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ditto_music.audio import plots
from ditto_music.evaluation.studies.drawing import line_through
from ditto_music.evaluation.studies.making import control_of, plain, solved
from ditto_music.evaluation.studies.study import Asked, Item, Row, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.evaluation.targets import PROMPTS
from ditto_music.protocols import Model
from ditto_music.runs import run_of
from ditto_music.vary import diversity, vary

ETAS = (0.0, 0.25, 0.5, 0.75, 1.0)
GUIDES = (0.0, 0.2)
WORDS = ("own", "other")
COUNT = 3  # variations of each
AWAY = 7  # prompts further on is the other one
FREE_SEED, FRESH_SEED = 100_000, 150_000  # of the unrelated noises, and of those on the way

COLUMNS = (
    Column("loss", "loss", 3),
    Column("gone", "of the control, lost", over="won"),
    Column("diversity", "diversity"),
    Column("spread", "of unrelated noises' diversity", over="unrelated"),
)


def items(size: Size) -> list[Asked]:
    """A search each; its variations belong to it."""
    return [
        {
            "prompt": number,
            "control": control,
            "etas": [*size.sweep(ETAS)],
            "words": [*size.first(WORDS)],
            "count": COUNT,
        }
        for number in range(size.prompts)
        for control in size.controls
    ]


def measure(model: Model, item: Item) -> list[Row]:
    """A search and all its variations, a row a way to vary."""
    name, count = str(item["control"]), int(item["count"])
    control = control_of(name, item)
    seeds = [FREE_SEED + count * item.seed + i for i in range(count)]
    found = solved(model, item, control, sampler="ddim")
    reached = found.items[0].final[name]
    saved, other = run_of(found, control), PROMPTS[(item.number + AWAY) % len(PROMPTS)]
    rows: list[Row] = []
    for words in item["words"]:
        prompt = None if words == "own" else other
        free = plain(
            model, item, control, [prompt] if prompt else (), seed=seeds, sampler="ddim"
        ).items
        uncontrolled = float(np.mean([one.final[name] for one in free]))
        unrelated = diversity([one.audio for one in free], model)
        for guide in GUIDES:
            for eta in item["etas"]:
                made = vary(
                    model,
                    saved,
                    count=count if eta else 1,  # without fresh noise all are the same
                    eta=float(eta),
                    guide=guide,
                    prompt=prompt,
                    seed=FRESH_SEED + count * item.seed,
                )
                apart = made.diversity if eta else 0.0
                loss = float(np.mean([each.items[0].final[name] for each in made.results]))
                rows.append(
                    {
                        "words": words,
                        "guide": guide,
                        "eta": float(eta),
                        "reached": reached,
                        "uncontrolled": uncontrolled,
                        "loss": loss,
                        "gone": loss - reached,
                        "won": uncontrolled - reached,
                        "diversity": apart,
                        "spread": apart,
                        "unrelated": unrelated,
                    }
                )
    return rows


def table(rows: Sequence[Row]) -> Table:
    """A line a control and way to vary."""
    heads = {"control": "control", "words": "prompt", "guide": "guide", "eta": "eta"}
    notes = [
        f"{control}: the searches reached {np.mean([row['reached'] for row in some]):.3g}, "
        f"uncontrolled clips have {np.mean([row['uncontrolled'] for row in some]):.3g}."
        for (control,), some in grouped(rows, ["control"]).items()
    ]
    return summed(rows, heads, COLUMNS, notes)


def draw(rows: Sequence[Row]) -> Figure:
    """What is lost over what is new, eta growing along each line."""
    controls = grouped(rows, ["control"])
    picture, axes = plots.figure(len(controls), height=3.0)
    for ax, ((control,), some) in zip(axes, controls.items(), strict=True):
        for (words, guide), ours in grouped(some, ["words", "guide"]).items():
            label = f"{words} prompt, guide {guide:g}"
            line_through(ax, ours, "eta", COLUMNS[3], COLUMNS[1], label)
        ax.axhline(1, color=plots.GRID, linewidth=1.6, zorder=0)
        plots.labelled(
            ax, "diversity, over that of unrelated noises", f"{control}:\nlost of the control"
        )
    return picture


STUDY = Study(
    name="reuse",
    paper="With all fresh noise (DDPM) much is lost: intensity 13.8 dB^2 at the same prompt and "
    "24.5 at random ones, from 4.8; FreeDoM's step on the way brings back 11.2 and 17.0.",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
)
