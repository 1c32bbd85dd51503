"""Loops: music whose end goes on at its beginning.

A recording is bent into a circle with a bridge from its end to its beginning, which is inpainted
like any hole (DITTO); without one, the two ends of a clip are made to match each other
(`Closing`, appendix E).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Unpack

from ditto_music.audio import Recording
from ditto_music.baselines import METHODS
from ditto_music.controls.base import Term
from ditto_music.editing.beats import beat_seconds
from ditto_music.editing.closing import Closing
from ditto_music.editing.describe import describe
from ditto_music.editing.edit import Edit, assembled, looped, measured
from ditto_music.editing.filling import Callback, Wish, fill, worded
from ditto_music.editing.inpaint import check_sound
from ditto_music.editing.windows import CONTEXT_SECONDS, Window, rolled, window_of, with_room
from ditto_music.errors import InputError
from ditto_music.modes import own_modes
from ditto_music.optimize import Search
from ditto_music.protocols import Model

BRIDGE_SECONDS = 2.0  # about: to the next beat
SHORTEST = 1.0  # of a loop, and of a recording to make one of
OVERLAP_SECONDS = 1.0


@dataclass(frozen=True)
class Plan:
    """How long a loop is, and how much of the recording it keeps, in frames."""

    length: int
    kept: int


@own_modes()
def loop(
    model: Model,
    recording: Recording,
    prompt: str | None = None,
    *,
    seconds: float | None = None,
    control: Term | None = None,
    fresh: float | None = None,
    seed: int = 0,
    method: str = "ditto",
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Edit:
    """Make a loop of a recording.

    Parameters
    ----------
    prompt : what the bridge should be; None: what taggers hear around it.
    seconds : length of the loop; None: the recording's, and a bridge of some 2 s. Where a tempo is
        found it is moved to a whole number of beats. Of a loop that is shorter than the recording,
        or less than half a second longer, the last 2 s are new, or its second half if that is less.
    control : asked of the bridge as if it were a clip of its own.
    fresh : share of fresh noise in what the new music begins with: 0 varies the recording's own
        music, 1 owes it nothing; None: 0.25 without a prompt of yours, else 1.
    method : how, a name of `ditto_music.baselines.METHODS`.
    search : as `optimize`; steps as of `inpaint`.

    Returns
    -------
    Edit, which holds what is kept of the original sample for sample, and after it the bridge.

    Raises
    ------
    InputError
        If the recording is silent or too short, or the bridge would be longer than a clip.
    """
    check_sound(recording)
    fresh, search = worded(prompt, fresh, search)
    rate, longest = recording.sample_rate, model.seconds_range[1]
    beat = beat_seconds(recording)
    plan = plan_loop(recording, seconds, beat, longest - 2 * CONTEXT_SECONDS[0])
    roomy, window, roll = room_to_loop(recording, plan, longest)
    words = describe(recording, 0, plan.kept) if prompt is None else prompt
    made = fill(
        model,
        roomy,
        window,
        words,
        seed=seed,
        wish=Wish(control, within=not prompt),
        fresh=fresh,
        method=method,
        callback=callback,
        **search,
    )
    finished = rolled(made.recording, -roll)
    region = (plan.kept / rate, plan.length / rate)
    return looped(assembled(finished, [region], [made], read=prompt is None), beat, roll)


@own_modes()
def loop_from_prompt(
    model: Model,
    prompt: str,
    *,
    seconds: float = 6.0,
    control: Term | None = None,
    seed: int = 0,
    method: str = "ditto",
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Edit:
    """Make a loop from words.

    Parameters
    ----------
    seconds : of the loop; moved to a whole number of beats where the prompt names a tempo
        ("120 bpm"), to the nearest frame of the model's latent.
    control : asked of the loop.
    method : how, a name of `ditto_music.baselines.METHODS`; no method that keeps parts of a
        recording.
    search : as `optimize`.

    Returns
    -------
    Edit, whose recording is the loop, all of it new; its beat is that of the loop as it came out.

    Raises
    ------
    InputError
        If the model does not make clips that short or long.
    """
    beat, beats = beat_of_prompt(prompt), 0
    if beat is not None and math.isfinite(seconds):
        beats = max(1, round(seconds / beat))
        seconds = beats * beat
    shortest, longest = max(SHORTEST, model.seconds_range[0]), model.seconds_range[1]
    overlap = min(OVERLAP_SECONDS, seconds / 2)
    if not shortest <= seconds <= longest - overlap:
        raise InputError(
            f"seconds is {seconds:g}: give {shortest:g} to {longest - OVERLAP_SECONDS:g} s of loop"
        )
    frame = model.seconds_per_frame
    closing = Closing(round(seconds / frame), max(1, round(overlap / frame)), frame, control)
    result = METHODS[method](
        model,
        prompt,
        closing.goal(),
        seed=seed,
        duration=closing.clip_seconds,
        callback=callback,
        **search,
    )
    recording, clipped = closing.put(None, result.audio[0], result.sample_rate)
    whole = (0.0, recording.seconds)
    edit = measured(recording, [whole], [result], clipped=clipped, tasks=[closing])
    return looped(edit, recording.seconds / beats if beats else None)


def room_to_loop(recording: Recording, plan: Plan, longest: float) -> tuple[Recording, Window, int]:
    """The circle with a hole for the bridge, its window, and the frame at which it is cut open."""
    rate, bridge = recording.sample_rate, plan.length - plan.kept
    kept = recording.part(0, plan.kept)
    cut = plan.kept // 2
    roomy = rolled(with_room(kept, plan.kept, bridge), cut)
    start, stop = plan.kept - cut, plan.length - cut
    return roomy, window_of(roomy, (start / rate, stop / rate), longest), cut


def plan_loop(
    recording: Recording, seconds: float | None, beat: float | None, longest: float
) -> Plan:
    """Lengths in frames; `longest` is the longest bridge in seconds.

    Raises
    ------
    InputError
        If the recording or the loop is too short, or the bridge too long.
    """
    rate, whole = recording.sample_rate, recording.seconds
    if whole < SHORTEST:
        raise InputError(f"the recording lasts {whole:.2f} s: give at least {SHORTEST:g} s to loop")
    if seconds is not None and not SHORTEST <= seconds < math.inf:
        raise InputError(f"seconds is {seconds:g}: give {SHORTEST:g} s of loop or more")
    wanted = whole + BRIDGE_SECONDS if seconds is None else seconds
    if beat is not None:
        beats = max(1, round(wanted / beat))
        while seconds is None and beats * beat < whole + BRIDGE_SECONDS / 4:
            beats += 1
        wanted = beats * beat
    length = round(wanted * rate)
    bridge = length - recording.frames
    if bridge < BRIDGE_SECONDS / 4 * rate:  # too short to lead anywhere: the loop's end is redone
        bridge = round(min(BRIDGE_SECONDS, wanted / 2) * rate)
    if bridge > longest * rate:
        raise InputError(
            f"seconds is {seconds:g}: a recording of {whole:.2f} s would need {bridge / rate:.1f} "
            f"s of new music, more than the {longest:g} s of a clip: outpaint it first"
        )
    return Plan(length, length - bridge)


def beat_of_prompt(prompt: str) -> float | None:
    """Seconds of a beat where the prompt names a tempo."""
    named = re.search(r"(\d+(?:\.\d+)?)\s*bpm", prompt, re.IGNORECASE)
    bpm = float(named[1]) if named else 0.0
    return 60 / bpm if 20 <= bpm <= 400 else None
