"""Style: make the music be what a tagger calls by some words, or sound like a recording to it.

MusiCNN (Pons and Serra 2019) hears the clip at one level, so that style is neither loudness nor
silence. Judge the outcome by another network than the one that was optimised:
`ditto_music.evaluation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.audio import read_audio
from ditto_music.controls.base import Control
from ditto_music.controls.style_words import Tag, understand
from ditto_music.errors import InputError
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import (
    SAMPLE_RATE,
    TAGS,
    Which,
    embedding,
    logits,
    tags_of,
)
from ditto_music.modes import own_modes
from ditto_music.panels import Bars, Panel
from ditto_music.protocols import Clip, Form

OTHERS = 5  # tags shown that were not asked for
SHOWN = 8  # tags shown of a recording
SHORTEST, PART = 1, 30  # seconds of a recording: at least, and heard at once


class Style(Control):
    """The tags of some words, in every patch of 3 s.

    Parameters
    ----------
    style
        Words (``"calm piano jazz"``), or a weight for each (``{"jazz": 1, "guitar": 0.5}``): the
        tags of the Million Song Dataset, else of MagnaTagATune, and what
        `ditto_music.controls.style_words` has for synonyms.

    Raises
    ------
    InputError
        If a word is no tag, or a weight not above 0.
    """

    name = "style"
    tolerance = 0.25  # a probability of 0.78

    def __init__(self, style: str | Mapping[str, float]) -> None:
        self.weights: dict[Tag, float] = {}
        for words, weight in ({style: 1.0} if isinstance(style, str) else style).items():
            if not (math.isfinite(weight) and weight > 0):
                raise InputError(
                    f"style: the weight of '{words}' is {weight:g}: it must be above 0"
                )
            self.weights |= dict.fromkeys(understand(words), float(weight))
        if not self.weights:
            raise InputError("style: nothing is asked for: give words such as jazz, sad or piano")
        asked = {which for which, _ in self.weights}
        self.networks: list[Which] = [which for which in TAGS if which in asked]
        self.tags: list[Tag] = [(which, tag) for which in self.networks for tag in TAGS[which]]

    def target(self, form: Form) -> Tensor:
        """Weights (K,) of the networks' tags; they add up to one."""
        weights = torch.tensor([self.weights.get(tag, 0.0) for tag in self.tags])
        return (weights / weights.sum()).to(form.device)

    def feature(self, clip: Clip) -> Tensor:
        """Log odds (B, P, K) of every tag in every patch."""
        audio = levelled(clip.mono)
        heard = [logits(audio, clip.sample_rate, which) for which in self.networks]
        return torch.cat(heard, dim=-1)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """(B,): the weighted mean of ``-log p`` over the tags asked for and over patches."""
        return (F.softplus(-feature).mean(1) * target).sum(-1)

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Probability (B,) of what is asked for, the weighted mean over tags, and of each tag."""
        heard = feature.sigmoid().mean(1)
        return {"probability": (heard * target).sum(-1)} | {
            f"{tag.casefold().replace(' ', '_')}_probability": heard[
                :, self.tags.index((which, tag))
            ]
            for which, tag in self.weights
            if len(self.weights) > 1
        }

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """The tags asked for, beside the strongest others."""
        heard = feature.sigmoid().mean(0)
        asked = [self.tags.index(tag) for tag in self.weights]
        others = [i for i in heard.argsort(descending=True).tolist() if i not in asked][:OTHERS]
        wanted = torch.tensor([1.0] * len(asked) + [math.nan] * OTHERS)
        labels = [self.tags[i][1] for i in asked + others]
        return [Bars(self.name, "probability", labels, wanted, heard[asked + others])]


class StyleLike(Control):
    """The layer before the tags against that of a recording, by its angle.

    It needs no centring: batch normalisation has done that. Recordings of one kind have a cosine
    of 0.7 to 0.9, of different kinds 0 to 0.5.

    Parameters
    ----------
    recording : path of an audio file of a second or more; all of it counts.

    Raises
    ------
    InputError
        If the file cannot be read, is too short or silent.
    """

    name = "style"
    files = ("recording",)
    tolerance = 0.2

    @own_modes()
    def __init__(self, recording: str | Path) -> None:
        audio = torch.from_numpy(read_audio(recording, SAMPLE_RATE, mono=True))
        if audio.shape[-1] < SHORTEST * SAMPLE_RATE:
            raise InputError(
                f"style {recording}: lasts {audio.shape[-1] / SAMPLE_RATE:.2f} s: "
                f"give at least {SHORTEST} s"
            )
        if not float(audio.square().mean()) > 1e-9:
            raise InputError(f"style {recording}: is silent: give a recording with sound")
        parts = [p for p in audio.split(PART * SAMPLE_RATE, -1) if p.shape[-1] >= SAMPLE_RATE]
        sizes = torch.tensor([float(part.shape[-1]) for part in parts])
        with torch.no_grad():
            heard = torch.cat([embedding(levelled(part), SAMPLE_RATE) for part in parts])
        self.reference = sizes @ heard / sizes.sum()

    def target(self, form: Form) -> Tensor:
        """The recording's embedding (200,), the mean over patches."""
        return self.reference.to(form.device)

    def feature(self, clip: Clip) -> Tensor:
        """The clip's embedding (B, 200), the mean over patches."""
        return embedding(levelled(clip.mono), clip.sample_rate)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """(B,): one minus the cosine."""
        return (1 - F.cosine_similarity(feature, target, dim=-1)).clamp(min=0)

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The cosine (B,)."""
        return {"similarity": F.cosine_similarity(feature, target, dim=-1)}

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """What is strongest in the recording, beside as much of it as the clip has."""
        wanted, heard = tags_of(target), tags_of(feature)
        shown = wanted.topk(SHOWN).indices
        labels = [TAGS["msd"][i] for i in shown]
        return [Bars(self.name, "probability", labels, wanted[shown], heard[shown])]
