"""A training run: its log has every value under its name, and it goes on with its own inputs."""

from __future__ import annotations

import csv
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from ditto_music import InputError
from training.loop import Run, inputs_of


def logged(folder: Path, steps: int) -> list[dict[str, str]]:
    """A run to so many steps, whose judges take part from the third on; the rows of its log."""
    run = Run(folder, steps, {"layer": torch.nn.Linear(1, 1)}, {}, log_every=1)
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


def test_inputs_are_what_files_hold_and_all_flags_but_how(tmp_path: Path) -> None:
    for name in ("data/shard-00000.jsonl", "data/shard-00001.npy", "a", "b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("same")
    flags = {"data": tmp_path / "data", "steps": 4, "start": None}
    first = inputs_of(Namespace(codec=tmp_path / "a", out=tmp_path, workers=1, **flags))
    assert first.keys() == {"data", "steps", "start", "codec"}
    assert first == inputs_of(Namespace(codec=tmp_path / "b", out=tmp_path / "b", **flags))
    (tmp_path / "b").write_text("another")
    (tmp_path / "data/shard-00001.jsonl").write_text("more")
    then = inputs_of(Namespace(codec=tmp_path / "b", **flags))
    assert {name for name in first if first[name] != then[name]} == {"data", "codec"}


def begun(folder: Path, inputs: dict[str, object]) -> None:
    """All of a run of two steps."""
    list(Run(folder, 2, {"layer": torch.nn.Linear(1, 1)}, inputs))


def test_a_run_of_other_inputs_is_refused(tmp_path: Path) -> None:
    for _ in range(2):
        begun(tmp_path / "run", {"codec": "1f", "steps": 2})
    before = (tmp_path / "run/checkpoint.pt").read_bytes()
    told = "run was begun with --codec 1f, not 2e: give another --out, or delete this folder"
    with pytest.raises(InputError, match=told):
        begun(tmp_path / "run", {"codec": "2e", "steps": 2})
    with pytest.raises(InputError, match="--codec 1f, not 2e, --steps 2, not 3: give"):
        begun(tmp_path / "run", {"codec": "2e", "steps": 3})
    assert (tmp_path / "run/checkpoint.pt").read_bytes() == before
    begun(tmp_path / "run", {"codec": "1f", "steps": 2, "new": "flag"})


def test_a_checkpoint_that_says_nothing_of_its_inputs_goes_on(tmp_path: Path) -> None:
    begun(tmp_path, {})
    checkpoint = tmp_path / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)
    del state["inputs"]
    torch.save(state, checkpoint)
    for codec in ("1f", "2e"):  # of which it was is never claimed
        begun(tmp_path, {"codec": codec})
