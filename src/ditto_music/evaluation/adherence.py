"""Whether a clip sounds like its prompt, as music taggers hear it.

The tags that a prompt names (see `ditto_music.controls.style_words`) are looked up in a clip. Their
probabilities are no shares and differ from tag to tag, so beside them stands a rank: the share of
other clips, best of a reference, that have less of the tag. One half is chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ditto_music.controls.style_words import Tag, mentioned
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
