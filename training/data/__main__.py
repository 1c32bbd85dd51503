"""Make the training data: `python -m training.data --out DIR --hours 20 --workers 2 --seed 0`."""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from training.data import needs, shards


def main(arguments: list[str] | None = None) -> int:
    """Make the shards that are missing from DIR; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.data", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--hours", type=float, default=20.0, help="hours of music, about")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=0, help="the same seed, the same bytes")
    options = parser.parse_args(arguments)
    if options.hours <= 0 or options.workers < 1 or options.seed < 0:
        parser.error("--hours and --workers must be positive, --seed not negative")
    found = shards.seed_of(options.out)
    if found not in (None, options.seed):
        parser.error(f"{options.out} holds music of seed {found}: give another --out")
    try:
        needs.check()
    except needs.MissingProgramError as error:
        print(error, file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        make_missing(options.out, options.hours, options.workers, options.seed)
    except KeyboardInterrupt:
        print("interrupted: run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def make_missing(out: Path, hours: float, workers: int, seed: int) -> None:
    """Make the shards not there yet, `workers` at a time, with a progress line for each."""
    wanted = range(shards.count_for(hours))
    missing = [n for n in wanted if not shards.paths(out, n)[1].exists()]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} shards are there", file=sys.stderr)
    began, made = time.monotonic(), 0.0
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(shards.make, out, seed, n) for n in missing]
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                made += job.result()
                spent = time.monotonic() - began
                left = spent / done * (len(missing) - done)
                print(
                    f"{done}/{len(missing)} shards, {made / 3600:.2f} h of music, "
                    f"{made / spent:.0f} times real time, {left / 60:.0f} min left",
                    file=sys.stderr,
                )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


if __name__ == "__main__":
    sys.exit(main())
