"""Stable Audio Open 1.0 (Evans et al. 2024): stereo at 44.1 kHz, a transformer that predicts v.

The scheduler it ships with is a stochastic one on noise levels up to 500. The network itself is
one of a variance-preserving process, ``x_t = cos(pi t / 2) x_0 + sin(pi t / 2) eps``, and on that
path its clean estimate is the scheduler's own, for latents scaled by ``sqrt(level^2 + 1)``.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import Tensor

from ditto_music.models.hub.base import HubModel
from ditto_music.models.hub.blocks import decoded_by_blocks, oobleck_encoder_reach, oobleck_reach
from ditto_music.sampling import AngleSchedule, Condition, clean
from ditto_music.sampling.guidance import Guidance

HIGHEST_LEVEL = 500.0  # sigma_max of the shipped scheduler


class StableAudioModel(HubModel):
    """`diffusers.StableAudioPipeline`. Latents (B, 64, 1024) always last 47.55 s."""

    READS = ("text_encoder", "projection_model")
    guidance = Guidance(7.0)

    def __init__(self, name: str, pipe: Any, device: torch.device, **more: Any) -> None:
        super().__init__(name, pipe, device, **more)
        vae, network = pipe.vae, pipe.transformer
        keep_time_exact(network)
        self.channels = int(vae.config.audio_channels)
        self.sample_rate = int(vae.config.sampling_rate)
        self.hop = int(vae.hop_length)
        self.decoder_reach = oobleck_reach(vae.config.downsampling_ratios[::-1])
        self.encoder_reach = oobleck_encoder_reach(vae.config.downsampling_ratios)
        self.length = int(network.config.sample_size)
        self.seconds_per_frame = self.hop / self.sample_rate
        self.seconds_range = (0.5, self.length * self.seconds_per_frame)
        level = float(getattr(pipe.scheduler.config, "sigma_max", HIGHEST_LEVEL))
        self.schedule = AngleSchedule(start=math.atan(level) * 2 / math.pi)
        self.rotary = get_1d_rotary_pos_embed(
            network.config.attention_head_dim // 2,
            self.length + 1,
            use_real=True,
            repeat_interleave_real=False,
        )

    def latent_shape(self, seconds: float) -> tuple[int, ...]:
        """Of the full length, whatever the clip's: the only one the network was trained on."""
        return int(self.pipe.transformer.config.in_channels), self.length

    def encoded(self, prompts: list[str], seconds: float) -> Condition:
        """Text and seconds; zeros for an empty prompt, as the pipeline has it."""
        text = self.pipe.encode_prompt(prompts, self.device, False)
        start, end = self.pipe.encode_duration(0.0, seconds, self.device, False, len(prompts))
        words = torch.cat([text, start, end], dim=1)
        asked = torch.tensor([bool(prompt) for prompt in prompts], device=self.device)
        return Condition(
            {"words": words * asked[:, None, None], "seconds": torch.cat([start, end], dim=2)}
        )

    def denoised(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Clean estimate (B, 64, 1024)."""
        network = self.pipe.transformer
        output = network(
            x_t.to(network.proj_in.weight.dtype),
            t.float()[None].to(self.device),
            encoder_hidden_states=condition.tensors["words"],
            global_hidden_states=condition.tensors["seconds"],
            rotary_embedding=tuple(each.to(self.device) for each in self.rotary),
            return_dict=False,
        )[0]
        schedule = self.schedule
        return clean("v", output.to(x_t), x_t, schedule.alpha(t).to(x_t), schedule.sigma(t).to(x_t))

    def from_stretches(self, audio: Tensor) -> Tensor:
        """Of the full length, silence after the audio.

        One frame stands for all that hear neither the audio nor the end: of the silence only so
        much is encoded as shows all three.
        """
        reach, frames = self.encoder_reach, audio.shape[-1] // self.hop
        shown = max(frames, min(self.length, frames + 3 * reach))
        silence = (0, (shown - frames) * self.hop)
        latent = super().from_stretches(torch.nn.functional.pad(audio, silence))
        before, after = latent.tensor_split([frames + reach], dim=-1)
        between = after[..., :1].expand(-1, -1, max(0, self.length - shown))
        return torch.cat([before, between, after], dim=-1)

    def latents(self, audio: Tensor) -> Tensor:
        """(B, 64, T)"""
        return self.pipe.vae.encode(audio.to(self.pipe.vae.dtype)).latent_dist.mode().float()

    def decoded(self, latent: Tensor) -> Tensor:
        """Latents (B, 64, T) to audio (B, 2, 2048 T), a block of the decoder at a time."""
        return decoded_by_blocks(self.pipe.vae.decoder, latent.to(self.pipe.vae.dtype)).to(latent)


class _As(torch.nn.Module):
    """What comes in, in a precision."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)


def keep_time_exact(network: Any) -> None:
    """Have a network of half precision read the time in float32.

    The time begins at 0.9987, which bfloat16 rounds to 1. The network casts it to the precision of
    its first weights: those that embed the time, so it is these that are kept in float32.
    """
    dtype = network.proj_in.weight.dtype
    if dtype == torch.bfloat16 or dtype == torch.float16:
        network.time_proj.float()
        network.timestep_proj.float().append(_As(dtype))
