"""Spectral centroid and third octaves against librosa, scipy and what the equations say."""

import math
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from scipy.signal import welch

from ditto_music import InputError
from ditto_music.audio import read_audio
from ditto_music.features.spectrum import (
    band_centres,
    centroid,
    centroid_times,
    spectral_balance,
    third_octaves,
)

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.flac"))


def sine(hertz: float, seconds: float, rate: int = 24_000) -> torch.Tensor:
    """(1, N), of amplitude 0.1."""
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return 0.1 * torch.sin(2 * math.pi * hertz * time).float()[None]


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_centroid_is_librosas(path: Path) -> None:
    audio = torch.from_numpy(read_audio(path, 24_000))[:, 12_000:96_000]
    own = centroid(audio, 24_000, smoothing=0)[0].numpy()
    theirs = librosa.feature.spectral_centroid(
        y=audio[0].numpy(), sr=24_000, n_fft=2048, hop_length=512
    )[0, 2:-2]
    loud = librosa.feature.rms(y=audio[0].numpy(), frame_length=2048, hop_length=512)[0, 2:-2]
    assert own.shape == theirs.shape == (len(centroid_times(84_000, 24_000)),)
    assert np.abs(np.log2(own / theirs))[loud > 3e-3].max() < 0.05


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_the_centroid_of_a_tone_is_its_frequency(rate: int) -> None:
    tone = sine(600, 2, rate)
    assert torch.allclose(centroid(tone, rate).log2(), torch.tensor(600.0).log2(), atol=0.05)


def test_pauses_do_not_count_and_loud_moments_count_more() -> None:
    low, high = sine(500, 2), sine(2000, 2)
    times = centroid_times(48_000, 24_000)
    pause = torch.cat([low[:, :24_000], torch.zeros(1, 24_000)], dim=1)
    assert float(centroid(pause, 24_000)[0][(times - 1.2).abs().argmin()]) < 600
    step = torch.cat([0.2 * low[:, :24_000], high[:, 24_000:]], dim=1)
    assert float(centroid(step, 24_000)[0][(times - 1).abs().argmin()]) > 1600


def test_silence_reads_1_khz_with_a_finite_gradient() -> None:
    audio = torch.zeros(1, 24_000, requires_grad=True)
    curve, bands = centroid(audio, 24_000), third_octaves(audio, 24_000)
    (curve.sum() + bands.sum()).backward()
    assert torch.allclose(curve, torch.tensor(1000.0), rtol=0.02)
    assert torch.allclose(bands, torch.tensor(-100.0), atol=1e-3)
    assert torch.isfinite(audio.grad).all()


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_a_tone_is_in_its_band_at_its_level(rate: int) -> None:
    tone = sine(1008, 2, rate)
    level = third_octaves(tone, rate)[0]
    place = int((band_centres(rate) - 1008).abs().argmin())
    assert float(level[place]) == pytest.approx(20 * math.log10(0.1 / math.sqrt(2)), abs=0.05)
    assert float(level[place + 2]) < -60 > float(level[place - 2])


def test_bands_hold_what_welch_finds(generator: torch.Generator) -> None:
    noise = 0.1 * torch.randn(1, 96_000, generator=generator)
    noise[0, 1:] += 0.9 * noise[0, :-1]
    window = 8192
    hertz, density = welch(
        noise[0].numpy(), 24_000, "hann", window, window // 2, detrend=False, scaling="density"
    )
    level, centres = third_octaves(noise, 24_000)[0], band_centres(24_000)
    for place in range(12, len(centres)):  # many bins in each
        inside = np.abs(np.log2(hertz / float(centres[place]) + 1e-12)) < 1 / 6
        wanted = 10 * math.log10(density[inside].sum() * (hertz[1] - hertz[0]))
        assert float(level[place]) == pytest.approx(wanted, abs=0.15)


def test_balance_averages_over_an_octave(generator: torch.Generator) -> None:
    noise = 0.1 * torch.randn(1, 96_000, generator=generator)
    thirds, balance = third_octaves(noise, 24_000)[0], spectral_balance(noise, 24_000)[0]
    power = 10 ** (thirds / 10)
    weights = torch.tensor([0.25, 0.75, 1, 0.75, 0.25]) / 3
    assert float(10 ** (balance[10] / 10)) == pytest.approx(
        float((weights * power[8:13]).sum()), rel=1e-4
    )
    assert balance.shape == thirds.shape


def test_bands_lie_whole_below_half_the_rate() -> None:
    for rate in (8000, 24_000, 44_100, 48_000):
        centres = band_centres(rate)
        assert float(centres[0]) == 50
        assert float(centres[-1]) * 2 ** (1 / 6) <= rate / 2 < float(centres[-1]) * 2**0.5
        assert third_octaves(torch.zeros(1, rate), rate).shape == (1, len(centres))


def test_too_short_audio_is_one_clear_line() -> None:
    for feature in (centroid, third_octaves):
        with pytest.raises(InputError, match="too short for a spectrum"):
            feature(torch.zeros(1, 2000), 24_000)
