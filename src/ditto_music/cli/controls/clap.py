"""The flags of `Clap`: a text or a recording, by CLAP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ditto_music.cli.controls.figure import Figure
from ditto_music.errors import InputError

if TYPE_CHECKING:
    from ditto_music.controls import Clap

GROUP = Group.create_ordered("CLAP")


@Parameter(name="*", group=GROUP)
@dataclass(frozen=True)
class ClapFlags:
    """What the music is to be like, and the weights that can tell."""

    clap: Annotated[
        str | None,
        Parameter(
            metavar="TEXT",
            help="What the music is to be, in words, or an audio file to sound like. It needs "
            "--clap-model and the extra 'hub'.",
        ),
    ] = None
    clap_model: Annotated[
        str | None,
        Parameter(
            metavar="MODEL",
            help="Weights of CLAP: a folder, or a name on the Hugging Face hub such as "
            "laion/larger_clap_music.",
        ),
    ] = None

    def control(self) -> Clap | None:
        """The control, where a text or a recording was given.

        Raises
        ------
        InputError
            If one flag is given without the other, or they cannot be used.
        """
        from ditto_music.audio import names_file
        from ditto_music.audio.files import names_audio
        from ditto_music.controls import Clap

        if self.clap is None:
            if self.clap_model is not None:
                raise InputError(
                    "--clap-model does nothing alone: say what to look for with --clap"
                )
            return None
        if self.clap_model is None:
            raise InputError("--clap: give its weights with --clap-model, a folder or a hub name")
        if names_file(self.clap) or names_audio(self.clap):
            return Clap(audio=self.clap, model=self.clap_model)
        return Clap(self.clap, model=self.clap_model)

    def figure(self) -> Figure:
        """The cosine."""
        return Figure(lambda cosine: f"{cosine:.2f}", "score", "score")
