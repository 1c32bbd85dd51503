"""What clips are compared by: networks that turn one into a vector.

MusiCNN comes with this package. CLAP is used where its weights are given. Each clip is brought to
one level first: how loud it is, is no part of how it sounds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import embedding

#: Mono audio (1, N) and its rate in Hz to a vector (d,).
Embedding = Callable[[Tensor, int], Tensor]

MUSICNN, CLAP, VGGISH = "musicnn", "clap", "vggish"
NAMES = (MUSICNN, "musicnn-mtt", CLAP, VGGISH)


def embedding_named(name: str, clap: str | Path | None = None) -> Embedding:
    """An embedding by its name.

    Parameters
    ----------
    name : of `NAMES`.
    clap : folder or hub name of CLAP's weights, see `ditto_music.features.clap.load_clap`.

    Raises
    ------
    InputError
        If it is not available here, and why.
    """
    if name == MUSICNN:
        return lambda audio, rate: embedding(levelled(audio), rate, "msd")[0]
    if name == "musicnn-mtt":
        return lambda audio, rate: embedding(levelled(audio), rate, "mtt")[0]
    if name == CLAP:
        if clap is None:
            raise InputError("clap: no weights come with this package: give their folder")
        from ditto_music.features.clap import load_clap

        encoder = load_clap(str(clap), torch.device("cpu"))
        return lambda audio, rate: encoder.audio(levelled(audio), rate)[0]
    if name == VGGISH:
        raise InputError(
            "vggish: its weights are published as TensorFlow and pickle files only, which are not "
            "read here: take musicnn or clap"
        )
    raise InputError(f"embedding '{name}' is unknown: take {', '.join(NAMES)}")
