"""The judges of melodies: known tunes are heard, noise and wrong tunes are not."""

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditto_music import InputError
from ditto_music.evaluation.judges.notes import (
    HEARD,
    classes_at,
    melody_accuracy,
    melody_accuracy_crepe,
    note_recall,
    pitch_classes,
)

RATE = 24_000
TUNE = [(0.5 * i, 0.5, key) for i, key in enumerate([60, 64, 67, 72, 71, 67, 65, 62])]
TIMES = np.arange(0, 4, 0.02) + 0.01


def play(notes: list[tuple[float, float, int]], seconds: float = 4.0) -> np.ndarray:
    """Tones of six partials that die away."""
    t = np.arange(round(seconds * RATE)) / RATE
    clip = np.zeros(len(t))
    for start, length, key in notes:
        since = t - start
        sounds = (since >= 0) & (since < length)
        hertz = 440 * 2 ** ((key - 69) / 12)
        tone = sum(np.sin(2 * np.pi * hertz * k * since) / k**1.5 for k in range(1, 7))
        clip += 0.2 * sounds * np.exp(-2 * since * sounds) * tone
    return clip.astype(np.float32)


@pytest.fixture(scope="module")
def tune() -> np.ndarray:
    return play(TUNE)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)


def test_a_tune_is_heard_by_both(tune: np.ndarray) -> None:
    target = classes_at(TUNE, TIMES)
    accuracy = melody_accuracy(tune, RATE, TIMES, target)
    assert accuracy.top.found > 0.9
    assert accuracy.heard.found > 0.9
    assert accuracy.top.transposed < 0.02
    assert melody_accuracy_crepe(tune, RATE, TIMES, target).found > 0.9


def test_an_octave_is_no_error_but_what_lies_under_middle_c_is_not_heard() -> None:
    target = classes_at(TUNE, TIMES)
    high = play([(start, length, key + 12) for start, length, key in TUNE])
    assert melody_accuracy(high, RATE, TIMES, target).top.found > 0.9
    assert melody_accuracy_crepe(high, RATE, TIMES, target).found > 0.9
    bass = play([(start, length, key - 24) for start, length, key in TUNE])
    assert melody_accuracy(bass, RATE, TIMES, target).top.found < 0.25


def test_noise_and_silence_are_near_chance(noise: np.ndarray) -> None:
    target = classes_at(TUNE, TIMES)
    for clip in (noise, np.zeros(4 * RATE)):
        accuracy = melody_accuracy(clip, RATE, TIMES, target)
        assert accuracy.top.found < 0.25
        assert accuracy.heard.found < 0.15
        assert melody_accuracy_crepe(clip, RATE, TIMES, target).found < 0.25


def test_the_right_notes_at_wrong_times_get_no_more_than_shuffled_ones(tune: np.ndarray) -> None:
    target = classes_at(TUNE, TIMES)
    right = melody_accuracy(tune, RATE, TIMES, target).top
    wrong = melody_accuracy(tune, RATE, TIMES, np.roll(target, len(target) // 2)).top
    assert right.shuffled == pytest.approx(wrong.shuffled)
    assert 0.1 < right.shuffled < 0.25
    assert wrong.found < 0.4 < right.found


def test_rests_of_the_target_do_not_count(tune: np.ndarray) -> None:
    target = classes_at(TUNE[:2], TIMES)
    assert (target[TIMES > 1] == -1).all()
    assert melody_accuracy(tune, RATE, TIMES, target).top.found > 0.9


def test_heard_is_mir_evals_chroma_recall(tune: np.ndarray) -> None:
    clip = tune + play([(0.0, 4.0, 69), (0.0, 2.0, 76)])
    classes, frames = pitch_classes(clip, RATE)
    target = classes_at(TUNE, frames)
    voiced = target >= 0
    sounding = [60 + np.flatnonzero(column >= HEARD) for column in classes.T]
    scores = mir_eval.multipitch.evaluate(
        frames[voiced],
        [mir_eval.util.midi_to_hz(np.array([60 + note])) for note in target[voiced]],
        frames,
        [mir_eval.util.midi_to_hz(keys) for keys in sounding],
    )
    heard = melody_accuracy(clip, RATE, frames, target).heard
    assert heard.found == pytest.approx(scores["Chroma Recall"], abs=1e-9)
    assert heard.found > 0.9


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=60))
def test_chance_is_what_it_says(pairs: list[tuple[int, int]]) -> None:
    from ditto_music.evaluation.judges.notes import _share

    heard, target = np.array(pairs).T
    share = _share(lambda notes: float((notes == heard).mean()), target)
    assert share.transposed == pytest.approx((1 - share.found) / 11)
    rng = np.random.default_rng(0)
    orders = [float((rng.permutation(target) == heard).mean()) for _ in range(400)]
    assert share.shuffled == pytest.approx(np.mean(orders), abs=0.15)
    assert 0 <= share.found <= 1


def test_whole_notes_are_recalled(tune: np.ndarray) -> None:
    recall, precision = note_recall(tune, RATE, TUNE)
    assert recall > 0.8
    assert precision > 0.8
    late = [(start + 0.2, length, key) for start, length, key in TUNE]
    assert note_recall(tune, RATE, late)[0] == 0
    assert note_recall(np.zeros(RATE), RATE, TUNE) == (0.0, 0.0)


def test_classes_are_the_highest_notes_and_rests_are_minus_one() -> None:
    notes = [(0.0, 1.0, 60), (0.5, 1.0, 67), (2.0, 0.5, 61)]
    assert list(classes_at(notes, [0.1, 0.6, 1.4, 1.7, 2.2, 3.0])) == [0, 7, 7, -1, 1, -1]


@pytest.mark.parametrize(
    ("times", "target", "words"),
    [
        ([0.1, 0.2], [1], "as many times as pitch classes"),
        ([0.1, 0.2], [-1, -1], "-1 is a rest"),
        ([0.1, 0.2], [3, 12], "from 0 to 11"),
    ],
)
def test_bad_targets_are_one_clear_line(
    tune: np.ndarray, times: list[float], target: list[int], words: str
) -> None:
    for judge in (melody_accuracy, melody_accuracy_crepe):
        with pytest.raises(InputError, match=words):
            judge(tune, RATE, times, target)
