"""Pairs to learn from: a crop's latent, its caption, and what the controls hear in its audio.

The features are the product's own, of the crop's audio alone, as they would be of a clip. They are
made as they are needed, since a crop may begin anywhere and smoothing sees its ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ditto_music.features import intensity, intensity_times
from ditto_music.features.chroma import chroma, chroma_times
from ditto_music.features.onset import onset_strength, onset_times
from ditto_music.models.small.control_net import (
    CONTROLS,
    asked,
    intensity_track,
    masked,
    melody_track,
    rhythm_track,
)
from training.diffusion.latents import FRAME_RATE
from training.diffusion.train import Batches

ALL, NONE = 0.2, 0.15  # chances that every control is kept, and that every one is dropped
PART = 0.5  # chance that those kept each have a gap


@dataclass(frozen=True)
class Pairs:
    """A batch: latents (B, C, T), word ids and numbers (B, L), what is heard (B, T, 18)."""

    x_0: Tensor
    ids: Tensor
    numbers: Tensor
    heard: Tensor


def heard_in(audio: Tensor, sample_rate: int, frames: int) -> Tensor:
    """What would have to be asked for to get this audio (B, N) of `frames` frames, (B, T, 18)."""
    samples = audio.shape[-1]
    frame = samples / sample_rate / frames
    tracks = {
        "intensity": intensity_track(
            intensity(audio, sample_rate), intensity_times(samples, sample_rate), frame, frames
        ),
        "melody": melody_track(
            chroma(audio, sample_rate).argmax(1), chroma_times(samples, sample_rate), frame, frames
        ),
        "rhythm": rhythm_track(
            onset_strength(audio, sample_rate), onset_times(samples, sample_rate), frame, frames
        ),
    }
    return asked(tracks, frames)


def draw(batches: Batches, split: str, tokens: int, rng: np.random.Generator, drop: float) -> Pairs:
    """A batch of crops with what is heard in them; captions are dropped with the chance `drop`."""
    crops = batches.crops(split, tokens, rng, drop)
    x_0 = torch.stack([crop.latent for crop in crops])
    frames, music = x_0.shape[-1], batches.music
    rate = music.pieces[crops[0].piece]["sample_rate"]
    frame = round(rate / FRAME_RATE)
    audio = np.stack(
        [
            music.audio(crop.piece)[crop.start * frame : (crop.start + frames) * frame]
            for crop in crops
        ]
    )
    heard = heard_in(torch.from_numpy(audio), rate, frames)
    ids, numbers = batches.words.batch([crop.words for crop in crops])
    return Pairs(x_0, ids, numbers, heard)


def thinned(heard: Tensor, rng: np.random.Generator) -> Tensor:
    """What is asked of what is heard (B, T, 18): each item its own choice, as in the paper.

    A subset of the controls is dropped, all or none of them oftener than any other; then, with
    equal chances, the rest is left whole or each of it loses a stretch of its own.
    """
    batch, frames, _ = heard.shape
    given = np.ones((batch, frames, len(CONTROLS)), np.float32)
    for item in given:
        item *= _kept(rng)
        if rng.random() < PART:
            for control in range(len(CONTROLS)):
                start, stop = sorted(rng.integers(frames + 1, size=2))
                item[start:stop, control] = 0
    return masked(heard, torch.from_numpy(given))


def _kept(rng: np.random.Generator) -> np.ndarray:
    """Which controls are kept (3,), 1 or 0."""
    chance = rng.random()
    if chance < ALL + NONE:
        return np.full(len(CONTROLS), chance < ALL, np.float32)
    while True:
        kept = rng.random(len(CONTROLS)) < 0.5
        if 0 < int(kept.sum()) < len(CONTROLS):
            return kept.astype(np.float32)
