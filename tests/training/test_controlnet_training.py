"""The branch of Music ControlNet: it alone learns, it heeds controls, and a run can be resumed."""

from __future__ import annotations

import argparse
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ditto_music import InputError
from ditto_music.features import intensity
from ditto_music.features.chroma import chroma
from ditto_music.features.onset import onset_strength
from ditto_music.models.small import SmallModel
from ditto_music.models.small.control_net import CONTROLS, FILE, ControlNet, asked
from ditto_music.models.small.words import vocabulary_to_tensor
from training.controlnet.pairs import Pairs, heard_in, thinned
from training.controlnet.train import branch_loss, only, train
from training.loop import Run
from training.weights import save_weights

FRAMES = 24


def loud_and_soft(seed: int, count: int = 16) -> Pairs:
    """Latents that are their level, which is heard."""
    generator = torch.Generator().manual_seed(seed)
    level = torch.randn(count, FRAMES // 4, generator=generator).repeat_interleave(4, 1)
    track = torch.stack([level, torch.ones_like(level)], -1)
    x_0 = level[:, None].expand(-1, 8, -1).contiguous()
    return Pairs(
        x_0, torch.tensor([[2]] * count), torch.zeros(count, 1), asked({"intensity": track}, FRAMES)
    )


def test_only_the_branch_learns(model: SmallModel) -> None:
    branch = ControlNet.beside(model.denoiser, hidden=8)
    pairs = loud_and_soft(0)
    before = {name: value.clone() for name, value in model.denoiser.state_dict().items()}
    optimizer = torch.optim.AdamW(branch.parameters(), lr=1e-2)
    for step in range(3):
        noise = torch.Generator().manual_seed(step)
        branch_loss(branch, model.denoiser, pairs, pairs.heard, noise).backward()
        assert all(p.grad is None for p in model.denoiser.parameters())
        optimizer.step()
    assert all(p.grad is not None for p in branch.parameters())
    assert all(float(p.grad.abs().sum()) > 0 for p in branch.readers[0].parameters())  # type: ignore[union-attr]
    assert all(torch.equal(before[k], v) for k, v in model.denoiser.state_dict().items())


def test_it_learns_to_heed_what_it_is_told(model: SmallModel) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        branch = ControlNet.beside(model.denoiser, hidden=8)
    optimizer = torch.optim.AdamW(branch.parameters(), lr=1e-2)
    rng = np.random.default_rng(0)
    for step in range(200):
        pairs = loud_and_soft(step)
        noise = torch.Generator().manual_seed(step)
        loss = branch_loss(branch, model.denoiser, pairs, thinned(pairs.heard, rng), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pairs = loud_and_soft(999, 64)

    @torch.no_grad()
    def loss_by(told: Tensor) -> float:
        noise = torch.Generator().manual_seed(0)
        return float(branch_loss(branch, model.denoiser, pairs, told, noise))

    own, no = loss_by(pairs.heard), loss_by(0 * pairs.heard)
    assert own < 0.9 * no
    assert loss_by(pairs.heard.roll(1, 0)) > 1.1 * no


def test_what_is_heard_are_the_products_features() -> None:
    """Of the very crop, at its frames: a rising tone of A."""
    time = torch.arange(94 * 512) / 24_000
    audio = (0.02 + 0.2 * time) * torch.sin(2 * torch.pi * 440 * time)
    heard = heard_in(audio[None], 24_000, 94)[0]
    level, classes, onsets, given = heard.split([1, 12, 2, 3], -1)
    assert heard.shape == (94, 18)
    assert torch.equal(given, torch.ones(94, 3))
    curve = intensity(audio[None], 24_000)[0]
    between = (curve[:-1] + curve[1:]) / 2  # frames of the latent lie half-way
    assert torch.allclose(12 * level[2:-2, 0] - 30, between, atol=1e-3)
    assert chroma(audio[None], 24_000).argmax(1).unique().tolist() == [9]
    assert classes.argmax(-1).unique().tolist() == [9]
    strength = onset_strength(audio[None], 24_000)[0]
    assert float(onsets.mean()) == pytest.approx(float(strength.mean()), abs=0.05)
    silence = heard_in(torch.zeros(1, 94 * 512), 24_000, 94)[0]
    assert float(silence[:, 1:13].sum()) == 0  # a rest, which is asked for
    assert float(silence[:, 16].mean()) == 1


def test_controls_are_dropped_whole_and_in_stretches() -> None:
    heard = asked({name: torch.ones(400, 20, size + 1) for name, size in CONTROLS.items()}, 20)
    told = thinned(heard, np.random.default_rng(0))
    given = told[..., 15:]
    whole = given.mean(1)
    subsets = {tuple(row) for row in (whole > 0).int().tolist()}
    assert len(subsets) == 8
    assert 0.05 < float((whole == 1).all(1).float().mean()) < 0.2
    assert 0.1 < float((whole == 0).all(1).float().mean()) < 0.25
    partly = (whole > 0) & (whole < 1)
    assert 0.1 < float(partly.float().mean()) < 0.4
    steps = given.diff(dim=1).abs().sum(1)
    assert int(steps.max()) <= 2  # one gap
    assert torch.equal(told[..., 0], given[..., 0])
    assert torch.equal(told[..., 1:13], given[..., 1:2].expand(-1, -1, 12))
    melody = only(heard, "melody")[0, 0]
    assert melody.tolist() == [0, *[1] * 12, 0, 0, 0, 1, 0]


@pytest.fixture
def music(model: SmallModel, piece: dict[str, Any], tmp_path: Path) -> argparse.Namespace:
    """Four pieces of noise, their latents, and a tiny denoiser: all that a run needs."""
    rng = np.random.default_rng(0)
    size = piece["samples"]
    sound = (3000 * rng.standard_normal(4 * size)).astype(np.int16)
    np.save(tmp_path / "shard-00000.npy", sound)
    pieces = [
        piece | {"id": str(i), "offset": i * size, "split": "held-out" if i == 3 else "train"}
        for i in range(4)
    ]
    lines = [json.dumps(piece) for piece in pieces]
    (tmp_path / "shard-00000.jsonl").write_text("\n".join(lines))
    latents = {str(i): torch.randn(8, size // 512).half() for i in range(4)}
    (tmp_path / "latents").mkdir()
    save_file(latents, tmp_path / "latents" / "shard-00000.safetensors")
    denoiser = tmp_path / "denoiser.safetensors"
    vocabulary = {"vocabulary": vocabulary_to_tensor(model.words.pieces)}
    save_weights(denoiser, model.denoiser.state_dict() | vocabulary, model.denoiser.config)
    return argparse.Namespace(
        data=tmp_path, latents=tmp_path / "latents", denoiser=denoiser, out=tmp_path / "out",
        steps=4, tokens=600, lr=1e-3, judge_every=2, seed=0,
    )  # fmt: skip


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    music: argparse.Namespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = signal.getsignal(signal.SIGINT)
    train(music)
    assert signal.getsignal(signal.SIGINT) is keys
    told = capsys.readouterr().out
    assert told.count("held-out loss at step") == 2
    for name in ("own", "another's", "intensity", "melody", "rhythm", "no"):
        assert f"{name} " in told
    once = load_file(music.out / FILE)
    music.out = music.out.with_name("again")

    class Stops(Run):
        def log(self, **values: float | Tensor) -> None:
            super().log(**values)
            self._stop = self._stop or self.step == 1

    monkeypatch.setattr("training.controlnet.train.Run", Stops)
    with pytest.raises(SystemExit, match="stopped at step 2; run again to go on"):
        train(music)
    train(music)
    twice = load_file(music.out / FILE)
    assert once.keys() == twice.keys()
    assert all(torch.equal(once[name], twice[name]) for name in once)

    music.seed = 1
    with pytest.raises(InputError, match="control_net was begun with --seed 0, not 1"):
        train(music)
