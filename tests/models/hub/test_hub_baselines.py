"""Compared systems on small checkpoints of the real classes: they run, and do what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ditto_music import InputError, Intensity, Match, load_model
from ditto_music.baselines import doodl, dps, naive_masking
from tests.models.hub import checkpoints

SECONDS = 0.64


@pytest.mark.parametrize("name", checkpoints.MODELS)
def test_dps_comes_nearer_to_what_is_asked(folders: dict[str, Path], name: str) -> None:
    """Through decoder and network, from the same noises."""
    model = load_model(str(folders[name]), dtype="float32")
    more = {"seed": [0, 1], "duration": SECONDS, "steps": 8, "guidance": 2.0}
    asked = Intensity([-35, -14])
    guided, free = (dps(model, ["calm", "jazz"], asked, zeta=z, **more) for z in (0.2, 0.0))
    for near, far in zip(guided.items, free.items, strict=True):
        assert near.final["loss"] < far.final["loss"]
        assert bool(torch.isfinite(near.audio).all())
        assert len(near.history) == 8


@pytest.mark.parametrize("name", checkpoints.MODELS)
def test_naive_masking_keeps_what_stays(folders: dict[str, Path], name: str) -> None:
    model = load_model(str(folders[name]), dtype="float32")
    shape = model.latent_shape(SECONDS)
    known = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(shape[-1]) < shape[-1] // 2).float()
    (item,) = naive_masking(model, "calm", Match(known, mask), duration=SECONDS, steps=3).items
    assert torch.equal(item.latent[..., mask == 1], known[..., mask == 1])
    assert not torch.allclose(item.latent[..., mask == 0], known[..., mask == 0], atol=0.1)
    assert bool(torch.isfinite(item.audio).all())


@pytest.mark.parametrize("name", ["StableAudioPipeline", "AudioLDM2Pipeline", "MusicLDMPipeline"])
def test_doodl_goes_down(folders: dict[str, Path], name: str) -> None:
    model = load_model(str(folders[name]), dtype="float32")
    more = {"duration": SECONDS, "steps": 3, "iterations": 4, "lr": 0.05}
    (item,) = doodl(model, "calm", Intensity([-35, -14]), **more).items
    losses = [row["loss"] for row in item.history]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["StableAudio3Pipeline", "AceStepPipeline"])
def test_doodl_says_where_it_cannot_begin(folders: dict[str, Path], name: str) -> None:
    model = load_model(str(folders[name]), dtype="float32")
    with pytest.raises(InputError, match="this model begins at noise alone: take another"):
        doodl(model, "calm", Intensity([-35, -14]), duration=SECONDS, steps=3, iterations=1)
