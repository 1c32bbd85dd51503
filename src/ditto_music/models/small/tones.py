"""Steady tones: finding them in audio, and playing them again.

A latent that carries no phase, decoded by a network that treats every moment alike, can answer a
held tone only with something that repeats every latent frame: a multiple of the frame rate, not the
tone. Here tones of fixed frequencies, three to a semitone, run through the clip on their own
clock, and a decoder only opens and shuts them: a held note is a held amplitude, and stays in
tune for ever. Phases are free, as to the ear they nearly are.

Nothing is rounded or picked on the way out, so gradients through `ToneBank` are exact.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ditto_music.models.small.frames import framed, synthesized

A4, A4_HERTZ = 69, 440.0
# Spreads the phases at the start, so that they never add to a click.
GOLDEN = (math.sqrt(5) - 1) / 2
# Samples; a tone is sought in the shortest that tells it from the next.
WINDOWS = (1024, 2048, 4096)
LASTS = 4  # frames in which a peak must be seen to be a tone


def tone_frequencies(lowest: int, octaves: int, each: int) -> Tensor:
    """Frequencies (K,) float64 in Hz, `each` to the octave, from the MIDI pitch `lowest` up."""
    steps = torch.arange(octaves * each, dtype=torch.float64) / each
    return A4_HERTZ * 2 ** ((lowest - A4) / 12 + steps)


def hann_spectrum(cycles: Tensor, length: int) -> Tensor:
    """What a Hann window of even `length` has at `cycles` a sample, its phase counted from the
    middle, where it is real: three Dirichlet kernels.
    """

    def flat(x: Tensor) -> Tensor:
        turn = math.pi * x
        whole = turn.sin().abs() < 1e-9
        kernel = (length * turn).sin() / turn.tan().where(~whole, torch.ones_like(x))
        return kernel.where(~whole, torch.full_like(x, length))

    return flat(cycles) / 2 + (flat(cycles - 1 / length) + flat(cycles + 1 / length)) / 4


class ToneBank(nn.Module):
    """Tones that never stop, rendered as short-time spectra under given amplitudes.

    Parameters
    ----------
    frequencies : (K,) in Hz, under half the sample rate. Phases are computed of them in float64 on
        the CPU: not every device has that.
    length, hop : of the frames, in samples.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, frequencies: Tensor, length: int, hop: int, sample_rate: int) -> None:
        super().__init__()
        self.length, self.hop, self.sample_rate = length, hop, sample_rate
        self.frequencies = frequencies.double()
        bins = min(length // 2 + 1, math.ceil(float(frequencies[-1]) * length / sample_rate) + 8)
        # What e^{iwt} and its mirror leave in each bin. The window is even about its middle, where
        # the phase is counted, so both are real but for the sign.
        offsets = torch.arange(bins, dtype=torch.float64) / length
        signs = 1 - 2 * (torch.arange(bins) % 2)

        cycles = self.frequencies[:, None] / sample_rate
        tone = hann_spectrum(cycles - offsets, length) * signs / 2
        mirror = hann_spectrum(cycles + offsets, length) * signs / 2
        self.register_buffer("cosine", (tone + mirror).float(), persistent=False)
        self.register_buffer("sine", (tone - mirror).float(), persistent=False)

    def forward(self, amplitudes: Tensor, start: int = 0) -> Tensor:
        """Audio (B, F hop) of amplitudes (B, F, K), a full-scale sine having 1.

        `start` is the place of the first frame in the clip, in frames: what the clock says.
        """
        frames = start + torch.arange(amplitudes.shape[1], dtype=torch.float64)
        seconds = (frames + 0.5) * self.hop / self.sample_rate
        lead = GOLDEN * torch.arange(len(self.frequencies))
        turns = torch.outer(seconds, self.frequencies) + lead
        angles = (2 * math.pi * (turns % 1)).to(amplitudes)
        real = (amplitudes * angles.cos()) @ self.cosine.to(amplitudes)
        imaginary = (amplitudes * angles.sin()) @ self.sine.to(amplitudes)
        rest = (0, self.length // 2 + 1 - real.shape[-1])
        spectrum = torch.complex(F.pad(real, rest), F.pad(imaginary, rest))
        return synthesized(spectrum, self.length, self.hop)


def steady_tones(audio: Tensor, frequencies: Tensor, hop: int, sample_rate: int) -> Tensor:
    """Amplitudes (B, N / hop, K) of the tones in audio (B, N), 0 where there is none.

    A tone is a local maximum over frequency of the Hann-windowed spectrum at the bank's own
    frequencies that is seen, give or take a step of the bank, in `LASTS` frames in a row: what
    begins or ends now counts, what flickers is noise.
    """
    found: list[Tensor] = []
    for window in WINDOWS[::-1]:
        plan = _plan(window, tuple(frequencies.tolist()), sample_rate)
        if plan is None:
            continue
        parts = (framed(audio, window, hop) @ plan.transform.to(audio)).chunk(2, dim=-1)
        size = (parts[0].square() + parts[1].square()).sqrt()
        highest = torch.ones_like(size, dtype=torch.bool)
        for step, apart in plan.rivals:
            rises = size[..., step:] - size[..., :-step]
            highest[..., :-step] &= (rises <= 0) | apart.to(audio.device)
            highest[..., step:] &= (rises >= 0) | apart.to(audio.device)
        found.append((size * highest)[..., plan.own])
    peaks = torch.cat(found, dim=-1)
    near = F.max_pool1d(peaks, 3, 1, 1)
    lasts = torch.stack([_least(near, back, LASTS - 1 - back) for back in range(LASTS)]).amax(0)
    return peaks * (lasts > 0)


class _Plan:
    """How one window finds the tones that are its own.

    Attributes
    ----------
    transform : (window, 2 J), cosines and sines at J frequencies, its own and some beside them.
    own : where its own lie among the J.
    rivals : (step, apart) of pairs of tones `step` places apart; `apart` (J - step,) is true where
        the window tells the two from one another anyway.
    """

    def __init__(self, window: int, hertz: Tensor, first: int, last: int, rate: int) -> None:
        reach = 1.5 * rate / window  # of a window's main lobe, to either side
        inside = (hertz >= hertz[first] - reach) & (hertz <= hertz[last - 1] + reach)
        low, high = int(inside.nonzero()[0]), int(inside.nonzero()[-1]) + 1
        some = hertz[low:high]
        middle = torch.arange(window, dtype=torch.float64) - window // 2
        shape = torch.hann_window(window, dtype=torch.float64)
        angles = 2 * math.pi * torch.outer(middle, some / rate)
        waves = torch.cat([angles.cos(), angles.sin()], dim=1)
        self.transform = (2 * shape[:, None] / shape.sum() * waves).float()
        self.own = slice(first - low, last - low)
        self.rivals: list[tuple[int, Tensor]] = []
        for step in range(1, len(some)):
            apart = some[step:] - some[:-step] >= reach
            if bool(apart.all()):
                break
            self.rivals.append((step, apart))


@cache
def _plan(window: int, frequencies: tuple[float, ...], rate: int) -> _Plan | None:
    """The plan of a window, or None if every tone belongs to another."""
    hertz = torch.tensor(frequencies, dtype=torch.float64)
    semitones = hertz * (2 ** (1 / 12) - 1)
    # Two bins, half a main lobe, within a semitone and a half.
    fits = torch.stack([2 * rate / length <= 1.6 * semitones for length in WINDOWS])
    fits[-1] = True
    own = (fits.int().argmax(0) == WINDOWS.index(window)).nonzero()
    if not len(own):
        return None
    return _Plan(window, hertz, int(own[0]), int(own[-1]) + 1, rate)


def _least(values: Tensor, back: int, ahead: int) -> Tensor:
    """The least of (B, F, K) over each frame, `back` frames before it and `ahead` after it."""
    padded = F.pad(-values.mT, (back, ahead), mode="replicate")
    return -F.max_pool1d(padded, back + ahead + 1, 1).mT
