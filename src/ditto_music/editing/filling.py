"""Fill one window: the function under every edit (DITTO, sections 3.1 to 3.3).

What stays is encoded, the model's own noise for it is found by DDIM inversion, the hole starts from
fresh noise mixed with that of the recording's own music, and the optimiser then makes the whole
clip agree with what stays. Only the hole is taken from the result: everything else is the user's
own samples, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Unpack

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.audio import Recording, resample
from ditto_music.audio.files import SILENCE
from ditto_music.baselines import METHODS
from ditto_music.controls.base import Term
from ditto_music.controls.match import Match
from ditto_music.controls.part import Part
from ditto_music.editing import joins
from ditto_music.editing.alike import filled_alike
from ditto_music.editing.spectra import filtered
from ditto_music.editing.stereo import spread
from ditto_music.editing.windows import Window
from ditto_music.errors import InputError
from ditto_music.optimize import Progress, Search
from ditto_music.protocols import Model
from ditto_music.result import Result
from ditto_music.sampling import draw_noise, guided, invert_ddim

FRESH = 0.25
STEPS = 20  # of the sampler: on ten, what stays took twice the iterations to meet
COLOUR_SECONDS = 3.0  # on either side, whose colour the new music gets
EASE_SECONDS = 2.0  # in which an open end's level takes over from that of the join
EDGE_SECONDS = 0.5  # in which a level that a control asks for takes over from the level beside it

Callback = Callable[[Progress], bool | None]


@dataclass(frozen=True)
class Wish:
    """What is asked of the new music in one window besides fitting in.

    Attributes
    ----------
    control : a control or a sum, or None.
    offset, whole : where this window's hole begins in all of the new music, and how long that is,
        in seconds.
    level : root mean square, of the mean of all channels, that new music without an end to meet
        goes back to; None: it stays as it was at the join.
    within : whether no third of an octave may be louder than it is beside the hole.
    """

    control: Term | None = None
    offset: float = 0.0
    whole: float | None = None
    level: float | None = None
    within: bool = False

    @property
    def sets_level(self) -> bool:
        """Whether the control is one of loudness, so that nothing else may change it."""
        return self.control is not None and self.control.sets_level


@dataclass(frozen=True)
class Task:
    """One window to fill, ready to be asked of the optimiser, now or again on another day.

    Attributes
    ----------
    reference, mask : the latent (..., T) to match and where, (T,); 1 = keep, 0 = make new.
    sample_rate : of the recording, which the window counts in.
    """

    window: Window
    wish: Wish
    reference: Tensor
    mask: Tensor
    sample_rate: int

    def goal(self) -> Term:
        """Match what stays, and what is asked of the hole."""
        match = Match(self.reference, self.mask)
        if self.wish.control is None:
            return match
        hole, rate = self.window.hole, self.sample_rate
        span = (hole.start / rate, hole.stop / rate)
        return match + Part(self.wish.control, *span, self.wish.offset, self.wish.whole)

    def put(self, recording: Recording, clip: Tensor, clip_rate: int) -> tuple[Recording, int]:
        """The recording with the hole taken from a clip (channels, N), and samples too loud for it.

        A recording of floats holds any.
        """
        part = made_to_fit(recording, self.window, clip.numpy(), clip_rate, self.wish)
        whole = np.issubdtype(recording.samples.dtype, np.integer)
        loud = int((np.abs(part) > 1).sum()) if whole else 0
        return recording.with_region(self.window.start, part), loud


class Filled(NamedTuple):
    """The recording with its hole filled, what was asked, the optimisation, samples too loud."""

    recording: Recording
    task: Task
    result: Result
    clipped: int


def fill(
    model: Model,
    recording: Recording,
    window: Window,
    prompt: str,
    *,
    seed: int,
    wish: Wish = Wish(),
    fresh: float = 1.0,
    source: tuple[int, int] | None = None,
    method: str = "ditto",
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Filled:
    """The recording with the window's hole filled, and the optimisation behind it.

    All methods begin with the same noise, inverted in an edit's own steps whatever was asked.

    Parameters
    ----------
    fresh : share of fresh noise in what the hole begins with, from 0 to 1; the rest is the noise of
        the recording's own music.
    source : frames of the recording which that may come from; None: all that stay.
    method : a name of `ditto_music.baselines.METHODS`.

    Raises
    ------
    InputError
        If there is only silence beside the hole, a control cannot be asked of it, or `fresh` is
        out of range.
    """
    if not 0 <= fresh <= 1:
        raise InputError(f"fresh is {fresh:g}: give a share from 0 to 1")
    reference, mask = reference_of(model, recording, window)
    task = Task(window, wish, reference, mask, recording.sample_rate)
    seconds = window.frames / recording.sample_rate
    search = {**search, "steps": steps_of(model, search)}
    begins = reference
    if fresh < 1:
        alike = filled_alike(recording, window, seed, source)
        begins = latent_of(model, alike, recording.sample_rate)
        begins = torch.where(mask.to(reference) > 0, reference, begins)
    result = METHODS[method](
        model,
        prompt,
        task.goal(),
        seed=seed,
        duration=seconds,
        x_T=initial_noise(model, prompt, begins, mask, seconds, seed, steps_of(model, {}), fresh),
        callback=callback,
        **search,
    )
    filled, clipped = task.put(recording, result.audio[0], result.sample_rate)
    return Filled(filled, task, result, clipped)


def steps_of(model: Model, search: Search) -> int:
    """Sampler steps of an edit, as asked; else more than of music that has nothing to fit to.

    A distilled model's are its own.
    """
    asked = search.get("steps")
    if asked is not None:
        return asked
    return model.steps if model.baked else max(STEPS, model.steps)


def worded(prompt: object, fresh: float | None, search: Search) -> tuple[float, Search]:
    """Share of fresh noise and settings of an edit, as asked or as suits its prompt.

    What is worded by the user is made anew and guided by the words. Without words the new music
    begins mostly from the recording's own and goes unguided, several times as fast, if there is
    nothing to stay away from.
    """
    if prompt:
        return 1.0 if fresh is None else fresh, search
    if search.get("guidance") is None and not search.get("negative_prompt"):
        search = {**search, "guidance": 1.0}
    return FRESH if fresh is None else fresh, search


def reference_of(model: Model, recording: Recording, window: Window) -> tuple[Tensor, Tensor]:
    """Latent (..., T) of the window, all holes mirrored over by what stays, and mask (T,)."""
    rate = recording.sample_rate
    check_beside(recording, window)
    filled = joins.mirror_between(_audio(recording, window), window.stays)
    reference = latent_of(model, filled, rate)
    seconds = model.seconds_per_frame
    times = torch.arange(reference.shape[-1]) * seconds
    inside = [
        (times >= one.start / rate) & (times + seconds <= one.stop / rate) for one in window.stays
    ]
    return reference, torch.stack(inside).any(0).float()


def check_beside(recording: Recording, window: Window) -> None:
    """Refuse a window with nothing beside its hole to follow."""
    if np.abs(kept_of(recording, window)).max(initial=0) < SILENCE:
        at = window.start / recording.sample_rate
        raise InputError(f"beside the region at {at:g} s is only silence: use generate for it")


def latent_of(model: Model, audio: joins.Audio, sample_rate: int) -> Tensor:
    """Of a clip (channels, N): (..., T), as long as that of a clip of its seconds.

    A resampler may round half a sample the other way.
    """
    frames = round(audio.shape[1] / sample_rate * model.sample_rate)
    sound = torch.from_numpy(resample(audio, sample_rate, model.sample_rate))
    return model.encode(F.pad(sound, (0, frames - sound.shape[1]))[None])[0]


def initial_noise(
    model: Model,
    prompt: str,
    reference: Tensor,
    mask: Tensor,
    seconds: float,
    seed: int,
    steps: int,
    fresh: float,
) -> Tensor:
    """Inverted noise where the reference is kept, and a share of fresh noise in the hole.

    The shares are of power, so that both together have that of either: (1, ..., T).
    """
    condition = model.condition([prompt], seconds)
    with torch.no_grad():
        denoise = guided(model.denoise, condition, condition, 1.0)
        inverted = invert_ddim(denoise, reference[None], model.schedule, steps)
    noise = draw_noise(tuple(reference.shape), [seed]).to(inverted)
    hole = (1 - fresh) ** 0.5 * inverted + fresh**0.5 * noise
    return torch.where(mask.to(inverted) > 0, inverted, hole)


def made_to_fit(
    recording: Recording,
    window: Window,
    clip: joins.Audio,
    sample_rate: int,
    wish: Wish = Wish(),
) -> joins.Audio:
    """The hole's part of a new clip (channels, N) of the window, as the recording needs it (C, n).

    It gets the level and the channels of what is beside it, and is faded in and out inside the
    hole.
    """
    rate, near = recording.sample_rate, window.near
    new = resample(clip, sample_rate, rate).astype(np.float64)
    new = np.pad(new, ((0, 0), (0, max(0, window.frames - new.shape[1]))))[:, near]
    old = _audio(recording, window)[:, near]
    start, stop = window.hole.start - near.start, window.hole.stop - near.start
    hole = slice(start, stop)
    reach = round(COLOUR_SECONDS * rate)
    both = slice(max(0, start - reach), start), slice(stop, min(stop + reach, old.shape[1]))
    sides = [side for side in both if np.abs(old[:, side]).max(initial=0) > SILENCE]
    asked = new[:, hole]
    new = _coloured(old, new, sides, hole)
    if wish.within and sides and not wish.sets_level:
        beside = [old[:, side] for side in sides]
        new = filtered(new, joins.restraint(new[:, hole], beside))
    before, after = slice(max(0, start - rate), start), slice(stop, stop + rate)
    kept = kept_of(recording, window)
    if wish.sets_level:  # what was asked of the clip is asked of all channels, coloured as they are
        own = joins.level_gains(spread(new[:, hole], kept, rate), asked, rate)
        gains = _own_level(old, new, (before, after), own, rate)
    else:
        gains = _gains(old, new, (before, after), wish, rate)
    part = spread(new[:, hole] * gains, kept, rate)
    return joins.splice(old, new, part, hole, rate)


def _coloured(
    old: joins.Audio, new: joins.Audio, sides: Sequence[slice], hole: slice
) -> joins.Audio:
    """`new` (C, N) with the colour of what stays on either side of the hole, from one to the other.

    The model's clip holds what stays as well: what it lacks there is given back to all of it.
    """
    ways = [filtered(new, joins.colour(new[:, side], old[:, side])) for side in sides]
    if len(ways) < 2:
        return ways[0] if ways else new
    ramp = np.clip((np.arange(new.shape[1]) - hole.start) / (hole.stop - hole.start), 0, 1)
    return (1 - ramp) * ways[0] + ramp * ways[1]


def _gains(
    old: joins.Audio, new: joins.Audio, sides: tuple[slice, slice], wish: Wish, rate: int
) -> joins.Audio:
    """Factors (n,) of the hole's samples: the level of either side at that end."""
    start, stop = sides[0].stop, sides[1].start
    mono, ends = new.mean(0), _levels(old, new, sides)
    free = None if wish.level is None else joins.level_gain(mono[start:stop], wish.level)
    first, last = (gain or free or ends[1 - i] or 1.0 for i, gain in enumerate(ends))
    ease = stop - start if free is None else min(stop - start, round(EASE_SECONDS * rate))
    away = np.clip(np.arange(stop - start) / ease, 0, 1)
    if ends[0] is None:
        away = 1 - away[::-1]
    return np.exp((1 - away) * np.log(first) + away * np.log(last))


