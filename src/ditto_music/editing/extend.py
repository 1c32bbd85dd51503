"""Outpainting: music that goes on where a recording ends, or leads to where it begins.

DITTO's outpainting: a clip is made whose beginning matches the recording's end, the *overlap*; what
comes after is new. To any length by repeated windows, each continuing the one before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Unpack

import numpy as np

from ditto_music.audio import Recording
from ditto_music.audio.files import SILENCE
from ditto_music.controls.base import Term
from ditto_music.editing import joins
from ditto_music.editing.describe import describe
from ditto_music.editing.drift import measure_drift
from ditto_music.editing.edit import BrokenOff, Edit, assembled, gathered
from ditto_music.editing.filling import Callback, Filled, Wish, fill, worded
from ditto_music.editing.inpaint import check_sound
from ditto_music.editing.windows import Window, with_room
from ditto_music.errors import InputError
from ditto_music.modes import own_modes
from ditto_music.optimize import Search
from ditto_music.protocols import Model

WINDOW_SECONDS = 12.0  # of a clip: overlap and new music
SHORTEST, LONGEST = 0.1, 3600.0  # seconds of new music
LEAST_OVERLAP, SHORTEST_NEW = 0.5, 1.0
SLACK = 1e-3  # seconds by which a window, of whole samples, may begin before its prompt
SOURCE_SECONDS = 12.0  # of the recording, which new music begins from and is held against

Prompts = str | Sequence[tuple[float, str]]


@own_modes()
def outpaint(
    model: Model,
    recording: Recording,
    seconds: float,
    prompt: Prompts | None = None,
    *,
    overlap: float = 3.0,
    before: bool = False,
    control: Term | None = None,
    fresh: float | None = None,
    seed: int = 0,
    method: str = "ditto",
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Edit:
    """Extend a recording.

    Parameters
    ----------
    seconds : of new music, any number: it is made in windows of up to 12 s.
    prompt : what the new music should be; None: what taggers hear in the recording; empty: nothing
        but what it continues; or (seconds into the new music, prompt) pairs, the first at 0.
    overlap : seconds of what is there that each window continues.
    before : whether the new music leads to the recording's beginning instead.
    control : asked of all the new music as if it were a clip of its own.
    fresh : share of fresh noise in what the new music begins with: 0 varies the recording's own
        music, 1 owes it nothing; None: 0.25 without a prompt of yours, else 1.
    method : how, a name of `ditto_music.baselines.METHODS`.
    search : as `optimize`, for each window; steps as of `inpaint`.

    Returns
    -------
    Edit, whose recording holds the original sample for sample. Stopped early, it holds what is
    finished.

    Raises
    ------
    InputError
        If a number is out of range, the recording is too short, silent or silent at this end, or a
        control cannot be asked of new music that long.
    BrokenOff
        If a window could not be made after others were.
    """
    check_sound(recording)
    fresh, search = worded(prompt, fresh, search)
    rate, longest = recording.sample_rate, model.seconds_range[1]
    edges = windows_of(recording, seconds, overlap, longest)
    check_end(recording, overlap, before)
    widest = max(stop - start for start, stop in pairwise(edges))
    reach = min(round(overlap * rate), int(longest * rate) - widest)
    source = min(round(SOURCE_SECONDS * rate), recording.frames)
    end = slice(0, source) if before else slice(recording.frames - source, recording.frames)
    read = describe(recording, end.start, end.stop) if prompt is None else prompt
    schedule = check_prompts(read)
    offsets = [seconds - stop / rate if before else start / rate for start, stop in pairwise(edges)]
    check_reached(schedule, offsets)
    level = joins.rms(recording.audio(end.start, end.stop).mean(0))

    def filled() -> Iterator[Filled]:
        grown = recording
        for number, (start, stop) in enumerate(pairwise(edges)):
            offset = offsets[number]
            roomy, window = room_to_extend(grown, stop - start, reach, before)
            moved = roomy.frames - recording.frames if before else 0
            one = fill(
                model,
                roomy,
                window,
                prompt_at(schedule, offset),
                seed=seed + number,
                wish=Wish(control, offset, seconds, level, within=not prompt),
                fresh=fresh,
                source=(end.start + moved, end.stop + moved),
                method=method,
                callback=callback,
                **search,
            )
            yield one
            grown = one.recording

    made, broken = gathered(filled())
    grown = made[-1].recording
    if before:  # what was made first is moved by all that was put before it
        made = [_later(one, grown.frames - one.recording.frames) for one in made]
    windows = [one.task.window for one in made]
    regions = [(window.start / rate, window.stop / rate) for window in windows]
    edit = assembled(grown, regions, made, read=prompt is None)
    shift = grown.frames - recording.frames if before else 0
    original = ((end.start + shift) / rate, (end.stop + shift) / rate)
    edit = replace(edit, drift=measure_drift(grown, regions, original))
    if broken:
        raise BrokenOff(edit, broken)
    return edit


def _later(filled: Filled, frames: int) -> Filled:
    """Its window so many frames later, where what came before it has moved it."""
    return filled._replace(task=replace(filled.task, window=filled.task.window.later(frames)))


def windows_of(recording: Recording, seconds: float, overlap: float, longest: float) -> list[int]:
    """Frames of new music at which each window begins and the last one ends, evenly spread.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    if not SHORTEST <= seconds <= LONGEST:
        raise InputError(f"seconds is {seconds:g}: give {SHORTEST:g} to {LONGEST:g} s of new music")
    most = min(WINDOW_SECONDS, longest) - SHORTEST_NEW
    if not LEAST_OVERLAP <= overlap <= most:
        raise InputError(f"overlap is {overlap:g}: give {LEAST_OVERLAP:g} to {most:g} s")
    if recording.seconds < LEAST_OVERLAP:
        raise InputError(
            f"the recording lasts {recording.seconds:.2f} s: "
            f"give at least {LEAST_OVERLAP:g} s to continue"
        )
    count = math.ceil(seconds / (min(WINDOW_SECONDS, longest) - overlap) - 1e-9)
    return [round(i * seconds * recording.sample_rate / count) for i in range(count + 1)]


