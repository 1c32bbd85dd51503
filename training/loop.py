"""What every training run shares: a schedule, an average of weights, a log, a checkpoint.

A run lives in one folder: ``log.csv`` (a row every few steps, empty where nothing was measured of a
column), ``checkpoint.pt`` (everything needed to go on, replaced whole, with the inputs it is of: of
others it does not go on). Ctrl-C and SIGTERM save before they end the run.
"""

from __future__ import annotations

import argparse
import csv
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from ditto_music.errors import InputError
from ditto_music.models import fastest_dtype
from ditto_music.models.weights import fingerprint
from ditto_music.whole import whole

#: Flags that say where and how a run is made, not what becomes of it.
HOW = ("out", "compile", "workers", "port", "judge_every")


def fast_products() -> torch.autocast:
    """Matrix products in bfloat16, where the processor has units for them."""
    cpu = torch.device("cpu")
    return torch.autocast("cpu", torch.bfloat16, enabled=fastest_dtype(cpu) == torch.bfloat16)


def trapezoid(step: int, steps: int, *, warm: int = 200, cool: float = 0.35) -> float:
    """Learning-rate factor: linear warm-up, flat, linear to zero over the last `cool` share."""
    rise = min(1.0, (step + 1) / warm)
    fall = min(1.0, (steps - step) / max(1.0, cool * steps))
    return rise * max(0.0, fall)


class Average:
    """Exponential moving average of a module's parameters, warmed up so that early steps fade."""

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.count = 0
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Fold the module's present weights in."""
        self.count += 1
        weight = 1 - min(self.decay, self.count / (self.count + 20))
        for key, value in module.state_dict().items():
            self.values[key].lerp_(value, weight)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"count": self.count, "values": self.values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.count = int(state["count"])
        self.values = dict(state["values"])


def inputs_of(args: argparse.Namespace) -> dict[str, Any]:
    """All flags that a run's outcome depends on; of a file or a folder of shards, what it holds."""
    return {
        name: held_in(value) if isinstance(value, Path) else value
        for name, value in vars(args).items()
        if name not in HOW
    }


def held_in(path: Path) -> str:
    """A hash of a file, or of the labels or latents of all shards of a folder, 16 hex digits."""
    shards = [*path.glob("shard-*.jsonl"), *path.glob("shard-*.safetensors")]
    return fingerprint(shards if path.is_dir() else [path])


@dataclass
class Run:
    """One resumable training run in `folder` over `steps` steps, of the same `inputs` throughout.

    Raises
    ------
    InputError
        If the folder has a run of other inputs. What an older checkpoint does not say of its own
        counts as the same.
    """

    folder: Path
    steps: int
    parts: Mapping[str, Any]
    inputs: Mapping[str, Any]
    log_every: int = 25
    save_every: int = 400
    writes: bool = True
    step: int = 0
    seconds: float = 0.0
    _stop: bool = False
    _row: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint = self.folder / "checkpoint.pt"
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True)
            self._take_up(state.get("inputs", {}))
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
            if self.writes:
                print(f"resumed {self.folder} at step {self.step}", flush=True)

    def _take_up(self, known: Mapping[str, Any]) -> None:
        others = [
            f"--{name} {known[name]}, not {value}"
            for name, value in self.inputs.items()
            if known.get(name, value) != value
        ]
        if others:
            raise InputError(
                f"{self.folder} was begun with {', '.join(others)}: give another --out, or delete "
                "this folder"
            )
        self.inputs = known

    def __iter__(self) -> Iterator[int]:
        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            self._stop = True

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, ask_to_stop) for number in numbers]
        started = time.monotonic() - self.seconds
        try:
            while self.step < self.steps and not self._stop:
                yield self.step
                self.step += 1
                self.seconds = time.monotonic() - started
                if self.writes and self.step % self.log_every == 0:
                    self._write_row()
                if self.step % self.save_every == 0:
                    self.save()
            self.save()
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
        if self._stop:
            raise SystemExit(f"stopped at step {self.step}; run again to go on")

    def log(self, **values: float | Tensor) -> None:
        """Collect values of this step; the mean of each goes to the log every few steps."""
        for name, value in values.items():
            self._row.setdefault(name, []).append(float(value))

    def save(self) -> None:
        """Write the checkpoint whole, unless another worker does."""
        if not self.writes:
            return
        state = {name: part.state_dict() for name, part in self.parts.items()}
        with whole(self.folder / "checkpoint.pt") as path:
            more = {"inputs": self.inputs, "step": self.step, "seconds": self.seconds}
            torch.save(state | more, path)

    def _write_row(self) -> None:
        row = {"step": float(self.step), "seconds": round(self.seconds, 1)}
        row |= {name: sum(values) / len(values) for name, values in self._row.items()}
        self._row.clear()
        print("  ".join(f"{k} {v:.5g}" for k, v in row.items()), flush=True)
        log = self.folder / "log.csv"
        before = columns(log)
        names = [*before, *(name for name in row if name not in before)]
        if names != before:
            widen(log, names)
        with log.open("a", newline="") as stream:
            csv.DictWriter(stream, names).writerow(row)


def columns(log: Path) -> list[str]:
    """Of a log; none of one that is not there."""
    if not log.exists():
        return []
    with log.open(newline="") as stream:
        return [*(csv.DictReader(stream).fieldnames or [])]


def widen(log: Path, names: Sequence[str]) -> None:
    """Give a log these columns, empty in rows without such a value; values of none are dropped."""
    rows: list[dict[str, str]] = []
    if log.exists():
        with log.open(newline="") as stream:
            rows = [*csv.DictReader(stream)]
    with whole(log) as path, path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
