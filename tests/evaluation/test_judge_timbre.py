"""Form by spectral contrast: a known ABA is heard, and a gain changes nothing."""

import math

import numpy as np
import pytest

from ditto_music import InputError
from ditto_music.evaluation.judges.timbre import form_agreement, self_similarity

RATE = 24_000
ABA = [(0.0, 2.0, "A"), (2.0, 4.0, "B"), (4.0, 6.0, "A")]


def organ(seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    chord = [220 * 2 ** (step / 12) * k for step in (0, 4, 7) for k in range(1, 12)]
    return 0.02 * sum(np.sin(2 * np.pi * hertz * t) for hertz in chord) + 0.01 * hiss(seconds)


def hiss(seconds: float) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))


@pytest.fixture(scope="module")
def aba() -> np.ndarray:
    return np.concatenate([organ(2), hiss(2), organ(2)]).astype(np.float32)


def test_blocks_and_matrix_of_an_aba_are_heard(aba: np.ndarray) -> None:
    agreement = form_agreement(aba, RATE, ABA)
    assert agreement.correlation > 0.8
    assert agreement.contrast > 1
    letters = np.repeat([0, 1, 0], 20)
    matrix = (letters[:, None] == letters).astype(np.float32)
    assert form_agreement(aba, RATE, matrix).correlation == pytest.approx(
        agreement.correlation, abs=0.05
    )


def test_other_forms_are_not_heard(aba: np.ndarray) -> None:
    wrong = [(0.0, 1.0, "A"), (1.0, 3.0, "B"), (3.0, 5.0, "A"), (5.0, 6.1, "B")]
    assert form_agreement(aba, RATE, wrong).correlation < 0.2
    assert abs(form_agreement(hiss(6), RATE, ABA).correlation) < 0.4


def test_a_gain_changes_nothing(aba: np.ndarray) -> None:
    assert np.allclose(self_similarity(aba, RATE), self_similarity(0.1 * aba, RATE), atol=1e-3)


def test_a_similarity_is_symmetric_with_ones(aba: np.ndarray) -> None:
    matrix = self_similarity(aba, RATE)
    assert matrix.shape == (24, 24)
    assert np.allclose(matrix, matrix.T)
    assert np.allclose(np.diag(matrix), 1)


def test_silence_agrees_with_nothing() -> None:
    agreement = form_agreement(np.zeros(6 * RATE), RATE, ABA)
    assert agreement.correlation == agreement.contrast == 0


def test_a_form_of_one_letter_has_no_agreement(aba: np.ndarray) -> None:
    agreement = form_agreement(aba, RATE, [(0.0, 6.0, "A")])
    assert math.isnan(agreement.correlation)
    assert math.isnan(agreement.contrast)


def test_bad_forms_and_short_clips_are_one_clear_line(aba: np.ndarray) -> None:
    with pytest.raises(InputError, match="no block at 4"):
        form_agreement(aba, RATE, ABA[:2])
    with pytest.raises(InputError, match="square matrix"):
        form_agreement(aba, RATE, np.zeros((4, 5)))
    with pytest.raises(InputError, match="give a second or more"):
        form_agreement(aba[: RATE // 2], RATE, ABA)
