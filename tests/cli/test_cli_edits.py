"""Edits, saved runs and what is made of them, as commands."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import QUICK, RATE, Ditto

from ditto_music import InputError, editing
from ditto_music.cli.commands.outpaint import parse_plan
from ditto_music.ending import packed
from ditto_music.result import Result

EDIT = (*QUICK[:2], *QUICK[4:])


def samples(path: str) -> np.ndarray:
    return soundfile.read(path, dtype="int32", always_2d=True)[0]


def test_outpaint_adds_and_says_how_it_drifted(ditto: Ditto, take: Path) -> None:
    told = ditto(
        *("outpaint", "take.wav", "--seconds", "1", "--intensity", "-30:-20"),
        *("-o", "long.wav", "--report", "long.json", "--plot", "long.png", *EDIT),
    )
    assert told.status == 0, told.err
    lines = told.out.splitlines()
    assert re.match(r"long\.wav: 4\.00 s, new from 3 to 4 s, seed 0, made in ", lines[0])
    assert lines[1].startswith("style read from the recording: ")
    assert lines[2].startswith("join at 3 s: a larger change than ")
    assert re.match(r"last window against the recording: [+-]\d+\.\d dB", lines[3])
    assert np.array_equal(samples("long.wav")[: 3 * RATE], samples("take.wav"))
    report = json.loads(Path("long.json").read_text())
    assert report["command"] == "outpaint"
    assert report["prompt_read"]
    assert set(report["controls"]) == {"match", "intensity"}
    assert len(report["drift"]) == 1
    assert Path("long.png").stat().st_size > 10_000


def test_outpaint_before_with_words(ditto: Ditto, take: Path) -> None:
    told = ditto(
        "outpaint", "take.wav", "calm piano", "--seconds", "0.5", "--before", "-o", "b.wav", *EDIT
    )
    assert told.status == 0, told.err
    assert "style read" not in told.out
    assert np.array_equal(samples("b.wav")[RATE // 2 :], samples("take.wav"))


def test_alternatives_are_numbered_and_differ(ditto: Ditto, take: Path) -> None:
    told = ditto(
        *("inpaint", "take.wav", "", "--from", "1", "--to", "1.5", "--count", "2"),
        *("-o", "new.wav", "--report", "new.json", *EDIT),
    )
    assert told.status == 0, told.err
    assert "new-1.wav: 3.00 s, new from 1 to 1.5 s, seed 0" in told.out
    assert "new-2.wav: 3.00 s, new from 1 to 1.5 s, seed 1" in told.out
    assert not np.array_equal(samples("new-1.wav"), samples("new-2.wav"))
    items = json.loads(Path("new.json").read_text())["items"]
    assert [item["out"] for item in items] == ["new-1.wav", "new-2.wav"]


def test_every_alternative_is_checked_before_the_work(
    ditto: Ditto, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ditto_music.models.load_model", None)
    cut = ("--from", "1", "--to", "1.5", "--count", "4", "--plot", "try.png")
    Path("try-3.wav").mkdir()
    ditto("inpaint", "take.wav", *cut, "-o", "try.wav").refused("try-3.wav: this is a folder")
    Path("try-2.png").mkdir()
    ditto("inpaint", "take.wav", *cut, "-o", "new.wav").refused("try-2.png: this is a folder")
    take.rename("take-1.wav")
    told = ditto("inpaint", "take-1.wav", *cut[:-2], "-o", "take.wav")
    told.refused("take-1.wav: is read and would be written over")


def test_warnings_of_alternatives_name_the_files_there_are(
    ditto: Ditto, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, edit = editing.Edit.save, editing.inpaint

    def second_breaks(*args: Any, seed: int, **kwargs: Any) -> editing.Edit:
        made = edit(*args, seed=seed, **kwargs)
        if seed == 0:
            return made
        (result,) = made.results
        items = [replace(item, stopped="diverged") for item in result.items]
        return replace(made, results=[replace(result, items=items)])

    monkeypatch.setattr(editing.Edit, "save", lambda self, path: save(self, path) + 12)
    monkeypatch.setattr(editing, "inpaint", second_breaks)
    told = ditto(
        *("inpaint", "take.wav", "", "--from", "1", "--to", "1.5", "--count", "2"),
        *("-o", "new.wav", *EDIT),
    )
    assert told.status == 0, told.err
    assert "warning: new-1.wav to new-2.wav: 24 samples were too loud" in told.err
    assert "the numbers broke after 3 iterations; new-2.wav is the best" in told.err


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted; 1 of 3 alternatives are written"),
        (
            FloatingPointError("the loss was never a finite number"),
            *(1, "1 of 3 alternatives are written, but: the loss was never a finite number"),
        ),
        (RuntimeError("shapes"), 1, "1 of 3 alternatives are written, but: RuntimeError: shapes"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_alternatives_that_are_done_outlive_the_next(
    ditto: Ditto,
    take: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    says: str,
) -> None:
    """And keep their names: the recording, whose name they are given, is not written over."""
    whole, edit = take.read_bytes(), editing.inpaint

    def once(*args: Any, seed: int, **kwargs: Any) -> Any:
        if seed == 1:
            raise error
        return edit(*args, seed=seed, **kwargs)

    monkeypatch.setattr(editing, "inpaint", once)
    told = ditto(
        *("inpaint", "take.wav", "", "--from", "1", "--to", "1.5", "--count", "3"),
        *("-o", "take.wav", "--report", "new.json", *EDIT),
    )
    assert told.status == status
    assert f"{says}\n" in told.err
    assert take.read_bytes() == whole
    assert samples("take-1.wav").shape == samples("take.wav").shape
    assert json.loads(Path("new.json").read_text())["out"] == "take-1.wav"


def test_a_file_that_changes_what_stays_is_told_of(ditto: Ditto, take: Path) -> None:
    recording, _ = soundfile.read(take)
    soundfile.write("take.mp3", recording, RATE)
    for source, out, changes in (
        ("take.wav", "new.flac", False),
        ("take.mp3", "new.wav", False),
        ("take.wav", "new.ogg", True),
        ("take.mp3", "new.mp3", True),
    ):
        cut = ("--from", "1", "--to", "1.5", "-o", out, *EDIT)
        told = ditto("inpaint", source, "", *cut)
        assert told.status == 0, told.err
        assert (f"note: {out} cannot hold the recording's samples exactly" in told.err) == changes
    assert "note:" not in ditto("inpaint", source, "", *cut, "--quiet").err


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (InputError("no space left"), 1, "error: {} written, but: no space left"),
        (KeyboardInterrupt(), 130, "interrupted while writing; {} complete"),
    ],
    ids=["full", "interrupted"],
)
@pytest.mark.parametrize("written", [0, 1, 2])
def test_what_was_written_before_something_came_between_is_told(
    ditto: Ditto,
    take: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    says: str,
    written: int,
) -> None:
    cut = ("--from", "1", "--to", "1.5", "-o", "new.wav", "--save-run", "run")
    assert ditto("inpaint", "take.wav", "", *cut, *EDIT).status == 0
    save, left = editing.Edit.save, 0

    def full(made: editing.Edit, path: Path) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise error
        return save(made, path)

    monkeypatch.setattr(editing.Edit, "save", full)
    edit = ("inpaint", "take.wav", "", *cut[:4], "-o", "try.wav", "--count", "3", *EDIT)
    for argv, name in ((edit, "try-{}.wav"), (("vary", "run", "-o", "takes"), "takes/{}.wav")):
        left = written
        told = ditto(*argv)
        names = [name.format(number) for number in range(1, written + 1)]
        are = f"{' to '.join(names)} {'are' if written > 1 else 'is'}"
        last = told.err.splitlines()[-1]
        if written:
            assert (told.status, last) == (status, f"ditto-music: {says.format(are)}")
        else:
            assert told.status == (2 if status == 1 else 130)
        assert all(Path(one).is_file() for one in names)


@pytest.mark.parametrize(
    ("count", "says"),
    [
        ((), "new.wav is written as far as it was made, but: memory ran out: "),
        (
            ("--count", "2"),
            "1 of 2 alternatives are written, the last as far as it was finished, but: memory",
        ),
    ],
)
def test_what_was_finished_before_a_region_failed_is_written(
    ditto: Ditto, take: Path, monkeypatch: pytest.MonkeyPatch, count: tuple[str, ...], says: str
) -> None:
    whole, module = samples("take.wav"), sys.modules["ditto_music.editing.inpaint"]
    fill = module.fill

    def once(*args: Any, seed: int, **kwargs: Any) -> Any:
        if seed == 1:
            raise MemoryError
        return fill(*args, seed=seed, **kwargs)

    monkeypatch.setattr(module, "fill", once)
    told = ditto(
        *("inpaint", "take.wav", "", "--from", "0.5", "--to", "1", "--from", "1.5", "--to", "2"),
        *("-o", "new.wav", *count, *EDIT),
    )
    assert told.status == 1
    assert says in told.err
    made = samples("new-1.wav" if count else "new.wav")
    assert np.array_equal(made[RATE:], whole[RATE:])
    assert not np.array_equal(made[:RATE], whole[:RATE])


def test_loop_of_a_recording_and_from_words(ditto: Ditto, take: Path) -> None:
    told = ditto("loop", "take.wav", "", "-o", "loop.wav", *EDIT)
    assert told.status == 0, told.err
    assert re.search(r"^loop of \d+\.\d+ s, (no tempo found|\d+ beats)$", told.out, re.M)
    assert "join at 0 s" in told.out
    assert b"smpl" in Path("loop.wav").read_bytes()
    told = ditto("loop", "calm piano, 120 bpm", "--seconds", "2.1", "-o", "words.wav", *EDIT)
    assert told.status == 0, told.err
    assert "loop of 2.005 s, 4 beats" in told.out or "loop of 1.984 s, 4 beats" in told.out


def test_control_is_saved_varied_and_resumed(ditto: Ditto, folder: Path) -> None:
    told = ditto(
        "control", "calm", "--intensity", "-35:-14", "-o", "a.wav", "--save-run", "run", *QUICK
    )
    assert told.status == 0, told.err
    told = ditto("vary", "run", "--count", "2", "--eta", "1", "--guide", "0.2", "-o", "takes")
    assert told.status == 0, told.err
    first, second, last = told.out.splitlines()
    assert re.match(r"takes/1\.wav: intensity \d+\.\d dB RMS error", first)
    assert second.startswith("takes/2.wav: ")
    assert re.match(r"diversity \d\.\d\d ", last)
    report = json.loads(Path("takes/report.json").read_text())
    assert [item["method"] for item in report["items"]] == ["vary", "vary"]
    assert report["clipped"] == sum(item["clipped"] for item in report["items"])
    told = ditto("resume", "run", "--iterations", "2", "-o", "b.wav", "--save-run", "run")
    assert told.status == 0, told.err
    assert re.search(r"b\.wav: intensity .*, 2 more iterations, ", told.out)
    told = ditto("vary", "run", "-o", "again", "--eta", "0")
    assert told.status == 0
    assert "note: with --eta 0 and --walk 0 all variations are the same: one is made" in told.err
    assert [path.name for path in Path("again").glob("*.wav")] == ["1.wav"]


@pytest.mark.parametrize("flag", ["-o", "--plot", "--report"])
def test_no_other_file_may_lie_where_a_run_is_replaced(
    ditto: Ditto, folder: Path, flag: str
) -> None:
    Path("run").mkdir()
    files = {"-o": "a.wav", "--plot": "a.png", "--report": "a.json"}
    files[flag] = f"run/{files[flag]}"
    given = [part for pair in files.items() for part in pair]
    told = ditto("generate", "calm", *given, "--save-run", "../" + folder.name + "/run", *QUICK)
    told.refused("run: this folder is replaced as a whole", "a folder of its own")
    assert list(folder.rglob("*")) == [folder / "run"]


def test_a_search_goes_on_as_it_was_unless_told_otherwise(ditto: Ditto, folder: Path) -> None:
    own = ("--optimizer", "adam", "--lr", "0.02", "--tolerance", "0.5", "--ceiling", "-9")
    asked = ("control", "calm", "--intensity", "-35:-14", "-o", "a.wav", "--save-run", "run")
    assert ditto(*asked, *own, *QUICK).status == 0

    def again(*flags: str) -> dict[str, Any]:
        more = ("resume", "run", "-o", "b.wav", "--save-run", "more")
        told = ditto(*more, *flags)
        assert told.status == 0, told.err
        assert "no effect" not in told.err
        return json.loads(Path("more/run.json").read_text())["settings"]

    kept = again()
    assert [kept[name] for name in ("optimizer", "lr", "tolerance")] == ["adam", 0.02, 0.5]
    assert [kept[name] for name in ("surrogate_steps", "ceiling", "gradient")] == [2, -9.0, "auto"]
    assert kept["iterations"] == 3
    flags = ("--surrogate-steps", "4", "--ceiling=-12", "--gradient", "plain", "--tolerance", "1")
    more = ("--memory-budget", "1", "--time-limit", "60", "--iterations", "1")
    new = again("--optimizer", "lbfgs", *flags, *more)
    assert [new[name] for name in ("optimizer", "lr", "tolerance")] == ["lbfgs", None, 1.0]
    assert [new[name] for name in ("surrogate_steps", "ceiling", "gradient")] == [4, -12.0, "plain"]
    names = ("memory_budget", "time_limit", "iterations")
    assert [new[name] for name in names] == [1.0, 60.0, 1]
    ditto("resume", "run", "-o", "c.wav", "--lr", "0").refused("lr is 0")
    told = ditto("resume", "run", "-o", "c.wav", "--iterations", "1", "--guidance-interval", "0:1")
    assert "takes these from the run: --guidance-interval has no effect" in told.err


def test_what_a_resumed_search_is_told_must_suit_the_run(ditto: Ditto, folder: Path) -> None:
    asked = ("control", "calm", "--intensity", "-35:-14", "-o", "a.wav")
    assert ditto(*asked, "--save-run", "run", *QUICK).status == 0
    assert ditto(*asked, "--save-run", "edict", "--sampler", "edict", *QUICK).status == 0
    told = ditto("resume", "edict", "--gradient", "reversible", "-o", "b.wav")
    assert told.status == 0, told.err
    told = ditto("resume", "run", "--gradient", "reversible", "-o", "c.wav")
    told.refused("gradient 'reversible' undoes what sampler 'edict' does, not 'adams'")


def test_variations_are_refused_and_interrupted_in_time(
    ditto: Ditto, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ditto("generate", "calm", "-o", "a.wav", "--save-run", "run", *QUICK).status == 0
    made = list[None]()

    def third(*args: Any) -> Any:
        made.append(None)
        if len(made) == 3:
            raise KeyboardInterrupt
        return packed(*args)

    monkeypatch.setattr(import_module("ditto_music.vary"), "packed", third)
    ditto("vary", "run", "-o", "take.wav/takes").refused("take.wav is a file")
    assert made == []
    told = ditto("vary", "run", "-o", "takes")
    assert told.status == 130
    assert told.err.endswith("interrupted; 2 of 4 variations are written\n")
    assert sorted(path.name for path in Path("takes").iterdir()) == [
        "1.wav",
        "2.wav",
        "report.json",
    ]


def test_a_report_of_variations_that_cannot_be_written_leaves_them(
    ditto: Ditto, folder: Path
) -> None:
    assert ditto("generate", "calm", "-o", "a.wav", "--save-run", "run", *QUICK).status == 0
    (folder / "takes" / "report.json").mkdir(parents=True)
    told = ditto("vary", "run", "--count", "2", "-o", "takes")
    assert told.status == 1
    assert "takes/1.wav to takes/2.wav are written, but: takes/report.json: this" in told.err


def test_clipped_variations_are_warned_of(ditto: Ditto, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ditto("generate", "calm", "-o", "a.wav", "--save-run", "run", *QUICK).status == 0
    save = Result.save
    monkeypatch.setattr(Result, "save", lambda self, path: save(self, path) + 12)
    vary = ("vary", "run", "--count", "2", "-o", "takes")
    told = ditto(*vary)
    assert "warning: takes/1.wav to takes/2.wav: 24 samples were too loud for the" in told.err
    assert ditto(*vary, "--quiet").err == ""


def test_an_edit_is_saved_and_varied(ditto: Ditto, take: Path) -> None:
    cut = ("--from", "1", "--to", "1.5", "-o", "new.wav", "--save-run", "run")
    assert ditto("inpaint", "take.wav", "calm", *cut, *EDIT).status == 0
    told = ditto("vary", "run", "--count", "1", "--eta", "1", "-o", "takes", "--quiet")
    assert (told.status, told.err) == (0, "")
    old, new, mine = samples("new.wav"), samples("takes/1.wav"), samples("take.wav")
    assert np.array_equal(new[:RATE], mine[:RATE])
    assert np.array_equal(new[RATE * 3 // 2 :], mine[RATE * 3 // 2 :])
    assert not np.array_equal(new, old)


def test_invert_tells_what_it_gained(ditto: Ditto, take: Path) -> None:
    told = ditto("invert", "take.wav", "calm", "-o", "again.wav", "--save-run", "run", *EDIT)
    assert told.status == 0, told.err
    first, second = told.out.splitlines()
    assert first.startswith("again.wav: 3.00 s as 'calm', made in ")
    figures = [float(x) for x in re.findall(r"\d+\.\d{4}", second)]
    assert len(figures) == 3
    assert figures[0] <= figures[1]
    told = ditto("vary", "run", "--prompt", "techno", "--eta", "0", "--count", "1", "-o", "other")
    assert told.status == 0, told.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("outpaint", "take.wav", "-o", "o.wav", *EDIT), ("--seconds",)),
        (("outpaint", "take.wav", "--seconds", "0", "-o", "o.wav", *EDIT), ("seconds is 0",)),
        (
            ("outpaint", "take.wav", "5:calm", "--seconds", "9", "-o", "o.wav", *EDIT),
            ("rise from 0",),
        ),
        (
            ("outpaint", "take.wav", "0:a;5:b", "--seconds", "1", "-o", "o.wav", *EDIT),
            ("'b' of 5 s would never be heard",),
        ),
        (
            ("loop", "take.wav", "--intensity-loss", "correlation", "-o", "o.wav", *EDIT),
            ("does nothing alone", "by --intensity"),
        ),
        (("loop", "gone.wav", "-o", "o.wav", *EDIT), ("gone.wav", "no such file")),
        (("loop", "calm", "piano", "-o", "o.wav", *EDIT), ("calm", "quotes")),
        (("loop", "calm piano", "--seconds", "0", "-o", "o.wav", *EDIT), ("seconds is 0",)),
        (("loop", "take.wav", "--seconds", "90", "-o", "o.wav", *EDIT), ("outpaint it first",)),
        (
            ("loop", "take.wav", "--count", "2", "--save-run", "r", "-o", "o.wav", *EDIT),
            ("--save-run", "--count"),
        ),
        (("loop", "take.wav", "--count", "0", "-o", "o.wav", *EDIT), ("count is 0",)),
        (("vary", "nothing", "-o", "takes"), ("nothing", "no saved run")),
        (("vary", "nothing", "--eta", "2", "-o", "takes"), ("eta is 2",)),
        (("vary", "nothing", "-o", "take.wav"), ("take.wav", "folder")),
        (("resume", "nothing", "-o", "o.wav"), ("nothing", "no saved run")),
        (("generate", "calm", "--save-run", "take.wav", "-o", "o.wav", *QUICK), ("take.wav",)),
    ],
)
def test_refusals(ditto: Ditto, take: Path, argv: tuple[str, ...], words: tuple[str, ...]) -> None:
    ditto(*argv).refused(*words)
    assert [path.name for path in take.parent.iterdir()] == ["take.wav"]


def test_a_plan_of_prompts() -> None:
    assert parse_plan("calm piano; quiet") == "calm piano; quiet"
    assert parse_plan("0: calm piano;20.5:full band") == [(0, "calm piano"), (20.5, "full band")]
    with pytest.raises(InputError, match="prompt 'full band': give its seconds first"):
        parse_plan("0:calm;full band")
