"""Chroma against librosa and scipy, and against what sounds it should and should not hear."""

import math

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfilt
from torch import Tensor

from ditto_music import InputError
from ditto_music.features.chroma import (
    BAND,
    HOP_SECONDS,
    MIDDLE_C,
    chroma,
    chroma_filters,
    chroma_times,
    highpass_gain,
)

RATE = 24_000


def tones(pitches: list[int], seconds: float = 0.5, rate: int = RATE, harmonics: int = 1) -> Tensor:
    """(1, N): one tone after the other by their MIDI pitches, harmonic k at 1/k."""
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    waves = [
        sum(
            torch.sin(2 * math.pi * 440 * 2 ** ((pitch - 69) / 12) * k * time) / k
            for k in range(1, harmonics + 1)
        )
        for pitch in pitches
    ]
    return 0.1 * torch.cat([torch.as_tensor(wave) for wave in waves])[None].float()


def accuracy(audio: Tensor, pitches: list[int], seconds: float = 0.5, rate: int = RATE) -> float:
    """Share right of the frames with one tone in their middle."""
    found, times = chroma(audio, rate)[0].argmax(0), chroma_times(audio.shape[-1], rate)
    early, late = ((times + shift) // seconds for shift in (-HOP_SECONDS / 2, HOP_SECONDS / 2))
    inside = (early == late) & (late < len(pitches))
    wanted = torch.tensor(pitches)[late[inside].long()] % 12
    return float((found[inside] == wanted).float().mean())


@pytest.mark.parametrize(("rate", "window"), [(24_000, 4096), (16_000, 2048), (44_100, 7526)])
def test_filters_are_librosas_inside_the_band(rate: int, window: int) -> None:
    theirs = librosa.filters.chroma(sr=rate, n_fft=window, tuning=0, ctroct=4.5, octwidth=1)
    hertz = np.arange(window // 2 + 1) * rate / window
    inside = (hertz >= BAND[0]) & (hertz <= BAND[1])
    own = chroma_filters(rate, window).numpy()
    assert own.shape == theirs.shape
    assert np.abs(own - theirs)[:, inside].max() < 1e-6
    assert not own[:, ~inside].any()


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_the_high_pass_is_the_cookbooks(rate: int) -> None:
    w0, q = 2 * math.pi * MIDDLE_C / rate, math.sqrt(0.5)
    cos, alpha = math.cos(w0), math.sin(w0) / (2 * q)
    numerator = np.array([(1 + cos) / 2, -(1 + cos), (1 + cos) / 2])
    denominator = np.array([1 + alpha, -2 * cos, 1 - alpha])
    impulse = np.zeros(1 << 14)
    impulse[0] = 1
    section = np.concatenate([numerator, denominator]) / denominator[0]
    response = np.abs(np.fft.rfft(sosfilt(section[None], impulse)))
    gain = highpass_gain(torch.linspace(0, rate / 2, len(response)), rate).numpy()
    assert np.allclose(gain, response, atol=1e-6)
    at_cutoff = highpass_gain(torch.tensor([MIDDLE_C]), rate)
    assert float(at_cutoff) == pytest.approx(math.sqrt(0.5), rel=1e-4)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_a_scale_of_pure_tones_above_middle_c_is_all_right(rate: int) -> None:
    scale = list(range(60, 85))
    probabilities = chroma(tones(scale, rate=rate), rate)
    assert torch.allclose(probabilities.exp().sum(1), torch.ones(1), atol=1e-4)
    assert accuracy(tones(scale, rate=rate), scale, rate=rate) == 1


def test_a_bass_line_alone_is_no_melody() -> None:
    bass = [28, 35, 40, 33, 45, 43, 36, 31]
    assert accuracy(tones(bass), bass) == 0
    assert float(chroma(tones([33], seconds=2), RATE).exp()[0, 12, 4:-4].min()) > 0.9


def test_a_melody_is_heard_over_a_louder_bass() -> None:
    melody, bass = [64, 67, 72, 71], [40, 45, 36, 43]
    together = tones(melody, harmonics=4) + 3 * tones(bass)
    assert accuracy(together, melody) > 0.95


def test_octaves_of_a_tone_are_one_class() -> None:
    for pitch in (62, 74, 86):
        held = chroma(tones([pitch], seconds=1), RATE)[0].mean(1)
        assert int(held.argmax()) == 2
        assert float(held[2].exp()) > 0.6


def test_what_the_level_is_does_not_matter() -> None:
    audio = tones([64, 71], harmonics=4)
    assert torch.allclose(chroma(0.1 * audio, RATE), chroma(audio, RATE), atol=0.05)


def test_noise_and_silence_have_no_class(generator: torch.Generator) -> None:
    noise = torch.randn(1, 4 * RATE, generator=generator)
    assert float(chroma(noise, RATE).exp().mean(2).max()) < 0.15
    assert float(chroma(torch.zeros(1, RATE), RATE).exp()[:, 12].min()) > 0.95


def test_music_that_is_wrong_is_better_than_silence() -> None:
    wrong, silent = tones([61], seconds=1), torch.zeros(1, RATE)
    losses = [-float(chroma(audio, RATE)[0, 0].mean()) for audio in (wrong, silent)]
    assert math.log(12) < losses[0] < losses[1]


@settings(max_examples=20, deadline=None)
@given(st.floats(-100, 0), st.integers(0, 2**31 - 1))
def test_values_and_gradients_are_finite_at_any_level(level: float, seed: int) -> None:
    noise = torch.randn(1, RATE // 2, generator=torch.Generator().manual_seed(seed))
    audio = (10 ** (level / 20) * noise).requires_grad_()
    probabilities = chroma(audio, RATE)
    probabilities[:, 0].mean().backward()
    assert torch.isfinite(probabilities).all()
    assert torch.isfinite(audio.grad).all()


def test_silence_has_a_finite_gradient() -> None:
    audio = torch.zeros(2, RATE, requires_grad=True)
    chroma(audio, RATE)[:, 3].sum().backward()
    assert torch.isfinite(audio.grad).all()


def test_times_count_the_frames() -> None:
    for samples in (RATE, 6 * RATE, 30_000):
        times = chroma_times(samples, RATE)
        assert chroma(torch.zeros(1, samples), RATE).shape == (1, 13, len(times))
    assert float(times[1]) == pytest.approx(1024 / RATE)


def test_audio_shorter_than_half_a_frame_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="shorter than half a frame"):
        chroma(torch.zeros(1, 2048), RATE)
