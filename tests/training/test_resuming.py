"""What a training command finds made already counts only if it was made of the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ditto_music import InputError
from ditto_music.models.small import debug_model
from ditto_music.models.small.codec import Codec
from training import equaliser, guidance
from training.diffusion import latents
from training.weights import save_weights


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two shards of one second of noise."""
    rng = np.random.default_rng(0)
    for number in range(2):
        shard = tmp_path / f"data/shard-{number:05}.npy"
        shard.parent.mkdir(exist_ok=True)
        np.save(shard, (3000 * rng.standard_normal(24_000)).astype(np.int16))
        label = {"id": f"piece-{number}", "offset": 0, "samples": 24_000, "split": "train"}
        shard.with_suffix(".jsonl").write_text(json.dumps(label))
    return tmp_path / "data"


def run(monkeypatch: pytest.MonkeyPatch, main: Any, **flags: object) -> None:
    argv = [text for name, value in flags.items() for text in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["command", *argv])
    main()


def saved(folder: Path, codec: Codec) -> Path:
    path = folder / "codec.safetensors"
    save_weights(path, codec.state_dict(), codec.config)
    return path


def test_latents_go_on_with_the_same_encoder_and_no_other(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, out = debug_model().codec, tmp_path / "latents"
    flags = {"data": data, "codec": saved(tmp_path, codec), "out": out}
    run(monkeypatch, latents.main, **flags)
    whole = {path: load_file(path) for path in sorted(out.iterdir())}
    assert [*map(len, whole.values())] == [1, 1]

    sorted(out.iterdir())[0].unlink()
    with torch.no_grad():
        next(codec.equalisers.parameters()).add_(1)  # no latent depends on it
    saved(tmp_path, codec)
    run(monkeypatch, latents.main, **flags)
    for path, before in whole.items():
        assert all(torch.equal(load_file(path)[name], x) for name, x in before.items())

    sorted(out.iterdir())[0].unlink()
    with torch.no_grad():
        next(codec.encoder.parameters()).add_(1)
    saved(tmp_path, codec)
    with pytest.raises(InputError, match=r"shard-00001.*not of this codec's encoder: give another"):
        run(monkeypatch, latents.main, **flags)
    assert len([*out.iterdir()]) == 1


def test_equalisers_of_a_finished_run_are_not_taken_for_another_codecs(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, out = debug_model().codec, tmp_path / "out"
    flags = {"data": data, "codec": saved(tmp_path, codec), "out": out, "steps": 0}
    run(monkeypatch, equaliser.main, **flags)
    run(monkeypatch, equaliser.main, **flags)
    with torch.no_grad():
        next(codec.encoder.parameters()).add_(1)
    saved(tmp_path, codec)
    with pytest.raises(InputError, match=r"equaliser was begun with --codec \w+, not \w+: give"):
        run(monkeypatch, equaliser.main, **flags)


def test_a_row_of_other_weights_or_another_count_is_made_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("frechet", "kernel", "style", "tempo", "notes of the key", "instruments", "level")
    made = list[int]()

    class Counting:
        wanted = None

        def __init__(self, music: object, count: int) -> None:
            self.count = count

        def row(self, clips: object) -> guidance.Row:
            return dict.fromkeys(names, 0.0)

        def made(self, *setting: object) -> guidance.Row:
            made.append(self.count)
            return dict.fromkeys(names, float(len(made))) | {"seconds": 1.0}

    monkeypatch.setattr(guidance, "Bench", Counting)
    models = {"first": debug_model(), "second": debug_model()}
    models["second"].files = [saved(tmp_path, models["second"].codec)]
    monkeypatch.setattr(guidance, "load_model", models.__getitem__)
    flags = {"data": data, "out": tmp_path / "out", "setting": "1.5"}
    asked = [("first", 4), ("first", 4), ("first", 8), ("second", 8), ("second", 8)]
    for model, count in asked:
        run(monkeypatch, guidance.main, model=model, count=count, **flags)
    assert made == [4, 8, 8]
    (data / "shard-00001.jsonl").unlink()
    run(monkeypatch, guidance.main, model="second", count=8, **flags)
    assert made == [4, 8, 8, 8]
    assert "| 1.5 | 4.0 |" in capsys.readouterr().out.splitlines()[-1]
