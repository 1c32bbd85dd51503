"""A training run's log: every value under its name, whenever it begins to be measured."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from training.loop import Run


def logged(folder: Path, steps: int) -> list[dict[str, str]]:
    """A run to so many steps, whose judges take part from the third on; the rows of its log."""
    run = Run(folder, steps, {"layer": torch.nn.Linear(1, 1)}, log_every=1)
    for step in run:
        if step >= 2:
            run.log(told_apart=10.0 + step)
        run.log(level=float(step))
    with (folder / "log.csv").open(newline="") as stream:
        return [*csv.DictReader(stream)]


@pytest.mark.parametrize("stops", [(4,), (1, 4), (3, 4)])
def test_what_is_measured_later_has_a_column_of_its_own(
    tmp_path: Path, stops: tuple[int, ...]
) -> None:
    for steps in stops:
        rows = logged(tmp_path, steps)
    assert [float(row["level"]) for row in rows] == [0, 1, 2, 3]
    assert [row["told_apart"] for row in rows] == ["", "", "12.0", "13.0"]
    assert [float(row["step"]) for row in rows] == [1, 2, 3, 4]
    assert None not in rows[-1]
