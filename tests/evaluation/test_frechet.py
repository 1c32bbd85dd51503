"""Frechet distance against Gaussians whose distance is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from ditto_music import InputError
from ditto_music.evaluation.frechet import frechet_distance, frechet_infinity


def exactly(mean: np.ndarray, covariance: np.ndarray, count: int) -> np.ndarray:
    """A set (count, d) with just this mean and covariance."""
    rng = np.random.default_rng(1)
    points = rng.standard_normal((count, len(mean)))
    points -= points.mean(0)
    points = points @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(points.T)))).T
    return mean + points @ np.linalg.cholesky(covariance).T


def test_one_dimension_is_the_difference_of_means_and_of_deviations() -> None:
    a, b = exactly(np.zeros(1), np.array([[4.0]]), 50), exactly(np.ones(1), np.array([[9.0]]), 70)
    assert frechet_distance(a, b) == pytest.approx(1 + (3 - 2) ** 2)


def test_commuting_covariances_have_a_closed_form() -> None:
    one, two = np.array([1.0, 4.0, 9.0]), np.array([16.0, 1.0, 2.25])
    a = exactly(np.zeros(3), np.diag(one), 40)
    b = exactly(np.array([1.0, -2.0, 0.5]), np.diag(two), 60)
    wanted = 1 + 4 + 0.25 + np.square(np.sqrt(one) - np.sqrt(two)).sum()
    assert frechet_distance(a, b) == pytest.approx(wanted)


def test_general_covariances_agree_with_the_matrix_root() -> None:
    rng = np.random.default_rng(2)
    a = rng.standard_normal((300, 6)) @ rng.standard_normal((6, 6))
    b = 1 + rng.standard_normal((200, 6)) @ rng.standard_normal((6, 6))
    one, two = np.cov(a.T), np.cov(b.T)
    root = np.real(sqrtm(one @ two))
    wanted = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(one + two - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(wanted)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_properties_of_a_distance_also_for_fewer_points_than_dimensions(
    count: int, other: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((count, width)), rng.standard_normal((other, width)) * 2 + 1
    distance = frechet_distance(a, b)
    assert distance >= 0
    assert distance == pytest.approx(frechet_distance(b, a))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9 * width * count)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * distance)
    turn = np.linalg.qr(rng.standard_normal((width, width)))[0]
    assert frechet_distance(a @ turn + 5, b @ turn + 5) == pytest.approx(distance)


def test_fewer_points_than_dimensions_equal_the_same_points_in_their_own_subspace() -> None:
    rng = np.random.default_rng(3)
    flat_a, flat_b = rng.standard_normal((12, 5)), 2 * rng.standard_normal((9, 5))
    wide = np.linalg.qr(rng.standard_normal((400, 5)))[0].T
    assert frechet_distance(flat_a @ wide, flat_b @ wide) == pytest.approx(
        frechet_distance(flat_a, flat_b)
    )


def test_extrapolation_takes_the_bias_of_finite_sets_away() -> None:
    rng = np.random.default_rng(4)
    reference, made = rng.standard_normal((5_000, 20)), rng.standard_normal((400, 20))
    made[:, 0] += 1
    biased = frechet_distance(reference, made)
    free = frechet_infinity(reference, made, np.random.default_rng(0))
    assert biased > 1.2
    assert abs(free - 1) < 0.5 * (biased - 1)
    assert free == frechet_infinity(reference, made, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), "two at the least"),
        (np.zeros(3), np.zeros((5, 3)), "two at the least"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "one width"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "not numbers"),
    ],
)
def test_bad_sets_are_one_clear_line(a: np.ndarray, b: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        frechet_distance(a, b)


def test_too_few_to_extrapolate_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="too few"):
        frechet_infinity(np.zeros((60, 2)), np.zeros((20, 2)), np.random.default_rng(0))
