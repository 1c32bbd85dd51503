"""Networks translated by `torch.compile`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from ditto_music import InputError, Melody, load_model, optimize
from ditto_music.problem import Problem
from ditto_music.protocols import Model
from ditto_music.result import Settings


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty one; afterwards something was compiled."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    torch.compiler.reset()
    counters.clear()
    yield
    assert counters["stats"]["unique_graphs"] > 0


def test_without_a_compiler_it_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "g++-99")
    with pytest.raises(InputError, match=r"--compile needs the C\+\+ compiler g\+\+-99"):
        load_model("debug", compiled=True)
    assert load_model("debug").name == "debug"


def estimate_and_slope(model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """Of a guided call at fixed noise."""
    problem = Problem(model, "calm piano", None, 3, Settings(duration=1.0))
    noise = problem.noise().requires_grad_()
    estimate = problem.denoiser([0])(noise, torch.tensor(0.7))
    (slope,) = torch.autograd.grad(estimate.square().sum(), noise)
    return estimate.detach(), slope


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_the_embedded_model_is_the_same_compiled() -> None:
    plain, compiled = (load_model(dtype="float32", compiled=it) for it in (False, True))
    for here, there in zip(*(estimate_and_slope(it) for it in (plain, compiled)), strict=True):
        assert float((here - there).norm() / here.norm()) < 1e-4
    # Few iterations: each lets what rounding changes grow.
    settings = {"duration": 1.5, "steps": 8, "surrogate_steps": 4, "iterations": 4}
    ends = [optimize(it, "calm piano", Melody("C4 G4"), **settings) for it in (plain, compiled)]
    losses = [it.items[0].final["loss"] for it in ends]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_a_public_model_is_the_same_compiled(folders: dict[str, Path]) -> None:
    folder = str(folders["StableAudioPipeline"])
    plain, compiled = (load_model(folder, dtype="float32", compiled=it) for it in (False, True))
    for here, there in zip(*(estimate_and_slope(it) for it in (plain, compiled)), strict=True):
        assert float((here - there).norm() / here.norm()) < 1e-4
