"""When ``--compile`` pays for itself: ``python -m benchmarks.compiling``.

The same searches of fifteen iterations by the network as it is, and translated by `torch.compile`
with an empty cache and with what the process before it left there. Each way is a fresh process; the
first search has the wait in it, the others are what is gained.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from functools import partial
from statistics import median

from ditto_music import Intensity, load_model, optimize
from ditto_music.evaluation.studies.memory import timed
from ditto_music.evaluation.targets import CURVES, PROMPTS, SECONDS


def searches(count: int, *, compiled: bool) -> list[float]:
    """Seconds of each; all of as many iterations on the same steps."""
    model = load_model(compiled=compiled)
    control = Intensity(CURVES["rise"])

    def search(number: int) -> None:
        optimize(
            model, PROMPTS[number], control, seed=number, duration=SECONDS,
            iterations=15, tolerance=0.0,
        )  # fmt: skip

    return [timed(partial(search, number)) for number in range(count)]


def fresh(count: int, cache: str, *, compiled: bool) -> list[float]:
    """The same in a process of its own."""
    line = [sys.executable, "-m", __spec__.name, "--searches", str(count), "--one"]
    made = subprocess.run(
        line + ["--compiled"] * compiled, check=True, capture_output=True, text=True,
        env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": cache},
    )  # fmt: skip
    return json.loads(made.stdout.splitlines()[-1])


def pays(plain: list[float], compiled: list[float]) -> int | None:
    """From which clip on the compiled searches have taken no longer than the plain ones in all.

    Of seconds each, the first of each way and then medians; None where later ones gain nothing.
    """
    gain = median(plain[1:]) - median(compiled[1:])
    return max(1, 1 + math.ceil((compiled[0] - plain[0]) / gain)) if gain > 0 else None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="When compiling pays for itself.")
    parser.add_argument("--searches", type=int, default=6, help="in each process, two or more")
    parser.add_argument("--one", action="store_true", help="one way, as JSON")
    parser.add_argument("--compiled", action="store_true", help="with --one: which")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(searches(args.searches, compiled=args.compiled)))
        return
    print("| network | first search, s | later ones, s (range) | pays from this clip on |")
    print("|---" * 4 + "|")
    with tempfile.TemporaryDirectory() as cache:
        plain = fresh(args.searches, cache, compiled=False)
        rows = {"as it is": plain}
        for name in ("compiled, empty cache", "compiled, cache of another process"):
            rows[name] = fresh(args.searches, cache, compiled=True)
    for name, seconds in rows.items():
        first, *rest = seconds
        clip = pays(plain, seconds)
        spread = f"{median(rest):.2f} ({min(rest):.2f} to {max(rest):.2f})"
        print(f"| {name} | {first:.1f} | {spread} | {clip or ''} |", flush=True)


if __name__ == "__main__":
    main()
