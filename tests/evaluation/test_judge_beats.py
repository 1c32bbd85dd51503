"""Tempo and beats of clicks whose tempo is known."""

import numpy as np
import pytest

from ditto_music import InputError
from ditto_music.evaluation.judges.beats import (
    beat_f_measure,
    onset_f_measure,
    onsets,
    pulse,
    same_tempo,
)


def clicks(bpm: float, seconds: float = 6.0, rate: int = 24_000) -> tuple[np.ndarray, np.ndarray]:
    """Clicks of 20 ms over faint noise, and their times."""
    rng = np.random.default_rng(0)
    beats = np.arange(0.2, seconds - 0.1, 60 / bpm)
    clip = 1e-4 * rng.standard_normal(round(seconds * rate))
    for beat in beats:
        start = round(beat * rate)
        clip[start : start + rate // 50] += 0.5 * rng.standard_normal(rate // 50)
    return clip.astype(np.float32), beats


@pytest.mark.parametrize("bpm", [70, 90, 101, 120, 140, 168])
@pytest.mark.parametrize("rate", [24_000, 44_100])
def test_clicks_have_their_tempo_and_their_beats(bpm: int, rate: int) -> None:
    clip, beats = clicks(bpm, rate=rate)
    heard = pulse(clip, rate)
    assert same_tempo(heard.bpm, bpm)
    assert same_tempo(heard.beat_bpm, bpm)
    assert beat_f_measure(clip, rate, beats) > 0.8
    assert beat_f_measure(clip, rate, beats + 30 / bpm) < 0.2


def test_octaves_count_only_where_they_may() -> None:
    assert same_tempo(124.7, 120)
    assert not same_tempo(125, 120)
    assert not same_tempo(60, 120)
    assert same_tempo(60, 120, octaves=True)
    assert same_tempo(240, 120, octaves=True)
    assert not same_tempo(90, 120, octaves=True)
    assert not same_tempo(0, 120, octaves=True)


def test_silence_has_no_pulse() -> None:
    heard = pulse(np.zeros(24_000), 24_000)
    assert heard.bpm == heard.beat_bpm == 0
    assert not len(heard.beats)
    assert beat_f_measure(np.zeros(24_000), 24_000, [0.2, 0.7]) == 0


def test_a_clip_under_a_second_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="give a second or more"):
        pulse(0.1 * np.ones(20_000), 24_000)


def test_onsets_are_where_clicks_begin_and_a_shifted_rhythm_is_another() -> None:
    clip, beats = clicks(100)
    assert np.abs(onsets(clip, 24_000) - beats).max() < 0.03
    late, _ = clicks(100, rate=44_100)
    assert onset_f_measure(late, 44_100, clip, 24_000) == 1
    assert onset_f_measure(np.roll(late, 13_000), 44_100, clip, 24_000) < 0.1
    assert onset_f_measure(np.zeros(144_000), 24_000, clip, 24_000) == 0
