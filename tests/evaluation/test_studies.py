"""The research questions on the tiny model: a table, a figure, and nothing done twice."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ditto_music.baselines import METHODS
from ditto_music.cli import main
from ditto_music.errors import InputError
from ditto_music.evaluation.studies import (
    QUESTIONS,
    decoder,
    guidance,
    lines,
    making,
    reuse,
    running,
    samplers,
    stochastic,
    study_named,
    variables,
)
from ditto_music.evaluation.studies.bands import energy_below, joined, split, white_below
from ditto_music.evaluation.studies.counting import code_lines, lines_of_class
from ditto_music.evaluation.studies.decoder import features_of, reading_of
from ditto_music.evaluation.studies.fresh import in_fresh_process
from ditto_music.evaluation.studies.guidance import affordable
from ditto_music.evaluation.studies.lines import ASKS
from ditto_music.evaluation.studies.making import WALKS, counted
from ditto_music.evaluation.studies.memory import measure
from ditto_music.evaluation.studies.searching import Found, packed, searched, unpacked
from ditto_music.evaluation.studies.stochastic import ETAS
from ditto_music.evaluation.studies.study import Item, Row, Scale, Size
from ditto_music.evaluation.studies.tables import Column, mean, summed
from ditto_music.evaluation.studies.variables import WAYS
from ditto_music.models.small import SmallModel
from ditto_music.problem import Problem
from ditto_music.result import Result, Settings
from ditto_music.sampling import SAMPLERS, ddim, draw_noise, draw_noises, noisy_ddim
from ditto_music.sampling.guidance import Guidance
from ditto_music.vary import Variations, vary

QUICK = (
    *("--model", "debug", "--quick", "--prompts", "1", "--duration", "2.2"),
    *("--steps", "3", "--surrogate-steps", "2", "--iterations", "2", "--quiet"),
)

#: What the lines of a quick table are told apart by.
HEADS: dict[str, set[tuple[str, ...]]] = {
    "memory": {
        (way, steps)
        for way in (
            *("plain", "checkpoint", "EDICT, checkpoint", "EDICT, reversible"),
            "DOODL as released",
        )
        for steps in ("5", "20")
    },
    "variables": {("intensity", f"{eta:g}", " + ".join(names)) for names, eta in WAYS},
    "lines": {(name,) for name in ASKS},
    "guidance": {
        ("intensity", "plain", "steps", "3"),
        ("intensity", "best-of", "iterations", "5"),
        ("intensity", "freedom", "steps", "20"),
        ("intensity", "guidance-gradients", "steps", "10"),
        ("intensity", "dps", "steps", "20"),
        ("intensity", "mpgd", "steps", "20"),
        ("intensity", "dsg", "steps", "20"),
        ("intensity", "doodl", "iterations", "5"),
        ("intensity", "ditto", "iterations", "5"),
    },
    "stochastic": {("intensity", "0", "none")}
    | {("intensity", eta, noises) for eta in ("0.3", "1") for noises in ("fixed", "fresh")},
    "reuse": {("intensity", "own", guide, eta) for guide in ("0", "0.2") for eta in ("0", "1")},
    "spectrum": {("intensity", "0.25"), ("intensity", "23.5")},
    "decoder": {(task, way) for task in ("match", "intensity") for way in ("in", "out")},
    "correlation": {("plain", "none")}
    | {(system, loss) for system in ("ditto", "freedom") for loss in ("mse", "correlation")},
    "samplers": {("intensity", "9", name) for name in ("ddim", "dpm", "heun", "adams")},
}


@pytest.mark.parametrize("name", [*QUESTIONS])
def test_a_study_makes_its_table_and_figure_once(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, alone = tmp_path / "out", list[object]()

    def here(work: Callable[..., object], *given: object) -> object:
        alone.append(given)
        return work(*given)

    monkeypatch.setattr(running, "in_fresh_process", here)
    assert main(["study", name, "-o", str(out), *QUICK]) == 0
    told = capsys.readouterr().out
    assert told == (out / "table.md").read_text()
    assert told.startswith(QUESTIONS[name])
    with (out / "table.csv").open() as file:
        heads, *rows = csv.reader(file)
    count = heads.index("figure")
    assert {tuple(row[:count]) for row in rows} == HEADS[name]
    assert all(np.isfinite(float(row[count + 1])) for row in rows)
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert len(alone) == (10 if name == "memory" else 0)

    results = out / "items" / "results.jsonl"
    before = results.read_text()
    assert main(["study", name, "-o", str(out), *QUICK]) == 0
    assert results.read_text() == before
    assert capsys.readouterr().out == told


def test_more_prompts_keep_what_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "out"
    results = out / "items" / "results.jsonl"
    assert main(["study", "samplers", "-o", str(out), *QUICK]) == 0
    first = results.read_text()
    more = [*QUICK]
    more[more.index("--prompts") + 1] = "2"
    assert main(["study", "samplers", "-o", str(out), *more]) == 0
    assert results.read_text().startswith(first)
    assert len(results.read_text().splitlines()) == 2 * len(first.splitlines())
    with (out / "table.csv").open() as file:
        assert {row["items"] for row in csv.DictReader(file)} == {"2"}


def test_without_a_name_the_questions_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*QUESTIONS]
    assert len(lines) == 10
    assert all(line.endswith("?") for line in lines)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["spectre"], "did you mean spectrum?"),
        (["xyz"], "take memory, variables"),
        (["memory", "--prompts", "0"], "prompts is 0"),
        (["memory", "--duration", "0"], "duration is 0: it must be above 0"),
        (["memory", "--iterations", "0"], "iterations is 0"),
        (["samplers", *(2 * ["--control", "melody"])], "control 'melody' is given twice"),
        (["memory", "--model", "nothing"], "model 'nothing' is unknown"),
        (["samplers", "--device", "toaster"], "device 'toaster' cannot be used"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    out = tmp_path / "out"
    assert main(["study", *more, "--quiet", "-o", str(out)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err.splitlines()[-1]
    assert not out.exists()


def test_an_item_that_fails_is_told_and_the_rest_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    more = [*QUICK]
    more[more.index("--duration") + 1] = "1"  # too short for four beats
    assert main(["study", "lines", "-o", str(out), *more]) == 1
    told = capsys.readouterr().out
    assert "Failed: prompt 0, control tempo: tempo: 4 beats" in told
    assert "| brightness |" in told


def test_an_iteration_is_counted_in_samples_by_ddim(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[str] = []

    def problem(*given: Any) -> Problem:
        walked.append(given[-1].sampler)
        return Problem(*given)

    monkeypatch.setattr("ditto_music.evaluation.studies.memory.Problem", problem)
    asked = {"way": "EDICT, checkpoint", "steps": 2, "clips": 1, "repeats": 1}
    measure(model, Item(asked, Scale(2.0)))
    assert walked == ["edict", "ddim"]


def test_an_interrupted_study_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, made = tmp_path / "out", list[str]()
    measure = samplers.STUDY.measure

    def stopped(model: SmallModel, item: Item) -> list[dict[str, object]]:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(item["sampler"])
        return measure(model, item)

    with monkeypatch.context() as patch:
        patch.setattr(samplers, "STUDY", replace(samplers.STUDY, measure=stopped))
        assert main(["study", "samplers", "-o", str(out), *QUICK]) == 130
    results = out / "items" / "results.jsonl"
    assert len(results.read_text().splitlines()) == 2
    assert main(["study", "samplers", "-o", str(out), *QUICK]) == 0
    assert len(results.read_text().splitlines()) == 4


# --- the pieces --------------------------------------------------------------------------------


def test_lines_of_code_are_those_that_hold_any() -> None:
    source = '''"""A module
    of two lines."""

# a comment
import os  # beside code


class A:
    """What it is."""

    text = """two
