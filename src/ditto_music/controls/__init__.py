"""Controls: a feature, a target and a loss each; added and weighted with ``+`` and ``*``."""

from ditto_music.controls.base import Control, Sum, Term
from ditto_music.controls.brightness import Brightness
from ditto_music.controls.clap import Clap
from ditto_music.controls.intensity import Intensity
from ditto_music.controls.match import Match
from ditto_music.controls.match_spectrum import MatchSpectrum
from ditto_music.controls.melody import Melody
from ditto_music.controls.rhythm import Rhythm
from ditto_music.controls.structure import Structure
from ditto_music.controls.style import Style, StyleLike
from ditto_music.controls.tempo import Tempo

__all__ = [
    "Brightness",
    "Clap",
    "Control",
    "Intensity",
    "Match",
    "MatchSpectrum",
    "Melody",
    "Rhythm",
    "Structure",
    "Style",
    "StyleLike",
    "Sum",
    "Tempo",
    "Term",
]
