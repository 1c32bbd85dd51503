"""What the one process that hands out work can do: ``python -m benchmarks.hand_out``.

Every line of a manifest is read, its files named, hashed and grouped; every outcome becomes a line
that is on the disk before the next one. Both are measured alone, for these bound how many workers
one process can keep busy.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ditto_music.jobs import Group, Outcome, run_batch
from ditto_music.jobs.ledger import Ledger
from ditto_music.jobs.store import Store

JOB = {"command": "control", "prompt": "calm piano", "intensity": "-38:-16"}
REPORT = {"key": "0" * 64, "loss": {"history": [0.123456789] * 60}, "controls": {"intensity": {}}}


def idle(groups: Iterator[Group], perform: object) -> Iterator[list[Outcome]]:
    """The engine that takes what is handed out and does nothing with it."""
    for _ in groups:
        yield []


def rate(jobs: Sequence[Mapping[str, object]], folder: Path) -> float:
    """Jobs a second that are read and grouped."""
    started = time.monotonic()
    for outcome in run_batch(jobs, folder, engine=idle):
        assert not outcome.error, outcome.error
    return len(jobs) / (time.monotonic() - started)


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description="Rates of handing out work.")
    parser.add_argument("--lines", type=int, default=20_000)
    lines: int = parser.parse_args().lines
    alike = [JOB | {"prompt": f"calm piano {i}", "seed": i} for i in range(lines)]
    unlike = [JOB | {"iterations": i} for i in range(lines // 50)]
    with tempfile.TemporaryDirectory() as folder:
        for said, jobs in (("prompts and seeds", alike), ("flags", unlike)):
            print(f"{rate(jobs, Path(folder) / said):.0f} jobs a second, other {said} each")

        store = Store(Path(folder))
        ledger = Ledger(store, "results.jsonl")
        count, started = max(100, lines // 10), time.monotonic()
        for _ in range(count):
            ledger.add(REPORT)
        ledger.close()
        written = count / (time.monotonic() - started)
        print(f"{written:.0f} outcomes of {len(json.dumps(REPORT))} bytes a second on the disk")


if __name__ == "__main__":
    main()