def _own_level(
    old: joins.Audio, new: joins.Audio, sides: tuple[slice, slice], own: joins.Audio, rate: int
) -> joins.Audio:
    """Factors (n,) of the hole's samples: `own`, but for the level of either side close to it.

    No sample is close to both.
    """
    away = np.arange(len(own)) / min(EDGE_SECONDS * rate, len(own) / 2)
    pairs = zip(_levels(old, new, sides), (own[0], own[-1]), strict=True)
    first, last = (np.log((gain or end) / end) for gain, end in pairs)
    near = first * np.clip(1 - away, 0, None) + last * np.clip(1 - away[::-1], 0, None)
    return own * np.exp(near)


def _levels(old: joins.Audio, new: joins.Audio, sides: tuple[slice, slice]) -> list[float | None]:
    """Factors that give the new music the level of what stands on either side; None: nothing."""
    mono, wanted = new.mean(0), old.mean(0)
    return [
        joins.level_gain(mono[side], wanted[side]) if mono[side].size else None for side in sides
    ]


def kept_of(recording: Recording, window: Window) -> joins.Audio:
    """What stays of the window, joined (channels, N), in float64."""
    audio = _audio(recording, window)
    return np.concatenate([audio[:, :0], *(audio[:, one] for one in window.stays)], axis=1)


def _audio(recording: Recording, window: Window) -> joins.Audio:
    """The window's samples (channels, N) in float64."""
    return recording.audio(window.begin, window.end).astype(np.float64)