lines"""

    def f(
        self,
    ) -> None:
        """Says."""
        "not a docstring"
'''
    assert code_lines(source) == 8
    assert code_lines("") == code_lines('"""only said"""\n') == 0

    class Small:
        """One."""

        a = 1

    assert lines_of_class(Small) == 2


def test_a_split_spectrum_adds_up(generator: torch.Generator) -> None:
    for frames in (50, 51):
        x = torch.randn(3, 4, frames, generator=generator)
        for cut in (0.0, 1.0, 7.0, 1e3):
            low, high = split(x, cut, 40.0)
            assert torch.allclose(low + high, x, atol=1e-5)
            total = float(low.square().sum() + high.square().sum())
            assert total == pytest.approx(float(x.square().sum()), rel=1e-4)
        assert energy_below(x, 1e3, 40.0) == pytest.approx(1, rel=1e-5)
        assert white_below(frames, 1e3, 40.0) == pytest.approx(1)
        many = torch.randn(4000, frames, generator=generator)
        for cut in (1.0, 7.0):
            assert energy_below(many, cut, 40.0) == pytest.approx(
                white_below(frames, cut, 40.0), abs=0.01
            )


def test_a_slow_wave_is_below_the_cut() -> None:
    time = torch.arange(80) / 40.0
    slow, fast = torch.sin(2 * torch.pi * 2 * time), torch.sin(2 * torch.pi * 9 * time)
    assert energy_below(slow + fast, 5.0, 40.0) == pytest.approx(0.5, abs=1e-4)
    swapped = joined(slow + fast, 3 * fast, 5.0, 40.0)
    assert torch.allclose(swapped, slow + 3 * fast, atol=1e-4)


def test_noise_joined_of_two_noises_is_a_noise(generator: torch.Generator) -> None:
    a, b = torch.randn(2, 500, 64, generator=generator)
    both = joined(a, b, 6.0, 40.0)
    assert float(both.std()) == pytest.approx(1, abs=0.02)


def test_fixed_noises_of_no_size_are_ddim(model: SmallModel) -> None:
    x_T = draw_noise(model.latent_shape(1.0), [0])
    condition = model.condition(["calm piano"], 1.0)

    def denoise(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return model.denoise(x, t, condition)

    noises = draw_noises(model.latent_shape(1.0), [1], 4)[:, 1:].movedim(1, 0)
    still = noisy_ddim(denoise, x_T, model.schedule, 4, 0.0, noises)
    assert torch.allclose(still, ddim(denoise, x_T, model.schedule, 4), atol=1e-5)
    moved = noisy_ddim(denoise, x_T, model.schedule, 4, 1.0, noises)
    assert not torch.allclose(still, moved, atol=1e-2)
    later = noises.clone().requires_grad_()
    noisy_ddim(denoise, x_T, model.schedule, 4, 1.0, later).square().sum().backward()
    assert later.grad is not None
    assert bool((later.grad.flatten(1).norm(dim=1) > 0).all())


@pytest.mark.parametrize(("noises", "found"), [("fixed", 1.0), ("fresh", 9.0)])
def test_what_fresh_noises_found_is_not_the_luckiest_draw(
    noises: str, found: float, model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two noises the worse one had the luck; a draw that neither had tells them apart."""

    def lucky(problem: Problem, start: torch.Tensor, *given: Any) -> Found:
        return Found(start, [9.0, 1.0], [searched(problem, start, *given).best, start])

    monkeypatch.setattr(stochastic, "searched", lucky)
    asked = {"prompt": 0, "control": "intensity", "eta": 0.01, "noises": noises}
    scale = Scale(2.0, steps=3, surrogate_steps=3, iterations=6)
    (row,) = stochastic.measure(model, Item(asked, scale))
    assert row["found"] == found


