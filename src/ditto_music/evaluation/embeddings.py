"""What clips are compared by: networks that turn one into a vector.

MusiCNN comes with this package. CLAP and VGGish are used where their weights are given. Each hears
a clip at its own rate, and brought to one level first: how loud it is, is no part of how it sounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ditto_music.audio import Recording
from ditto_music.controls.references import mono
from ditto_music.errors import InputError
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import SAMPLE_RATE, embedding


@dataclass(frozen=True)
class Embedding:
    """A network that turns a clip into a vector.

    Attributes
    ----------
    sample_rate : Hz that the network hears at.
    network : of mono audio (1, N) and its rate in Hz: a vector (d,).
    text : of words: their vector (d,) among those of audio; None: it reads none.
    """

    sample_rate: int
    network: Callable[[Tensor, int], Tensor]
    text: Callable[[str], Tensor] | None = None

    def __call__(self, audio: Tensor, rate: int) -> Tensor:
        """The vector (d,) of mono audio (1, N) at a rate in Hz."""
        return self.network(audio, rate)

    def of(self, recording: Recording) -> Tensor:
        """The vector (d,) of a recording."""
        return self.network(mono(recording, self.sample_rate), self.sample_rate)


MUSICNN, CLAP, VGGISH = "musicnn", "clap", "vggish"
NAMES = (MUSICNN, "musicnn-mtt", CLAP, VGGISH)


def embedding_named(
    name: str, clap: str | Path | None = None, vggish: str | Path | None = None
) -> Embedding:
    """An embedding by its name.

    Parameters
    ----------
    name : of `NAMES`.
    clap : folder or hub name of CLAP's weights, see `ditto_music.features.clap.load_clap`.
    vggish : file of VGGish's weights, see `ditto_music.features.vggish.load_vggish`.

    Raises
    ------
    InputError
        If it is not available here, and why.
    """
    if name == MUSICNN:
        return Embedding(
            SAMPLE_RATE, lambda audio, rate: embedding(levelled(audio), rate, "msd")[0]
        )
    if name == "musicnn-mtt":
        return Embedding(
            SAMPLE_RATE, lambda audio, rate: embedding(levelled(audio), rate, "mtt")[0]
        )
    if name == CLAP:
        if clap is None:
            raise InputError("clap: no weights come with this package: give their folder")
        from ditto_music.features.clap import load_clap

        encoder = load_clap(str(clap), torch.device("cpu"))
        return Embedding(
            encoder.extractor.sampling_rate,
            lambda audio, rate: encoder.audio(levelled(audio), rate)[0],
            encoder.text,
        )
    if name == VGGISH:
        if vggish is None:
            raise InputError("vggish: no weights come with this package: give their file")
        from ditto_music.features import vggish as hearing

        network = hearing.load_vggish(Path(vggish), torch.device("cpu"))
        return Embedding(
            hearing.SAMPLE_RATE,
            lambda audio, rate: hearing.embedding(network, levelled(audio), rate)[0],
        )
    raise InputError(f"embedding '{name}' is unknown: take {', '.join(NAMES)}")
