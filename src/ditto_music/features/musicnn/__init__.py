"""Music tags by the networks of Pons and Serra (2019, arXiv:1909.06654), differentiable.

Three networks, each with 50 tags: ``msd``, MusiCNN trained on the Million Song Dataset (genres,
moods, decades, voices); ``mtt``, the same on MagnaTagATune (instruments, voices, pace); and
``msd-vgg``, a plain VGG with the tags of ``msd``. They share no weights and so can judge one
another.

Conventions of the package `musicnn`: 16 kHz mono, 96 mel bands of power at 512-point frames every
256 samples, ``log10(10000 x + 1)``, patches of 187 frames (3 s). Here patches are spread evenly and
overlap as little as covers the audio; a clip shorter than one is repeated, as in their training.
The package rounds the mel powers to float16, which overflows on loud bass; this does not.

Weights: `weights/`, ISC licence, (c) Music Technology Group, Universitat Pompeu Fabra.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from ditto_music.features.musicnn.networks import VGG, MusiCNN
from ditto_music.features.resampling import resample
from ditto_music.features.spectrogram import mel_filters, power_spectrogram
from ditto_music.modes import apart

SAMPLE_RATE, WINDOW, HOP, BANDS = 16_000, 512, 256, 96
PATCH = 187  # frames

Which = Literal["msd", "mtt", "msd-vgg"]

_MSD = (
    "rock, pop, alternative, indie, electronic, female vocalists, dance, 00s, alternative rock, "
    "jazz, beautiful, metal, chillout, male vocalists, classic rock, soul, indie rock, Mellow, "
    "electronica, 80s, folk, 90s, chill, instrumental, punk, oldies, blues, hard rock, ambient, "
    "acoustic, experimental, female vocalist, guitar, Hip-Hop, 70s, party, country, "
    "easy listening, sexy, catchy, funk, electro, heavy metal, Progressive rock, 60s, rnb, "
    "indie pop, sad, House, happy"
)
_MTT = (
    "guitar, classical, slow, techno, strings, drums, electronic, rock, fast, piano, ambient, "
    "beat, violin, vocal, synth, female, indian, opera, male, singing, vocals, no vocals, "
    "harpsichord, loud, quiet, flute, woman, male vocal, no vocal, pop, soft, sitar, solo, man, "
    "classic, choir, voice, new age, dance, male voice, female vocal, beats, harp, cello, "
    "no voice, weird, country, metal, female voice, choral"
)
TAGS: dict[Which, tuple[str, ...]] = {
    "msd": tuple(_MSD.split(", ")),
    "mtt": tuple(_MTT.split(", ")),
    "msd-vgg": tuple(_MSD.split(", ")),
}
"""The tags of each network in the order of its outputs, spelt as in their data."""

WEIGHTS = Path(__file__).parent / "weights"


def tags(audio: Tensor, sample_rate: int, which: Which = "msd") -> Tensor:
    """How likely each tag is: the mean over patches of its probability.

    Parameters
    ----------
    audio : (B, N) mono.
    sample_rate : Hz
    which : network.

    Returns
    -------
    (B, 50) between 0 and 1, in the order of ``TAGS[which]``; differentiable.
    """
    return logits(audio, sample_rate, which).sigmoid().mean(1)


def logits(audio: Tensor, sample_rate: int, which: Which = "msd") -> Tensor:
    """Log odds of each tag in each patch, (B, P, 50), of mono audio (B, N)."""
    cut = patches(log_mel(audio, sample_rate))
    return _network(which, audio.device)(cut.flatten(0, 1)).unflatten(0, cut.shape[:2])


def embedding(audio: Tensor, sample_rate: int, which: Literal["msd", "mtt"] = "msd") -> Tensor:
    """The layer before the tags, the mean over patches, (B, 200), of mono audio (B, N)."""
    cut = patches(log_mel(audio, sample_rate))
    network = _network(which, audio.device)
    assert isinstance(network, MusiCNN)
    return network.embed(cut.flatten(0, 1)).unflatten(0, cut.shape[:2]).mean(1)


def tags_of(embedded: Tensor, which: Literal["msd", "mtt"] = "msd") -> Tensor:
    """How likely each tag is, (..., 50), of what `embedding` gives, (..., 200)."""
    network = _network(which, embedded.device)
    assert isinstance(network, MusiCNN)
    return network.output(embedded).sigmoid()


def log_mel(audio: Tensor, sample_rate: int) -> Tensor:
    """What the networks see, (B, F, 96), of mono audio (B, N) at any rate.

    Raises
    ------
    InputError
        If the audio is shorter than 16 ms.
    """
    power = power_spectrogram(resample(audio.float(), sample_rate, SAMPLE_RATE), WINDOW, HOP)
    bank = mel_filters(SAMPLE_RATE, WINDOW, BANDS).to(power.device)
    return torch.log10(10_000 * (bank @ power) + 1).transpose(1, 2)


def patches(spectrogram: Tensor) -> Tensor:
    """Cut (B, F, 96) into (B, P, 187, 96)."""
    frames = spectrogram.shape[1]
    if frames < PATCH:
        spectrogram = spectrogram.repeat(1, math.ceil(PATCH / frames), 1)[:, :PATCH]
        frames = PATCH
    count = math.ceil(frames / PATCH)
    starts = [round(i * (frames - PATCH) / max(1, count - 1)) for i in range(count)]
    return torch.stack([spectrogram[:, start : start + PATCH] for start in starts], dim=1)


@cache
@apart()
def _network(which: Which, device: torch.device) -> MusiCNN | VGG:
    """A frozen network, read once for each device."""
    network = VGG() if which == "msd-vgg" else MusiCNN()
    state = load_file(WEIGHTS / f"{which}.safetensors")
    network.load_state_dict({name: value.float() for name, value in state.items()})
    return network.requires_grad_(False).eval().to(device)


__all__ = ["TAGS", "Which", "embedding", "log_mel", "logits", "patches", "tags", "tags_of"]
