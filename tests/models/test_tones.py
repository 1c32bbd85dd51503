"""Steady tones and bands of noise: found where they are, and played as they were."""

import math

import pytest
import torch
from torch import Tensor

from ditto_music.models.small.frames import framed, overlap_add, synthesized
from ditto_music.models.small.noise import NoiseBank, noise_bands
from ditto_music.models.small.tones import (
    GOLDEN,
    ToneBank,
    hann_spectrum,
    steady_tones,
    tone_frequencies,
)

RATE, HOP = 24_000, 256
FREQUENCIES = tone_frequencies(28, 7, 36)


def tone_bank() -> ToneBank:
    return ToneBank(FREQUENCIES, 1024, HOP, RATE)


def noise_bank() -> NoiseBank:
    return NoiseBank(40, 512, 128, RATE, FREQUENCIES)


def sine(hertz: float, frames: int = 100, amplitude: float = 0.3) -> Tensor:
    t = torch.arange(frames * HOP, dtype=torch.float64) / RATE
    return (amplitude * torch.sin(2 * math.pi * hertz * t + 1.0)).float()[None]


def noise(frames: int = 100, level: float = 0.1) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return level * torch.randn(1, frames * HOP, generator=generator)


def test_frames_add_up_to_what_they_were_taken_from() -> None:
    audio = noise().double()
    window = torch.hann_window(1024, dtype=torch.float64)
    spectrum = torch.fft.rfft(framed(audio, 1024, HOP) * window)
    assert torch.allclose(synthesized(spectrum, 1024, HOP), audio, atol=1e-10)


def test_overlap_add_sums_at_the_hop() -> None:
    frames = torch.ones(1, 5, 8)
    assert overlap_add(frames, 2).shape == (1, 10)
    assert overlap_add(frames, 2)[0, 3:7].tolist() == [4, 4, 4, 4]


def test_every_third_tone_is_a_key_of_the_piano() -> None:
    pitches = 69 + 12 * torch.log2(FREQUENCIES / 440)
    assert torch.allclose(pitches[::3], torch.arange(28, 112).double())


@pytest.mark.parametrize("tone", [3, 100, 250])
def test_an_open_tone_is_a_sine_for_ever(tone: int) -> None:
    """Of its own frequency to the last sample of twelve seconds, whatever the latent rate."""
    amplitudes = torch.zeros(1, 1125, len(FREQUENCIES), dtype=torch.float64)
    amplitudes[..., tone] = 0.5
    made = tone_bank()(amplitudes)[0]
    t = torch.arange(len(made), dtype=torch.float64) / RATE
    wanted = 0.5 * torch.cos(2 * math.pi * (FREQUENCIES[tone] * t + GOLDEN * tone))
    inside = slice(1024, -1024)
    assert float((made - wanted)[inside].abs().max()) < 1e-4


def test_a_part_of_a_clip_is_played_as_in_the_whole() -> None:
    bank = tone_bank()
    amplitudes = 0.01 * torch.rand(1, 80, len(FREQUENCIES)).double()
    whole, part = bank(amplitudes), bank(amplitudes[:, 30:60], start=30)
    assert torch.allclose(part[:, 1024:-1024], whole[:, 31 * HOP :][:, 768:][:, : 30 * HOP - 2048])


@pytest.mark.parametrize("hertz", [110.0, 261.63, 440.0, 1318.5, 3520.0])
def test_a_sine_is_found_once_at_its_pitch_and_level(hertz: float) -> None:
    tones = steady_tones(sine(hertz), FREQUENCIES, HOP, RATE)[0, 20:-20]
    middle = tones[30]
    found = int(middle.argmax())
    assert abs(12 * math.log2(float(FREQUENCIES[found]) / hertz)) < 0.2
    assert float(middle[found]) == pytest.approx(0.3, rel=0.05)
    others = middle.clone()
    others[found] = 0
    assert float(others.max()) < 0.3 * 10 ** (-25 / 20)


def test_a_chord_is_found_as_its_notes() -> None:
    chord = sine(220, amplitude=0.2) + sine(277.18, amplitude=0.2) + sine(329.63, amplitude=0.2)
    middle = steady_tones(chord, FREQUENCIES, HOP, RATE)[0, 50]
    loudest = sorted(middle.topk(3).indices.tolist())
    assert [round(69 + 12 * math.log2(float(FREQUENCIES[i]) / 440)) for i in loudest] == [
        57,
        61,
        64,
    ]


def test_what_flickers_is_no_tone() -> None:
    def tonal(audio: Tensor) -> float:
        power = steady_tones(audio, FREQUENCIES, HOP, RATE).square().sum(-1).mean() / 2
        return float(power / audio.square().mean())

    assert tonal(sine(440)) > 0.9
    assert tonal(noise()) < 0.4


def test_bands_share_every_bin() -> None:
    bands = noise_bands(40, 512, RATE)
    assert torch.allclose(bands.sum(0), torch.ones(257), atol=1e-6)
    assert (bands.sum(1) > 0.1).all()


def test_noise_is_played_at_the_power_it_was_measured_with() -> None:
    bank = noise_bank()
    audio = noise()
    silent = torch.zeros(1, 100, len(FREQUENCIES))
    measured = bank.measure(audio, silent)
    assert float(measured.mean()) == pytest.approx(0.01 * 0.375 * 512, rel=0.1)
    again = bank.measure(bank(measured), silent)
    apart = 10 * torch.log10(again.mean(1) / measured.mean(1))
    assert float(apart.abs().max()) < 2.5
    assert float(bank(measured).square().mean() / audio.square().mean()) == pytest.approx(
        1, rel=0.1
    )


def test_a_tone_is_not_heard_as_noise() -> None:
    bank, audio = noise_bank(), sine(1000.0)
    tones = steady_tones(audio, FREQUENCIES, HOP, RATE)
    left = bank.measure(audio, tones)[0, 60:-60].sum()
    there = bank.measure(audio, torch.zeros_like(tones))[0, 60:-60].sum()
    assert float(left / there) < 0.25


def test_noise_is_the_same_for_everyone() -> None:
    power = torch.rand(2, 64, 40)
    bank = noise_bank()
    assert torch.equal(bank(power)[:1], bank(power[:1]))
    assert torch.equal(bank(power), noise_bank()(power))


def test_the_spectrum_of_a_window_is_its_sum() -> None:
    length = 64
    middle = torch.arange(length, dtype=torch.float64) - length // 2
    window = torch.hann_window(length, dtype=torch.float64)
    cycles = torch.cat([torch.linspace(-1, 1, 777, dtype=torch.float64), torch.tensor([1 / 64])])
    summed = ((2 * math.pi * cycles[:, None] * middle).cos() * window).sum(1)
    assert torch.allclose(hann_spectrum(cycles, length), summed, atol=1e-9)
