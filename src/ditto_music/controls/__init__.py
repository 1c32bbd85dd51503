"""Controls: a feature, a target and a loss each; added and weighted with ``+`` and ``*``."""

from ditto_music.controls.base import Control, Sum
from ditto_music.controls.intensity import Intensity
from ditto_music.controls.match import Match
from ditto_music.controls.melody import Melody

__all__ = ["Control", "Intensity", "Match", "Melody", "Sum"]
