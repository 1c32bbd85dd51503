"""What Windows has not: the branches for it, with the modules of Unix hidden."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ditto_music import InputError
from ditto_music.audio import read_recording
from ditto_music.jobs.batch import run_batch
from ditto_music.result import forget_peak, peak_memory
from tests.jobs.test_jobs import Scribe, jobs


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("resource", "fcntl"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(sys, "platform", "win32")


def test_the_library_needs_no_module_of_unix() -> None:
    code = "import sys, psutil, torch; sys.modules |= {'resource': None, 'fcntl': None}; "
    code += "import ditto_music, ditto_music.jobs, ditto_music.runs, ditto_music.cli"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_peak_of_memory_is_that_of_windows(
    windows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=5))
    monkeypatch.setattr("psutil.Process", lambda: told)
    assert peak_memory() == 5


def test_the_peak_of_memory_is_that_of_whichever_gpu_was_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peaks = [0, 7]
    for name, told in (
        ("is_available", lambda: True),
        ("device_count", lambda: 2),
        ("init", lambda: None),
        ("max_memory_allocated", lambda gpu=0: peaks[gpu]),
        ("reset_peak_memory_stats", lambda gpu=0: peaks.__setitem__(gpu, 1)),
    ):
        monkeypatch.setattr(torch.cuda, name, told)
    assert peak_memory() == 7
    assert forget_peak()
    assert peaks == [1, 1]


def test_recordings_are_opened_there_by_names_of_any_letters(
    windows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes would be read by the code page, which has few."""
    asked: list[object] = []

    def refuse(path: object) -> None:
        asked.append(path)
        raise TypeError

    monkeypatch.setattr("soundfile.SoundFile", refuse)
    path = tmp_path / "Stück.wav"
    path.touch()
    with pytest.raises(InputError, match="not an audio file"):
        read_recording(path)
    assert asked == [str(path)]


def test_a_batch_keeps_others_out_by_the_lock_of_windows(
    windows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = True

    def locking(handle: int, mode: int, count: int) -> None:
        if not free:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    assert len(list(run_batch(jobs(1), tmp_path, engine="dry", performer=Scribe()))) == 1
    free = False
    with pytest.raises(InputError, match="another batch is at work there"):
        list(run_batch(jobs(1), tmp_path, engine="dry", performer=Scribe()))
