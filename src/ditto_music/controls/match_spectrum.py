"""Match a spectrum: make the balance of low, middle and high that of a recording."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ditto_music.audio import read_recording
from ditto_music.controls.base import Control
from ditto_music.controls.references import mono
from ditto_music.errors import InputError
from ditto_music.features.spectrum import (
    REACH,
    SHORTEST_SECONDS,
    band_centres,
    check_length,
    spectral_balance,
)
from ditto_music.panels import Curve, Panel
from ditto_music.protocols import Clip, Form

RANGE_DB = 60.0  # bands further below the loudest hold nothing to match
SILENCE = 10 ** (-90 / 20)
FEWEST = 3  # bands that make a balance


class MatchSpectrum(Control):
    """Mean power in bands an octave wide, a third apart, against that of a recording, in dB.

    Each is taken relative to its own mean over the bands, so the level is free. Bands where the
    recording has next to nothing, or that reach over half its sample rate, are free too.

    Parameters
    ----------
    recording : path of an audio file of half a second or more, at any rate.

    Raises
    ------
    InputError
        If the file cannot be read or is too short; with the clip known, if that is shorter than
        half a second, or the recording silent or hardly more than a tone.
    """

    name = "match-spectrum"
    files = ("recording",)
    tolerance = 1.0

    def __init__(self, recording: str | Path) -> None:
        self.path = recording
        self.recording = read_recording(recording, what="match-spectrum")
        if self.recording.seconds < SHORTEST_SECONDS:
            raise InputError(
                f"match-spectrum {recording}: lasts {self.recording.seconds:.2f} s: "
                f"give at least {SHORTEST_SECONDS:g} s"
            )

    def target(self, form: Form) -> Tensor:
        """Level (K,) of each band in dB, less the mean; NaN where it is free."""
        rate = form.sample_rate
        check_length(form.frames, rate, "match-spectrum: a clip")
        audio = mono(self.recording, rate)
        if float(audio.std()) < SILENCE:
            raise InputError(f"match-spectrum {self.path}: is silent: give a recording with sound")
        level = spectral_balance(audio / audio.std(), rate)[0]
        known = len(level)
        if self.recording.sample_rate < rate:
            known = len(band_centres(self.recording.sample_rate)) - REACH
        heard = (level > level.max() - RANGE_DB) & (torch.arange(len(level)) < known)
        if int(heard.sum()) < FEWEST:
            raise InputError(
                f"match-spectrum {self.path}: sounds in fewer than {FEWEST} bands: "
                "give a recording with more than a tone"
            )
        return torch.where(heard, level - level[heard].mean(), torch.nan).to(form.device)

    def feature(self, clip: Clip) -> Tensor:
        """The clip's level (B, K) of each band in dBFS."""
        return spectral_balance(clip.mono, clip.sample_rate)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """(B,): mean squared error over the bands, in dB^2."""
        error = (feature - target)[:, target.isfinite()]
        return (error - error.mean(-1, keepdim=True)).square().mean(-1)

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Root-mean-square error in dB, (B,)."""
        return {"rms_error_db": self.loss(feature, target).sqrt()}

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """Target over achieved, each less its mean over the bands that are matched."""
        centres = band_centres(form.sample_rate)
        achieved = feature - feature[target.isfinite()].mean()
        return [Curve("spectrum", "dB", centres, target, achieved, "frequency (Hz)")]
