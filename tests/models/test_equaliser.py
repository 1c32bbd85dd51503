"""The equalisers behind tones and noise: what they may do to a sound, and how far they look."""

import math

import pytest
import torch
from torch import Tensor

from ditto_music.models.small import SmallModel
from ditto_music.models.small.codec import Codec, CodecConfig
from ditto_music.models.small.equaliser import MOST, Equaliser, bin_levels


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def equaliser(*, says: float = 0.0, blocks: int = 2) -> Equaliser:
    """One that changes what it hears by `says`, at random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Equaliser(channels=4, fold=2, length=1024, hop=256, width=16, blocks=blocks)
        torch.nn.init.normal_(made.leave.weight, std=says)
    return made.eval().requires_grad_(False)


def test_one_that_has_learnt_nothing_changes_nothing() -> None:
    audio = random(2, 20 * 512)
    assert torch.allclose(equaliser()(audio, random(2, 4, 20)), audio, atol=1e-5)


@pytest.mark.parametrize("nepers", [2.0, -2.0, 50.0, -50.0])
def test_gains_are_in_nepers_and_bounded(nepers: float) -> None:
    one = equaliser()
    one.leave.bias.fill_(nepers)
    audio, latent = random(1, 20 * 512), random(1, 4, 20)
    gain = MOST * math.tanh(nepers / MOST)
    assert abs(gain) < MOST + 1e-6
    assert torch.allclose(one(audio, latent), math.exp(gain) * audio, rtol=1e-4, atol=1e-5)


def test_it_hears_both_the_sound_and_the_latent() -> None:
    one, audio, latent = equaliser(says=0.3), random(1, 20 * 512), random(1, 4, 20)
    before = one(audio, latent)
    assert not torch.allclose(one(audio, latent + 1), before, atol=1e-3)
    assert not torch.allclose(one(audio * 2, latent), before * 2, atol=1e-3)


def test_a_held_tone_stays_in_tune() -> None:
    seconds = torch.arange(48 * 512) / 24_000
    made = equaliser(says=0.3)(torch.sin(2 * math.pi * 443.7 * seconds)[None], random(1, 4, 48))
    spectrum = torch.fft.rfft(made[0] * torch.hann_window(made.shape[1]), n=2**20).abs()
    assert float(spectrum.argmax()) * 24_000 / 2**20 == pytest.approx(443.7, abs=0.3)


def test_gradients_are_exact() -> None:
    one = equaliser(says=0.3).double()
    audio, latent = random(1, 8 * 512).double(), random(1, 4, 8).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: one(audio * x.mean(), x).square().mean(), latent, eps=1e-6, atol=1e-7
    )


def test_silence_has_finite_gradients_and_stays_silent() -> None:
    audio = torch.zeros(1, 8 * 512, requires_grad=True)
    made = equaliser(says=0.3)(audio, random(1, 4, 8))
    made.square().sum().backward()
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()
    assert float(made.detach().abs().max()) == 0


def test_white_noise_of_unit_power_has_level_zero() -> None:
    _, level = bin_levels(random(1, 200 * 512), 1024, 256)
    assert float((2 * level).exp().mean()) == pytest.approx(1.0, rel=0.02)


def test_products_in_half_precision_are_near() -> None:
    one, audio, latent = equaliser(says=0.3), random(1, 20 * 512), random(1, 4, 20)
    made, half = one(audio, latent), one(audio, latent, torch.bfloat16)
    assert half.dtype == torch.float32
    assert float((made - half).norm() / made.norm()) < 0.02


def test_a_sample_depends_on_no_latent_beyond_the_told_reach() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        codec = Codec(CodecConfig(width=16)).eval().requires_grad_(False)
        for one in codec.equalisers:
            torch.nn.init.normal_(one.leave.weight, std=0.1)  # pyright: ignore
    latent = random(1, 32, 80)
    after = latent.clone()
    after[..., 40] += 3
    changed = (codec.decode(after) - codec.decode(latent)).abs()[0].unflatten(0, (80, -1)).amax(1)
    there = (changed > 1e-6).nonzero()[:, 0]
    assert 40 - SmallModel.decoder_reach <= int(there.min())
    assert int(there.max()) <= 40 + SmallModel.decoder_reach
    assert int(there.max()) > 40 + SmallModel.decoder_reach // 2
