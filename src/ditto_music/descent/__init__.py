"""Ways down: from a point, its loss and its gradient to the next point to try.

Each is one small class, made anew for every item of a batch, with the same two methods.
"""

from __future__ import annotations

from collections.abc import Callable

from ditto_music.descent.adam import Adam, CosineAdam, PlainAdam
from ditto_music.descent.base import Descent
from ditto_music.descent.lbfgs import LBFGS
from ditto_music.descent.normalised import Normalised
from ditto_music.descent.parts import Split, as_one, octaves
from ditto_music.descent.shell import OnShell

__all__ = [
    "DESCENTS",
    "LBFGS",
    "Adam",
    "CosineAdam",
    "Descent",
    "Normalised",
    "OnShell",
    "PlainAdam",
    "octaves",
]


def _lbfgs(lr: float | None, split: Split = as_one) -> LBFGS:
    return LBFGS(split=split) if lr is None else LBFGS(lr, split)


#: Made with the size of a step, or with its own where that is None.
DESCENTS: dict[str, Callable[[float | None], Descent]] = {
    "lbfgs": lambda lr: OnShell(_lbfgs(lr, octaves), octaves),
    "lbfgs-norm": lambda lr: OnShell(_lbfgs(lr)),
    "lbfgs-free": _lbfgs,
    "adam": lambda lr: Adam() if lr is None else Adam(lr),
    "adam-plain": lambda lr: PlainAdam() if lr is None else PlainAdam(lr),
    "adam-cosine": lambda lr: CosineAdam() if lr is None else CosineAdam(lr),
    "ngd": lambda lr: Normalised() if lr is None else Normalised(lr),
}
