"""Mistakes of an own control are told as one line, before the search and not after it."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditto_music import Control, InputError, Result, optimize
from ditto_music.baselines import METHODS
from ditto_music.models.small import SmallModel
from ditto_music.panels import Panel
from ditto_music.protocols import Clip, Form

FAST: dict[str, Any] = {"duration": 0.7, "steps": 3, "surrogate_steps": 3, "iterations": 2}


class Own(Control):
    """As it should be: mean square of the latent against a number."""

    name = "own"

    def target(self, form: Form) -> Tensor:
        return torch.tensor(2.0)

    def feature(self, clip: Clip) -> Tensor:
        return clip.latent.square().mean((1, 2))

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        return (feature - target).square()


def searched(model: SmallModel, control: object, seen: list[int] | None = None) -> Result:
    def callback(progress: object) -> None:
        if seen is not None:
            seen.append(1)

    return optimize(model, "calm", control, callback=callback, **FAST)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [0.1, np.float32(0.1), None], ids=["float", "numpy", "none"])
def test_a_target_that_is_no_tensor_is_refused(model: SmallModel, target: object) -> None:
    class Wrong(Own):
        def target(self, form: Form) -> Any:
            return target

    seen: list[int] = []
    with pytest.raises(InputError, match=rf"'own': its target is a {type(target).__name__}: give"):
        searched(model, Wrong(), seen)
    assert not seen


@pytest.mark.parametrize("missing", ["name", "revision"])
def test_what_a_model_lacks_is_told_before_the_search(model: SmallModel, missing: str) -> None:
    class Lacking:
        def __getattr__(self, name: str) -> Any:
            if name == missing:
                raise AttributeError(name)
            return getattr(model, name)

    seen: list[int] = []
    with pytest.raises(AttributeError, match=missing):
        searched(Lacking(), Own(), seen)  # type: ignore[arg-type]
    assert not seen


def test_a_control_that_cannot_be_drawn_costs_a_line_and_no_result(model: SmallModel) -> None:
    class Undrawn(Own):
        def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
            raise IndexError("no such axis")

    class Nothing(Own):
        def panels(self, feature: Tensor, target: Tensor, form: Form) -> Any:
            return None

    for control, why in ((Undrawn(), "IndexError: no such axis"), (Nothing(), "TypeError: .*None")):
        with pytest.warns(match=rf"'own' is not drawn \({why}"):
            result = searched(model, control)
        assert len(result.items[0].history) == 2
        assert result.items[0].panels == []


@pytest.mark.parametrize("taken", ["loss", "steps", "over"])
def test_a_name_that_a_row_has_already_is_refused(model: SmallModel, taken: str) -> None:
    class Taken(Own):
        name = taken

    with pytest.raises(InputError, match=f"cannot be named '{taken}'"):
        searched(model, Taken() + Own())


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (lambda loss: loss.mean(), r"its loss is of shape \(\): give one value an item, \(1,\)"),
        (lambda loss: loss[:, None], r"its loss is of shape \(1, 1\)"),
        (lambda loss: loss.item(), "its loss is a float: give a tensor"),
        (lambda loss: loss.detach(), "its loss has no gradient: leave out detach"),
    ],
    ids=["scalar", "column", "float", "detached"],
)
def test_a_loss_that_cannot_be_followed_is_refused(
    model: SmallModel, loss: Callable[[Tensor], Any], says: str
) -> None:
    class Wrong(Own):
        def loss(self, feature: Tensor, target: Tensor) -> Any:
            return loss(super().loss(feature, target))

    seen: list[int] = []
    with pytest.raises(InputError, match=f"control 'own': {says}"):
        searched(model, Wrong(), seen)
    assert not seen


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan")])
def test_a_scale_that_nothing_can_be_divided_by_is_refused(model: SmallModel, size: float) -> None:
    class Scaled(Own):
        scale = size

    with pytest.raises(InputError, match=f"'own': its scale is {size:g}: give it above 0"):
        searched(model, Scaled() + Own())


@pytest.mark.parametrize("given", [Own, print, "AABA", 3], ids=["class", "function", "str", "int"])
def test_what_is_no_control_is_refused(model: SmallModel, given: object) -> None:
    with pytest.raises(InputError, match=r"is no control: give one such as Intensity"):
        searched(model, given)


@pytest.mark.parametrize("method", ["ditto", "best-of", "doodl", "dps"])
def test_the_control_whose_loss_is_no_number_is_named(model: SmallModel, method: str) -> None:
    class Broken(Own):
        name = "broken"

        def loss(self, feature: Tensor, target: Tensor) -> Tensor:
            return super().loss(feature, target) * math.nan

    asked: dict[str, Any] = {"duration": 0.7, "steps": 3, "iterations": 2}
    with pytest.raises(FloatingPointError, match=r"the loss of broken is not a finite number: "):
        METHODS[method](model, "calm", Own() + Broken(), **asked)


@pytest.mark.parametrize("weight", [math.nan, math.inf, -1.0])
def test_a_weight_is_a_number_of_zero_or_more(weight: float) -> None:
    with pytest.raises(InputError, match=f"the weight of a control is {weight:g}"):
        weight * Own()
