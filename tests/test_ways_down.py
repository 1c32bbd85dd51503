"""What the benchmark of ways down draws, and what it holds a search against."""

from pathlib import Path

import pytest

from benchmarks.optimizers import Outcome, Task, Way, figure, median_curve, run
from ditto_music import Structure, generate
from ditto_music.item import Row
from ditto_music.models.small import SmallModel


def outcome(*curve: tuple[float, float]) -> Outcome:
    return Outcome(True, len(curve), curve[-1][0], 1.0, list(curve))


def test_losses_are_steps_in_time_and_an_end_holds() -> None:
    outcomes = [
        outcome((1.0, 8.0), (2.0, 4.0)),
        outcome((2.0, 9.0), (4.0, 5.0), (6.0, 1.0)),
        outcome((1.5, 3.0)),
    ]
    seconds, losses = median_curve(outcomes)
    assert (seconds[0], seconds[-1]) == (2.0, 6.0)
    for wanted, at in ((4.0, 2.5), (4.0, 4.5), (3.0, 6.0)):
        assert losses[abs(seconds - at).argmin()] == pytest.approx(wanted)


def test_a_panel_a_task_and_a_line_a_way() -> None:
    ways = {name: [outcome((1.0, 8.0), (2.0, 4.0))] for name in ("lbfgs", "adam")}
    drawn = figure({"intensity": ways, "structure": ways})
    assert [len(axes.get_lines()) for axes in drawn.axes] == [2, 2]
    assert drawn.axes[1].get_title() == "structure: 0.3 of the start"


def test_the_start_is_measured_on_the_steps_of_the_result(
    model: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.optimizers.SECONDS", 2.0)
    starts: list[Row] = []

    def reached(row: Row, start: Row) -> bool:
        starts.append(start)
        return True

    control, way = Structure("AB"), Way("lbfgs", steps=3, surrogate_steps=2)
    task = Task({"AB": lambda: control}, "", reached)
    _ = run(model, way, task, control, "calm piano", 0, {"iterations": 6}, tmp_path / "a.wav")
    plain = generate(model, "calm piano", control, seed=0, duration=2.0, steps=3)
    assert starts[0]["structure"] == pytest.approx(plain.items[0].final["structure"])


def test_an_outcome_of_other_settings_is_made_anew(
    model: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.optimizers.SECONDS", 2.0)
    control, way = Structure("AB"), Way("lbfgs", steps=2, surrogate_steps=2)
    task = Task({"AB": lambda: control}, "", lambda row, start: False)

    def iterations(most: int, way: Way = way) -> int:
        given = {"model": "debug", "iterations": most}
        return run(model, way, task, control, "x", 0, given, tmp_path / "a.wav").iterations

    assert (iterations(2), iterations(3)) == (2, 3)
    made = (tmp_path / "a.outcome.json").stat().st_mtime_ns
    assert iterations(3) == 3
    assert (tmp_path / "a.outcome.json").stat().st_mtime_ns == made
    assert iterations(3, Way("adam", steps=2, surrogate_steps=2)) == 3
    assert (tmp_path / "a.outcome.json").stat().st_mtime_ns > made
