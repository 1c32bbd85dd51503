"""Melody: make the music follow a tune by its pitch classes (DITTO)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.audio import names_file
from ditto_music.controls import midi
from ditto_music.controls.base import SLACK, Control
from ditto_music.controls.notes import Tune, listed_notes, parse_notes, read_voice
from ditto_music.errors import InputError
from ditto_music.features.chroma import CLASSES, HOP_SECONDS, chroma, chroma_times
from ditto_music.modes import own_modes
from ditto_music.panels import Panel, Roll
from ditto_music.protocols import Clip, Form

RECORDINGS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus", ".m4a")

Notes = str | Path | Sequence[tuple[float, float, int]] | np.ndarray


class Melody(Control):
    """Pitch-class probabilities above middle C against the class of a tune's note in each frame.

    The octave is free: a melody is followed wherever the model plays it. Rests, and what is left of
    the clip after the tune, are free too.

    Parameters
    ----------
    notes
        Text, each note with its seconds (``"C4:1 .:0.5 E4:0.5"``, a dot rests) or none of them
        (``"C D E"``, spread evenly over the clip); rows of (start seconds, end seconds, MIDI
        pitch); a MIDI file; or a recording of one voice or instrument. Files begin with their
        first note; where one is longer than the clip, its beginning is followed.
    transpose : semitones to move the tune by.
    stretch : factor of the tune's times, or ``"fit"``: it lasts as long as the clip.
    part : of a MIDI file, which channel of a track, from 1; None: the likeliest melody.

    Raises
    ------
    InputError
        If the notes, the file or a factor cannot be used; with the clip known, if typed notes last
        longer than it, or none long enough to be heard.
    """

    name = "melody"
    files = ("notes",)
    tolerance = 0.2

    @own_modes()
    def __init__(
        self,
        notes: Notes,
        transpose: int = 0,
        stretch: float | Literal["fit"] = 1.0,
        part: int | None = None,
    ) -> None:
        if not float(transpose).is_integer():
            raise InputError(f"melody: transpose is {transpose:g}: give whole semitones")
        self.transpose = int(transpose)
        self.stretch: float | Literal["fit"] = _factor(stretch)
        self.tune, self.from_file = _understand(notes, part)

    def target(self, form: Form) -> Tensor:
        """Pitch class (F,) of each chroma frame, C being 0, and -1 where none is asked for.

        Frames in whose middle the class changes are left free: no sound can be both.
        """
        scale = form.seconds if self.tune.relative else 1.0
        if self.stretch == "fit":
            scale = form.seconds / self.tune.seconds
        else:
            scale *= self.stretch
        seconds = self.tune.seconds * scale
        if seconds > form.seconds + SLACK and not self.from_file:
            raise InputError(
                f"melody: the notes last {seconds:g} s, the clip {form.seconds:g} s: "
                "shorten them, stretch them to fit, or make the duration longer"
            )
        times = self.times(form)
        early, late = (
            self._classes((times + shift).clamp(min=0), scale)
            for shift in (-HOP_SECONDS / 2, HOP_SECONDS / 2)
        )
        classes = torch.where(early == late, late, -1)
        if not bool((classes >= 0).any()):
            raise InputError(
                f"melody: no note lasts long enough to be heard in a clip of {form.seconds:g} s: "
                "make them longer, or stretch them"
            )
        return classes.to(form.device)

    def _classes(self, times: Tensor, scale: float) -> Tensor:
        """Pitch class (F,) at `times`, -1 in a rest."""
        pitches = self.tune.at(times, scale)
        return torch.where(pitches >= 0, (pitches + self.transpose) % 12, -1)

    def times(self, form: Form) -> Tensor:
        """Of the frames (F,), in seconds."""
        return chroma_times(form.frames, form.sample_rate)

    def feature(self, clip: Clip) -> Tensor:
        """Log-probabilities of the pitch classes, and of none being heard (B, 13, F)."""
        return chroma(clip.mono, clip.sample_rate)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy (B,) in nats, the mean over the frames that have a note."""
        classes = target.expand(len(feature), -1)
        losses = F.nll_loss(feature, classes, ignore_index=-1, reduction="none")
        return losses.sum(-1) / (target >= 0).sum().clamp(min=1)

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Share (B,) of the frames with a note whose likeliest class is the note's."""
        right = feature.argmax(1) == target
        return {"accuracy": right.float().sum(-1) / (target >= 0).sum().clamp(min=1)}

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """The tune over the probabilities of the classes."""
        times = self.times(form)
        return [Roll("melody", CLASSES, times, target, feature[:-1].exp())]


def _factor(stretch: object) -> float | Literal["fit"]:
    if stretch == "fit":
        return "fit"
    factor = float(stretch) if isinstance(stretch, Real) else math.nan
    if 0 < factor < math.inf:
        return factor
    raise InputError(f"melody: stretch is {stretch}: give a factor above 0, or fit")


def _understand(notes: Notes, part: int | None) -> tuple[Tune, bool]:
    """The tune, and whether it comes from a file."""
    if not isinstance(notes, str | Path):
        return listed_notes(notes), False
    path = Path(notes)
    suffix = path.suffix.lower()
    if suffix in midi.SUFFIXES:
        return midi.read_midi(path, part), True
    if part is not None:
        raise InputError(f"melody: only a MIDI file has parts, and {notes} is none")
    if isinstance(notes, Path) or suffix in RECORDINGS or names_file(path):
        return read_voice(path), True
    return parse_notes(notes), False
