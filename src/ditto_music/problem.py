"""One problem, whatever method solves it: prompts, targets, and how a candidate noise is judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import replace
from typing import TypeVar, cast

import torch
from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.goal import Goal
from ditto_music.item import Row
from ditto_music.protocols import Clip, Control, Form, Model, Objective
from ditto_music.result import Settings
from ditto_music.room import Room
from ditto_music.sampling import (
    NOISY_SAMPLERS,
    SAMPLERS,
    Condition,
    Denoise,
    Parts,
    Sampler,
    estimates,
    joined,
    reversible,
    seeds_of,
)
from ditto_music.sampling.guidance import Guidance
from ditto_music.sampling.plans import planned
from ditto_music.start import Start

T = TypeVar("T")


class Problem:
    """A batch of independent items on one model, ready to be sampled and measured.

    Parameters
    ----------
    prompt, control, seed : one for all, or one an item; the longest list sets the batch.
    x_T : noise to begin with, as `Start` takes it.

    Attributes
    ----------
    goals : what is asked of each item.
    started : the time from which its seconds count, targets made and prompts read.

    Raises
    ------
    InputError
        If lists differ in length, a seed is too large, the duration does not suit the model, a
        control's target cannot be made, or `x_T` is not noise of these items.
    """

    def __init__(
        self,
        model: Model,
        prompt: str | Sequence[str],
        control: Control | Sequence[Control] | None,
        seed: int | Sequence[int],
        settings: Settings,
        x_T: Tensor | None = None,
    ) -> None:
        self.model = model
        self.named = model.name, model.revision  # a model without is refused before any work
        if model.baked:  # it is in the weights: none is applied, and none is told
            settings = replace(settings, guidance=Guidance(1.0))
        else:
            settings = replace(settings, guidance=guidance_of(model, settings.guidance))
        if settings.sampler == "edict" and settings.guiding.projection:
            raise InputError(
                f"sampler 'edict' undoes its steps, which {model.name}'s guidance with momentum "
                "cannot: add --plain-guidance"
            )
        self.settings = settings
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        seeds = seeds_of(seed)
        controls = [*control] if isinstance(control, Sequence) else [control]
        size = max(len(prompts), len(seeds), len(controls))
        self.prompts = one_each("prompts", prompts, size)
        self.seeds = one_each("seeds", seeds, size)
        self.form = form_of(model, settings.duration)
        goals = [Goal(_asked(each, self.form), settings.tolerance) for each in controls]
        self.goals = one_each("controls", goals, size)
        self.start = Start(self.form, self.seeds, settings.steps, x_T)
        self.room = Room(self)
        self.condition, self.negative = self._conditions(settings.duration)
        self.started = time.monotonic()

    def __len__(self) -> int:
        return len(self.prompts)

    def on(self, steps: int) -> Problem:
        """The same on as many sampler steps or fewer."""
        other = copy(self)
        other.settings = replace(self.settings, steps=steps)
        return other

    @torch.no_grad()
    def _conditions(self, seconds: float) -> tuple[Condition, Condition]:
        """Of the prompts and of what to move away from, for a clip of so many seconds."""
        unwanted = [self.settings.negative_prompt] * len(self)
        wanted = self.model.condition(self.prompts, seconds)
        return wanted, self.model.condition(unwanted, seconds, self.prompts)

    @property
    def variable(self) -> Tensor:
        """What is searched: initial noise (B, ...), or with later noises (B, steps, ...)."""
        return self.start.all if self.settings.later_noises else self.start.first

    def noise(self) -> Tensor:
        """The seeds' own initial noise, (B, ...)."""
        return self.start.own()

    def denoiser(
        self, items: Sequence[int], seconds: float | None = None, *, sparing: bool = False
    ) -> Denoise:
        """The guided model for these items, ``(x_t, t) -> x0_hat``; see `parts`."""
        return self.guide(self.estimates(items, seconds, sparing=sparing))

    def guide(self, both: Denoise) -> Denoise:
        """For one walk, of what `estimates` gives."""
        predict = joined(both, self.settings.guiding, self.model.schedule)
        return lambda x_t, t: predict(x_t, t)[0]

    def parts(self, items: Sequence[int], seconds: float | None = None) -> Parts:
        """The guided model for one walk of these items, with what guidance adds beside the
        estimate; arguments as of `estimates`.
        """
        both = self.estimates(items, seconds)
        return joined(both, self.settings.guiding, self.model.schedule)

    def estimates(
        self, items: Sequence[int], seconds: float | None = None, *, sparing: bool = False
    ) -> Denoise:
        """The model's estimates for these items that guidance is made of, a pure function.

        Guidance between a prompt and itself, as where both are empty, is left out: it changes
        nothing and costs a pass.

        Parameters
        ----------
        seconds : of the audio it is shown, where that is a part of the clip; None: all.
        sparing : each call keeps one block of the network at a time for backward.
        """
        pointless = all(self.prompts[i] == self.settings.negative_prompt for i in items)
        condition, negative = self.condition, self.negative
        if seconds is not None and seconds != self.form.seconds:
            condition, negative = self._conditions(seconds)
        guidance = self.settings.guiding
        if pointless:
            guidance = replace(guidance, scale=1.0)
        both = estimates(
            self.model.denoise,
            condition[items],
            negative[items],
            guidance,
            self.model.schedule,
        )

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            with self.model.sparing() if sparing else nullcontext():
                return both(x_t, t)

        return denoise

    def sample(self, noise: Tensor, items: Sequence[int], steps: int) -> Tensor:
        """Clean latents of these items; differentiable in `noise`, later ones and all.

        A run of fewer steps than the settings' takes the first of the later noises.
        """
        schedule, sampler = self.model.schedule, self._sampler(noise, items)
        x_T, _ = self.start.split(noise)
        if not torch.is_grad_enabled():
            return sampler(self.denoiser(items), x_T, schedule, steps)
        plan, kept = self.room.plan(items, steps, x_T.dtype)
        both = self.estimates(items, sparing=plan == "blocks")
        if plan == "reversible":
            return reversible(self.guide(both), x_T, schedule, steps)
        both = planned(both, plan, schedule.times(steps), kept)
        return sampler(self.guide(both), x_T, schedule, steps)

    def _sampler(self, noise: Tensor, items: Sequence[int]) -> Sampler:
        """The settings' own, with its noises bound where it takes any."""
        name = self.settings.sampler
        if name in SAMPLERS:
            return SAMPLERS[name]
        later = self.start.later_of(noise, items).movedim(1, 0)
        noisy = NOISY_SAMPLERS[name]
        return lambda denoise, x_T, schedule, steps: noisy(
            denoise, x_T, schedule, steps, later[: steps - 1]
        )

    def clip(self, latent: Tensor) -> Clip:
        """What controls look at."""
        return Clip(self.model, latent, self.form.frames)

    def measure(
        self,
        clip: Clip,
        items: Sequence[int],
        starts: Sequence[Row | None] | None = None,
        ceiling: float | None = None,
    ) -> tuple[Tensor, list[Row]]:
        """What to descend (B,) and a row for each of these items; arguments as of `Goal.measure`.

        Parameters
        ----------
        starts : a row an item.
        """
        rows = starts or [None] * len(items)
        seen = [
            self.goals[item].measure(clip.item(place), row, ceiling)
            for place, (item, row) in enumerate(zip(items, rows, strict=True))
        ]
        return torch.stack([total for total, _ in seen]), [row for _, row in seen]

    def known(self) -> tuple[Tensor, Tensor] | None:
        """References (B, ..., T) and masks (B, 1, ..., T), 1 = keep, of all items; None: not all
        have one.
        """
        pairs = [known for goal in self.goals if (known := goal.known)]
        if len(pairs) < len(self):
            return None
        references = torch.stack([reference for reference, _ in pairs])
        masks = torch.stack([mask.to(references) for _, mask in pairs])
        return references, masks.reshape(len(masks), *[1] * (references.ndim - 2), -1)


