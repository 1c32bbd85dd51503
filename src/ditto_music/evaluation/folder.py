"""Measure a folder of audio, whatever made it, against a folder of reference music."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from ditto_music._version import __version__
from ditto_music.audio import Recording, read_recording
from ditto_music.audio.files import names_audio
from ditto_music.controls.references import mono
from ditto_music.controls.style_words import Tag
from ditto_music.errors import InputError
from ditto_music.evaluation.adherence import adherence, clap_score
from ditto_music.evaluation.adherence import heard as tags_heard
from ditto_music.evaluation.embeddings import Embedding
from ditto_music.evaluation.frechet import frechet_corrected, frechet_to
from ditto_music.evaluation.intervals import Floats, Interval, of_distance, of_mean
from ditto_music.evaluation.kernel import kernel_to
from ditto_music.evaluation.reports import Report, controls_of, report_for, reports_in
from ditto_music.features.musicnn import SAMPLE_RATE
from ditto_music.result import finite

LONGEST = 300  # seconds of a file that are heard
LEAST = 0.1
PAIRED, HALVED = 2, 4  # clips that distances need, and the jackknife of halves
LONGER = 1.5  # times the other's length: a reference that is longer still is cut

NONE = "{}: no audio that can be read: give WAV, FLAC, OGG or MP3 files"


@dataclass(frozen=True)
class Clip:
    """One file, or a piece of it, as the networks hear it.

    Attributes
    ----------
    seconds : of all that the file or the piece has.
    vectors : by the embedding's name, (d,).
    tags : probability of each.
    report : of the command that made it, where there is one.
    """

    path: Path
    seconds: float
    vectors: dict[str, Floats]
    tags: dict[Tag, float]
    report: Report | None = None


@dataclass(frozen=True)
class Evaluation:
    """All that was measured.

    Attributes
    ----------
    figures : by name.
    clips : those measured.
    bad : one line for each file that could not be.
    """

    folder: str
    reference: str | None
    figures: dict[str, Interval]
    clips: list[Clip]
    bad: list[str] = field(default_factory=list[str])

    def markdown(self) -> str:
        """A table, a line a figure."""
        lines = ["| figure | value | 95% interval | clips |", "|---|---|---|---|"]
        for name, found in self.figures.items():
            interval = "" if math.isnan(found.low) else f"{found.low:.4g} to {found.high:.4g}"
            lines.append(f"| {name} | {found.value:.4g} | {interval} | {found.count} |")
        return "\n".join(lines)

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        items = [
            {
                "file": clip.path.name,
                "seconds": clip.seconds,
                "controls": controls_of(clip.report) if clip.report else {},
                "prompt": clip.report["prompt"] if clip.report else None,
            }
            for clip in self.clips
        ]
        said = {
            "version": __version__,
            "folder": self.folder,
            "reference": self.reference,
            "figures": {name: asdict(found) for name, found in self.figures.items()},
            "items": items,
            "bad": self.bad,
        }
        told = finite(said)
        assert isinstance(told, dict)
        return told


def evaluate(
    folder: str | Path,
    reference: str | Path | None = None,
    *,
    embeddings: Mapping[str, Embedding],
    seed: int = 0,
    tell: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Measure every audio file of a folder.

    Parameters
    ----------
    reference : a folder of music to be near to, cut into pieces as long as the clips' median where
        it is longer by more than half; where they are longer so much a line says so; None: no
        distances.
    embeddings : by name, see `ditto_music.evaluation.embeddings`.
    seed : of all that is drawn: halves and resamples.
    tell : called with a line now and then, and for each file that cannot be used.

    Raises
    ------
    InputError
        If a folder holds no audio that can be read.
    """
    bad: list[str] = []

    def complain(line: str) -> None:
        bad.append(line)
        tell(line)

    if reference:
        check_music(Path(reference))
    made = listen(Path(folder), embeddings, complain, tell)
    length = min(median(clip.seconds for clip in made), LONGEST)
    known = listen(Path(reference), embeddings, complain, tell, length) if reference else []
    shorter = median(clip.seconds for clip in known) if known else length
    if length > LONGER * shorter:
        tell(
            f"{reference}: its music lasts {shorter:.3g} s, what was made {length:.3g} s: "
            "distances are of unlike lengths: cut what was made, or give longer music"
        )
    if known and (why := _too_few(len(made), len(known))):
        tell(why)
    figures = distances(made, known, seed) if known else {}
    figures |= of_clips(made, known, embeddings, seed)
    return Evaluation(str(folder), str(reference) if reference else None, figures, made, bad)


def listen(
    folder: Path,
    embeddings: Mapping[str, Embedding],
    complain: Callable[[str], None],
    tell: Callable[[str], None] = lambda line: None,
    seconds: float = math.inf,
) -> list[Clip]:
    """Every audio file of a folder, its subfolders left out.

    Parameters
    ----------
    seconds : of the clips that it is held against; a file longer by more than half is cut into as
        many pieces of that length as it has.

    Raises
    ------
    InputError
        If there is none that can be read.
    """
    paths = audio_in(folder)
    reports, clips = reports_in(folder), list[Clip]()
    tell(f"listening to {len(paths)} files of {folder}")
    for path in paths:
        try:
            clips += clips_of(path, embeddings, seconds, report_for(path, reports))
        except InputError as error:
            complain(" ".join(str(error).split()))
    if not clips:
        raise InputError(NONE.format(folder))
    return clips


