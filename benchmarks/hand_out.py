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


def main() -> None:
    """Print two rates."""
    parser = argparse.ArgumentParser(description="Rates of handing out work.")
    parser.add_argument("--lines", type=int, default=20_000)
    lines: int = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as folder:
        jobs = (
            {"command": "control", "prompt": "calm piano", "intensity": "-38:-16", "seed": i}
            for i in range(lines)
        )
        started = time.monotonic()
        for outcome in run_batch(jobs, Path(folder) / "dry", engine="dry"):
            assert not outcome.error, outcome.error
        print(f"{lines / (time.monotonic() - started):.0f} jobs a second read and grouped")

        store = Store(Path(folder))
        ledger = Ledger(store, "results.jsonl")
        count, started = max(100, lines // 10), time.monotonic()
        for _ in range(count):
            ledger.add(REPORT)
        ledger.close()
        rate = count / (time.monotonic() - started)
        print(f"{rate:.0f} outcomes of {len(json.dumps(REPORT))} bytes a second on the disk")


if __name__ == "__main__":
    main()
