"""Joining new audio to old: levels, continuations, and a cross-fade of constant power.

Audio here is float64 (channels, N) at the recording's own rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d
from scipy.signal import lfilter, lfiltic

from ditto_music.editing.seams import changes
from ditto_music.editing.spectra import spectra, thirds

Audio = npt.NDArray[np.floating[Any]]

FADES_SECONDS = (0.02, 0.04, 0.08, 0.16, 0.175)
SEARCH_SECONDS = 0.03
GOES_ON_SECONDS = 0.35  # of a sound cut off, to fade out from
LISTEN_SECONDS = 0.1  # on either side of a join
MOST_GAIN_DB = 12.0
LEVEL_SECONDS = 0.5  # of a level that changes
LEAST_GAIN_DB = 24.0  # softer, of what is louder than all beside it
LOUD = 0.9  # quantile of moments
WEAK_DB = -50.0  # under the strongest band: left as it is
LOOK_BACK, ORDER = 8192, 512  # samples that a continuation is predicted from, and its memory


def rms(audio: Audio) -> float:
    """Root mean square over everything, with a floor of -100 dBFS."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)) + 1e-10))


def level_gain(new: Audio, old: Audio | float) -> float:
    """Factor that brings `new` to the level of `old`, or to an RMS, at most 12 dB either way."""
    wanted = rms(old) if isinstance(old, np.ndarray) else old
    return float(_limited(np.array(wanted / rms(new))))


def level_gains(new: Audio, old: Audio, rate: int) -> Audio:
    """Factors (N,) that bring `new` (C, N) to the level of `old` (C', N) in the half second around
    each sample, at most 12 dB either way.
    """
    return _limited(_levels(old, rate) / _levels(new, rate))


def _levels(audio: Audio, rate: int) -> Audio:
    """Root mean square (N,) of all channels in the half second around each sample, with a floor."""
    power = np.square(audio, dtype=np.float64).mean(0)
    size = max(1, round(LEVEL_SECONDS * rate))
    return np.sqrt(uniform_filter1d(power, size, mode="nearest").clip(0) + 1e-10)


def _limited(gain: Audio) -> Audio:
    most = 10 ** (MOST_GAIN_DB / 20)
    return np.clip(gain, 1 / most, most)


def colour(new: Audio, old: Audio) -> Audio:
    """Response (BINS + 1,) that gives `new` (C, N) the spectrum of `old`, at the level of `new`.

    Both are of the same music. In thirds of an octave, at most 12 dB either way; what is weak in
    both is left as it is.
    """
    most = 10 ** (MOST_GAIN_DB / 20)
    has, wanted = (thirds((np.abs(spectra(x.mean(0))) ** 2).sum(0)) for x in (new, old))
    wanted = wanted * (has.sum() / (wanted.sum() + 1e-20))
    floor = 10 ** (WEAK_DB / 10) * wanted.max() + 1e-20
    return np.sqrt(np.clip((wanted + floor) / (has + floor), most**-2, most**2))


def restraint(new: Audio, sides: Sequence[Audio]) -> Audio:
    """Response (BINS + 1,) under which `new` (C, N) is nowhere louder than what is beside it.

    In thirds of an octave, its mean against that of either side (C, M), or what is exceeded a tenth
    of the time there if that is more; at most 24 dB softer.
    """

    def powers(audio: Audio) -> Audio:
        return np.abs(spectra(audio.mean(0))) ** 2

    has = thirds(powers(new).mean(0))
    beside = [powers(side) for side in sides]
    most = [thirds(np.maximum(x.mean(0), np.quantile(x, LOUD, axis=0))) for x in beside]
    room = (np.max(most, axis=0) + 1e-20) / (has + 1e-20)
    return np.sqrt(np.clip(room, 10 ** (-LEAST_GAIN_DB / 10), 1))


def crossfade(old: Audio, new: Audio) -> Audio:
    """From `old` to `new`, both (C, n), at constant power whatever their correlation.

    Uncorrelated sounds get the equal-power fade, identical ones the linear fade, and everything
    between the fade whose power, with the measured correlation, stays level.
    """
    ramp = (np.arange(old.shape[1]) + 0.5) / old.shape[1]
    fade_in, fade_out = np.sin(ramp * np.pi / 2), np.cos(ramp * np.pi / 2)
    alike = correlation(old, new)
    power = fade_in**2 + fade_out**2 + 2 * max(0.0, alike) * fade_in * fade_out
    return (fade_out * old + fade_in * new) / np.sqrt(power)


def correlation(a: Audio, b: Audio) -> float:
    """Of two signals of one shape, from -1 to 1; 0 where one is silent."""
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-20))


