"""What the studies share: what is asked of an item, how it is made, counted and heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ditto_music.baselines import METHODS
from ditto_music.controls import Control, Intensity, Melody, Structure
from ditto_music.controls.base import Term
from ditto_music.errors import InputError
from ditto_music.evaluation.adherence import adherence, heard
from ditto_music.evaluation.contests import CONTESTS, curve_of, form_of_item, tune_of
from ditto_music.evaluation.studies.study import Item
from ditto_music.features.loudness import levelled
from ditto_music.features.musicnn import embedding
from ditto_music.generate import generate
from ditto_music.protocols import Model
from ditto_music.result import Result

T = TypeVar("T")

#: Methods that draw noise on the way.
WALKS = ("freedom", "guidance-gradients", "dps", "mpgd", "dsg")
OTHERS = ("plain", "best-of", *WALKS)  # whose clips are no changed ones of the seed's own noise


def control_of(name: str, item: Item) -> Control:
    """The control of this name with the item's target: its curve, tune or form."""
    if name == "melody":
        return Melody(tune_of(item.number, item.scale.duration), stretch="fit")
    if name == "structure":
        return Structure(form_of_item(item.number))
    return Intensity(curve_of(item.number, item.scale.duration)[1])


def solved(model: Model, item: Item, control: Term, method: str = "ditto", **own: Any) -> Result:
    """An item made by a method.

    Parameters
    ----------
    own : in place of the scale's settings.

    Raises
    ------
    KeyboardInterrupt
        If it was interrupted: half an item is none.
    """
    scale = item.scale
    settings: dict[str, Any] = {
        "seed": item.seed,
        "duration": scale.duration,
        "steps": scale.steps,
        "surrogate_steps": scale.surrogate_steps,
        "iterations": scale.iterations,
    }
    result = METHODS[method](model, item.words, control, **(settings | own))
    if any(one.stopped == "interrupted" for one in result.items):
        raise KeyboardInterrupt
    return result


def plain(
    model: Model,
    item: Item,
    control: Term | None = None,
    prompts: Sequence[str] = (),
    **own: Any,
) -> Result:
    """The item's own sample, left alone; a control is only measured.

    Parameters
    ----------
    prompts : in place of the item's.
    own : in place of the scale's settings.
    """
    scale = item.scale
    settings: dict[str, Any] = {
        "seed": item.seed,
        "duration": scale.duration,
        "steps": scale.steps,
    }
    return generate(model, [*prompts] or item.words, control, **(settings | own))


class Operations(TorchDispatchMode):
    """Adds up what torch counts of each operation inside.

    As `torch.utils.flop_counter.FlopCounterMode`, which also keeps account of modules, at a cost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One operation."""
        made = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)  # pyright: ignore[reportPrivateUsage]
        if count is not None:
            self.total += int(count(*args, **(kwargs or {}), out_val=made))
        return made


def counted(work: Callable[[], T]) -> tuple[T, int]:
    """What it returns, and how many operations it took.

    They are the floating-point ones of matrix products and convolutions, as torch counts them (of
    attention itself on a GPU only); unlike seconds, which counting inflates, they are the same on a
    busy machine.
    """
    with Operations() as counter:
        made = work()
    return made, counter.total


def own_of(result: Result, name: str) -> float:
    """The control's own figure, that of `ditto_music.evaluation.contests`."""
    control, _, figure = CONTESTS[name].own.key.partition(".")
    return result.items[0].metrics[control][figure]


def judged(result: Result, name: str, item: Item) -> float | None:
    """The figure of an ear that was not optimised; None where the clip is too short for it."""
    contest = CONTESTS[name]
    assert contest.judge is not None
    try:
        judge = contest.judge(item.number, item.scale.duration)
        return judge(mono_of(result).numpy()[0], result.sample_rate)[contest.heard.key]
    except InputError:
        return None


def mono_of(result: Result) -> Tensor:
    """The first clip, (1, N)."""
    return result.audio[0].float().mean(0, keepdim=True)


@torch.no_grad()
def vector_of(result: Result) -> Tensor:
    """The first clip as a music tagger hears it, at one level: (d,)."""
    return embedding(levelled(mono_of(result)), result.sample_rate)[0]


def apart(a: Result, b: Result) -> float:
    """How different two clips are to a music tagger: one minus the cosine, 0 is the same."""
    return float(1 - F.cosine_similarity(vector_of(a), vector_of(b), dim=0))


def from_uncontrolled(system: str, made: Result, free: Result) -> float | None:
    """How far a system's clip is `apart` from the uncontrolled one of the same noise.

    None of that one itself, of the best of other noises' own samples, and of walks that draw noise
    on the way: their clips without control would be others.
    """
    return None if system in OTHERS else apart(made, free)


def tags_of(result: Result, words: str) -> float | None:
    """Mean probability of the tags that the words name; None where they name none."""
    found = adherence(words, heard(mono_of(result), result.sample_rate), [])
    return None if found is None else found.probability
