"""ACE-Step 1.5 (2026): stereo at 48 kHz, 25 latents a second, a flow; turbo needs eight steps.

Its latents are (B, T, 64); here time is last, as everywhere. The base and sft checkpoints are
guided by projection, with a momentum from step to step.
"""

from __future__ import annotations

import math
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor

from ditto_music.models.hub.base import HubModel
from ditto_music.models.hub.blocks import decoded_by_blocks, oobleck_encoder_reach, oobleck_reach
from ditto_music.sampling import Condition, FlowSchedule, Guidance, Projection, clean

SHIFT = 3.0
TIMBRE_SECONDS = 30  # of the recording that gives the timbre; here, of silence
LONGEST = 240.0


class AceStepModel(HubModel):
    """`diffusers.AceStepPipeline`. Latents (B, 64, T)."""

    READS = ("text_encoder", "condition_encoder")
    guidance = Guidance(7.0, projection=Projection("flow", -0.75, 2.5, 0.0))

    def __init__(self, name: str, pipe: Any, device: torch.device, **more: Any) -> None:
        super().__init__(name, pipe, device, **more)
        self.baked = bool(pipe.is_turbo)
        self.channels = int(pipe.vae.config.audio_channels)
        self.sample_rate = int(pipe.sample_rate)
        self.hop = math.prod(pipe.vae.config.downsampling_ratios)
        ratios = pipe.vae.config.downsampling_ratios
        self.decoder_reach = oobleck_reach(ratios[::-1])
        self.encoder_reach = oobleck_encoder_reach(ratios)
        self.seconds_per_frame = self.hop / self.sample_rate
        self.seconds_range = (0.5, LONGEST)
        self.schedule = FlowSchedule(start=1.0, shift=SHIFT)

    def latent_shape(self, seconds: float) -> tuple[int, ...]:
        """(64, T)."""
        channels = int(self.pipe.transformer.config.audio_acoustic_hidden_dim)
        return channels, self.whole_frames(seconds)

    def encoded(self, prompts: list[str], seconds: float) -> Condition:
        """Words, no lyrics, the timbre of silence; a learnt vector for an empty prompt.

        ``length`` (B,), in main memory, is of the words, 0 where one vector stands for any number.
        The network has no mask, so each prompt is read alone and heard at its own length.
        """
        read = {prompt: self._words(prompt, seconds) for prompt in prompts}
        words = reduce(add, [read[prompt] for prompt in prompts]).tensors
        source, _ = self.pipe.prepare_src_latents(
            device=self.device,
            dtype=self.pipe.transformer.dtype,
            batch_size=len(prompts),
            latent_length=self.whole_frames(seconds),
        )
        context = torch.cat([source, torch.ones_like(source)], dim=-1)
        return Condition({**words, "context": context})

    def _words(self, prompt: str, seconds: float) -> Condition:
        """Of one prompt: ``words`` (1, L, D) and ``length`` (1,)."""
        pipe, encoder = self.pipe, self.pipe.condition_encoder
        null = getattr(encoder, "null_condition_emb", None)
        if null is not None and not prompt:
            words = null.to(self.device).reshape(1, 1, -1)
            return Condition({"words": words, "length": torch.zeros(1, dtype=torch.long)})
        text, text_mask, lyrics, lyrics_mask = pipe.encode_prompt(
            [prompt],
            [""],
            self.device,
            audio_duration=seconds,
            instruction=pipe._get_task_instruction(task_type="text2music"),
        )
        length = math.ceil(TIMBRE_SECONDS * pipe.latents_per_second)
        words, _ = encoder(
            text_hidden_states=text,
            text_attention_mask=text_mask,
            lyric_hidden_states=lyrics,
            lyric_attention_mask=lyrics_mask,
            refer_audio_acoustic_hidden_states_packed=encoder.silence_latent[:, :length].to(text),
            refer_audio_order_mask=torch.zeros(1, dtype=torch.long, device=self.device),
        )
        return Condition({"words": words, "length": torch.tensor([words.shape[1]])})

    def denoised(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Clean estimate (B, 64, T): ``x_t - t u``, items of one length in one call."""
        own: list[int] = condition.tensors["length"].numpy().tolist()
        lengths = sorted({*own} - {0}) or [1]
        groups = [
            [i for i, one in enumerate(own) if (one or lengths[0]) == length] for length in lengths
        ]
        made = [
            self._velocity(x_t[rows], t, condition[rows], length)
            for rows, length in zip(groups, lengths, strict=True)
        ]
        order = [i for rows in groups for i in rows]
        velocity = torch.cat(made)[[order.index(i) for i in range(len(own))]]
        return clean("flow", velocity.to(x_t), x_t, 1 - t.to(x_t), t.to(x_t))

    def _velocity(self, x_t: Tensor, t: Tensor, condition: Condition, length: int) -> Tensor:
        """What the network predicts (B, 64, T) with so many words each."""
        network, given = self.pipe.transformer, condition.tensors
        times = t.float().expand(len(x_t)).to(self.device, network.dtype)
        words, any_number = given["words"], (given["length"] == 0).to(self.device)
        words = torch.where(any_number[:, None, None], words[:, :1], words[:, :length])
        return network(
            hidden_states=x_t.mT.to(network.dtype),
            timestep=times,
            timestep_r=times,
            encoder_hidden_states=words.to(network.dtype),
            context_latents=given["context"].to(network.dtype),
            return_dict=False,
        )[0].mT

    def latents(self, audio: Tensor) -> Tensor:
        """(B, 64, T)"""
        return self.pipe.vae.encode(audio.to(self.pipe.vae.dtype)).latent_dist.mode().float()

    def decoded(self, latent: Tensor) -> Tensor:
        """Latents (B, 64, T) to audio (B, 2, 1920 T), at the level the model gave."""
        return decoded_by_blocks(self.pipe.vae.decoder, latent.to(self.pipe.vae.dtype)).to(latent)
