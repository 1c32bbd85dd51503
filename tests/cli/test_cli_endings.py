"""How commands end when something comes between: Ctrl-C, closed pipes, the unforeseen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from conftest import QUICK, RATE, Ditto, end, start, wait_for

from ditto_music import InputError
from ditto_music.baselines import METHODS, Method
from ditto_music.result import Result

LONG = (
    *("control", "calm", "--intensity", "-35:-14", "-o", "out.wav", "--report", "out.json"),
    *("--model", "debug", "--duration", "1", "--steps", "2"),
    *("--iterations", "100000", "--surrogate-steps", "1"),
)

SLOW = """
import sys, time
import {module} as module
def slow(*args, **kwargs):
    print("now slow", file=sys.stderr, flush=True)
    time.sleep(3600)
module.{name} = slow
from ditto_music.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_searching_writes_the_best_so_far(
    folder: Path, number: signal.Signals
) -> None:
    process = start(*LONG)
    wait_for(process, "iteration 1/100000")
    process.send_signal(number)
    told = end(process)
    assert told.status == 130, told.err
    assert told.err.splitlines()[-1].endswith("out.wav is the best so far")
    assert told.out.startswith("out.wav: 1.00 s, seed 0\nintensity: ")
    assert soundfile.read(folder / "out.wav")[0].shape == (RATE,)
    assert json.loads((folder / "out.json").read_text())["stopped"] == "interrupted"
    assert sorted(path.name for path in folder.iterdir()) == ["out.json", "out.wav"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_before_there_is_anything(folder: Path, number: signal.Signals) -> None:
    code = SLOW.format(module="ditto_music.models", name="load_model")
    process = start(*LONG, code=code)
    wait_for(process, "now slow")
    process.send_signal(number)
    told = end(process)
    assert told.status == 130
    assert told.err == "ditto-music: interrupted; nothing was written\n"
    assert told.out == ""
    assert list(folder.iterdir()) == []


def test_a_second_interrupt_ends_at_once(folder: Path) -> None:
    code = SLOW.format(module="ditto_music.ending", name="packed")
    process = start(*LONG, code=code)
    wait_for(process, "iteration 1/100000")
    process.send_signal(signal.SIGINT)
    wait_for(process, "now slow")
    process.send_signal(signal.SIGINT)
    told = end(process)
    assert told.status == 130
    assert told.err.splitlines()[-1] == "ditto-music: interrupted; nothing was written"
    assert list(folder.iterdir()) == []


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_interrupted_while_the_audio_is_written(
    ditto: Ditto, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ditto_music.whole._flush", interrupt)
    told = ditto("generate", "calm", "-o", "out.wav", *QUICK)
    assert told.status == 130
    assert told.err.splitlines()[-1] == "ditto-music: interrupted; nothing was written"
    assert list(folder.iterdir()) == []


def test_interrupted_while_the_picture_is_drawn(
    ditto: Ditto, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Result, "plot", interrupt)
    told = ditto("generate", "calm", "-o", "out.wav", "--plot", "out.png", *QUICK)
    assert told.status == 130
    assert told.err.splitlines()[-1].endswith("interrupted while writing; out.wav is complete")
    assert [path.name for path in folder.iterdir()] == ["out.wav"]


def test_a_report_that_cannot_be_written_leaves_the_audio(
    ditto: Ditto, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise InputError("out.json: no space left")

    monkeypatch.setattr(Result, "save_report", full)
    told = ditto("generate", "calm", "-o", "out.wav", "--report", "out.json", *QUICK)
    assert told.status == 1
    assert told.err.endswith("error: out.wav is written, but: out.json: no space left\n")
    assert [path.name for path in folder.iterdir()] == ["out.wav"]


def test_numbers_that_break_are_one_line(ditto: Ditto, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise FloatingPointError("the loss was never a finite number: lower lr")

    monkeypatch.setitem(METHODS, "ditto", Method(broken, "breaks", finds=True))
    told = ditto("control", "calm", "--intensity", "-35:-14", "-o", "out.wav", *QUICK)
    assert told.status == 1
    assert told.err.endswith("ditto-music: error: the loss was never a finite number: lower lr\n")


@pytest.mark.parametrize("asked", [False, True])
def test_the_unforeseen_is_one_line_and_a_traceback_if_asked(
    ditto: Ditto, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("shapes\nquarrel")

    monkeypatch.setattr("ditto_music.models.load_model", broken)
    monkeypatch.setenv("DITTO_MUSIC_TRACEBACK", "1" if asked else "")
    told = ditto("generate", "calm", "-o", "out.wav", *QUICK)
    assert told.status == 1
    assert "ditto-music: error: RuntimeError: shapes quarrel (set DITTO_MUSIC_" in told.err
    assert ("Traceback" in told.err) == asked


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ..."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
        ),
        MemoryError(),
    ],
)
def test_memory_that_runs_out_is_one_line_with_what_mends_it(
    ditto: Ditto, folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("ditto_music.problem.Problem.sample", full)
    told = ditto("generate", "calm", "-o", "out.wav", *QUICK)
    assert told.status == 1
    line = "error: memory ran out: take --gradient blocks, --dtype bfloat16 or a shorter --duration"
    assert line in told.err.splitlines()[-1] and "--offload all" in told.err
    assert list(folder.iterdir()) == []


def test_a_search_that_diverged_late_is_warned_of(
    ditto: Ditto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("ditto_music.track").Track, "see", diverge)
    told = ditto("control", "calm", "--intensity", "-35:-14", "-o", "out.wav", *QUICK)
    assert told.status == 0
    assert "warning: the numbers broke after 1 iterations" in told.err


def test_a_region_whose_search_diverged_is_warned_of(
    ditto: Ditto, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be it not the last."""
    tracks: list[object] = []
    kind = import_module("ditto_music.track").Track
    see = kind.see

    def first_diverges(track: object, *args: Any) -> None:
        tracks.append(track)
        (diverge if track is tracks[0] else see)(track, *args)

    monkeypatch.setattr(kind, "see", first_diverges)
    parts = ("--from", "0.5", "--to", "1", "--from", "1.5", "--to", "2")
    told = ditto("inpaint", "take.wav", "calm", *parts, "-o", "out.wav", *QUICK[:2], *QUICK[4:])
    assert told.status == 0, told.err
    assert "warning: the numbers broke after 1 iterations" in told.err


def diverge(track: object, row: dict[str, float], loss: float, *rest: object) -> None:
    vars(track).update(history=[row], lowest=loss, stopped="diverged")


@pytest.mark.parametrize(("argv", "status"), [(["models"], 1), (["--help"], 0), ([], 0)])
def test_a_closed_pipe_is_quiet(argv: list[str], status: int) -> None:
    process = start(*argv)
    assert process.stdout
    process.stdout.close()
    told = end(process)
    assert (told.status, told.err) == (status, "")


@pytest.mark.skipif(sys.platform == "darwin", reason="names there are text")
def test_names_of_files_need_not_be_text(
    folder: Path, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    old, new, report = (os.fsdecode(name) for name in (b"\xff.wav", b"\xe9.wav", b"\xe9.json"))
    take.rename(old)
    files = ("-o", new, "--report", report, "--save-run", os.fsdecode(b"\xe9"))
    told = end(start("inpaint", old, "--from", "1", "--to", "1.5", *files, *QUICK[:2], *QUICK[4:]))
    assert told.status == 0, told.err
    assert told.out.startswith(r"\udce9.wav: 3.00 s, new from 1 to 1.5 s")
    assert all(Path(name).is_file() for name in (new, report))


def test_a_full_standard_output_is_told(folder: Path) -> None:
    source = Path(__file__).parents[2] / "src"
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [sys.executable, "-m", "ditto_music", "models"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(source)},
            check=False,
        )
    assert told.returncode == 1
    assert len(told.stderr.splitlines()) == 1


def test_the_process_has_the_same_statuses() -> None:
    end(start("generate", "calm", "-o", "out.wav", "--nope")).refused("--nope")


LIGHT = """
import sys, types
package = types.ModuleType("ditto_music")  # whatever the package itself imports
package.__path__ = [sys.argv.pop(1)]
sys.modules["ditto_music"] = package
from ditto_music.cli import main
status = main()
heavy = {"torch", "numpy", "scipy", "matplotlib", "soundfile"} & set(sys.modules)
print(status, sorted(heavy))
"""


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["--help"], 0),
        (["control", "--help"], 0),
        (["--version"], 0),
        (["control", "--no"], 2),
        (["study"], 0),
        (["study", "spectre"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_and_bad_flags_import_nothing_heavy(argv: list[str], status: int) -> None:
    source = Path(__file__).parents[2] / "src" / "ditto_music"
    told = end(start(str(source), *argv, code=LIGHT))
    assert told.out.splitlines()[-1] == f"{status} []"
