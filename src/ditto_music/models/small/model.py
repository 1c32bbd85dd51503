"""ditto-small as the rest of the house sees it: text, denoiser and codec behind one protocol."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional as F

from ditto_music.errors import InputError
from ditto_music.models.small.codec import Codec, CodecConfig
from ditto_music.models.small.denoiser import Denoiser, DenoiserConfig, Text
from ditto_music.models.small.words import (
    NUMBER,
    PAD,
    WordPieces,
    captions_words,
    vocabulary_from_tensor,
)
from ditto_music.models.weights import fingerprint
from ditto_music.sampling import Condition, FlowSchedule
from ditto_music.sampling.guidance import Guidance

#: The best by docs/models/ditto-small.md#guidance.
MEASURED = Guidance(6.0, interval=(0.3, 0.8))
STEPS = 10  # as good as 20, by the same table

T = TypeVar("T")
M = TypeVar("M", bound=torch.nn.Module)


class SmallModel:
    """A frozen latent diffusion model on straight flows. See `ditto_music.protocols.Model`.

    Parameters
    ----------
    dtype : of the matrix products of denoiser and equalisers; everything else is float32.
    files : that the weights are of.
    guidance : where nothing else is asked.
    """

    channels = 1
    baked = False
    steps = STEPS
    seconds_range = (0.5, 24.0)
    decoder_reach = 28

    def __init__(
        self,
        name: str,
        codec: Codec,
        denoiser: Denoiser,
        words: WordPieces,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        schedule: FlowSchedule | None = None,
        files: Sequence[Path] = (),
        guidance: Guidance | None = None,
    ) -> None:
        self.name = name
        self.files = files
        self.codec = codec.to(device).eval().requires_grad_(False)
        self.denoiser = denoiser.to(device).eval().requires_grad_(False)
        self.words = words
        self.device = device
        self.dtype = dtype
        self.schedule = schedule or FlowSchedule(shift=3.0)
        self.guidance = guidance or Guidance()
        self.sample_rate = codec.config.sample_rate
        self.seconds_per_frame = codec.config.frame / codec.config.sample_rate

    @property
    def revision(self) -> str | None:
        """A hash of the weights' files."""
        return self._revision

    @cached_property
    def _revision(self) -> str | None:
        return fingerprint(self.files) if self.files else None

    @property
    def network(self) -> torch.nn.Module:
        """What a denoiser call runs."""
        return self.denoiser

    def latent_shape(self, seconds: float) -> tuple[int, ...]:
        """(C, T), T a multiple of the denoiser's patch."""
        config = self.denoiser.config
        frames = math.ceil(round(seconds * self.sample_rate) / self.codec.config.frame)
        return config.channels, math.ceil(frames / config.patch) * config.patch

    @torch.no_grad()
    def condition(
        self, prompts: Sequence[str], seconds: float, beside: Sequence[str] | None = None
    ) -> Condition:
        """Encode the prompts; length is not part of the condition.

        Warns of a prompt that is longer than what the model reads.
        """
        limit = self.denoiser.config.text_limit
        self._warn_of_length(prompts, limit)
        ids, values = self.words.batch(prompts, limit)
        padding = (0, limit - ids.shape[1])
        text = self.denoiser.text(
            F.pad(ids, padding).to(self.device), F.pad(values, padding).to(self.device)
        )
        return Condition({"tokens": text.tokens, "mask": text.mask, "pooled": text.pooled})

    def _warn_of_length(self, prompts: Sequence[str], limit: int) -> None:
        for prompt in dict.fromkeys(prompts):
            word = self.words.left_out(prompt, limit)
            if word is not None:
                warnings.warn(
                    f"the prompt is longer than the {limit} words, numbers and parts of words that "
                    f"{self.name} reads: '{word}' and what follows are left out",
                    stacklevel=4,  # whoever asks for the condition
                )

    def denoise(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """Clean estimate (B, C, T) from the predicted velocity: ``x_t - t u``."""
        with torch.autocast(x_t.device.type, self.dtype, enabled=self.dtype != torch.float32):
            velocity = self.velocity(x_t, t, condition)
        return x_t - t * velocity.to(x_t.dtype)

    def velocity(self, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """What the network predicts, (B, C, T)."""
        return self.denoiser(x_t, t, Text(**condition.tensors))

    def sparing(self) -> AbstractContextManager[None]:
        """Nothing to spare: the denoiser is small."""
        return nullcontext()

    @torch.no_grad()
    def encode(self, audio: Tensor) -> Tensor:
        """Audio (B, channels, N), any number of channels, to latents (B, C, T)."""
        mono = audio.mean(1)
        _, frames = self.latent_shape(mono.shape[-1] / self.sample_rate)
        padding = frames * self.codec.config.frame - mono.shape[-1]
        return self.codec.encode(F.pad(mono, (0, padding)).to(self.device))

    def decode(self, latent: Tensor) -> Tensor:
        """Latents (B, C, T) to audio (B, 1, 512 T)."""
        return self.codec.decode(latent, self.dtype)[:, None]


def shipped_weights() -> Path:
    """The folder of the weights inside the package."""
    return Path(__file__).with_name("weights")


def load_small(folder: Path, device: torch.device, dtype: torch.dtype, name: str) -> SmallModel:
    """Load ``codec.safetensors`` and ``denoiser.safetensors`` from a folder.

    Raises
    ------
    InputError
        If a file is missing, damaged or of another kind.
    """
    files = [folder / "codec.safetensors", folder / "denoiser.safetensors"]
    codec = load_codec(files[0])
    denoiser, words = load_denoiser(files[1])
    return SmallModel(name, codec, denoiser, words, device, dtype, files=files, guidance=MEASURED)


def load_codec(path: Path) -> Codec:
    """The codec of one file; errors as `load_small`."""
    config, state = read_weights(path, CodecConfig)
    return filled(Codec(config), state, path)


def load_denoiser(path: Path) -> tuple[Denoiser, WordPieces]:
    """The denoiser of one file and its vocabulary; errors as `load_small`."""
    config, state = read_weights(path, DenoiserConfig)
    words = WordPieces(vocabulary_from_tensor(state.pop("vocabulary")), captions_words())
    return filled(Denoiser(config), state, path), words


def filled(module: M, state: dict[str, Tensor], path: Path) -> M:
    """The module with the weights of a file; errors as `load_small`."""
    try:
        module.float().load_state_dict(state)  # float32 whatever type is the default
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{path}: these are not weights of ditto-small ({reason})") from None
    return module


def debug_model(device: torch.device | None = None, seed: int = 0) -> SmallModel:
    """A tiny random model of the same classes: the interface in milliseconds, and noise."""
    pieces = [PAD, NUMBER, "calm", "piano", "techno", "jazz", "slow", "fast", "drums", "bpm"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = Codec(
            CodecConfig(
                width=16, encoder_blocks=1, decoder_blocks=1, channels_a_token=1,
                equaliser_widths=(8, 8), equaliser_blocks=(1, 1),
            )
        )  # fmt: skip
        denoiser = Denoiser(
            DenoiserConfig(
                channels=8, width=32, depth=2, heads=2, cross_width=32, vocabulary=len(pieces),
                word_width=8, text_width=48, text_depth=1, text_limit=8,
            )
        )  # fmt: skip
        denoiser.text.vectors.normal_()
        for layer in (denoiser.modulation, denoiser.final, denoiser.leave, *denoiser.text.branches):
            torch.nn.init.normal_(layer.weight, std=0.1)
    device = device or torch.device("cpu")
    return SmallModel("debug", codec, denoiser, WordPieces(pieces), device)


def read_weights(path: Path, kind: type[T]) -> tuple[T, dict[str, Tensor]]:
    """Sizes and float32 weights (whole numbers stay whole); errors as `load_small`."""
    try:
        with safe_open(path, framework="pt") as file:
            values: dict[str, Any] = json.loads((file.metadata() or {})["config"])
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file: give a folder with ditto-small's weights"
        ) from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: damaged, or not weights of ditto-small ({error})") from None
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if set(values) != known:
        raise InputError(f"{path}: made by another version of ditto-small: get matching weights")
    sizes = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
    floats = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    return kind(**sizes), floats
