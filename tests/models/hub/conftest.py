"""Every family as a small checkpoint, saved once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.models.hub import checkpoints


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name of the pipeline's class, or of the variant -> folder."""
    home = tmp_path_factory.mktemp("hub")
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in checkpoints.MAKERS.items():
            torch.manual_seed(0)
            make(home / name)
        torch.manual_seed(0)
        checkpoints.stable_audio_3(home / "distilled", distilled=True)
        checkpoints.ace_step(home / "base", turbo=False)
        checkpoints.stable_audio(home / "44100", real_rate=True)
        checkpoints.stable_audio_3(home / "44100, third", real_rate=True)
        checkpoints.ace_step(home / "48000", real_rate=True)
        checkpoints.ace_step(home / "48000, base", turbo=False, real_rate=True)
    return {path.name: path for path in home.iterdir()}
