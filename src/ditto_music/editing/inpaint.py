"""Inpainting: redo a region so that it fits what stands on either side (DITTO, section 3.2).

The surroundings are encoded, the model's own noise for them is found by DDIM inversion, the hole
starts from fresh noise, and the optimiser then makes the whole clip agree with the surroundings.
Only the hole is taken from the result: everything else stays the user's own samples, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ditto_music.audio import Recording, is_silent, resample
from ditto_music.audio.files import SILENCE
from ditto_music.controls.match import Match
from ditto_music.editing import joins
from ditto_music.editing.edit import Edit
from ditto_music.editing.seams import measure_seam
from ditto_music.errors import InputError
from ditto_music.optimize import Progress, optimize
from ditto_music.protocols import Model
from ditto_music.result import Result
from ditto_music.sampling import draw_noise, guided, invert_ddim

CLIP_SECONDS = 6.0
CONTEXT_SECONDS = (1.0, 3.0)
SHORTEST_HOLE = 0.05


@dataclass(frozen=True)
class Window:
    """The stretch of a recording that one region needs, in frames of the recording."""

    begin: int
    start: int
    stop: int
    end: int


def inpaint(
    model: Model,
    recording: Recording,
    regions: Sequence[tuple[float, float]],
    prompt: str = "",
    *,
    seed: int = 0,
    steps: int = 20,
    surrogate_steps: int | None = 8,
    guidance: float = 3.0,
    negative_prompt: str = "",
    iterations: int = 60,
    tolerance: float | None = None,
    optimizer: str = "lbfgs",
    lr: float | None = None,
    time_limit: float | None = None,
    sampler: str = "adams",
    callback: Callable[[Progress], bool | None] | None = None,
) -> Edit:
    """Make regions of a recording anew.

    Parameters
    ----------
    regions : (start, stop) in seconds, in any order, not overlapping; each is made with up to 3 s
        of the recording on either side, so a long file costs what its regions cost.
    prompt : what the new part should be; empty follows the surroundings alone.
    others : as `optimize`; the loss is the mean squared error of latents of unit variance.

    Returns
    -------
    Edit, whose recording equals the original outside the regions sample for sample.

    Raises
    ------
    InputError
        If a region is reversed, too short or long, outside the recording or overlaps another, or
        if there is no sound beside it to follow.
    """
    ordered = check_regions(recording, regions, model.seconds_range[1])
    solve = partial(
        optimize,
        model,
        prompt,
        steps=steps,
        surrogate_steps=surrogate_steps,
        guidance=guidance,
        negative_prompt=negative_prompt,
        iterations=iterations,
        tolerance=tolerance,
        optimizer=optimizer,
        lr=lr,
        time_limit=time_limit,
        sampler=sampler,
        callback=callback,
    )
    edited, results = recording, list[Result]()
    try:
        for number, region in enumerate(ordered):
            window = window_of(recording, region, model.seconds_range[1])
            reference, mask = reference_of(model, edited, window)
            seconds = (window.end - window.begin) / recording.sample_rate
            start = initial_noise(model, prompt, reference, mask, seconds, seed + number, steps)
            match = Match(reference, mask)
            result = solve(match, seed=seed + number, duration=seconds, x_T=start)
            edited = place(edited, window, result.audio[0, 0].numpy(), result.sample_rate)
            results.append(result)
            if result.items[0].stopped == "interrupted":
                break
    except KeyboardInterrupt:
        if not results:
            raise
        results[-1] = results[-1].interrupted()
    ordered = ordered[: len(results)]
    sound, rate = edited.audio(), edited.sample_rate
    seams = [
        measure_seam(sound, rate, edge, ordered)
        for region in ordered
        for edge in region
        if 0 < round(edge * rate) < edited.frames
    ]
    return Edit(edited, ordered, results, seams)


def check_regions(
    recording: Recording, regions: Sequence[tuple[float, float]], longest: float
) -> list[tuple[float, float]]:
    """The regions in order of time, or one clear line about what is wrong with one."""
    if not regions:
        raise InputError("no region to redo: give --from and --to in seconds")
    if is_silent(recording):
        raise InputError("the recording is silent, so there is nothing to follow: use generate")
    ordered = sorted((float(start), float(stop)) for start, stop in regions)
    length = recording.seconds
    room = longest - 2 * CONTEXT_SECONDS[0]
    for start, stop in ordered:
        name = f"region {start:g} to {stop:g} s"
        if not np.isfinite([start, stop]).all():
            raise InputError(f"{name}: give two numbers of seconds")
        if stop <= start:
            raise InputError(f"{name}: ends before it begins: swap --from and --to")
        if start < 0 or stop > length + 1e-6:
            raise InputError(f"{name}: lies outside the recording of {length:.2f} s")
        if stop - start < SHORTEST_HOLE:
            raise InputError(f"{name}: shorter than {SHORTEST_HOLE:g} s: make it longer")
        if stop - start > room:
            raise InputError(f"{name}: longer than {room:g} s: redo it in parts")
        if stop - start > length - 0.5:
            raise InputError(
                f"{name}: leaves less than half a second of the recording to follow: "
                "take a shorter region, or use generate"
            )
    for (_, stop), (start, _) in pairwise(ordered):
        if start < stop:
            raise InputError(f"two regions overlap at {start:g} s: join or separate them")
    return ordered


def window_of(recording: Recording, region: tuple[float, float], longest: float) -> Window:
    """The region with as much context as helps: a clip of 6 s where the recording has it."""
    rate = recording.sample_rate
    hole = region[1] - region[0]
    least, most = CONTEXT_SECONDS
    context = min(max((CLIP_SECONDS - hole) / 2, least), most, (longest - hole) / 2)
    start, stop = (round(edge * rate) for edge in region)
    reach = round(context * rate)
    spare = max(0, reach - start)  # context missing on one side is taken on the other
    lack = max(0, stop + reach - recording.frames)
    begin = max(0, start - reach - lack)
    end = min(recording.frames, stop + reach + spare)
    return Window(begin, start, min(stop, recording.frames), end)


def reference_of(model: Model, recording: Recording, window: Window) -> tuple[Tensor, Tensor]:
    """Latent (..., T) of the window, the hole mirrored over by what is beside it, and mask (T,)."""
    audio = recording.audio()[:, window.begin : window.end]
    hole = (window.start - window.begin, window.stop - window.begin)
    if np.abs(np.delete(audio, slice(*hole), axis=1)).max() < SILENCE:
        at = window.start / recording.sample_rate
        raise InputError(f"beside the region at {at:g} s is only silence: use generate for it")
    filled = joins.mirror_fill(audio, *hole)
    sound = torch.from_numpy(resample(filled, recording.sample_rate, model.sample_rate))
    reference = model.encode(sound[None])[0]
    frames = reference.shape[-1]
    seconds = model.seconds_per_frame
    times = torch.arange(frames) * seconds
    start, stop = (edge / recording.sample_rate for edge in hole)
    outside = (times + seconds <= start) | (times >= stop)
    inside = times + seconds <= audio.shape[1] / recording.sample_rate
    return reference, (outside & inside).float()


def initial_noise(
    model: Model,
    prompt: str,
    reference: Tensor,
    mask: Tensor,
    seconds: float,
    seed: int,
    steps: int,
) -> Tensor:
    """Inverted noise where the reference is kept, fresh noise in the hole: (1, ..., T)."""
    condition = model.condition([prompt], seconds)
    with torch.no_grad():
        denoise = guided(model.denoise, condition, condition, 1.0)
        inverted = invert_ddim(denoise, reference[None], model.schedule, steps)
    fresh = draw_noise(tuple(reference.shape), [seed]).to(inverted)
    return torch.where(mask.to(inverted) > 0, inverted, fresh)


def place(recording: Recording, window: Window, mono: np.ndarray, sample_rate: int) -> Recording:
    """The recording with the hole taken from the new clip (N,), level and channels matched."""
    rate = recording.sample_rate
    old = recording.audio().astype(np.float64)[:, window.begin : window.end]
    clip = resample(mono[None], sample_rate, rate)[0].astype(np.float64)
    clip = np.pad(clip, (0, max(0, old.shape[1] - len(clip))))[: old.shape[1]]
    start, stop = window.start - window.begin, window.stop - window.begin
    second = rate
    before = slice(max(0, start - second), start)
    after = slice(stop, min(stop + second, old.shape[1]))
    gains = [
        joins.level_gain(clip[side], old[:, side].mean(0)) if side.stop > side.start else None
        for side in (before, after)
    ]
    first = gains[0] or gains[1] or 1.0
    last = gains[1] or first
    ramp = np.geomspace(first, last, stop - start)
    kept = np.concatenate([old[:, before], old[:, after]], axis=1)
    new = joins.spread(clip[start:stop] * ramp, kept)
    joined = joins.splice(
        old[:, start:stop],
        new,
        rate,
        left=start > 0,
        right=stop < old.shape[1],
    )
    return recording.with_region(window.start, joined)
