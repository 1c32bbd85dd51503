"""The beat of a recording, where it has one, precise enough to count over a whole loop."""

from __future__ import annotations

import torch

from ditto_music.audio import Recording
from ditto_music.controls.references import mono
from ditto_music.features.onset import HOP_SECONDS, onset_strength
from ditto_music.features.tempo import TEMPI, autocorrelation, preference, tempo_strength

SAMPLE_RATE = 24_000
LONGEST = 60  # seconds listened to
PULSE = 0.25  # strength of a tempo from which there is one
SHORTEST_SECONDS = 2.5


@torch.no_grad()
def beat_seconds(recording: Recording) -> float | None:
    """Seconds of a beat, or None where no tempo is found.

    The tempo that repeats over four beats, the preferred one of several; then followed over twice,
    four times ... as many beats up to half the recording, each time to the nearest peak of the
    autocorrelation, so that the error does not grow with the beats counted.
    """
    audio = mono(recording, SAMPLE_RATE)[:, : LONGEST * SAMPLE_RATE]
    if audio.shape[-1] < SHORTEST_SECONDS * SAMPLE_RATE:
        return None
    onsets = onset_strength(audio, SAMPLE_RATE)
    strength = tempo_strength(onsets, beats=4)[0]
    fits = 0.9 * audio.shape[-1] / SAMPLE_RATE >= 240 / TEMPI  # four beats of it are heard
    best = int((strength * preference(TEMPI) * fits).argmax())
    if float(strength[best]) < PULSE or not bool(fits[best]):
        return None
    beat, count = 60 / float(TEMPI[best]), 1
    while count * beat < audio.shape[-1] / SAMPLE_RATE / 2:
        reach = min(0.3 * beat, 0.03 * count * beat if count == 1 else 2 * HOP_SECONDS)
        lags = count * beat + torch.linspace(-reach, reach, 41)
        beat = float(lags[autocorrelation(onsets, lags)[0].argmax()]) / count
        count *= 2
    return beat
