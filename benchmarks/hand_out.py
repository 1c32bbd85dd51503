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
from pathlib import Path

from ditto_music.jobs import run_batch
from ditto_music.jobs.ledger import Ledger
from ditto_music.jobs.store import Store

REPORT = {"key": "0" * 64, "loss": {"history": [0.123456789] * 60}, "controls": {"intensity": {}}}


def rate(flag: str, count: int, folder: Path) -> float:
    """Jobs a second that are read and grouped, where each has another value of a flag."""
    job = {"command": "control", "prompt": "calm piano", "intensity": "-38:-16"}
    started = time.monotonic()
    for outcome in run_batch((job | {flag: i} for i in range(count)), folder, engine="dry"):
        assert not outcome.error, outcome.error
    return count / (time.monotonic() - started)


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description="Rates of handing out work.")
    parser.add_argument("--lines", type=int, default=20_000)
    lines: int = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as folder:
        for said, flag, count in (("seeds", "seed", lines), ("flags", "iterations", lines // 50)):
            print(f"{rate(flag, count, Path(folder) / said):.0f} jobs a second, other {said} each")

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
