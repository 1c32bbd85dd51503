"""Whether other work keeps the cores busy that this process means to use.

Threads of one operation wait for one another, so one that shares its core holds up all: with two
threads beside one busy core an iteration took over forty times as long as with one thread
(docs/performance.md). How many there are changes the last bits of the result, so it is not decided
here: it is told.
"""

from __future__ import annotations

import os
import time

import psutil

CROWDED = 0.5  # of a core that is missing


class Cores:
    """What the cores have done since this was made."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.busy, self.own = _busy(), _own()

    def taken(self) -> float:
        """How many cores other processes have kept busy."""
        spent = max(1e-3, time.monotonic() - self.started)
        return max(0.0, (_busy() - self.busy - (_own() - self.own)) / spent)

    def hint(self, threads: int) -> str | None:
        """One line for whoever starts so many threads where there is no room for them."""
        cores, taken = os.cpu_count() or 1, self.taken()
        if threads == 1 or taken < cores - threads + CROWDED:
            return None
        room = max(1, int(cores - taken + CROWDED))
        return (
            f"other work keeps {taken:.1f} of {cores} cores busy, and threads wait for one "
            f"another: with OMP_NUM_THREADS={min(room, threads - 1)} before the command this is "
            "many times as fast"
        )


def _busy() -> float:
    """Seconds that all cores have worked."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # in user and nice too
    return sum(times) - idle - guest


def _own() -> float:
    """Seconds that this process has worked."""
    times = psutil.Process().cpu_times()
    return times.user + times.system
