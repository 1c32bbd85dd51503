"""Brightness: make the spectral centroid follow a curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from ditto_music.audio import read_recording
from ditto_music.controls.base import Control
from ditto_music.controls.curves import CurveLike, Points, understand
from ditto_music.controls.references import beginning
from ditto_music.errors import InputError
from ditto_music.features.spectrum import (
    THRESHOLD_DB,
    centroid,
    centroid_times,
    check_length,
    smooth_frames,
)
from ditto_music.panels import Curve, Panel
from ditto_music.protocols import Clip, Form

DARKEST = 100.0  # Hz
BRIGHTEST = 0.25  # of the sample rate: the centroid of white noise


class Brightness(Control):
    """Spectral centroid averaged over a second, against a target curve averaged alike, in octaves.

    Parameters
    ----------
    curve
        Frequencies in Hz: numbers spread evenly over the clip (``[800, 3000]`` opens up),
        ``(seconds, Hz)`` pairs, text (``"800:3000"`` or ``"0=800,3=3000"``), a CSV of
        ``seconds,Hz`` rows, or an audio file whose brightness is copied. Between its points a
        curve moves evenly in octaves.

    Raises
    ------
    InputError
        If the curve cannot be understood; with the clip known, if that is shorter than half a
        second or a frequency is not 100 Hz to a quarter of its sample rate.
    """

    name = "brightness"
    files = ("curve",)
    tolerance = 0.01

    def __init__(self, curve: CurveLike) -> None:
        self.curve = understand(curve, "brightness", "Hz")

    def target(self, form: Form) -> Tensor:
        """The curve (F,) in octaves, log2 of Hz, on the centroid frames."""
        check_length(form.frames, form.sample_rate, "brightness: a clip")
        if isinstance(self.curve, Path):
            return _copy(self.curve, form).to(form.device)
        brightest = BRIGHTEST * form.sample_rate
        for hertz in self.curve.values:
            if not DARKEST <= hertz <= brightest:
                raise InputError(
                    f"brightness: {hertz:g} Hz is out of range: "
                    f"keep between {DARKEST:g} and {brightest:g}"
                )
        octaves = Points(self.curve.times, tuple(np.log2(self.curve.values)), self.curve.relative)
        times = self.times(form)
        return smooth_frames(octaves.at(times, form.seconds)).to(form.device)

    def times(self, form: Form) -> Tensor:
        """Of the frames (F,), in seconds."""
        return centroid_times(form.frames, form.sample_rate)

    def feature(self, clip: Clip) -> Tensor:
        """The clip's brightness (B, F) in octaves, log2 of Hz."""
        return centroid(clip.mono, clip.sample_rate).log2()

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """(B,): mean squared error in octaves^2."""
        return (feature - target).square().mean(-1)

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Root-mean-square error in octaves, (B,)."""
        return {"rms_error_octaves": (feature - target).square().mean(-1).sqrt()}

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """Target over achieved."""
        times = self.times(form)
        return [Curve("brightness", "Hz", times, target.exp2(), feature.exp2())]


def _copy(path: Path, form: Form) -> Tensor:
    """Brightness of a recording over the length of the clip, in octaves."""
    audio = beginning(read_recording(path), form, str(path))
    if float(audio.abs().max()) < 10 ** (THRESHOLD_DB / 20):
        raise InputError(
            f"brightness {path}: is silent for its first {form.seconds:g} s: give one with sound"
        )
    return centroid(audio, form.sample_rate)[0].log2()
