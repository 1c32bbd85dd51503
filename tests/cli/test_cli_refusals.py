"""Bad input: one line that says what and how to mend it, status 2, nothing written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import QUICK, RATE, Ditto

from ditto_music import models
from ditto_music.models.small import debug_model

REGION = ("--from", "1", "--to", "2")
EDIT = ("-o", "out.wav", "--model", "debug", "--steps", "4", "--iterations", "3")


@pytest.fixture(autouse=True)
def nothing_written(folder: Path) -> Iterator[None]:
    """No test here leaves a file that it did not make itself as an input."""
    yield
    inputs = ("take.wav", "bad.wav", "curve.csv", "music.txt", "locked")
    assert [path.name for path in folder.iterdir() if path.name not in inputs] == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--duration", "-1"), ("duration is -1", "above 0")),
        (("--duration=-1",), ("duration is -1", "above 0")),
        (("--duration", "0"), ("duration is 0", "above 0")),
        (("--duration", "nan"), ("duration is nan", "above 0")),
        (("--duration", "inf"), ("duration is inf",)),
        (("--duration", "1e9"), ("duration 1e+09 s", "makes clips of")),
        (("--duration", "long"), ("--duration", '"long"')),
        (("--steps", "0"), ("steps is 0", "from 1")),
        (("--steps", "2.5"), ("--steps", "not a whole number", "control --help")),
        (("--guidance", "-1"), ("guidance is -1", "0 or more")),
        (("--iterations", "-1"), ("iterations is -1", "0 or more")),
        (("--tolerance", "-0.5"), ("tolerance is -0.5", "0 or more")),
        (("--lr", "0"), ("lr is 0", "above 0")),
        (("--lr", "nan"), ("lr is nan", "above 0")),
        (("--time-limit", "-3"), ("time-limit is -3", "above 0")),
        (("--surrogate-steps", "0"), ("surrogate-steps is 0", "1 or more")),
        (("--seed", "-2"), ("seed is -2", "-1 or 0 to")),
        (("--seed", "1e3"), ("--seed", "not a whole number")),
        (("--seed", "9" * 30), ("seed is 999", "-1 or 0 to")),
        (("--model", "nope"), ("model 'nope' is unknown", "ditto-small")),
        (("--device", "toaster"), ("device 'toaster'", "try cpu")),
        (("--dtype", "int8"), ("dtype 'int8'", "float32")),
        (("--method", "magic"), ('"magic"', '"ditto"')),
        (("--loudness", "3"), ("--loudness", "control --help")),
        (("--intensity", "loud"), ("curve 'loud'", "start:end")),
        (("--intensity", ""), ("curve ''", "start:end")),
        (("--intensity", "-90:-14"), ("out of range", "-80")),
        (("--intensity", "-35:6"), ("out of range",)),
        (("--intensity", "-35:nan"), ("finite",)),
        (("--intensity", "0=-35,9=-14"), ("9 s lies outside the clip",)),
        (("--intensity", "0=-35,-1=-14"), ("times must rise",)),
        (("--intensity", "gone.wav"), ("gone.wav", "no such file")),
        (("--intensity", "gone.opus"), ("gone.opus", "no such file")),
        (("--intensity", "gone.csv"), ("gone.csv",)),
        (("--intensity-loss", "l1"), ('"l1"', '"mse"')),
        (("--melody", "C4:1 H4:1"), ("'H4' is not a note", "C4, F#5 or Bb3")),
        (("--melody", ""), ("no notes", "C4, F#5 or Bb3")),
        (("--melody", "C4:1 E4"), ("'E4' has no length",)),
        (("--melody", ". ."), ("only rests",)),
        (("--melody", "C4:9"), ("notes last 9 s, the clip 1 s", "duration")),
        (("--melody", "gone.mid"), ("gone.mid", "no such file")),
        (("--melody", "gone.wav"), ("gone.wav", "no such file")),
        (("--melody=C4", "--melody-transpose", "1.5"), ("not a whole number",)),
        (("--melody=C4", "--melody-stretch", "0"), ("stretch is 0", "above 0, or fit")),
        (("--melody=C4", "--melody-stretch", "long"), ("--melody-stretch", "long")),
        (("--melody=C4", "--melody-part", "2"), ("only a MIDI file has parts",)),
        (("--rhythm", "gone.wav"), ("rhythm gone.wav", "there is no such file")),
        (("--rhythm", "."), ("rhythm .", "this is a folder")),
        (("--tempo", "0"), ("tempo is 0", "30 to 300 bpm")),
        (("--tempo", "-90"), ("tempo is -90", "30 to 300 bpm")),
        (("--tempo", "1000"), ("tempo is 1000", "30 to 300 bpm")),
        (("--tempo", "nan"), ("tempo is nan", "30 to 300 bpm")),
        (("--tempo", "fast"), ("--tempo", '"fast"')),
        (("--tempo", "120"), ("4 beats at 120 bpm last 2.0 s", "ask for more music")),
        (("--brightness", "dull"), ("curve 'dull'", "seconds=Hz")),
        (("--brightness", "50:900"), ("50 Hz is out of range", "between 100 and 6000")),
        (("--brightness", "-5:900"), ("-5 Hz is out of range",)),
        (("--brightness", "0=500,9=900"), ("9 s lies outside the clip",)),
        (("--brightness", "gone.wav"), ("gone.wav", "no such file", "seconds=Hz")),
        (("--match-spectrum", "gone.wav"), ("match-spectrum gone.wav", "there is no such file")),
        (("--structure", ""), ("form is empty", "AABA")),
        (("--structure", "AAAA"), ("only one letter", "two or more")),
        (("--structure", "A1B"), ("'1' is no letter",)),
        (("--structure", "AB:2 A"), ("'AB:2' is no letter with its length",)),
        (("--structure", "A:long B"), ("'A:long'", "number of seconds")),
        (("--structure", "A:0.5 B:1"), ("add up to 1.5 s, but the clip has 1 s",)),
        (("--structure", "ABAB"), ("0.25 s is too short", "0.5 s or more")),
        (("--structure", "gone.wav"), ("gone.wav", "no such file")),
        (("--style", "jaz"), ("'jaz'", "did you mean jazz?")),
        (("--style", ""), ("asks for nothing", "such as jazz")),
        (("--style", "gone.wav"), ("gone.wav",)),
        (("--style", "gone.aiff"), ("gone.aiff", "no such file")),
        (("-o", "gone/out.wav"), ("gone", "does not exist")),
        (("-o", "."), ("this is a folder",)),
        (("-o", "out.doc"), ("suffix .doc", ".wav")),
        (("-o", "out"), ("no suffix", ".wav")),
        (("-o", "/dev/full"), ("/dev/full", "not an ordinary file")),
        (("--plot", "out.gif"), ("suffix .gif", ".png")),
        (("--plot", "gone/out.png"), ("gone", "does not exist")),
        (("--report", "gone/out.json"), ("gone", "does not exist")),
        (("--report", "."), ("this is a folder",)),
        (("--report", "out.wav"), ("same file",)),
        (("--report", "new", "--save-run", "new"), ("same file",)),
        (("--melody-transpose", "3"), ("do nothing alone", "by --melody")),
        (("--melody-part", "1"), ("do nothing alone",)),
        (("--melody-stretch", "fit"), ("do nothing alone",)),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_control_refuses(ditto: Ditto, flags: tuple[str, ...], words: tuple[str, ...]) -> None:
    usual = {
        "--intensity": "-35:-14",
        "-o": "out.wav",
        **dict(zip(QUICK[::2], QUICK[1::2], strict=True)),
    }
    name = flags[0].split("=")[0]
    kept = [part for pair in usual.items() if pair[0] != name for part in pair]
    ditto("control", "calm", *kept, *flags).refused(*words)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("generat", "calm"), ('"generat"', "generate")),
        (("generate", "calm"), ("--out", "generate --help")),
        (("generate", "-o", "out.wav"), ("PROMPT",)),
        (("generate", "calm", "piano", "-o", "out.wav"), ("'piano'", "in quotes")),
        (("generate", "calm", "-o"), ("-o",)),
        (("control", "calm", "-o", "out.wav", *QUICK), ("give --intensity", "or use generate")),
        (("inpaint", "take.wav", "-o", "out.wav"), ("--from",)),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_incomplete_commands(ditto: Ditto, argv: tuple[str, ...], words: tuple[str, ...]) -> None:
    ditto(*argv).refused(*words)


def test_a_clip_too_long_is_refused_before_it_is_begun(ditto: Ditto) -> None:
    told = ditto("generate", "calm", "-o", "out.wav", *QUICK[:2], "--duration", "1e9")
    told.refused("duration 1e+09 s: debug makes clips of")
    assert "making" not in told.err


def test_a_curve_from_a_file_with_a_bad_row(ditto: Ditto) -> None:
    Path("curve.csv").write_text("seconds,dB\n0,-35\n1,loud\n")
    told = ditto("control", "calm", "--intensity", "curve.csv", "-o", "out.wav", *QUICK)
    told.refused("curve.csv, line 3")


def test_a_curve_copied_from_a_recording_too_short(ditto: Ditto, take: Path) -> None:
    shared = ("--model", "debug", "--duration", "5")
    told = ditto("control", "calm", "--intensity", "take.wav", "-o", "out.wav", *shared)
    told.refused("take.wav", "ask for less music")


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        (("--from", "2", "--to", "9"), ("lies outside the recording of 3.00 s",)),
        (("--from", "-1", "--to", "1"), ("lies outside",)),
        (("--from", "2", "--to", "1"), ("ends before it begins",)),
        (("--from", "1", "--to", "1"), ("ends before it begins",)),
        (("--from", "1", "--to", "1.01"), ("shorter than",)),
        (("--from", "nan", "--to", "1"), ("numbers of seconds",)),
        (("--from", "1", "--to", "inf"), ("numbers of seconds",)),
        (("--from", "0", "--to", "3"), ("leaves less than half a second",)),
        (("--from", "1", "--to", "2", "--from", "1.5", "--to", "2.5"), ("overlap",)),
        (("--from", "1", "--to", "2", "--from", "2"), ("2 times --from but 1 times --to",)),
        (("--from", "1"), ("--to",)),
        (("--from", "one", "--to", "2"), ("--from", '"one"')),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_inpaint_refuses_regions(
    ditto: Ditto, take: Path, regions: tuple[str, ...], words: tuple[str, ...]
) -> None:
    told = ditto("inpaint", "take.wav", *regions, *EDIT)
    told.refused(*words)
    assert "listening" not in told.err


def test_inpaint_refuses_a_recording_that_is_not_there(ditto: Ditto) -> None:
    ditto("inpaint", "bad.wav", *REGION, *EDIT).refused("bad.wav", "no such file")


def test_inpaint_refuses_text_in_disguise(ditto: Ditto) -> None:
    Path("bad.wav").write_text("la la la")
    ditto("inpaint", "bad.wav", *REGION, *EDIT).refused("bad.wav", "not an audio file")


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((0, 2)), ("bad.wav", "is empty")),
        (np.zeros((3 * RATE, 1)), ("silent",)),
        (np.full((3 * RATE, 1), np.nan), ("bad.wav", "NaN", "0.000 s")),
    ],
    ids=["empty", "silent", "not a number"],
)
def test_inpaint_refuses_recordings_without_music(
    ditto: Ditto, samples: np.ndarray, words: tuple[str, ...]
) -> None:
    soundfile.write("bad.wav", samples, RATE, subtype="FLOAT")
    ditto("inpaint", "bad.wav", *REGION, *EDIT).refused(*words)


@pytest.mark.parametrize(("flags", "end"), [((), "last"), (("--before",), "first")])
def test_outpaint_refuses_an_end_of_silence_before_the_work(
    ditto: Ditto, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], end: str
) -> None:
    monkeypatch.setattr("ditto_music.models.load_model", None)
    silence = np.zeros(4 * RATE)
    middle = 0.1 * np.sin(np.arange(RATE))
    soundfile.write("take.wav", np.concatenate([silence, middle, silence]), RATE)
    told = ditto("outpaint", "take.wav", "--seconds", "1", *flags, *EDIT)
    told.refused(f"the recording's {end} 4.00 s are silent: cut them, or take a longer --overlap")


@pytest.mark.parametrize(
    ("command", "rate", "channels", "out", "says"),
    [
        (("inpaint", "take.wav", *REGION), 44_100, 1, "x.opus", "1 channels at 44100 Hz as OPUS"),
        (("inpaint", "take.wav", *REGION), 24_000, 3, "x.mp3", "3 channels at 24000 Hz"),
        (("outpaint", "take.wav", "--seconds", "1"), 44_100, 2, "x.opus", "2 channels at 44100 Hz"),
        (("loop", "take.wav"), 44_100, 2, "x.opus", "2 channels at 44100 Hz"),
    ],
)
def test_a_format_that_does_not_hold_the_recording_is_refused_at_once(
    ditto: Ditto,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    rate: int,
    channels: int,
    out: str,
    says: str,
) -> None:
    def never(*args: object, **how: object) -> object:
        raise AssertionError("it was loaded")

    monkeypatch.setattr(models, "load_model", never)
    noise = 0.1 * np.random.default_rng(0).standard_normal((3 * rate, channels))
    soundfile.write("take.wav", noise, rate)
    ditto(*command, "-o", out, "--model", "debug").refused(out, says, "choose another suffix")


@pytest.mark.parametrize("command", ["generate", "control", "loop"])
def test_a_format_that_does_not_hold_the_models_music_is_refused_before_the_work(
    ditto: Ditto, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    model = debug_model()
    monkeypatch.setattr(model, "sample_rate", 44_100)
    monkeypatch.setattr(model, "condition", None)
    monkeypatch.setattr(models, "load_model", lambda *args, **how: model)
    asked = ("--intensity", "-30:-20") if command == "control" else ()
    told = ditto(command, "calm", *asked, "-o", "x.opus", "--model", "debug")
    told.refused("x.opus", "1 channels at 44100 Hz as OPUS")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_closed_to_this_user(ditto: Ditto) -> None:
    Path("locked").mkdir(mode=0o500)
    ditto("generate", "calm", "-o", "locked/out.wav", *QUICK).refused("not writable")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no such place")
def test_a_place_where_no_file_can_be(ditto: Ditto) -> None:
    told = ditto("generate", "calm", "-o", "/proc/nope.wav", *QUICK)
    told.refused("/proc/nope.wav: the folder /proc ", "choose another one")
    assert "loading" not in told.err


def test_a_disk_that_fills_up(ditto: Ditto, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    ditto("generate", "calm", "-o", "out.wav", *QUICK).refused("out.wav", "no space left")


def test_compiling_without_a_compiler(ditto: Ditto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++-99")
    told = ditto("generate", "calm", "-o", "out.wav", *QUICK, "--compile")
    told.refused("g++-99", "leave --compile out")
