"""What an optimisation was asked, how it went, and what came out."""

from __future__ import annotations

import ctypes
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from ditto_music._version import __version__
from ditto_music.audio import write_audio
from ditto_music.descent import DESCENTS
from ditto_music.errors import InputError
from ditto_music.item import Item
from ditto_music.memory import Estimate
from ditto_music.sampling import NOISY_SAMPLERS, SAMPLERS
from ditto_music.sampling.guidance import Guidance
from ditto_music.sampling.plans import last_steps
from ditto_music.whole import numbered, whole

Range = tuple[type, Callable[[Any], bool], str]  # kind, which of them, what that is in words
Check = tuple[str, Any, *Range]  # name, value

CEILING = -12.0  # dBFS: as loud as mixes with some headroom are
STEPS: Range = Integral, lambda x: 1 <= x <= 1000, "whole, from 1 to 1000"


def fewer(steps: int) -> int:
    """Sampler steps that a search begins with, of as many in the end: half of them, 8 at most.

    Raises
    ------
    InputError
        If there cannot be so many.
    """
    _check("steps", steps, *STEPS)
    return min(8, math.ceil(steps / 2))


def _check(name: str, value: Any, kind: type, good: Callable[[Any], bool], wanted: str) -> None:
    """Refuse a number that is none, or out of range."""
    if not (isinstance(value, kind) and math.isfinite(value) and good(value)):
        shown = f"{value:g}" if isinstance(value, kind) else repr(value)
        raise InputError(f"{name} is {shown}: it must be {wanted}")


@dataclass(frozen=True)
class Settings:
    """The numbers of one run. See `optimize` for what each means.

    Raises
    ------
    InputError
        If one is out of range.
    """

    duration: float = 6.0
    steps: int = 20
    guidance: float | Guidance | None = None
    iterations: int = 0
    tolerance: float | None = None
    optimizer: str = "lbfgs"
    lr: float | None = None
    surrogate_steps: int | None = None
    time_limit: float | None = None
    gradient: str = "auto"
    memory_budget: float | None = None
    sampler: str = "adams"
    negative_prompt: str = ""
    later_noises: bool = False
    ceiling: float = CEILING

    def __post_init__(self) -> None:
        surrogate = self.steps if self.surrogate_steps is None else self.surrogate_steps
        plain = None if isinstance(self.guidance, Guidance) else self.guidance
        checks: list[Check] = [
            ("duration", self.duration, Real, lambda x: x > 0, "above 0 seconds"),
            ("steps", self.steps, *STEPS),
            ("iterations", self.iterations, Integral, lambda x: x >= 0, "whole, 0 or more"),
            ("surrogate-steps", surrogate, Integral, lambda x: x >= 1, "whole, 1 or more"),
            ("ceiling", self.ceiling, Real, lambda x: True, "a level in dBFS"),
        ]
        unless_none: list[Check] = [
            ("guidance", plain, Real, lambda x: x >= 0, "0 or more"),
            ("tolerance", self.tolerance, Real, lambda x: x >= 0, "0 or more"),
            ("lr", self.lr, Real, lambda x: x > 0, "above 0"),
            ("time-limit", self.time_limit, Real, lambda x: x > 0, "above 0 seconds"),
            ("memory-budget", self.memory_budget, Real, lambda x: x >= 0, "0 gigabytes or more"),
        ]
        samplers = (*SAMPLERS, *NOISY_SAMPLERS)
        if self.sampler not in samplers:
            raise InputError(f"sampler '{self.sampler}' is unknown: take {' or '.join(samplers)}")
        if self.later_noises and self.sampler not in NOISY_SAMPLERS:
            raise InputError(
                f"later-noises are of sampler 'ping-pong', and '{self.sampler}' draws none: "
                "take that sampler, or leave them out"
            )
        if self.optimizer not in DESCENTS:
            known = " or ".join(DESCENTS)
            raise InputError(f"optimizer '{self.optimizer}' is unknown: take {known}")
        if self.gradient == "reversible" and self.sampler != "edict":
            raise InputError(
                f"gradient 'reversible' undoes what sampler 'edict' does, not '{self.sampler}': "
                "take that sampler, or gradient 'auto'"
            )
        checks += [check for check in unless_none if check[1] is not None]
        for check in checks:
            _check(*check)
        last = last_steps(self.gradient) or self.steps
        if last < self.steps and self.sampler in NOISY_SAMPLERS and not self.later_noises:
            raise InputError(
                f"gradient '{self.gradient}' does not reach the noise through the earlier steps of "
                f"sampler '{self.sampler}', which keep nothing of it: take gradient 'auto', "
                "another sampler, or later-noises"
            )
        _ = self.guiding

    @property
    def guiding(self) -> Guidance:
        """How to guide, with all that belongs to it."""
        if self.guidance is None:
            return Guidance()
        return self.guidance if isinstance(self.guidance, Guidance) else Guidance(self.guidance)

    @property
    def sampled_steps(self) -> int:
        """Sampler steps of each iteration, never more than those of the result."""
        return min(self.steps, self.surrogate_steps or self.steps)


