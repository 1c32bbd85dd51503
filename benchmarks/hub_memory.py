"""Public models on paper: weights and operations counted, a search rehearsed at their real sizes.

Nothing is downloaded and nothing computed: the networks are built without contents from their
published configurations, and one iteration is run on fake tensors (`ditto_music.memory`).

    python -m benchmarks.hub_memory
    python -m benchmarks.hub_memory --operations
"""

# diffusers builds its exports lazily and takes lists for tuples: checkers see neither.
# pyright: reportPrivateImportUsage=false, reportArgumentType=false

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable
from typing import Any

import diffusers
import torch
import transformers
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from ditto_music.memory import rehearsed
from ditto_music.models.hub.blocks import (
    decoded_by_blocks,
    decoded_by_stretches,
    keep_inputs_only,
    oobleck_reach,
    same_reach,
)

STRETCH_SECONDS = 4.0
RUN = 9.0  # seconds that are decoded in a rehearsal
WORDS = 128  # tokens of a prompt

Call = Callable[[Tensor], Tensor]


class Paper:
    """One model at its real size, in one precision."""

    network: Any
    decoders: tuple[Any, ...]
    shape: tuple[int, ...]

    def call(self, x: Tensor) -> Tensor:
        """The network."""
        raise NotImplementedError

    def decode(self, x: Tensor) -> Tensor:
        """The decoder."""
        raise NotImplementedError

    def finish(self, dtype: torch.dtype) -> None:
        """Frozen, in a precision."""
        for part in (self.network, *self.decoders):
            part.to(dtype).eval().requires_grad_(False)
        self.dtype = dtype

    def empty(self, *shape: int) -> Tensor:
        """Something of a shape that no one looks into."""
        return torch.empty(shape, dtype=self.dtype, device="meta")


class StableAudio(Paper):
    """Stable Audio Open 1.0: always 1024 latents."""

    def __init__(self, dtype: torch.dtype, seconds: float) -> None:
        self.network = diffusers.StableAudioDiTModel()
        self.vae = diffusers.AutoencoderOobleck()
        self.decoders = (self.vae,)
        self.shape = (64, 1024)
        self.frames = math.ceil(seconds * 44_100 / 2048)
        self.reach = oobleck_reach([8, 8, 4, 4, 2])
        self.rotary = get_1d_rotary_pos_embed(32, 1025, use_real=True, repeat_interleave_real=False)
        self.finish(dtype)

    def call(self, x: Tensor) -> Tensor:
        """Text of T5 and two seconds."""
        return self.network(
            x.to(self.dtype),
            self.empty(1),
            encoder_hidden_states=self.empty(len(x), WORDS + 2, 768),
            global_hidden_states=self.empty(len(x), 1, 1536),
            rotary_embedding=tuple(each.to("meta") for each in self.rotary),
            return_dict=False,
        )[0].float()

    def decode(self, x: Tensor) -> Tensor:
        """The clip's own latents and their context."""
        return decoded_by_stretches(
            lambda z: decoded_by_blocks(self.vae.decoder, z.to(self.dtype)).float(),
            x[..., : self.frames + self.reach],
            math.ceil(STRETCH_SECONDS * 44_100 / 2048),
            self.reach,
            2048,
        )


class StableAudio3(Paper):
    """Stable Audio 3 medium."""

    def __init__(self, dtype: torch.dtype, seconds: float) -> None:
        self.network = diffusers.StableAudio3DiTModel()
        self.vae = diffusers.AutoencoderSAME(
            encoder_channels=256, encoder_transformer_depths=(12,), decoder_sinusoidal_blocks=(8,)
        )
        for block in self.vae.decoder.blocks:
            keep_inputs_only(block.transformers)  # pyright: ignore[reportArgumentType]
        self.decoders = (self.vae,)
        self.shape = (256, math.ceil(seconds * 44_100 / 4096))
        self.reach = same_reach(self.vae.decoder)
        self.finish(dtype)

    def call(self, x: Tensor) -> Tensor:
        """Text of T5Gemma and the duration."""
        return self.network(
            x.to(self.dtype),
            self.empty(len(x)),
            encoder_hidden_states=self.empty(len(x), 257, 768),
            global_hidden_states=self.empty(len(x), 768),
            return_dict=False,
        )[0].float()

    def decode(self, x: Tensor) -> Tensor:
        """By stretches."""
        return decoded_by_stretches(
            lambda z: self.vae.decode(z.to(self.dtype)).sample.float(),  # pyright: ignore
            x,
            math.ceil(STRETCH_SECONDS * 44_100 / 4096),
            self.reach,
            4096,
        )


