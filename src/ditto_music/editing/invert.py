"""Inversion: the noise from which the model makes a given recording (DITTO, appendix D).

It begins with DDIM inversion, whose small errors guidance blows up, and is then optimised like any
other target: the whole latent is the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor

from ditto_music.audio import Recording
from ditto_music.controls.match import Match
from ditto_music.editing.describe import describe
from ditto_music.editing.filling import Callback, latent_of, steps_of
from ditto_music.editing.inpaint import check_sound
from ditto_music.errors import InputError
from ditto_music.generate import generate
from ditto_music.modes import own_modes
from ditto_music.optimize import Search, optimize
from ditto_music.protocols import Model
from ditto_music.result import Result
from ditto_music.sampling import draw_noise, guided, invert_ddim


@dataclass(frozen=True)
class Inversion:
    """A recording as noise.

    Attributes
    ----------
    result : the model's own sample of the noise found; ``result.x_T`` is the noise.
    control : what was asked: to be the recording's latent.
    read : whether the prompt was read from the recording.
    noised, inverted : mean squared error of latents for the two usual ways, the reference noised to
        the beginning of the schedule, and DDIM inversion without search.
    """

    result: Result
    control: Match
    read: bool
    noised: float
    inverted: float

    @property
    def error(self) -> float:
        """Mean squared error of the latent, in units of its variance."""
        return self.result.items[0].final["match"]


@own_modes()
def invert(
    model: Model,
    recording: Recording,
    prompt: str | None = None,
    *,
    seed: int = 0,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Inversion:
    """Find the noise that reproduces a recording under a prompt.

    Parameters
    ----------
    recording : as long as one clip of the model.
    prompt : what the recording is, so that another prompt changes that; None: what taggers hear.
    search : as `optimize`; 20 steps where none are asked and the model is not distilled.

    Returns
    -------
    Inversion.

    Raises
    ------
    InputError
        If the recording is silent, or too short or long for one clip.
    """
    check_sound(recording)
    shortest, longest = model.seconds_range
    seconds = recording.seconds
    if not shortest <= seconds <= longest:
        raise InputError(
            f"the recording lasts {seconds:.2f} s: {model.name} inverts {shortest:g} to "
            f"{longest:g} s at once: cut it"
        )
    words = describe(recording) if prompt is None else prompt
    reference = latent_of(model, recording.audio(), recording.sample_rate)
    control = Match(reference, torch.ones(reference.shape[-1]))
    steps = steps_of(model, search)
    search = {**search, "steps": steps}
    condition = model.condition([words], seconds)
    with torch.no_grad():
        denoise = guided(model.denoise, condition, condition, 1.0)
        inverted = invert_ddim(denoise, reference[None], model.schedule, steps)
    noised = noised_to_start(model, reference, seed)
    errors = [
        plain_error(model, words, control, start, seconds, search) for start in (noised, inverted)
    ]
    result = optimize(
        model,
        words,
        control,
        seed=seed,
        duration=seconds,
        x_T=inverted,
        callback=callback,
        **search,
    )
    return Inversion(result, control, prompt is None, *errors)


def noised_to_start(model: Model, reference: Tensor, seed: int) -> Tensor:
    """The reference with as much noise as the schedule begins with (1, ..., T)."""
    start = model.schedule.times(1)[0]
    noise = draw_noise(tuple(reference.shape), [seed]).to(reference)
    alpha, sigma = (
        part(start).to(reference) for part in (model.schedule.alpha, model.schedule.sigma)
    )
    return alpha * reference[None] + sigma * noise


def plain_error(
    model: Model, prompt: str, control: Match, x_T: Tensor, seconds: float, search: Search
) -> float:
    """How far the sample of some noise is from the reference, without any search."""
    made = generate(
        model,
        prompt,
        control,
        duration=seconds,
        steps=search.get("steps"),
        guidance=search.get("guidance"),
        negative_prompt=search.get("negative_prompt", ""),
        sampler=search.get("sampler", "adams"),
        x_T=x_T,
    )
    return made.items[0].final["match"]
