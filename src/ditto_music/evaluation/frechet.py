"""Frechet distance between two sets of embeddings, the distance of FAD and FID.

Heusel et al. 2017 (arXiv:1706.08500); for audio Kilgour et al. 2019 (arXiv:1812.08466). Its bias
from finite sets is removed as Chong and Forsyth 2020 (arXiv:1911.07023) do, which Gui et al. 2024
(arXiv:2311.01616) take over for music.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ditto_music.errors import InputError

Floats = npt.NDArray[np.float64]


def frechet_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Squared Frechet distance of the Gaussians fitted to two sets.

    ``|mean_a - mean_b|^2 + tr(C_a) + tr(C_b) - 2 tr((C_a C_b)^(1/2))``. The last trace is the sum
    of the singular values of ``X_a X_b^T / sqrt((n_a - 1)(n_b - 1))``, X the centred sets: no
    covariance is formed and no root of a singular matrix taken, so it is as sound for n < d.

    Parameters
    ----------
    a, b : (n_a, d), (n_b, d), at least two embeddings each.

    Returns
    -------
    float, 0 for equal sets, in squared units of the embedding.

    Raises
    ------
    InputError
        If the sets do not have these shapes or hold values that are not finite.
    """
    return frechet_to(a)(b)


def frechet_to(reference: npt.ArrayLike) -> Callable[[npt.ArrayLike], float]:
    """`frechet_distance` of any set made to one reference, whose Gaussian is fitted once.

    Raises
    ------
    InputError
        Of the reference at once, of what was made when it is called.
    """
    a = checked(reference)
    mean_a, root_a = _fit(a)
    spread_a = np.square(root_a).sum()

    def distance(made: npt.ArrayLike) -> float:
        mean_b, root_b = _fit(checked(made, like=a))
        shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
        spread = spread_a + np.square(root_b).sum()
        return max(0.0, float(np.square(mean_a - mean_b).sum() + spread - 2 * shared))

    return distance


def frechet_infinity(
    reference: npt.ArrayLike, made: npt.ArrayLike, rng: np.random.Generator, steps: int = 15
) -> float:
    """The distance an endless set of made clips would have: FAD-infinity.

    The distance of n made clips exceeds it by about c / n; a line through distances of `steps`
    sizes from a fifth of the set to all of it, against 1 / n, gives the value at 1 / n = 0. Subsets
    are drawn without replacement, for with it the line would end at the distance of the set itself.
    The reference is taken as it is and should be large.

    Parameters
    ----------
    reference, made : (n, d), (m, d)
    rng : draws the subsets.
    steps : sizes on the line.

    Returns
    -------
    float, below `frechet_distance` of the same sets and, where both are alike, possibly below 0.

    Raises
    ------
    InputError
        As `frechet_distance`, and if fewer than 50 clips were made.
    """
    made = np.asarray(made, np.float64)
    if len(made) < 50:
        raise InputError(
            f"{len(made)} clips are too few to extrapolate from: give 50, or use frechet_distance"
        )
    sizes = np.linspace(len(made) // 5, len(made), steps).astype(int)
    distance = frechet_to(reference)
    distances = [distance(made[rng.choice(len(made), size, replace=False)]) for size in sizes]
    return float(np.polyfit(1 / sizes, distances, 1)[1])


def frechet_corrected(
    distance: Callable[[npt.ArrayLike], float],
    made: npt.ArrayLike,
    rng: np.random.Generator,
    groups: int = 10,
) -> float:
    """The distance less most of its bias, also for the few clips that `frechet_infinity` refuses.

    The jackknife (Quenouille 1956): without one group in g the bias c / n is larger by a share
    1 / (g - 1), so ``g F - (g - 1) F'`` has none, F' the mean without each group in turn. Where
    there are fewer clips than the embedding really has dimensions the bias falls more slowly, and
    some is left.

    Parameters
    ----------
    distance : to a reference, of `frechet_to`.
    made : (m, d), at least four clips.
    rng : draws the groups.
    groups : g, at most one a clip.

    Returns
    -------
    float, where both sets are alike possibly below 0.

    Raises
    ------
    InputError
        As `frechet_distance`, and if fewer than four clips were made.
    """
    points = checked(made)
    if len(points) < 4:
        raise InputError(f"{len(points)} clips are too few to correct the distance: give 4 or more")
    count = min(groups, len(points))
    parts = np.array_split(rng.permutation(len(points)), count)
    without = [distance(np.delete(points, part, axis=0)) for part in parts]
    return count * distance(points) - (count - 1) * float(np.mean(without))


def checked(made: npt.ArrayLike, like: Floats | None = None) -> Floats:
    """A set in float64, (n, d).

    Parameters
    ----------
    like : a set that it is held against, (m, d).

    Raises
    ------
    InputError
        If it does not have this shape, holds values that are not finite, or is of another width.
    """
    points = np.asarray(made, np.float64)
    if points.ndim != 2 or len(points) < 2:
        raise InputError(
            f"a set of embeddings must be (count, width), two at the least, not {points.shape}"
        )
    if not np.isfinite(points).all():
        raise InputError("a set of embeddings holds values that are not numbers (NaN or infinity)")
    if like is not None and like.shape[1] != points.shape[1]:
        raise InputError(
            f"sets of embeddings must be of one width, not {like.shape[1]} and {points.shape[1]}"
        )
    return points


def _fit(points: Floats) -> tuple[Floats, Floats]:
    """Mean (d,) and a root R of the covariance R^T R, at most as many rows as the set or d."""
    mean = points.mean(0)
    centred = (points - mean) / np.sqrt(len(points) - 1)
    tall = centred.shape[0] > centred.shape[1]
    return mean, np.asarray(np.linalg.qr(centred, mode="r")) if tall else centred
