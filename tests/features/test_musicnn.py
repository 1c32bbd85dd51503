"""The rebuilt taggers are TensorFlow's, and hear what there is to hear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import torch

from ditto_music import InputError
from ditto_music.audio import read_audio
from ditto_music.features.musicnn import (
    TAGS,
    Which,
    embedding,
    log_mel,
    logits,
    patches,
    tags,
    tags_of,
)

RATE = 16_000
SAMPLES = 373 * 256  # two whole patches
RECORDINGS = Path(__file__).parents[1] / "recordings"
SONIC_PI = Path("/usr/share/sonic-pi/samples")
REFERENCE: dict[str, Any] = json.loads(
    Path(__file__).with_name("musicnn_reference.json").read_text()
)


def sound(name: str, rate: int = RATE) -> torch.Tensor:
    """(1, N): the formulas of training/musicnn/reference.py, or a recording."""
    n = torch.arange(SAMPLES, dtype=torch.float64)
    t = n / RATE
    match name:
        case "chord":
            pitches = torch.tensor([220.0, 277.18, 329.63], dtype=torch.float64)
            made = 0.2 * torch.sin(2 * torch.pi * pitches[:, None] * t).sum(0)
        case "chirp":
            made = 0.5 * torch.sin(2 * torch.pi * (50 * t + 600 * t**2))
        case "hats":
            made = 0.3 * torch.sin(n**2 % 1009) * torch.exp(-(t % 0.25) / 0.03)
        case _:
            path = RECORDINGS / f"{name}.flac"
            return torch.from_numpy(read_audio(path, rate, mono=True))
    return made.float()[None]


def top(name: str, which: Which, count: int) -> list[str]:
    values = tags(sound(name)[:, :SAMPLES], RATE, which)[0]
    return [TAGS[which][i] for i in values.topk(count).indices]


@pytest.mark.parametrize("which", ["msd", "mtt", "msd-vgg"])
@pytest.mark.parametrize("name", REFERENCE["msd"])
def test_tags_are_tensorflows(name: str, which: Which) -> None:
    wanted = torch.tensor(REFERENCE[which][name]["tags"])
    own = tags(sound(name)[:, :SAMPLES], RATE, which)[0]
    assert (own - wanted).abs().max() < 1e-3


@pytest.mark.parametrize("which", ["msd", "mtt"])
@pytest.mark.parametrize("name", ["chirp", "loop_safari"])
def test_embeddings_are_tensorflows(name: str, which: Any) -> None:
    wanted = torch.tensor(REFERENCE[which][name]["embedding"])
    own = embedding(sound(name)[:, :SAMPLES], RATE, which)[0]
    assert torch.nn.functional.cosine_similarity(own, wanted, dim=0) > 0.9999
    assert (own - wanted).abs().max() < 0.01
    assert (tags_of(own, which) - tags_of(wanted, which)).abs().max() < 1e-3


def test_the_rate_does_not_matter() -> None:
    own = tags(sound("loop_compus", 44_100)[:, : 3 * 44_100], 44_100, "mtt")
    assert (own - tags(sound("loop_compus")[:, : 3 * RATE], RATE, "mtt")).abs().max() < 3e-3


def test_the_front_end_is_librosas() -> None:
    audio = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 20_000))).float() / 5
    theirs = librosa.feature.melspectrogram(
        y=audio[0].numpy(), sr=RATE, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect"
    )
    assert np.allclose(log_mel(audio, RATE)[0].T, np.log10(10_000 * theirs + 1), atol=1e-4)


@pytest.mark.parametrize(
    ("frames", "starts"), [(187, [0]), (374, [0, 187]), (375, [0, 94, 188]), (500, [0, 156, 313])]
)
def test_patches_cover_everything_and_overlap_little(frames: int, starts: list[int]) -> None:
    cut = patches(torch.arange(frames).float()[None, :, None].expand(1, frames, 96))
    assert cut.shape == (1, len(starts), 187, 96)
    assert cut[0, :, 0, 0].tolist() == starts
    assert cut.max() == frames - 1


def test_what_is_shorter_than_a_patch_is_repeated() -> None:
    cut = patches(torch.arange(80).float()[None, :, None].expand(2, 80, 96))
    assert cut.shape == (2, 1, 187, 96)
    assert cut[1, 0, :, 5].tolist() == [*range(80), *range(80), *range(27)]


def test_items_of_a_batch_are_independent() -> None:
    both = torch.cat([sound("hats"), sound("chord")])[:, : 3 * RATE]
    assert torch.allclose(tags(both, RATE)[1], tags(both[1:], RATE)[0], atol=1e-5)


@pytest.mark.parametrize("which", ["msd", "mtt", "msd-vgg"])
@pytest.mark.parametrize("level", [0.0, 0.3])
def test_gradients_reach_the_audio(which: Which, level: float) -> None:
    noise = torch.randn(1, 24_000, generator=torch.Generator().manual_seed(0))
    audio = (level * noise).requires_grad_()
    out = logits(audio, 24_000, which)
    out.sum().backward()
    assert out.shape == (1, 1, 50)
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()
    assert bool(audio.grad.abs().sum() > 0) == (level > 0)


def test_every_network_has_fifty_tags() -> None:
    assert all(len(set(names)) == 50 for names in TAGS.values())


def test_too_short_audio_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="give at least that much"):
        tags(torch.zeros(1, 200), RATE)


def test_recordings_sound_like_what_they_are() -> None:
    assert "guitar" in top("guit_em9", "mtt", 4)
    assert {"ambient", "instrumental"} & set(top("guit_em9", "msd", 2))
    assert top("loop_compus", "mtt", 1) == ["beat"]
    assert top("loop_compus", "msd", 1) == top("loop_compus", "msd-vgg", 1) == ["electronic"]
    assert top("loop_safari", "mtt", 1) == ["drums"]


@pytest.mark.slow
@pytest.mark.skipif(not SONIC_PI.is_dir(), reason="needs Debian's sonic-pi-samples")
@pytest.mark.parametrize(
    ("file", "which", "tag", "among"),
    [
        ("ambi_choir", "mtt", "choir", 1),
        ("ambi_drone", "msd", "ambient", 1),
        ("ambi_drone", "msd-vgg", "ambient", 1),
        ("ambi_piano", "mtt", "piano", 5),
        ("bass_trance_c", "mtt", "synth", 3),
        ("guit_e_fifths", "mtt", "guitar", 1),
        ("loop_amen_full", "mtt", "drums", 1),
        ("loop_breakbeat", "mtt", "beat", 1),
        ("loop_breakbeat", "msd", "electronic", 1),
        ("loop_garzul", "mtt", "techno", 1),
        ("loop_garzul", "msd", "electronic", 1),
        ("loop_mika", "mtt", "drums", 1),
        ("loop_tabla", "mtt", "drums", 1),
        ("loop_tabla", "mtt", "indian", 2),
        ("tabla_tas3", "mtt", "indian", 1),
        ("vinyl_rewind", "msd", "Hip-Hop", 3),
        ("vinyl_rewind", "msd-vgg", "Hip-Hop", 1),
    ],
)
def test_samples_sound_like_what_they_are(file: str, which: Which, tag: str, among: int) -> None:
    audio = torch.from_numpy(read_audio(SONIC_PI / f"{file}.flac", RATE, mono=True))
    best = tags(audio, RATE, which)[0].topk(among).indices
    assert tag in [TAGS[which][i] for i in best]
