"""The spectral distance: zero for the same sound, growing with the error, finite everywhere."""

import math

import torch

from training.spectral import spectral_distance


def tone(hertz: float, phase: float = 0.0, samples: int = 24_000) -> torch.Tensor:
    t = torch.arange(samples) / 24_000
    return 0.3 * torch.sin(2 * math.pi * hertz * t + phase)[None]


def test_a_sound_is_at_no_distance_from_itself() -> None:
    a = tone(440)
    assert float(spectral_distance(a, a)) < 1e-4


def test_spectral_distance_grows_with_the_error_of_level() -> None:
    a = tone(440)
    errors = [float(spectral_distance(a * 10 ** (d / 20), a)) for d in (1, 3, 9)]
    assert errors[0] < errors[1] < errors[2]


def test_its_gradient_is_finite_at_silence() -> None:
    made = torch.zeros(1, 24_000, requires_grad=True)
    silence = torch.zeros(1, 24_000)
    spectral_distance(made, silence).backward()
    assert torch.isfinite(made.grad).all()
