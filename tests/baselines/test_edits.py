"""Every method under the edits and the command line."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ditto_music import InputError
from ditto_music.audio import Recording
from ditto_music.baselines import METHODS
from ditto_music.cli import main
from ditto_music.editing import inpaint, loop_from_prompt, outpaint
from ditto_music.jobs import run_batch
from ditto_music.models.small import SmallModel

QUICK = {"steps": 4, "surrogate_steps": 2, "iterations": 2}
FLAGS = (
    *("--model", "debug", "--duration", "1", "--steps", "4"),
    *("--iterations", "2", "--surrogate-steps", "2", "--quiet"),
)


@pytest.fixture(scope="module")
def tones() -> Recording:
    time = np.arange(2 * 24_000) / 24_000
    return Recording.of(0.2 * np.sin(2 * np.pi * np.outer((220, 331), time)), 24_000, "PCM_16")


@pytest.mark.parametrize("name", [n for n, method in METHODS.items() if not method.follows])
def test_inpainting_leaves_the_rest_as_it_is(
    model: SmallModel, tones: Recording, name: str
) -> None:
    edit = inpaint(model, tones, [(0.8, 1.2)], "calm", method=name, **QUICK)
    new = slice(round(0.8 * 24_000), round(1.2 * 24_000))
    for part in (slice(None, new.start), slice(new.stop, None)):
        assert np.array_equal(edit.recording.samples[part], tones.samples[part])
    assert not np.array_equal(edit.recording.samples[new], tones.samples[new])
    assert edit.report()["method"] == name
    assert "match" in edit.report()["controls"]


def test_an_edit_without_words_draws_another_hole_each_time(
    model: SmallModel, tones: Recording
) -> None:
    seen: list[Tensor] = []
    inpaint(
        model, tones, [(0.8, 1.2)], "", fresh=0.25, method="best-of", tolerance=0.0,
        callback=lambda progress: seen.append(progress.noise[0]), **QUICK,
    )  # fmt: skip
    assert len(seen) > 2
    frame = model.seconds_per_frame
    hole = slice(math.ceil(0.8 / frame), math.floor(1.2 / frame))
    beside = [*range(hole.start - 1), *range(hole.stop + 1, math.floor(2 / frame))]
    for before, after in pairwise(seen):
        assert float((after - before)[:, hole].square().mean().sqrt()) > 0.3
        assert torch.equal(before[:, beside], after[:, beside])


def test_all_methods_begin_with_the_same_noise_whatever_their_steps(
    model: SmallModel, tones: Recording
) -> None:
    starts = [
        outpaint(model, tones, 0.5, "calm", overlap=1.0, method=name, **(QUICK | {"steps": steps}))
        .results[0].items[0].x_T
        for name, steps in (("plain", 3), ("plain", 9), ("naive-masking", 6), ("dps", 5))
    ]  # fmt: skip
    assert all(torch.equal(start, starts[0]) for start in starts[1:])


def test_methods_that_keep_meet_what_stays_where_plain_sampling_does_not(
    model: SmallModel, tones: Recording
) -> None:
    losses = {
        name: outpaint(model, tones, 0.5, "calm", overlap=1.0, method=name, **QUICK)
        .results[0].items[0].final["match"]
        for name in ("plain", "naive-masking", "multidiffusion", "guidance-gradients")
    }  # fmt: skip
    assert losses["naive-masking"] < 1e-9
    assert losses["guidance-gradients"] < 1e-9
    assert losses["multidiffusion"] < 0.5 * losses["plain"]


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.keeps])
def test_a_loop_from_words_has_nothing_to_keep(model: SmallModel, name: str) -> None:
    with pytest.raises(InputError, match="use it with inpaint, outpaint or loop of a recording"):
        loop_from_prompt(model, "calm", seconds=2.0, method=name, **QUICK)


@pytest.mark.parametrize("name", ["dps", "doodl", "best-of"])
def test_the_command_line_takes_a_method(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "out.json"
    asked = ("control", "calm", "--intensity", "-35:-14", "--method", name, *FLAGS)
    assert main([*asked, "-o", str(tmp_path / "out.wav"), "--report", str(report)]) == 0
    said = json.loads(report.read_text())
    assert said["method"] == name
    assert said["iterations"] == len(said["loss"]["history"])
    assert ("->" in capsys.readouterr().out) == METHODS[name].finds


def test_a_run_without_a_noise_of_its_own_is_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("control", "calm", "--intensity", "-35:-14", "--method", "mpgd", *FLAGS)
    out = ("-o", str(tmp_path / "out.wav"), "--save-run", str(tmp_path / "run"))
    assert main([*asked, *out]) == 2
    assert "method 'mpgd' finds none" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_batch_takes_a_method_a_line(tmp_path: Path) -> None:
    shared = {
        "command": "control", "prompt": "calm", "intensity": "-35:-14", "model": "debug",
        "duration": 1, "steps": 3, "iterations": 2,
    }  # fmt: skip
    jobs = [shared | {"method": name, "id": name} for name in ("plain", "freedom", "nothing")]
    outcomes = {outcome.line: outcome for outcome in run_batch(jobs, tmp_path)}
    assert [outcomes[i].report["method"] for i in (1, 2)] == ["plain", "freedom"]
    assert "nothing" in outcomes[3].error
