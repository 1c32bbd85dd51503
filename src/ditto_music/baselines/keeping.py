"""What methods share that put a reference in place instead of going down a loss."""

from __future__ import annotations

from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.problem import Problem


def reference_of(problem: Problem, method: str) -> tuple[Tensor, Tensor]:
    """References (B, ..., T) and masks (B, 1, ..., T), 1 = keep.

    Raises
    ------
    InputError
        If some item has none.
    """
    known = problem.known()
    if known is None:
        raise InputError(
            f"method '{method}' puts a part of a recording in place and can do nothing else: use "
            "it with inpaint, outpaint or loop of a recording"
        )
    return known


def kept_share(until: float) -> None:
    """Refuse a share that is none."""
    if not 0 < until <= 1:
        raise InputError(f"until is {until:g}: it must be a share of the steps, above 0 up to 1")


def named(method: str, until: float) -> str:
    """Of a method that stops after a share of the steps: the papers' MD-50 is half-way."""
    return method if until == 1 else f"{method}-{100 * until:.0f}"
