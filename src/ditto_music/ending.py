"""The end of a search: Ctrl-C no longer stops it there, and does not lose what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ditto_music.item import Stopped
from ditto_music.result import Result

T = TypeVar("T")


def concluded(finish: Callable[[], Result], stopped: Sequence[Stopped]) -> Result:
    """The result of a search that is over, and why it was for each item.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, if one had stopped the search.
    """
    before = "interrupted" in stopped
    result, after = once_more(finish, before)
    return result.interrupted() if after and not before else result


def once_more(work: Callable[[], T], interrupted: bool) -> tuple[T, bool]:
    """What some work gives, done again where Ctrl-C cuts it, and whether there was one.

    Parameters
    ----------
    interrupted : whether there had been one before.

    Raises
    ------
    KeyboardInterrupt
        At the second one.
    """
    try:
        return work(), interrupted
    except KeyboardInterrupt:
        if interrupted:
            raise
        return work(), True
