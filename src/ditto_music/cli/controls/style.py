"""The flag of `Style` and `StyleLike`: what a tagger is to hear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ditto_music.cli.controls.figure import Figure

if TYPE_CHECKING:
    from ditto_music.controls import Style, StyleLike

GROUP = Group.create_ordered("Style")


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True)
class StyleFlags:
    """Words that a tagger knows, or a recording to sound like."""

    style: Annotated[
        str | None,
        Parameter(
            metavar="WORDS",
            help="What a music tagger is to hear: a genre, mood, decade, voice or instrument, or "
            "several (jazz, 'sad piano', '80s rock'). Or an audio file to sound like.",
        ),
    ] = None

    def control(self) -> Style | StyleLike | None:
        """The control, where words or a recording were given."""
        from ditto_music.controls import Style, StyleLike

        if self.style is None:
            return None
        return StyleLike(self.style) if self._names_recording() else Style(self.style)

    def figure(self) -> Figure:
        """How likely the words are, or how like the recording it is."""
        if self._names_recording():
            return Figure(lambda cosine: f"{cosine:.2f}", "similarity", "similarity")
        return Figure(lambda share: f"{share:.2f}", f"probability of {self.style}", "probability")

    def _names_recording(self) -> bool:
        from ditto_music.audio import names_file
        from ditto_music.audio.files import names_audio

        return self.style is not None and (names_file(self.style) or names_audio(self.style))
