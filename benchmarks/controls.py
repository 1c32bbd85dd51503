"""How well intensity is controlled: ``python -m benchmarks.controls``.

Twenty prompts by five curves between -40 and -12 dBFS. Each item's error is measured on the written
file by the few lines of `measured_curve`, which share no code with the control; the uncontrolled
sample of the same seed stands beside it. Resumable: a finished item is not made again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from scipy.signal import savgol_filter

from ditto_music import Intensity, Progress, generate, load_model, optimize
from ditto_music.protocols import Model
from ditto_music.whole import whole

PROMPTS = (
    "calm piano ballad, 80 bpm",
    "upbeat bossa nova with nylon guitar",
    "dark ambient pads",
    "energetic rock band, 140 bpm",
    "sad slow waltz in D minor",
    "funky bass and drums",
    "swing jazz trio with walking bass",
    "epic cinematic strings and timpani",
    "happy bluegrass banjo and fiddle",
    "disco with strings, 120 bpm",
    "reggae, relaxed",
    "solo flute, dreamy",
    "heavy metal guitars",
    "country ballad with steel guitar",
    "techno beat, 128 bpm",
    "gospel organ, joyful",
    "tango with accordion",
    "lullaby on a music box",
    "salsa with brass, fast",
    "classical string quartet in G major",
)
CURVES: dict[str, list[tuple[float, float]]] = {
    "rise": [(0, -40), (6, -12)],
    "fall": [(0, -12), (6, -40)],
    "arch": [(0, -36), (3, -14), (6, -36)],
    "step": [(0, -34), (3, -34), (3, -16), (6, -16)],
    "pulse": [(0, -30), (2, -30), (2, -14), (4, -14), (4, -30), (6, -30)],
}


def measured_curve(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times and smoothed RMS level in dBFS of a file, by numpy and scipy alone."""
    samples, rate = soundfile.read(path, always_2d=True)
    mono = samples.mean(1)
    starts = np.arange(0, len(mono) - 2048 + 1, 512)
    levels = np.array([np.mean(mono[s : s + 2048] ** 2) for s in starts])
    decibels = 10 * np.log10(levels + 1e-10)
    return (starts + 1024) / rate, np.asarray(savgol_filter(decibels, 47, 2, mode="nearest"))


def error(path: Path, curve: list[tuple[float, float]]) -> float:
    """RMS error in dB between a file's curve and the smoothed target."""
    times, achieved = measured_curve(path)
    seconds, levels = zip(*curve, strict=True)
    target = savgol_filter(np.interp(times, seconds, levels), 47, 2, mode="nearest")
    return float(np.sqrt(np.mean((achieved - target) ** 2)))


def run_prompt(model: Model, number: int, folder: Path, iterations: int) -> list[dict[str, Any]]:
    """All curves of one prompt as one batch, each beside its uncontrolled sample."""
    prompt = PROMPTS[number]
    controls = [Intensity(curve) for curve in CURVES.values()]
    plain = generate(model, prompt, seed=number)
    plain_path = folder / f"{number:02d}-plain.wav"
    plain.save(plain_path)
    clock = [time.monotonic()]

    def tick(progress: Progress) -> None:
        clock.append(time.monotonic())

    seeds = [number] * len(controls)
    result = optimize(
        model,
        prompt,
        controls,
        seed=seeds,
        iterations=iterations,
        callback=tick,
        checkpoint=False,  # the same bits, faster; five items of 20 steps take 10 GB
    )
    rows: list[dict[str, Any]] = []
    for name, one in zip(CURVES, result, strict=True):
        path = folder / f"{number:02d}-{name}.wav"
        clipped = one.save(path)
        item = one.items[0]
        losses = [row["loss"] for row in item.history]
        rows.append(
            {
                "prompt": prompt,
                "curve": name,
                "error_db": error(path, CURVES[name]),
                "plain_error_db": error(plain_path, CURVES[name]),
                "iterations": len(losses),
                "to_2db2": next((i + 1 for i, x in enumerate(losses) if x <= 2), None),
                "stopped": item.stopped,
                "batch_seconds": clock[-1] - clock[0],
                "latent_std": float(item.x_T.std()),
                "clipped": clipped,
            }
        )
    return rows


def time_single(model: Model, curve: str, seed: int) -> tuple[int, float] | None:
    """Iterations and seconds one item alone takes to 2 dB^2."""
    started = time.monotonic()
    result = optimize(model, PROMPTS[seed], Intensity(CURVES[curve]), seed=seed, tolerance=2.0)
    if result.items[0].stopped != "tolerance":
        return None
    return len(result.items[0].history), time.monotonic() - started


def table(rows: list[dict[str, Any]]) -> str:
    """Medians and the 90th percentile a curve, in Markdown."""
    lines = [
        "| curve | RMS error, dB (median, 90%) | uncontrolled | iterations | to 2 dB² | x_T std |",
        "|---|---|---|---|---|---|",
    ]
    for name in [*CURVES, "all"]:
        some = [row for row in rows if name in (row["curve"], "all")]

        def median(key: str, some: list[dict[str, Any]] = some) -> float:
            return float(np.median([row[key] for row in some if row[key] is not None]))

        high = float(np.quantile([row["error_db"] for row in some], 0.9))
        lines.append(
            f"| {name} | {median('error_db'):.2f}, {high:.2f} | {median('plain_error_db'):.2f} "
            f"| {median('iterations'):.0f} | {median('to_2db2'):.0f} | {median('latent_std'):.3f} |"
        )
    missed = sum(row["to_2db2"] is None for row in rows)
    return "\n".join([*lines, "", f"{len(rows)} items, {missed} never under 2 dB²."])


def main() -> None:
    """Run what is not done yet and print the table."""
    parser = argparse.ArgumentParser(description="Intensity control over prompts and curves.")
    parser.add_argument("--out", type=Path, default=Path("out/controls"))
    parser.add_argument("--model", default="ditto-small")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS), help="the first so many")
    parser.add_argument("--iterations", type=int, default=60)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = load_model(args.model)
    rows: list[dict[str, Any]] = []
    for number in range(args.prompts):
        done = args.out / f"{number:02d}.json"
        if not done.exists():
            made = run_prompt(model, number, args.out, args.iterations)
            with whole(done) as path:
                Path(path).write_text(json.dumps(made, indent=1))
        rows += json.loads(done.read_text())
        print(f"{number + 1}/{args.prompts} prompts", flush=True)
    print(table(rows))
    single = [time_single(model, curve, i) for i, curve in enumerate(CURVES)]
    for curve, took in zip(CURVES, single, strict=True):
        print(
            f"one item alone to 2 dB², {curve}:", took and f"{took[0]} iterations, {took[1]:.1f} s"
        )


if __name__ == "__main__":
    main()
