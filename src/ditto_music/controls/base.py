"""A control is three small pieces: a target, a differentiable feature, a loss between them.

Write a subclass with those three methods and it works everywhere: in `optimize`, in sums with other
controls, in reports and plots.
"""

from __future__ import annotations

import inspect
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.item import RESERVED
from ditto_music.panels import Panel
from ditto_music.protocols import Clip, Form

SLACK = 0.05  # seconds by which what is asked for may miss the clip's end: edits last whole frames


class Term(ABC):
    """What can be added and weighted: a control, or a sum of them.

    Attributes
    ----------
    sets_level : whether it asks for a loudness, which nothing may change afterwards.
    """

    sets_level: bool = False

    @abstractmethod
    def objectives(self, form: Form) -> list[Aim]:
        """Every control in it with its target made for `form`, and its weight.

        Raises
        ------
        InputError
            If a target cannot be made for such a clip: one line, what and how to mend it.
        """

    def __add__(self, other: Term) -> Sum:
        """Ask for both."""
        return Sum([(1.0, self), (1.0, other)]) if _is_term(other) else NotImplemented

    def __radd__(self, nothing: int) -> Term:
        """It alone: where `sum` begins."""
        return self if nothing == 0 else NotImplemented

    def __rmul__(self, weight: float) -> Sum:
        """Ask for it with this weight."""
        if not 0 <= weight < math.inf:
            raise InputError(f"the weight of a control is {weight:g}: it must be finite, 0 or more")
        return Sum([(float(weight), self)])

    __mul__ = __rmul__


