"""What a batch begins with: initial noise, and what noisy samplers add to it on the way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from ditto_music.errors import InputError
from ditto_music.protocols import Form
from ditto_music.sampling import draw_noise, draw_noises


class Start:
    """The seeds' own noise, or what is given in its place.

    A search's *variable* is initial noise (B, ...), or with later noises (B, n, ...); what it has
    none of is here.

    Parameters
    ----------
    form, seeds : of the items.
    steps : of the sampler.
    given : a variable, of one item for all or of each; None: the seeds' own initial noise.

    Attributes
    ----------
    first : (B, ...), initial noise.

    Raises
    ------
    InputError
        If what is given is not noise of these items.
    """

    def __init__(
        self, form: Form, seeds: Sequence[int], steps: int, given: Tensor | None = None
    ) -> None:
        self.form, self.seeds, self.steps = form, seeds, steps
        self.first, self._given = self.split(self.fitted(given))

    def own(self) -> Tensor:
        """The seeds' own initial noise, (B, ...)."""
        return draw_noise(self.form.latent_shape, self.seeds).to(self.form.device)

    @cached_property
    def later(self) -> Tensor:
        """Of later steps, (B, steps - 1, ...): what was given, and then what the seeds' generators
        draw after their initial noise.
        """
        drawn = draw_noises(self.form.latent_shape, self.seeds, self.steps)[:, 1:]
        return _filled(self._given, drawn.to(self.form.device))

    @property
    def all(self) -> Tensor:
        """Initial and later noises as one variable, (B, steps, ...)."""
        return torch.cat([self.first[:, None], self.later], dim=1)

    def split(self, variable: Tensor) -> tuple[Tensor, Tensor | None]:
        """Initial noise (B, ...) and the later noises a variable has, (B, n - 1, ...)."""
        if variable.ndim == 1 + len(self.form.latent_shape):
            return variable, None
        return variable[:, 0], variable[:, 1:]

    def later_of(self, variable: Tensor, items: Sequence[int]) -> Tensor:
        """All later noises of these items, (B, steps - 1, ...), with those of their variable."""
        return _filled(self.split(variable)[1], self.later[list(items)])

    def changed(self, variable: Tensor) -> Tensor | None:
        """The later noises (B, n, ...) that are not the seeds' own, with this variable."""
        searched = self.split(variable)[1]
        return self.later if searched is None and self._given is not None else searched

    def fitted(self, given: Tensor | None, *, later: bool = True) -> Tensor:
        """The seeds' own noise, or a float32 copy of what was given, an item's own or one for all.

        Parameters
        ----------
        later : whether later noises may come with it; else an error.
        """
        own = self.own()
        if given is None:
            return own
        given = torch.as_tensor(given).detach().to(own, copy=True)
        if not bool(torch.isfinite(given).all()):
            raise InputError("x_T holds values that are not finite numbers: give other noise")
        latent = self.form.latent_shape
        lead, sizes = given.shape[: -len(latent)], given.shape[-len(latent) :]
        if tuple(sizes) != tuple(latent) or len(lead) not in ((1, 2) if later else (1,)):
            raise InputError(
                f"x_T is of shape {tuple(given.shape)}: this model begins "
                f"{self.form.seconds:g} s with (items, {', '.join(map(str, latent))})"
            )
        if lead[0] not in (1, len(own)):
            raise InputError(f"x_T has {lead[0]} items for {len(own)}: give one, or one an item")
        return given.expand(len(own), *given.shape[1:])


def _filled(later: Tensor | None, rest: Tensor) -> Tensor:
    """Later noises (B, n, ...), as many as `rest` has: too few are of it."""
    if later is None:
        return rest
    later = later[:, : rest.shape[1]]
    return torch.cat([later, rest[:, later.shape[1] :]], dim=1)
