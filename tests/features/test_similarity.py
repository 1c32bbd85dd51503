"""Self-similarity and its smoothing against what the equations say."""

import numpy as np
import pytest
import torch
from scipy.signal import savgol_filter

from ditto_music.features.similarity import self_similarity, smooth_both_ways


def test_entries_are_products_of_moments(generator: torch.Generator) -> None:
    features = torch.randn(2, 5, 9, generator=generator)
    matrix = self_similarity(features)
    assert matrix.shape == (2, 9, 9)
    assert float(matrix[1, 3, 7]) == pytest.approx(float(features[1, :, 3] @ features[1, :, 7]))
    assert torch.equal(matrix, matrix.transpose(1, 2))


@pytest.mark.parametrize("window", [5, 7, 21])
def test_smoothing_is_scipys_filter_along_both_axes(
    window: int, generator: torch.Generator
) -> None:
    matrix = torch.randn(2, 40, 40, generator=generator).double()
    wanted = matrix.numpy()
    for axis in (1, 2):
        wanted = savgol_filter(wanted, window, 2, axis=axis, mode="nearest")
    assert np.allclose(smooth_both_ways(matrix, window), wanted, atol=1e-9)


def test_constants_pass_and_symmetry_stays(generator: torch.Generator) -> None:
    flat = torch.full((30, 30), 0.7)
    assert torch.allclose(smooth_both_ways(flat, 7), flat, atol=1e-5)
    matrix = self_similarity(torch.randn(1, 4, 30, generator=generator))
    smoothed = smooth_both_ways(matrix, 7)
    assert torch.allclose(smoothed, smoothed.transpose(1, 2), atol=1e-5)