class AceStep(Paper):
    """ACE-Step 1.5 XL."""

    def __init__(self, dtype: torch.dtype, seconds: float) -> None:
        self.network = diffusers.AceStepTransformer1DModel(
            hidden_size=2560, intermediate_size=9728, num_hidden_layers=32,
            num_attention_heads=32, num_key_value_heads=8, encoder_hidden_size=2048,
        )  # fmt: skip
        self.vae = diffusers.AutoencoderOobleck(
            downsampling_ratios=[2, 4, 4, 6, 10], sampling_rate=48_000
        )
        self.decoders = (self.vae,)
        self.shape = (64, math.ceil(25 * seconds))
        self.reach = oobleck_reach([10, 6, 4, 4, 2])
        self.finish(dtype)

    def call(self, x: Tensor) -> Tensor:
        """Text, no lyrics, silence for timbre."""
        return self.network(
            hidden_states=x.mT.to(self.dtype),
            timestep=self.empty(len(x)),
            timestep_r=self.empty(len(x)),
            encoder_hidden_states=self.empty(len(x), WORDS + 2, 2048),
            context_latents=self.empty(len(x), x.shape[-1], 128),
            return_dict=False,
        )[0].mT.float()

    def decode(self, x: Tensor) -> Tensor:
        """By blocks and stretches."""
        return decoded_by_stretches(
            lambda z: decoded_by_blocks(self.vae.decoder, z.to(self.dtype)).float(),
            x,
            math.ceil(25 * STRETCH_SECONDS),
            self.reach,
            1920,
        )


class AudioLDM2(Paper):
    """AudioLDM2 for music."""

    def __init__(self, dtype: torch.dtype, seconds: float) -> None:
        self.network = diffusers.AudioLDM2UNet2DConditionModel(
            in_channels=8, out_channels=8, block_out_channels=(128, 256, 384, 640),
            cross_attention_dim=((None, 768, 1024),) * 4, sample_size=256,
        )  # fmt: skip
        self.mel_decoder(dtype, seconds)

    def mel_decoder(self, dtype: torch.dtype, seconds: float) -> None:
        """Of a mel spectrogram, as MusicLDM has it too."""
        self.vae = diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512), in_channels=1, out_channels=1, latent_channels=8,
            down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
            layers_per_block=2,
        )  # fmt: skip
        self.vae.enable_gradient_checkpointing()
        self.vocoder = transformers.SpeechT5HifiGan(
            transformers.SpeechT5HifiGanConfig(
                model_in_dim=64, sampling_rate=16_000, upsample_initial_channel=1024,
                upsample_rates=[5, 4, 2, 2, 2], upsample_kernel_sizes=[16, 16, 8, 4, 4],
            )
        )  # fmt: skip
        self.decoders = (self.vae, self.vocoder)
        self.shape = (8, 16, math.ceil(25 * seconds))
        self.finish(dtype)

    def call(self, x: Tensor) -> Tensor:
        """Words of T5 and tokens of GPT-2."""
        return self.network(
            x.mT.to(self.dtype),
            self.empty(1),
            encoder_hidden_states=self.empty(len(x), 8, 768),
            encoder_hidden_states_1=self.empty(len(x), WORDS, 1024),
            encoder_attention_mask_1=self.empty(len(x), WORDS),
            return_dict=False,
        )[0].mT.float()

    def decode(self, x: Tensor) -> Tensor:
        """The autoencoder at once, the vocoder by stretches."""
        mel = self.vae.decode(x.mT.to(self.dtype)).sample.squeeze(1).mT  # pyright: ignore
        return decoded_by_stretches(
            lambda y: self.vocoder(y.mT)[:, None], mel, round(100 * STRETCH_SECONDS), 40, 160
        ).float()


