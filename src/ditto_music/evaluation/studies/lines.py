"""Study 3: one core, many tasks: what a control costs in lines, and what the core makes of it.

Each control that needs no further weights is asked of the same prompts with default settings. Its
lines are those of its class and of its whole file, reading of its input and pictures included,
without blanks, comments and docstrings; features that several controls share are counted apart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from torch import Tensor

import ditto_music
from ditto_music.audio import plots, write_audio
from ditto_music.controls import (
    Brightness,
    Control,
    Intensity,
    Match,
    MatchSpectrum,
    Melody,
    Rhythm,
    Structure,
    Style,
    StyleLike,
    Tempo,
)
from ditto_music.controls.seamless import Seamless
from ditto_music.evaluation.studies.counting import (
    lines_of_class,
    lines_of_file,
    lines_of_folder,
)
from ditto_music.evaluation.studies.drawing import points
from ditto_music.evaluation.studies.making import control_of, plain, solved
from ditto_music.evaluation.studies.study import Asked, Item, Row, Size, Study
from ditto_music.evaluation.studies.tables import Column, Table, grouped, summed
from ditto_music.protocols import Model

REFERENCE_PROMPT = "disco with strings, 120 bpm"
REFERENCE_SEED = 600_000
LIGHT = (700.0, 2500.0)  # Hz
STYLES = ("rock", "electronic", "ambient", "guitar")
BPM = 120.0
KEPT = 0.5  # of the clip that a match keeps
OVERLAP = 0.125  # of the clip that a loop's ends share

CORE = (
    *("optimize.py", "track.py", "problem.py", "start.py", "goal.py", "room.py", "ending.py"),
    *("descent", "sampling"),
)


@dataclass(frozen=True)
class Reference:
    """Music to be like, as a file and as a latent (..., T), and a file of clicks."""

    path: Path
    latent: Tensor
    clicks: Path


@dataclass(frozen=True)
class Ask:
    """A control's class, and how an item asks for it."""

    kind: type[Control]
    control: Callable[[Item, Reference], Control]


def clicks(seconds: float, rate: int) -> npt.NDArray[np.float32]:
    """Short tones at `BPM`, (1, N): a rhythm that is plain to any ear."""
    time = np.arange(round(seconds * rate)) / rate
    since = time % (60 / BPM)
    return (0.5 * np.exp(-since / 0.03) * np.sin(2 * np.pi * 1000 * since))[None].astype(np.float32)


def _match(item: Item, reference: Reference) -> Match:
    frames = reference.latent.shape[-1]
    return Match(reference.latent, (torch.arange(frames) < KEPT * frames).float())


def _seamless(item: Item, reference: Reference) -> Seamless:
    frames = reference.latent.shape[-1]
    overlap = max(1, round(OVERLAP * frames))
    return Seamless(frames - overlap, overlap)


ASKS: Mapping[str, Ask] = {
    "intensity": Ask(Intensity, lambda item, _: control_of("intensity", item)),
    "melody": Ask(Melody, lambda item, _: control_of("melody", item)),
    "structure": Ask(Structure, lambda item, _: control_of("structure", item)),
    "tempo": Ask(Tempo, lambda item, _: Tempo(BPM)),
    "rhythm": Ask(Rhythm, lambda item, reference: Rhythm(reference.clicks)),
    "brightness": Ask(Brightness, lambda item, _: Brightness(LIGHT)),
    "match-spectrum": Ask(MatchSpectrum, lambda item, reference: MatchSpectrum(reference.path)),
    "style": Ask(Style, lambda item, _: Style(STYLES[item.number % len(STYLES)])),
    "style-like": Ask(StyleLike, lambda item, reference: StyleLike(reference.path)),
    "match": Ask(Match, _match),
    "seamless": Ask(Seamless, _seamless),
}

COLUMNS = (
    Column("lines_class", "lines of its class", 0),
    Column("lines_file", "lines of its file", 0),
    Column("before", "loss before", 3),
    Column("after", "loss after", 3),
    Column("tolerance", "counts as met", 2),
    Column("left", "of the loss, left", 3, over="before"),
    Column("met", "share met"),
    Column("iterations", "iterations", 0),
)


def items(size: Size) -> list[Asked]:
    """Every control."""
    return [
        {"prompt": number, "control": control} for number in range(size.prompts) for control in ASKS
    ]


def measure(model: Model, item: Item) -> list[Row]:
    """One control, counted and asked for."""
    ask = ASKS[str(item["control"])]
    other = plain(model, item, prompts=[REFERENCE_PROMPT], seed=REFERENCE_SEED + item.seed)
    with tempfile.TemporaryDirectory() as folder:
        path, beats = (Path(folder) / name for name in ("reference.wav", "clicks.wav"))
        other.save(path)
        rate = other.sample_rate
        write_audio(beats, clicks(item.scale.duration, rate), rate)
        control = ask.control(item, Reference(path, other.items[0].latent, beats))
        start = plain(model, item, control)
        made = solved(model, item, control)
    clip = made.items[0]
    name = ask.kind.name
    before = start.items[0].final[name]
    return [
        {
            "lines_class": lines_of_class(ask.kind),
            "lines_file": lines_of_file(ask.kind),
            "before": before,
            "after": clip.final[name],
            "tolerance": control.tolerance,
            "left": clip.final[name],
            "met": float(clip.stopped == "tolerance"),
            "iterations": len(clip.history),
        }
    ]


def table(rows: Sequence[Row]) -> Table:
    """A line a control, and what they share."""
    home = Path(ditto_music.__file__).parent
    shared = {name: lines_of_folder(home / name) for name in CORE}
    told = ", ".join(f"{name} {count}" for name, count in shared.items())
    notes = [
        f"The core they share: {told}; the features: {lines_of_folder(home / 'features')} lines."
    ]
    return summed(rows, {"control": "control"}, COLUMNS, notes)


def draw(rows: Sequence[Row]) -> Figure:
    """Lines of the class, and what is left of the loss."""
    groups = {control: some for (control,), some in grouped(rows, ["control"]).items()}
    picture, axes = plots.figure(2, height=2.6)
    points(axes[0], groups, COLUMNS[0])
    points(axes[1], groups, COLUMNS[5])
    plots.from_zero(axes[0])
    plots.from_zero(axes[1])
    return picture


STUDY = Study(
    name="lines",
    paper="One algorithm serves all tasks; a task is a feature, a target and a loss. Lines are not "
    "counted.",
    items=items,
    measure=measure,
    table=table,
    draw=draw,
)
