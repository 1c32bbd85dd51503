"""The codec of tones and noise learns, and is told what it gets wrong."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ditto_music.models.small.codec import Codec, CodecConfig, Parts, level_of
from training.codec import FRAMES, WEIGHTS, found, losses, powers

SMALL = CodecConfig(width=24, encoder_blocks=1, decoder_blocks=1)


def notes(seed: int, count: int = 4) -> Parts:
    """Held chords of random tones over noise that is loud or soft."""
    rng = np.random.default_rng(seed)
    tones = torch.zeros(count, 2 * FRAMES, 252)
    for clip in range(count):
        tones[clip, :, rng.integers(252, size=5)] = float(rng.uniform(0.02, 0.3))
    level = torch.from_numpy(rng.uniform(-8, -2, (count, 1, 40))).float().exp()
    return Parts(tones, level.expand(-1, 4 * FRAMES, -1).contiguous())


def test_it_learns_to_find_tones() -> None:
    torch.manual_seed(0)
    codec = Codec(SMALL)
    optimizer = torch.optim.AdamW(codec.parameters(), lr=5e-3)
    before = found(codec, notes(99, 8))
    for step in range(60):
        each = losses(codec, notes(step), torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        torch.stack([WEIGHTS[name] * value for name, value in each.items()]).sum().backward()
        optimizer.step()
    after = found(codec, notes(99, 8))
    assert after["presence"] < 0.5 * before["presence"]
    assert after["noise"] < 0.7 * before["noise"]
    assert after["power"] < before["power"]


def test_powers_rise_with_the_level() -> None:
    codec, parts = Codec(SMALL), notes(1)
    louder = Parts(2 * parts.tones, 4 * parts.noise)
    (tones, noise), (tones_up, noise_up) = powers(codec, parts), powers(codec, louder)
    assert float((tones_up - tones).max()) == pytest.approx(math.log(2), abs=0.01)
    assert torch.allclose(noise_up - noise, torch.full_like(noise, math.log(2)), atol=1e-4)


@torch.no_grad()
def test_a_tone_missed_costs_more_the_louder_it_is() -> None:
    codec = Codec(replace(SMALL, width=16))
    soft, loud = notes(2), notes(2)
    soft = Parts(soft.tones * 0.1, soft.noise)
    assert float(level_of(loud.tones).max()) > float(level_of(soft.tones).max())
    assert float(losses(codec, loud, None)["presence"]) > float(
        losses(codec, soft, None)["presence"]
    )
