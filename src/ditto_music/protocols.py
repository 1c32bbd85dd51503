"""What the parts of the house ask of one another; nothing here runs.

A *model* turns prompts into conditions, noise into clean latents, latents into audio. A *control*
looks at a clip and says how far it is from what was asked. `optimize` takes one of each and knows
nothing else of either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from ditto_music.panels import Panel
from ditto_music.sampling import Condition, Schedule
from ditto_music.sampling.guidance import Guidance


class Model(Protocol):
    """A frozen text-to-music diffusion model. Every method is a pure function."""

    @property
    def name(self) -> str:
        """What `load_model` was given."""
        ...

    @property
    def revision(self) -> str | None:
        """What tells these weights from others of the name: a commit, or a hash."""
        ...

    @property
    def sample_rate(self) -> int:
        """Of the audio, in Hz."""
        ...

    @property
    def channels(self) -> int:
        """Of the audio."""
        ...

    @property
    def schedule(self) -> Schedule:
        """The noise schedule the denoiser was trained on."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    @property
    def seconds_range(self) -> tuple[float, float]:
        """Shortest and longest clip the model makes well."""
        ...

    @property
    def seconds_per_frame(self) -> float:
        """Of audio that one frame of the latent stands for."""
        ...

    @property
    def baked(self) -> bool:
        """Whether guidance is trained into the weights, so that a scale other than 1 only harms."""
        ...

    @property
    def guidance(self) -> Guidance:
        """How to guide where nothing else is asked."""
        ...

    @property
    def steps(self) -> int:
        """Sampler steps of a result where nothing else is asked."""
        ...

    @property
    def decoder_reach(self) -> int:
        """Latent frames that the decoder looks at beyond those of a sample."""
        ...

    def latent_shape(self, seconds: float) -> tuple[int, ...]:
        """Shape of one latent that holds at least `seconds` of audio, time last."""
        ...

    def condition(
        self, prompts: Sequence[str], seconds: float, beside: Sequence[str] | None = None
    ) -> Condition:
        """Read the prompts; an empty one is the unconditional model. No gradient.

        Parameters
        ----------
        beside : of prompts to be moved away from, what each is set against, where a model makes
            something of that.
        """
        ...

    def denoise(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Clean estimate of `x_t` (B, ...) at the time `t` (), the same shape; differentiable.

        It is brought to the type of `x_t`, float32, where it has another, as bfloat16.
        """
        ...

    def sparing(self) -> AbstractContextManager[None]:
        """Inside, `denoise` keeps one block's activations at a time, where a model has blocks."""
        ...

    def encode(self, audio: Tensor) -> Tensor:
        """Audio (B, channels, N) to latents (B, ...), without a gradient.

        The channels are a recording's own, whatever the model's; N is padded to whole frames.
        """
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Latents (B, ...) to audio (B, channels, N); differentiable, never clipped or scaled.

        It is brought to float32 where it has half the precision, as bfloat16.
        """
        ...


class Clip:
    """What a control looks at: a batch of clean latents and, once someone asks, their audio.

    Parameters
    ----------
    model : decodes.
    latent : (B, ...) clean latents.
    frames : samples of audio to keep; a latent holds whole frames and so often a little more.
    """

    def __init__(self, model: Model, latent: Tensor, frames: int) -> None:
        self.model = model
        self.latent = latent
        self.frames = frames

    @property
    def sample_rate(self) -> int:
        """Of `audio`, in Hz."""
        return self.model.sample_rate

    @cached_property
    def audio(self) -> Tensor:
        """(B, channels, N), decoded at the first look and in the graph; float32 at least."""
        model = self.model
        needed = math.ceil(self.frames / (model.seconds_per_frame * model.sample_rate) - 1e-6)
        latent = self.latent[..., : needed + model.decoder_reach]
        audio = model.decode(latent)[..., : self.frames]
        return audio.float() if audio.itemsize < 4 else audio

    def apart(self) -> Clip:
        """The batch out of the graph, for those who only look; what is decoded stays so."""
        seen = _Apart(self.model, self.latent.detach(), self.frames)
        if "audio" in vars(self):
            seen.audio = self.audio.detach()
        return seen

    def item(self, index: int) -> Clip:
        """One item of the batch as a batch of one; the audio is decoded for all at once."""
        return _Item(self, index)

    def part(self, start: int, frames: int) -> Clip:
        """The clip from sample `start` on, `frames` samples of it; decoded with the whole."""
        return _Part(self, start, frames)

    @cached_property
    def mono(self) -> Tensor:
        """(B, N), the mean of the channels."""
        return self.audio.mean(1)

    @property
    def levels(self) -> Tensor:
        """What is as loud as the clip: `mono` of one channel, else `audio`, (B, channels, N).

        The mean of channels that differ is quieter than they are.
        """
        return self.audio if self.audio.shape[1] > 1 else self.mono


class _Apart(Clip):
    """A batch that is decoded without a gradient."""

    @cached_property
    @torch.no_grad()
    def audio(self) -> Tensor:
        return super().audio


class _Part(Clip):
    """A stretch of a batch; its latent is the whole's."""

    def __init__(self, clip: Clip, start: int, frames: int) -> None:
        super().__init__(clip.model, clip.latent, frames)
        self.clip, self.start = clip, start

    @cached_property
    def audio(self) -> Tensor:
        return self.clip.audio[..., self.start : self.start + self.frames]


class _Item(Clip):
    """One item's view of a batch."""

    def __init__(self, batch: Clip, index: int) -> None:
        super().__init__(batch.model, batch.latent[index : index + 1], batch.frames)
        self.batch, self.index = batch, index

    @cached_property
    def audio(self) -> Tensor:
        return self.batch.audio[self.index : self.index + 1]


@dataclass(frozen=True)
class Form:
    """The clip that a target is made for, before any of it exists."""

    seconds: float
    sample_rate: int
    latent_shape: tuple[int, ...]
    device: torch.device

    @property
    def frames(self) -> int:
        """Samples of audio."""
        return round(self.seconds * self.sample_rate)


class Objective(Protocol):
    """A control whose target has been made for one form: what `optimize` minimises."""

    @property
    def name(self) -> str:
        """Of the control, for reports."""
        ...

    @property
    def weight(self) -> float:
        """Its factor in the sum; of 0 it is measured and not asked for."""
        ...

    @property
    def tolerance(self) -> float:
        """A loss this small is as good as met."""
        ...

    def measure(self, clip: Clip) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss (B,) in the graph, and further figures in the control's own units, each (B,)."""
        ...

    @property
    def scale(self) -> float:
        """A loss of this size counts for one in a sum."""
        ...

    @property
    def sets_level(self) -> bool:
        """Whether it says how loud the music is to be."""
        ...

    @property
    def known(self) -> tuple[Tensor, Tensor] | None:
        """The clean latent (..., T) asked for and where, (T,), 1 = this; None: nothing so direct.

        Methods that put a reference in place themselves, instead of minimising, take it from here.
        """
        ...

    def panels(self, clip: Clip) -> list[list[Panel]]:
        """What to draw, a list an item."""
        ...


class Control(Protocol):
    """Something asked of a clip, not yet tied to a length."""

    def objectives(self, form: Form) -> Sequence[Objective]:
        """Make the targets for a clip of this form; several for a sum.

        Raises
        ------
        InputError
            If a target cannot be made for it: one line that says what and how to mend it.
        """
        ...
