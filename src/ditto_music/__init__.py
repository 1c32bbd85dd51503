"""DITTO for everyone: training-free control of text-to-music diffusion models."""

from ditto_music._version import __version__
from ditto_music.controls import (
    Brightness,
    Clap,
    Control,
    Intensity,
    Match,
    MatchSpectrum,
    Melody,
    Rhythm,
    Structure,
    Style,
    StyleLike,
    Tempo,
    Term,
)
from ditto_music.errors import InputError
from ditto_music.generate import generate
from ditto_music.models import load_model
from ditto_music.optimize import Progress, optimize
from ditto_music.result import Result, Settings
from ditto_music.sampling.guidance import Guidance

__all__ = [
    "Brightness",
    "Clap",
    "Control",
    "Guidance",
    "InputError",
    "Intensity",
    "Match",
    "MatchSpectrum",
    "Melody",
    "Progress",
    "Result",
    "Rhythm",
    "Settings",
    "Structure",
    "Style",
    "StyleLike",
    "Tempo",
    "Term",
    "__version__",
    "generate",
    "load_model",
    "optimize",
]
