"""What a page shows of a piece: plain values, sound and pictures, made once and as it asks."""

from __future__ import annotations

import io
import json
import math
import shlex
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ditto_music.audio import plots, write_audio
from ditto_music.audio.plots import Floats
from ditto_music.editing import Edit
from ditto_music.panels import Bars, Curve, Matrices, Panel, Roll
from ditto_music.result import Result, finite, write_report
from ditto_music.runs import Run, save_run

MOST_POINTS = 400  # of a curve on a page
MOST_CELLS = 96  # of a side of a matrix
DPI, WIDTH, HEIGHT = 100, 10.0, 1.6  # of the spectrogram, inches


@dataclass(eq=False)
class Outcome:
    """A finished piece.

    Attributes
    ----------
    made : what was made.
    run : gives its run.
    folder : its own; the audio is there, and pictures and reports come when they are asked for.
    command : the command line that makes it again.
    plain : the same prompt and seed left alone, of music from words; or the recording as it was.
    broken : why it is not whole, if so.
    notes : what was warned of while it was made.
    clipped : samples that were too loud for the file, once it is written.
    """

    made: Result | Edit
    run: Callable[[], Run]
    folder: Path
    command: str
    plain: Path | None = None
    before: dict[str, str] = field(default_factory=dict[str, str])
    after: dict[str, str] = field(default_factory=dict[str, str])
    broken: str = ""
    notes: list[str] = field(default_factory=list[str])
    clipped: int = field(default=0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    @property
    def argv(self) -> list[str]:
        """The command line as the command itself is given it, its name first."""
        return shlex.split(self.command)[1:]

    @property
    def audio(self) -> Path:
        """The finished audio file."""
        return self.folder / "music.wav"

    def write(self) -> None:
        """Write the audio."""
        self.clipped = self.made.save(self.audio)

    def report(self) -> dict[str, Any]:
        """What the command itself reports."""
        more = {"command": self.argv[0], "out": self.audio.name, "argv": self.argv}
        return self.made.report(**more, clipped=self.clipped)

    def told(self) -> dict[str, Any]:
        """Everything a page draws, as JSON can hold it."""
        made = self.made
        item = (made if isinstance(made, Result) else made.results[-1]).items[0]
        sound, rate = samples_of(made)
        edit = isinstance(made, Edit)
        told: dict[str, Any] = {
            "seconds": sound.shape[-1] / rate,
            "stopped": item.stopped,
            "iterations": len(item.history),
            "took": sum(one.seconds for one in made.results) if edit else made.seconds,
            "seed": (made.results[0] if edit else made).items[0].seed,
            "prompt": item.prompt,
            "command": self.command,
            "edit": edit,
            "compares": self.plain is not None,
            "figures": [
                {"name": name, "before": self.before.get(name), "after": after}
                for name, after in self.after.items()
            ],
            "panels": [panel_told(panel) for panel in item.panels],
            "loss": [row["loss"] for row in item.history],
            "clipped": self.clipped,
            "broken": self.broken,
            "notes": self.notes,
        }
        if edit:
            told |= {
                "regions": made.regions,
                "seams": [[one.seconds, max(one.flux_rank, one.jump_rank)] for one in made.seams],
                "loops": made.loops,
                "read": made.read,
            }
        plain = finite(told)
        assert isinstance(plain, dict)
        return plain

    def file(self, kind: str) -> Path:
        """A download: audio, plain, spectrogram, plot, report or run; made at the first call.

        Raises
        ------
        KeyError
            If there is no such thing.
        """
        if kind == "audio":
            return self.audio
        if kind == "plain" and self.plain:
            return self.plain
        makers = {
            "spectrogram": ("spectrogram.png", self._spectrogram),
            "plot": ("plot.png", self.made.plot),
            "report": ("report.json", self._report),
            "run": ("run.zip", self._run),
        }
        name, make = makers[kind]
        path = self.folder / name
        with self._lock:
            if not path.exists():
                make(path)
        return path

    def _report(self, path: Path) -> None:
        write_report(path, self.report())

    def _run(self, path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder) as draft:
            save_run(Path(draft) / "run", replace(self.run(), command=self.argv))
            shutil.make_archive(str(path.with_suffix("")), "zip", draft)

    def _spectrogram(self, path: Path) -> None:
        sound, rate = samples_of(self.made)
        picture, (ax,) = plots.figure(1)
        picture.set_size_inches(WIDTH, HEIGHT)
        picture.set_layout_engine("none")
        plots.spectrogram(ax, sound.mean(0), rate)
        ax.set_position((0, 0, 1, 1))
        ax.set_axis_off()
        drawn = io.BytesIO()
        picture.savefig(drawn, format="png", dpi=DPI)
        path.write_bytes(drawn.getvalue())


def samples_of(made: Result | Edit) -> tuple[Floats, int]:
    """Audio (channels, N) and its rate in Hz."""
    if isinstance(made, Edit):
        return made.recording.audio(), made.recording.sample_rate
    return made.audio[0].numpy(), made.sample_rate


def write_draft(path: Path, audio: Tensor, sample_rate: int) -> None:
    """Write what a search has so far, (channels, N), as a small file."""
    write_audio(path, audio.detach().float().cpu().numpy(), sample_rate, subtype="PCM_16")


def panel_told(panel: Panel) -> dict[str, Any]:
    """A panel as JSON can hold it, with no more values than a page can show."""
    told: dict[str, Any] = {"kind": type(panel).__name__.lower(), "name": panel.name}
    match panel:
        case Curve():
            step = max(1, math.ceil(len(panel.times) / MOST_POINTS))
            told |= {
                "unit": panel.unit,
                "axis": panel.axis,
                "times": _list(panel.times[::step], 3),
                "target": _list(panel.target[::step], 2),
                "achieved": _list(panel.achieved[::step], 2),
            }
        case Roll():
            step = max(1, math.ceil(len(panel.times) / MOST_POINTS))
            told |= {
                "rows": list(panel.rows),
                "times": _list(panel.times[::step], 3),
                "target": _list(panel.target[::step], 0),
                "achieved": _list(panel.achieved[:, ::step], 2),
            }
        case Matrices():
            told |= {
                "seconds": panel.seconds,
                "target": _list(_smaller(panel.target), 2),
                "achieved": _list(_smaller(panel.achieved), 2),
            }
        case Bars():
            told |= {
                "unit": panel.unit,
                "labels": list(panel.labels),
                "target": _list(panel.target, 3),
                "achieved": _list(panel.achieved, 3),
            }
    return told


def _smaller(matrix: Tensor) -> Tensor:
    if len(matrix) <= MOST_CELLS:
        return matrix
    return torch.nn.functional.adaptive_avg_pool2d(matrix[None].float(), MOST_CELLS)[0]


def _list(values: Tensor, digits: int) -> list[Any]:
    rounded = np.round(values.double().numpy(), digits)
    return json.loads(json.dumps(finite(rounded.tolist())))
