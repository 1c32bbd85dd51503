"""Structure: which parts of the music sound alike and which apart (DITTO, also appendix F)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ditto_music.audio import Recording, read_recording
from ditto_music.controls.base import SLACK, Control
from ditto_music.controls.intensity import pearson
from ditto_music.controls.references import beginning
from ditto_music.errors import InputError
from ditto_music.features.similarity import self_similarity, smooth_both_ways
from ditto_music.features.timbre import timbre, timbre_times
from ditto_music.panels import Matrices, Panel
from ditto_music.protocols import Clip, Form

SMOOTHING = 7  # moments, 0.9 s, of the Savitzky-Golay filter over a form
SHORTEST = 0.5  # seconds of a section: less is as short as a moment of timbre
UNCHANGING = 0.5  # a recording whose moments are this like themselves hardly differ from their mean

FORMS = "letters (AABA), lengths in seconds if you like (A:1.5 B:1 A:2), or an audio file"


class Structure(Control):
    """Self-similarity of timbre against that of a form, or of a recording.

    Parameters
    ----------
    form
        Sections as letters, ``"AABA"``: equal letters shall sound alike and different ones apart;
        upper and lower case are the same. ``"A:1.5 B:1 A"`` gives lengths in seconds; sections
        without one share the rest of the clip equally. Or an audio file, whose self-similarity is
        copied in all its detail, while that of a form is smoothed over about a second.

    Raises
    ------
    InputError
        If the form or the file cannot be understood; with the clip known, if a section has no room
        in it, or the recording sounds the same all along.
    """

    name = "structure"

    def __init__(self, form: str | Path) -> None:
        self.what = f"structure {form}"
        self.form = _understand(form)
        self.tolerance = 0.02 if isinstance(self.form, Sections) else 0.1
        self.files = ("form",) if isinstance(self.form, Recording) else ()

    def target(self, form: Form) -> Tensor:
        """(F, F): 1 where letters are equal and 0 elsewhere, or the recording's similarity."""
        times = timbre_times(form.frames, form.sample_rate)
        if len(times) < 2:
            raise InputError(f"a clip of {form.seconds:g} s is too short to have a structure")
        if isinstance(self.form, Sections):
            letters = self.form.at(times, form.seconds)
            alike = (letters[:, None] == letters).float()
            return smooth_both_ways(alike, SMOOTHING).to(form.device)
        audio = beginning(self.form, form, self.what)
        similarity = self_similarity(timbre(audio, form.sample_rate))[0]
        if float(similarity.diagonal().mean()) < UNCHANGING:
            raise InputError(
                f"{self.what}: sounds the same all along its first {form.seconds:g} s: "
                "give a recording with parts that differ"
            )
        return similarity.to(form.device)

    def cut(self, target: Tensor, form: Form, start: float, inner: Form) -> Tensor:
        """Only all of it, made for the stretch: sections are told from one another."""
        if inner.seconds < form.seconds - SLACK:
            raise InputError(
                f"structure: {form.seconds:g} s are made in parts of at most {inner.seconds:g} s, "
                "which do not know of one another: ask for no more than one part"
            )
        return self.target(inner)

    def feature(self, clip: Clip) -> Tensor:
        """Likeness (B, F, F) of each two moments: 1 is the same sound.

        For a recording it is the cosine of their timbres. Those of K letters are taken from the
        mean of the letters, so that long ones do not draw it to themselves; K cosines from their
        own mean can all be -1 / (K - 1) at once and no less, and that is 0 here.
        """
        if isinstance(self.form, Recording):
            return self_similarity(timbre(clip.mono, clip.sample_rate))
        times = timbre_times(clip.frames, clip.sample_rate)
        letters = self.form.at(times, clip.frames / clip.sample_rate)
        alike = (letters[:, None] == letters).to(clip.mono)
        count = len(set(self.form.letters))
        weights = 1 / (count * alike.sum(0))
        cosine = self_similarity(timbre(clip.mono, clip.sample_rate, weights))
        return smooth_both_ways(((count - 1) * cosine + 1) / count, SMOOTHING)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """Mean squared error (B,)."""
        return (feature - target).square().mean((-2, -1))

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The squared error, and the `contrast` of a form or the `correlation` with a recording.

        Contrast is the mean likeness inside equal letters less that elsewhere, at most about 1.
        """
        mse = self.loss(feature, target)
        if isinstance(self.form, Recording):
            return {"mse": mse, "correlation": pearson(feature.flatten(1), target.flatten())}
        alike = target > 0.5
        contrast = feature[:, alike].mean(1) - feature[:, ~alike].mean(1)
        return {"mse": mse, "contrast": contrast}

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """Both matrices."""
        return [Matrices(self.name, form.seconds, target, feature)]


@dataclass(frozen=True)
class Sections:
    """A form: a letter a section, and its seconds where they are given."""

    letters: str
    lengths: tuple[float | None, ...]

    def at(self, times: Tensor, seconds: float) -> Tensor:
        """Number of the letter (F,) at `times` (F,) of a clip of `seconds`.

        Raises
        ------
        InputError
            If the lengths do not fit the clip, or a section is too short to be told.
        """
        given = sum(length or 0.0 for length in self.lengths)
        free = self.lengths.count(None)
        if given > seconds + SLACK or (not free and given < seconds - SLACK):
            raise InputError(
                f"structure: the sections add up to {given:g} s, but the clip has {seconds:g} s: "
                "change a length, or leave one out for what is left"
            )
        share = max(seconds - given, 0) / max(free, 1)
        lengths = [share if length is None else length for length in self.lengths]
        if min(lengths) < SHORTEST - 1e-6:
            at = lengths.index(min(lengths))
            raise InputError(
                f"structure: section {at + 1} ({self.letters[at]}) of {lengths[at]:.2g} s is too "
                f"short to be told from its neighbours: give each {SHORTEST:g} s or more"
            )
        ends = torch.tensor(lengths).cumsum(0)[:-1]
        codes = torch.tensor([ord(letter) for letter in self.letters])
        return codes[torch.bucketize(times, ends, right=True)]


def parse_form(text: str) -> Sections:
    """Sections from letters, each with ``:seconds`` or without.

    Raises
    ------
    InputError
        If there are none, something is no letter, a length is no number above 0, or all sections
        are the same.
    """
    if not text.strip():
        raise InputError(f"structure: the form is empty: give {FORMS}")
    letters, lengths = "", list[float | None]()
    for word in text.replace(",", " ").split():
        head, colon, length = word.partition(":")
        odd = re.search("[^A-Za-z]", head)
        if odd or not head or (colon and len(head) > 1):
            what = f"'{odd[0]}' is no letter" if odd else f"'{word}' is no letter with its length"
            raise InputError(f"structure: {what}: give {FORMS}")
        letters += head.upper()
        lengths += [_seconds(word, length)] if colon else [None] * len(head)
    if len(set(letters)) < 2:
        raise InputError(
            f"structure: '{letters}' has only one letter and nothing to tell it apart from: "
            "give two or more, as in AABA"
        )
    return Sections(letters, tuple(lengths))


def _seconds(word: str, length: str) -> float:
    """The length of a section."""
    try:
        seconds = float(length)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InputError(f"structure: '{word}': the length must be a number of seconds above 0")
    return seconds


def _understand(form: str | Path) -> Sections | Recording:
    """Sections, or a recording to copy where it is a path, which has a suffix or a folder."""
    if isinstance(form, str) and not re.search(r"\.[A-Za-z]\w*$|[/\\]", form):
        return parse_form(form)
    return read_recording(form, what="structure")
