"""Shared pieces: the tiny random model, in both precisions."""

import pytest
import torch

from ditto_music.models.small import SmallModel, debug_model
from ditto_music.sampling import draw_noise


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of other work on this machine, which comes and goes."""
    monkeypatch.setattr("ditto_music.cli.cores.Cores.hint", lambda seen, threads: None)


@pytest.fixture(scope="session")
def model() -> SmallModel:
    return debug_model()


@pytest.fixture(scope="session")
def double_model() -> SmallModel:
    """The same weights in float64, where gradients can be compared closely."""
    model = debug_model()
    model.codec.double()
    model.denoiser.double()
    return model


@pytest.fixture
def double_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeds' own noise in float64, for such a model."""
    monkeypatch.setattr("ditto_music.start.draw_noise", lambda *of: draw_noise(*of).double())


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
