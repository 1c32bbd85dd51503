"""Spectra and mel filters are librosa's."""

from collections.abc import Callable

import librosa
import numpy as np
import pytest
import torch
from torch import Tensor

from ditto_music import InputError
from ditto_music.features.chroma import chroma, chroma_times
from ditto_music.features.onset import onset_strength, onset_times
from ditto_music.features.spectrogram import frame_times, mel_filters, power_spectrogram
from ditto_music.features.spectrum import centroid, centroid_times


@pytest.mark.parametrize(
    ("rate", "window", "bands", "low", "high"),
    [(24_000, 2048, 128, 0.0, None), (16_000, 512, 96, 0.0, None), (44_100, 1024, 40, 30, 8000.0)],
)
def test_mel_filters_are_librosas(
    rate: int, window: int, bands: int, low: float, high: float | None
) -> None:
    own = mel_filters(rate, window, bands, low, high).numpy()
    theirs = librosa.filters.mel(sr=rate, n_fft=window, n_mels=bands, fmin=low, fmax=high)
    assert np.abs(own - theirs).max() < 1e-6


def test_power_is_librosas() -> None:
    audio = np.random.default_rng(0).standard_normal((2, 5000)).astype(np.float32)
    own = power_spectrogram(torch.from_numpy(audio), 1024, 256)
    theirs = np.abs(librosa.stft(audio, n_fft=1024, hop_length=256, pad_mode="reflect")) ** 2
    assert own.shape == theirs.shape
    assert np.allclose(own.numpy(), theirs, rtol=1e-3, atol=1e-2)
    assert len(frame_times(5000, 256, 24_000)) == own.shape[-1]


@pytest.mark.parametrize(
    ("feature", "times", "rate", "samples"),
    [
        (centroid, centroid_times, 16_000, 160 * 341),
        (onset_strength, onset_times, 16_000, 100 * 171),
        (chroma, chroma_times, 16_000, 160 * 683),
        (chroma, chroma_times, 44_100, 80 * 1882),
        (centroid, centroid_times, 44_100, 160 * 941),
    ],
)
def test_features_have_a_frame_for_each_of_their_times(
    feature: Callable[[Tensor, int], Tensor],
    times: Callable[[int, int], Tensor],
    rate: int,
    samples: int,
) -> None:
    """Where the window is odd and the audio whole hops long, too."""
    audio = torch.randn(1, samples, generator=torch.Generator().manual_seed(0))
    assert feature(audio, rate).shape[-1] == len(times(samples, rate))


def test_too_short_audio_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="shorter than half a frame"):
        power_spectrogram(torch.zeros(1, 512), 1024, 256)
