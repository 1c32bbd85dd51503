"""`run_batch`: many jobs, each once, whatever happens."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ditto_music.errors import InputError
from ditto_music.jobs.engines import Local, Perform, Ray
from ditto_music.jobs.grouping import grouped
from ditto_music.jobs.job import Group, Job, Order, Outcome, job_of
from ditto_music.jobs.ledger import Ledger, short
from ditto_music.jobs.performer import Performer
from ditto_music.jobs.store import Store
from ditto_music.whole import check_target

RESULTS, FAILURES, LOCK = "results.jsonl", "failures.jsonl", ".lock"
WINDOW = 8  # groups that may wait to become full

Engine = Callable[[Iterator[Group], Perform], Iterator[list[Outcome]]]

#: Engines by name; "dry" reads and checks every job and does none.
ENGINES = ("local", "ray", "dry")


@dataclass
class Tally:
    """How a batch stands.

    Attributes
    ----------
    done, failed : in this run.
    before : done in an earlier run, or failed there and not asked to be tried again.
    failed_before : how many of `before` failed.
    """

    done: int = 0
    failed: int = 0
    before: int = 0
    failed_before: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def rate(self) -> float:
        """Items a second of this run."""
        return (self.done + self.failed) / max(1e-9, time.monotonic() - self.started)


def run_batch(
    jobs: Iterable[Job | Outcome | Mapping[str, Any]],
    out: str | Path,
    *,
    engine: Engine | str = "local",
    performer: Performer | None = None,
    most: int = 8,
    retry_failed: bool = False,
    tally: Tally | None = None,
) -> Iterator[Outcome]:
    """Do jobs and give their outcomes as they come.

    What was done in an earlier run on the same folder is passed over, so a run that was stopped, or
    killed, goes on when it is called again. Outputs appear whole; ``results.jsonl`` and
    ``failures.jsonl`` have a line for each item before it is given here.

    Parameters
    ----------
    jobs
        Commands with their flags by name, ``{"command": "control", "prompt": "calm piano",
        "intensity": "-38:-16", "seed": 1}``; or what `read_manifest` gives. Taken as they are
        needed: there may be millions.
    out : folder, or fsspec address.
    engine : "local" (this process), "ray", "dry", or one of `ditto_music.jobs.engines`.
    performer : what does the jobs; None: the commands of the command line.
    most : jobs in one batch at most.
    retry_failed : try again what failed before.
    tally : kept up to date, for those who watch.

    Raises
    ------
    InputError
        If the folder cannot be used, or another batch is at work in it. A job that cannot be done
        is an outcome, never an exception.
    """
    store = Store(out)
    count = Tally() if tally is None else tally
    dry = engine == "dry"
    act = performer or commands(dry=dry)
    work = _engine(engine)
    with _alone(store):
        store.clear_drafts()
        results = Ledger(store, RESULTS)
        failures = Ledger(store, FAILURES, anew=retry_failed and not dry)
        try:
            seen = set(results.keys())
            failed = set[int]() if retry_failed else set(failures.keys()) - seen
            bad: list[Outcome] = []
            orders = _orders(jobs, act, seen, failed, bad, count)
            groups = grouped(orders, most, WINDOW * most)
            place = str(store.local or store.address)  # workers may start from another folder
            perform = partial(_nothing if dry else act.perform, address=place)
            for outcomes in _with(bad, work(groups, perform)):
                for outcome in outcomes:
                    if outcome.done:
                        count.done += 1
                        if not dry:
                            results.add({"key": outcome.key} | (outcome.report or {}))
                    else:
                        count.failed += 1
                        if not dry:
                            line = {"key": outcome.key, "line": outcome.line}
                            failures.add(line | {"error": outcome.error})
                    yield outcome
        finally:
            results.close()
            failures.close()
            store.clear_drafts()


def commands(*, dry: bool = False) -> Performer:
    """The commands of the command line, which this floor does not know by itself.

    Parameters
    ----------
    dry : for a dry run, which checks more than one that finds out anyway.
    """
    from importlib import import_module

    return import_module("ditto_music.cli.manifest").Commands(dry=dry)


def _orders(
    jobs: Iterable[Job | Outcome | Mapping[str, Any]],
    act: Performer,
    seen: set[int],
    failed: set[int],
    bad: list[Outcome],
    tally: Tally,
) -> Iterator[Order]:
    """Jobs neither `seen` nor `failed` before; what cannot be understood goes to `bad`."""
    names: dict[int, int] = {}  # asked for so far, whose they are
    for number, given in enumerate(jobs, start=1):
        one = job_of(number, given)
        key = one.key if isinstance(one, Outcome) else key_of(one, act)
        own = short(key)
        asked = one.names if isinstance(one, Job) else []
        taken = [each for each in asked if names.setdefault(hash(each.casefold()), own) != own]
        if own in seen or own in failed:
            tally.before += 1
            tally.failed_before += own in failed
            continue
        seen.add(own)
        if isinstance(one, Outcome):
            bad.append(one)
            continue
        try:
            name, kind = one.name(key), act.kind(one)
            if taken:
                raise InputError(f"id '{taken[0]}' is taken by an earlier line: give each its own")
        except InputError as error:
            bad.append(Outcome(key, one.line, error=f"{one.where}: {error}"))
            continue
        yield Order(one, key, name, kind)


def key_of(job: Job, act: Performer) -> str:
    """Of a job; where its model is unknown, of its fields alone."""
    try:
        return job.key(act.revision(job))
    except InputError:
        return job.key("")


def _with(bad: list[Outcome], good: Iterator[list[Outcome]]) -> Iterator[list[Outcome]]:
    """What could not be understood as soon as it is known, between what was done."""
    for outcomes in good:
        while bad:
            yield [bad.pop(0)]
        yield outcomes
    while bad:
        yield [bad.pop(0)]


def _nothing(group: Group, address: str) -> list[Outcome]:
    return [Outcome(order.key, order.job.line, report={}) for order in group.orders]


def _engine(engine: Engine | str) -> Engine:
    if not isinstance(engine, str):
        return engine
    if engine not in ENGINES:
        raise InputError(f"engine '{engine}' is unknown: take {', '.join(ENGINES)}")
    return Ray() if engine == "ray" else Local()


@contextmanager
def _alone(store: Store) -> Generator[None]:
    """One batch a folder at a time; the lock goes with the process, however it ends."""
    if store.local is None:
        yield
        return
    for name in (LOCK, RESULTS, FAILURES):
        check_target(store.local / name)
    handle = os.open(store.local / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle)
    except (BlockingIOError, PermissionError):
        os.close(handle)
        raise InputError(
            f"{store.address}: another batch is at work there: wait for it, or take another folder"
        ) from None
    try:
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    """Hold an open file alone; the error where another process does is the system's own."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
