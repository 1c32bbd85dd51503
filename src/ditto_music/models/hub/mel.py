"""AudioLDM2 and MusicLDM: a U-Net on latents of a mel spectrogram, and a vocoder; mono, 16 kHz.

Their latents are (B, 8, T, 16) with time third; here time is last, as everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.audio_utils import mel_filter_bank

from ditto_music.errors import InputError
from ditto_music.models.hub.base import HubModel
from ditto_music.models.hub.blocks import decoded_by_stretches, hifigan_reach, keep_inputs_only
from ditto_music.sampling import Condition, DiscreteSchedule, clean
from ditto_music.sampling.guidance import Guidance
from ditto_music.sampling.schedule import cosine_betas, linear_betas, scaled_linear_betas

WINDOW = 1024  # of the spectrogram the autoencoders were trained on
LEAST = 1e-5  # of a mel band's magnitude
PREDICTIONS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}
LONGEST = 30.0  # seconds; they were trained on ten
EVERYTHING = 2**31  # frames: their autoencoder attends to, and normalises over, the whole clip


class MelModel(HubModel):
    """What the two have in common."""

    NETWORK = "unet"
    DECODERS = ("vae", "vocoder")
    channels = 1
    decoder_reach = encoder_reach = EVERYTHING

    def __init__(self, name: str, pipe: Any, device: torch.device, **more: Any) -> None:
        super().__init__(name, pipe, device, **more)
        pipe.vae.enable_gradient_checkpointing()
        vocoder = pipe.vocoder.config
        self.sample_rate = int(vocoder.sampling_rate)
        self.mel_hop = math.prod(vocoder.upsample_rates)
        self.vocoder_reach = hifigan_reach(vocoder)
        self.bands = int(vocoder.model_in_dim)
        self.scale = int(pipe.vae_scale_factor)
        self.hop = self.scale * self.mel_hop
        self.seconds_per_frame = self.hop / self.sample_rate
        self.seconds_range = (0.5, LONGEST)
        self.schedule = schedule_of(pipe.scheduler)
        self.kind: Any = PREDICTIONS[pipe.scheduler.config.prediction_type]

    def latent_shape(self, seconds: float) -> tuple[int, ...]:
        """(8, 16, T)."""
        channels, rows = int(self.pipe.unet.config.in_channels), self.bands // self.scale
        return channels, rows, self.whole_frames(seconds)

    def predicted(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """What the U-Net says of latents (B, 8, T, 16) at a timestep."""
        raise NotImplementedError

    def denoised(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Clean estimate (B, 8, 16, T)."""
        dtype = self.pipe.unet.dtype
        output = self.predicted(x_t.mT.to(dtype), (t - 1).to(self.device), condition).mT.to(x_t)
        exact = t.cpu().double()
        alpha, sigma = self.schedule.alpha(exact).to(x_t), self.schedule.sigma(exact).to(x_t)
        return clean(self.kind, output, x_t, alpha, sigma)

    def latents(self, audio: Tensor) -> Tensor:
        """(B, 8, 16, T), by the spectrogram the models were trained on."""
        mel = log_mel(audio[:, 0], self.sample_rate, self.mel_hop, self.bands)
        vae = self.pipe.vae
        latent = vae.encode(mel[:, None].to(vae.dtype)).latent_dist.mode()
        return (latent * vae.config.scaling_factor).mT.float()

    def decoded(self, latent: Tensor) -> Tensor:
        """Latents (B, 8, 16, T) to audio (B, 1, 640 T).

        The autoencoder looks at the whole clip and so decodes it at once, block by block; the
        vocoder, which is most of the memory, goes by stretches.
        """
        vae, vocoder = self.pipe.vae, self.pipe.vocoder
        mel = vae.decode(latent.mT.to(vae.dtype) / vae.config.scaling_factor).sample
        frames = math.ceil(self.stretch_seconds * self.sample_rate / self.mel_hop)
        reach = self.vocoder_reach
        spoken = decoded_by_stretches(
            lambda x: vocoder(x.mT)[:, None],
            mel.squeeze(1).mT.to(vocoder.dtype),
            max(reach, frames),
            reach,
            self.mel_hop,
        )
        return spoken.to(latent)


