"""CLAP: audio and text as unit vectors in one space (Wu et al. 2023, arXiv:2211.06687).

The networks are `transformers`' ``ClapModel`` with the weights of a folder or of the Hugging Face
hub; only the front end is rebuilt here, as ``ClapFeatureExtractor`` computes it but differentiable:
48 kHz, power of 1024-point frames every 480 samples, 64 mel bands, dB over a floor of -100. A clip
shorter than the 10 s of a window is repeated as often as fits whole and then padded with silence;
of a longer one windows that cover it evenly are averaged, where the extractor draws one at random.
"""

from __future__ import annotations

import math
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional as F

from ditto_music.errors import InputError
from ditto_music.features.resampling import resample
from ditto_music.features.spectrogram import power_spectrogram
from ditto_music.modes import apart

FLOOR = 1e-10
COPIES = 4  # of the spectrogram, where a checkpoint fuses views of longer clips


class ClapEncoder:
    """Frozen audio and text towers and what they are fed with.

    Parameters
    ----------
    network : a ``ClapModel``.
    extractor : its ``ClapFeatureExtractor``, for sizes and mel filters.
    tokenizer : its tokenizer.
    """

    def __init__(self, network: Any, extractor: Any, tokenizer: Any) -> None:
        self.network = network.float().eval().requires_grad_(False)
        self.extractor, self.tokenizer = extractor, tokenizer
        self.fused = bool(network.config.audio_config.enable_fusion)
        fused_filters = extractor.truncation == "fusion"
        filters = extractor.mel_filters if fused_filters else extractor.mel_filters_slaney
        self.filters = torch.from_numpy(filters).float().T

    def audio(self, audio: Tensor, sample_rate: int) -> Tensor:
        """Unit vectors (B, D) of mono audio (B, N); differentiable."""
        windows = self.windows(resample(audio.float(), sample_rate, self.extractor.sampling_rate))
        mel = self.log_mel(windows.flatten(0, 1))[:, None]
        longer = None
        if self.fused:
            mel = mel.expand(-1, COPIES, -1, -1)
            longer = torch.zeros(len(mel), 1, dtype=torch.bool, device=mel.device)
        pooled = self.network.audio_model(input_features=mel, is_longer=longer).pooler_output
        vectors = F.normalize(self.network.audio_projection(pooled), dim=-1)
        return F.normalize(vectors.unflatten(0, windows.shape[:2]).mean(1), dim=-1)

    @torch.no_grad()
    def text(self, text: str) -> Tensor:
        """Unit vector (D,) of a text."""
        tokens = self.tokenizer(text, return_tensors="pt", truncation=True)
        pooled = self.network.text_model(
            input_ids=tokens["input_ids"].to(self.network.device),
            attention_mask=tokens["attention_mask"].to(self.network.device),
        ).pooler_output
        return F.normalize(self.network.text_projection(pooled)[0], dim=-1)

    def windows(self, audio: Tensor) -> Tensor:
        """Audio (B, N) at the extractor's rate as (B, W, samples of a window)."""
        size, samples = int(self.extractor.nb_max_samples), audio.shape[-1]
        if samples < size:
            whole = audio.repeat(1, size // samples)
            return F.pad(whole, (0, size - whole.shape[-1]))[:, None]
        count = math.ceil(samples / size)
        starts = [round(i * (samples - size) / max(1, count - 1)) for i in range(count)]
        return torch.stack([audio[:, start : start + size] for start in starts], dim=1)

    def log_mel(self, window: Tensor) -> Tensor:
        """What the network sees, (B, F, 64) in dB, of windows (B, samples)."""
        size, hop = self.extractor.fft_window_size, self.extractor.hop_length
        power = self.filters.to(window) @ power_spectrogram(window, size, hop)
        return 10 * torch.log10(power.clamp(min=FLOOR)).transpose(1, 2)


@cache
@apart()
def load_clap(name: str, device: torch.device) -> ClapEncoder:
    """An encoder by the folder or the hub's name of its weights, read once for each device.

    Parameters
    ----------
    name : a folder with ``config.json``, ``model.safetensors``, ``preprocessor_config.json`` and
        the tokenizer's files, or such as ``laion/larger_clap_music``, which is downloaded.

    Raises
    ------
    InputError
        If `transformers` cannot be imported, or these are no weights of CLAP as safetensors.
    """
    try:
        transformers: Any = import_module("transformers")
    except ImportError as error:
        why = " ".join(str(error).split())  # of a package that is found it may be anything
        raise InputError(
            f"clap needs more packages ({why}): pip install 'ditto-music[hub]'"
        ) from None
    try:
        kind = transformers.AutoConfig.from_pretrained(name).model_type
        if kind != "clap":
            raise InputError(f"clap: {name} holds a model of the kind {kind}, not clap")
        network, report = transformers.ClapModel.from_pretrained(
            name, use_safetensors=True, output_loading_info=True
        )
        extractor = transformers.ClapFeatureExtractor.from_pretrained(name)
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        where = "" if Path(name).is_dir() else " (no such folder here, so sought on the hub)"
        reason = str(error).strip().splitlines()[0][:200]
        raise InputError(f"clap: {name}: cannot be read{where}: {reason}") from None
    if report["missing_keys"]:
        missing = min(report["missing_keys"])
        raise InputError(f"clap: {name}: the weights are not whole: {missing} is missing")
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise InputError(f"clap: {name}: there is no vocabulary: add the tokenizer's files")
    return ClapEncoder(network.to(device), extractor, tokenizer)
