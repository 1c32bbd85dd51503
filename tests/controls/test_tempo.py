"""Tempo: low where the pulse is the one asked for, and one clear line for every bad one."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditto_music import InputError, Tempo, generate, optimize
from ditto_music.features.onset import onset_strength
from ditto_music.features.tempo import TEMPI, tempo_strength
from ditto_music.models.small import SmallModel
from ditto_music.panels import Curve
from ditto_music.protocols import Form

FORM = Form(6.0, 24_000, (8, 282), torch.device("cpu"))


def strength(bpm: float, between: float = 0.0) -> torch.Tensor:
    """The feature (1, 2, G) of six seconds of a pulse with quieter beats `between` its own."""
    noise = np.random.default_rng(0)
    audio = 1e-4 * noise.standard_normal(6 * 24_000)
    for beat, time in enumerate(np.arange(0.1, 5.9, 30 / bpm)):
        start = round(time * 24_000)
        level = 0.2 if beat % 2 == 0 else 0.2 * between
        length = len(audio) - start
        audio[start:] += level * np.exp(-np.arange(length) / 800) * noise.standard_normal(length)
    return feature(audio)


def feature(audio: np.ndarray) -> torch.Tensor:
    onsets = onset_strength(torch.from_numpy(audio).float()[None], 24_000)
    return torch.stack([tempo_strength(onsets), tempo_strength(onsets, 4)], dim=1)


def loss(asked: float, heard: torch.Tensor) -> float:
    control = Tempo(asked)
    return float(control.loss(heard, control.target(FORM)))


@pytest.mark.parametrize("bpm", [45, 60, 70, 90, 120, 140, 180])
def test_a_pulse_meets_its_own_tempo_and_no_other(bpm: float) -> None:
    heard = strength(bpm)
    assert loss(bpm, heard) <= Tempo.tolerance
    for other in (0.9, 1.1, 4 / 3, 1.5, 2.0):
        if 40 <= other * bpm <= 300:
            assert loss(other * bpm, heard) > 2 * Tempo.tolerance


def test_quiet_beats_between_are_allowed_and_even_ones_make_a_faster_pulse() -> None:
    assert loss(80, strength(80, between=0.0)) < Tempo.tolerance
    assert loss(80, strength(80, between=0.002)) < 1
    assert loss(80, strength(80, between=1.0)) > 3
    assert loss(160, strength(80, between=1.0)) < Tempo.tolerance


@given(st.floats(30, 300), st.integers(0, 2**31))
def test_the_loss_is_never_negative_and_gradients_are_finite(bpm: float, seed: int) -> None:
    control = Tempo(bpm)
    draw = np.random.default_rng(seed).uniform(-1, 1, (2, 2, len(TEMPI)))
    heard = torch.from_numpy(draw).float().requires_grad_()
    losses = control.loss(heard, torch.tensor(bpm))
    losses.sum().backward()
    assert losses.shape == (2,)
    assert bool((losses >= 0).all())
    assert torch.isfinite(heard.grad).all()


def test_the_tempo_heard_is_reported() -> None:
    heard = torch.cat([strength(90), strength(120)])
    tempi = Tempo(100).metrics(heard, torch.tensor(100.0))["bpm"]
    assert tempi.tolist() == pytest.approx([90, 120], rel=0.01)


def test_the_search_goes_towards_it(model: SmallModel) -> None:
    result = optimize(
        *(model, "calm", Tempo(150)),
        **{"duration": 2.0, "steps": 3, "surrogate_steps": 3, "iterations": 8, "lr": 0.1},
    )
    history = [row["tempo"] for row in result.items[0].history]
    assert min(history) < 0.9 * history[0]


def test_a_line_is_drawn_at_the_tempo(model: SmallModel) -> None:
    (panel,) = generate(model, "calm", Tempo(150), duration=2.0, steps=2).items[0].panels
    assert isinstance(panel, Curve)
    drawn = panel.times[panel.target.isfinite()]
    assert 143 < float(drawn.min()) < 150 < float(drawn.max()) < 157


@pytest.mark.parametrize("bpm", [0, -90, 29, 1000, math.nan, math.inf])
def test_tempi_that_are_none_are_refused(bpm: float) -> None:
    with pytest.raises(InputError, match=f"tempo is {bpm:g}: it must be 30 to 300 bpm"):
        Tempo(bpm)


def test_a_clip_without_room_for_four_beats_is_refused() -> None:
    assert float(Tempo(41).target(FORM)) == 41
    with pytest.raises(InputError, match=r"4 beats at 39 bpm last 6\.2 s, more than .* of 6 s"):
        Tempo(39).target(FORM)


def test_one_beat_is_never_all_that_is_heard() -> None:
    """Of 6 s hardly less is heard, in half of which there is no room for two beats at 40 bpm."""
    with pytest.raises(InputError, match=r"4 beats at 40 bpm last 6\.0 s, more than .* of 6 s"):
        Tempo(40).target(FORM)
