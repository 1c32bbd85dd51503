"""Differentiable signal features: pure functions of tensors that know no model."""

from ditto_music.features.loudness import intensity, intensity_times
from ditto_music.features.smoothing import savgol_kernel, smooth

__all__ = ["intensity", "intensity_times", "savgol_kernel", "smooth"]
