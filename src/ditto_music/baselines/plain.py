"""Plain sampling: the model's own sample, measured and not controlled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from torch import Tensor

from ditto_music.baselines.walking import Callback, problem_of
from ditto_music.ending import finished
from ditto_music.modes import own_modes
from ditto_music.optimize import Search
from ditto_music.protocols import Control, Model
from ditto_music.result import Result


@own_modes()
def plain(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Sample once. Arguments and errors as of `optimize`; what concerns a search is ignored."""
    problem = problem_of(model, prompt, control, seed, duration, search, x_T)
    problem.room.expect(getattr(callback, "expect", None), searches=False)
    return finished(problem, "plain", problem.start.first)
