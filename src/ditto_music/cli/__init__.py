"""The command line. It reads flags, calls the library and tells how it went; it holds no logic.

Results go to standard output, everything else to standard error. To add a command, write one file
in `commands` and register it in `app`; to add a control, one file in `controls` and its line there.
Commands import what they need when they run, so the command line adds nothing to the start of the
library itself.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress

from cyclopts import CycloptsError, UnusedCliTokensError

from ditto_music.cli.app import app
from ditto_music.cli.run import Run, Unfinished
from ditto_music.cli.say import say, unforeseen, warned
from ditto_music.errors import InputError

TRACEBACK = "DITTO_MUSIC_TRACEBACK"

HELP = {"--help", "-h"}

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : arguments after the program's name; None takes those of this process.

    Returns
    -------
    int
        The exit status: 0 done, 2 the input is wrong and nothing was written, 130 interrupted,
        1 anything else.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        with _terminable():
            status = _run(arguments)
            sys.stdout.flush()
            return status
    except CycloptsError as error:
        return _fail(_usage(error), WRONG_INPUT)
    except InputError as error:
        return _fail(str(error), WRONG_INPUT)
    except (Unfinished, FloatingPointError) as error:
        return _fail(str(error), FAILED)
    except KeyboardInterrupt as interrupt:
        say(str(interrupt) or "interrupted; nothing was written")
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # rich makes the latter of the former
        # Whoever reads a help, such as a pager, may have read enough.
        return DONE if not arguments or HELP & {*arguments} else FAILED
    except Exception as error:
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        hint = f"set {TRACEBACK}=1 to see where"
        return _fail(f"{unforeseen(error)} ({hint})", FAILED)
    finally:
        _let_go()


def _run(arguments: list[str]) -> int:
    command, bound, injected = app.parse_args(arguments, print_error=False, exit_on_error=False)
    run = Run(command.__name__, arguments)
    more = {"run": run} if "run" in injected else {}
    with warned(None if run.gave("--quiet") else say):
        return command(*bound.args, **bound.kwargs, **more) or DONE


def _usage(error: CycloptsError) -> str:
    """What is wrong with the flags, and where to look."""
    if isinstance(error, UnusedCliTokensError):
        extra = " ".join(error.unused_tokens or [])
        return f"'{extra}' is not expected here: put a prompt of several words in quotes"
    where = " ".join(["ditto-music", *(error.command_chain or [])])
    return f"{error} See {where} --help."


def _fail(line: str, status: int) -> int:
    say(f"error: {' '.join(line.split())}")
    return status


@contextmanager
def _terminable() -> Generator[None]:
    """SIGTERM ends a command the way Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _let_go() -> None:
    """Point streams that nobody reads any more to nowhere, so that leaving does not fail again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


__all__ = ["main"]
