"""The systems that DITTO is compared with, each a function with the signature of `optimize`.

They run on every model and take the same controls, but for `control_net`, which is trained. What
they share is in `walking`, `keeping` and `keeper`; each other file is one paper's update rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ditto_music.baselines.best_of import best_of
from ditto_music.baselines.control_net import FOLLOWS, control_net
from ditto_music.baselines.doodl import doodl
from ditto_music.baselines.dps import dps
from ditto_music.baselines.dsg import dsg
from ditto_music.baselines.freedom import freedom
from ditto_music.baselines.guidance_gradients import guidance_gradients
from ditto_music.baselines.mpgd import mpgd
from ditto_music.baselines.multidiffusion import multidiffusion
from ditto_music.baselines.naive_masking import naive_masking
from ditto_music.baselines.plain import plain
from ditto_music.optimize import optimize
from ditto_music.result import Result


@dataclass(frozen=True)
class Method:
    """A system: called as `optimize` is.

    Attributes
    ----------
    solve : the function.
    about : what it does, in a few words.
    own : the settings its paper uses where they are not those of `optimize`.
    keeps : it only keeps parts of a recording, so it needs a reference with a mask.
    finds : the music is its noise's own sample, so a run of it can be saved and varied.
    follows : names of the controls it was trained for; empty: any.
    trained_for : the model that was; None: any.
    """

    solve: Callable[..., Result]
    about: str
    own: Mapping[str, Any] = field(default_factory=dict[str, Any])
    keeps: bool = False
    finds: bool = False
    follows: tuple[str, ...] = ()
    trained_for: str | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """As `optimize`."""
        return self.solve(*args, **kwargs)


#: Name -> how to call it; the name is that of ``--method`` and of reports.
METHODS: dict[str, Method] = {
    "ditto": Method(optimize, "search the initial noise through the sampler", finds=True),
    "plain": Method(plain, "the model's own sample", finds=True),
    "best-of": Method(best_of, "the best of many samples, at the cost of ditto", finds=True),
    "freedom": Method(freedom, "energy guidance with time travel", {"steps": 100}),
    "guidance-gradients": Method(guidance_gradients, "guidance of a fixed step", {"steps": 50}),
    "dps": Method(dps, "diffusion posterior sampling", {"steps": 100}),
    "mpgd": Method(mpgd, "guidance of the clean estimate, not through the network", {"steps": 100}),
    "dsg": Method(dsg, "guidance of the direction of each step's noise", {"steps": 100}),
    "doodl": Method(
        doodl,
        "search the noise through exactly invertible sampling",
        {"steps": 20, "iterations": 70},
        finds=True,
    ),
    "control-net": Method(
        control_net,
        "a trained branch is told what to play",
        {"steps": 100},
        follows=FOLLOWS,
        trained_for="ditto-small",
    ),
    "naive-masking": Method(naive_masking, "what stays put in place at every step", keeps=True),
    "naive-masking-50": Method(partial(naive_masking, until=0.5), "the same, half-way", keeps=True),
    "multidiffusion": Method(multidiffusion, "what stays averaged in at every step", keeps=True),
    "multidiffusion-50": Method(
        partial(multidiffusion, until=0.5), "the same, half-way", keeps=True
    ),
}

__all__ = [
    "METHODS",
    "Method",
    "best_of",
    "control_net",
    "doodl",
    "dps",
    "dsg",
    "freedom",
    "guidance_gradients",
    "mpgd",
    "multidiffusion",
    "naive_masking",
    "plain",
]
