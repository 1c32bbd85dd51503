"""Variations of a saved run, and going on with one.

The noise that was found is sampled again: with fresh noise on the way, under another prompt, or a
little beside it. What a control asked stays in the low frequencies of the noise and so survives in
part (DITTO, appendix I); a step down the control's gradient in each sampler step brings back more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from ditto_music.editing.edit import Edit, looped, measured
from ditto_music.editing.filling import Callback, Task
from ditto_music.editing.windows import rolled
from ditto_music.ending import packed
from ditto_music.errors import InputError
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import embedding
from ditto_music.generate import generate
from ditto_music.item import Item
from ditto_music.modes import own_modes
from ditto_music.optimize import Search, optimize
from ditto_music.problem import Problem
from ditto_music.protocols import Model
from ditto_music.result import Result, Settings
from ditto_music.runs import Run, Take
from ditto_music.sampling import normal, stochastic_ddim

USUAL, MOST = 4, 100  # variations


@dataclass(frozen=True)
class Variations:
    """Variations of one run.

    Attributes
    ----------
    results : one a variation; of an edit with several windows, of the first that was varied.
    edits : of an edit, the finished recordings, else none.
    diversity : mean distance of each two, one minus the cosine of the taggers' embeddings; NaN for
        a single one. Of a run of several clips the mean over them.
    """

    results: list[Result]
    edits: list[Edit]
    diversity: float


@own_modes()
def vary(
    model: Model,
    run: Run,
    *,
    count: int | None = None,
    eta: float = 0.5,
    walk: float = 0.0,
    prompt: str | None = None,
    guide: float = 0.0,
    seed: int = 0,
) -> Variations:
    """Sample the noise of a run again, differently.

    Parameters
    ----------
    model, run : the one `run` was made on, and what `ditto_music.runs.load_run` gave.
    count : how many variations; the noise on the way of number i grows from ``seed + i``. None: 4,
        or the only one there is where `eta` and `walk` are 0.
    eta : fresh noise in each sampler step: 0 none, 1 all that the reverse diffusion has. Sampled by
        DDIM whatever the run was sampled by.
    walk : how far from the noise found towards other noise, 0 to 1, along the sphere.
    prompt : in place of the run's.
    guide : a step down the controls' gradient in each sampler step, in units of the step itself;
        0 is none.

    Returns
    -------
    Variations. Those of an edit are finished recordings; windows that a later one continues are
    left, of an extension all but the last. Interrupted, those that are finished.

    Raises
    ------
    InputError
        If a number is out of range, several variations would be the same, the model's weights are
        not those of the run, or there is nothing to guide by.
    """
    count = check_variation(count, eta, walk, guide)
    _check_weights(model, run)
    takes = varied_takes(run)
    if guide > 0 and any(take.control is None for _, take in takes):
        raise InputError("the run has no control to guide by: leave --guide out")
    results: list[list[Result]] = []
    try:
        results.extend(  # one by one: those before an interrupt stay
            [
                _sample(model, run, take, eta, walk, prompt, guide, seed + number)
                for _, take in takes
            ]
            for number in range(count)
        )
    except KeyboardInterrupt:
        if not results:
            raise
    edits = [_placed(run, takes, made) for made in results] if run.edit else []
    shown = [made[0] if run.edit else together(made) for made in results]
    clips = zip(*([item.audio for item in made.items] for made in shown), strict=True)
    apart = [diversity(ones, model) for ones in clips]
    return Variations(shown, edits, sum(apart) / len(apart))


@own_modes()
def resume(
    model: Model,
    run: Run,
    *,
    callback: Callback | None = None,
    **search: Unpack[Search],
) -> Result | Edit:
    """Go on with the search of a run from the noise it found, which is kept where none is nearer.

    Parameters
    ----------
    search : as `optimize`; what is not given is the run's own.

    Returns
    -------
    Result, or of an edit the finished Edit; of one that is interrupted, the regions that were not
    come to are as they were.

    Raises
    ------
    InputError
        If nothing was asked of the run's music, or the model's weights are not those of the run.
    """
    _check_weights(model, run)
    own = run.settings
    settings: Search = {
        "steps": own.steps,
        "surrogate_steps": own.surrogate_steps,
        "guidance": own.guidance,
        "negative_prompt": own.negative_prompt,
        "iterations": own.iterations or 60,
        "tolerance": own.tolerance,
        "optimizer": own.optimizer,
        "lr": own.lr,
        "time_limit": own.time_limit,
        "sampler": own.sampler,
        "gradient": own.gradient,
        "memory_budget": own.memory_budget,
        "later_noises": own.later_noises,
        "ceiling": own.ceiling,
    }
    settings |= search
    takes = varied_takes(run)
    if any(take.control is None for _, take in takes):
        raise InputError("nothing was asked of this run's music, so there is nothing to improve")
    results: list[Result] = []
    try:
        for _, take in takes:
            assert take.control is not None
            found = optimize(
                model,
                take.prompt,
                take.control,
                seed=take.seed,
                duration=_seconds(run, take),
                x_T=take.noise[None],
                callback=callback,
                **settings,
            )
            results.append(found)
            results[-1] = _no_farther(model, take, found)
            if results[-1].items[0].stopped == "interrupted":
                break
    except KeyboardInterrupt:
        if not results:
            raise
        results[-1] = results[-1].interrupted()
    if run.edit:
        return _placed(run, takes[: len(results)], results)
    return together(results)


def together(results: Sequence[Result]) -> Result:
    """Of a run's clips one by one, as if they had been made at once."""
    items = [item for result in results for item in result.items]
    seconds = sum(result.seconds for result in results)
    return replace(results[0], items=items, seconds=seconds)


