"""The codec's distances: zero for the same sound, blind to what they should not see."""

import math

import torch

from training.codec.losses import (
    Discriminators,
    fool_loss,
    judge_loss,
    phase_distance,
    spectral_distance,
)


def tone(hertz: float, phase: float = 0.0, samples: int = 24_000) -> torch.Tensor:
    t = torch.arange(samples) / 24_000
    return 0.3 * torch.sin(2 * math.pi * hertz * t + phase)[None]


def test_a_sound_is_at_no_distance_from_itself() -> None:
    a = tone(440)
    assert float(spectral_distance(a, a)) < 1e-4
    assert abs(float(phase_distance(a, a))) < 5e-3


def test_spectral_distance_grows_with_the_error_of_level() -> None:
    a = tone(440)
    errors = [float(spectral_distance(a * 10 ** (d / 20), a)) for d in (1, 3, 9)]
    assert errors[0] < errors[1] < errors[2]


def test_steps_of_the_phase_see_frequency_but_neither_level_nor_start() -> None:
    a = tone(440)
    assert float(phase_distance(0.1 * tone(440, 1.3), a)) < 0.02
    assert float(phase_distance(tone(452), a)) > 0.1


def test_steps_of_the_phase_see_incoherence() -> None:
    """A tone whose phase jumps at random every 10 ms, as an untrained decoder makes it."""
    jumps = torch.rand(94, generator=torch.Generator().manual_seed(0)).repeat_interleave(256)
    t = torch.arange(24_000) / 24_000
    broken = 0.3 * torch.sin(2 * math.pi * (440 * t + jumps[:24_000]))[None]
    assert float(phase_distance(broken, tone(440))) > 0.3


def test_both_distances_have_finite_gradients_at_silence() -> None:
    made = torch.zeros(1, 24_000, requires_grad=True)
    silence = torch.zeros(1, 24_000)
    (spectral_distance(made, silence) + phase_distance(made, silence)).backward()
    assert torch.isfinite(made.grad).all()


def test_judges_and_fools_pull_in_opposite_directions() -> None:
    torch.manual_seed(0)
    judges = Discriminators((256,))
    real, fake = judges(tone(440)), judges(tone(600))
    verdict = judge_loss(real, fake)
    assert float(verdict) >= 0
    fooled, matched = fool_loss(real, real)
    assert float(matched) == 0
    assert float(fool_loss(real, fake)[1]) > 0
    assert torch.isfinite(fooled)
