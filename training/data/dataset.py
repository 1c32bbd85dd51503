"""The data as a reader sees it: pieces with labels, and crops of their sound."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

#: Seconds of each value of a piece's `loudness`.
LOUDNESS_STEP = 0.5

#: Dynamics in which players rest, so that the density of the piece is not that of every crop.
THINNING = {"break", "section", "build", "breakdown", "silent start", "silent end"}


class Music:
    """The shards of a folder, opened by memory map.

    `pieces` is the list of labels, one dict a piece in shard order; shards still being made are
    left out. Raises `FileNotFoundError` where there is no shard.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.pieces: list[dict[str, Any]] = []
        self._shards: list[Path] = []
        for labels in sorted(self.folder.glob("shard-*.jsonl")):
            for line in labels.read_text().splitlines():
                self.pieces.append(json.loads(line))
                self._shards.append(labels.with_suffix(".npy"))
        if not self.pieces:
            raise FileNotFoundError(
                f"no shards in {self.folder}: run `python -m training.data --out {self.folder}`"
            )

    @cached_property
    def _sound(self) -> dict[Path, np.ndarray]:
        return {path: np.load(path, mmap_mode="r") for path in dict.fromkeys(self._shards)}

    def __len__(self) -> int:
        return len(self.pieces)

    def split(self, name: str) -> np.ndarray:
        """Indices of the pieces of a split: `train` or `held-out`."""
        return np.array([i for i, p in enumerate(self.pieces) if p["split"] == name], dtype=int)

    def audio(self, index: int) -> np.ndarray:
        """(samples,) float32 in [-1, 1]: a whole piece."""
        piece = self.pieces[index]
        sound = self._sound[self._shards[index]]
        samples = sound[piece["offset"] : piece["offset"] + piece["samples"]]
        return samples.astype(np.float32) / 32767

    def crop(
        self, index: int, seconds: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, float]:
        """(seconds * sample rate,) float32 from a random bar line, or up to the very end of the
        piece, and the second it starts at. Raises `ValueError` where the piece is shorter.
        """
        piece = self.pieces[index]
        rate = piece["sample_rate"]
        size = round(seconds * rate)
        last = piece["samples"] - size
        if last < 0:
            have = piece["samples"] / rate
            raise ValueError(f"piece {piece['id']} lasts {have:.1f} s, shorter than {seconds} s")
        bar = piece["bar_seconds"] * rate
        starts = [round(i * bar) for i in range(int(last / bar) + 1)]
        start = starts[rng.integers(len(starts))] if rng.random() > 1 / (len(starts) + 1) else last
        begin = piece["offset"] + start
        sound = self._sound[self._shards[index]][begin : begin + size]
        return sound.astype(np.float32) / 32767, start / rate


def labels_of_crop(labels: dict[str, Any], start: float, seconds: float) -> dict[str, Any]:
    """The labels of `seconds` of a piece from `start`: what is not in the crop is not in them.

    Times count from the start of the crop. An instrument stays if it plays for at least 0.6 s
    (or at all, where none does that), a change of dynamics if most of it is heard.
    """
    end = start + seconds
    heard = {
        tag: [
            [max(a, start) - start, min(b, end) - start] for a, b in spans if a < end and b > start
        ]
        for tag, spans in labels["playing"].items()
    }
    long = {tag: spans for tag, spans in heard.items() if sum(b - a for a, b in spans) >= 0.6}
    playing = {
        tag: [[round(a, 3), round(b, 3)] for a, b in spans]
        for tag, spans in (long or heard).items()
        if spans
    }
    melody = [
        [round(max(a, start) - start, 3), round(min(a + d, end) - max(a, start), 3), pitch]
        for a, d, pitch in labels["melody"]
        if a < end - 0.05 and a + d > start + 0.05
    ]
    thinned = any(
        e["kind"] in THINNING and e["start"] < end and e["end"] > start for e in labels["dynamics"]
    )
    first = round(start / LOUDNESS_STEP)
    rate = labels["sample_rate"]
    return {
        **labels,
        "instruments": sorted(playing),
        "playing": playing,
        "lead": labels["lead"] if labels["lead"] in playing and melody else None,
        "density": None if thinned else labels["density"],
        "dynamics": [
            {**e, "start": round(e["start"] - start, 3), "end": round(e["end"] - start, 3)}
            for e in labels["dynamics"]
            if _is_heard(e, start, end)
        ],
        "melody": melody,
        "loudness": labels["loudness"][first : first + round(seconds / LOUDNESS_STEP)],
        "offset": labels["offset"] + round(start * rate),
        "samples": round(seconds * rate),
    }


def _is_heard(event: dict[str, Any], start: float, end: float) -> bool:
    """Whether a listener to [start, end] seconds would notice the event for what it is."""
    a, b, kind = event["start"], event["end"], event["kind"]
    if kind in ("fade in", "silent start") and start > 0.25 * b:
        return False
    if kind in ("fade out", "silent end") and end < b - 0.25 * (b - a):
        return False
    if kind in ("step up", "step down"):
        return start + 0.7 <= a <= end - 0.7
    if kind in ("break", "section"):
        return start + 0.4 <= a and b <= end - 0.2
    heard = min(b, end) - max(a, start)
    return heard >= 0.6 * (b - a) or (heard >= 3 and kind != "build")
