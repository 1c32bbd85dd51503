"""Held-out renders as files: ``python -m training.held_out --data DIR --out DIR``.

What `ditto-music evaluate` and `compare` take as their ``--reference``: crops of music that no
training saw, the same for the same seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ditto_music.audio import write_audio
from training.data.dataset import Music
from training.evaluate import RATE, crops


def main() -> None:
    """Write the crops as ``0000.wav`` and on."""
    parser = argparse.ArgumentParser(description="Write crops of held-out renders as WAV.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--count", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    music = Music(args.data)
    args.out.mkdir(parents=True, exist_ok=True)
    clips = crops(music, music.split("held-out").tolist(), args.count, args.seed)
    for number, clip in enumerate(clips.audio):
        write_audio(args.out / f"{number:04d}.wav", clip[None], RATE)
    print(f"{args.count} crops in {args.out}")


if __name__ == "__main__":
    main()
