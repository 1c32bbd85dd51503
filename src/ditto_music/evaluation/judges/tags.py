"""Instruments, voices, pace and styles as a music tagger hears them, the judge of `Style`.

Pons and Serra 2019 (arXiv:1909.06654): three networks that share no weights. One judges what
another was optimised on: by default MusiCNN trained on MagnaTagATune, for runs on the Million Song
Dataset's tags.
"""

from __future__ import annotations

import torch

from ditto_music.evaluation.judges.clips import Clip, mono
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import TAGS, Which
from ditto_music.features.musicnn import tags as probabilities


@torch.no_grad()
def tags(clip: Clip, sample_rate: int, which: Which = "mtt") -> dict[str, float]:
    """Probability from 0 to 1 of each of a network's 50 tags, the likeliest first.

    The clip is heard at one level, as by the control.

    They are no shares, and tags that are rare in the data stay low: compare a tag with itself in
    another clip, or by its rank.
    """
    audio = levelled(torch.from_numpy(mono(clip))[None])
    heard = probabilities(audio, sample_rate, which)[0].tolist()
    pairs = sorted(zip(heard, TAGS[which], strict=True), reverse=True)
    return {tag: probability for probability, tag in pairs}
