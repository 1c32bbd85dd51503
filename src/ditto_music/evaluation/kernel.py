"""Kernel distance between two sets of embeddings: the squared maximum mean discrepancy.

Gretton et al. 2012 (A kernel two-sample test, lemma 6); for audio Chung et al. 2025 (KAD). Unlike
the Frechet distance it supposes no Gaussians, and its estimate is unbiased for sets of any size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist, pdist

from ditto_music.errors import InputError
from ditto_music.evaluation.frechet import checked


def kernel_distance(
    reference: npt.ArrayLike, made: npt.ArrayLike, bandwidth: float | None = None
) -> float:
    """Unbiased squared discrepancy with a Gaussian kernel ``exp(-|x - y|^2 / (2 bandwidth^2))``.

    Parameters
    ----------
    reference, made : (n, d), (m, d), at least two embeddings each.
    bandwidth : in units of the embedding; None: the median distance within the reference.

    Returns
    -------
    float, from about 0 for sets of one kind, where it may be below 0, to 2.

    Raises
    ------
    InputError
        As `frechet_distance`, and if all of the reference is one point.
    """
    return kernel_to(reference, bandwidth)(made)


def kernel_to(
    reference: npt.ArrayLike, bandwidth: float | None = None
) -> Callable[[npt.ArrayLike], float]:
    """`kernel_distance` of any set made to one reference, whose own part is computed once.

    Raises
    ------
    InputError
        Of the reference at once, of what was made when it is called.
    """
    a = checked(reference)
    apart = pdist(a)
    width = _median(apart) if bandwidth is None else bandwidth

    def alike(distances: npt.ArrayLike) -> float:
        return float(np.exp(-np.square(np.asarray(distances)) / (2 * width**2)).mean())

    own = alike(apart)

    def distance(made: npt.ArrayLike) -> float:
        b = checked(made, like=a)
        return own + alike(pdist(b)) - 2 * alike(cdist(a, b))

    return distance


def _median(distances: npt.ArrayLike) -> float:
    median = float(np.median(np.asarray(distances)))
    if median == 0:
        raise InputError("most of the reference is one and the same clip: give different ones")
    return median
