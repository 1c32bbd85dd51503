"""`studio`: a local web page to draw, hum and hear."""

from __future__ import annotations

import importlib.util
import math
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from ditto_music.cli.shared import FILES, MUSIC, Whole
from ditto_music.errors import InputError

PAGE = Group.create_ordered("Page")
LIMITS = Group.create_ordered("Limits")


def studio(
    *,
    model: Annotated[
        str, Parameter(group=MUSIC, help="The model that the page begins with.")
    ] = "ditto-small",
    port: Annotated[
        Whole, Parameter(group=PAGE, help="Where to listen; 0 takes a free one.")
    ] = 7860,
    host: Annotated[
        str,
        Parameter(
            group=PAGE,
            help="Address to listen at; 0.0.0.0 lets other machines in, and needs a password.",
        ),
    ] = "127.0.0.1",
    password: Annotated[
        str | None,
        Parameter(
            group=PAGE,
            env_var="DITTO_MUSIC_PASSWORD",
            help="Asked of everyone who opens the page; any user name will do. It travels as "
            "plain text: over a network put a proxy with HTTPS before it.",
        ),
    ] = None,
    open: Annotated[
        bool, Parameter(group=PAGE, show_default=False, help="Open the page in a browser.")
    ] = False,
    upload_mb: Annotated[float, Parameter(group=LIMITS, help="Size of a file.")] = 50.0,
    upload_seconds: Annotated[
        float, Parameter(group=LIMITS, help="Length of a recording.")
    ] = 600.0,
    longest: Annotated[float, Parameter(group=LIMITS, help="Seconds of music to make.")] = 60.0,
    queue: Annotated[
        Whole, Parameter(group=LIMITS, help="Pieces that may wait, of all pages.")
    ] = 12,
    device: Annotated[
        str, Parameter(group=FILES, help="Where to compute: cpu, cuda, cuda:1, mps ...")
    ] = "cpu",
    dtype: Annotated[
        str, Parameter(group=FILES, help="Precision: float32, bfloat16, or auto.")
    ] = "auto",
    offload: Annotated[
        Literal["none", "text", "all"],
        Parameter(group=FILES, help="Of public models, as of control."),
    ] = "text",
) -> None:
    """Open the studio: a page of this machine to draw what the music does, and hear it.

    In a browser, http://127.0.0.1:7860:

        ditto-music studio
    """
    numbers = {
        "upload-mb": upload_mb,
        "upload-seconds": upload_seconds,
        "longest": longest,
        "queue": queue,
    }
    for name, value in numbers.items():
        if not 0 < value < math.inf:
            raise InputError(f"{name} is {value:g}: it must be a finite number above 0")
    if not 0 <= port <= 65535:
        raise InputError(f"port is {port}: it must be 0 to 65535")
    if importlib.util.find_spec("gradio") is None:
        raise InputError(
            "the studio needs Gradio, which is not installed: pip install 'ditto-music[studio]'"
        )

    import webbrowser

    from ditto_music.cli.pieces import Pieces
    from ditto_music.cli.say import say
    from ditto_music.models import REGISTRY, revision
    from ditto_music.studio.limits import Limits
    from ditto_music.studio.server import open_studio

    revision(model)  # refuses one that does not exist
    models = list(dict.fromkeys([model, *(entry.name for entry in REGISTRY)]))
    pieces = Pieces(device, dtype, offload)
    running = open_studio(
        pieces,
        models,
        host=host,
        port=port,
        password=password,
        limits=Limits(
            upload_bytes=round(1e6 * upload_mb),
            upload_seconds=upload_seconds,
            duration=longest,
            waiting=queue,
        ),
    )
    try:
        print(running.url, flush=True)
        say(f"the studio is open at {running.url}; Ctrl-C closes it")
        if open:
            webbrowser.open(running.url)
        pieces.load(model)  # while the page is being looked at
        running.thread.join()
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the studio is closed") from None
    finally:
        running.close()