def test_a_search_goes_down_and_keeps_the_best(model: SmallModel) -> None:
    from ditto_music import Intensity

    settings = Settings(1.0, 2, tolerance=0.0)
    problem = Problem(model, "calm piano", Intensity([-60, -40]), 0, settings)
    x_T = problem.noise()
    found = searched(problem, x_T.flatten(), lambda x, _: problem.sample(x.view_as(x_T), [0], 2), 8)
    assert found.losses == sorted(found.losses, reverse=True)
    assert min(found.losses) < 0.95 * found.losses[0]  # all that the random model can be moved
    with torch.no_grad():
        again, _ = problem.measure(
            problem.clip(problem.sample(found.best.view_as(x_T), [0], 2)), [0]
        )
    assert float(again) == pytest.approx(min(found.losses), rel=1e-4)


def test_operations_are_those_that_torch_counts(model: SmallModel) -> None:
    from ditto_music import Intensity

    settings = Settings(1.0, 2, gradient="checkpoint")
    problem = Problem(model, "calm piano", Intensity([-60, -40]), 0, settings)

    def iteration() -> None:
        x_T = problem.noise().requires_grad_()
        losses, _ = problem.measure(problem.clip(problem.sample(x_T, [0], 2)), [0])
        losses.sum().backward()

    with FlopCounterMode(display=False) as counter:
        iteration()
    assert counted(iteration)[1] == counter.get_total_flops() > 1e6


