"""One clip of a batch: what it is, where it came from, how its search went."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from ditto_music.panels import Panel

Row = dict[str, float]
RESERVED = ("loss", "steps", "over")  # of a row itself, which has a control's loss by its name
Stopped = Literal["tolerance", "iterations", "time", "interrupted", "stalled", "diverged"]


@dataclass(frozen=True)
class Item:
    """One clip of a batch.

    Attributes
    ----------
    prompt, seed : the words, and the number its noise was drawn from.
    audio : (channels, N)
    x_T : the initial noise it grew from; the best one found.
    latent : the clean latent, same shape.
    later : (n, ...), the noises of the sampler's later steps where they are not the seed's own.
    stopped : why its search ended; of what was not searched, "iterations".
    history : a row an iteration: the total ``loss``, each control's own before its weight, its
        metrics as ``name.metric``, the sampler ``steps`` it was measured on (guidance's estimates
        have none), and by how many dB it was ``over`` the ceiling, where it was.
    final : losses and metrics of the audio returned.
    metrics : per control, further figures of the audio returned.
    panels : what to draw of it.
    """

    prompt: str
    seed: int
    audio: Tensor
    x_T: Tensor
    latent: Tensor
    later: Tensor | None = None
    stopped: Stopped = "iterations"
    history: list[Row] = field(default_factory=list[Row])
    final: Row = field(default_factory=Row)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    panels: list[Panel] = field(default_factory=list[Panel])


def figures_of(row: Row, name: str) -> dict[str, float]:
    """A control's metrics in a row, by their own names."""
    before = f"{name}."
    return {key.removeprefix(before): row[key] for key in row if key.startswith(before)}


def broken(row: Row) -> FloatingPointError:
    """The error of a row whose loss is no number: of which controls."""
    losses = [name for name in row if name not in RESERVED and "." not in name]
    names = [name for name in losses if not math.isfinite(row[name])]
    of = f" of {' and '.join(names)}" if names else ""
    return FloatingPointError(
        f"the loss{of} is not a finite number: lower the guidance, or mend a control of your own"
    )
