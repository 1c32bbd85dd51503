"""Stereo at the real rates, 44.1 and 48 kHz, and minutes of music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ditto_music import Brightness, Intensity, Melody, generate, load_model, optimize
from ditto_music.audio import Recording, read_recording
from ditto_music.cli import main
from ditto_music.editing import inpaint
from ditto_music.models.hub.stable_audio import StableAudioModel
from ditto_music.problem import Problem
from ditto_music.result import Settings
from tests.models.hub.checkpoints import own_guidance

RATES = {"44100": 44_100, "44100, third": 44_100, "48000": 48_000, "48000, base": 48_000}
SECONDS = 2.0


def take(rate: int, seconds: float = 5.0) -> Recording:
    """Another tone in each channel, growing."""
    time = np.arange(round(seconds * rate)) / rate
    tones = np.sin(2 * np.pi * np.outer(time, (220, 331))) * (0.05 + 0.02 * time[:, None])
    return Recording.of(tones.astype(np.float32).T, rate)


@pytest.mark.parametrize("name", RATES)
def test_controls_hear_both_channels_at_their_rate(folders: dict[str, Path], name: str) -> None:
    model = load_model(str(folders[name]), dtype="float32")
    assert (model.sample_rate, model.channels) == (RATES[name], 2)
    wanted = Intensity([-40, -20]) + 0.5 * Melody("C4 E4") + 0.5 * Brightness("1000:3000")
    problem = Problem(model, "calm", wanted, 0, Settings(SECONDS, 2))
    latent = generate(model, "calm", duration=SECONDS, steps=2).items[0].latent[None]
    clip = problem.clip(latent)
    audio = clip.audio.detach().requires_grad_()
    clip.__dict__["audio"] = audio
    losses, rows = problem.measure(clip, [0])
    (slope,) = torch.autograd.grad(losses.sum(), audio)
    assert audio.shape == (1, 2, round(SECONDS * RATES[name]))
    assert set(rows[0]) > {"intensity", "melody", "brightness"}
    assert slope.isfinite().all()
    assert (slope.abs().amax(-1) > 0).all()  # of either channel


@pytest.mark.parametrize("name", RATES)
def test_a_curve_is_followed(folders: dict[str, Path], name: str) -> None:
    model = load_model(str(folders[name]), dtype="float32")
    made = optimize(
        model, "calm", Intensity([-45, -25]), duration=SECONDS, steps=2, surrogate_steps=2,
        iterations=5, guidance=own_guidance(name),
    )  # fmt: skip
    item = made.items[0]
    assert item.final["loss"] < item.history[0]["loss"]
    assert made.audio.shape == (1, 2, round(SECONDS * RATES[name]))


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("name", RATES)
def test_an_edit_keeps_rate_channels_and_the_rest(
    folders: dict[str, Path], name: str, rate: int
) -> None:
    """Of a recording at the model's own rate and at the other one."""
    model, original = load_model(str(folders[name]), dtype="float32"), take(rate)
    made = inpaint(
        model, original, [(2.0, 2.6)], "calm", steps=2, surrogate_steps=2, iterations=1,
        guidance=own_guidance(name),
    ).recording  # fmt: skip
    assert made.sample_rate == rate
    assert made.samples.shape == original.samples.shape
    start, stop = round(2.0 * rate), round(2.6 * rate)
    assert np.array_equal(made.samples[:start], original.samples[:start])
    assert np.array_equal(made.samples[stop:], original.samples[stop:])
    inside = made.samples[start:stop]
    assert not np.array_equal(inside, original.samples[start:stop])
    assert not np.array_equal(inside[:, 0], inside[:, 1])


def test_the_file_written_is_stereo_at_the_models_rate(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    flags = ["--model", str(folders["48000"]), "--duration", "1", "--steps", "2"]
    assert main(["generate", "calm", *flags, "-o", str(out)]) == 0
    made = read_recording(out)
    assert (made.sample_rate, made.samples.shape) == (48_000, (48_000, 2))


@pytest.mark.parametrize("name", ["AceStepPipeline", "StableAudio3Pipeline"])
def test_minutes_of_music(folders: dict[str, Path], name: str) -> None:
    model = load_model(str(folders[name]), dtype="float32")
    seconds = min(120.0, model.seconds_range[1])
    made = generate(model, "calm", duration=seconds, steps=2, guidance=1.0)
    assert made.audio.shape == (1, 2, round(seconds * model.sample_rate))
    assert made.audio.isfinite().all()


def test_a_short_clip_is_decoded_from_its_own_latents_at_the_real_rate(
    folders: dict[str, Path],
) -> None:
    """Stable Audio Open's latents are always of the full length; not all are decoded."""
    model = load_model(str(folders["44100"]), dtype="float32")
    assert isinstance(model, StableAudioModel)
    problem = Problem(model, "calm", None, 0, Settings(0.5, 2))
    latent = problem.noise()
    with torch.no_grad():
        short, whole = problem.clip(latent).audio, model.decode(latent)
    assert latent.shape[-1] == 128
    assert torch.allclose(short, whole[..., : short.shape[-1]], atol=1e-5)
