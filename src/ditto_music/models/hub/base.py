"""What all adapters of `diffusers` pipelines share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ditto_music.sampling import Condition, Schedule


class HubModel:
    """A frozen pipeline behind the protocol of `ditto_music.protocols.Model`.

    Parameters
    ----------
    name : what `load_model` was given.
    pipe : a pipeline of diffusers with its parts; nothing of it is called but these.
    device : where they are.

    Attributes
    ----------
    baked : whether guidance is trained into the weights, so that a scale other than 1 only harms.
    decoder_reach : latent frames that the decoder looks at beyond those of a sample.
    """

    baked = False
    decoder_reach = 16
    channels: int
    sample_rate: int
    schedule: Schedule
    seconds_range: tuple[float, float]
    seconds_per_frame: float

    def __init__(self, name: str, pipe: Any, device: torch.device) -> None:
        self.name, self.pipe, self.device = name, pipe, device
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.to(device).eval().requires_grad_(False)

    def condition(self, prompts: Sequence[str], seconds: float) -> Condition:
        """Read the prompts; an empty one is the unconditional model. No gradient."""
        with torch.no_grad():
            return self.encoded(list(prompts), seconds)

    def encoded(self, prompts: list[str], seconds: float) -> Condition:
        """The condition of prompts for a clip of so many seconds."""
        raise NotImplementedError


def audio_like(audio: Tensor, channels: int, multiple: int) -> Tensor:
    """Audio (B, c, N) with other channels, and silence up to a multiple of samples."""
    if audio.shape[1] != channels:
        audio = audio.mean(1, keepdim=True).expand(-1, channels, -1)
    return torch.nn.functional.pad(audio, (0, -audio.shape[-1] % multiple))
