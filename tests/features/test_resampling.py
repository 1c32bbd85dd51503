"""Resampling is soxr's, and differentiable."""

import math

import numpy as np
import pytest
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditto_music.features.resampling import polyphase, resample

RATES = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]


@pytest.mark.parametrize(
    ("old", "new", "tolerance"),
    [
        (24_000, 16_000, 5e-4),
        (44_100, 16_000, 5e-4),
        (48_000, 16_000, 5e-4),
        (22_050, 16_000, 5e-4),
        (8_000, 16_000, 5e-4),
        (24_000, 48_000, 5e-4),
        (44_101, 16_000, 0.1),  # drifts by a millionth: a microsecond in this second
    ],
)
def test_what_both_rates_hold_is_as_soxr_makes_it(old: int, new: int, tolerance: float) -> None:
    """Sines up to 0.9 of the lower Nyquist frequency."""
    generator = np.random.default_rng(0)
    time = np.arange(old) / old
    frequencies = generator.uniform(20, 0.45 * min(old, new), 30)
    sines = np.sin(2 * np.pi * np.outer(frequencies, time) + generator.uniform(0, 6, (30, 1)))
    audio = sines.mean(0).astype(np.float32)
    own = resample(torch.from_numpy(audio)[None], old, new)[0].numpy()
    theirs = soxr.resample(audio, old, new, quality="VHQ")
    assert abs(len(own) - len(theirs)) <= 1
    edge = new // 50  # both ring where the sound begins and ends
    error = np.abs(own[edge : new - edge] - theirs[edge : new - edge]).max()
    assert error < tolerance * np.abs(theirs).max()


def test_what_the_new_rate_cannot_hold_is_gone() -> None:
    time = torch.arange(48_000, dtype=torch.float64) / 48_000
    tone = torch.sin(2 * torch.pi * 8_100 * time).float()[None]
    assert resample(tone, 48_000, 16_000)[:, 200:-200].abs().max() < 2e-4


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(RATES), st.sampled_from(RATES), st.integers(1, 3000))
def test_lengths_are_those_of_the_time(old: int, new: int, samples: int) -> None:
    out = resample(torch.ones(2, samples), old, new)
    assert out.shape == (2, math.ceil(samples * new / old))


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(RATES), st.sampled_from(RATES))
def test_a_constant_stays_one(old: int, new: int) -> None:
    out = resample(torch.ones(1, old // 4), old, new)
    assert torch.allclose(out[:, new // 10 : -new // 10], torch.tensor(1.0), atol=1e-4)


def test_the_same_rate_is_the_same_audio() -> None:
    audio = torch.randn(2, 100)
    assert resample(audio, 24_000, 24_000) is audio


def test_gradients_are_the_filters_transpose() -> None:
    """One output sample depends on the input by exactly the filter of its phase."""
    audio = torch.zeros(1, 2000, requires_grad=True)
    resample(audio, 24_000, 16_000)[0, 500].backward()  # phase 0 of 2, input sample 750
    kernel = polyphase(2, 3)[0]
    half = (len(kernel) - 3) // 2
    assert audio.grad is not None
    assert torch.allclose(audio.grad[0, 750 - half : 750 + half + 3], kernel)
    assert audio.grad.count_nonzero() == kernel.count_nonzero()