def test_points_are_packed_and_unpacked() -> None:
    parts = [torch.arange(6.0).view(2, 3), torch.tensor([[7.0]])]
    again = list(unpacked(packed(parts), parts))
    assert all(torch.equal(a, b) for a, b in zip(parts, again, strict=True))


def test_the_latent_is_read_where_the_frames_are(model: SmallModel) -> None:
    latent = torch.arange(8.0).repeat(1, 2, 1)
    read = features_of(latent, 0.5, torch.tensor([0.25, 0.5, 100.0]))
    assert read.shape == (1, 3, 5)
    assert read[0, :, 0].tolist() == [0.0, 0.5, 7.0]
    assert read[0, :, 2].tolist() == [0.0, 0.25, 49.0]
    assert read[0, :, 4].tolist() == [1.0, 1.0, 1.0]
    weights = reading_of(model, Scale(2.0, 2))
    assert weights.shape == (2 * model.latent_shape(2.0)[0] + 1,)
    assert bool(weights.isfinite().all())


def test_a_fresh_process_gives_what_the_function_does() -> None:
    assert in_fresh_process(divmod, 7, 2) == (3, 1)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        in_fresh_process(divmod, 7, 0)
    with pytest.raises(InputError, match="prompts is 0"):
        in_fresh_process(Size, 0)


def test_means_leave_out_what_is_not_there() -> None:
    rows = [{"a": "x", "v": 1.0}, {"a": "y", "v": None}, {"a": "x", "v": 3.0}, {"a": "y"}]
    table = summed(rows, {"a": "name"}, [Column("v", "value", 1)])
    assert table.line("x")["v"].value == 2.0
    assert table.markdown().splitlines() == [
        "| name | value |",
        "|---|---|",
        "| x | 2.0 |",
        "| y |  |",
    ]
    assert [row[0] for row in table.rows()] == ["name", "x"]


@pytest.mark.parametrize(
    ("study", "asked"),
    [(lines, {"control": "intensity"}), (decoder, {"task": "intensity", "decoder": "in"})],
)
def test_the_loss_before_is_of_as_many_steps_as_that_after(
    model: SmallModel, study: ModuleType, asked: dict[str, str]
) -> None:
    item = Item({"prompt": 0} | asked, Scale(2.0, steps=3, surrogate_steps=2, iterations=2))
    free = making.plain(model, item, making.control_of("intensity", item))
    (row,) = study.measure(model, item)
    assert row["before"] == pytest.approx(free.items[0].final["loss"])


