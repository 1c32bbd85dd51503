"""Whether a clip sounds like its prompt, as music taggers hear it, and CLAP where it is given.

The tags that a prompt names (see `ditto_music.controls.style_words`) are looked up in a clip. Their
probabilities are no shares and differ from tag to tag, so beside them stands a rank: the share of
other clips, best of a reference, that have less of the tag. One half is chance. CLAP's vectors of
audio and of words are held against one another: their cosine is the CLAP score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ditto_music.controls.style_words import Tag, mentioned
from ditto_music.evaluation.embeddings import CLAP, Embedding
from ditto_music.evaluation.intervals import Floats
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import TAGS, Which, tags

NETWORKS: tuple[Which, ...] = ("msd", "mtt")
Heard = Mapping[Tag, float]


@dataclass(frozen=True)
class Adherence:
    """Of one clip, the mean over the tags its prompt names.

    Attributes
    ----------
    probability : 0 to 1.
    rank : share of the other clips that have less of the tag; ties count half.
    """

    probability: float
    rank: float


@torch.no_grad()
def heard(audio: Tensor, sample_rate: int) -> dict[Tag, float]:
    """Probability of each tag of both networks in mono audio (1, N)."""
    level = levelled(audio)
    return {
        (which, tag): value
        for which in NETWORKS
        for tag, value in zip(TAGS[which], tags(level, sample_rate, which)[0].tolist(), strict=True)
    }


def adherence(prompt: str, clip: Heard, others: Sequence[Heard]) -> Adherence | None:
    """How much of its prompt a clip has; None where the prompt names no tag."""
    asked = mentioned(prompt)
    if not asked:
        return None
    ranks: list[float] = []
    for tag in asked:
        rest = np.array([other[tag] for other in others])
        below, level = (rest < clip[tag]).sum(), (rest == clip[tag]).sum()
        ranks.append(float(below + level / 2) / len(rest) if len(rest) else np.nan)
    return Adherence(float(np.mean([clip[tag] for tag in asked])), float(np.mean(ranks)))


def clap_score(
    prompt: str, vectors: Mapping[str, Floats], embeddings: Mapping[str, Embedding]
) -> float | None:
    """Cosine of CLAP's vectors (d,) of a clip and of its prompt, -1 to 1.

    Parameters
    ----------
    vectors : of the clip, by the embedding's name.

    Returns
    -------
    None where CLAP is not among the embeddings, or there are no words.
    """
    clap = embeddings.get(CLAP)
    if clap is None or clap.text is None or not prompt.strip():
        return None
    words = clap.text(prompt).double()
    return float(torch.cosine_similarity(torch.from_numpy(vectors[CLAP]), words, dim=0))
