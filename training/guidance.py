"""Choose guidance and sampler steps by measurement: ``python -m training.guidance --help``.

Every setting makes clips of the same prompts, those of held-out renders, from the same seeds. A row
has what quality and the prompt get of it, by the judges of `training.evaluate`. Resumable: rows of
the same weights, music and number of clips are not made again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from ditto_music import generate, load_model
from ditto_music.evaluation.frechet import frechet_distance
from ditto_music.evaluation.kernel import kernel_distance
from ditto_music.models.small import SmallModel
from ditto_music.models.weights import fingerprint
from ditto_music.sampling.guidance import Guidance
from ditto_music.whole import whole
from training.data.dataset import Music
from training.evaluate import SECONDS, Clips, Styles, adherence, crops, embedded, levels, prompt_of

#: Steps of the sampler and guidance, the default first.
SETTINGS = {
    "3": (20, Guidance(3.0)),
    "1": (20, Guidance(1.0)),
    "1.5": (20, Guidance(1.5)),
    "2": (20, Guidance(2.0)),
    "4.5": (20, Guidance(4.5)),
    "3, noise 0 to 0.8": (20, Guidance(3.0, interval=(0.0, 0.8))),
    "3, noise 0.3 to 0.8": (20, Guidance(3.0, interval=(0.3, 0.8))),
    "3, noise 0.3 to 0.9": (20, Guidance(3.0, interval=(0.3, 0.9))),
    "3, noise 0.5 to 1": (20, Guidance(3.0, interval=(0.5, 1.0))),
    "4.5, noise 0.5 to 1": (20, Guidance(4.5, interval=(0.5, 1.0))),
    "4.5, noise 0.3 to 0.9": (20, Guidance(4.5, interval=(0.3, 0.9))),
    "4.5, noise 0.3 to 0.8": (20, Guidance(4.5, interval=(0.3, 0.8))),
    "6, noise 0.3 to 0.8": (20, Guidance(6.0, interval=(0.3, 0.8))),
    "3, rescaled by 0.7": (20, Guidance(3.0, rescale=0.7)),
    "3, rescaled by 1": (20, Guidance(3.0, rescale=1.0)),
    "3, noise 0.3 to 0.9, rescaled by 1": (20, Guidance(3.0, (0.3, 0.9), 1.0)),
    "4.5, noise 0.3 to 0.8, rescaled by 1": (20, Guidance(4.5, (0.3, 0.8), 1.0)),
    "4.5, noise 0.3 to 0.9, rescaled by 1": (20, Guidance(4.5, (0.3, 0.9), 1.0)),
    "4.5, noise 0.3 to 0.8, 10 steps": (10, Guidance(4.5, interval=(0.3, 0.8))),
    "4.5, noise 0.3 to 0.9, 10 steps": (10, Guidance(4.5, interval=(0.3, 0.9))),
    "6, noise 0.3 to 0.8, 10 steps": (10, Guidance(6.0, interval=(0.3, 0.8))),
    "8, noise 0.3 to 0.8, 10 steps": (10, Guidance(8.0, interval=(0.3, 0.8))),
    "4.5, noise 0.3 to 0.8, 50 steps": (50, Guidance(4.5, interval=(0.3, 0.8))),
}

Row = dict[str, Any]


class Bench:
    """The prompts, what is compared with, and who judges."""

    def __init__(self, music: Music, count: int) -> None:
        unseen = np.random.default_rng(0).permutation(music.split("held-out"))
        first, second = np.array_split(unseen, 2)
        heard = crops(music, first.tolist(), 4 * count, 1)
        self.count = count
        self.wanted = crops(music, second.tolist(), count, 2)
        everything = embedded(heard.audio)
        self.styles = Styles(everything, heard.labels)
        self.reference = everything[:count]

    def row(self, clips: Clips) -> Row:
        """What the judges say."""
        points = embedded(clips.audio)
        there = self.styles.among(clips.labels)
        families = [clips.labels[i]["family"] for i in there]
        return {
            "frechet": frechet_distance(self.reference, points),
            "kernel": kernel_distance(self.reference, points),
            "style": self.styles.told(points[there], families),
            **adherence(clips),
            "level": levels(clips.audio)["5 25 50 75 95%"][2],
        }

    def made(self, model: SmallModel, steps: int, guidance: Guidance) -> Row:
        """Of one setting."""
        prompts = [prompt_of(it) for it in self.wanted.labels]
        parts: list[np.ndarray] = []
        began = time.monotonic()
        for start in range(0, self.count, 4):
            some = prompts[start : start + 4]
            seeds = [1000 + start + i for i in range(len(some))]
            result = generate(
                model, some, seed=seeds, duration=SECONDS, guidance=guidance, steps=steps
            )
            parts.append(result.audio[:, 0].numpy())
        seconds = (time.monotonic() - began) / self.count
        return self.row(Clips(np.concatenate(parts), self.wanted.labels)) | {"seconds": seconds}


def kept(file: Path, of: Row) -> Row | None:
    """A row that was written of these weights, this music and as many clips, if there is one."""
    row: Row = json.loads(file.read_text()) if file.exists() else {}
    return row if row.get("of") == of else None


def line(name: str, row: Row) -> str:
    """Of the table."""
    seconds = f"{row['seconds']:.2f}" if "seconds" in row else ""
    return (
        f"| {name} | {row['frechet']:.1f} | {row['kernel']:.3f} | {row['style']:.2f} "
        f"| {row['tempo']:.2f} | {row['notes of the key']:.2f} | {row['instruments']:.2f} "
        f"| {row['level']:.0f} | {seconds} |"
    )


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description="Choose guidance and steps by measurement.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--model", default="ditto-small", help="name, or folder of weights")
    parser.add_argument("--out", type=Path, default=Path("out/guidance"))
    parser.add_argument("--count", type=int, default=200, help="clips of each setting")
    parser.add_argument("--setting", choices=list(SETTINGS), action="append", help="default: all")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = load_model(args.model)
    assert isinstance(model, SmallModel)
    bench = Bench(Music(args.data), args.count)
    print(
        "| guidance | Frechet | KAD | style | tempo | key | instruments | level, dBFS | s a clip |"
    )
    print("|---" * 9 + "|")
    print(line("held-out renders", bench.row(bench.wanted)), flush=True)
    data = fingerprint(args.data.glob("shard-*.jsonl"))
    of = {"revision": model.revision, "data": data, "count": args.count}
    for name in args.setting or SETTINGS:
        file = args.out / f"{name.replace(' ', '-').replace(',', '')}.json"
        row = kept(file, of)
        if row is None:
            row = bench.made(model, *SETTINGS[name])
            with whole(file) as path:
                path.write_text(json.dumps(row | {"of": of}))
        print(line(name, row), flush=True)


if __name__ == "__main__":
    main()