class MusicLDMModel(MelModel):
    """`diffusers.MusicLDMPipeline` (Chen et al. 2024): conditioned by CLAP's vector of the text."""

    READS = ("text_encoder",)
    guidance = Guidance(2.0)

    def encoded(self, prompts: list[str], seconds: float) -> Condition:
        """CLAP's text vectors (B, 512)."""
        tokens = self.pipe.tokenizer(
            prompts,
            padding="max_length",
            max_length=self.pipe.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).to(self.device)
        found = self.pipe.text_encoder.get_text_features(
            tokens.input_ids, attention_mask=tokens.attention_mask
        )
        return Condition({"text": getattr(found, "pooler_output", found)})

    def predicted(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Class labels carry the text."""
        text = condition.tensors["text"].to(x_t)
        return self.pipe.unet(
            x_t, t, encoder_hidden_states=None, class_labels=text, return_dict=False
        )[0]


class AudioLDM2Model(MelModel):
    """`diffusers.AudioLDM2Pipeline` (Liu et al. 2024): T5's words, and tokens of a GPT-2."""

    READS = ("text_encoder", "text_encoder_2", "projection_model", "language_model")
    guidance = Guidance(3.5)

    @contextmanager
    def by_blocks(self) -> Generator[None]:
        """By residual and attention blocks.

        The U-Net's own checkpointing hands its two masks on in the wrong places (diffusers 0.42).
        """
        kinds = ("ResnetBlock2D", "Transformer2DModel")
        blocks = [m for m in self.pipe.unet.modules() if type(m).__name__ in kinds]
        keep_inputs_only(blocks)
        try:
            yield
        finally:
            for block in blocks:
                del block.forward

    def encoded(self, prompts: list[str], seconds: float) -> Condition:
        """T5's words with their mask, and eight tokens that the language model makes of them."""
        return self._one_by_one([(prompt, None) for prompt in prompts])

    def encoded_against(self, prompts: list[str], wanted: list[str], seconds: float) -> Condition:
        """As `encoded`, each brought to the length of what is wanted, as the pipeline does."""
        return self._one_by_one([*zip(wanted, prompts, strict=True)])

    def _one_by_one(self, pairs: list[tuple[str, str | None]]) -> Condition:
        """Of each prompt, or of the negative one that is set against it.

        The language model's tokens depend on the length that a prompt is padded to, so one read
        beside longer ones would be another.
        """
        read: dict[tuple[str, str | None], Condition] = {}
        for pair in pairs:
            if pair not in read:
                prompt, negative = pair
                words, mask, tokens = self.pipe.encode_prompt(
                    [prompt],
                    self.device,
                    1,
                    negative is not None,
                    negative_prompt=None if negative is None else [negative],
                )  # the negative one comes first
                read[pair] = Condition({"words": words, "mask": mask, "tokens": tokens})[[0]]
        return reduce(add, [read[pair] for pair in pairs])

    def predicted(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Two kinds of cross-attention."""
        given = condition.tensors
        return self.pipe.unet(
            x_t,
            t,
            encoder_hidden_states=given["tokens"].to(x_t),
            encoder_hidden_states_1=given["words"].to(x_t),
            encoder_attention_mask_1=given["mask"],
            return_dict=False,
        )[0]


def schedule_of(scheduler: Any) -> DiscreteSchedule:
    """The schedule that a scheduler of diffusers was configured with.

    Raises
    ------
    InputError
        If it is of a kind that is not known here.
    """
    config = scheduler.config
    steps, kind = int(config.num_train_timesteps), config.beta_schedule
    if kind == "squaredcos_cap_v2":
        betas = cosine_betas(steps)
    elif kind in ("linear", "scaled_linear"):
        make = linear_betas if kind == "linear" else scaled_linear_betas
        betas = make(float(config.beta_start), float(config.beta_end), steps)
    else:
        raise InputError(f"the model's noise schedule '{kind}' is unknown here")
    spacing: Any = getattr(config, "timestep_spacing", "leading")
    clean_end = getattr(config, "set_alpha_to_one", True)
    offset = int(getattr(config, "steps_offset", 1))
    return DiscreteSchedule(betas, spacing, offset, end=0 if clean_end else 1)


def log_mel(audio: Tensor, sample_rate: int, hop: int, bands: int) -> Tensor:
    """Log mel magnitudes (B, N / hop, bands) of audio (B, N), as HiFi-GAN is trained on."""
    edge = (WINDOW - hop) // 2
    padded = F.pad(audio[:, None], (edge, edge), mode="reflect")[:, 0]
    window = torch.hann_window(WINDOW, device=audio.device)
    spectrum = torch.stft(padded, WINDOW, hop, window=window, center=False, return_complex=True)
    filters = mel_filter_bank(
        WINDOW // 2 + 1, bands, 0.0, sample_rate / 2, sample_rate, norm="slaney", mel_scale="slaney"
    )
    mel = spectrum.abs().mT @ torch.from_numpy(filters).to(audio)
    return mel.clamp(min=LEAST).log()
