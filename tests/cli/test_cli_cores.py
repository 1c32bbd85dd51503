"""A line for whoever starts more threads than there is room for."""

from types import SimpleNamespace

import pytest

from ditto_music.cli import cores
from ditto_music.cli.cores import Cores

HINT = Cores.hint  # no other test hears it


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Of eight cores; seconds that all, and this process, have worked."""
    now = SimpleNamespace(seconds=0.0, busy=0.0, own=0.0)
    monkeypatch.setattr(cores.time, "monotonic", lambda: now.seconds)
    monkeypatch.setattr(cores, "_busy", lambda: now.busy)
    monkeypatch.setattr(cores, "_own", lambda: now.own)
    monkeypatch.setattr(cores.os, "cpu_count", lambda: 8)
    return now


@pytest.mark.parametrize(
    ("others", "threads", "wanted"),
    [
        (0.0, 8, None),
        (0.4, 8, None),  # an editor, a browser
        (2.0, 8, "OMP_NUM_THREADS=6"),
        (2.0, 6, None),
        (7.9, 2, "OMP_NUM_THREADS=1"),
        (9.0, 8, "OMP_NUM_THREADS=1"),
        (9.0, 1, None),  # fewer there cannot be
    ],
)
def test_what_others_do_is_told_where_threads_have_no_room(
    clock: SimpleNamespace, others: float, threads: int, wanted: str | None
) -> None:
    clock.seconds, clock.busy, clock.own = 10.0, 50.0, 7.0
    seen = Cores()
    clock.seconds, clock.busy, clock.own = 14.0, 50.0 + 4 * (others + 1.5), 7.0 + 4 * 1.5
    assert seen.taken() == pytest.approx(others)
    hint = HINT(seen, threads)
    assert hint is None if wanted is None else wanted in (hint or "")


def test_this_machine_can_be_asked() -> None:
    seen = Cores()
    assert sum(i * i for i in range(300_000)) > 0
    assert 0 <= seen.taken() < 1000