def guidance_of(model: Model, asked: float | Guidance | None) -> float | Guidance:
    """How to guide, by what was asked.

    A number is plain guidance everywhere; but a model that is guided by projection is so by any
    number above 1, as its pipeline does. None is all of the model's own.
    """
    rule = model.guidance.projection
    if asked is None:
        return model.guidance
    if rule is None or isinstance(asked, Guidance) or asked <= 1:
        return asked
    return Guidance(asked, projection=rule)


def form_of(model: Model, seconds: float) -> Form:
    """The clip of `seconds` on this model.

    Raises
    ------
    InputError
        If the model does not make clips that short or long.
    """
    shortest, longest = model.seconds_range
    if not shortest <= seconds <= longest:
        raise InputError(
            f"duration {seconds:g} s: {model.name} makes clips of {shortest:g} to {longest:g} s"
        )
    return Form(seconds, model.sample_rate, model.latent_shape(seconds), model.device)


def _asked(control: object, form: Form) -> Sequence[Objective]:
    """What a control asks of a clip of this form; nothing without one."""
    if control is None:
        return []
    if isinstance(control, type) or not hasattr(control, "objectives"):
        raise InputError(f"{control!r} is no control: give one such as Intensity([-35, -14])")
    return cast("Control", control).objectives(form)


def one_each(what: str, values: Sequence[T], size: int) -> list[T]:
    """What is given once for all items, or once an item."""
    if not values or len(values) not in (1, size):
        raise InputError(f"{len(values)} {what} for {size} items: give one for all or one an item")
    return [*values] * (size // len(values))
