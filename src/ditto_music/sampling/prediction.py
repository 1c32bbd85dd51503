"""What networks predict, turned into the clean estimate ``x0_hat`` and from there into the rest.

With ``x_t = alpha x_0 + sigma eps`` any two of x_t, x_0 and eps give all; the velocities mix them:
``v = alpha eps - sigma x_0`` (Salimans and Ho 2022), ``u = eps - x_0`` (flow matching).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Prediction = Literal["x0", "eps", "v", "flow"]


def clean(kind: Prediction, output: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The clean estimate of what a network predicted.

    Parameters
    ----------
    kind : of the prediction.
    output, x_t : (B, ...)
    alpha, sigma : () at the time of `x_t`; a prediction of "eps" needs an alpha above 0.
    """
    if kind == "x0":
        return output
    if kind == "eps":
        return (x_t - sigma * output) / alpha
    if kind == "v":
        return (alpha * x_t - sigma * output) / (alpha.square() + sigma.square())
    return (x_t - sigma * output) / (alpha + sigma)


def predicted(kind: Prediction, x_0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What a network of this kind would have predicted for a clean estimate; sigma above 0."""
    if kind == "x0":
        return x_0
    eps = (x_t - alpha * x_0) / sigma
    if kind == "eps":
        return eps
    if kind == "v":
        return alpha * eps - sigma * x_0
    return eps - x_0


def edm_clean(output: Tensor, x: Tensor, level: Tensor, data: float = 0.5) -> Tensor:
    """The denoiser of EDM (Karras et al. 2022, table 1) of a raw network's output.

    Parameters
    ----------
    output : (B, ...) of the network, fed ``x / sqrt(level^2 + data^2)``.
    x : (B, ...), ``x_0 + level eps``.
    level : () noise level.
    data : standard deviation of the clean data.
    """
    total = level.square() + data**2
    return data**2 / total * x + level * data * total.rsqrt() * output
