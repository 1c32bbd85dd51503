"""Stable Audio 3 (2026): stereo at 44.1 kHz, 10.8 latents a second, a rectified flow.

The small and medium checkpoints are distilled: guidance is trained into them and a few steps do.
Their own sampler draws new noise in every step (`ditto_music.sampling.ping_pong`); the same
network walked without it is deterministic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ditto_music.models.hub.base import HubModel
from ditto_music.models.hub.blocks import keep_inputs_only, same_reach
from ditto_music.sampling import Condition, FlowSchedule, clean
from ditto_music.sampling.guidance import Guidance

LEAST, MOST = -6.2, 2.0  # of the logarithm of signal over noise, the pipeline's own defaults


@dataclass(frozen=True)
class LogSnrSchedule(FlowSchedule):
    """Straight paths at the pipeline's times: even in the logarithm of signal over noise."""

    least: float = LEAST
    most: float = MOST

    def times(self, steps: int) -> Tensor:
        """(steps + 1,), from `start`, which stands for 1, to 0."""
        t = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        times = torch.sigmoid(t * (self.most - self.least) - self.most)
        times[0], times[-1] = self.start, 0.0
        return times


class StableAudio3Model(HubModel):
    """`diffusers.StableAudio3Pipeline`. Latents (B, 256, T)."""

    READS = ("text_encoder", "duration_embedder")
    guidance = Guidance(1.0)

    def __init__(self, name: str, pipe: Any, device: torch.device, **more: Any) -> None:
        super().__init__(name, pipe, device, **more)
        keep_positions_exact(pipe.transformer.rotary_pos_emb)
        self.baked = bool(pipe.scheduler.config.stochastic_sampling)
        self.channels = int(pipe.vae.config.audio_channels)
        self.sample_rate = int(pipe.vae.config.sampling_rate)
        self.hop = int(pipe.vae.downsampling_ratio)
        self.decoder_reach = same_reach(pipe.vae.decoder)
        self.encoder_reach = same_reach(pipe.vae.encoder)
        for block in pipe.vae.decoder.blocks:
            keep_inputs_only(block.transformers)
        self.seconds_per_frame = self.hop / self.sample_rate
        self.seconds_range = (0.5, float(pipe.duration_embedder.config.max_val))
        self.schedule = LogSnrSchedule(start=1.0)

    def latent_shape(self, seconds: float) -> tuple[int, ...]:
        """(C, T), T whole frames."""
        return int(self.pipe.vae.config.latent_dim), self.whole_frames(seconds)

    def encoded(self, prompts: list[str], seconds: float) -> Condition:
        """Text with the duration as one more token, and the duration."""
        text, mask = self.pipe.encode_prompt(prompts, self.device, 1)
        keep_durations_exact(self.pipe.duration_embedder)  # it may just have been read
        lasts = self.pipe.encode_duration(seconds, self.device, 1, len(prompts))
        words, mask = self.pipe.prepare_cross_attention(text, mask, lasts)
        return Condition({"words": words, "mask": mask, "seconds": lasts})

    def denoised(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Clean estimate (B, 256, T): ``x_t - t u``."""
        network, given = self.pipe.transformer, condition.tensors
        velocity = network(
            x_t.to(network.dtype),
            t.float().expand(len(x_t)).to(self.device),
            encoder_hidden_states=given["words"],
            global_hidden_states=given["seconds"],
            encoder_attention_mask=given["mask"],
            return_dict=False,
        )[0]
        return clean("flow", velocity.to(x_t), x_t, 1 - t.to(x_t), t.to(x_t))

    def latents(self, audio: Tensor) -> Tensor:
        """(B, 256, T)"""
        return self.pipe.vae.encode(audio.to(self.pipe.vae.dtype)).latents.float()

    def decoded(self, latent: Tensor) -> Tensor:
        """Latents (B, 256, T) to audio (B, 2, 4096 T), not clipped as the pipeline would."""
        return self.pipe.vae.decode(latent.to(self.pipe.vae.dtype)).sample.to(latent)


def keep_positions_exact(rotary: Any) -> None:
    """Have a rotary embedding count in float32: bfloat16 has no odd numbers from 256 on."""
    if rotary.inv_freq.itemsize < 4:
        exact = type(rotary)(2 * len(rotary.inv_freq)).inv_freq
        rotary.inv_freq = exact.to(rotary.inv_freq.device)


def keep_durations_exact(embedder: Any) -> None:
    """Have the frequencies that a duration is read by in float32.

    They go up to 10,000 turns in the longest clip, which in bfloat16 are 9,984.
    """
    if embedder.freqs.itemsize < 4:
        config = embedder.config
        low, high = math.log(config.min_freq), math.log(config.max_freq)
        ramp = torch.linspace(0.0, 1.0, config.fourier_dim // 2)
        embedder.freqs = torch.exp(ramp * (high - low) + low).to(embedder.freqs.device)
