"""What the benchmark of ways down draws."""

import pytest

from benchmarks.optimizers import Outcome, figure, median_curve


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
