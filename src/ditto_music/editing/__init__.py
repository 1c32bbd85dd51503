"""Edits of recordings: new music inside, the user's own samples untouched outside."""

from ditto_music.editing.edit import Alternatives, BrokenOff, Edit
from ditto_music.editing.extend import outpaint
from ditto_music.editing.inpaint import inpaint
from ditto_music.editing.invert import invert
from ditto_music.editing.loop import loop, loop_from_prompt
from ditto_music.editing.seams import Seam, measure_seam

__all__ = [
    "Alternatives",
    "BrokenOff",
    "Edit",
    "Seam",
    "inpaint",
    "invert",
    "loop",
    "loop_from_prompt",
    "measure_seam",
    "outpaint",
]
