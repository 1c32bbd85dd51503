"""Study 9: the level of an intensity curve against its shape, for systems that search and guide.

Every system is asked for each curve twice where it takes a loss: by the squared error in dB, and by
one minus the correlation. The outcome is measured both ways whatever was asked. Music
ControlNet joins on the model it was trained for.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ditto_music.audio import plots
from ditto_music.baselines import METHODS
from ditto_music.controls import Intensity
from ditto_music.evaluation.contests import curve_of
from ditto_music.evaluation.studies.drawing import points
from ditto_music.evaluation.studies.making import from_uncontrolled, judged, plain, solved, tags_of
from ditto_music.evaluation.studies.study import Asked, Item, Row, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.protocols import Model

CONTROL_NET = "control-net"
SYSTEMS = ("plain", "ditto", "freedom", CONTROL_NET)
LOSSES = ("mse", "correlation")

COLUMNS = (
    Column("mse", "MSE, dB^2", 1),
    Column("correlation", "correlation"),
    Column("momentary", "momentary loudness, correlation"),
    Column("apart", "distance from the uncontrolled"),
    Column("tags", "prompt's tags, probability"),
)


def items(size: Size) -> list[Asked]:
    """Both losses of each system; what is not controlled has none, what was trained has one."""
    ways = [("plain", "none")]
    ways += [(name, loss) for name in ("ditto", "freedom") for loss in LOSSES]
    ways.append((CONTROL_NET, "trained"))
    return [
        {"prompt": number, "system": system, "loss": loss, "steps": steps_of(system, size)}
        for number in range(size.prompts)
        for system, loss in ways
    ]


def steps_of(system: str, size: Size) -> int:
    """Of its paper, where the system has its own; quickly, the scale's."""
    return size.scale.steps if size.quick else METHODS[system].own.get("steps", size.scale.steps)


def measure(model: Model, item: Item) -> list[Row]:
    """One curve asked of one system; nothing of one that was trained for another model."""
    curve = curve_of(item.number, item.scale.duration)[1]
    system = str(item["system"])
    if METHODS[system].trained_for not in (None, model.name):
        return []
    level = Intensity(curve)
    free = plain(model, item, level, steps=int(item["steps"]))
    if system == "plain":
        made = free
    else:
        loss = "correlation" if item["loss"] == "correlation" else "mse"
        made = solved(model, item, Intensity(curve, loss), system, steps=int(item["steps"]))
    found = made.items[0].metrics["intensity"]
    return [
        {
            "mse": found["rms_error_db"] ** 2,
            "correlation": found["correlation"],
            "momentary": judged(made, "intensity", item),
            "apart": from_uncontrolled(system, made, free),
            "tags": tags_of(made, item.words),
        }
    ]


def table(rows: Sequence[Row]) -> Table:
    """A line a system and loss."""
    return summed(rows, {"system": "system", "loss": "loss"}, COLUMNS)


def draw(rows: Sequence[Row]) -> Figure:
    """Level and shape, a point a system and loss."""
    groups = {
        system if system == "plain" else f"{system}, {loss}": some
        for (system, loss), some in grouped(rows, ["system", "loss"]).items()
    }
    picture, axes = plots.figure(2, height=2.6)
    for ax, column in zip(axes, COLUMNS[:2], strict=True):
        points(ax, groups, column)
    axes[0].set_yscale("log")
    return picture


STUDY = Study(
    name="correlation",
    paper="By squared error DITTO reaches 4.8 dB^2 and a correlation of 0.62; by correlation 0.90, "
    "and 60.9 dB^2, worse than the uncontrolled 40.8. Music ControlNet: 38.4 dB^2 and 0.94.",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
)