def test_what_of_the_prompt_was_there_before_a_search_is_told_beside_what_is_left(
    model: SmallModel,
) -> None:
    asked = {"prompt": 0, "control": "intensity", "variables": "prompt", "eta": 0.0}
    item = Item(asked, Scale(2.0, steps=2, surrogate_steps=2, iterations=2))
    (row,) = variables.measure(model, item)
    free = making.plain(model, item, sampler="ddim")
    assert row["tags_before"] == pytest.approx(making.tags_of(free, item.words), rel=1e-3)


def test_what_is_searched_is_guided_as_the_model_is(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "guidance", Guidance(7.0, (0.0, 0.6)))
    asked = {"prompt": 0, "control": "intensity", "variables": "x_T", "eta": 0.0}
    item = Item(asked, Scale(2.0, steps=2, surrogate_steps=2, iterations=1))
    (row,) = variables.measure(model, item)
    free = making.plain(model, item, making.control_of("intensity", item), sampler="ddim")
    assert row["start"] == pytest.approx(free.items[0].final["loss"], rel=1e-5)


@pytest.mark.parametrize("sampler", samplers.NAMES)
@pytest.mark.parametrize("calls", samplers.CALLS)
def test_all_samplers_make_the_same_calls(model: SmallModel, sampler: str, calls: int) -> None:
    made: list[float] = []

    def denoise(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        made.append(float(t))
        return x_t

    steps = samplers.steps_of(sampler, calls)
    _ = SAMPLERS[sampler](denoise, torch.ones(1, 2, 3), model.schedule, steps)
    assert len(made) == calls


@pytest.mark.parametrize("sampler", ["ddim", "heun"])
def test_what_was_found_with_many_calls_is_sampled_as_it_was_found(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    monkeypatch.setattr(samplers, "MANY", 6)
    asked = {"prompt": 0, "control": "intensity", "calls": 6, "sampler": sampler}
    item = Item(asked, Scale(2.0, steps=2, surrogate_steps=2, iterations=2))
    (row,) = samplers.measure(model, item)
    assert row["kept"] == pytest.approx(row["found"], rel=1e-5)
    assert row["apart"] > 0
    (few,) = samplers.measure(model, Item(asked | {"calls": 2}, item.scale))
    assert few["kept"] != pytest.approx(few["found"], rel=1e-4)


def test_only_what_is_its_noise_s_own_sample_has_a_distance_from_it(model: SmallModel) -> None:
    scale = Scale(2.0, steps=2, surrogate_steps=2, iterations=2)
    given = {"prompt": 0, "control": "intensity", "what": "steps", "cost": 2}
    apart = {
        system: guidance.measure(model, Item(given | {"system": system}, scale))[0]["apart"]
        for system in ("plain", "ditto", "best-of", *WALKS)
    }
    assert {name for name, value in apart.items() if value is not None} == {"ditto"}
    found = Item(given | {"system": "doodl", "what": "iterations", "cost": 1}, scale)
    assert guidance.measure(model, found)[0]["apart"] == pytest.approx(0, abs=1e-5)
    walks = {name for name, method in METHODS.items() if not (method.finds or method.keeps)}
    assert {*WALKS} == walks - {"control-net"}


def test_rows_of_one_prompt_count_as_one_that_is_drawn_again() -> None:
    """Of 20 prompts the 21st is the first again."""
    values = np.random.default_rng(0).standard_normal(16).tolist()
    rows = [{"prompt": number, "v": value} for number, value in enumerate(values)]
    again = [*rows, *({"prompt": row["prompt"] + 20, "v": row["v"]} for row in rows)]
    once, twice = (mean("v", some) for some in (rows, again))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert (once.count, twice.count) == (16, 32)


def test_a_column_over_another_is_a_ratio_of_means() -> None:
    rows = [{"a": "x", "v": 1.0, "w": 4.0}, {"a": "x", "v": 3.0, "w": 1.0}, {"a": "x", "v": 9.0}]
    column = Column("v", "value", over="w")
    assert summed(rows, {"a": "name"}, [column]).line("x")["v"].value == pytest.approx(4 / 5)


@pytest.mark.parametrize(
    ("study", "rows"),
    [
        (lines, [{"before": 90.0, "left": 3.0}, {"before": 10.0, "left": 2.0}]),
        (variables, [{"start": 90.0, "left": 3.0}, {"start": 10.0, "left": 2.0}]),
    ],
)
def test_what_is_left_is_a_mean_over_a_mean(study: ModuleType, rows: list[Row]) -> None:
    heads = {"control": "intensity", "eta": 1.0, "variables": "x_T"}
    (line,) = study.table([heads | row for row in rows]).lines
    assert line.figures["left"].value == pytest.approx(0.05)


def test_no_noise_of_a_prompt_is_the_next_one_s(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    scale = Scale(2.0, steps=2, surrogate_steps=2, iterations=3)
    drawn: list[set[int]] = [set(), set(), set()]

    def drawing(shape: Sequence[int], seeds: Sequence[int], count: int) -> torch.Tensor:
        drawn[number] |= {*seeds}
        return draw_noises(shape, seeds, count)

    def varied(*given: object, seed: int, count: int, **more: object) -> Variations:
        drawn[number] |= {*range(seed, seed + count)}
        return vary(*given, seed=seed, count=count, **more)

    def left(*given: object, seed: Sequence[int] = (), **more: object) -> Result:
        assert not drawn[number] & {*seed}
        drawn[number] |= {*seed}
        return making.plain(*given, seed=seed, **more)

    monkeypatch.setattr(stochastic, "draw_noises", drawing)
    monkeypatch.setattr(reuse, "vary", varied)
    monkeypatch.setattr(reuse, "plain", left)
    for study, asked in (
        (stochastic, {"control": "intensity", "eta": 0.5, "noises": "fresh"}),
        (reuse, {"control": "intensity", "etas": [0.5], "words": ["own"], "count": 3}),
    ):
        for number in range(len(drawn)):
            drawn[number].clear()
            study.measure(model, Item(asked | {"prompt": number}, scale))
        assert len(set.union(*drawn)) == sum(map(len, drawn)) >= 3 * 6


def test_costs_stay_within_the_iterations() -> None:
    assert list(affordable("iterations", (5, 10, 60), Size(scale=Scale(iterations=20)))) == [5, 10]
    assert list(affordable("iterations", (5, 10), Size(scale=Scale(iterations=2)))) == [5]
    assert list(affordable("steps", (20, 50), Size(quick=True))) == [20]


def test_what_is_asked_is_the_name_of_an_item() -> None:
    study = study_named("stochastic")
    shared = {"model": "debug"}

    def names(size: Size) -> list[str]:
        return [item.job(study.name, shared)["id"] for item in study.planned(size)]

    two, three = names(Size(prompts=2)), names(Size(prompts=3))
    assert three[: len(two)] == two
    assert len(set(three)) == len(three) == 3 * 3 * (1 + 2 * (len(ETAS) - 1))
    assert not set(names(Size(prompts=2, scale=Scale(steps=7)))) & set(two)
    assert json.loads(json.dumps(study.planned(Size())[0].job(study.name, shared)))


def test_doodl_as_released_decodes_both_results(model: SmallModel) -> None:
    """A second decode counts, and its activations are held beside the first's."""
    one, both = (
        measure(
            model, Item({"way": way, "steps": 2, "clips": 1, "repeats": 1}, Scale(duration=2.0))
        )[0]
        for way in ("EDICT, checkpoint", "DOODL as released")
    )
    assert both["iteration_operations"] > one["iteration_operations"]
    assert both["counted_mb"] > 1.2 * one["counted_mb"]


def test_how_a_model_is_held_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []

    def load(name: str, *, device: str, dtype: str, offload: str) -> object:
        held.append(offload)
        raise InputError("enough")

    running._load.cache_clear()
    monkeypatch.setattr(running, "load_model", load)
    for asked in ([], ["--offload", "all"]):
        assert main(["study", "lines", "-o", str(tmp_path / "out"), *QUICK, *asked]) == 2
    assert held == ["text", "all"]
