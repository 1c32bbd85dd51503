"""`--method control-net`: on weights with a branch beside them, and one line on anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import Ditto

from ditto_music.models.small import debug_model
from ditto_music.models.small.control_net import FILE, ControlNet
from ditto_music.models.small.words import vocabulary_to_tensor
from training.weights import save_weights

QUICK = ("--method", "control-net", "--duration", "1", "--steps", "3", "--quiet", "-o", "out.wav")
RISE = ("control", "calm", "--intensity=-35:-14")


@pytest.fixture
def weights(folder: Path) -> Path:
    """The tiny model on disk, with a branch that does something."""
    model = debug_model()
    branch = ControlNet.beside(model.denoiser, hidden=8)
    bias = branch.leave[0].bias.data
    bias.copy_(torch.linspace(-0.5, 0.5, len(bias)))  # not one value: norms take that out
    home = folder / "weights"
    home.mkdir()
    save_weights(home / "codec.safetensors", model.codec.state_dict(), model.codec.config)
    state = model.denoiser.state_dict()
    state["vocabulary"] = vocabulary_to_tensor(model.words.pieces)
    save_weights(home / "denoiser.safetensors", state, model.denoiser.config)
    save_weights(home / FILE, branch.state_dict(), branch.config)
    return home


def test_it_makes_music_and_reports(ditto: Ditto, weights: Path) -> None:
    told = ditto(*RISE, "--melody", "C4 E4", *QUICK, "--model", "weights", "--report", "r.json")
    assert told.status == 0, told.err
    report = json.loads(Path("r.json").read_text())
    assert report["method"] == "control-net"
    assert set(report["controls"]) == {"intensity", "melody"}
    assert len(report["loss"]["history"]) == 1
    sound = Path("out.wav").read_bytes()
    assert ditto(*RISE, *QUICK[2:], "--method", "plain", "--model", "weights").status == 0
    assert Path("out.wav").read_bytes() != sound


def test_what_it_cannot_do_is_one_line(ditto: Ditto, weights: Path, take: Path) -> None:
    ditto(*RISE, *QUICK, "--model", "debug").refused(
        "method 'control-net' is trained for ditto-small, and debug has no trained branch"
    )
    more = ("--brightness", "500:2000", *QUICK, "--model", "weights")
    ditto("control", "calm", *more).refused("was trained to follow intensity, melody, rhythm")
    edit = ("inpaint", str(take), "--from", "1", "--to", "2", "--model", "weights")
    ditto(*edit, "--method", "control-net", "-o", "out.wav").refused("this asks for match")
    keep = ("--save-run", "run", "--model", "weights")
    ditto(*RISE, *QUICK, *keep).refused("method 'control-net' finds none")
    (weights / FILE).unlink()
    ditto(*RISE, *QUICK, "--model", "weights").refused("weights has no trained branch")
    assert not Path("out.wav").exists()
