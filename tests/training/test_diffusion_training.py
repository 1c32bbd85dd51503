"""The denoiser's training: which optimiser steps what, and that a step learns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ditto_music import InputError
from ditto_music.models.small import debug_model
from ditto_music.models.small.denoiser import Denoiser, DenoiserConfig, attend
from ditto_music.models.small.model import load_denoiser
from ditto_music.models.small.words import vocabulary_to_tensor
from training.diffusion import shapes
from training.diffusion.shapes import Shape, cost
from training.diffusion.train import Times, export, flow_loss, optimizers
from training.weights import save_weights


def test_muon_takes_the_matrices_of_the_blocks_and_adamw_the_rest() -> None:
    denoiser = debug_model().denoiser.requires_grad_(True)
    denoiser.text.requires_grad_(False)
    muon, adamw = (
        {id(p) for group in it.param_groups for p in group["params"]}
        for it in optimizers(denoiser, 1e-3).values()
    )
    named = {k: p for k, p in denoiser.named_parameters() if p.requires_grad}
    assert muon.isdisjoint(adamw) and muon | adamw == {id(p) for p in named.values()}
    assert id(named["blocks.0.attention.qkv.weight"]) in muon
    assert id(named["enter.weight"]) in adamw
    assert id(named["blocks.0.offset"]) in adamw


def test_both_optimisers_lower_the_loss() -> None:
    denoiser = debug_model().denoiser.requires_grad_(True)
    denoiser.text.requires_grad_(False)
    x_0 = torch.randn(8, denoiser.config.channels, 1, generator=torch.Generator().manual_seed(1))
    x_0 = x_0.expand(-1, -1, 16).contiguous()
    words = torch.full((8, 2), 2), torch.zeros(8, 2)
    both = optimizers(denoiser, 3e-3)
    losses: list[float] = []
    for _ in range(30):
        loss = flow_loss(denoiser, x_0, *words, torch.Generator().manual_seed(0))
        loss.backward()
        for optimizer in both.values():
            optimizer.step()
            optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_attention_by_plain_products_is_that_of_the_fused_kernel() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 9, 16, generator=generator, requires_grad=True)
    mask = torch.arange(9) < torch.tensor([[9], [5]])
    for keys in (None, mask[:, None, None]):
        fused = attend(q, k, v, keys)
        with torch.autocast("cpu", torch.bfloat16):
            plain = attend(q, k, v, keys)
        assert plain.dtype == torch.bfloat16
        assert float((fused - plain).detach().abs().max()) < 0.03
        a, b = (torch.autograd.grad(x.float().square().sum(), q)[0] for x in (fused, plain))
        assert float((a - b).norm() / a.norm()) < 0.03


def test_adamw_can_step_all_that_learns() -> None:
    denoiser = debug_model().denoiser.requires_grad_(True)
    denoiser.text.requires_grad_(False)
    steppers = optimizers(denoiser, 1e-3, muon=False)
    assert list(steppers) == ["adamw"]
    stepped = sum(p.numel() for g in steppers["adamw"].param_groups for p in g["params"])
    assert stepped == sum(p.numel() for p in denoiser.parameters() if p.requires_grad)


def test_times_are_drawn_about_their_lean() -> None:
    draw = Times(lean=2.0, spread=0.5).draw(4000, torch.Generator().manual_seed(0))
    logits = torch.logit(draw)
    assert abs(float(logits.mean()) - 2.0) < 0.03 and abs(float(logits.std()) - 0.5) < 0.03


def test_cost_of_shapes_grows_with_what_they_multiply() -> None:
    shipped = cost(DenoiserConfig(vocabulary=3))
    finer = cost(DenoiserConfig(vocabulary=3, patch=1))
    deeper = cost(DenoiserConfig(vocabulary=3, depth=16))
    assert 1.9 < finer / shipped < 2.7  # twice the tokens, four times the pairs of them
    assert 1.8 < deeper / shipped < 2.0  # all but ends and modulation doubles


@pytest.fixture
def music(piece: dict[str, Any], tmp_path: Path) -> Path:
    """Four labelled pieces without their sound, their latents, and a tiny denoiser."""
    pieces = [
        piece | {"id": str(i), "offset": 0, "split": "held-out" if i == 3 else "train"}
        for i in range(4)
    ]
    (tmp_path / "shard-00000.jsonl").write_text("\n".join(map(json.dumps, pieces)))
    draw = torch.Generator().manual_seed(0)
    latents = {str(i): torch.randn(32, 610, generator=draw).half() for i in range(4)}
    (tmp_path / "latents").mkdir()
    save_file(latents, tmp_path / "latents" / "shard-00000.safetensors")
    known = debug_model()
    config = DenoiserConfig(vocabulary=len(known.words), word_width=8, width=32, depth=1, heads=1)
    state = Denoiser(config).state_dict() | {"vocabulary": vocabulary_to_tensor(known.words.pieces)}
    save_weights(tmp_path / "denoiser.safetensors", state, config)
    return tmp_path


def test_exported_weights_say_whose_their_word_vectors_are(tmp_path: Path) -> None:
    model = debug_model()
    export(
        tmp_path / "x.safetensors", model.denoiser.state_dict(), model.denoiser.config, model.words
    )
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert "MiniLM" in file.metadata()["word_vectors"]
        assert "Apache-2.0" in file.metadata()["word_vectors"]
    load_denoiser(tmp_path / "x.safetensors")


def test_shapes_learn_for_as_many_operations_and_a_finished_one_is_not_trained_again(
    music: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = Shape({"depth": 8}, {"optimizer": "adamw", "lean": 0.0})
    monkeypatch.setattr(shapes, "SHAPES", {"as shipped": Shape(), "deep": deep})
    told = {
        "data": music, "latents": music / "latents", "start": music / "denoiser.safetensors",
        "out": music / "out", "steps": 8, "tokens": 600,
    }  # fmt: skip
    argv = [f"--{name}={value}" for name, value in told.items()]
    monkeypatch.setattr(sys, "argv", ["shapes", "--no-compile", *argv])
    shapes.main()
    first = capsys.readouterr().out
    rows = {cells[0]: cells[1:] for cells in cells_of(first)}
    ratio, steps = float(rows["deep"][1]), int(rows["deep"][2])
    assert rows["as shipped"][1:3] == ["1.00", "8"]
    assert 2 < ratio < 8 and steps == round(8 / ratio)
    made = load_file(music / "out" / "deep" / "denoiser.safetensors")
    assert sum(name.endswith("qkv.weight") for name in made if name.startswith("blocks")) == 8
    monkeypatch.setattr("training.diffusion.train.flow_loss", None)  # nothing is learnt again
    monkeypatch.setattr(
        "training.diffusion.train.held_out_losses", lambda *_: {"own": 1, "another's": 2, "no": 3}
    )
    shapes.main()
    again = {cells[0]: cells[1:] for cells in cells_of(capsys.readouterr().out)}
    assert again["deep"][:3] == rows["deep"][:3] and again["deep"][3] == "1.0000"
    for other, said in (("--steps=16", "--steps 8, not 16"), ("--tokens=900", "--tokens 600, not")):
        monkeypatch.setattr(sys, "argv", ["shapes", "--no-compile", *argv, other])
        with pytest.raises(InputError, match=f"begun with {said}"):
            shapes.main()


def cells_of(told: str) -> list[list[str]]:
    """Rows of a table among other lines."""
    lines = [line for line in told.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
