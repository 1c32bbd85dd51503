"""Intensity: make the loudness of the music follow a curve (DITTO, sections 3.5 and 3.6)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch import Tensor

from ditto_music.audio import read_recording
from ditto_music.controls.base import Control
from ditto_music.controls.curves import CurveLike, Points, understand
from ditto_music.controls.references import beginning
from ditto_music.errors import InputError
from ditto_music.features import intensity, intensity_times
from ditto_music.features.loudness import smooth_curve
from ditto_music.panels import Curve, Panel
from ditto_music.protocols import Clip, Form

LOUDEST, QUIETEST = 0.0, -80.0
FLATTEST = 1e-3  # dB, standard deviation: a curve under it has no shape


class Intensity(Control):
    """Frame RMS in dBFS, smoothed over a second, against a target curve smoothed alike.

    Of several channels it is that of their mean power.

    Parameters
    ----------
    curve
        Levels in dBFS: numbers spread evenly over the clip (``[-35, -14]`` is a rise),
        ``(seconds, dB)`` pairs, text (``"-35:-14"`` or ``"0=-35,3=-14"``), a CSV of
        ``seconds,dB`` rows, or an audio file whose intensity is copied.
    loss
        ``"mse"``, the mean squared error in dB^2; or ``"correlation"``, ``1 - Pearson(f, y)``:
        the shape of the curve, free of its level.

    Raises
    ------
    InputError
        If the loss or the curve cannot be understood, or a level is not -80 to 0 dBFS; with the
        clip known, if it is too short or a recording shorter than it.
    """

    name = "intensity"
    files = ("curve",)

    def __init__(self, curve: CurveLike, loss: Literal["mse", "correlation"] = "mse") -> None:
        if loss not in ("mse", "correlation"):
            raise InputError(f"intensity loss '{loss}' is unknown: take mse or correlation")
        self.kind = loss
        self.curve = understand(curve, "intensity", "dB")
        if isinstance(self.curve, Points):
            outside = [value for value in self.curve.values if not QUIETEST <= value <= LOUDEST]
            if outside:
                raise InputError(
                    f"intensity: {outside[0]:g} dBFS is out of range: "
                    f"keep between {QUIETEST:g} and {LOUDEST:g}"
                )
        self.tolerance = 0.8 if loss == "mse" else 0.02
        self.sets_level = loss == "mse"  # else only the curve's shape is followed

    def target(self, form: Form) -> Tensor:
        """The curve (F,) in dBFS on the intensity frames."""
        times = self.times(form)
        if not len(times):
            raise InputError(
                f"a clip of {form.seconds:g} s is too short to have an intensity curve"
            )
        if isinstance(self.curve, Points):
            wanted = smooth_curve(self.curve.at(times, form.seconds))
        else:
            wanted = _copy(self.curve, form)
        if self.kind == "correlation" and float(wanted.std()) < FLATTEST:
            raise InputError("intensity: a flat curve has no shape to correlate with: use mse")
        return wanted.to(form.device)

    def times(self, form: Form) -> Tensor:
        """Of the frames (F,), in seconds."""
        return intensity_times(form.frames, form.sample_rate)

    def feature(self, clip: Clip) -> Tensor:
        """The clip's intensity (B, F) in dBFS."""
        return intensity(clip.levels, clip.sample_rate)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """(B,): dB^2, or one minus the correlation; 0 for a part of a curve that is flat."""
        if self.kind == "mse":
            return (feature - target).square().mean(-1)
        return unlikeness(feature, target, target.std() >= FLATTEST)

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Root-mean-square error in dB and Pearson correlation, (B,)."""
        return {
            "rms_error_db": (feature - target).square().mean(-1).sqrt(),
            "correlation": pearson(feature, target),
        }

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """Target over achieved."""
        times = self.times(form)
        return [Curve("intensity", "dBFS", times, target, feature)]


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation over the last axis, (...,); 0 where either is constant."""
    a, b = a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)
    return (a * b).sum(-1) / (a.square().sum(-1) * b.square().sum(-1) + 1e-8).sqrt()


def unlikeness(feature: Tensor, target: Tensor, shaped: Tensor) -> Tensor:
    """One minus the correlation, (B,), from 0 to 2; 0 where the target is not `shaped`, ().

    A window of an extension can have a part of a target in which nothing changes: it asks nothing.
    """
    return shaped * (1 - pearson(feature, target))


def _copy(path: Path, form: Form) -> Tensor:
    """Intensity of a recording over the length of the clip."""
    audio = beginning(read_recording(path), form, str(path), mix=False)
    return intensity(audio[None], form.sample_rate)[0].clamp(min=QUIETEST)
