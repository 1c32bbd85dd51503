"""Jobs of one kind brought together, looking no further ahead than a window."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from ditto_music.jobs.job import Group, Order


def grouped(orders: Iterable[Order], most: int, window: int) -> Iterator[Group]:
    """Groups of at most `most` orders of one kind; never more than `window` orders wait.

    When the window is full, the kind that has waited longest goes as it is.
    """
    waiting: dict[Hashable, list[Order]] = {}
    count = 0
    for order in orders:
        if order.kind is None:
            yield Group([order])
            continue
        waiting.setdefault(order.kind, []).append(order)
        count += 1
        if len(waiting[order.kind]) == most:
            count -= most
            yield Group(waiting.pop(order.kind))
        elif count >= window:
            oldest = waiting.pop(next(iter(waiting)))
            count -= len(oldest)
            yield Group(oldest)
    yield from (Group(each) for each in waiting.values())
