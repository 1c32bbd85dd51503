"""From audio to pitch: frames for CREPE, a Viterbi path through its activations, a finer value.

Conventions: frames of 1024 samples at 16 kHz (64 ms), centred, 10 ms apart if not asked otherwise,
with silence beyond the ends. Pitch i lies 20 i cents above 31.7 Hz. Periodicity is the network's
own activation at the pitch found, 0 to 1: 0.7 and more in a clear tone, seldom over `VOICED` in
noise, about 0 in silence. Of several tones at once one is found, mostly the loudest or the lowest.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.audio import resample
from ditto_music.errors import InputError
from ditto_music.features.crepe.network import PITCHES, SAMPLE_RATE, WINDOW, load_crepe

HOP_SECONDS = 0.01
CENTS_PER_PITCH = 20
LOWEST_CENTS = 1997.3794084376191  # of pitch 0 above 10 Hz, as the network was trained
VOICED = 0.5  # periodicity from which a frame is taken to have a pitch

STEPS = 11  # pitches a voice may glide in one frame, the nearer the likelier: 220 cents
LEAP = 1e-3  # likelihood of any other pitch next, beside 1 for staying: a new note
FAINT = 1e-3  # activations below are all the same
NEIGHBOURS = 4  # pitches on either side that a finer value is averaged over
CHUNK = 256  # frames at once: 34 MB in the widest layer


@torch.no_grad()
def pitch(audio: Tensor, sample_rate: int, hop: float = HOP_SECONDS) -> tuple[Tensor, Tensor]:
    """Pitch of mono audio with one voice.

    Parameters
    ----------
    audio : (B, N)
    sample_rate : Hz
    hop : seconds from frame to frame, rounded to samples at 16 kHz.

    Returns
    -------
    hertz : (B, F), 32 to 2000 Hz, at the times `pitch_times` gives; meaningless where unvoiced.
    periodicity : (B, F), 0 to 1; a frame at or above `VOICED` has a pitch.

    Raises
    ------
    InputError
        If the audio is shorter than one frame (64 ms).
    """
    return decode(activations(audio, sample_rate, hop))


def pitch_times(samples: int, sample_rate: int, hop: float = HOP_SECONDS) -> Tensor:
    """Centres (F,) in seconds of the frames of `samples` samples of audio."""
    step = round(hop * SAMPLE_RATE)
    count = 1 + round(samples * SAMPLE_RATE / sample_rate) // step
    return torch.arange(count) * (step / SAMPLE_RATE)


@torch.no_grad()
def activations(audio: Tensor, sample_rate: int, hop: float = HOP_SECONDS) -> Tensor:
    """The network's activations (B, F, 360) of mono audio (B, N); errors as `pitch`."""
    if audio.shape[-1] * SAMPLE_RATE < WINDOW * sample_rate:
        raise InputError(
            f"audio of {audio.shape[-1] / sample_rate:.3f} s is shorter than one pitch frame "
            f"({WINDOW / SAMPLE_RATE:.3f} s): give at least that much"
        )
    network, step = load_crepe(), round(hop * SAMPLE_RATE)
    samples = torch.from_numpy(resample(audio.detach().cpu().numpy(), sample_rate, SAMPLE_RATE))
    frames = F.pad(samples, (WINDOW // 2, WINDOW // 2)).unfold(-1, WINDOW, step)
    frames = frames - frames.mean(-1, keepdim=True)
    frames = frames / frames.std(-1, keepdim=True).clamp(min=1e-10)
    parts = [network(part) for part in frames.flatten(0, 1).split(CHUNK)]
    return torch.cat(parts).unflatten(0, frames.shape[:2]).to(audio.device)


def decode(activation: Tensor) -> tuple[Tensor, Tensor]:
    """Pitch in Hz and periodicity, both (B, F), of activations (B, F, 360).

    The pitch is the mean over the neighbours of the likeliest path, weighted by activation; the
    periodicity the activation on the path.
    """
    path = viterbi(activation)
    periodicity = activation.gather(-1, path[..., None])[..., 0]
    near = path[..., None] + torch.arange(-NEIGHBOURS, NEIGHBOURS + 1, device=path.device)
    weights = activation.gather(-1, near.clamp(0, PITCHES - 1)) + 1e-9
    weights = weights * ((near >= 0) & (near < PITCHES))
    cents = LOWEST_CENTS + CENTS_PER_PITCH * (weights * near).sum(-1) / weights.sum(-1)
    return 10 * 2 ** (cents / 1200), periodicity


def viterbi(activation: Tensor) -> Tensor:
    """The likeliest path (B, F), integer, through activations (B, F, 360).

    A frame's likelihoods are its activations. From one frame to the next the pitch stays or glides
    by up to 11 steps with falling likelihood, or leaps anywhere with `LEAP`.
    """
    offsets = torch.arange(-STEPS, STEPS + 1, device=activation.device)
    glide = (1 - offsets.abs() / (STEPS + 1)).log()
    leap = torch.tensor(LEAP, device=activation.device).log()
    seen = activation.clamp(min=FAINT).log()
    score, back = seen[:, 0], []
    for frame in seen.unbind(1)[1:]:
        near = F.pad(score, (STEPS, STEPS), value=float("-inf")).unfold(-1, len(offsets), 1)
        best, place = (near + glide).max(-1)
        far, origin = (score + leap).max(-1, keepdim=True)
        come_from = place + offsets[0] + torch.arange(PITCHES, device=score.device)
        back.append(torch.where(best >= far, come_from, origin))
        score = torch.maximum(best, far) + frame
    path = [score.argmax(-1, keepdim=True)]
    for origins in reversed(back):
        path.append(origins.gather(-1, path[-1]))
    return torch.cat(path[::-1], dim=-1)
