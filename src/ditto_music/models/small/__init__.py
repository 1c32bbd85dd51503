"""ditto-small: the embedded model, from prompt to audio."""

from ditto_music.models.small.model import SmallModel, debug_model, load_small, shipped_weights

__all__ = ["SmallModel", "debug_model", "load_small", "shipped_weights"]
