"""What is asked of one clip: how far it is from that, in which units, and when it is met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ditto_music.features.loudness import loudness_over, peaks_over
from ditto_music.item import Row
from ditto_music.protocols import Clip, Objective

#: What is to be brought down, in dB over it that weigh as much as what counts as met: half seconds
#: over the ceiling, and peaks over PEAK dBFS, unless the ceiling is higher. Steeper peaks take a
#: search twice the iterations.
STEEPNESS, PEAK_STEEPNESS, PEAK = 3.0, 12.0, -1.0


@dataclass(frozen=True)
class Goal:
    """The controls of one item.

    Attributes
    ----------
    objectives : the controls with their targets made; one of weight 0 is only measured.
    tolerance : total loss that counts as met; None: what each control says.
    """

    objectives: Sequence[Objective]
    tolerance: float | None = None

    @property
    def several(self) -> bool:
        """Whether there is more than one control."""
        return len(self.objectives) > 1

    @cached_property
    def names(self) -> list[str]:
        """Of the controls; one asked for twice is numbered."""
        names = [objective.name for objective in self.objectives]
        return [
            name if names.count(name) == 1 else f"{name}-{names[: i + 1].count(name)}"
            for i, name in enumerate(names)
        ]

    @property
    def known(self) -> tuple[Tensor, Tensor] | None:
        """A reference (..., T) and where it is to stay, (T,), 1 = keep; None: there is none."""
        asked = (each.known for each in self.objectives if each.weight > 0)
        return next((known for known in asked if known), None)

    def measure(
        self, clip: Clip, start: Row | None = None, ceiling: float | None = None
    ) -> tuple[Tensor, Row]:
        """What to descend, (), and a row of the total loss and each control's own.

        A row holds the losses by the controls' names, and their metrics as ``name.metric``. A
        single control's loss is the total as it is; of several it is ``sum_i w_i L_i / s_i``, each
        in units of its `scale`, which is what counts as met.

        Far off those units are no guide: a loudness 200 times too wrong would be all that is seen,
        and once right, the narrow valley in which it stays so is slow to walk for anything else.
        With `start`, the row of the search's start, each counts in units of what it was there, so
        all fall by equal shares; an empty row stands for this very clip.

        With a `ceiling` in dBFS half seconds that are louder are to be brought down too, and peaks
        that a file could not hold, where nothing says how loud they are to be (see `STEEPNESS`).
        The row then has the dB as ``over``; no loss reported has it.

        Parameters
        ----------
        clip : a batch of one.
        """
        losses: list[Tensor] = []
        row = Row()
        for objective, name in zip(self.objectives, self.names, strict=True):
            (loss,), figures = objective.measure(clip)
            losses.append(loss)
            row[name] = float(loss.detach())
            row |= {f"{name}.{key}": float(value) for key, value in figures.items()}
        row = Row(loss=self._total(row)) | row
        shares = self._shares(start if start is None else start or row)
        zero = clip.latent.new_zeros(())
        total = sum((part * loss for part, loss in zip(shares, losses, strict=True)), zero)
        if ceiling is not None:
            total = total + self._too_loud(clip, ceiling, shares, row)
        return total, row

    def _total(self, row: Row) -> float:
        """The total loss of a row."""
        terms = zip(self.objectives, self.names, self._units(None), strict=True)
        return sum((objective.weight * row[name] / unit for objective, name, unit in terms), 0.0)

    def _units(self, start: Row | None) -> list[float]:
        """Of each control's loss in the sum: its scale, or what it is in a row, if that is more."""
        if not self.several:
            return [1.0] * len(self.objectives)
        scales = [objective.scale for objective in self.objectives]
        if start is None:
            return scales
        return [max(start[name], s) for name, s in zip(self.names, scales, strict=True)]

    def _shares(self, start: Row | None) -> list[float]:
        """What one of each control's loss counts in the sum."""
        pairs = zip(self.objectives, self._units(start), strict=True)
        return [objective.weight / unit for objective, unit in pairs]

    def _too_loud(self, clip: Clip, ceiling: float, shares: Sequence[float], row: Row) -> Tensor:
        """What is to come down in the sum, (), for being louder than the ceiling; told the row."""
        if any(each.sets_level and each.weight > 0 for each in self.objectives):
            return clip.latent.new_zeros(())
        (loud,) = loudness_over(clip.levels, clip.sample_rate, ceiling)
        (peaks,) = peaks_over(clip.levels, clip.sample_rate, max(PEAK, ceiling))
        over = float(torch.maximum(loud, peaks).detach())
        if over > 0:
            row["over"] = over
        total = (loud / STEEPNESS).square() + (peaks / PEAK_STEEPNESS).square()
        pairs = zip(self.objectives, shares, strict=True)
        return sum(share * each.scale for each, share in pairs) * total

    def met(self, row: Row, slack: float = 1.0, *, few: bool = False) -> bool:
        """Whether a row is within the tolerance asked for, or each control's own, times `slack`.

        What is louder than it should be by more than a dB is not met. Of a row on `few` of the
        steps either is enough: nearer than what counts as met they say nothing of all steps.
        """
        if row.get("over", 0.0) > slack:
            return False
        if self.tolerance is not None and row["loss"] <= slack * self.tolerance:
            return True
        if self.tolerance is not None and not few:
            return False
        pairs = zip(self.objectives, self.names, strict=True)
        return all(row[name] <= slack * each.tolerance for each, name in pairs if each.weight > 0)
