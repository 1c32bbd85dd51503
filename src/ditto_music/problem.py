"""One problem, whatever method solves it: prompts, targets, and how a candidate noise is judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from typing import TypeVar, cast

import torch
from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.features.loudness import loudness_over, peaks_over
from ditto_music.item import Item, Row, Stopped, figures_of
from ditto_music.memory import Estimate, Use, Weighed, check, estimated, rehearsed
from ditto_music.protocols import Clip, Control, Form, Model, Objective
from ditto_music.result import Result, Settings
from ditto_music.sampling import (
    CALLS_A_STEP,
    NOISY_SAMPLERS,
    SAMPLERS,
    Condition,
    Denoise,
    Parts,
    Sampler,
    draw_noise,
    draw_noises,
    estimates,
    joined,
    reversible,
    seeds_of,
)
from ditto_music.sampling.guidance import Guidance
from ditto_music.sampling.plans import activation_bytes, last_steps, memory_budget, planned

#: What is to be brought down, in dB over it that weigh as much as what counts as met: half seconds
#: over the ceiling, and peaks over PEAK dBFS, unless the ceiling is higher. Steeper peaks take a
#: search twice the iterations.
STEEPNESS, PEAK_STEEPNESS, PEAK = 3.0, 12.0, -1.0

T = TypeVar("T")


class Problem:
    """A batch of independent items on one model, ready to be sampled and measured.

    Parameters
    ----------
    prompt, control, seed : one for all, or one an item; the longest list sets the batch.

    Attributes
    ----------
    started : the time from which its seconds count, targets made and prompts read.

    Raises
    ------
    InputError
        If lists differ in length, a seed is too large, the duration does not suit the model, or a
        control's target cannot be made.
    """

    def __init__(
        self,
        model: Model,
        prompt: str | Sequence[str],
        control: Control | Sequence[Control] | None,
        seed: int | Sequence[int],
        settings: Settings,
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
        self.estimate: Estimate | None = None
        self._uses: dict[tuple[int, bool], Use] = {}
        self._given = False  # whether later noises are used that are not the seeds' own
        self._room: tuple[int, int] | None = None  # of memory: steps of one item, items of a call
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        seeds = seeds_of(seed)
        controls = [*control] if isinstance(control, Sequence) else [control]
        size = max(len(prompts), len(seeds), len(controls))
        self.prompts = one_each("prompts", prompts, size)
        self.seeds = one_each("seeds", seeds, size)
        self.form = form_of(model, settings.duration)
        asked = [_asked(each, self.form) for each in controls]
        self.objectives = one_each("controls", asked, size)
        self.condition, self.negative = self._conditions(settings.duration)
        self.started = time.monotonic()

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def several(self) -> bool:
        """Whether an item has more than one control."""
        return any(len(objectives) > 1 for objectives in self.objectives)

    @torch.no_grad()
    def _conditions(self, seconds: float) -> tuple[Condition, Condition]:
        """Of the prompts and of what to move away from, for a clip of so many seconds."""
        unwanted = [self.settings.negative_prompt] * len(self)
        wanted = self.model.condition(self.prompts, seconds)
        return wanted, self.model.condition(unwanted, seconds, self.prompts)

    def noise(self) -> Tensor:
        """The seeds' own initial noise, (B, ...)."""
        return draw_noise(self.form.latent_shape, self.seeds).to(self.model.device)

    @cached_property
    def later(self) -> Tensor:
        """What the seeds' generators draw next, for later steps, (B, steps - 1, ...)."""
        drawn = draw_noises(self.form.latent_shape, self.seeds, self.settings.steps)
        return drawn[:, 1:].to(self.model.device)

    def start(self, given: Tensor | None = None) -> Tensor:
        """What is searched, from the seeds' own noise or from what was given.

        Parameters
        ----------
        given : (B, ...) initial noise, or (B, n, ...) with later noises; too few are drawn.

        Returns
        -------
        (B, ...), or with later noises (B, steps, ...). Where these are not searched, those given
        are kept as they are.

        Raises
        ------
        InputError
            If what is given is not noise of these items.
        """
        x_T = self.fitted(given)
        first, later = self.parted(x_T)
        if not self.settings.later_noises:
            self.later = later
            self._given = first is not x_T and self.settings.sampler in NOISY_SAMPLERS
            return first
        return torch.cat([first[:, None], later], dim=1)

    def fitted(self, given: Tensor | None, *, later: bool = True) -> Tensor:
        """The seeds' own noise, or a float32 copy of what was given, an item's own or one for all.

        Parameters
        ----------
        later : whether later noises may come with it; else, and in all else, errors as of `start`.
        """
        own = self.noise()
        if given is None:
            return own
        given = torch.as_tensor(given).detach().to(own, copy=True)
        if not bool(torch.isfinite(given).all()):
            raise InputError("x_T holds values that are not finite numbers: give other noise")
        latent = self.form.latent_shape
        lead, sizes = given.shape[: -len(latent)], given.shape[-len(latent) :]
        if tuple(sizes) != tuple(latent) or len(lead) not in ((1, 2) if later else (1,)):
            raise InputError(
                f"x_T is of shape {tuple(given.shape)}: {self.model.name} begins "
                f"{self.form.seconds:g} s with (items, {', '.join(map(str, latent))})"
            )
        if lead[0] not in (1, len(self)):
            raise InputError(f"x_T has {lead[0]} items for {len(self)}: give one, or one an item")
        return given.expand(len(self), *given.shape[1:])

    def parted(self, noise: Tensor, items: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """Initial noise (B, ...) and later ones (B, steps - 1, ...) of a search's variable."""
        if noise.ndim == 1 + len(self.form.latent_shape):
            return noise, self.later if items is None else self.later[list(items)]
        first, later = noise[:, 0], noise[:, 1 : self.settings.steps]
        if later.shape[1] < self.settings.steps - 1:
            rest = self.later if items is None else self.later[list(items)]
            later = torch.cat([later, rest[:, later.shape[1] :]], dim=1)
        return first, later

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

    def sample(self, x_T: Tensor, items: Sequence[int], steps: int) -> Tensor:
        """Clean latents of these items; differentiable in `x_T`, later noises and all.

        A run of fewer steps than the settings' takes the first of the later noises.
        """
        schedule, sampler = self.model.schedule, self._sampler(x_T, items)
        x_T = x_T if x_T.ndim == 1 + len(self.form.latent_shape) else x_T[:, 0]
        if not torch.is_grad_enabled():
            return sampler(self.denoiser(items), x_T, schedule, steps)
        plan, kept = self.plan(items, steps, x_T.dtype)
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
        later = self.parted(noise, items)[1].movedim(1, 0)
        noisy = NOISY_SAMPLERS[name]
        return lambda denoise, x_T, schedule, steps: noisy(
            denoise, x_T, schedule, steps, later[: steps - 1]
        )

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
        denoise = self.denoiser(items, sparing=sparing)
        return lambda x_t: denoise(x_t, start)

    def _fitting(self, items: Sequence[int], dtype: torch.dtype) -> int:
        """How many sampler steps may keep their activations within the budget: none where it has
        no room for the way back through a single call.
        """
        if self._room is None:
            kept, most = max(1, self.bytes_a_step(dtype)), max(1, self.bytes_a_call(dtype))
            model = self.model
            coming = model.moved_bytes("denoise") if isinstance(model, Weighed) else 0
            budget = memory_budget(model.device, self.settings.memory_budget, coming)
            self._room = budget // kept, budget // most
        steps, at_once = self._room
        return steps // len(items) if len(items) <= at_once else 0

    def bytes_a_step(self, dtype: torch.dtype = torch.float32) -> int:
        """What one sampler step of one item keeps for backward."""
        x_T, items = self._tried(dtype)
        calls = CALLS_A_STEP.get(self.settings.sampler, 1)
        if isinstance(self.model, Weighed):  # too large to be tried
            return calls * self.use(items, x_T).kept
        start = self._costliest().to(x_T)
        return calls * activation_bytes(self.denoiser(items), x_T, start)

    def bytes_a_call(self, dtype: torch.dtype = torch.float32) -> int:
        """The most that one denoiser call of one item takes, forward and back: more than it keeps
        where it is made again on the way back. Of models that are not `Weighed` it is not known: 0.
        """
        x_T, items = self._tried(dtype)
        return self.use(items, x_T).peak if isinstance(self.model, Weighed) else 0

    def _tried(self, dtype: torch.dtype) -> tuple[Tensor, list[int]]:
        """Noise and place of one item that takes as much as any: a guided one, if some are."""
        unwanted = self.settings.negative_prompt
        guided = next((i for i, prompt in enumerate(self.prompts) if prompt != unwanted), 0)
        return self.noise()[:1].to(dtype), [guided]

    def _costliest(self) -> Tensor:
        """A time at which a call takes as much as any: one that is guided, if some are."""
        schedule, guidance = self.model.schedule, self.settings.guiding
        times = schedule.times(self.settings.steps)[:-1]
        return next((t for t in times if guidance.acts_at(t, schedule)), times[0])

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
        self.estimate = estimated(self, self.settings.steps, searches=searches)
        if tell:
            tell(self.estimate)
        check(self.estimate, self.model.device, self.settings.duration)

    def clip(self, latent: Tensor) -> Clip:
        """What controls look at."""
        return Clip(self.model, latent, self.form.frames)

    def measure(
        self,
        clip: Clip,
        items: Sequence[int],
        starts: Sequence[Row] | None = None,
        ceiling: float | None = None,
    ) -> tuple[Tensor, list[Row]]:
        """What to descend (B,), and for each item a row of its total loss and each control's own.

        A row holds the losses by the controls' names, and their metrics as ``name.metric``. A
        single control's loss is the total as it is; of several it is ``sum_i w_i L_i / s_i``, each
        in units of its `scale`, which is what counts as met.

        Far off those units are no guide: a loudness 200 times too wrong would be all that is seen,
        and once right, the narrow valley in which it stays so is slow to walk for anything else.
        With `starts`, an item's row of the search's start, each counts in units of what it was
        there, so all fall by equal shares; an empty row stands for this very clip.

        With a `ceiling` in dBFS half seconds that are louder are to be brought down too, and peaks
        that a file could not hold, of items where nothing says how loud they are to be (see
        `STEEPNESS`). The row then has the dB as ``over``; no loss reported has it.
        """
        totals: list[Tensor] = []
        rows: list[Row] = []
        zero = clip.latent.new_zeros(())
        for place, item in enumerate(items):
            one = clip.item(place)
            losses: list[Tensor] = []
            row = Row()
            for objective, name in zip(self.objectives[item], self.names(item), strict=True):
                (loss,), figures = objective.measure(one)
                losses.append(loss)
                row[name] = float(loss.detach())
                row |= {f"{name}.{key}": float(value) for key, value in figures.items()}
            rows.append(Row(loss=self._total(item, row)) | row)
            units = self._units(item, (starts[place] or row) if starts else None)
            shares = self._shares(item, units)
            total = sum((part * loss for part, loss in zip(shares, losses, strict=True)), zero)
            if ceiling is not None:
                total = total + self._too_loud(item, one, ceiling, units, rows[-1])
            totals.append(total)
        return torch.stack(totals), rows

    def _shares(self, item: int, units: Sequence[float]) -> list[float]:
        """What one of each control's loss counts in the sum."""
        pairs = zip(self.objectives[item], units, strict=True)
        return [objective.weight / unit for objective, unit in pairs]

    def _too_loud(
        self, item: int, clip: Clip, ceiling: float, units: Sequence[float], row: Row
    ) -> Tensor:
        """What is to come down in the sum, (), for being louder than the ceiling; told the row."""
        objectives = self.objectives[item]
        if any(each.sets_level and each.weight > 0 for each in objectives):
            return clip.latent.new_zeros(())
        (loud,) = loudness_over(clip.levels, clip.sample_rate, ceiling)
        (peaks,) = peaks_over(clip.levels, clip.sample_rate, max(PEAK, ceiling))
        over = float(torch.maximum(loud, peaks).detach())
        if over > 0:
            row["over"] = over
        pairs = zip(objectives, self._shares(item, units), strict=True)
        total = (loud / STEEPNESS).square() + (peaks / PEAK_STEEPNESS).square()
        return sum(share * each.scale for each, share in pairs) * total

    def _units(self, item: int, start: Row | None) -> list[float]:
        """Of each control's loss in the sum: its scale, or what it is in a row, if that is more."""
        objectives = self.objectives[item]
        if len(objectives) == 1:
            return [1.0]
        scales = [objective.scale for objective in objectives]
        if start is None:
            return scales
        return [max(start[name], s) for name, s in zip(self.names(item), scales, strict=True)]

    def _total(self, item: int, row: Row) -> float:
        """The total loss of a row."""
        terms = zip(self.objectives[item], self.names(item), self._units(item, None), strict=True)
        return sum((objective.weight * row[name] / unit for objective, name, unit in terms), 0.0)

    def met(self, item: int, row: Row, slack: float = 1.0, *, few: bool = False) -> bool:
        """Whether a row is within the tolerance asked for, or each control's own, times `slack`.

        A control of weight 0 is measured and not asked for. What is louder than it should be by
        more than a dB is not met. Of a row on `few` of the steps either is enough: nearer than what
        counts as met they say nothing of all steps.
        """
        if row.get("over", 0.0) > slack:
            return False
        asked = self.settings.tolerance
        if asked is not None and row["loss"] <= slack * asked:
            return True
        if asked is not None and not few:
            return False
        pairs = zip(self.objectives[item], self.names(item), strict=True)
        return all(row[name] <= slack * each.tolerance for each, name in pairs if each.weight > 0)

    def known(self) -> tuple[Tensor, Tensor] | None:
        """References (B, ..., T) and masks (B, 1, ..., T), 1 = keep, of all items; None: not all
        have one.
        """
        found = [
            next((known for each in objectives if each.weight > 0 and (known := each.known)), None)
            for objectives in self.objectives
        ]
        pairs = [pair for pair in found if pair]
        if len(pairs) < len(found):
            return None
        references = torch.stack([reference for reference, _ in pairs])
        masks = torch.stack([mask.to(references) for _, mask in pairs])
        return references, masks.reshape(len(masks), *[1] * (references.ndim - 2), -1)

    def names(self, item: int) -> list[str]:
        """Of the item's controls; one asked for twice is numbered."""
        names = [objective.name for objective in self.objectives[item]]
        return [
            name if names.count(name) == 1 else f"{name}-{names[: i + 1].count(name)}"
            for i, name in enumerate(names)
        ]

    @torch.no_grad()
    def finish(
        self,
        method: str,
        x_T: Tensor,
        stopped: Sequence[Stopped] | None = None,
        histories: Sequence[list[Row]] | None = None,
        latent: Tensor | None = None,
    ) -> Result:
        """Sample the noises found with all steps, measure what came out, and pack it up.

        Parameters
        ----------
        latent : (B, ...), what they grew into, where it is known.
        """
        if latent is None:
            latent = self.sample(x_T, range(len(self)), self.settings.steps)
        return self.packed(method, x_T, latent, stopped, histories)

    @torch.no_grad()
    def packed(
        self,
        method: str,
        x_T: Tensor,
        latent: Tensor,
        stopped: Sequence[Stopped] | None = None,
        histories: Sequence[list[Row]] | None = None,
    ) -> Result:
        """Measure the clean latents that came of these noises, and pack all up.

        Raises
        ------
        FloatingPointError
            If they sound like no finite numbers.
        """
        everyone = range(len(self))
        clip = self.clip(latent)
        if not bool(torch.isfinite(clip.audio).all()):
            raise FloatingPointError("the audio is not of finite numbers: lower the guidance")
        _, rows = self.measure(clip, everyone)
        searched = x_T.ndim > 1 + len(self.form.latent_shape)
        later = x_T[:, 1:] if searched else self.later if self._given else None
        items: list[Item] = []
        for i in everyone:
            one = clip.item(i)
            items.append(
                Item(
                    prompt=self.prompts[i],
                    seed=self.seeds[i],
                    audio=one.audio[0].float().cpu(),
                    x_T=(x_T[i][0] if searched else x_T[i]).detach().cpu(),
                    later=None if later is None else later[i].detach().cpu(),
                    latent=latent[i].cpu(),
                    stopped=stopped[i] if stopped else "iterations",
                    history=histories[i] if histories else [],
                    final=rows[i],
                    metrics={name: figures_of(rows[i], name) for name in self.names(i)},
                    panels=[panel for each in self.objectives[i] for panel in each.panels(one)[0]],
                )
            )
        seconds = time.monotonic() - self.started
        name, revision = self.named
        return Result(
            name,
            method,
            self.settings,
            self.model.sample_rate,
            items,
            seconds,
            revision=revision,
            estimate=self.estimate,
        )


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
