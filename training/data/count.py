"""Count what is in a data set by its labels: ``python -m training.data.count DIR``."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from training.data.dataset import Music


def shares(names: list[str]) -> str:
    """The names with their share, the commonest first."""
    return ", ".join(f"{k} {100 * n / len(names):.0f}%" for k, n in Counter(names).most_common())


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="Count what is in a data set by its labels.")
    parser.add_argument("data", type=Path, help="folder made by training.data")
    pieces = Music(parser.parse_args().data).pieces
    seconds = [piece["samples"] / piece["sample_rate"] for piece in pieces]
    grooves = [piece["groove"] for piece in pieces]
    mma = {name for name in grooves if not name.startswith("own:")}
    own = np.mean([name.startswith("own:") for name in grooves])
    slow, fast = np.quantile([piece["bpm"] for piece in pieces], [0.01, 0.99])
    levels = np.concatenate([piece["loudness"] for piece in pieces])
    low, middle, high = np.quantile(levels, [0.05, 0.5, 0.95])
    families = {piece["family"] for piece in pieces}
    rows = {
        "pieces": f"{len(pieces):,} of {min(seconds):.0f} to {max(seconds):.0f} s, "
        f"{sum(seconds) / 3600:.1f} h",
        "styles": f"{len(families)} families, {len(mma)} grooves, {100 * own:.0f}% of pieces by "
        "bands of our own",
        "ensembles": shares([piece["ensemble"] for piece in pieces]),
        "melody voice": f"{100 * np.mean([bool(p['melody']) for p in pieces]):.0f}% of the pieces",
        "modes": shares([piece["mode"] or "none" for piece in pieces]),
        "tempo": f"{slow:.0f} to {fast:.0f} bpm (1st and 99th percentile)",
        "instruments": f"{len({tag for piece in pieces for tag in piece['instruments']})} tags",
        "dynamics": f"{100 * np.mean([bool(p['dynamics']) for p in pieces]):.0f}% of the pieces",
        "levels": f"RMS of half seconds: 5% under {low:.0f}, median {middle:.0f}, 5% over "
        f"{high:.0f} dBFS; {100 * np.mean(levels < -60):.0f}% silent (under -60)",
        "held out": f"{100 * np.mean([p['split'] == 'held-out' for p in pieces]):.1f}%",
    }
    print("| | |\n|---|---|")
    for name, told in rows.items():
        print(f"| {name} | {told} |")


if __name__ == "__main__":
    main()
