"""What a page asks for, as plain values: checked, and told as a command line would tell it.

A `Request` is made from the JSON that a page sends, that a settings file or a shared link holds.
Nothing in it names a file of this machine: recordings are the ids of uploads.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from ditto_music.audio import names_file
from ditto_music.audio.files import names_audio
from ditto_music.errors import InputError
from ditto_music.studio.limits import Limits

Task = Literal["make", "redo", "continue", "loop"]
Fields = dict[str, Any]

COMMANDS = {"redo": "inpaint", "continue": "outpaint", "loop": "loop"}
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MOST_POINTS, MOST_NOTES, MOST_SECTIONS, MOST_REGIONS = 200, 200, 32, 16
LONGEST_TEXT = 500  # characters
LARGEST_SEED = 2**53 - 1  # a page's numbers are exact up to here
_FORM = re.compile(r"[A-Z](:[0-9]+(\.[0-9]+)?)?( [A-Z](:[0-9]+(\.[0-9]+)?)?)*|[A-Z]+")

Pairs = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Request:
    """Settings of one piece.

    Attributes
    ----------
    task : music from words, or what to do with a recording.
    seed : -1 draws one.
    intensity : (seconds, dBFS) points; empty: not asked for.
    shape_only : follow the curve's shape and not its levels.
    notes : (start seconds, end seconds, MIDI pitch), one at a time.
    form : such as ``AABA`` or ``A:1.5 B:2 A``.
    brightness : (seconds, Hz) points.
    recording : the id of an upload.
    regions : (start, stop) seconds to redo.
    seconds : of new music, or of the loop; None: as long as it takes.
    before : continue towards the beginning.
    """

    task: Task = "make"
    prompt: str = ""
    model: str = "ditto-small"
    duration: float = 6.0
    seed: int = 0
    intensity: Pairs = ()
    shape_only: bool = False
    notes: tuple[tuple[float, float, int], ...] = ()
    form: str = ""
    brightness: Pairs = ()
    tempo: float | None = None
    style: str = ""
    negative: str = ""
    guidance: float | None = None
    iterations: int | None = None
    steps: int | None = None
    recording: str = ""
    regions: Pairs = ()
    seconds: float | None = None
    before: bool = False

    @property
    def asks(self) -> bool:
        """Whether anything is asked of the music beside its prompt."""
        return bool(
            self.intensity
            or self.notes
            or self.form
            or self.brightness
            or self.tempo is not None
            or self.style
        )

    @property
    def command(self) -> str:
        """Of the command line that does the same."""
        return COMMANDS.get(self.task) or ("control" if self.asks else "generate")

    def fields(self, recording: str = "", seed: int | None = None) -> Fields:
        """The command and its flags by name, as a line of a manifest has them.

        Parameters
        ----------
        recording : what stands for the upload: its path, or the name it is shown by.
        seed : in place of the request's own.
        """
        said: Fields = {"command": self.command}
        if self.task != "make":
            said["source" if self.task == "loop" else "recording"] = recording
        if self.prompt or self.task == "make":
            said["prompt"] = self.prompt
        if self.task == "make":
            said["duration"] = _plain(self.duration)
        if self.task == "redo":
            said["from"] = [_plain(start) for start, _ in self.regions]
            said["to"] = [_plain(stop) for _, stop in self.regions]
        if self.task in ("continue", "loop") and self.seconds is not None:
            said["seconds"] = _plain(self.seconds)
        if self.before:
            said["before"] = True
        said |= self._controls()
        said |= {"model": self.model, "seed": self.seed if seed is None else seed}
        if self.command != "generate" and self.iterations is not None:
            said["iterations"] = self.iterations
        if self.guidance is not None:
            said["guidance"] = _plain(self.guidance)
        if self.steps is not None:
            said["steps"] = self.steps
        if self.negative:
            said["negative"] = self.negative
        return said

    def _controls(self) -> Fields:
        said: Fields = {}
        if self.intensity:
            said["intensity"] = _curve(self.intensity)
            if self.shape_only:
                said["intensity-loss"] = "correlation"
        if self.notes:
            said["melody"] = note_text(self.notes)
        if self.form:
            said["structure"] = self.form
        if self.brightness:
            said["brightness"] = _curve(self.brightness)
        if self.tempo is not None:
            said["tempo"] = _plain(self.tempo)
        if self.style:
            said["style"] = self.style
        return said

    def plain(self, seed: int) -> Request:
        """The same prompt and seed, left alone."""
        return Request(
            prompt=self.prompt,
            model=self.model,
            duration=self.duration,
            seed=seed,
            negative=self.negative,
            guidance=self.guidance,
            steps=self.steps,
        )


def command_line(fields: Fields, words: Sequence[str], out: str) -> str:
    """The command line to copy.

    Parameters
    ----------
    words : the fields that have no flag, in their order.
    """
    bare = [str(fields[name]) for name in words if fields.get(name) is not None]
    flags: list[str] = []
    for name, value in fields.items():
        if name == "command" or name in words:
            continue
        several = cast("list[Any]", value) if isinstance(value, list) else [value]
        flags += [f"--{name}" if one is True else f"--{name}={one}" for one in several]
    told = [fields["command"], *flags, "-o", out, *(["--"] if bare else []), *bare]
    return shlex.join(["ditto-music", *told])


def note_text(notes: Sequence[tuple[float, float, int]]) -> str:
    """Notes as ``C4:1 .:0.5 E4:0.5``; one that begins before the last has ended cuts it short."""
    told: list[str] = []
    ordered, now = sorted(notes), 0  # in milliseconds, so that lengths add up
    for i, (start, stop, pitch) in enumerate(ordered):
        begins, ends = round(1000 * start), round(1000 * stop)
        if i + 1 < len(ordered):
            ends = min(ends, round(1000 * ordered[i + 1][0]))
        if ends <= begins:
            continue
        if begins > now:
            told.append(f".:{_plain((begins - now) / 1000)}")
        told.append(f"{NAMES[pitch % 12]}{pitch // 12 - 1}:{_plain((ends - begins) / 1000)}")
        now = ends
    return " ".join(told)


def read_request(sent: object, models: Sequence[str], limits: Limits) -> Request:
    """A request from the JSON of a page.

    Parameters
    ----------
    models : names that may be asked for.

    Raises
    ------
    InputError
        If it is none, or asks for too much: one line.
    """
    if not isinstance(sent, Mapping):
        raise InputError("settings: these are none: give a file that the studio has saved")
    said = cast("Mapping[str, Any]", sent)
    task = said.get("task", "make")
    if task not in get_args(Task):
        raise InputError(f"task '{task}' is unknown: take {', '.join(get_args(Task))}")
    model = _text(said, "model") or models[0]
    if model not in models:
        raise InputError(f"model '{model}' is not offered here: take {' or '.join(models)}")
    request = Request(
        task=cast("Task", task),
        prompt=_text(said, "prompt"),
        model=model,
        duration=_number(said, "duration", 0.5, limits.duration, "seconds")
        or min(Request.duration, limits.duration),
        seed=int(_number(said, "seed", -1, LARGEST_SEED) or 0),
        intensity=_pairs(said, "intensity", MOST_POINTS),
        shape_only=said.get("shape_only") is True,
        notes=_notes(said),
        form=_form(said),
        brightness=_pairs(said, "brightness", MOST_POINTS),
        tempo=_number(said, "tempo", 30, 300, "bpm"),
        style=_style(said),
        negative=_text(said, "negative"),
        guidance=_number(said, "guidance", 0, 30),
        iterations=_whole(said, "iterations", 1, limits.iterations),
        steps=_whole(said, "steps", 1, limits.steps),
        recording=_text(said, "recording"),
        regions=_pairs(said, "regions", MOST_REGIONS),
        seconds=_number(said, "seconds", 0.1, limits.duration, "seconds"),
        before=said.get("before") is True,
    )
    if request.task == "make" and not request.prompt:
        raise InputError("there is no prompt: say in a few words what the music is")
    if request.task == "redo" and not request.regions:
        raise InputError("no part is marked: drag over the waveform to mark what to redo")
    marked = sum(stop - start for start, stop in request.regions)
    if marked > limits.duration:
        raise InputError(
            f"the marked parts last {marked:.4g} s in all: mark at most {limits.duration:g} s"
        )
    if request.task == "continue" and request.seconds is None:
        raise InputError("say how many seconds of new music to add")
    return request


def _plain(value: float) -> str:
    """A number as people write it, to a thousandth."""
    return f"{round(value, 3):.10g}"


def _curve(points: Pairs) -> str:
    return ",".join(f"{_plain(time)}={_plain(value)}" for time, value in points)


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name) or ""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise InputError(f"{name}: give a text of at most {LONGEST_TEXT} characters")
    if any(ord(sign) < 32 for sign in value.strip()):
        raise InputError(f"{name}: write it on one line")
    return value.strip()


def _number(
    said: Mapping[str, Any], name: str, low: float, high: float, unit: str = ""
) -> float | None:
    value = said.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{name} is not a number")
    if not low <= value <= high:
        raise InputError(f"{name} is {value:g}: it must be {low:g} to {high:g} {unit}".rstrip())
    return value


def _whole(said: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = _number(said, name, low, high)
    if value is not None and value != int(value):
        raise InputError(f"{name} is {value:g}: give a whole number")
    return None if value is None else int(value)


def _rows(said: Mapping[str, Any], name: str, width: int, most: int) -> list[list[float]]:
    rows = said.get(name) or []
    if not isinstance(rows, list):
        raise InputError(f"{name}: give a list")
    listed = cast("list[Any]", rows)
    if len(listed) > most:
        raise InputError(f"{name}: {len(listed)} of them are too many: give at most {most}")
    for row in listed:
        numbers = cast("list[Any]", row) if isinstance(row, list) else []
        good = len(numbers) == width and all(
            isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
            for one in numbers
        )
        if not good:
            raise InputError(f"{name}: each of them needs {width} numbers")
    return cast("list[list[float]]", listed)


def _pairs(said: Mapping[str, Any], name: str, most: int) -> Pairs:
    return tuple((float(a), float(b)) for a, b in _rows(said, name, 2, most))


def _notes(said: Mapping[str, Any]) -> tuple[tuple[float, float, int], ...]:
    rows = _rows(said, "notes", 3, MOST_NOTES)
    for start, stop, pitch in rows:
        if not 0 <= start < stop or pitch != int(pitch) or not 0 <= pitch <= 127:
            raise InputError("notes: each begins at 0 or later, ends later, and has a MIDI pitch")
    return tuple((float(a), float(b), int(p)) for a, b, p in rows)


def _form(said: Mapping[str, Any]) -> str:
    form = _text(said, "form").upper()
    if form and (not _FORM.fullmatch(form) or len(form.split()) > MOST_SECTIONS):
        raise InputError("form: give letters such as AABA, or letters with seconds, A:1.5 B:2")
    return form


def _style(said: Mapping[str, Any]) -> str:
    """Words only: the command line would take the name of a file for a recording."""
    style = _text(said, "style")
    if names_audio(style) or names_file(style) or re.search(r"[/\\]", style):
        raise InputError("style: give words, such as jazz or sad piano")
    return style
