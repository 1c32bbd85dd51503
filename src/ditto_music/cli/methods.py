"""The methods that `--method` chooses from; each is called as `ditto_music.optimize` is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ditto_music.result import Result

    Method = Callable[..., Result]


def _ditto() -> Method:
    from ditto_music.optimize import optimize

    return optimize


# Each entry imports its method when it is asked for.
METHODS: dict[str, Callable[[], Method]] = {"ditto": _ditto}
