"""Run in a process of its own: how much memory an iteration takes, and what was foretold.

Two are made, since no gradient is taken in a search's last.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import torch

from ditto_music import Intensity, load_model, optimize
from ditto_music.memory import Estimate


def status(key: str) -> int:
    """Of this process, in bytes."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


class Watch:
    """Notes what is foretold, and the memory before the work begins."""

    def __init__(self) -> None:
        self.estimate: Estimate | None = None
        self.before = 0

    def expect(self, estimate: Estimate) -> None:
        self.estimate = estimate
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        self.before = status("VmRSS")

    def __call__(self, progress: object) -> None:
        """An iteration is done."""


def main(folder: str, plan: str, items: int, seconds: float, guidance: float) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    model = load_model(folder, dtype="float32")
    settings = {"steps": 2, "surrogate_steps": 2, "iterations": 2, "guidance": guidance}
    control = Intensity([-40, -20])
    optimize(model, "calm", control, duration=1.0, gradient=plan, **settings)  # libraries wake up
    watch = Watch()
    optimize(
        model, ["calm piano"] * items, control, duration=seconds, gradient=plan, callback=watch,
        seed=[*range(items)], **settings,
    )  # fmt: skip
    assert watch.estimate is not None
    measured = status("VmHWM") - watch.before
    print(json.dumps({"foretold": watch.estimate.report(), "measured": measured}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *map(float, sys.argv[4:6]))
