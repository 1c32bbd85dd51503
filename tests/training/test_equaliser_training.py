"""Equalisers learn what is wrong with a sound, with its true form beside it or judges before it."""

import pytest
import torch
from torch import Tensor, nn

from ditto_music.models.small.codec import Codec, CodecConfig
from training.equaliser import (
    FRAMES,
    SCALES,
    Discriminator,
    Levels,
    coarse,
    deceit,
    near,
    told_apart,
)

SMALL = CodecConfig(
    width=16, encoder_blocks=1, decoder_blocks=1, equaliser_widths=(32, 16), equaliser_blocks=(1, 1)
)


def noise(seed: int, count: int = 4) -> Tensor:
    return 0.1 * torch.randn(count, FRAMES * 512, generator=torch.Generator().manual_seed(seed))


def dull(audio: Tensor) -> Tensor:
    """6 dB less in all, and 20 dB less above 6 kHz."""
    spectrum = torch.fft.rfft(audio)
    spectrum[:, spectrum.shape[1] // 2 :] *= 0.1
    return 0.5 * torch.fft.irfft(spectrum, n=audio.shape[1])


@pytest.fixture(scope="module")
def scales() -> list[Levels]:
    return [Levels(length, bands, 24_000) for length, bands in SCALES]


def test_it_learns_to_undo_a_colour(scales: list[Levels]) -> None:
    torch.manual_seed(0)
    codec = Codec(SMALL)
    optimizer = torch.optim.AdamW(codec.equalisers.parameters(), lr=1e-2)
    latent = torch.zeros(4, 32, FRAMES)

    def wrong(seed: int) -> dict[str, Tensor]:
        true = noise(seed)
        made = codec.equalise(dull(true), latent)
        return near([scale(made) for scale in scales], [scale(true) for scale in scales])

    def told() -> dict[str, float]:
        with torch.no_grad():
            return {name: float(value) for name, value in wrong(99).items()}

    before = told()
    for step in range(40):
        optimizer.zero_grad()
        wrong(step)["bands"].backward()
        optimizer.step()
    after = told()
    assert after["bands"] < 0.4 * before["bands"]
    assert after["power"] < 0.4 * before["power"]


def test_judges_learn_to_tell_and_what_deceives_them_is_what_is_true(scales: list[Levels]) -> None:
    torch.manual_seed(0)
    judges = nn.ModuleList(Discriminator(8) for _ in scales)
    learner = torch.optim.AdamW(judges.parameters(), lr=1e-2)

    def levels(audio: Tensor) -> list[Tensor]:
        return [scale(audio) for scale in scales]

    with torch.no_grad():
        assert float(told_apart(judges, levels(dull(noise(1))), levels(noise(2)))) > 1.5
    for step in range(40):
        learner.zero_grad()
        told_apart(judges, levels(dull(noise(2 * step))), levels(noise(2 * step + 1))).backward()
        learner.step()
    with torch.no_grad():
        assert float(told_apart(judges, levels(dull(noise(97))), levels(noise(98)))) < 0.5
        caught = deceit(judges, levels(dull(noise(97))), levels(noise(98)))
        unseen = deceit(judges, levels(noise(99)), levels(noise(98)))
    assert float(unseen["fool"]) < float(caught["fool"])
    assert float(unseen["features"]) < 0.5 * float(caught["features"])


def test_coarse_levels_are_of_power_not_of_levels() -> None:
    levels = torch.full((1, 16, 8), -8.0)
    levels[0, 0, 0] = 1.0  # one of 128 holds it all
    expected = 1.0 - 0.5 * torch.log(torch.tensor(128.0))
    assert float(coarse(levels).squeeze()) == pytest.approx(float(expected), abs=1e-3)
