"""Edits of recordings: new music inside, the user's own samples untouched outside."""

from ditto_music.editing.edit import Edit
from ditto_music.editing.inpaint import inpaint
from ditto_music.editing.seams import Seam, measure_seam

__all__ = ["Edit", "Seam", "inpaint", "measure_seam"]
