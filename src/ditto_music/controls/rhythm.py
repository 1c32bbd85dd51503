"""Rhythm: make the music rise and rest when a recording does."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ditto_music.audio import read_recording
from ditto_music.controls.base import Control
from ditto_music.controls.intensity import pearson, unlikeness
from ditto_music.controls.references import beginning
from ditto_music.errors import InputError
from ditto_music.features.onset import onset_strength, onset_times
from ditto_music.panels import Curve, Panel
from ditto_music.protocols import Clip, Form

FAINTEST = 1.0  # dB a frame: noise stays under it, the onsets of music are above


class Rhythm(Control):
    """Onset strength against that of a recording, by correlation.

    When notes begin and how clearly, free of loudness, pitch and sound. Onsets are bumps 40 ms
    wide, so what is a little early or late still counts.

    Parameters
    ----------
    recording : path of an audio file, at least as long as the clip; its beginning is followed.

    Raises
    ------
    InputError
        If the file cannot be read; with the clip known, if it is shorter, or nothing begins in it.
    """

    name = "rhythm"
    files = ("recording",)
    tolerance = 0.15

    def __init__(self, recording: str | Path) -> None:
        self.path = recording
        self.recording = read_recording(recording, what="rhythm")

    def target(self, form: Form) -> Tensor:
        """Onset strength (F,) of the recording in dB a frame."""
        audio = beginning(self.recording, form, f"rhythm {self.path}")
        strength = onset_strength(audio, form.sample_rate)[0]
        if float(strength.max()) < FAINTEST:
            raise InputError(
                f"rhythm {self.path}: nothing begins in its first {form.seconds:g} s: "
                "give a recording with clear onsets"
            )
        return strength.to(form.device)

    def times(self, form: Form) -> Tensor:
        """Of the frames (F,), in seconds."""
        return onset_times(form.frames, form.sample_rate)

    def feature(self, clip: Clip) -> Tensor:
        """The clip's onset strength (B, F) in dB a frame."""
        return onset_strength(clip.mono, clip.sample_rate)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """(B,): one minus the correlation, from 0 to 2; 0 for a part in which nothing begins."""
        return unlikeness(feature, target, target.amax() >= FAINTEST)

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Pearson correlation (B,)."""
        return {"correlation": pearson(feature, target)}

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """Both, each in its own standard deviations."""
        times = self.times(form)
        return [Curve("onset strength", "sd", times, _standard(target), _standard(feature))]


def _standard(curve: Tensor) -> Tensor:
    return (curve - curve.mean()) / curve.std().clamp(min=1e-3)