def best_join(old: Audio, new: Audio, fade: int, search: int) -> int:
    """Where within `search` samples a fade of `fade` samples finds the two most alike."""
    last = min(search, old.shape[1] - fade)
    places = range(0, max(1, last), max(1, search // 200))
    return max(places, key=lambda p: correlation(old[:, p : p + fade], new[:, p : p + fade]))


def join(
    before: Audio, leaving: Audio, new: Audio, clip: Audio, at: int, sample_rate: int
) -> Audio:
    """`new` (C, N) after `before` (C, M), whose continuation `leaving` (C, n) gives way to it.

    Of several lengths of fade, each where the two are most alike, that which changes as the new
    clip does: a long one in a held sound, a short one where a note begins.

    Parameters
    ----------
    clip, at : the new clip (C', L) by itself, and where in it the join is.
    """
    search, listen = (round(x * sample_rate) for x in (SEARCH_SECONDS, LISTEN_SECONDS))
    longest = min(leaving.shape[1], new.shape[1])
    reach = min(longest + listen, new.shape[1])
    lead = min(listen, at, before.shape[1])
    known = before[:, before.shape[1] - lead :]
    wanted, _, _ = changes(clip[:, at - lead : at + reach], sample_rate)

    def faded(seconds: float) -> Audio:
        fade = max(1, min(round(seconds * sample_rate), longest // 2))
        place = best_join(leaving[:, :longest], new[:, :longest], fade, search)
        middle = slice(place, place + fade)
        mixed = crossfade(leaving[:, middle], new[:, middle])
        return np.concatenate([leaving[:, :place], mixed, new[:, place + fade :]], axis=1)

    def unlike(way: Audio) -> float:
        flux, _, _ = changes(np.concatenate([known, way[:, :reach]], axis=1), sample_rate)
        return float(np.square(flux - wanted).mean()) if len(flux) else 0.0

    return min((faded(seconds) for seconds in FADES_SECONDS), key=unlike)


def splice(old: Audio, clip: Audio, part: Audio, hole: slice, sample_rate: int) -> Audio:
    """`part` (C, n) for the hole of `old` (C, N), joined to what stays on either side.

    What stood in the hole is gone wholly: either side goes on by linear prediction to fade out.

    Parameters
    ----------
    clip : the new clip (C', N) whose hole the part is.
    """
    out = np.array(part, dtype=np.float64)
    before, after = old[:, : hole.start], old[:, hole.stop :]
    length = min(round(GOES_ON_SECONDS * sample_rate), max(1, out.shape[1] // 2))
    if before.shape[1]:
        leaving = continued(before, length)
        out = join(before, leaving, out, clip, hole.start, sample_rate)
    if after.shape[1]:
        back, turned, at = after[:, ::-1], clip[:, ::-1], clip.shape[1] - hole.stop
        leaving = continued(back, length)
        out = join(back, leaving, out[:, ::-1], turned, at, sample_rate)[:, ::-1]
    return out


def continued(audio: Audio, frames: int) -> Audio:
    """The next `frames` samples of `audio` (C, N) by linear prediction, to fade out: (C, frames).

    Each channel's last fifth of a second or so, up to `LOOK_BACK` samples, gives an all-pole model
    by Burg's method (as in the extrapolation of Kauppinen and Roth 2002): tones go on, decaying.
    """
    out = np.zeros((len(audio), frames))
    for channel, known in zip(out, audio[:, -LOOK_BACK:], strict=True):
        order = min(ORDER, len(known) // 3)
        if order < 1 or rms(known) < 1e-5:
            continue
        model = burg(known, order)
        state = lfiltic([1.0], model, known[::-1][:order])
        channel[:], _ = lfilter([1.0], model, np.zeros(frames), zi=state)
    return out


def burg(signal: Audio, order: int) -> Audio:
    """All-pole model (order + 1,), beginning with 1, of a signal (N,) by Burg's method."""
    forward, backward = signal[1:].astype(np.float64), signal[:-1].astype(np.float64)
    model = np.ones(1)
    for _ in range(order):
        energy = forward @ forward + backward @ backward
        reflection = -2 * (forward @ backward) / energy if energy > 0 else 0.0
        padded = np.append(model, 0.0)
        model = padded + reflection * padded[::-1]
        forward, backward = (
            (forward + reflection * backward)[1:],
            (backward + reflection * forward)[:-1],
        )
    return model


def mirror_fill(audio: Audio, start: int, stop: int) -> Audio:
    """`audio` (C, N) with ``start:stop`` replaced by its surroundings, mirrored at either edge.

    So nothing of what shall go is left to leak into an encoder's view of what stays.
    """
    length = stop - start
    ramp = (np.arange(length) + 0.5) / length
    before, after = audio[:, :start], audio[:, stop:]
    parts: list[tuple[Audio, Audio]] = []
    if before.shape[1]:
        mirrored = np.pad(before, ((0, 0), (0, length)), mode="symmetric")[:, start:]
        parts.append((mirrored, np.cos(ramp * np.pi / 2)))
    if after.shape[1]:
        mirrored = np.pad(after, ((0, 0), (length, 0)), mode="symmetric")[:, :length]
        parts.append((mirrored, np.sin(ramp * np.pi / 2)))
    out = np.array(audio, dtype=np.float64)
    out[:, start:stop] = (
        sum(part * fade for part, fade in parts) if len(parts) == 2 else parts[0][0]
    )
    return out


def mirror_between(audio: Audio, stays: Sequence[slice]) -> Audio:
    """`audio` (C, N) with all but the stretches that stay, one or more, mirrored over by these."""
    out = np.array(audio, dtype=np.float64)
    none = [slice(0, 0), *stays, slice(audio.shape[1], audio.shape[1])]
    for before, after in pairwise(none):
        if before.stop < after.start:
            around = out[:, before.start : after.stop]
            edges = before.stop - before.start, after.start - before.start
            out[:, before.start : after.stop] = mirror_fill(around, *edges)
    return out
