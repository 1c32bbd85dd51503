"""Spectra in thirds of an octave, and zero-phase filters drawn by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Spectra = npt.NDArray[np.complexfloating[Any]]

BINS = 2048


def spectra(mono: Array) -> Spectra:
    """Of half-overlapping frames of `mono` (N,), Hann-windowed: (F, BINS + 1)."""
    size = 2 * BINS
    padded = np.pad(mono, (0, max(0, size - len(mono))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::BINS]
    return np.fft.rfft(frames * np.hanning(size))


def thirds(bins: Array) -> Array:
    """Each bin's mean over the third of an octave around it."""
    sums = np.concatenate([[0.0], np.cumsum(bins)])
    place = np.arange(len(bins))
    low = np.floor(place * 2 ** (-1 / 6)).astype(int)
    high = np.minimum(np.ceil(place * 2 ** (1 / 6)).astype(int) + 1, len(bins))
    return (sums[high] - sums[low]) / (high - low)


def filtered(audio: Array, response: Array) -> Array:
    """`audio` (..., N) under a real response (BINS + 1,), without delay."""
    length = audio.shape[-1]
    size = 1 << int(np.ceil(np.log2(length + 2 * BINS)))
    impulse = np.roll(np.fft.irfft(response), BINS) * np.hanning(2 * BINS)
    both = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(impulse, size), size)
    return both[..., BINS : BINS + length]
