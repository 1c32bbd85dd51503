"""Recordings as references: what of them a clip is to follow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.audio import Recording, resample
from ditto_music.errors import InputError
from ditto_music.protocols import Form

LACK = 0.01  # seconds a recording may be shorter than the clip: lengths are told rounded


def mono(recording: Recording, sample_rate: int) -> Tensor:
    """(1, N): the mean of a recording's channels at another rate."""
    audio = recording.audio().mean(0, keepdims=True)
    return torch.from_numpy(resample(audio, recording.sample_rate, sample_rate))


def _channels(recording: Recording, sample_rate: int) -> Tensor:
    """(channels, N): a recording at another rate."""
    return torch.from_numpy(resample(recording.audio(), recording.sample_rate, sample_rate))


def beginning(recording: Recording, form: Form, name: str, *, mix: bool = True) -> Tensor:
    """(1, form.frames): as much of a recording as the clip is long, mono, at the clip's rate.

    What it lacks, up to `LACK`, is silence.

    Parameters
    ----------
    mix : False leaves the channels apart, (channels, form.frames).

    Raises
    ------
    InputError
        If the recording, `name` in the message, is shorter than that.
    """
    audio = (mono if mix else _channels)(recording, form.sample_rate)
    lack = form.frames - audio.shape[-1]
    if lack > LACK * form.sample_rate:
        raise InputError(
            f"{name}: {audio.shape[-1] / form.sample_rate:.2f} s of audio, but the clip has "
            f"{form.seconds:g} s: give a longer recording, or ask for less music"
        )
    return F.pad(audio, (0, max(0, lack)))[:, : form.frames]
