"""Melody: how strongly each pitch class sounds at each moment (DITTO, after Music ControlNet).

The chain is Music ControlNet's (Wu et al. 2023), made soft: spectrum, high-pass at middle C, a bank
of twelve chroma filters, log, softmax over the classes. Conventions: classes run C, C#, ... B in
equal temperament at A4 = 440 Hz; frames are 4096 samples at 24 kHz and step by 1024, scaled with
the sample rate, and centred: at middle C a semitone is 15.6 Hz, a bin 5.9 Hz.

What the papers leave open, decided here:

* The high-pass multiplies each frame's spectrum by the filter's own ``|H|``: exact for a steady
  sound, and without a recursion to differentiate through.
* Magnitudes are summed, not powers: nearer to loudness, and a tone in noise counts as less clean.
* The bank is `librosa.filters.chroma`, octaves weighted by a Gaussian of one octave around 622 Hz,
  where tunes lie, and nothing below 200 Hz or above 4.2 kHz: neither bass nor hiss is a melody.
* Beside the classes stands a thirteenth outcome, none: a fifth of the frame's RMS (-14 dB). What is
  not heard beside the rest is no melody, and silence is the worst of answers. Were it merely
  undecided, a search whose music is wrong would first make it silent, and stay there.
* The softmax is over four times the log, so a class that is 3 dB above another is four times as
  likely. Merely squared, it has to outweigh all others together, which a tune over its
  accompaniment mostly does not, and a search takes the accompaniment out (docs/controls.md).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ditto_music.features.spectrogram import frame_times, power_spectrogram
from ditto_music.modes import apart

CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MIDDLE_C = 261.63
WINDOW_SECONDS = 4096 / 24_000
HOP_SECONDS = 1024 / 24_000
BAND = (200.0, 4200.0)  # Hz
CENTRE_OCTAVE, OCTAVE_WIDTH = 4.5, 1.0  # octaves above A0 (27.5 Hz): around 622 Hz
AUDIBLE = 0.2  # of the frame's RMS
FAINT = 0.05  # of what is audible, added to each class: bounds the gradient
SILENCE = 1e-6  # mean square: -60 dBFS
FAINTEST = 1e-16  # mean square of a bin, under the root: a finite gradient at silence
SHARPNESS = 4.0


def chroma(audio: Tensor, sample_rate: int) -> Tensor:
    """Log-probabilities of the twelve pitch classes, and of none, of mono audio.

    Parameters
    ----------
    audio : (B, N)
    sample_rate : Hz

    Returns
    -------
    (B, 13, F), C first and none last, at the times `chroma_times` gives; differentiable everywhere.

    Raises
    ------
    InputError
        If the audio is shorter than half a frame (85 ms).
    """
    window, hop = _window_and_hop(sample_rate)
    power = power_spectrogram(audio, window, hop) * (16 / 3 / window**2)  # sums to the mean square
    hertz = torch.arange(window // 2 + 1) * (sample_rate / window)
    bank = chroma_filters(sample_rate, window) * highpass_gain(hertz, sample_rate)
    audible = AUDIBLE * (power.sum(1, keepdim=True) + SILENCE).sqrt()
    classes = bank.to(power) @ (power + FAINTEST).sqrt() + FAINT * audible
    return (SHARPNESS * torch.cat([classes, audible], dim=1).log()).log_softmax(1)


def chroma_times(samples: int, sample_rate: int) -> Tensor:
    """Centres (F,) in seconds of the frames of `samples` samples of audio."""
    return frame_times(samples, _window_and_hop(sample_rate)[1], sample_rate)


@cache
@apart()
def chroma_filters(sample_rate: int, window: int) -> Tensor:
    """Chroma filter bank (12, window // 2 + 1), float32, C first.

    ``librosa.filters.chroma(sr=sample_rate, n_fft=window, ctroct=4.5, octwidth=1)``: a bin gives to
    each class by a Gaussian of its distance in semitones (half a semitone wide, or half a bin where
    bins are wider), with a norm of one, times a Gaussian of its octave. Outside `BAND` all is 0.
    """
    hertz = np.arange(1, window // 2 + 1) * (sample_rate / window)
    semitones = 12 * np.log2(hertz / 27.5)
    width = np.maximum(np.diff(semitones, append=semitones[-1]), 1.0)
    away = (semitones - np.arange(3, 15)[:, None] + 6) % 12 - 6  # from C, C#, ..., above A0
    bells = np.exp(-0.5 * (2 * away / width) ** 2)
    bells /= np.linalg.norm(bells, axis=0)
    bells *= np.exp(-0.5 * ((semitones / 12 - CENTRE_OCTAVE) / OCTAVE_WIDTH) ** 2)
    bells *= (hertz >= BAND[0]) & (hertz <= BAND[1])
    return torch.from_numpy(np.pad(bells, ((0, 0), (1, 0))).astype(np.float32))


def highpass_gain(hertz: Tensor, sample_rate: int, cutoff: float = MIDDLE_C) -> Tensor:
    """Gain ``|H|``, the shape of `hertz`, of a second-order digital high-pass.

    Bristow-Johnson's Audio EQ Cookbook with Q = 1/sqrt(2): Butterworth, -3 dB at `cutoff`.
    """
    w0 = 2 * math.pi * cutoff / sample_rate
    k = math.sin(w0) / math.sqrt(2)
    # |H|^2 of b0 (1 - z^-1)^2 / (a0 + a1 z^-1 + a2 z^-2) at z = e^(iw), with phi = sin^2(w / 2).
    phi = torch.sin(math.pi * hertz.double() / sample_rate).square()
    zeros = ((1 + math.cos(w0)) / 2) ** 2 * 16 * phi.square()
    a0, a1, a2 = 1 + k, -2 * math.cos(w0), 1 - k
    poles = (
        (a0 + a1 + a2) ** 2 - 4 * (a0 * a1 + 4 * a0 * a2 + a1 * a2) * phi + 16 * a0 * a2 * phi**2
    )
    return (zeros / poles).sqrt().float()


def _window_and_hop(sample_rate: int) -> tuple[int, int]:
    return round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
