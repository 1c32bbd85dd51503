"""ditto-small: shapes, exactness where it can be had, and files that are refused clearly."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ditto_music import InputError, load_model
from ditto_music.models.small import SmallModel, debug_model
from ditto_music.models.small.denoiser import rotate, waves
from ditto_music.models.small.words import vocabulary_to_tensor


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.3, 6.0, 12.0])
def test_a_latent_holds_the_duration(model: SmallModel, seconds: float) -> None:
    _, frames = model.latent_shape(seconds)
    held = frames * model.seconds_per_frame
    assert seconds <= held < seconds + 2 * model.seconds_per_frame
    assert frames % model.denoiser.config.patch == 0


@pytest.mark.parametrize("samples", [12_000, 12_345, 24_000])
def test_encode_and_decode_agree_on_length(model: SmallModel, samples: int) -> None:
    audio = 0.1 * torch.randn(2, 2, samples, generator=torch.Generator().manual_seed(0))
    latent = model.encode(audio)
    assert latent.shape == (2, *model.latent_shape(samples / 24_000))
    decoded = model.decode(latent)
    assert decoded.shape[:2] == (2, 1)
    assert decoded.shape[2] >= samples


class Single(TorchDispatchMode):
    """Stands for a device without float64, as Apple's are: nothing on "meta" may be of it."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for x in tree_leaves(made):
            assert not (isinstance(x, Tensor) and x.is_meta and x.dtype == torch.float64), func
        return made


def test_no_float64_is_asked_of_a_device() -> None:
    codec = load_model("debug").codec
    kept = [*codec.parameters(), *codec.buffers()]
    assert all(x.dtype != torch.float64 for x in kept)
    with Single():
        model = debug_model(torch.device("meta"))
        latent = model.encode(torch.zeros(1, 1, 12_000))
        x = torch.empty_like(latent).requires_grad_()
        condition = model.condition(["calm"], 0.5)
        t = model.schedule.times(1)[0].to(x)
        audio = model.codec.draft(x - t * model.velocity(x, t, condition))
        torch.autograd.grad(audio.square().sum(), x)
    assert audio.is_meta


def test_rotary_attention_depends_on_distance_alone() -> None:
    q = torch.randn(1, 1, 1, 16, generator=torch.Generator().manual_seed(0)).double()
    same = rotate(q.expand(1, 1, 9, 16))
    products = same[0, 0] @ same[0, 0].T
    for offset in range(9):
        diagonal = products.diagonal(offset)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-6)


def test_waves_tell_neighbouring_tempi_apart() -> None:
    tempi = torch.log2(torch.arange(60.0, 200.0, 2.0))
    code = waves(4 * tempi, 16, 64.0)
    distance = torch.cdist(code, code) + 10 * torch.eye(len(code))
    assert (distance.min(1).values > 0.1).all()
    nearest = distance.argmin(1)
    assert ((nearest - torch.arange(len(code))).abs() == 1).float().mean() > 0.95


def test_an_empty_prompt_is_the_unconditional_model(model: SmallModel) -> None:
    condition = model.condition(["", "¿¡", "calm piano"], 1.0)
    assert torch.equal(condition.tensors["pooled"][0], condition.tensors["pooled"][1])
    assert not torch.allclose(condition.tensors["pooled"][0], condition.tensors["pooled"][2])


def test_a_prompt_means_the_same_alone_and_in_a_batch(model: SmallModel) -> None:
    alone = model.condition(["slow jazz"], 1.0)
    batch = model.condition(["slow jazz", "calm piano techno drums 120 bpm"], 1.0)
    x, t = torch.randn(1, *model.latent_shape(1.0)), torch.tensor(0.5)
    assert torch.allclose(model.denoise(x, t, alone), model.denoise(x, t, batch[[0]]), atol=1e-5)


def test_a_prompt_that_is_too_long_is_warned_of() -> None:
    model, long = debug_model(), "slow calm piano jazz, drums, fast techno, 120 bpm"
    with pytest.warns(UserWarning, match="longer than the 8 words.*: 'bpm' and what") as told:
        model.condition(["calm", long, long], 1.0)
    assert len(told) == 1
    assert told[0].filename == __file__


def test_a_number_is_read_by_value(model: SmallModel) -> None:
    one, near, far = model.condition(["90 bpm", "92 bpm", "180 bpm"], 1.0).tensors["pooled"]
    assert 0 < (one - near).norm() < (one - far).norm()


def test_the_velocity_becomes_a_clean_estimate(model: SmallModel) -> None:
    x = torch.randn(2, *model.latent_shape(1.0), generator=torch.Generator().manual_seed(0))
    condition = model.condition(["calm", "jazz"], 1.0)
    assert torch.equal(model.denoise(x, torch.tensor(0.0), condition), x)
    assert not torch.equal(model.denoise(x, torch.tensor(0.7), condition), x)


def save(model: SmallModel, folder: Path) -> None:
    for name, network in (("codec", model.codec), ("denoiser", model.denoiser)):
        state = dict(network.state_dict())
        if name == "denoiser":
            state["vocabulary"] = vocabulary_to_tensor(model.words.pieces)
        save_file(
            state, folder / f"{name}.safetensors", {"config": json.dumps(asdict(network.config))}
        )


def test_a_folder_of_weights_loads_to_the_same_model(model: SmallModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    loaded = load_model(str(tmp_path), dtype="float32")  # as the tiny model is
    assert loaded.name == str(tmp_path)
    z = torch.randn(1, *model.latent_shape(1.0), generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.decode(z), model.decode(z))
    a, b = (m.denoise(z, torch.tensor(0.5), m.condition(["calm"], 1.0)) for m in (loaded, model))
    assert torch.equal(a, b)


def test_files_that_are_not_weights_are_refused(model: SmallModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_model(str(tmp_path))
    save(model, tmp_path)
    whole = (tmp_path / "codec.safetensors").read_bytes()
    (tmp_path / "codec.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        load_model(str(tmp_path))
    save_file({"x": torch.zeros(1)}, tmp_path / "codec.safetensors", {"config": "{}"})
    with pytest.raises(InputError, match="another version"):
        load_model(str(tmp_path))
    config = json.dumps(asdict(replace(model.codec.config, channels_a_token=2)))
    save_file(dict(model.codec.state_dict()), tmp_path / "codec.safetensors", {"config": config})
    with pytest.raises(InputError, match="not weights of ditto-small"):
        load_model(str(tmp_path))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"name": "ditto-huge"}, "take one of ditto-small"),
        ({"name": "debug", "device": "warp"}, "device 'warp'"),
        ({"name": "debug", "dtype": "int3"}, "take auto, float32 or bfloat16"),
    ],
)
def test_unknown_names_are_one_clear_line(call: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        load_model(**call)
    assert "\n" not in str(caught.value)