class MusicLDM(AudioLDM2):
    """MusicLDM."""

    def __init__(self, dtype: torch.dtype, seconds: float) -> None:
        self.network = diffusers.UNet2DConditionModel(
            in_channels=8, out_channels=8, block_out_channels=(128, 256, 384, 640),
            down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 3),
            up_block_types=(*("CrossAttnUpBlock2D",) * 3, "UpBlock2D"),
            cross_attention_dim=(128, 256, 384, 640), class_embed_type="simple_projection",
            projection_class_embeddings_input_dim=512, class_embeddings_concat=True,
        )  # fmt: skip
        self.mel_decoder(dtype, seconds)

    def call(self, x: Tensor) -> Tensor:
        """A vector of CLAP."""
        return self.network(
            x.mT.to(self.dtype), self.empty(1), encoder_hidden_states=None,
            class_labels=self.empty(len(x), 512), return_dict=False,
        )[0].mT.float()  # fmt: skip


#: Name, model, seconds, items of a network call (two where it is guided).
ROWS = (
    ("Stable Audio Open 1.0", StableAudio, 30.0, 2),
    ("Stable Audio 3 medium", StableAudio3, 30.0, 1),
    ("ACE-Step 1.5 XL turbo", AceStep, 30.0, 1),
    ("AudioLDM2 music", AudioLDM2, 10.0, 2),
    ("MusicLDM", MusicLDM, 10.0, 2),
)


def operations(call: Call, x: Tensor) -> float:
    """Floating-point operations of products and convolutions in one forward pass, in 10^12."""
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        FlopCounterMode(display=False) as counter,
        torch.no_grad(),
    ):
        call(torch.empty_like(x))
    return counter.get_total_flops() / 1e12


def beginning(x: Tensor, seconds: float) -> Tensor:
    """What is decoded in a rehearsal; one stretch is as another."""
    return x[:1, ..., : math.ceil(RUN * x.shape[-1] / seconds)]


def count_operations(only: str) -> None:
    """Print the table that `docs/scaling.md` reckons with."""
    print("| model | clip, s | items of a call | a step, TFLOP | decoder, TFLOP a second |")
    print("|---" * 5 + "|")
    for name, kind, seconds, batch in ROWS:
        if only not in name:
            continue
        with torch.device("meta"):
            paper = kind(torch.float32, seconds)
            x = torch.empty(batch, *paper.shape)
        step = operations(paper.call, x)
        decoder = operations(paper.decode, beginning(x, seconds)) / RUN
        print(f"| {name} | {seconds:g} | {batch} | {step:.2f} | {decoder:.3f} |", flush=True)


def rehearse(only: str) -> None:
    """Print the table of `docs/models/hub.md`."""
    print("| model | s | weights, millions | dtype | weights | a step kept whole | by blocks |"
          " decoder | peak |")  # fmt: skip
    print("|---" * 9 + "|")
    for name, kind, seconds, batch in ROWS:
        if only not in name:
            continue
        for dtype in (torch.float32, torch.bfloat16):
            with torch.device("meta"):
                paper = kind(dtype, seconds)
                x = torch.empty(batch, *paper.shape)
            parts = (paper.network, *paper.decoders)
            count = sum(p.numel() for part in parts for p in part.parameters())
            weights = count * dtype.itemsize
            whole = rehearsed(paper.call, x).kept
            if isinstance(paper, AudioLDM2) and not isinstance(paper, MusicLDM):
                kinds = ("ResnetBlock2D", "Transformer2DModel")
                keep_inputs_only(m for m in paper.network.modules() if type(m).__name__ in kinds)
            else:
                paper.network.enable_gradient_checkpointing()
            blocks = rehearsed(paper.call, x).peak
            decoder = rehearsed(paper.decode, beginning(x, seconds)).peak
            peak = weights + max(blocks, decoder)
            row = [f"{value / 1e9:.1f}" for value in (weights, whole, blocks, decoder, peak)]
            said = str(dtype).removeprefix("torch.")
            print(f"| {name} | {seconds:g} | {count / 1e6:.0f} | {said} | {' | '.join(row)} |",
                  flush=True)  # fmt: skip


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="Public models on paper.")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--operations", action="store_true", help="count those, not bytes")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    (count_operations if args.operations else rehearse)(args.only)


if __name__ == "__main__":
    main()
