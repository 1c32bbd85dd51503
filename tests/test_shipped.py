"""The model inside the package: it loads, plays, listens, and can be steered."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from ditto_music import Intensity, Rhythm, generate, load_model, optimize
from ditto_music.audio import read_recording
from ditto_music.baselines import control_net
from ditto_music.editing import inpaint
from ditto_music.models import REGISTRY
from ditto_music.protocols import Model

RECORDINGS = Path(__file__).parent / "recordings"


@pytest.fixture(scope="module")
def shipped() -> Model:
    return load_model()


def test_the_weights_are_small_enough_to_ship() -> None:
    size = next(entry for entry in REGISTRY if entry.name == "ditto-small").size_bytes()
    assert 10e6 < size < 45e6


def test_every_licence_and_notice_is_told_to_those_who_install() -> None:
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    told = {root / name for name in project["license-files"]}
    files = {path for kind in ("LICENSE*", "NOTICE*") for path in (root / "src").rglob(kind)}
    assert told == files | {root / "LICENSE"}


def test_it_plays_at_a_musical_level(shipped: Model) -> None:
    """Of its data a twentieth is silence, pieces that fade in: a clip of six may be faint."""
    prompts = ["piano", "techno", "waltz", "rock band", "ambient pads", "slow blues"]
    clips = generate(shipped, prompts, seed=list(range(6)), duration=4, steps=10)
    levels = 20 * clips.audio.square().mean((1, 2)).sqrt().log10()
    assert -40 < float(levels.median()) < -10
    assert int(((levels > -60) & (levels < -3)).sum()) >= 5
    assert not torch.equal(clips.audio[0], clips.audio[1])


def test_prompts_change_the_music_more_than_their_wording(shipped: Model) -> None:
    """From one noise, the same words in another order stay closer than another style."""
    prompts = ["calm slow piano", "slow calm piano", "heavy metal guitars, 170 bpm"]
    same, other, far = generate(shipped, prompts, duration=3, steps=8).items
    assert (same.latent - other.latent).norm() < 0.7 * (same.latent - far.latent).norm()


def test_styles_sound_as_their_names_say(shipped: Model) -> None:
    """Cymbals and hats, not pads, reach above 6 kHz, whatever the noise."""

    def treble(prompt: str) -> torch.Tensor:
        clips = generate(shipped, prompt, seed=[1, 2, 3, 4], duration=3, steps=8).audio[:, 0]
        power = torch.fft.rfft(clips).abs().square()
        return 10 * torch.log10(power[:, 18_000:].sum(1) / power.sum(1))

    assert float((treble("drum and bass") - treble("ambient pads")).mean()) > 6


def test_intensity_can_be_steered(shipped: Model) -> None:
    control = Intensity([-36, -18])
    result = optimize(
        shipped, "calm piano", control, duration=3, steps=6, surrogate_steps=6, iterations=15
    )
    item = result.items[0]
    assert item.final["loss"] < 0.25 * item.history[0]["loss"]


def test_the_trained_branch_follows_a_rhythm_in_one_sample(shipped: Model) -> None:
    control = Rhythm(RECORDINGS / "loop_compus.flac")
    more = {"duration": 3, "steps": 8, "seed": 2}
    told = control_net(shipped, "rock band", control, **more).items[0]
    free = generate(shipped, "rock band", control, **more).items[0]
    assert told.final["rhythm.correlation"] > free.final["rhythm.correlation"] + 0.3


def test_a_real_recording_is_redone_inside_and_only_there(shipped: Model) -> None:
    original = read_recording(RECORDINGS / "loop_compus.flac")
    edit = inpaint(
        shipped, original, [(3.0, 3.5)], steps=6, surrogate_steps=6, iterations=10, guidance=1
    )
    start, stop = round(3.0 * 44_100), round(3.5 * 44_100)
    assert edit.recording.subtype == original.subtype
    assert np.array_equal(edit.recording.samples[:start], original.samples[:start])
    assert np.array_equal(edit.recording.samples[stop:], original.samples[stop:])
    history = edit.results[0].items[0].history
    assert history[-1]["match"] < history[0]["match"]


@pytest.mark.slow
@pytest.mark.parametrize("curve", [[-40, -12], [-12, -40], [-36, -14, -36]])
def test_the_defaults_meet_a_curve_within_a_decibel(shipped: Model, curve: list[float]) -> None:
    result = optimize(shipped, "calm piano ballad, 80 bpm", Intensity(curve), seed=3)
    assert result.items[0].metrics["intensity"]["rms_error_db"] < 1.0


@pytest.mark.slow
def test_memory_does_not_grow_with_steps() -> None:
    def peak(steps: int) -> float:
        command = [sys.executable, "-m", "benchmarks.sampling", "--repeats", "1"]
        done = subprocess.run(
            [*command, "--row", str(steps), "checkpoint", "1"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[1],
        )
        return float(json.loads(done.stdout.splitlines()[-1])["peak_mb"])

    assert peak(50) <= 1.05 * peak(5)
