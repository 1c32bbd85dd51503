"""Who does the work: this process, some of this machine, or a Ray cluster.

An engine takes groups as it has hands for them and gives outcomes as they come, in any order; it
never asks for more than a few groups ahead.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ditto_music.errors import InputError
from ditto_music.jobs.job import Group, Outcome

AHEAD = 2  # groups a worker, done or waiting
ORPHAN_SECONDS = 1.0
TRIES = 3  # of a group whose worker died

Perform = Callable[[Group], list[Outcome]]
Tried = tuple[Group, int]  # and how many times, with this one


@dataclass(frozen=True)
class Local:
    """Processes of this machine, one a core or GPU; a single one is this process itself.

    Parameters
    ----------
    workers : how many.
    """

    workers: int = 1

    def __call__(self, groups: Iterator[Group], perform: Perform) -> Iterator[list[Outcome]]:
        """Outcomes, group by group; a group whose worker dies is given to another, thrice."""
        if self.workers == 1:
            yield from map(perform, groups)
            return
        retry: list[Tried] = []
        running: dict[Future[list[Outcome]], Tried] = {}
        pool = self._pool()
        try:
            while True:
                gone = not self._give(partial(pool.submit, perform), groups, retry, running)
                if not running and not gone:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    group, tries = running.pop(future)
                    try:
                        yield future.result()
                    except BrokenProcessPool:
                        gone = True
                        if tries < TRIES:
                            retry.append((group, tries + 1))
                        else:
                            yield _lost(group)
                if gone and not running:  # what was done before it broke has been taken
                    pool.shutdown(wait=False, cancel_futures=True)
                    pool = self._pool()
        finally:
            _end(pool)

    def _give(
        self,
        submit: Callable[[Group], Future[list[Outcome]]],
        groups: Iterator[Group],
        retry: list[Tried],
        running: dict[Future[list[Outcome]], Tried],
    ) -> bool:
        """Give out groups while there are hands; False where the pool has broken meanwhile.

        All that runs breaks with a worker, so the last try of a group has nothing beside it.
        """
        while len(running) < AHEAD * self.workers and not _last(running.values()):
            if running and _last(retry[-1:]):
                break
            following = retry.pop() if retry else _next(groups)
            if following is None:
                break
            try:
                running[submit(following[0])] = following
            except BrokenProcessPool:
                retry.append(following)
                return False
        return True

    def _pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        counter = context.Value("i", 0)
        threads = max(1, (os.cpu_count() or 1) // self.workers)
        return ProcessPoolExecutor(
            self.workers,
            context,
            initializer=_begin,
            initargs=(os.getpid(), self.workers, threads, counter),
        )


@dataclass(frozen=True)
class Ray:
    """Actors of a Ray cluster.

    Parameters
    ----------
    address : of the cluster; None starts one on this machine.
    workers : actors.
    cpus, gpus : that each takes; a fraction of a GPU shares it.
    """

    address: str | None = None
    workers: int = 1
    cpus: float = 1.0
    gpus: float = 0.0

    def __call__(self, groups: Iterator[Group], perform: Perform) -> Iterator[list[Outcome]]:
        """Outcomes, group by group; a group whose actor dies is given to a new one, thrice.

        Raises
        ------
        InputError
            If Ray is not installed, or there is no cluster at the address.
        """
        try:
            import ray
            from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError
        except ImportError:
            raise InputError("engine 'ray' needs pip install 'ditto-music[ray]'") from None
        started = not ray.is_initialized()
        if started:
            try:
                ray.init(address=self.address, log_to_driver=False, logging_level=logging.ERROR)
            except ConnectionError as error:
                raise InputError(f"no Ray cluster at {self.address} ({error})") from None
        hire = partial(
            ray.remote(num_cpus=self.cpus, num_gpus=self.gpus)(_Actor).remote,
            *(self, perform, str(Path.cwd())),
        )
        waiting = deque[Tried]()
        running: dict[Any, tuple[Any, Tried]] = {}

        def look_ahead() -> None:
            while len(waiting) < (AHEAD - 1) * self.workers and (following := _next(groups)):
                waiting.append(following)

        def give(actor: Any) -> None:
            if waiting:
                following = waiting.popleft()
                running[actor.perform.remote(following[0])] = actor, following
            else:
                ray.kill(actor)  # another may wait for its place

        try:
            look_ahead()
            for _ in range(min(self.workers, len(waiting))):
                give(hire())
            while running:
                look_ahead()
                future = ray.wait(list(running))[0][0]
                actor, (group, tries) = running.pop(future)
                outcomes: list[Outcome] = []
                try:
                    outcomes = ray.get(future)
                except (RayActorError, ObjectLostError, OutOfMemoryError):
                    ray.kill(actor)
                    actor = hire()
                    if tries < TRIES:
                        waiting.appendleft((group, tries + 1))
                    else:
                        outcomes = _lost(group)
                give(actor)
                yield outcomes
        finally:
            if started:
                ray.shutdown()


class _Actor:
    """Holds whatever the performer keeps, most of all a model.

    Parameters
    ----------
    engine : says what of its machine it takes.
    folder : that jobs' paths start from, on machines that have it; Ray's own is another.
    """

    def __init__(self, engine: Ray, perform: Perform, folder: str) -> None:
        import torch

        from ditto_music.sampling.plans import share_memory

        torch.set_num_threads(max(1, int(engine.cpus)))
        cores = engine.cpus / (os.cpu_count() or 1)
        share_memory(
            main=min(1.0, max(cores, 1 / engine.workers)), gpu=min(1.0, engine.gpus) or 1.0
        )
        with suppress(OSError):
            os.chdir(folder)
        self._perform = perform

    def perform(self, group: Group) -> list[Outcome]:
        return self._perform(group)


def _next(groups: Iterator[Group]) -> Tried | None:
    group = next(groups, None)
    return None if group is None else (group, 1)


def _last(some: Iterable[Tried]) -> bool:
    """Whether the last try of one is among them."""
    return any(tries == TRIES for _, tries in some)


def _lost(group: Group) -> list[Outcome]:
    why = f"its worker died {TRIES} times, perhaps for want of memory: try fewer workers"
    return [Outcome(o.key, o.job.line, error=f"{o.job.where}: {why}") for o in group.orders]


def _begin(parent: int, workers: int, threads: int, counter: Any) -> None:
    """In a new worker: its share of cores and memory, its own GPU, and an end with the parent's."""
    import signal

    import torch

    from ditto_music.sampling.plans import share_memory

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    with counter.get_lock():
        number = counter.value
        counter.value += 1
    torch.set_num_threads(threads)
    gpus = torch.cuda.device_count()
    if gpus > 1:
        torch.cuda.set_device(number % gpus)
    share_memory(main=1 / workers, gpu=1 / math.ceil(workers / max(1, gpus)))

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_SECONDS)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _end(pool: ProcessPoolExecutor) -> None:
    """Do not wait for work that nobody wants any more."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)  # from here on it names no processes
    for process in processes:
        process.terminate()
