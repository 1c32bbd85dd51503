"""The tasks of a comparison: what is asked of each item, and who judges the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ditto_music.baselines import METHODS, Method
from ditto_music.evaluation.targets import (
    CURVES,
    FORMS,
    PROMPTS,
    SECONDS,
    TUNES,
    Curve,
    Judge,
    loudness_judge,
    notes_judge,
    timbre_judge,
)

UNBOUNDED = 10_000  # iterations, where seconds are the limit
LONGEST_OVERLAP = 3.0

Fields = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """A recording to edit, and its words where it was made from any."""

    path: Path
    prompt: str | None = None


@dataclass(frozen=True)
class Figure:
    """A number of each item.

    Attributes
    ----------
    key : in the report's controls, or in what the judge says.
    label : with its unit.
    less : whether less is better.
    """

    key: str
    label: str
    less: bool


@dataclass(frozen=True)
class Contest:
    """A task.

    Attributes
    ----------
    own, heard : the control's own figure, and that of an ear that was not optimised.
    fields : of the job of an item, for clips of so many seconds; edits are given a source.
    judge : of an item; edits have none, their joins are measured with them.
    edits : whether it changes a recording.
    also : own and heard of each further control that is asked for at once.
    """

    name: str
    own: Figure
    heard: Figure
    fields: Callable[[int, float, Source | None], Fields]
    judge: Callable[[int, float], Judge] | None = None
    edits: bool = False
    also: tuple[tuple[Figure, Figure], ...] = ()

    @property
    def met(self) -> dict[str, Figure]:
        """The controls' own figures, by their names among an item's."""
        return {"own": self.own} | {own.key: own for own, _ in self.also}

    @property
    def told(self) -> dict[str, Figure]:
        """All of them, what is heard of a control after its own."""
        first = {"own": self.own, "heard": self.heard}
        return first | {figure.key: figure for pair in self.also for figure in pair}

    def methods(self, wanted: Sequence[str], model: str) -> list[str]:
        """Those that can do it with a model."""
        return [name for name in wanted if self._can(METHODS[name], model)]

    def _can(self, method: Method, model: str) -> bool:
        asked = {figure.key.partition(".")[0] for figure in self.met.values()}
        if method.follows and not asked <= {*method.follows}:
            return False
        return method.trained_for in (None, model) and (self.edits or not method.keeps)


@dataclass(frozen=True)
class Entry:
    """One clip to be made by one method.

    Attributes
    ----------
    key : a hash of all that it depends on: what is asked, of which weights and recording.
    """

    contest: Contest
    item: int
    method: str
    fields: Fields
    key: str = ""

    @property
    def name(self) -> str:
        """Of its files: clips of other settings, weights or recordings are other files."""
        return f"{self.contest.name}-{self.item:02d}-{self.method}-{self.key[:6]}"

    @property
    def ground(self) -> str:
        """What items may share, so that they are not independent: the prompt or the recording."""
        asked = self.fields
        return str(asked.get("prompt") or asked.get("recording") or asked.get("source"))

    @property
    def job(self) -> Fields:
        """As `ditto_music.jobs.run_batch` takes it."""
        return self.fields | {"id": self.name}


def entry(
    contest: Contest,
    item: int,
    method: str,
    shared: Mapping[str, Any],
    seconds: float,
    source: Source | None,
    seconds_each: float | None,
) -> Entry:
    """An item for a method: with its own settings, or with so many seconds.

    Seconds are used up: none stops where the control counts as met and lets others go further.

    Parameters
    ----------
    shared : flags of all jobs; they go before the method's own.
    """
    fields: Fields = {"method": method, **METHODS[method].own}
    if seconds_each is not None:
        fields |= {"time_limit": seconds_each, "iterations": UNBOUNDED, "tolerance": 0.0}
    fields |= shared
    fields["seed"] = int(fields.get("seed", 0)) + item
    return Entry(contest, item, method, contest.fields(item, seconds, source) | fields)


def turn(item: int, count: int) -> int:
    """Which of so many targets an item has: each time that its prompt comes again it is the next.

    Five targets of twenty prompts would else be the same pairs over and over.
    """
    again, prompt = divmod(item, len(PROMPTS))
    return (prompt + again) % count


def curve_of(item: int, seconds: float) -> tuple[str, Curve]:
    """Name and points of an item's curve, over a clip of so many seconds."""
    name = [*CURVES][turn(item, len(CURVES))]
    return name, [(time * seconds / SECONDS, level) for time, level in CURVES[name]]


