"""Few-step models: the noises of later steps searched too, and a surrogate of two steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ditto_music import InputError, Match, generate, load_model, optimize
from ditto_music.cli import main
from ditto_music.problem import Problem
from ditto_music.protocols import Model
from ditto_music.result import Settings
from ditto_music.runs import load_run, run_of, save_run
from ditto_music.sampling import draw_noise, draw_noises, ping_pong
from ditto_music.vary import resume

FEW = ("distilled", "AceStepPipeline")
QUICK: dict[str, Any] = {
    "duration": 1.0,
    "steps": 3,
    "surrogate_steps": 3,
    "sampler": "ping-pong",
    "guidance": 1.0,
}


def model_of(folders: dict[str, Path], name: str) -> Model:
    return load_model(str(folders[name]), dtype="float32")


def match_of(model: Model) -> Match:
    reference = generate(model, "calm", seed=9, duration=1.0, steps=3, sampler="ping-pong")
    latent = reference.items[0].latent
    return Match(latent, torch.ones(latent.shape[-1]))


def test_what_is_drawn_next_leaves_the_first_noise_as_it_is() -> None:
    first, three = draw_noise((4, 9), [3, 5]), draw_noises((4, 9), [3, 5], 3)
    assert torch.equal(three[:, 0], first)
    assert torch.equal(draw_noises((4, 9), [5], 2)[0], three[1, :2])
    assert not torch.equal(three[:, 1], three[:, 0])


@pytest.mark.parametrize("name", FEW)
def test_the_gradient_reaches_the_later_noises(folders: dict[str, Path], name: str) -> None:
    model = model_of(folders, name)
    problem = Problem(
        model, "calm", None, 0, Settings(1.0, 3, sampler="ping-pong", later_noises=True)
    )
    noise = problem.variable.requires_grad_()
    assert noise.shape == (1, 3, *model.latent_shape(1.0))
    weights = torch.linspace(-1, 1, noise.shape[-1])

    def loss(x: Tensor) -> Tensor:
        return (weights * problem.sample(x, [0], 3)).sum()

    (slope,) = torch.autograd.grad(loss(noise), noise)
    assert all(slope[0, step].abs().max() > 0 for step in range(3))
    direction = torch.randn(noise.shape, generator=torch.Generator().manual_seed(1))
    h = 1e-2
    with torch.no_grad():
        rise = float(loss(noise + h * direction) - loss(noise - h * direction)) / (2 * h)
    assert rise == pytest.approx(float((slope * direction).sum()), rel=2e-2, abs=1e-3)


@pytest.mark.parametrize("name", FEW)
def test_a_run_of_fewer_steps_takes_the_first_noises(folders: dict[str, Path], name: str) -> None:
    model = model_of(folders, name)
    settings = Settings(1.0, 4, sampler="ping-pong", later_noises=True)
    problem = Problem(model, "calm", None, 0, settings)
    noise = problem.variable
    with torch.no_grad():
        few = problem.sample(noise, [0], 2)
        own = ping_pong(
            problem.denoiser([0]), noise[:, 0], model.schedule, 2, noise[:, 1:2].movedim(1, 0)
        )
        other = problem.sample(torch.cat([noise[:, :2], 2 * noise[:, 2:]], 1), [0], 2)
    assert torch.equal(few, own)
    assert torch.equal(few, other)


@pytest.mark.parametrize("name", FEW)
def test_more_is_reached_with_them_than_without(folders: dict[str, Path], name: str) -> None:
    """As many iterations, from the same noises: the first iteration has the same loss."""
    model = model_of(folders, name)
    match = match_of(model)
    one, all_of_them = (
        optimize(model, "calm", match, iterations=12, later_noises=later, **QUICK).items[0]
        for later in (False, True)
    )
    assert one.history[0]["loss"] == all_of_them.history[0]["loss"]
    assert all_of_them.final["loss"] < one.final["loss"]
    assert one.later is None
    assert all_of_them.later is not None and len(all_of_them.later) == 2


def test_the_same_seed_gives_the_same_bits(folders: dict[str, Path]) -> None:
    model = model_of(folders, "distilled")
    match = match_of(model)
    first, second = (
        optimize(model, "calm", match, iterations=3, later_noises=True, seed=4, **QUICK).items[0]
        for _ in range(2)
    )
    alone = generate(model, "calm", seed=[3, 4], duration=1.0, steps=3, sampler="ping-pong")
    single = generate(model, "calm", seed=4, duration=1.0, steps=3, sampler="ping-pong")
    assert torch.equal(first.audio, second.audio)
    assert first.later is not None and second.later is not None
    assert torch.equal(first.later, second.later)
    assert torch.allclose(alone.audio[1], single.audio[0], atol=1e-6)


def test_a_saved_run_keeps_them_and_goes_on_from_them(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    model = model_of(folders, "distilled")
    match = match_of(model)
    made = optimize(model, "calm", match, iterations=4, later_noises=True, **QUICK)
    save_run(tmp_path / "run", run_of(made, match))
    run = load_run(tmp_path / "run")
    item = made.items[0]
    assert item.later is not None and run.takes[0].later is not None
    assert torch.equal(run.takes[0].later, item.later)
    assert run.settings.later_noises
    again = generate(
        model, "calm", x_T=run.takes[0].noise[None], duration=1.0, steps=3, sampler="ping-pong",
        guidance=1.0,
    )  # fmt: skip
    assert torch.equal(again.items[0].latent, item.latent)
    further = resume(model, run, iterations=4)
    row = further.results[0].items[0] if hasattr(further, "results") else further.items[0]
    assert row.history[0]["loss"] == pytest.approx(item.final["loss"], rel=1e-5)
    assert row.final["loss"] <= item.final["loss"]


def test_those_given_are_kept_though_they_are_not_searched(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    model = model_of(folders, "distilled")
    match = match_of(model)
    noise = draw_noises(model.latent_shape(1.0), [7], 3)  # of another seed
    made = optimize(model, "calm", match, seed=3, iterations=2, x_T=noise, **QUICK)
    item = made.items[0]
    assert item.later is not None and torch.equal(item.later, noise[0, 1:])
    save_run(tmp_path / "run", run_of(made, match))
    further = resume(model, load_run(tmp_path / "run"), iterations=1)
    row = further.results[0].items[0] if hasattr(further, "results") else further.items[0]
    assert row.history[0]["loss"] == pytest.approx(item.final["loss"], rel=1e-5)
    assert row.later is not None and torch.equal(row.later, item.later)


def test_they_belong_to_a_sampler_that_draws_them() -> None:
    with pytest.raises(InputError, match="'adams' draws none: take that sampler"):
        Settings(later_noises=True)


@pytest.mark.parametrize("name", FEW)
def test_a_surrogate_of_two_steps_decoded_at_eight(
    folders: dict[str, Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the command line; most iterations are of two steps, the last of all."""
    monkeypatch.chdir(tmp_path)
    status = main(
        ["control", "calm piano", "--intensity=-40:-20", "--model", str(folders[name]),
         "--duration", "1", "--steps", "8", "--surrogate-steps", "2", "--iterations", "6",
         "--sampler", "ping-pong", "--later-noises", "--dtype", "float32",
         "-o", "out.wav", "--report", "out.json", "--save-run", "run"]
    )  # fmt: skip
    assert status == 0
    report = json.loads(Path("out.json").read_text("utf-8"))
    assert (report["steps"], report["surrogate_steps"]) == (8, 2)
    assert report["later_noises"] is True
    take = load_run("run").takes[0]
    assert take.later is not None and len(take.later) == 7


def test_a_surrogate_lowers_the_loss_of_eight_steps(folders: dict[str, Path]) -> None:
    model = model_of(folders, "distilled")
    match = match_of(model)
    settings = QUICK | {"steps": 8, "surrogate_steps": 2}
    item = optimize(model, "calm", match, iterations=12, later_noises=True, **settings).items[0]
    steps = [row["steps"] for row in item.history]
    assert steps[0] == 2 and steps[-1] == 8
    plain = generate(
        model, "calm", match, duration=1.0, steps=8, sampler="ping-pong", guidance=1.0
    ).items[0]
    assert item.final["loss"] < plain.final["loss"]
