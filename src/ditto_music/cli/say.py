"""How the command line speaks to people: one line on standard error."""

from __future__ import annotations

import sys
from contextlib import suppress


def say(text: str) -> None:
    """One line on standard error, if anyone is there to read it."""
    with suppress(OSError):
        print(f"ditto-music: {text}", file=sys.stderr, flush=True)
