"""What benchmarks take and sum up, and what counts as done."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks import controls, edits, hand_out, inversion, samplers
from benchmarks.compiling import pays
from benchmarks.kept import keep, kept
from benchmarks.tasks import Ask, Figure, Task
from ditto_music import Intensity, Result, generate
from ditto_music.cli.manifest import Commands
from ditto_music.models.small import SmallModel
from ditto_music.problem import Problem
from ditto_music.sampling.guidance import Guidance


def test_steps_and_guidance_are_those_of_the_plain_sample_too(
    model: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, object]] = []

    def sampled(*given: object, steps: object, guidance: object, **more: object) -> Result:
        seen.append((steps, guidance))
        return generate(*given, steps=steps, guidance=guidance, **more)

    monkeypatch.setattr(controls, "SECONDS", 2.0)
    monkeypatch.setattr(controls, "generate", sampled)
    monkeypatch.setattr(controls, "load_model", lambda *given, **more: model)
    ask = Ask(lambda: Intensity([-40, -20]), lambda clip, rate: {"peak": float(abs(clip).max())})
    task = Task({"rise": ask}, ["calm piano"], [Figure("peak", "judge", "peak")], good=1e9)
    monkeypatch.setitem(controls.TASKS, "intensity", task)
    given = ["-", "--task", "intensity", "--iterations", "2", "--out", str(tmp_path)]
    asked = ["--steps", "3", "--guidance", "4.5", "--guidance-interval", "0.3:0.8"]
    monkeypatch.setattr("sys.argv", [*given, *asked])
    controls.main()
    assert seen == [(3, Guidance(4.5, (0.3, 0.8)))]


def test_samplers_are_compared_under_the_guidance_that_is_asked_for(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def problem(*given: Any) -> Problem:
        seen.append(given[-1].guidance)
        return Problem(*given)

    fakes = {"Problem": problem, "load_model": lambda name: model, "STEPS": (2,)}
    for name, fake in fakes.items():
        monkeypatch.setattr(samplers, name, fake)
    for asked in ([], ["--guidance", "4.5", "--guidance-interval", "0.3:0.8"]):
        monkeypatch.setattr("sys.argv", ["-", "--reference", "2", "--full", "2", *asked])
        samplers.main()
    assert seen == [model.guidance, Guidance(4.5, (0.3, 0.8))]


def test_handing_out_is_measured_without_rehearsing_or_writing_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Commands, "rehearse", None)
    jobs = [hand_out.JOB | {"prompt": f"calm piano {i}", "seed": i} for i in range(3)]
    assert hand_out.rate(jobs, tmp_path) > 0
    assert not any(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("method", ["plain", "ditto"])
def test_any_method_that_needs_no_recording_is_measured(
    method: str, model: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "SECONDS", 2.0)
    ask = Ask(lambda: Intensity([-40, -20]), lambda clip, rate: {"peak": float(abs(clip).max())})
    task = Task({"rise": ask}, ["calm piano"], [Figure("peak", "judge", "peak")], good=1e9)
    assert method in controls.ABLE
    assert "multidiffusion" not in controls.ABLE
    (row,) = controls.run_prompt(model, task, 0, tmp_path, method, iterations=2, steps=2)
    assert row["batch_seconds"] > 0
    assert "| rise |" in controls.table(task, [row])


def test_all_three_edits_are_told_only_of_fillings_that_each_of_them_has() -> None:
    rng = np.random.default_rng(0)

    def row(edit: str, filling: str) -> edits.Row:
        return {"edit": edit, "filling": filling, "heard": rng.standard_normal(5).tolist()}

    rows = [row("none", name) for name in ("untouched", "through the codec") for _ in range(4)]
    for edit in ("inpaint", "outpaint", "loop"):
        rows += [row(edit, "ditto") for _ in range(2)]
    rows += [row("inpaint", "the true music by the codec") for _ in range(2)]
    lines = [line for line in edits.table(rows).splitlines() if line.startswith("| all three ")]
    assert [line.split(" | ")[1] for line in lines] == ["ditto"]


def test_compiling_pays_when_it_has_taken_no_longer_in_all() -> None:
    plain = [8.4, *(3 * [7.79])]
    assert pays(plain, [46.8, *(3 * [4.39])]) == 13
    for clip, less in ((12, False), (13, True)):
        assert (46.8 + (clip - 1) * 4.39 <= 8.4 + (clip - 1) * 7.79) is less
    assert pays(plain, [7.0, 4.56, 4.56]) == 1
    assert pays(plain, plain) is None


def test_what_is_kept_counts_for_its_settings_only(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert kept(path, {"seed": 0}) is None
    keep(path, {"seed": 0, "guidance": None}, [{"loss": 1.5}])
    assert kept(path, {"seed": 0, "guidance": None}) == [{"loss": 1.5}]
    assert kept(path, {"seed": 1, "guidance": None}) is None
    for other in ("[]", '{"reached": true}'):
        path.write_text(other)
        assert kept(path, {"seed": 0}) is None


@pytest.mark.parametrize(
    ("benchmark", "more"),
    [
        (
            controls,
            [
                *(["--iterations", "3"], ["--optimizer", "adam"], ["--compile"], ["--steps", "20"]),
                *(["--guidance", "4.5"], ["--guidance-interval", "0.3:0.8"]),
            ],
        ),
        (edits, [["--seed", "1"], ["--guidance", "2"], ["--fresh", "1"]]),
        (inversion, [["--iterations", "3"]]),
    ],
)
def test_a_benchmark_with_another_argument_makes_its_parts_anew(
    benchmark: ModuleType,
    more: list[list[str]],
    model: SmallModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[object] = []

    def run(*given: object, **more: object) -> object:
        made.append(given)
        return {"recording": "guit_em9"} if benchmark is inversion else []

    recordings = [] if benchmark is controls else [str(edits.OURS / "guit_em9.flac")]
    only = ["--task", "intensity", "--prompts", "1"] if benchmark is controls else []
    monkeypatch.setattr(benchmark, "run_prompt" if benchmark is controls else "run", run)
    monkeypatch.setattr(benchmark, "table", lambda *given: "")
    monkeypatch.setattr(benchmark, "load_model", lambda *given, **more: model)
    counts: list[int] = []
    for extra in ([], [], *more):
        given = ["-", *recordings, *only, "--out", str(tmp_path), *extra]
        monkeypatch.setattr("sys.argv", given)
        benchmark.main()
        counts.append(len(made))
    each = counts[0]
    assert counts == [each, each, *(each * number for number in range(2, len(more) + 2))]
    monkeypatch.setattr(benchmark, "revision", lambda name: "of other weights")
    benchmark.main()
    assert len(made) == counts[-1] + each
