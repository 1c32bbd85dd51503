"""What all adapters of `diffusers` pipelines share."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ditto_music.memory import Task
from ditto_music.models.hub.blocks import decoded_by_stretches, encoded_by_stretches
from ditto_music.models.hub.parts import Offload, Parts, Reader
from ditto_music.modes import own_modes
from ditto_music.sampling import Condition, Denoise, Schedule, checkpointed
from ditto_music.sampling.guidance import Guidance

STRETCH_SECONDS = 4.0  # of audio that the decoder makes at once
STEPS, FEW_STEPS = 20, 8  # of the sampler
REMEMBERED = 16  # conditions, so that a prompt asked for again needs no text encoder

#: Prompts, seconds, and what the prompts are set against.
_Asked = tuple[tuple[str, ...], float, tuple[str, ...] | None]


class HubModel:
    """A frozen pipeline behind the protocol of `ditto_music.protocols.Model`.

    Parameters
    ----------
    name : what `load_model` was given.
    pipe : a pipeline of diffusers with its parts; nothing of it is called but these.
    device : where they work.
    reader, offload : as `Parts`.
    told : says what `revision` is to hold, when someone asks.

    Attributes
    ----------
    READS : the parts that only prompts need.
    NETWORK, DECODERS : the parts that denoise and decode.
    baked : whether guidance is trained into the weights, so that a scale other than 1 only harms.
    guidance : the pipeline's own where nothing else is asked.
    decoder_reach : latent frames that the decoder looks at beyond those of a sample.
    encoder_reach : latent frames' worth of audio that the encoder looks at beyond a frame's own.
    stretch_seconds : of audio that are decoded, or encoded, at once.
    """

    READS: tuple[str, ...] = ()
    NETWORK = "transformer"
    DECODERS: tuple[str, ...] = ("vae",)

    baked = False
    guidance = Guidance()
    decoder_reach: int
    encoder_reach: int
    channels: int
    sample_rate: int
    hop: int
    schedule: Schedule
    seconds_range: tuple[float, float]
    seconds_per_frame: float

    @property
    def steps(self) -> int:
        """What a distilled model is made for; 20 of any other, far fewer than pipelines take."""
        return FEW_STEPS if self.baked else STEPS

    def __init__(
        self,
        name: str,
        pipe: Any,
        device: torch.device,
        reader: Reader | None = None,
        offload: Offload = "text",
        told: Callable[[], str] | None = None,
    ) -> None:
        self.name, self.pipe, self.device = name, pipe, device
        self._told = told
        self.parts = Parts(pipe, device, reader, offload)
        self.stretch_seconds = STRETCH_SECONDS
        self._conditions: dict[_Asked, Condition] = {}
        self._sparing = False

    @property
    def revision(self) -> str | None:
        """The commit of the weights on the hub, or of a folder a hash of what it holds."""
        return self._revision

    @cached_property
    def _revision(self) -> str | None:
        return self._told() if self._told else None

    @property
    def network(self) -> torch.nn.Module:
        """What a denoiser call runs."""
        return getattr(self.pipe, self.NETWORK)

    def condition(
        self, prompts: Sequence[str], seconds: float, beside: Sequence[str] | None = None
    ) -> Condition:
        """Read the prompts; an empty one is the unconditional model. No gradient."""
        key = tuple(prompts), seconds, None if beside is None else tuple(beside)
        if key not in self._conditions:
            with own_modes(), torch.no_grad():
                self.parts.fetch(self.READS)
                self._conditions[key] = (
                    self.encoded(list(prompts), seconds)
                    if beside is None
                    else self.encoded_against(list(prompts), list(beside), seconds)
                )
            for oldest in list(self._conditions)[:-REMEMBERED]:
                del self._conditions[oldest]
        return self._conditions[key]

    def denoise(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Clean estimate of `x_t` (B, ...) at the time `t` (), the same shape; differentiable."""
        self.parts.release(self.READS)
        spare = self.by_blocks if self._sparing else nullcontext  # also where it is run again

        def call(x_t: Tensor, t: Tensor) -> Tensor:
            with spare():
                return self.denoised(x_t, t, condition)

        return self._at_work(call, self.NETWORK)(x_t, t)

    def decode(self, latent: Tensor) -> Tensor:
        """Latents (B, ..., T) to audio (B, channels, hop T), at the level the model gave."""

        def call(latent: Tensor, _: Tensor) -> Tensor:
            return self.in_stretches(latent)

        return self._at_work(call, *self.DECODERS)(latent, latent.new_zeros(()))

    def _at_work(self, call: Denoise, *parts: str) -> Denoise:
        """A call that has the parts it takes where they work.

        Its graph would hold on to weights that have left: parts that move come again in backward,
        for the call made again and all the way back through it.
        """
        if self.parts.offload != "all":
            return call
        return checkpointed(call, lambda: self.parts.at_work(*parts))

    def encode(self, audio: Tensor) -> Tensor:
        """Audio (B, channels, N) to latents (B, ...); N is padded to whole frames. No gradient."""
        whole = audio_like(audio.to(self.device), self.channels, self.hop)
        with torch.no_grad(), self.parts.at_work("vae"):
            return self.from_stretches(whole)

    @contextmanager
    def sparing(self) -> Generator[None]:
        """Inside, calls keep one block's activations for backward at a time."""
        before, self._sparing = self._sparing, True
        try:
            yield
        finally:
            self._sparing = before

    @contextmanager
    def by_blocks(self) -> Generator[None]:
        """Inside, the network itself runs so."""
        network: Any = self.network
        network.enable_gradient_checkpointing()
        try:
            yield
        finally:
            network.disable_gradient_checkpointing()

    @contextmanager
    def held(self, task: Task) -> Generator[None]:
        """Inside, what the task takes is where it works, and no part moves or is let go."""
        self.parts.release(self.READS)
        with self.parts.held(*self._at(task)):
            yield

    def _at(self, task: Task) -> tuple[str, ...]:
        """The parts that a task takes."""
        return (self.NETWORK,) if task == "denoise" else self.DECODERS

    def whole_frames(self, seconds: float) -> int:
        """Frames that hold a clip's samples: as many as `encode` makes of it."""
        return math.ceil(round(seconds * self.sample_rate) / self.hop)

    def in_stretches(self, latent: Tensor) -> Tensor:
        """The decoder's answer, some seconds at a time."""
        reach = self.decoder_reach
        return decoded_by_stretches(self.decoded, latent, self._frames(reach), reach, self.hop)

    def from_stretches(self, audio: Tensor) -> Tensor:
        """The encoder's answer to whole frames, some seconds at a time."""
        reach = self.encoder_reach
        return encoded_by_stretches(self.latents, audio, self._frames(reach), reach, self.hop)

    def _frames(self, reach: int) -> int:
        """Of a stretch."""
        return max(reach, math.ceil(self.stretch_seconds / self.seconds_per_frame))

    def weight_bytes(self) -> tuple[int, int]:
        """Of the weights on the device while prompts are read, and of those that stay there."""
        parts = self.parts
        reads = parts.bytes_of(
            [name for name in self.READS if getattr(self.pipe, name) is not None]
        )
        if parts.offload == "all":
            return reads, 0
        rest = parts.bytes_of([self.NETWORK, *self.DECODERS])
        return rest + reads, rest + (reads if parts.offload == "none" else 0)

    def moved_bytes(self, task: Task) -> int:
        """Of weights that come to the device for a task and leave it again."""
        return self.parts.bytes_of(self._at(task)) if self.parts.offload == "all" else 0

    @property
    def telling_seconds(self) -> float:
        """Of a clip whose decoding takes as much, beyond the audio, as any longer one's."""
        reach = self.decoder_reach * self.seconds_per_frame
        return min(self.seconds_range[1], 2 * max(reach, self.stretch_seconds) + 2 * reach)

    def encoded(self, prompts: list[str], seconds: float) -> Condition:
        """The condition of prompts for a clip of so many seconds."""
        raise NotImplementedError

    def encoded_against(self, prompts: list[str], wanted: list[str], seconds: float) -> Condition:
        """The condition of what to move away from, for what is wanted in its place."""
        return self.encoded(prompts, seconds)

    def denoised(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """As `denoise`, the network being where it works."""
        raise NotImplementedError

    def decoded(self, latent: Tensor) -> Tensor:
        """As `decode`, a stretch at once."""
        raise NotImplementedError

    def latents(self, audio: Tensor) -> Tensor:
        """As `encode`, a stretch of whole frames at once."""
        raise NotImplementedError


def audio_like(audio: Tensor, channels: int, multiple: int) -> Tensor:
    """Audio (B, c, N) with other channels, and silence up to a multiple of samples."""
    if audio.shape[1] != channels:
        audio = audio.mean(1, keepdim=True).expand(-1, channels, -1)
    return torch.nn.functional.pad(audio, (0, -audio.shape[-1] % multiple))
