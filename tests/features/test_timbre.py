"""MFCC are librosa's, a gain is not timbre, and two recordings are told apart."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from ditto_music import InputError
from ditto_music.audio import read_audio
from ditto_music.features.similarity import self_similarity
from ditto_music.features.timbre import STEP_SECONDS, mfcc, timbre, timbre_times

RATE = 24_000
RECORDINGS = Path(__file__).parents[1] / "recordings"


def noise(seconds: float, rate: int = RATE) -> torch.Tensor:
    return torch.randn(1, round(seconds * rate), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_mfcc_are_librosas(rate: int) -> None:
    t = torch.arange(2 * rate) / rate
    audio = 0.1 * noise(2, rate) + torch.sin(2 * np.pi * 300 * t * (1 + t))
    hop = round(1024 / RATE * rate)
    theirs = librosa.feature.mfcc(
        y=audio[0].numpy(),
        sr=rate,
        n_mfcc=20,
        n_mels=40,
        fmax=8000,
        n_fft=2 * hop,
        hop_length=hop,
        pad_mode="reflect",
    )
    own = mfcc(audio, rate)[0].numpy()
    assert own.shape == (19, theirs.shape[1])
    assert np.abs(own - theirs[1:]).max() < 0.1  # dB; the floor is all that differs


@pytest.mark.parametrize("gain", [1e-3, 0.1, 30.0])
def test_a_gain_is_not_timbre(gain: float) -> None:
    audio = torch.cat([noise(1), torch.sin(torch.arange(RATE) / 20)[None]], dim=1)
    assert torch.allclose(timbre(gain * audio, RATE), timbre(audio, RATE), atol=1e-3)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.4, 1.0, 6.0])
def test_moments_are_as_many_and_as_far_apart_at_any_rate(rate: int, seconds: float) -> None:
    audio = noise(seconds, rate)
    times = timbre_times(audio.shape[-1], rate)
    assert timbre(audio, rate).shape == (1, 19, len(times))
    assert len(times) == pytest.approx(1 + (seconds - 0.3) / STEP_SECONDS, abs=1)
    assert float(times[0]) == pytest.approx(0.15, abs=0.01)
    assert float(times[-1]) < seconds


def test_the_same_music_has_the_same_timbre_at_another_rate() -> None:
    path = RECORDINGS / "loop_compus.flac"
    low, high = (timbre(torch.from_numpy(read_audio(path, rate)), rate) for rate in (RATE, 44_100))
    frames = min(low.shape[-1], high.shape[-1])
    assert float((low[..., :frames] - high[..., :frames]).norm(dim=1).mean()) < 0.05


def test_a_step_is_seen_where_it_is() -> None:
    audio = torch.cat([noise(3), torch.sin(torch.arange(3 * RATE) / 10)[None]], dim=1)
    similarity = self_similarity(timbre(audio, RATE))[0]
    times = timbre_times(audio.shape[-1], RATE)
    first, last = times < 2.8, times > 3.2
    assert float(similarity[first][:, first].min()) > 0.8
    assert float(similarity[last][:, last].min()) > 0.8
    assert float(similarity[first][:, last].max()) < -0.8


def test_two_recordings_are_told_apart_because_the_mean_is_taken_out() -> None:
    """A form spliced from two recordings: contrast with the clip's mean taken out and without."""
    names = ("guit_em9", "loop_compus", "loop_safari")
    takes = [torch.from_numpy(read_audio(RECORDINGS / f"{n}.flac", RATE)) for n in names]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        second = slice(RATE, 3 * RATE)
        parts = [take[:, second] / take[:, second].std() for take in (takes[a], takes[b])]
        audio = torch.cat([parts[0], parts[1], parts[0]], dim=1)
        times = timbre_times(audio.shape[-1], RATE)
        inner = (times - 2).abs().minimum((times - 4).abs()) > 0.2
        letters = (times // 2).remainder(2)[inner]
        alike = letters[:, None] == letters
        own = timbre(audio, RATE)[..., inner]
        raw = torch.nn.functional.avg_pool1d(mfcc(audio, RATE), 8, 3)[..., inner]
        contrasts = []
        for features in (own, raw / raw.norm(dim=1, keepdim=True)):
            cosines = self_similarity(features)[0]
            contrasts.append(float(cosines[alike].mean() - cosines[~alike].mean()))
        assert contrasts[0] > 0.6, contrasts
        assert contrasts[0] > 1.3 * contrasts[1], contrasts


@pytest.mark.parametrize("audio", [torch.zeros(1, RATE), torch.full((1, RATE), 0.5)])
def test_silence_has_no_timbre_and_a_finite_gradient(audio: torch.Tensor) -> None:
    audio = audio.clone().requires_grad_()
    own = timbre(audio, RATE)
    own.square().sum().backward()
    assert torch.isfinite(own).all()
    assert torch.isfinite(audio.grad).all()
    assert timbre(torch.zeros(1, RATE), RATE).abs().max() == 0


def test_audio_shorter_than_a_moment_is_one_clear_line() -> None:
    for samples in (10, 1000, 7000):
        with pytest.raises(InputError, match=r"shorter than one moment of timbre \(0.3 s\)"):
            timbre(torch.zeros(1, samples), RATE)
