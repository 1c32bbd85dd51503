"""Tempo: make the music's pulse so many beats a minute."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.controls.base import Control
from ditto_music.errors import InputError
from ditto_music.features.onset import HOP_SECONDS, onset_strength, onset_times
from ditto_music.features.tempo import FASTEST, SLOWEST, TEMPI, preference, tempo, tempo_strength
from ditto_music.panels import Curve, Panel
from ditto_music.protocols import Clip, Form

BEATS = 4  # fewer make no tempo
WITHIN = 0.04  # of the tempo asked for: is that tempo
SOFTNESS = 0.06  # difference in strength that makes a tempo e times as likely


class Tempo(Control):
    """How likely the tempo asked for is to be heard, against all others from 30 to 300 bpm.

    What is compared is the autocorrelation of the onset strength at the beat of each tempo, times
    how much listeners prefer it to the one asked for, at most 1 where it is slower; that one must
    hold for four beats, or as many as last half the clip, which are two or more. A clip that
    repeats with every beat repeats with every second one too, so whole fractions of the tempo do
    not compete; its multiples do.

    Parameters
    ----------
    bpm : beats a minute, from 30 to 300. The clip must have room for four.

    Raises
    ------
    InputError
        If it is out of range; with the clip known, if that has no room for four beats.
    """

    name = "tempo"
    tolerance = 0.2

    def __init__(self, bpm: float) -> None:
        if not SLOWEST <= bpm <= FASTEST:
            raise InputError(f"tempo is {bpm:g}: it must be {SLOWEST:g} to {FASTEST:g} bpm")
        self.bpm = float(bpm)

    def target(self, form: Form) -> Tensor:
        """The tempo () in bpm."""
        seconds = BEATS * 60 / self.bpm
        if len(onset_times(form.frames, form.sample_rate)) * HOP_SECONDS < seconds:
            raise InputError(
                f"tempo: {BEATS} beats at {self.bpm:g} bpm last {seconds:.1f} s, more than is "
                f"heard of {form.seconds:g} s: give a faster tempo, or ask for more music"
            )
        return torch.tensor(self.bpm, device=form.device)

    def feature(self, clip: Clip) -> Tensor:
        """The strength (B, 2, 233) of each tempo over one beat and over four at most."""
        onsets = onset_strength(clip.mono, clip.sample_rate)
        return torch.stack([tempo_strength(onsets), tempo_strength(onsets, BEATS)], dim=1)

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """(B,): negative log of the share of the tempo among those that compete with it.

        Of a perfect pulse it is 0 up to 120 bpm and 0.3 at 240, where tempi 4% off differ by less
        than an onset is wide.
        """
        tempi = TEMPI.to(feature)
        beats = target / tempi  # in one period of each tempo
        whole = beats.round().clamp(min=1)
        at_beats = (beats / whole - 1).abs() < WITHIN
        liking = preference(tempi) / preference(target)
        liking = torch.where(tempi < target, liking.clamp(max=1), liking)
        once, held = (feature * liking / SOFTNESS).unbind(1)
        rivals = once[:, ~at_beats].logsumexp(-1)
        return F.softplus(rivals - held[:, (beats - 1).abs().argmin()])

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The tempo heard (B,) in bpm: the strongest, of those alike the one nearer to 120."""
        return {"bpm": tempo(feature[:, 0])}

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """The strength of each tempo, a line at the one asked for."""
        near = (TEMPI / target - 1).abs() < WITHIN
        wanted = torch.where(near, feature[0, near].max(), torch.nan)
        return [Curve("pulse", "autocorrelation", TEMPI, wanted, feature[0], "tempo (bpm)")]
