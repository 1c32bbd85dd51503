"""How the command line speaks to people: one line on standard error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

NO_MEMORY = (
    "memory ran out: take --gradient blocks, --dtype bfloat16 or a shorter --duration, or on a GPU "
    "--offload all"
)


def say(text: str) -> None:
    """One line on standard error, if anyone is there to read it."""
    with suppress(OSError):
        print(f"ditto-music: {text}", file=sys.stderr, flush=True)


@contextmanager
def warned(tell: Callable[[str], None] | None) -> Generator[None]:
    """Python's warnings are told as one line each, each once; None: not at all."""
    told: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        line = " ".join(str(message).split())
        if tell and line not in told:
            told.add(line)
            tell(f"warning: {line}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def unforeseen(error: Exception) -> str:
    """What to say of an error that nothing was prepared for, with the mend where it is known."""
    if "torch" in sys.modules:
        from ditto_music.memory import ran_out

        if ran_out(error):
            return NO_MEMORY
    return f"{type(error).__name__}: {error}"
