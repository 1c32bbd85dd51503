"""How well a recording is got back as noise: ``python -m benchmarks.inversion``.

The beginning of each recording is inverted at several guidance scales, three ways: noised to the
start of the schedule, by DDIM inversion, and by the search that begins there (DITTO, appendix D).
Errors are of the latent, in units of its variance, and of the audio: third-octave levels against
those of the recording after the codec, which no inversion can be better than. Resumable: what is
done with the same settings stays done.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.edits import NAMES, OURS, SAMPLES
from benchmarks.kept import keep, kept
from ditto_music import load_model
from ditto_music.audio import read_recording
from ditto_music.editing.filling import latent_of
from ditto_music.editing.invert import invert
from ditto_music.features.spectrogram import power_spectrogram
from ditto_music.models import revision
from ditto_music.protocols import Model

SECONDS = 6.0
SCALES = (0.0, 1.0, 4.0, 7.5)
WAYS = {"noised": "naive noising", "inverted": "DDIM inversion", "searched": "ours"}
WINDOW, HOP, FLOOR_DB = 1024, 512, -60.0

Row = dict[str, Any]


def run(model: Model, path: Path, scale: float, iterations: int) -> Row:
    """One recording at one guidance scale."""
    recording = read_recording(path)
    recording = recording.part(0, min(recording.frames, round(SECONDS * recording.sample_rate)))
    made = invert(model, recording, guidance=scale, iterations=iterations)
    item = made.result.items[0]
    with torch.no_grad():
        through = model.decode(latent_of(model, recording.audio(), recording.sample_rate)[None])[
            0, :, : item.audio.shape[1]
        ]
    return {
        "recording": path.stem,
        "scale": scale,
        "prompt": item.prompt,
        "noised": made.noised,
        "inverted": made.inverted,
        "searched": made.error,
        "spectrum_db": spectrum_error(item.audio, through),
        "iterations": len(item.history),
        "seconds": made.result.seconds,
    }


def spectrum_error(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean absolute difference in dB of two spectrograms (1, N), above -60 dB of the loudest."""
    powers = [power_spectrogram(x, WINDOW, HOP) for x in (a, b)]
    floor = powers[1].max() * 10 ** (FLOOR_DB / 10)
    first, second = (10 * torch.log10(power + floor) for power in powers)
    return float((first - second).abs().mean())


def table(rows: Sequence[Row]) -> str:
    """Medians in Markdown, a line a guidance scale."""
    heads = [f"{way}, latent error" for way in WAYS.values()]
    lines = [
        f"| guidance | {' | '.join(heads)} | ours, spectrum in dB | iterations | s |",
        "|---" * 7 + "|",
    ]
    for scale in SCALES:
        some = [row for row in rows if row["scale"] == scale]
        if not some:
            continue
        cells = [f"{np.median([row[way] for row in some]):.4f}" for way in WAYS]
        for key, digits in (("spectrum_db", 2), ("iterations", 0), ("seconds", 0)):
            cells.append(f"{np.median([row[key] for row in some]):.{digits}f}")
        lines.append(f"| {scale:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Invert what is not done yet and print the table."""
    parser = argparse.ArgumentParser(description="Inversion of recordings over guidance scales.")
    parser.add_argument("recordings", nargs="*", type=Path, help=f"default: of {SAMPLES}")
    parser.add_argument("--model", default="ditto-small")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work")
    parser.add_argument("--worker", type=int, default=0, help="which of them this is, from 0")
    parser.add_argument("--out", type=Path, default=Path("out/inversion"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = load_model(args.model)
    folder = SAMPLES if SAMPLES.exists() else OURS
    paths = args.recordings or [folder / f"{name}.flac" for name in NAMES]
    shared = {name: getattr(args, name) for name in ("model", "iterations")}
    shared["revision"] = revision(args.model)
    rows: list[Row] = []
    for number, path in enumerate(path for path in paths if path.exists()):
        for scale in SCALES:
            done = args.out / f"{path.stem}-{scale:g}.json"
            settings = shared | {"recording": str(path)}
            made = kept(done, settings)
            if made is None:
                if number % args.workers != args.worker:
                    continue
                made = run(model, path, scale, args.iterations)
                keep(done, settings, made)
                print(f"{path.stem} at guidance {scale:g} done", flush=True)
            rows.append(made)
    names = dict.fromkeys(row["recording"] for row in rows)
    print(f"\nMedians over {len(names)} recordings: {', '.join(names)}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
