"""Kernel distance against what is known of it."""

import numpy as np
import pytest

from ditto_music import InputError
from ditto_music.evaluation import frechet, kernel
from ditto_music.evaluation.frechet import frechet_distance, frechet_to
from ditto_music.evaluation.kernel import kernel_distance, kernel_to


def normal(mean: float, deviation: float, count: int, seed: int) -> np.ndarray:
    return mean + deviation * np.random.default_rng(seed).standard_normal((count, 1))


def of_gaussians(mean: float, a: float, b: float, width: float) -> float:
    """Solved by hand: the mean of the kernel between two normals is a normal density's."""

    def alike(distance: float, variance: float) -> float:
        total = width**2 + variance
        return width / np.sqrt(total) * np.exp(-(distance**2) / (2 * total))

    return alike(0, 2 * a**2) + alike(0, 2 * b**2) - 2 * alike(mean, a**2 + b**2)


def test_gaussians_have_a_closed_form() -> None:
    found = kernel_distance(normal(0, 1, 3000, 1), normal(1.5, 2, 3000, 2), bandwidth=0.8)
    assert found == pytest.approx(of_gaussians(1.5, 1, 2, 0.8), abs=0.01)


def test_three_points_by_hand() -> None:
    a, b = np.array([[0.0], [1.0]]), np.array([[0.0], [2.0]])
    k = lambda d: np.exp(-(d**2) / 2)  # noqa: E731
    across = (k(0) + k(2) + k(1) + k(1)) / 4
    assert kernel_distance(a, b, bandwidth=1.0) == pytest.approx(k(1) + k(2) - 2 * across)


def test_it_is_unbiased_for_small_sets() -> None:
    """The mean over many small sets of one kind is 0, where the Frechet distance's is far above."""
    reference = np.random.default_rng(0).standard_normal((500, 10))
    distance = kernel_to(reference)
    draws = [distance(np.random.default_rng(i).standard_normal((6, 10))) for i in range(1, 300)]
    error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws)) < 3 * error
    assert min(draws) < 0 < max(draws)


def test_a_reference_is_worked_out_once_for_any_number_of_sets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    reference, sets = rng.standard_normal((40, 6)), rng.standard_normal((3, 9, 6))
    wanted = [(kernel_distance(reference, one), frechet_distance(reference, one)) for one in sets]
    sizes = list[int]()

    def counted(work):
        def counting(points):
            sizes.append(len(points))
            return work(points)

        return counting

    monkeypatch.setattr(kernel, "pdist", counted(kernel.pdist))
    monkeypatch.setattr(frechet, "_fit", counted(frechet._fit))
    near, alike = kernel_to(reference), frechet_to(reference)
    found = [(near(one), alike(one)) for one in sets]
    assert np.allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert sizes.count(len(reference)) == 2
    assert sizes.count(9) == 2 * len(sets)


def test_far_sets_are_two_apart() -> None:
    a = np.zeros((5, 2)) + 1e-6 * np.random.default_rng(0).standard_normal((5, 2))
    assert kernel_distance(a, a + 100, bandwidth=1.0) == pytest.approx(2)


def test_bad_sets_are_one_clear_line() -> None:
    with pytest.raises(InputError, match="one width"):
        kernel_distance(np.eye(5, 3), np.ones((5, 4)))
    with pytest.raises(InputError, match="one and the same clip"):
        kernel_distance(np.ones((5, 3)), np.ones((5, 3)))
