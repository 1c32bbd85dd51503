"""A function in a process of its own, whose memory and caches are then only its own.

Processes are forked from a server that has imported the studies and done nothing else, so that a
fresh one costs no imports.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from ditto_music.errors import InputError

T = TypeVar("T")

IMPORTED = "ditto_music.evaluation.studies"


def in_fresh_process(work: Callable[..., T], *given: object) -> T:
    """What `work` returns there; it and all it is given must pickle.

    Raises
    ------
    InputError
        As the function.
    RuntimeError
        If anything else went wrong there, or the process died.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([IMPORTED])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(theirs, work, given), daemon=True)
    process.start()
    theirs.close()
    try:
        said, value = ours.recv()
    except EOFError:
        process.join()
        why = f"its process died with status {process.exitcode}, perhaps for want of memory"
        raise RuntimeError(why) from None
    except BaseException:
        process.terminate()
        raise
    finally:
        ours.close()
    process.join()
    if said == "done":
        return value
    raise (InputError if said == "input" else RuntimeError)(value)


def _do(pipe: Connection, work: Callable[..., Any], given: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    try:
        pipe.send(("done", work(*given)))
    except InputError as error:
        pipe.send(("input", str(error)))
    except Exception as error:
        pipe.send(("wrong", f"{type(error).__name__}: {error}"))
