"""Onset strength and tempo strength against librosa and what the equations say."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditto_music import InputError
from ditto_music.audio import read_audio
from ditto_music.features.onset import HOP_SECONDS, onset_strength, onset_times
from ditto_music.features.smoothing import mean_under_hann
from ditto_music.features.tempo import TEMPI, autocorrelation, preference, tempo, tempo_strength

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.flac"))


def clicks(times: np.ndarray, seconds: float, rate: int = 24_000) -> torch.Tensor:
    """Bursts of noise that die away within 0.1 s, over faint noise, (1, N)."""
    noise = np.random.default_rng(0)
    audio = 1e-4 * noise.standard_normal(round(seconds * rate))
    for time in times:
        start = round(time * rate)
        burst = np.exp(-np.arange(len(audio) - start) / (0.03 * rate))
        audio[start:] += 0.2 * burst * noise.standard_normal(len(burst))
    return torch.from_numpy(audio.astype(np.float32))[None]


def pulse(bpm: float, seconds: float = 6.0, rate: int = 24_000) -> torch.Tensor:
    return clicks(np.arange(0.1, seconds - 0.1, 60 / bpm), seconds, rate)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_onset_strength_is_librosas(path: Path) -> None:
    audio = torch.from_numpy(read_audio(path, 24_000))[:, :144_000]
    own = onset_strength(audio, 24_000)[0]
    theirs = librosa.onset.onset_strength(
        y=audio[0].numpy(), sr=24_000, n_fft=1024, hop_length=256, center=False
    )
    theirs = mean_under_hann(torch.from_numpy(theirs)[None], 8)[0, 3 : 3 + len(own)]
    assert float(torch.corrcoef(torch.stack([own, theirs])[:, 10:-10])[0, 1]) > 0.95


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_onsets_are_where_they_are(rate: int) -> None:
    wanted = [0.5, 0.9, 1.7]
    strength = onset_strength(clicks(np.array(wanted), 2.5, rate), rate)[0]
    times = onset_times(round(2.5 * rate), rate)
    assert len(times) == len(strength)
    inner = strength[1:-1]
    peaks = (inner > strength[:-2]) & (inner >= strength[2:]) & (inner > strength.max() / 2)
    assert times[1:-1][peaks].tolist() == pytest.approx(wanted, abs=0.025)


def test_onsets_do_not_depend_on_level() -> None:
    audio = torch.from_numpy(read_audio(RECORDINGS[0], 24_000))
    loud, quiet = onset_strength(torch.cat([audio, 0.1 * audio]), 24_000)
    assert torch.allclose(loud, quiet, atol=0.02)


def test_a_steady_tone_and_noise_have_no_onsets(generator: torch.Generator) -> None:
    tone = 0.3 * torch.sin(torch.arange(72_000) * 0.1)
    noise = 0.1 * torch.randn(72_000, generator=generator)
    assert float(onset_strength(torch.stack([tone, noise]), 24_000).abs().max()) < 1


def test_silence_is_finite_with_a_finite_gradient() -> None:
    audio = torch.zeros(2, 24_000)
    audio[1, 12_000:] = 0.1
    audio.requires_grad_()
    strength = tempo_strength(onset_strength(audio, 24_000), 4)
    strength.square().sum().backward()
    assert torch.allclose(strength[0], torch.zeros(len(TEMPI)), atol=1e-6)
    assert torch.isfinite(audio.grad).all()


def test_too_short_audio_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="too short to have onsets"):
        onset_strength(torch.zeros(1, 2000), 24_000)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
@pytest.mark.parametrize("bpm", [45, 70, 90, 120, 140, 160])
def test_the_tempo_of_a_pulse_is_found(bpm: float, rate: int) -> None:
    heard = tempo(tempo_strength(onset_strength(pulse(bpm, rate=rate), rate)))
    assert float(heard) == pytest.approx(bpm, rel=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(94, 1200), st.integers(0, 2**31))
def test_autocorrelation_is_numpys(frames: int, seed: int) -> None:
    onsets = np.random.default_rng(seed).standard_normal(frames)
    centred = onsets - onsets.mean()
    plain = np.correlate(centred, centred, "full")[frames - 1 :]
    lags = torch.arange(0, frames, 7)
    own = autocorrelation(torch.from_numpy(onsets)[None], lags * HOP_SECONDS)[0]
    assert np.allclose(own, plain[::7] / plain[0], atol=2e-3)


@pytest.mark.parametrize("beats", [1, 4])
def test_a_perfect_pulse_is_as_strong_as_its_beats_overlap(beats: int) -> None:
    strength = tempo_strength(onset_strength(pulse(100), 24_000), beats)[0]

    def at(bpm: float) -> float:
        return float(strength[(TEMPI - bpm).abs().argmin()])

    assert at(100) == pytest.approx(1 - 0.6 / 6, abs=0.06)
    assert at(50) == pytest.approx(1 - 1.2 / 6, abs=0.06)
    assert max(at(200), at(75), at(133)) < 0.1


def test_pairs_of_onsets_a_beat_apart_are_no_pulse() -> None:
    pairs = onset_strength(clicks(np.array([0.5, 1.2, 3.1, 3.8]), 6.0), 24_000)
    steady = onset_strength(pulse(60 / 0.7), 24_000)
    place = (TEMPI - 60 / 0.7).abs().argmin()
    assert float(tempo_strength(pairs)[0, place]) > 0.4
    assert float(tempo_strength(pairs, 4)[0, place]) < 0.1
    assert float(tempo_strength(steady, 4)[0, place]) > 0.8


def test_preference_is_an_octave_wide_around_120() -> None:
    assert preference(torch.tensor([60.0, 120, 240])).tolist() == pytest.approx(
        [0.607, 1, 0.607], abs=1e-3
    )


def test_means_are_weighted_and_borders_repeat() -> None:
    spike = torch.zeros(1, 9)
    spike[0, 4] = 1
    assert mean_under_hann(spike, 4)[0].tolist() == pytest.approx(
        [0, 0, 0, 0.25, 0.5, 0.25, 0, 0, 0]
    )
    flat = torch.full((2, 3, 5), 7.0)
    assert torch.allclose(mean_under_hann(flat, 20), flat)
