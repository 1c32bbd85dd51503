"""What variations keep of a control: ``python -m benchmarks.variations``.

A noise found for a control is sampled again with more and more fresh noise, under its own prompt
and another, with and without a step down the control's gradient in each sampler step (DITTO,
appendix I). For each: the control's loss over what the search reached and over what no control
reaches, and how different three variations are. Resumable.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ditto_music import Intensity, Melody, Structure, generate, load_model, optimize
from ditto_music.controls.base import Term
from ditto_music.evaluation.targets import CURVES, PROMPTS, SECONDS, TUNES
from ditto_music.protocols import Model
from ditto_music.runs import run_of
from ditto_music.vary import diversity, vary
from ditto_music.whole import whole

ASKS: dict[str, Callable[[], Term]] = {
    "intensity": lambda: Intensity(CURVES["rise"]),
    "melody": lambda: Melody(TUNES["arpeggio"]),
    "structure": lambda: Structure("ABA"),
}
ETAS = (0.0, 0.5, 1.0)
GUIDES = (0.0, 0.2)
COUNT = 3

Row = dict[str, Any]


def run(model: Model, name: str, number: int) -> list[Row]:
    """All variations of one control on one prompt."""
    prompt, other = PROMPTS[number], PROMPTS[(number + 7) % len(PROMPTS)]
    control = ASKS[name]()
    seeds = [100 + number * COUNT + i for i in range(COUNT)]
    free = generate(model, prompt, control, seed=seeds, duration=SECONDS)
    found = optimize(model, prompt, control, seed=number, duration=SECONDS)
    saved = run_of(found, control)
    base = {
        "control": name,
        "number": number,
        "reached": found.items[0].final[name],
        "uncontrolled": float(np.mean([item.final[name] for item in free.items])),
        "uncontrolled_diversity": diversity([item.audio for item in free.items], model),
    }
    rows: list[Row] = []
    for words, what in ((None, "its own"), (other, "another")):
        for guide in GUIDES:
            for eta in ETAS:
                made = vary(model, saved, count=COUNT, eta=eta, guide=guide, prompt=words)
                losses = [result.items[0].final[name] for result in made.results]
                rows.append(
                    base
                    | {
                        "prompt": what,
                        "guide": guide,
                        "eta": eta,
                        "loss": float(np.mean(losses)),
                        "diversity": made.diversity,
                    }
                )
    return rows


def table(rows: Sequence[Row]) -> str:
    """Medians in Markdown, a line a way to vary."""
    names = [name for name in ASKS if any(row["control"] == name for row in rows)]
    lines = [
        f"| prompt | guide | eta | {' | '.join(f'{name}, loss' for name in names)} | diversity |",
        "|---" * (len(names) + 4) + "|",
    ]

    def line(head: str, key: str, other: str, some: Sequence[Row]) -> str:
        losses = [[row[key] for row in some if row["control"] == name] for name in names]
        cells = [f"{np.median(values):.3f}" for values in losses]
        spread = f"{np.mean([row[other] for row in some]):.2f}" if other else ""
        return f"| {head} | {' | '.join(cells)} | {spread} |"

    lines.append(line("no control | | ", "uncontrolled", "uncontrolled_diversity", rows))
    lines.append(line("the search | | ", "reached", "", rows))
    for words in ("its own", "another"):
        for guide in GUIDES:
            for eta in ETAS:
                asked = {"prompt": words, "guide": guide, "eta": eta}
                some = [row for row in rows if asked.items() <= row.items()]
                lines.append(line(f"{words} | {guide:g} | {eta:g}", "loss", "diversity", some))
    return "\n".join(lines)


def main() -> None:
    """Vary what is not varied yet and print the table."""
    parser = argparse.ArgumentParser(description="Controls that variations keep.")
    parser.add_argument("--model", default="ditto-small")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work")
    parser.add_argument("--worker", type=int, default=0, help="which of them this is, from 0")
    parser.add_argument("--out", type=Path, default=Path("out/variations"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = load_model(args.model)
    rows: list[Row] = []
    for number in range(args.prompts):
        for name in ASKS:
            done = args.out / f"{name}-{number:02d}.json"
            if not done.exists():
                if number % args.workers != args.worker:
                    continue
                with whole(done) as file:
                    Path(file).write_text(json.dumps(run(model, name, number)))
                print(f"{name} on {PROMPTS[number]!r} done", flush=True)
            rows += json.loads(done.read_text())
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