class Control(Term):
    """Something asked of a clip.

    Attributes
    ----------
    name : in reports and plots.
    tolerance : a loss this small counts as met, in the units of `loss`.
    scale : a loss of this size counts for one in a sum; None: the tolerance, where there is one.
    arguments : what it was made with, by name.
    files : those of them that may be the path of a file, which a saved run then keeps.

    In a sum each control counts by ``weight * loss / scale``, so weights mean the same whatever the
    units: see `Sum`.
    """

    name: ClassVar[str]
    tolerance: float = 0.0
    scale: float | None = None
    files: tuple[str, ...] = ()
    arguments: Mapping[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep what it is made with, so that a saved run can make it again; copies get it later."""
        self = super().__new__(cls)
        given = inspect.signature(cls.__init__).bind_partial(self, *args, **kwargs).arguments
        kept = {name: value for name, value in given.items() if value is not self}
        object.__setattr__(self, "arguments", kept)  # a frozen dataclass has no other way
        return self

    @abstractmethod
    def target(self, form: Form) -> Tensor:
        """What is asked of a clip of this form: (...), on ``form.device``.

        Raises
        ------
        InputError
            If it cannot be asked of such a clip: one line that says what and how to mend it.
        """

    @abstractmethod
    def feature(self, clip: Clip) -> Tensor:
        """What the clip has: (B, ...), differentiable in ``clip.latent``."""

    @abstractmethod
    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """How far the one is from the other: (B,), one value an item, never negative."""

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Further figures for reports, each (B,)."""
        return {}

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """What to draw of one item: `feature` comes without its batch axis."""
        return []

    def known(self, target: Tensor) -> tuple[Tensor, Tensor] | None:
        """Of a target that is a part of the clean latent itself: it, (..., T), and where, (T,)."""
        return None

    def times(self, form: Form) -> Tensor | None:
        """Seconds of the target's last axis (F,); None where it is not over time."""
        return None

    def cut(self, target: Tensor, form: Form, start: float, inner: Form) -> Tensor:
        """Of the target made for `form`, what asks for the stretch `inner` from `start` s on.

        Of a target over time, each of the stretch's frames has the value nearest to it.

        Raises
        ------
        InputError
            If the stretch cannot be told what to do without the rest.
        """
        times, inside = self.times(form), self.times(inner)
        if times is None or inside is None:
            return target
        near = torch.bucketize(inside + start, (times[1:] + times[:-1]) / 2)
        return target[..., near.to(target.device)]

    def objectives(self, form: Form) -> list[Aim]:
        """The control with its target made for `form`."""
        if self.name in RESERVED:
            raise InputError(
                f"a control cannot be named '{self.name}': rows of a search have a figure of that "
                "name; give it another"
            )
        aim = Aim(self, tensor_of(self, "target", self.target(form)), form)
        if not 0 < aim.scale < math.inf:
            raise InputError(f"control '{self.name}': its scale is {aim.scale:g}: give it above 0")
        return [aim]


@dataclass(frozen=True)
class Aim:
    """A control, its target for one form, and its weight in the sum."""

    control: Control
    target: Tensor
    form: Form
    weight: float = 1.0

    @property
    def name(self) -> str:
        """The control's."""
        return self.control.name

    @property
    def tolerance(self) -> float:
        """The control's."""
        return self.control.tolerance

    @property
    def scale(self) -> float:
        """The control's, or its tolerance; without either 1."""
        own = self.control.scale
        return self.tolerance or 1.0 if own is None else own

    @property
    def sets_level(self) -> bool:
        """Whether the control does, or asks for a part of the latent as it is."""
        return self.control.sets_level or self.known is not None

    @property
    def known(self) -> tuple[Tensor, Tensor] | None:
        """The control's."""
        return self.control.known(self.target)

    def measure(self, clip: Clip) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss (B,) before the weight, in the graph, and the control's own figures."""
        feature = self.control.feature(clip)
        figures = self.control.metrics(feature.detach(), self.target)
        return self._checked(self.control.loss(feature, self.target), clip), figures

    def _checked(self, given: object, clip: Clip) -> Tensor:
        """A loss (B,) that can be followed, or one line about what it is instead."""
        loss, items = tensor_of(self.control, "loss", given), len(clip.latent)
        if loss.shape != (items,):
            raise InputError(
                f"control '{self.name}': its loss is of shape {tuple(loss.shape)}: give one value "
                f"an item, ({items},)"
            )
        if clip.latent.requires_grad and torch.is_grad_enabled() and not loss.requires_grad:
            raise InputError(
                f"control '{self.name}': its loss has no gradient: leave out detach, no_grad, "
                "arg-max and rounding"
            )
        return loss

    def panels(self, clip: Clip) -> list[list[Panel]]:
        """What to draw, a list an item; nothing, and a warning, where the control cannot tell."""
        features, target = self.control.feature(clip).detach().cpu(), self.target.cpu()
        try:
            return [[*self.control.panels(one, target, self.form)] for one in features]
        except Exception as error:  # what was found is worth more than its picture
            why = f"{type(error).__name__}: {error}"
            warnings.warn(f"control '{self.name}' is not drawn ({why})", stacklevel=2)
            return [[] for _ in features]


class Sum(Term):
    """Several controls at once, weighted; each is reported on its own, and one of weight 0 only so.

    The total is ``sum_i w_i L_i / s_i`` with each control's `scale` s_i, what counts as met. Until
    a search is on all sampler steps, s_i is instead what L_i was at its start: see
    `ditto_music.goal.Goal.measure`.
    """

    def __init__(self, terms: Sequence[tuple[float, Term]]) -> None:
        self.terms = list(terms)
        self.sets_level = any(term.sets_level for weight, term in self.terms if weight > 0)

    def objectives(self, form: Form) -> list[Aim]:
        """Those of every term, weights multiplied through."""
        return [
            replace(aim, weight=weight * aim.weight)
            for weight, term in self.terms
            for aim in term.objectives(form)
        ]


def _is_term(value: object) -> bool:
    return isinstance(value, Term)


def tensor_of(control: Control, what: str, value: object) -> Tensor:
    """What a method of a control gave, which of one's own may be anything.

    Raises
    ------
    InputError
        If it is no tensor.
    """
    if isinstance(value, Tensor):
        return value
    raise InputError(
        f"control '{control.name}': its {what} is a {type(value).__name__}: give a tensor"
    )
