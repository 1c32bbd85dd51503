"""Inpainting: redo regions so that they fit what stands on either side (DITTO)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Unpack

import numpy as np

from ditto_music.audio import Recording, is_silent
from ditto_music.audio.files import SILENCE
from ditto_music.controls.base import Term
from ditto_music.controls.part import Part
from ditto_music.editing.describe import describe
from ditto_music.editing.edit import BrokenOff, Edit, assembled, gathered
from ditto_music.editing.filling import (
    Callback,
    Filled,
    Wish,
    check_beside,
    fill,
    kept_of,
    worded,
)
from ditto_music.editing.windows import CONTEXT_SECONDS, Window, window_of
from ditto_music.errors import InputError
from ditto_music.modes import own_modes
from ditto_music.optimize import Search
from ditto_music.problem import form_of
from ditto_music.protocols import Model

SHORTEST_HOLE = 0.05
LEAST_KEPT = 0.5  # seconds to follow
SLACK = 0.01  # seconds


@own_modes()
def inpaint(
    model: Model,
    recording: Recording,
    regions: Sequence[tuple[float, float]],
    prompt: str | None = None,
    *,
    control: Term | None = None,
    fresh: float | None = None,
    seed: int = 0,
    method: str = "ditto",
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Edit:
    """Make regions of a recording anew.

    Parameters
    ----------
    regions : (start, stop) in seconds, in any order, not overlapping; each is made with up to 3 s
        of the recording on either side, so a long file costs what its regions cost; what is in
        regions still to be made is not followed.
    prompt : what the new part should be; None: what taggers hear around it; empty: nothing but its
        surroundings.
    control : asked of each region as if it were a clip of its own.
    fresh : share of fresh noise in what the new music begins with: 0 varies the recording's own
        music, 1 owes it nothing; None: 0.25 without a prompt of yours, else 1.
    method : how, a name of `ditto_music.baselines.METHODS`.
    search : as `optimize`, but 20 steps where none are asked and the model is not distilled; the
        loss is the mean squared error of latents of unit variance.

    Returns
    -------
    Edit, whose recording equals the original outside the regions sample for sample.

    Raises
    ------
    InputError
        If a region is reversed, too short or long, outside the recording or overlaps another, or
        if there is no sound beside it to follow.
    BrokenOff
        If a region could not be made after others were.
    """
    fresh, search = worded(prompt, fresh, search)
    longest = model.seconds_range[1]
    ordered = check_regions(recording, regions, longest)
    windows = [window_of(recording, region, longest) for region in ordered]
    check_windows(model, recording, windows, control)

    def filled() -> Iterator[Filled]:
        edited = recording
        for number, planned in enumerate(windows):
            window = to_follow(edited, planned, windows[number + 1 :])
            words = heard_around(edited, window) if prompt is None else prompt
            one = fill(
                model,
                edited,
                window,
                words,
                seed=seed + number,
                wish=Wish(control, within=not prompt),
                fresh=fresh,
                method=method,
                callback=callback,
                **search,
            )
            yield one
            edited = one.recording

    made, broken = gathered(filled())
    edit = assembled(made[-1].recording, ordered[: len(made)], made, read=prompt is None)
    if broken:
        raise BrokenOff(edit, broken)
    return edit


def heard_around(recording: Recording, window: Window) -> str:
    """A prompt read from what stays of the window."""
    kept = kept_of(recording, window)
    return describe(Recording.of(kept, recording.sample_rate, "FLOAT"))


def to_follow(recording: Recording, window: Window, later: Sequence[Window]) -> Window:
    """The window without what is in the holes of later ones, where enough to follow is left."""
    coming = replace(window, coming=tuple((one.start, one.stop) for one in later))
    kept = kept_of(recording, coming)
    enough = kept.shape[1] >= LEAST_KEPT * recording.sample_rate
    return coming if enough and np.abs(kept).max() >= SILENCE else window


def check_regions(
    recording: Recording, regions: Sequence[tuple[float, float]], longest: float
) -> list[tuple[float, float]]:
    """The regions in order of time, or one clear line about what is wrong with one.

    One that ends up to `SLACK` beyond the recording ends with it: lengths are told rounded.
    """
    if not len(regions):
        raise InputError("no region to redo: give --from and --to in seconds")
    check_sound(recording)
    length = recording.seconds
    try:
        pairs = [(float(start), float(stop)) for start, stop in regions]
    except (TypeError, ValueError):
        raise InputError("regions are pairs of seconds: give them as in [(2.0, 3.5)]") from None
    ordered = sorted(
        (start, length if length < stop <= length + SLACK else stop) for start, stop in pairs
    )
    room = longest - 2 * CONTEXT_SECONDS[0]
    for start, stop in ordered:
        name = f"region {start:g} to {stop:g} s"
        if not np.isfinite([start, stop]).all():
            raise InputError(f"{name}: give two numbers of seconds")
        if stop <= start:
            raise InputError(f"{name}: ends before it begins: swap --from and --to")
        if start < 0 or stop > length:
            raise InputError(f"{name}: lies outside the recording of {length:.2f} s")
        if stop - start < SHORTEST_HOLE:
            raise InputError(f"{name}: shorter than {SHORTEST_HOLE:g} s: make it longer")
        if stop - start > room:
            raise InputError(f"{name}: longer than {room:g} s: redo it in parts")
        if stop - start > length - LEAST_KEPT:
            raise InputError(
                f"{name}: leaves less than half a second of the recording to follow: "
                "take a shorter region, or use generate"
            )
    for (_, stop), (start, _) in pairwise(ordered):
        if start < stop:
            raise InputError(f"two regions overlap at {start:g} s: join or separate them")
    return ordered


def check_windows(
    model: Model, recording: Recording, windows: Sequence[Window], control: Term | None
) -> None:
    """Refuse what the last of several regions would be refused for before the first is made.

    Raises
    ------
    InputError
        If there is only silence beside a region, and no other region that may change that, or the
        control cannot be asked of one.
    """
    for window in windows:
        others = [one for one in windows if one is not window]
        if not any(one.start < window.end and one.stop > window.begin for one in others):
            check_beside(recording, window)
        form = form_of(model, window.frames / recording.sample_rate)
        if control is not None:
            span = (edge / recording.sample_rate for edge in (window.hole.start, window.hole.stop))
            Part(control, *span).objectives(form)


def check_sound(recording: object) -> None:
    """Refuse a recording with nothing in it to follow, and what is none."""
    if not isinstance(recording, Recording):
        raise InputError(
            f"a {type(recording).__name__} is no recording: give what "
            "ditto_music.audio.read_recording reads, or Recording.of(samples, rate)"
        )
    if is_silent(recording):
        raise InputError("the recording is silent, so there is nothing to follow: use generate")
