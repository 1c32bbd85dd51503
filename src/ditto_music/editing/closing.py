"""A clip whose end goes on at its beginning, cut to a loop (DITTO, appendix E)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ditto_music.audio import Recording
from ditto_music.controls.base import Term
from ditto_music.controls.part import Part
from ditto_music.controls.seamless import Seamless
from ditto_music.editing import joins


@dataclass(frozen=True)
class Closing:
    """A loop made from words, ready to be asked of the optimiser.

    Attributes
    ----------
    length, overlap : frames of the latent in the loop, and after it.
    seconds_per_frame : of the latent.
    control : asked of the loop, or None.
    """

    length: int
    overlap: int
    seconds_per_frame: float
    control: Term | None = None

    @property
    def seconds(self) -> float:
        """Of the loop."""
        return self.length * self.seconds_per_frame

    @property
    def clip_seconds(self) -> float:
        """Of the clip that it is cut from."""
        return (self.length + self.overlap) * self.seconds_per_frame

    def goal(self) -> Term:
        """Both ends alike, and what is asked of the loop."""
        ends = Seamless(self.length, self.overlap)
        return ends if self.control is None else ends + Part(self.control, 0.0, self.seconds)

    def put(self, recording: Recording | None, clip: Tensor, rate: int) -> tuple[Recording, int]:
        """The loop of a clip (channels, N), and samples too loud; nothing else is looked at."""
        audio = clip.numpy().astype(np.float64)
        end = round(self.seconds * rate)
        overlap = min(round(self.clip_seconds * rate), audio.shape[1]) - end
        after, first = audio[:, end : end + overlap], audio[:, :overlap]
        head = joins.join(audio[:, :end], after, first, audio, end, rate)
        closed = np.concatenate([head, audio[:, overlap:end]], axis=1)
        return Recording.of(closed, rate), int((np.abs(closed) > 1).sum())