def check_end(recording: Recording, overlap: float, before: bool = False) -> None:
    """Refuse a recording with only silence where it is to be continued.

    Raises
    ------
    InputError
        With how much of it there is.
    """
    loud = np.flatnonzero(np.abs(recording.audio()).max(0) >= SILENCE)
    silent = (loud[0] if before else recording.frames - 1 - loud[-1]) / recording.sample_rate
    if silent >= max(overlap, LEAST_OVERLAP):
        end = "first" if before else "last"
        longer = ", or take a longer --overlap" if silent < WINDOW_SECONDS - SHORTEST_NEW else ""
        raise InputError(f"the recording's {end} {silent:.2f} s are silent: cut them{longer}")


def check_prompts(prompts: Prompts) -> list[tuple[float, str]]:
    """(seconds, prompt) pairs in order of time, the first at 0.

    Raises
    ------
    InputError
        If times do not rise from 0.
    """
    if isinstance(prompts, str):
        return [(0.0, prompts)]
    pairs = [(float(time), words) for time, words in prompts]
    if not pairs or pairs[0][0] != 0 or any(b[0] <= a[0] for a, b in pairwise(pairs)):
        raise InputError("prompts: give seconds that rise from 0, as in 0:calm piano;20:full band")
    return pairs


def check_reached(schedule: Sequence[tuple[float, str]], offsets: Sequence[float]) -> None:
    """Check that every prompt is some window's: each holds for the windows that begin in its time.

    Parameters
    ----------
    offsets : seconds into the new music at which windows begin.

    Raises
    ------
    InputError
        If one would never be heard.
    """
    ends = [time for time, _ in schedule[1:]] + [math.inf]
    for (time, words), end in zip(schedule, ends, strict=True):
        if not any(time <= offset + SLACK < end for offset in offsets):
            begin = ", ".join(f"{offset:.3g}" for offset in sorted(offsets))
            raise InputError(
                f"prompts: '{words}' of {time:g} s would never be heard: the new music is made in "
                f"windows that begin at {begin} s; move it, or add more music"
            )


def prompt_at(schedule: Sequence[tuple[float, str]], seconds: float) -> str:
    """The prompt that holds so far into the new music."""
    return [words for time, words in schedule if time <= seconds + SLACK][-1]


def room_to_extend(
    recording: Recording, frames: int, reach: int, before: bool = False
) -> tuple[Recording, Window]:
    """The recording with a hole at one end, and the window.

    Parameters
    ----------
    frames, reach : of the hole, and of what it continues.
    """
    reach = min(reach, recording.frames)
    if before:
        return with_room(recording, 0, frames), Window(0, 0, frames, frames + reach)
    end = recording.frames
    window = Window(end - reach, end, end + frames, end + frames)
    return with_room(recording, end, frames), window
