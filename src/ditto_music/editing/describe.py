"""A prompt read from a recording, for edits without words: what two taggers hear in it."""

from __future__ import annotations

import torch

from ditto_music.audio import Recording
from ditto_music.controls.references import mono
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import SAMPLE_RATE, TAGS, Which, tags

LONGEST = 30  # seconds looked at
KINDS, INSTRUMENTS = 2, 2  # tags of each network at most
LIKELY: dict[Which, float] = {"msd": 0.12, "mtt": 0.3}
# What says nothing of how new music should sound, or is said of nearly all.
_UNSAID = (
    "vocals, no vocals, no vocal, no voice, voice, vocal, singing, weird, loud, beat, solo, "
    "beautiful, sexy, catchy, party, 60s, 70s, 80s, 90s, 00s, oldies, instrumental, experimental"
)
UNSAID = frozenset(_UNSAID.split(", "))


@torch.no_grad()
def describe(recording: Recording, start: int = 0, stop: int | None = None) -> str:
    """Words such as "rock, guitar, drums" for frames ``start:stop``, the middle of them if long.

    Style and mood from the Million Song Dataset's tags, instruments and pace from
    MagnaTagATune's; always at least one.
    """
    stop = recording.frames if stop is None else stop
    spare = max(0, stop - start - LONGEST * recording.sample_rate) // 2
    audio = levelled(mono(recording.part(start + spare, stop - spare), SAMPLE_RATE))
    heard = {which: tags(audio, SAMPLE_RATE, which)[0] for which in LIKELY}
    words: dict[str, None] = {}
    for which, most in zip(LIKELY, (KINDS, INSTRUMENTS), strict=True):
        ranked = [TAGS[which][i] for i in heard[which].argsort(descending=True)]
        said = [tag for tag in ranked if tag not in UNSAID]
        chance = dict(zip(TAGS[which], heard[which].tolist(), strict=True))
        words |= {tag.casefold(): None for tag in said[:most] if chance[tag] >= LIKELY[which]}
    first = next(TAGS["msd"][i] for i in heard["msd"].argsort(descending=True))
    return ", ".join(words) or first.casefold()
