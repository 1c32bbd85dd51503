"""A command line to call, in this process or in one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ditto_music.cli import main

RATE = 24_000
QUICK = (
    *("--model", "debug", "--duration", "1", "--steps", "4"),
    *("--iterations", "3", "--surrogate-steps", "2"),
)


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    def refused(self, *words: str) -> None:
        """One line on standard error that holds the words, status 2 and nothing else said."""
        assert self.status == 2, self.err
        assert self.out == ""
        last = self.err.splitlines()[-1]
        assert last.startswith("ditto-music: error: ")
        assert "Traceback" not in self.err
        for word in words:
            assert word in last, last


Ditto = Callable[..., Outcome]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ditto(capsys: pytest.CaptureFixture[str]) -> Ditto:
    """`ditto-music` in this process."""

    def call(*argv: str) -> Outcome:
        status = main(argv)
        return Outcome(status, *capsys.readouterr())

    return call


@pytest.fixture
def take(folder: Path) -> Path:
    """Three seconds of two tones in stereo, 16 bit."""
    time = np.arange(3 * RATE) / RATE
    tones = 0.2 * np.sin(2 * np.pi * np.outer(time, (220, 331)))
    soundfile.write(folder / "take.wav", tones, RATE, subtype="PCM_16")
    return folder / "take.wav"


def start(*argv: str, code: str | None = None) -> subprocess.Popen[str]:
    """`ditto-music` in a process of its own, or Python code that calls it."""
    program = ["-m", "ditto_music"] if code is None else ["-c", code]
    source = Path(__file__).parents[2] / "src"
    return subprocess.Popen(
        [sys.executable, *program, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)},
        # Where this process was started to ignore Ctrl-C, its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read standard error until a line holds the words."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"'{words}' was never said")


def end(process: subprocess.Popen[str]) -> Outcome:
    out, err = process.communicate(timeout=300)
    return Outcome(process.returncode, out, err)
