"""What must be installed to make the data, and the command that mends it where it is not."""

import ctypes.util
import shutil
from pathlib import Path

from training.data.render import SOUNDFONTS


class MissingProgramError(RuntimeError):
    """A program or file the data needs is not installed; the message says how to mend it."""


def check() -> None:
    """Raise `MissingProgramError` at the first thing missing."""
    if shutil.which("mma") is None:
        raise MissingProgramError("mma is not installed: run `apt install mma`")
    if ctypes.util.find_library("fluidsynth") is None:
        raise MissingProgramError(
            "libfluidsynth is not installed: run `apt install libfluidsynth3`"
        )
    for path, package in SOUNDFONTS.values():
        if not Path(path).exists():
            raise MissingProgramError(f"{path} is not there: run `apt install {package}`")
