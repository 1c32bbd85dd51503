"""The methods that `--method` chooses from, by name; each is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ditto_music.baselines import Method

#: Of `ditto_music.baselines.METHODS`, which brings all of the library with it.
NAMES = (
    *("ditto", "plain", "best-of", "freedom", "guidance-gradients", "dps", "mpgd", "dsg", "doodl"),
    "control-net",
    *("naive-masking", "naive-masking-50", "multidiffusion", "multidiffusion-50"),
)


def method_named(name: str) -> Method:
    """A method, called as `ditto_music.optimize` is."""
    from ditto_music.baselines import METHODS

    return METHODS[name]
