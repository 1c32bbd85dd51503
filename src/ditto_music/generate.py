"""Plain text-to-music: the model's own sample of a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from ditto_music.ending import finished
from ditto_music.memory import Estimate
from ditto_music.modes import own_modes
from ditto_music.problem import Problem
from ditto_music.protocols import Control, Model
from ditto_music.result import Result, Settings
from ditto_music.sampling.guidance import Guidance


@own_modes()
def generate(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control] | None = None,
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    steps: int | None = None,
    guidance: float | Guidance | None = None,
    negative_prompt: str = "",
    sampler: str = "adams",
    x_T: Tensor | None = None,
    expect: Callable[[Estimate], object] | None = None,
) -> Result:
    """Sample once. A `control` is not followed, only measured: the baseline of every comparison.

    Parameters
    ----------
    expect : given the estimate of the memory needed, where the model is a large one.

    The others as `optimize`.

    Returns
    -------
    Result, whose `audio` is (B, channels, N).

    Raises
    ------
    InputError
        If a setting or a target cannot be used, or memory has no room; before any work is done.
    FloatingPointError
        If the audio is not of finite numbers.
    """
    steps = model.steps if steps is None else steps
    settings = Settings(duration, steps, guidance, sampler=sampler, negative_prompt=negative_prompt)
    problem = Problem(model, prompt, control, seed, settings, x_T)
    problem.room.expect(expect, searches=False)
    return finished(problem, "plain", problem.start.first)