def check_music(folder: Path) -> None:
    """What `listen` would refuse, without listening.

    Raises
    ------
    InputError
        If there is no audio that can be read.
    """
    for path in audio_in(folder):
        try:
            _ = recording_of(path)
        except InputError:
            continue
        return
    raise InputError(NONE.format(folder))


def audio_in(folder: Path) -> list[Path]:
    """The audio files of a folder, by name.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: give one with audio files")
    return sorted(path for path in folder.iterdir() if path.is_file() and names_audio(path))


def recording_of(path: Path) -> Recording:
    """One file.

    Raises
    ------
    InputError
        If it cannot be read or is too short.
    """
    recording = read_recording(path)
    if recording.seconds < LEAST:
        raise InputError(f"{path}: lasts {recording.seconds:.3f} s: give at least {LEAST:g} s")
    return recording


def pieces(recording: Recording, seconds: float) -> list[Recording]:
    """As many of so many seconds as fit, what is left over left out; the recording itself where it
    is no longer than `LONGER` times that.
    """
    if recording.seconds <= LONGER * seconds:
        return [recording]
    size = round(seconds * recording.sample_rate)
    starts = range(0, recording.frames - size + 1, size)
    return [recording.part(start, start + size) for start in starts]


@torch.no_grad()
def clips_of(
    path: Path,
    embeddings: Mapping[str, Embedding],
    seconds: float = math.inf,
    report: Report | None = None,
) -> list[Clip]:
    """One file, whole or in pieces, see `listen`.

    Raises
    ------
    InputError
        If it cannot be read or is too short.
    """
    clips: list[Clip] = []
    for piece in pieces(recording_of(path), seconds):
        part = piece.part(0, LONGEST * piece.sample_rate)
        vectors = {
            name: np.asarray(embedding.of(part).double().numpy())
            for name, embedding in embeddings.items()
        }
        tags = tags_heard(mono(part, SAMPLE_RATE), SAMPLE_RATE)
        clips.append(Clip(path, piece.seconds, vectors, tags, report))
    return clips


def distances(made: Sequence[Clip], known: Sequence[Clip], seed: int) -> dict[str, Interval]:
    """Frechet and kernel distance by every embedding, as far as there are clips enough."""
    if min(len(made), len(known)) < PAIRED:
        return {}
    figures: dict[str, Interval] = {}
    for name in made[0].vectors:
        ours, theirs = (np.stack([clip.vectors[name] for clip in each]) for each in (made, known))
        frechet = frechet_to(theirs)
        figures[f"FAD, {name}"] = Interval(frechet(ours), math.nan, math.nan, len(ours))
        if len(ours) >= HALVED:
            figures[f"FAD, {name}, less its bias"] = of_distance(
                lambda points, frechet=frechet: frechet_corrected(
                    frechet, points, np.random.default_rng(seed)
                ),
                ours,
                np.random.default_rng(seed),
            )
        figures[f"KAD, {name}"] = of_distance(kernel_to(theirs), ours, np.random.default_rng(seed))
    return figures


def _too_few(made: int, known: int) -> str:
    """Which distances there are too few clips for, in one line; nothing where there are none."""
    for count, whose in ((made, "what was made"), (known, "the reference")):
        if count < PAIRED:
            return f"no distances: {whose} has {count} clip, and they need {PAIRED} or more"
    if made < HALVED:
        return f"no FAD less its bias: it needs {HALVED} clips or more, and {made} were made"
    return ""


def of_clips(
    made: Sequence[Clip], known: Sequence[Clip], embeddings: Mapping[str, Embedding], seed: int
) -> dict[str, Interval]:
    """Means over the clips: text adherence and what their reports tell of controls and cost."""
    columns: dict[str, list[float]] = {}
    for number, clip in enumerate(made):
        row = {"seconds of audio": clip.seconds}
        if clip.report:
            prompt = str(clip.report["prompt"])
            others = known or [*made[:number], *made[number + 1 :]]
            found = adherence(prompt, clip.tags, [other.tags for other in others])
            if found:
                row["tags of the prompt, probability"] = found.probability
                row["tags of the prompt, rank"] = found.rank
            score = clap_score(prompt, clip.vectors, embeddings)
            if score is not None:
                row["CLAP score"] = score
            row |= controls_of(clip.report) | _cost(clip.report)
        for key, value in row.items():
            columns.setdefault(key, []).append(value)
    return {key: of_mean(values, np.random.default_rng(seed)) for key, values in columns.items()}


def _cost(report: Report) -> dict[str, float]:
    """Seconds, gigabytes and iterations."""
    wanted = (
        ("seconds to make", "seconds", 1.0),
        ("peak memory, GB", "peak_memory_bytes", 1e-9),
        ("iterations", "iterations", 1.0),
    )
    return {
        label: factor * float(report[key])
        for label, key, factor in wanted
        if isinstance(report.get(key), int | float)
    }
