"""TensorFlow checkpoints read without TensorFlow, and what is made of their variables."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ditto_music.features.musicnn import networks
from training.musicnn.__main__ import affine, checked, musicnn, vgg
from training.musicnn.checkpoint import read_checkpoint


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """A LevelDB block, each key by what it does not share with the one before, and its trailer."""
    body, last = b"", b""
    for key, value in pairs:
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, last, strict=False)) if a != b),
            min(len(key), len(last)),
        )
        own = key[shared:]
        body += varint(shared) + varint(len(own)) + varint(len(value)) + own + value
        last = key
    return body + struct.pack("<II", 0, 1) + b"\0" + b"crc."


def checkpoint(tensors: dict[str, np.ndarray]) -> tuple[bytes, bytes]:
    """Index and data as TensorFlow writes them, the data not in the order of the names."""
    data, entries = b"", [(b"", field(1, 1))]
    places: dict[str, int] = {}
    for name in sorted(tensors, reverse=True):
        places[name] = len(data)
        data += tensors[name].astype("<f4").tobytes()
    for name, tensor in sorted(tensors.items()):
        shape = b"".join(field(2, field(1, size)) for size in tensor.shape)
        entry = field(1, 1) + field(2, shape) + field(4, places[name]) + field(5, 4 * tensor.size)
        entries.append((name.encode(), entry + varint(6 << 3 | 5) + b"crc."))
    first, second = block(entries[:3]), block(entries[3:])
    index = first + second
    handles = [(0, len(first) - 5), (len(first), len(second) - 5)]
    last = [entries[2][0], entries[-1][0]]
    where = block([(k, varint(o) + varint(s)) for k, (o, s) in zip(last, handles, strict=True)])
    footer = varint(0) + varint(0) + varint(len(index)) + varint(len(where) - 5)
    return index + where + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57), data


def test_every_tensor_comes_back() -> None:
    generator = np.random.default_rng(0)
    shapes = {
        "conv/kernel": (7, 3, 1, 20),
        "conv/bias": (20,),
        "conv/bias/Adam": (20,),
        "x": (300,),
    }
    tensors = {k: generator.standard_normal(s).astype("f4") for k, s in shapes.items()}
    tensors["power"] = np.array(0.5, "f4")
    read = read_checkpoint(*checkpoint(tensors))
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert np.array_equal(read[name], tensor)
        assert read[name].shape == tensor.shape


def test_what_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="no table footer"):
        read_checkpoint(b"something else" * 10, b"")
    with pytest.raises(ValueError, match="no table footer"):
        read_checkpoint(b"short", b"")


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "musicnn.whl").write_bytes(b"something else")
    with pytest.raises(ValueError, match="SHA-256"):
        checked(tmp_path / "musicnn.whl")


def test_batch_normalisation_is_folded() -> None:
    generator = np.random.default_rng(0)
    kinds = ("gamma", "beta", "moving_mean", "moving_variance")
    variables = {f"bn/{kind}": generator.uniform(0.5, 2, 6).astype("f4") for kind in kinds}
    state = affine(variables, "bn", "norm")
    x = torch.randn(4, 6, 5)
    gamma, beta, mean, variance = (torch.from_numpy(variables[f"bn/{kind}"]) for kind in kinds)
    wanted = F.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)
    own = x * state["norm.scale"][:, None] + state["norm.shift"][:, None]
    assert torch.allclose(own, wanted, atol=1e-5)


def random_variables(shapes: dict[str, tuple[int, ...]], norms: list[int]) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    variables: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        variables[f"{name}/kernel"] = generator.standard_normal(shape).astype("f4")
        variables[f"{name}/bias"] = generator.standard_normal(shape[-1]).astype("f4")
    for i, size in enumerate(norms):
        for kind in ("gamma", "beta", "moving_mean", "moving_variance"):
            name = f"batch_normalization_{i}" if i else "batch_normalization"
            variables[f"{name}/{kind}"] = generator.uniform(0.5, 2, size).astype("f4")
    return variables


def test_variables_fill_both_networks() -> None:
    fronts = [(7, 38, 1, 204), (7, 67, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51)]
    middle = [(7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64)]
    shapes: dict[str, tuple[int, ...]] = {
        f"conv2d_{i}" if i else "conv2d": shape for i, shape in enumerate([*fronts, *middle])
    }
    shapes |= {"dense": (1506, 200), "dense_1": (200, 50)}
    sizes = [1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]
    networks.MusiCNN().load_state_dict(musicnn(random_variables(shapes, sizes)))
    shapes = {f"{i}CNN": (3, 3, 128 if i > 1 else 1, 128) for i in range(1, 6)}
    shapes["dense"] = (256, 50)
    networks.VGG().load_state_dict(vgg(random_variables(shapes, [1, *[128] * 5])))


def test_pooled_features_keep_their_own_weights() -> None:
    """TensorFlow's dense layer sees max and mean of each channel in turn."""
    shapes: dict[str, tuple[int, ...]] = {f"conv2d_{i}": (7, 38, 1, 4) for i in range(1, 8)}
    shapes |= {"conv2d": (7, 38, 1, 4), "dense": (1506, 200), "dense_1": (200, 50)}
    for i in (5, 6, 7):
        shapes[f"conv2d_{i}"] = (7, 4, 1, 4)
    variables = random_variables(shapes, [1, *[4] * 8, 1506, 200])
    state = musicnn(variables)
    highest, mean = torch.randn(3, 753), torch.randn(3, 753)
    theirs = torch.stack([highest, mean], -1).flatten(1) @ torch.from_numpy(
        variables["dense/kernel"]
    )
    own = torch.cat([highest, mean], 1) @ state["dense.weight"].T
    assert torch.allclose(own, theirs, atol=1e-3)