@dataclass(frozen=True)
class Result:
    """A batch of clips with all there is to know of them; most often a batch of one.

    Attributes
    ----------
    model, method : their names.
    settings : what was asked, with the model's own guidance where none was.
    sample_rate : of the audio, in Hz.
    items : a clip each, with how its search went.
    seconds : that all of it took once prompts were read.
    revision : of the model's weights.
    estimate : of the memory, made before the work began; None of a model that needs none.
    peak_memory_bytes : the most that the process had held when it was done, see `peak_memory`.
    """

    model: str
    method: str
    settings: Settings
    sample_rate: int
    items: list[Item]
    seconds: float
    revision: str | None = None
    estimate: Estimate | None = None
    peak_memory_bytes: int = field(default_factory=lambda: peak_memory())

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Result]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Result:
        """One item as a result of its own."""
        return replace(self, items=[self.items[index]])

    def interrupted(self) -> Result:
        """The same, told as stopped by Ctrl-C."""
        return replace(self, items=[replace(item, stopped="interrupted") for item in self.items])

    @property
    def audio(self) -> Tensor:
        """(B, channels, N), at the level the model gave: never normalised."""
        return torch.stack([item.audio for item in self.items])

    @property
    def x_T(self) -> Tensor:
        """(B, ...) the initial noise found."""
        return torch.stack([item.x_T for item in self.items])

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the audio, several items as ``name-1.wav``, ``name-2.wav`` ...

        Returns
        -------
        How many samples were beyond full scale and so were clipped.

        Raises
        ------
        InputError
            If the file cannot be written, or its suffix is no format.
        """
        return sum(
            write_audio(one, item.audio.numpy(), self.sample_rate)
            for one, item in zip(numbered(path, len(self)), self.items, strict=True)
        )

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw each item: curves asked and achieved, spectrogram, loss. PNG, SVG or PDF."""
        from ditto_music.pictures import draw_item

        for one, item in zip(numbered(path, len(self)), self.items, strict=True):
            draw_item(one, item, self.sample_rate)

    def report(self, **more: object) -> dict[str, Any]:
        """Everything measured, as plain values; for several items a list under ``items``.

        Seconds, Hz and bytes; ``loss`` has ``initial``, of the first iteration on its
        ``initial_steps``, ``final``, ``best`` (on all steps; None before there was an iteration on
        these) and ``history``; guidance judges estimates on the way to a clip, so these have no
        steps and none of them is the best;
        ``controls`` each control's own loss and figures by its name; ``stopped`` why the search
        ended: "tolerance", "iterations", "time", "interrupted", "stalled" or "diverged".

        Parameters
        ----------
        more : fields to add, or to put in place of these.
        """
        reports = [self._report_item(item) | more for item in self.items]
        return reports[0] if len(reports) == 1 else {"items": reports}

    def save_report(self, path: str | os.PathLike[str], **more: object) -> None:
        """Write the report as JSON."""
        write_report(path, self.report(**more))

    def _report_item(self, item: Item) -> dict[str, Any]:
        losses = [row["loss"] for row in item.history]
        on_all = [row["loss"] for row in item.history if row.get("steps") == self.settings.steps]
        first = item.history[0].get("steps") if losses else None
        return {
            "version": __version__,
            "command": "",
            "model": self.model,
            "revision": self.revision,
            "method": self.method,
            "prompt": item.prompt,
            "seed": item.seed,
            "duration": item.audio.shape[-1] / self.sample_rate,
            "sample_rate": self.sample_rate,
            "sampler": self.settings.sampler,
            "steps": self.settings.steps,
            "later_noises": self.settings.later_noises,
            "surrogate_steps": self.settings.sampled_steps,
            **_of(self.settings.guiding),
            "negative_prompt": self.settings.negative_prompt,
            "optimizer": self.settings.optimizer,
            "gradient": self.settings.gradient,
            "lr": self.settings.lr,
            "ceiling": self.settings.ceiling,
            "iterations": len(losses),
            "stopped": item.stopped,
            "loss": {
                "initial": losses[0] if losses else None,
                "initial_steps": None if first is None else int(first),
                "final": item.final.get("loss"),
                "best": min((x for x in on_all if math.isfinite(x)), default=None),
                "history": losses,
            },
            "controls": {
                name: {"loss": item.final[name]} | figures for name, figures in item.metrics.items()
            },
            "latent_std": float(item.x_T.std()),
            "seconds": self.seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "estimated_memory_bytes": self.estimate.report() if self.estimate else None,
            "out": None,
        }


def _of(guidance: Guidance) -> dict[str, Any]:
    """For a report: the scale, and what else was asked."""
    asked = {
        f"guidance_{each.name}": getattr(guidance, each.name)
        for each in fields(guidance)
        if getattr(guidance, each.name) != each.default
    }
    asked.pop("guidance_scale", None)
    if guidance.projection:
        asked["guidance_projection"] = asdict(guidance.projection)
    return {"guidance": guidance.scale} | asked


def peak_memory() -> int:
    """Most memory this process has held, in bytes (of the GPU where one was used)."""
    if held := max(map(torch.cuda.max_memory_allocated, gpus()), default=0):
        return held
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource  # Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def gpus() -> range:
    """The numbers of the GPUs."""
    return range(torch.cuda.device_count() if torch.cuda.is_available() else 0)


def give_back() -> None:
    """Give what was freed and the allocator keeps back to the system, where the C library can.

    Else a process goes on to hold what earlier work needed.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)  # glibc's


def forget_peak() -> bool:
    """Let `peak_memory` begin anew; whether this system can."""
    if torch.cuda.is_available():
        torch.cuda.init()  # or no GPU has been heard of
        for gpu in gpus():
            torch.cuda.reset_peak_memory_stats(gpu)
        return True
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def write_report(path: str | os.PathLike[str], report: object) -> None:
    """Write plain values as JSON, whole."""
    with whole(path) as draft:
        draft.write_text(json.dumps(finite(report), indent=2) + "\n", encoding="utf-8")


def finite(value: object) -> object:
    """As JSON knows it: NumPy's numbers as plain ones, and null for NaN."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
