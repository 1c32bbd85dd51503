"""The wheel of Basic Pitch is taken only if it is the one known."""

import zipfile
from pathlib import Path

import pytest

from training import basic_pitch


def test_another_wheel_is_refused_and_nothing_written(tmp_path: Path) -> None:
    wheel = tmp_path / "basic_pitch-0.4.0-py2.py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(basic_pitch.FILES["nmp.onnx"], b"something else")
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ValueError, match="SHA-256"):
        basic_pitch.extract(wheel, folder)
    assert not list(folder.iterdir())
