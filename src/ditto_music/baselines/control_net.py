"""Music ControlNet (Wu et al. 2023, arXiv:2311.07069): a trained branch is told what to play.

No search and no gradient: one guided sample, as `plain` makes it, with the branch of
`ditto_music.models.small.control_net` on, which was trained to follow what is asked. So it follows
only what it was trained for, on the model it was trained beside, and no better for more time.

What the branch is told is what the controls' targets say, an intensity its level too where only
its shape is asked for. A control has no weight: there is nothing to weigh it against. Of a `Part`
it is told the target where that is and nothing elsewhere, as it was trained to be.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from ditto_music.baselines.walking import Callback, problem_of
from ditto_music.controls import Intensity, Melody, Rhythm
from ditto_music.controls.base import Aim
from ditto_music.controls.part import Within
from ditto_music.ending import packed
from ditto_music.errors import InputError
from ditto_music.item import Stopped
from ditto_music.models.small.control_net import (
    Branched,
    ControlNet,
    asked,
    branch_file,
    intensity_track,
    load_branch,
    melody_track,
    rhythm_track,
)
from ditto_music.models.small.model import SmallModel
from ditto_music.modes import own_modes
from ditto_music.optimize import Progress, Search
from ditto_music.problem import form_of
from ditto_music.protocols import Control, Form, Model, Objective
from ditto_music.result import Result

KINDS: dict[str, type[Intensity | Melody | Rhythm]] = {
    kind.name: kind for kind in (Intensity, Melody, Rhythm)
}
TRACKS = {"intensity": intensity_track, "melody": melody_track, "rhythm": rhythm_track}
FOLLOWS = tuple(KINDS)
CHANGE = 2  # chroma frames that a change of notes leaves free


@own_modes()
def control_net(
    model: Model,
    prompt: str | Sequence[str],
    control: Control | Sequence[Control],
    *,
    seed: int | Sequence[int] = 0,
    duration: float = 6.0,
    branch: ControlNet | None = None,
    x_T: Tensor | None = None,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result:
    """Sample once with the branch on.

    Arguments and errors as of `optimize`, but for these; what concerns a search is ignored.

    Parameters
    ----------
    branch : trained beside this model; None: the one beside its weights.

    Raises
    ------
    InputError
        If the model has no branch, or a control is not one the branch was trained for.
    """
    small, branch, files = branched(model, branch)
    form = form_of(model, duration)
    controls = [*control] if isinstance(control, Sequence) else [control]
    told = torch.cat([told_of(each.objectives(form), form, small) for each in controls])
    listening = Branched(small, branch, told, files)
    problem = problem_of(listening, prompt, control, seed, duration, search, x_T)
    noise = problem.start.first
    everyone = range(len(problem))
    steps = problem.settings.steps
    with torch.no_grad():
        latent = problem.sample(noise, everyone, steps)
        clip = problem.clip(latent)
        _, rows = problem.measure(clip, everyone)
    rows = [row | {"steps": float(steps)} for row in rows]
    ended: list[Stopped] = [
        "tolerance" if problem.goals[i].met(row) else "iterations" for i, row in enumerate(rows)
    ]
    if callback:
        spent = time.monotonic() - problem.started
        callback(Progress(1, [*everyone], rows, noise, clip, spent, 1))
    return packed(problem, "control-net", noise, latent, ended, [[row] for row in rows])


def branched(model: Model, branch: ControlNet | None) -> tuple[SmallModel, ControlNet, list[Path]]:
    """The model, its branch and the file of that, if it was not given.

    Raises
    ------
    InputError
        If it has none.
    """
    if isinstance(model, SmallModel):
        if branch is not None:
            return model, branch, []
        if file := branch_file(model):
            return model, load_branch(file, model.denoiser.config), [file]
    raise InputError(
        f"method 'control-net' is trained for ditto-small, and {model.name} has no trained branch: "
        "take that model, or another method"
    )


def told_of(aims: Sequence[Objective], form: Form, model: SmallModel) -> Tensor:
    """What the branch is told of an item's targets, (1, T, 18).

    Raises
    ------
    InputError
        If one is not what it was trained for, or two are of one kind.
    """
    frame, frames = model.seconds_per_frame, form.latent_shape[-1]
    middles = (torch.arange(frames) + 0.5) * frame
    tracks: dict[str, Tensor] = {}
    for aim in aims:
        control = aim.control if isinstance(aim, Aim) else None
        part = control if isinstance(control, Within) else None
        whole = part.control if part else control
        name = next((name for name, kind in KINDS.items() if isinstance(whole, kind)), None)
        if not isinstance(aim, Aim) or whole is None or name is None:
            raise InputError(
                f"method 'control-net' was trained to follow {', '.join(FOLLOWS)} alone, and this "
                f"asks for {aim.name}: leave it out, or take another method"
            )
        if name in tracks:
            raise InputError(
                f"method 'control-net' is told each control once, and this asks for {name} "
                "twice: leave one out, or take another method"
            )
        times = whole.times(aim.form)
        assert times is not None
        start = part.start / form.sample_rate if part else 0.0
        stop = start + part.frames / form.sample_rate if part else form.seconds + frame
        target = held(aim.target) if name == "melody" else aim.target
        track = TRACKS[name](target[None], times + start, frame, frames)
        tracks[name] = track * ((start <= middles) & (middles < stop))[:, None]
    return asked(tracks, frames)


def held(classes: Tensor) -> Tensor:
    """Pitch classes (F,) with the frames in which notes change, free in the target, as the note
    before: the branch has learnt tunes in which one follows at once on the other.
    """
    filled = classes.tolist()
    for i in range(1, len(filled)):
        after = filled[i : i + CHANGE + 1]
        if filled[i] < 0 <= filled[i - 1] and any(c >= 0 for c in after):
            filled[i] = filled[i - 1]
    return torch.tensor(filled)
