"""The commands there are."""

from __future__ import annotations

from cyclopts import App, Parameter

from ditto_music._version import __version__
from ditto_music.cli.commands.batch import batch
from ditto_music.cli.commands.compare import compare
from ditto_music.cli.commands.control import control
from ditto_music.cli.commands.evaluate import evaluate
from ditto_music.cli.commands.generate import generate
from ditto_music.cli.commands.inpaint import inpaint
from ditto_music.cli.commands.invert import invert
from ditto_music.cli.commands.loop import loop
from ditto_music.cli.commands.models import models
from ditto_music.cli.commands.outpaint import outpaint
from ditto_music.cli.commands.studio import studio
from ditto_music.cli.commands.study import study
from ditto_music.cli.commands.vary import resume, vary

app = App(
    name="ditto-music",
    help="Control open text-to-music models, without training.",
    help_format="plaintext",
    version=__version__,
    default_parameter=Parameter(negative=()),
)

#: In the order of the help.
COMMANDS = (
    *(generate, control, inpaint, outpaint, loop, invert, vary, resume),
    *(studio, batch, models, compare, study, evaluate),
)

for place, command in enumerate(COMMANDS):
    app.command(command, sort_key=place)