def _no_farther(model: Model, take: Take, found: Result) -> Result:
    """What a search found, unless what it began with is nearer: on few steps it need not be."""
    settings, item = found.settings, found.items[0]
    began = generate(
        model,
        take.prompt,
        take.control,
        seed=take.seed,
        duration=settings.duration,
        steps=settings.steps,
        guidance=settings.guidance,
        negative_prompt=settings.negative_prompt,
        sampler=settings.sampler,
        x_T=take.noise[None],
    ).items[0]
    problem = Problem(model, take.prompt, take.control, take.seed, settings)

    def standing(one: Item) -> tuple[bool, float]:
        """Whether it is not met, and what the search went down; less is nearer."""
        clip = problem.clip(one.latent[None].to(model.device))
        with torch.no_grad():
            (total,), (row,) = problem.measure(clip, [0], ceiling=settings.ceiling)
        return not problem.goals[0].met(row), float(total)

    if standing(item) <= standing(began):
        return found
    return replace(found, items=[replace(began, stopped=item.stopped, history=item.history)])


def resumed(run: Run, made: Result | Edit, command: Sequence[str] = ()) -> Run:
    """The run with what `resume` made of it; takes that it did not come to are as they were, found
    with the settings that they were found with.
    """
    results = [made] if isinstance(made, Result) else made.results
    items = [item for result in results for item in result.items]
    takes = [replace(take, settings=take.settings or run.settings) for take in run.takes]
    for (place, take), item in zip(varied_takes(run), items, strict=False):
        takes[place] = replace(take, x_T=item.x_T, later=item.later, settings=None)
    edit = run.edit
    if edit and isinstance(made, Edit):
        edit = replace(edit, recording=made.recording)
    return replace(
        run,
        settings=results[0].settings,
        takes=takes,
        edit=edit,
        command=list(command),
        revision=results[0].revision,
    )


