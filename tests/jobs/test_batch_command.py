"""`ditto-music batch`: jobs as the command line means them, killed and gone on with."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fsspec.registry import known_implementations

from ditto_music import Intensity, load_model, optimize
from ditto_music.cli import main
from ditto_music.cli.commands.batch import teller
from ditto_music.cli.manifest import Commands, _file_name
from ditto_music.cli.manifest import _load as load
from ditto_music.jobs import Outcome, Tally, run_batch
from ditto_music.problem import Problem

RECORDING = Path(__file__).parents[1] / "recordings" / "loop_compus.flac"
QUICK = {"model": "debug", "duration": 1, "steps": 4, "surrogate_steps": 2, "iterations": 3}


def ramps(count: int, **more: object) -> list[dict]:
    return [
        {"command": "control", "prompt": "calm piano", "intensity": f"-{30 + i}:-16", "seed": i}
        | QUICK
        | more
        for i in range(count)
    ]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def manifest(path: Path, some: list[dict]) -> Path:
    path.write_text("".join(json.dumps(job) + "\n" for job in some))
    return path


def heard(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: soundfile.read(path)[0] for path in folder.glob("*.wav")}


def test_items_of_a_batch_are_those_of_single_runs(tmp_path: Path) -> None:
    outcomes = list(run_batch(ramps(3), tmp_path, performer=Commands()))
    model = load_model("debug")
    for number, outcome in enumerate(sorted(outcomes, key=lambda one: one.line)):
        assert outcome.report is not None
        alone = optimize(
            model,
            "calm piano",
            Intensity(f"-{30 + number}:-16"),
            seed=number,
            duration=1,
            steps=4,
            surrogate_steps=2,
            iterations=3,
        )
        made, _ = soundfile.read(tmp_path / outcome.report["out"])
        # Products of larger matrices round otherwise; a 16-bit step is 3e-5.
        assert np.abs(made - np.clip(alone.audio[0, 0].numpy(), -1, 1)).max() < 1e-3
        assert outcome.report["loss"]["final"] == pytest.approx(alone.items[0].final["loss"], 1e-3)


def test_other_files_of_the_same_jobs_are_made_and_the_same_are_not(tmp_path: Path) -> None:
    def done(performer: Commands) -> int:
        return len(list(run_batch(ramps(1), tmp_path, performer=performer)))

    assert done(Commands()) == 1 and done(Commands()) == 0
    assert done(Commands(".flac")) == 1 and done(Commands(".flac")) == 0
    assert done(Commands(plot=True)) == 1 and done(Commands(save_run=True)) == 1
    assert done(Commands()) == 0
    made = sorted(path.suffix for path in tmp_path.iterdir() if path.suffix in {".wav", ".flac"})
    assert made.count(".flac") == 1 and ".wav" in made


def test_any_mix_of_commands_and_one_clear_line_for_each_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit = {"recording": str(RECORDING), "from": [2.0], "to": [2.6], "prompt": "drums"}
    some = [
        *ramps(2, id="same"),
        {"prompt": "calm piano", **QUICK} | {"iterations": 60},
        {"command": "inpaint", **edit, **{k: QUICK[k] for k in ("model", "steps", "iterations")}},
        {"command": "sing"},
        {"command": "control", "prompt": "x", "melody": "H4", **QUICK},
        {"command": "control", "prompt": "x", "intensity": "-30:-10", "flux": 3},
        {"command": "control", "prompt": "x", "intensity": "-30:-10", "out": "/etc/passwd"},
        {"command": "generate", "model": "debugg", "prompt": "x"},
    ]
    path = manifest(tmp_path / "jobs.jsonl", some)
    out = tmp_path / "out"
    argv = ["batch", str(path), "-o", str(out), "--workers", "1", "--plots"]
    assert main(argv) == 1
    assert "3 done, 6 failed, 0 before" in capsys.readouterr().out
    failures = {line["line"]: line["error"] for line in lines(out / "failures.jsonl")}
    assert "id 'same' is taken" in failures[2]
    assert "command 'sing' is unknown" in failures[5]
    assert "'H4' is not a note" in failures[6]
    assert "flux" in failures[7]
    assert "out is set by the batch" in failures[8]
    assert "model 'debugg' is unknown" in failures[9]
    reports = {line["line"]: line for line in lines(out / "results.jsonl")}
    assert sorted(reports) == [1, 3, 4]
    for report in reports.values():
        assert (out / report["out"]).is_file()
        assert (out / report["out"]).with_suffix(".png").is_file()
    before, after = soundfile.read(RECORDING)[0], soundfile.read(out / reports[4]["out"])[0]
    assert (before[: 2 * 44_100] == after[: 2 * 44_100]).all()
    assert main(argv) == 1
    assert "0 done, 0 failed, 9 before" in capsys.readouterr().out


def test_alternatives_are_named_by_the_id(tmp_path: Path) -> None:
    edit = {"command": "inpaint", "recording": str(RECORDING), "from": 2.0, "to": 2.6, "prompt": ""}
    quick = {name: QUICK[name] for name in ("model", "steps", "iterations")}
    job = {"id": "try", "count": 2, **edit, **quick}
    (outcome,) = run_batch([job], tmp_path, performer=Commands())
    assert outcome.report is not None, outcome.error
    assert outcome.report["out"] == ["try-1.wav", "try-2.wav"]
    assert [item["out"] for item in outcome.report["items"]] == outcome.report["out"]
    assert all((tmp_path / name).is_file() for name in outcome.report["out"])


@pytest.mark.parametrize(
    ("job", "reads"),
    [
        ({"command": "inpaint", "recording": "take.wav", "from": 1, "to": 1.5}, "take.wav"),
        (
            {"command": "inpaint", "recording": "take-2.wav", "from": 1, "to": 1.5, "count": 2},
            "take-2.wav",
        ),
        ({"command": "control", "prompt": "x", "match-spectrum": "take.wav"}, "take.wav"),
    ],
)
def test_no_job_is_written_over_what_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: dict, reads: str
) -> None:
    monkeypatch.chdir(tmp_path)
    take = tmp_path / reads
    soundfile.write(take, *soundfile.read(RECORDING))
    before = take.read_bytes()
    job = job | {"id": "take", "model": "debug", "iterations": 1}
    (outcome,) = run_batch([job], ".", performer=Commands())
    assert f"line 1: {reads}: is read and would be written over: give another id" in outcome.error
    assert take.read_bytes() == before


@pytest.mark.parametrize(
    ("count", "kept", "says"),
    [
        (1, ["try.wav"], "line 1: try.wav is written as far as it was made, but: no numbers"),
        (
            2,
            ["try-1.wav"],
            "line 1: 1 of 2 alternatives are written, the last as far as it was finished, but: no "
            "numbers",
        ),
    ],
)
def test_what_an_edit_made_before_it_broke_off_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, kept: list[str], says: str
) -> None:
    module = import_module("ditto_music.editing.inpaint")
    fill = module.fill

    def once(*args: Any, seed: int, **kwargs: Any) -> Any:
        if seed == 1:
            raise FloatingPointError("no numbers")
        return fill(*args, seed=seed, **kwargs)

    monkeypatch.setattr(module, "fill", once)
    edit = {"command": "inpaint", "recording": str(RECORDING), "from": [2, 3], "to": [2.6, 3.6]}
    quick = {name: QUICK[name] for name in ("model", "steps", "iterations")}
    job = {"id": "try", "prompt": "drums", "count": count, **edit, **quick}
    (outcome,) = run_batch([job], tmp_path, performer=Commands())
    assert outcome.error == says
    assert sorted(path.name for path in tmp_path.glob("*.wav")) == kept


def test_what_nobody_foresaw_fails_the_item_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = Problem.measure

    def strange(self: Problem, *args: Any, **kwargs: Any) -> Any:
        if "strange" in self.prompts:
            raise ValueError("nobody foresaw this")
        return measure(self, *args, **kwargs)

    monkeypatch.setattr(Problem, "measure", strange)
    some = [*ramps(1), *ramps(1, prompt="strange"), *ramps(1, seed=2)]
    outcomes = {one.line: one for one in run_batch(some, tmp_path, performer=Commands())}
    assert [outcomes[line].done for line in (1, 2, 3)] == [True, False, True]
    assert outcomes[2].error == "line 2: ValueError: nobody foresaw this"


@pytest.mark.parametrize(("flags", "told"), [(("1",), 2), (("2",), 2), (("1", "--quiet"), 0)])
def test_warnings_are_lines_of_the_command_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], flags: tuple[str, ...], told: int
) -> None:
    """Also those of workers, and of edits, which a batch runs quietly."""
    quick = {name: QUICK[name] for name in ("model", "steps")}
    long = quick | {"prompt": "slow calm piano jazz, drums, fast techno, 120 bpm"}
    edit = {"command": "inpaint", "recording": str(RECORDING), "from": 2, "to": 2.6}
    some = [
        long | {"duration": 1},
        long | edit | {"iterations": 1, "prompt": f"x {long['prompt']}"},
    ]
    path = manifest(tmp_path / "jobs.jsonl", some)
    argv = ["batch", str(path), "-o", str(tmp_path / "out"), "--workers", *flags]
    load.cache_clear()  # a model warns once of a prompt
    assert main(argv) == 0
    err = capfd.readouterr().err
    assert err.count("ditto-music: warning: the prompt is longer") == told
    assert err.count("the prompt is longer") == told


def test_as_many_workers_as_cores_where_the_system_does_not_tell_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    jobs = manifest(tmp_path / "jobs.jsonl", ramps(1))
    assert main(["batch", str(jobs), "-o", str(tmp_path / "out"), "--quiet"]) == 0
    assert "1 done, 0 failed" in capsys.readouterr().out


def test_a_dry_run_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = manifest(tmp_path / "jobs.jsonl", [*ramps(2), {"command": "sing"}])
    assert main(["batch", str(path), "-o", str(tmp_path / "out"), "--engine", "dry"]) == 1
    said = capsys.readouterr()
    assert "2 understood, 1 failed" in said.out
    assert "command 'sing' is unknown" in said.err


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"command": "control"}, "nothing is asked of the music"),
        ({"command": "control", "melody": "H4"}, "'H4' is not a note"),
        ({"command": "control", "rhythm": "memory://gone.wav"}, "memory://gone.wav: cannot be"),
        ({"command": "inpaint", "recording": "gone.wav", "from": 1, "to": 2}, "no such file"),
        ({"command": "inpaint", "from": [1, 2], "to": 3}, "2 times --from but 1 times --to"),
        ({"command": "inpaint", "from": 1, "to": 2, "count": 0}, "count is 0"),
        ({"command": "outpaint", "seconds": 9, "prompt": "5:a;6:b"}, "rise from 0"),
        ({"command": "outpaint", "seconds": 9, "prompt": "0:a;6:b", "count": 2}, ""),
        ({"command": "control", "intensity": "-30:-20", "later-noises": True}, "later-noises are"),
        ({"command": "loop", "source": str(RECORDING)}, ""),
        ({"command": "invert"}, ""),
    ],
)
def test_a_dry_run_finds_what_the_command_would_refuse(
    tmp_path: Path, job: dict, words: str
) -> None:
    edits = job["command"] in ("inpaint", "outpaint", "invert")
    given = {"prompt": "x"} | ({"recording": str(RECORDING)} if edits else {})
    (outcome,) = run_batch([given | job], tmp_path, engine="dry")
    assert words in outcome.error
    assert outcome.done == (not words)


def test_a_line_that_is_mended_no_longer_stands_as_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def status(*some: dict, flags: tuple[str, ...] = ()) -> int:
        path = manifest(tmp_path / "jobs.jsonl", [*some])
        return main(["batch", str(path), "-o", str(tmp_path / "out"), "--workers", "1", *flags])

    good, bad = ramps(1)[0], ramps(1, flux=3)[0]
    assert status(good, bad) == 1
    assert status(good, bad) == 1
    told = capsys.readouterr().out.splitlines()[-1]
    assert "0 done, 0 failed, 2 before, 1 of them failed: --retry-failed tries them again" in told
    assert status(good, ramps(1, seed=2)[0]) == 0
    assert status(good, bad, flags=("--engine", "dry")) == 1


def test_the_table_shows_what_looks_like_markup(capsys: pytest.CaptureFixture[str]) -> None:
    tell = teller(Tally(), 2, watch=True, quiet=False)
    tell(Outcome("a", 1, error="no [live] here"))
    tell(Outcome("b", 2, error="nor [/x]"))
    tell(None)
    told = capsys.readouterr().err
    assert "no [live] here" in told and "nor [/x]" in told


def test_a_failure_has_a_line_of_its_own_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    tell = teller(Tally(done=1), 2, watch=False, quiet=False)
    tell(Outcome("a", 1, {}))
    tell(Outcome("b", 2, error="line 2: bad"))
    assert "\nditto-music: failed: line 2: bad\n" in capsys.readouterr().err


def test_refusals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = {"class": "absent.Files", "err": "Install absent"}  # as s3:// is without s3fs
    monkeypatch.setitem(known_implementations, "absent", absent)
    path = manifest(tmp_path / "jobs.jsonl", ramps(1))
    for argv, words in (
        ([str(tmp_path / "none"), "-o", str(tmp_path / "out")], "no such manifest"),
        ([str(tmp_path), "-o", str(tmp_path / "out")], "no such manifest"),
        (["nonsense://x", "-o", str(tmp_path / "out")], "cannot be used (Protocol not known"),
        (["absent://x", "-o", str(tmp_path / "out")], "cannot be used (Install absent"),
        ([str(path), "-o", str(path)], "is a file: give a folder"),
        ([str(path), "-o", str(tmp_path / "out"), "--workers", "0"], "workers is 0"),
        ([str(path), "-o", str(tmp_path / "out"), "--batch", "0"], "batch is 0"),
        ([str(path), "-o", str(tmp_path / "out"), "--format", "xyz"], "xyz"),
        ([str(path), "-o", str(tmp_path / "out"), "--gpus", "1"], "--gpus: of Ray workers alone"),
    ):
        assert main(["batch", *argv]) == 2
        assert words in capsys.readouterr().err


def test_what_others_left_in_the_folder_for_drafts_stops_no_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.wav").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = manifest(tmp_path / "jobs.jsonl", [QUICK | {"prompt": "x", "guidance": 1.5}])
    assert main(["batch", str(path), "-o", str(tmp_path / "out"), "--workers", "1"]) == 0


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://a.org/b/tune.mid?dl=1", "tune.mid"),
        (f"https://a.org/take.wav?key={'x' * 999}#end", "take.wav"),
        ("https://a.org", "file"),
        ("s3://songs/a/take#2?.wav", "take#2?.wav"),
        ("memory://tune.mid", "tune.mid"),
        (f"s3://songs/{'ö' * 200}.wav", "ö" * 46 + ".wav"),
    ],
)
def test_copies_of_what_is_far_away_keep_their_suffix(address: str, name: str) -> None:
    assert _file_name(address) == name


def test_a_batch_is_as_large_as_guided_searches_let_it() -> None:
    """Guidance doubles what a call keeps, but of a prompt that is what it moves away from."""
    from ditto_music.jobs.job import Job, Order

    def fitting(prompts: list[str], **more: object) -> int:
        job = ramps(1, **{"memory-budget": 0.2} | more)[0]
        jobs = [Job(i, job | {"prompt": prompt}) for i, prompt in enumerate(prompts)]
        return Commands()._fitting([Order(one, str(i), str(i)) for i, one in enumerate(jobs)])

    guided, plain = (fitting(["calm piano"], guidance=scale) for scale in (3, 1))
    assert plain > 10
    assert guided == pytest.approx(plain / 2, rel=0.15)
    assert fitting(["drums", "calm piano"], guidance=3, negative="drums") == guided
    assert fitting(["drums"], guidance=3, negative="drums") == plain


def test_a_search_goes_on_from_its_saved_state(tmp_path: Path) -> None:
    """As after a kill: the state is there, the result is not."""
    from ditto_music.cli.states import States
    from ditto_music.jobs.job import Job
    from ditto_music.jobs.store import Store

    (job,) = ramps(1, iterations=12, id="rise")
    act = Commands(save_run=True)
    one = Job(1, job)
    key = one.key(act.revision(one))
    model = load_model("debug")
    states = States(Store(tmp_path), [key])
    found = optimize(
        model, "calm piano", Intensity("-30:-16"), duration=1, steps=4, surrogate_steps=2,
        iterations=12, callback=states,
    )  # fmt: skip
    states.save()
    (outcome,) = run_batch([job], tmp_path, performer=act)
    assert outcome.report is not None
    history = outcome.report["loss"]["history"]
    assert history[0] < found.items[0].history[0]["loss"]
    assert not list(tmp_path.glob("states-*"))
    assert (tmp_path / "rise.run" / "run.json").is_file()


def start(path: Path, out: Path) -> subprocess.Popen[str]:
    source = Path(__file__).parents[2] / "src"
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "ditto_music", "batch", str(path), "-o", str(out)),
            *("--workers", "2", "--batch", "1"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)},
    )


@pytest.mark.slow
def test_killed_at_thirty_moments_every_item_is_there_once_and_whole(tmp_path: Path) -> None:
    path = manifest(tmp_path / "jobs.jsonl", ramps(40, iterations=20))
    still = tmp_path / "undisturbed"
    assert start(path, still).wait(timeout=300) == 0
    out, kills = tmp_path / "out", 0
    moments = random.Random(0)
    deadline = time.monotonic() + 900
    while kills < 30 and time.monotonic() < deadline:
        process = start(path, out)
        try:
            process.wait(timeout=moments.uniform(2.0, 9.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        if process.returncode == 0:  # all done already: begin anew and go on killing
            check(out, still)
            out = tmp_path / f"out-{kills}"
    assert kills == 30
    assert start(path, out).wait(timeout=300) == 0
    check(out, still)


def check(out: Path, still: Path) -> None:
    keys = [line["key"] for line in lines(out / "results.jsonl")]
    assert len(keys) == len(set(keys)) == 40
    made, wanted = heard(out), heard(still)
    assert made.keys() == wanted.keys()
    for name, samples in wanted.items():
        assert (made[name] == samples).all()


def test_sigterm_ends_it_cleanly_and_it_goes_on(tmp_path: Path) -> None:
    path = manifest(tmp_path / "jobs.jsonl", ramps(30, iterations=40))
    out = tmp_path / "out"
    process = start(path, out)
    results = out / "results.jsonl"
    while not (results.exists() and results.read_text().count("\n") >= 2):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in err.splitlines()[-1]
    done = len(lines(results))
    assert 2 <= done < 30
    assert len(list(out.glob("*.wav"))) >= done
    assert start(path, out).wait(timeout=300) == 0
    assert len(lines(results)) == 30
