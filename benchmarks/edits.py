"""How inpainting joins real recordings: ``python -m benchmarks.edits``.

A hole is redone in each recording; outside it every sample must be the user's, and the change
across each join is ranked among the changes inside the music itself. Beside it stand three plain
fillings of the same hole, joined the same way: silence, the stretch before it, and fresh noise of
the model left uncontrolled.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ditto_music import generate, load_model
from ditto_music.audio import Recording, read_recording, resample, write_recording
from ditto_music.editing import inpaint, measure_seam
from ditto_music.editing.inpaint import place, window_of
from ditto_music.protocols import Model

RECORDINGS = Path(__file__).parents[1] / "tests" / "recordings"


@dataclass(frozen=True)
class Row:
    """One hole, filled one way."""

    name: str
    filling: str
    flux_rank: float
    jump_rank: float
    flux_ratio: float
    differing: int
    match: float = float("nan")
    seconds: float = float("nan")


def measured(
    name: str,
    filling: str,
    old: Recording,
    new: Recording,
    hole: tuple[float, float],
    **more: float,
) -> Row:
    """The worse of the two joins, and the samples that differ outside the hole."""
    rate = old.sample_rate
    seams = [measure_seam(new.audio(), rate, edge, [hole]) for edge in hole]
    same = (old.samples == new.samples).all(1)
    same[round(hole[0] * rate) : round(hole[1] * rate)] = True
    return Row(
        name,
        filling,
        max(seam.flux_rank for seam in seams),
        max(seam.jump_rank for seam in seams),
        max(seam.flux / seam.inside_flux for seam in seams),
        int((~same).sum()),
        **more,
    )


def fill(model: Model, path: Path, seed: int, out: Path) -> list[Row]:
    """Every filling of one hole in the middle of a recording."""
    old = read_recording(path)
    rate = old.sample_rate
    hole = (0.45 * old.seconds, 0.45 * old.seconds + 1.0)
    start, stop = (round(edge * rate) for edge in hole)
    name = path.stem
    edit = inpaint(model, old, [hole], seed=seed)
    edit.save(out / f"{name}-inpaint.wav")
    write_recording(out / f"{name}-original.wav", old)
    result = edit.results[0]
    rows = [
        measured(
            name, "inpaint", old, edit.recording, hole,
            match=result.items[0].final["match"], seconds=result.seconds,
        )
    ]  # fmt: skip
    silence = old.with_region(start, np.zeros((old.channels, stop - start)))
    before = old.audio()[:, 2 * start - stop : start]
    window = window_of(old, hole, model.seconds_range[1])
    seconds = (window.end - window.begin) / rate
    mono = generate(model, "", seed=seed, duration=seconds).audio[0, 0].numpy()
    rows.append(measured(name, "silence", old, silence, hole))
    copied = np.zeros(window.end - window.begin)
    at = window.start - window.begin
    copied[at : at + stop - start] = before.mean(0)
    down = resample(copied[None], rate, model.sample_rate)[0]
    rows.append(
        measured(name, "the second before", old, place(old, window, down, model.sample_rate), hole)
    )
    uncontrolled = place(old, window, mono, model.sample_rate)
    rows.append(measured(name, "uncontrolled", old, uncontrolled, hole))
    return rows


def main() -> None:
    """Fill every hole and print the table."""
    parser = argparse.ArgumentParser(description="Seams of inpainted recordings.")
    parser.add_argument("recordings", nargs="*", type=Path, help="default: tests/recordings")
    parser.add_argument("--model", default="ditto-small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("out/edits"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = load_model(args.model)
    paths: list[Path] = args.recordings or sorted(RECORDINGS.glob("*.flac"))
    rows = [
        row
        for path in paths
        for seed in range(args.seeds)
        for row in fill(model, path, seed, args.out)
    ]
    print("| recording | filling | flux rank | jump rank | flux / inside | differing | match | s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in [*dict.fromkeys(row.name for row in rows), "all"]:
        for filling in dict.fromkeys(row.filling for row in rows):
            some = [r for r in rows if name in (r.name, "all") and r.filling == filling]
            cells = [np.median([r.flux_rank for r in some]), np.median([r.jump_rank for r in some])]
            cells += [np.median([r.flux_ratio for r in some])]
            print(
                f"| {name} | {filling} | "
                + " | ".join(f"{cell:.2f}" for cell in cells)
                + f" | {sum(r.differing for r in some)} | {np.median([r.match for r in some]):.3f} "
                f"| {np.median([r.seconds for r in some]):.1f} |"
            )


if __name__ == "__main__":
    main()
