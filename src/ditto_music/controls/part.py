"""A request for a part of a clip: what an edit asks of the new music and not of the old."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ditto_music.controls.base import Aim, Control, Term
from ditto_music.panels import Panel
from ditto_music.protocols import Clip, Form


class Part(Term):
    """Controls that look at a stretch of the clip only, as if it were all there is.

    Parameters
    ----------
    term : a control or a sum.
    start, stop : of the stretch in the clip, in seconds.
    offset, whole : where the stretch begins in what the controls ask for, and how long that is, in
        seconds, where it is made in several clips; None: the stretch is all of it.
    """

    def __init__(
        self,
        term: Term,
        start: float,
        stop: float,
        offset: float = 0.0,
        whole: float | None = None,
    ) -> None:
        self.term = term
        self.start, self.stop = start, stop
        self.offset, self.whole = offset, whole

    def objectives(self, form: Form) -> list[Aim]:
        """Those of the controls, their targets made for the stretch."""
        inner = replace(form, seconds=self.stop - self.start)
        first = min(round(self.start * form.sample_rate), form.frames - inner.frames)
        asked = replace(form, seconds=self.whole or inner.seconds)
        aims: list[Aim] = []
        for aim in self.term.objectives(asked):
            target = aim.control.cut(aim.target, asked, self.offset, inner)
            control = Within(aim.control, first, inner.frames)
            aims.append(replace(aim, control=control, target=target, form=inner))
        return aims


class Within(Control):
    """One control on samples ``start : start + frames``, all of whose times count from there."""

    def __init__(self, control: Control, start: int, frames: int) -> None:
        self.name = control.name  # type: ignore[misc]
        self.tolerance, self.scale = control.tolerance, control.scale
        self.sets_level = control.sets_level
        self.control, self.start, self.frames = control, start, frames

    def target(self, form: Form) -> Tensor:
        """The control's, for the form of the stretch."""
        return self.control.target(form)

    def feature(self, clip: Clip) -> Tensor:
        """The control's of the stretch."""
        return self.control.feature(clip.part(self.start, self.frames))

    def loss(self, feature: Tensor, target: Tensor) -> Tensor:
        """The control's (B,)."""
        return self.control.loss(feature, target)

    def metrics(self, feature: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The control's, each (B,)."""
        return self.control.metrics(feature, target)

    def panels(self, feature: Tensor, target: Tensor, form: Form) -> list[Panel]:
        """The control's; time begins with the stretch."""
        return self.control.panels(feature, target, form)
