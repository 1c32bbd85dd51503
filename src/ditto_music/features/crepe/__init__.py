"""Pitch of a single voice by CREPE (Kim, Salamon, Li and Bello, ICASSP 2018)."""

from ditto_music.features.crepe.network import Crepe, load_crepe
from ditto_music.features.crepe.track import VOICED, activations, decode, pitch, pitch_times

__all__ = ["VOICED", "Crepe", "activations", "decode", "load_crepe", "pitch", "pitch_times"]
