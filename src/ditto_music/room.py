"""What memory has room for: how the way back through a problem's sampling is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ditto_music.memory import Estimate, Use, Weighed, check, estimated, rehearsed
from ditto_music.sampling import CALLS_A_STEP
from ditto_music.sampling.plans import activation_bytes, last_steps, memory_budget

if TYPE_CHECKING:
    from ditto_music.problem import Problem


class Room:
    """For the steps of a problem; what is measured is measured once.

    Attributes
    ----------
    estimate : of all that comes, once it is made; None of models that are not `Weighed`.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.model, self.settings = problem, problem.model, problem.settings
        self.estimate: Estimate | None = None
        self._uses: dict[tuple[int, bool], Use] = {}
        self._most: tuple[int, int] | None = None  # steps of one item, items of a call

    def expect(self, tell: Callable[[Estimate], object] | None, *, searches: bool = True) -> None:
        """Estimate the memory of what comes, tell it, and refuse what will not fit.

        Of models that are not `Weighed` nothing is estimated.

        Raises
        ------
        InputError
            If memory has no room for it.
        """
        if not isinstance(self.model, Weighed):
            return
        self.estimate = estimated(self.problem, self.settings.steps, searches=searches)
        if tell:
            tell(self.estimate)
        check(self.estimate, self.model.device, self.settings.duration)

    def plan(self, items: Sequence[int], steps: int, dtype: torch.dtype) -> tuple[str, int]:
        """The gradient plan, and how many of the steps keep all their activations.

        "auto" is "blocks" where memory has no room for the activations of a single step.
        """
        plan = self.settings.gradient
        if plan != "auto":
            return plan, min(last_steps(plan) or 0, steps) if plan != "plain" else steps
        fitting = min(self._fitting(items, dtype), steps)
        return ("auto", fitting) if fitting else ("blocks", 0)

    def use(self, items: Sequence[int], noise: Tensor, *, sparing: bool = False) -> Use:
        """What one denoiser call of so many items takes, rehearsed once."""
        key = len(items), sparing
        if key not in self._uses:
            assert isinstance(self.model, Weighed)
            with self.model.held("denoise"):
                self._uses[key] = rehearsed(self.called(items, sparing=sparing), noise)
        return self._uses[key]

    def called(self, items: Sequence[int], *, sparing: bool = False) -> Callable[[Tensor], Tensor]:
        """One denoiser call at the noise: what takes the most memory of a step."""
        start = self._costliest().float().to(self.model.device)
        _ = self.model.schedule.alpha(start)  # whatever is computed once is computed now
        denoise = self.problem.denoiser(items, sparing=sparing)
        return lambda x_t: denoise(x_t, start)

    def bytes_a_step(self, dtype: torch.dtype = torch.float32) -> int:
        """What one sampler step of one item keeps for backward."""
        x_T, items = self._tried(dtype)
        calls = CALLS_A_STEP.get(self.settings.sampler, 1)
        if isinstance(self.model, Weighed):  # too large to be tried
            return calls * self.use(items, x_T).kept
        start = self._costliest().to(x_T)
        return calls * activation_bytes(self.problem.denoiser(items), x_T, start)

    def bytes_a_call(self, dtype: torch.dtype = torch.float32) -> int:
        """The most that one denoiser call of one item takes, forward and back: more than it keeps
        where it is made again on the way back. Of models that are not `Weighed` it is not known: 0.
        """
        x_T, items = self._tried(dtype)
        return self.use(items, x_T).peak if isinstance(self.model, Weighed) else 0

    def _fitting(self, items: Sequence[int], dtype: torch.dtype) -> int:
        """How many sampler steps may keep their activations within the budget: none where it has
        no room for the way back through a single call.
        """
        if self._most is None:
            kept, most = max(1, self.bytes_a_step(dtype)), max(1, self.bytes_a_call(dtype))
            model = self.model
            coming = model.moved_bytes("denoise") if isinstance(model, Weighed) else 0
            budget = memory_budget(model.device, self.settings.memory_budget, coming)
            self._most = budget // kept, budget // most
        steps, at_once = self._most
        return steps // len(items) if len(items) <= at_once else 0

    def _tried(self, dtype: torch.dtype) -> tuple[Tensor, list[int]]:
        """Noise and place of one item that takes as much as any: a guided one, if some are."""
        unwanted, prompts = self.settings.negative_prompt, self.problem.prompts
        guided = next((i for i, prompt in enumerate(prompts) if prompt != unwanted), 0)
        return self.problem.noise()[:1].to(dtype), [guided]

    def _costliest(self) -> Tensor:
        """A time at which a call takes as much as any: one that is guided, if some are."""
        schedule, guidance = self.model.schedule, self.settings.guiding
        times = schedule.times(self.settings.steps)[:-1]
        return next((t for t in times if guidance.acts_at(t, schedule)), times[0])