def tune_of(item: int, seconds: float) -> str:
    """An item's tune, over a clip of so many seconds."""
    text = [*TUNES.values()][turn(item, len(TUNES))]
    pairs = [word.split(":") for word in text.split()]
    return " ".join(f"{note}:{float(length) * seconds / SECONDS:g}" for note, length in pairs)


def form_of_item(item: int) -> str:
    """An item's form."""
    return FORMS[turn(item, len(FORMS))]


def _control(item: int, seconds: float, **asked: str) -> Fields:
    prompt = PROMPTS[item % len(PROMPTS)]
    return {"command": "control", "prompt": prompt, "duration": seconds, **asked}


def _intensity(item: int, seconds: float, source: Source | None) -> Fields:
    points = ",".join(f"{time:g}={level:g}" for time, level in curve_of(item, seconds)[1])
    return _control(item, seconds, intensity=points)


def _melody(item: int, seconds: float, source: Source | None) -> Fields:
    return _control(item, seconds, melody=tune_of(item, seconds))


def _structure(item: int, seconds: float, source: Source | None) -> Fields:
    return _control(item, seconds, structure=form_of_item(item))


def _intensity_melody(item: int, seconds: float, source: Source | None) -> Fields:
    return _intensity(item, seconds, source) | _melody(item, seconds, source)


def _judge_intensity(item: int, seconds: float) -> Judge:
    return loudness_judge(curve_of(item, seconds)[1])


def _judge_melody(item: int, seconds: float) -> Judge:
    return notes_judge(tune_of(item, seconds), seconds)


def _judge_both(item: int, seconds: float) -> Judge:
    loudness, notes = _judge_intensity(item, seconds), _judge_melody(item, seconds)
    return lambda clip, rate: loudness(clip, rate) | notes(clip, rate)


def _edit(command: str, source: Source | None, **asked: Any) -> Fields:
    assert source is not None
    return {
        "command": command,
        "source" if command == "loop" else "recording": str(source.path),
        "prompt": source.prompt,
        **asked,
    }


def _outpaint(item: int, seconds: float, source: Source | None) -> Fields:
    overlap = min(LONGEST_OVERLAP, seconds / 2)
    return _edit("outpaint", source, seconds=seconds - overlap, overlap=overlap)


def _inpaint(item: int, seconds: float, source: Source | None) -> Fields:
    hole = [round(seconds / 3, 3), round(2 * seconds / 3, 3)]
    return _edit("inpaint", source, **{"from": hole[:1], "to": hole[1:]})


def _loop(item: int, seconds: float, source: Source | None) -> Fields:
    return _edit("loop", source)


_LOUDNESS = (
    Figure("intensity.rms_error_db", "RMS error, dB", less=True),
    Figure("momentary", "momentary loudness, correlation", less=False),
)
_NOTES = (
    Figure("melody.accuracy", "frames right", less=False),
    Figure("top", "Basic Pitch: strongest", less=False),
)
_MATCH = Figure("match.loss", "error where it stays, of the latent's variance", less=True)
_JOIN = Figure("join", "join: share of the music's own changes that are smaller", less=True)

CONTESTS: dict[str, Contest] = {
    contest.name: contest
    for contest in (
        Contest("intensity", *_LOUDNESS, _intensity, _judge_intensity),
        Contest("melody", *_NOTES, _melody, _judge_melody),
        Contest(
            "structure",
            Figure("structure.mse", "MSE", less=True),
            Figure("correlation", "spectral contrast, correlation", less=False),
            _structure,
            lambda item, seconds: timbre_judge(form_of_item(item), seconds),
        ),
        Contest("intensity-melody", *_LOUDNESS, _intensity_melody, _judge_both, also=(_NOTES,)),
        Contest("outpaint", _MATCH, _JOIN, _outpaint, edits=True),
        Contest("inpaint", _MATCH, _JOIN, _inpaint, edits=True),
        Contest("loop", _MATCH, _JOIN, _loop, edits=True),
    )
}


def largest_join(report: Mapping[str, Any]) -> float:
    """How much the most audible join of an edit stands out, 0 to 1; NaN where none was measured."""
    ranks = [
        float(seam[key])
        for seam in report.get("seams") or []
        for key in ("flux_rank", "jump_rank")
        if seam.get(key) is not None
    ]
    return max(ranks, default=math.nan)
