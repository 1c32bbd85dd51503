"""Roll-off and third octaves of sounds whose spectrum is known."""

import math

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from ditto_music import InputError
from ditto_music.evaluation.judges.spectrum import balance_error, brightness_agreement

RATE = 24_000


def noise(seconds: float = 6.0, rate: int = RATE, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))


def opening(low: float, high: float, seconds: float = 6.0) -> np.ndarray:
    """Noise below an edge that moves evenly in octaves."""
    steps = 60
    edges = low * (high / low) ** ((np.arange(steps) + 0.5) / steps)
    parts = np.array_split(noise(seconds), steps)
    kept = [
        sosfilt(butter(8, edge, fs=RATE, output="sos"), part)
        for edge, part in zip(edges, parts, strict=True)
    ]
    return np.concatenate(kept).astype(np.float32)


def test_an_opening_filter_agrees_with_a_rising_curve_and_not_with_a_falling_one() -> None:
    clip = opening(500, 4000)
    assert brightness_agreement(clip, RATE, [0, 6], [500, 4000]) > 0.98
    assert brightness_agreement(clip, RATE, [0, 6], [4000, 500]) < -0.98
    assert brightness_agreement(10 * clip, RATE, [0, 6], [500, 4000]) > 0.98


def test_steady_noise_agrees_with_no_curve() -> None:
    assert abs(brightness_agreement(noise(), RATE, [0, 3, 6], [500, 4000, 500])) < 0.7
    assert brightness_agreement(np.zeros(6 * RATE), RATE, [0, 6], [500, 4000]) == 0


def test_balance_knows_a_tilt_and_not_a_gain() -> None:
    white, other = noise(), noise(seed=1)
    assert balance_error(0.01 * other, RATE, white, RATE) < 0.7
    hertz = np.fft.rfftfreq(len(white), 1 / RATE)
    tilted = np.fft.irfft(np.fft.rfft(other) * np.maximum(hertz, 20) ** -0.5)
    bands = np.arange(22)  # 3 dB an octave over seven octaves
    assert balance_error(tilted, RATE, white, RATE) == pytest.approx(np.std(bands), rel=0.1)


def test_balance_at_another_rate_is_the_same() -> None:
    assert balance_error(noise(rate=48_000), 48_000, noise(), RATE) < 0.7


def test_silence_and_short_clips() -> None:
    assert balance_error(np.zeros(RATE), RATE, noise(), RATE) == math.inf
    with pytest.raises(InputError, match=r"give 0\.5 s or more"):
        balance_error(noise(0.3), RATE, noise(), RATE)
    with pytest.raises(InputError, match="give 2 s or more"):
        brightness_agreement(noise(1.5), RATE, [0, 6], [500, 4000])