def check_variation(count: int | None, eta: float, walk: float, guide: float) -> int:
    """How many variations to make; numbers out of range and several of the same are refused."""
    for name, value, most in (("eta", eta, 1.0), ("walk", walk, 1.0), ("guide", guide, 10.0)):
        if not 0 <= value <= most:
            raise InputError(f"{name} is {value:g}: it must be 0 to {most:g}")
    differ = eta > 0 or walk > 0
    if count is None:
        return USUAL if differ else 1
    if not 1 <= count <= MOST:
        raise InputError(f"count is {count}: it must be 1 to {MOST}")
    if count > 1 and not differ:
        raise InputError(
            f"count is {count}, but with eta 0 and walk 0 all variations are the same: leave count "
            "out, or give an eta or a walk above 0"
        )
    return count


def _check_weights(model: Model, run: Run) -> None:
    """To other weights the noise of a run means other music."""
    if run.revision and model.revision and run.revision != model.revision:
        raise InputError(
            f"the run was made with weights {run.revision} of {run.model}, and to "
            f"{model.revision} its noise means other music: load those, of the hub as "
            "id@revision, or make it again"
        )


def varied_takes(run: Run) -> list[tuple[int, Take]]:
    """The takes that can be made again without the others, with their places in the run."""
    return [
        (place, take)
        for place, take in enumerate(run.takes)
        if not any(_touch(take, later) for later in run.takes[place + 1 :])
    ]


def _touch(one: Take, other: Take) -> bool:
    """Whether two takes filled holes side by side, so that the later continues the other."""
    if not (isinstance(one.task, Task) and isinstance(other.task, Task)):
        return False
    a, b = one.task.window, other.task.window
    return a.stop == b.start or a.start == b.stop


def diversity(clips: Sequence[Tensor], model: Model) -> float:
    """Mean of one minus the cosine of the taggers' embeddings over all pairs of clips."""
    with torch.no_grad():
        heard = [
            embedding(levelled(clip.mean(0, keepdim=True)), model.sample_rate)[0] for clip in clips
        ]
    apart = [float(1 - F.cosine_similarity(a, b, dim=0)) for a, b in combinations(heard, 2)]
    return sum(apart) / len(apart) if apart else math.nan


def _seconds(run: Run, take: Take) -> float:
    """Of the take's clip."""
    if isinstance(take.task, Task):
        return take.task.window.frames / take.task.sample_rate
    return run.settings.duration


def _sample(
    model: Model,
    run: Run,
    take: Take,
    eta: float,
    walk: float,
    prompt: str | None,
    guide: float,
    seed: int,
) -> Result:
    """One variation of one take."""
    own = take.settings or run.settings
    settings = Settings(
        _seconds(run, take),
        own.steps,
        own.guidance,
        sampler="ddim",
        negative_prompt=own.negative_prompt,
    )
    words = take.prompt if prompt is None else prompt
    problem = Problem(model, words, take.control, seed, settings)
    generator = torch.Generator().manual_seed(problem.seeds[0])
    normal(take.x_T.shape, generator)  # what a run of this seed began with
    away = normal(take.x_T.shape, generator).to(model.device)
    angle = walk * math.pi / 2
    x_T = math.cos(angle) * take.x_T[None].to(model.device) + math.sin(angle) * away
    latent = stochastic_ddim(
        problem.denoiser([0]),
        x_T,
        model.schedule,
        own.steps,
        eta,
        [generator],
        (lambda x_0: problem.measure(problem.clip(x_0), [0])[0]) if guide > 0 else None,
        guide,
    )
    return packed(problem, "vary", x_T, latent)


def _placed(run: Run, takes: Sequence[tuple[int, Take]], results: Sequence[Result]) -> Edit:
    """The run's edit with these takes in place of its own."""
    edit = run.edit
    assert edit is not None
    recording, clipped = rolled(edit.recording, edit.roll), 0
    for (_, take), result in zip(takes, results, strict=True):
        assert take.task is not None
        recording, loud = take.task.put(recording, result.audio[0], result.sample_rate)
        clipped += loud
    recording = rolled(recording, -edit.roll)
    regions = [edit.regions[place] for place, _ in takes]
    tasks = [take.task for _, take in takes if take.task]
    made = measured(recording, regions, results, clipped=clipped, tasks=tasks)
    return looped(made, edit.beat, edit.roll) if edit.loops else made
