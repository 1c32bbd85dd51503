"""CLAP: make the music fit a text, or sound like a recording (DITTO-2, section on CLAP).

The loss is ``1 - cos`` of CLAP's vectors. The same checkpoint is no judge of what it optimised:
score with another.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ditto_music.audio import read_recording
from ditto_music.controls.base import Control
from ditto_music.controls.references import mono
from ditto_music.errors import InputError
from ditto_music.features.clap import load_clap
from ditto_music.modes import own_modes
from ditto_music.panels import Bars, Panel
from ditto_music.protocols import Clip, Form


class Clap(Control):
    """The clip's vector against that of a text or of a recording.

    Parameters
    ----------
    text : what the music is to be.
    audio : path of a recording that it is to be like, instead of a text.
    model : weights of CLAP, a folder or a name on the hub; see `ditto_music.features.clap`.

    Raises
    ------
    InputError
        If both or neither are given, the text is empty, or the weights or the recording cannot be
        read.
    """

    name = "clap"
    files = ("audio",)

    @own_modes()
    def __init__(
        self, text: str | None = None, audio: str | Path | None = None, *, model: str | Path
    ) -> None:
        if (text is None) == (audio is None):
            raise InputError("clap: give either a text or a recording")
        if text is not None and not text.strip():
            raise InputError("clap: the text is empty: say what the music is to be")
        self.model = str(model)
        encoder = load_clap(self.model, torch.device("cpu"))
        if audio is None:
            self.tolerance = 0.5
            self.label = str(text)
            self.wanted = encoder.text(self.label)
        else:
            self.tolerance = 0.2
            self.label = Path(audio).name
            rate = int(encoder.extractor.sampling_rate)
            with torch.no_grad():
                self.wanted = encoder.audio(mono(read_recording(audio), rate), rate)[0]

    def target(self, form: Form) -> Tensor:
        """The unit vector (D,) of the text or the recording."""
        return self.wanted.to(form.device)

    def feature(self, clip: Clip) -> Tensor:
        """The clip's unit vectors (B, D)."""
        encoder = load_clap(self.model, clip.latent.device)
        return encoder.audio(clip.mono, clip.sample_rate)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """(B,): one minus the cosine."""
        return (1 - feature @ target).clamp(min=0)

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The cosine (B,), known as the CLAP score."""
        return {"score": feature @ target}

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """The score."""
        score = (feature @ target)[None]
        return [Bars(self.name, "cosine", [self.label], torch.ones(1), score)]
